"""The text folder that every other script reads.

Layout: `<lang>.txt[.gz]`, one sentence or paragraph piece per line, order kept;
`parallel/<name>-<lang>.tsv[.gz]`, columns [source,] left, right.
A line is known by (file, 0-based line number) everywhere, blank lines counted.
"""
import gzip
import hashlib
import json
import os
import unicodedata


def open_text(path):
    """Open plain or gzip-compressed UTF-8 text for reading."""
    if path.endswith('.gz'):
        return gzip.open(path, 'rt', encoding='utf-8')
    return open(path, encoding='utf-8')


def normalise(text):
    """The tokenizer's normaliser: NFKC, white space runs to one space."""
    return ' '.join(unicodedata.normalize('NFKC', text).split())


def mono_files(folder):
    """{language: path} of the monolingual files, sorted by name."""
    names = sorted(f for f in os.listdir(folder) if f.endswith(('.txt', '.txt.gz')))
    return {f.split('.')[0]: os.path.join(folder, f) for f in names}


def pair_files(folder):
    """{name: path} of the parallel files, sorted by name."""
    parallel = os.path.join(folder, 'parallel')
    if not os.path.isdir(parallel):
        return {}
    names = sorted(f for f in os.listdir(parallel) if '.tsv' in f)
    return {f.split('.tsv')[0]: os.path.join(parallel, f) for f in names}


def mono_lines(path, skip=()):
    """Yield (line number, text) of the lines that are not blank and not in `skip`."""
    with open_text(path) as lines:
        for number, line in enumerate(lines):
            if line.strip() and number not in skip:
                yield number, line.rstrip('\n')


def pair_lines(path, skip=()):
    """Yield (line number, source, left, right); source is '' in two-column files."""
    with open_text(path) as lines:
        for number, line in enumerate(lines):
            cells = line.rstrip('\n').split('\t')
            if number in skip or len(cells) not in (2, 3):
                continue
            left, right = cells[-2:]
            if left.strip() and right.strip():
                yield number, cells[0] if len(cells) == 3 else '', left, right


def relative_name(path):
    """`en.txt.gz` or `parallel/en-de.tsv.gz`: how exclude lists and run records name a file."""
    parent, name = os.path.split(path)
    return f'parallel/{name}' if os.path.basename(parent) == 'parallel' else name


def read_excludes(path):
    """{relative file name: set of line numbers} as written by decontaminate.py."""
    if not path:
        return {}
    with open(path, encoding='utf-8') as f:
        return {name: set(numbers) for name, numbers in json.load(f)['lines'].items()}


def sha256(path):
    """Hex SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, 'rb') as f:
        for block in iter(lambda: f.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()
