#!/usr/bin/env python3
"""Find evaluation sentences in pre-training text: exact copies and near duplicates.

A text is a sequence of units (case-folded words; single characters in Chinese, Japanese and
Thai script). A training line is hit when it
  equals    an evaluation text of at least 3 units, punctuation aside;
  contains  one of 6 units or more but shorter than a shingle (12 or more for character scripts);
  overlaps  one in a shingle of 13 words (26 characters for character scripts).
Prints one row per evaluation set and exits 1 when anything was found. `--write` keeps the list
of lines; given back as `--exclude` the same check must find nothing.
"""
import argparse
import collections
import hashlib
import json
import os
import re
import sys
import unicodedata

import numpy as np

import corpus

CHARACTER = re.compile(r'[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]')
CHARACTER_LANGUAGES = {'zh', 'ja', 'th'}
WORDS = {'shingle': 13, 'contained': 6}
CHARACTERS = {'shingle': 26, 'contained': 12}
SHORTEST = 3
BASE = np.uint64(0x9E3779B97F4A7C15)
TABLE_BITS = 24
CHUNK_LINES = 50_000


class WordCharacters(dict):
    """str.translate table: letters, digits and combining marks stay, character scripts stand alone."""

    def __missing__(self, code):
        c = chr(code)
        if CHARACTER.match(c):
            value = f' {c} '
        else:
            value = c if c.isalnum() or unicodedata.category(c)[0] == 'M' else ' '
        self[code] = value
        return value


WORD_CHARACTERS = WordCharacters()


def units(text):
    """Case-folded words and single characters, punctuation dropped."""
    return unicodedata.normalize('NFKC', text).casefold().translate(WORD_CHARACTERS).split()


class UnitHashes:
    """64-bit hash of a unit, remembered; the same in every process."""

    def __init__(self):
        self.known = {}

    def __call__(self, words):
        known = self.known
        out = np.empty(len(words), dtype=np.uint64)
        for i, word in enumerate(words):
            value = known.get(word)
            if value is None:
                digest = hashlib.blake2b(word.encode('utf-8', 'surrogatepass'), digest_size=8).digest()
                value = known[word] = int.from_bytes(digest, 'little')
            out[i] = value
        return out


def windows(hashes, length):
    """Polynomial hash of every run of `length` units."""
    count = len(hashes) - length + 1
    out = np.zeros(max(0, count), dtype=np.uint64)
    power = np.uint64(1)
    with np.errstate(over='ignore'):
        for j in range(length):
            out += hashes[j:j + count] * power if count > 0 else 0
            power *= BASE
    return out


def strings(value):
    """Every text in a JSON value; a list of tokens is one text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if value and all(isinstance(x, str) for x in value):
            yield ' '.join(value)
        else:
            for x in value:
                yield from strings(x)
    elif isinstance(value, dict):
        for key, x in value.items():
            if key not in ('id', 'tags', 'upos', 'slots', 'intent', 'version', 'title', 'label'):
                yield from strings(x)


def evaluation_files(folder, ignored):
    """(set name, path) of every data file that is not training data."""
    for parent, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if re.search(r'\.(tsv|jsonl?)(\.gz)?$', name) and 'train' not in name:
                path = os.path.join(parent, name)
                set_name = os.path.relpath(path, folder).split(os.sep)[0]
                if set_name not in ignored:
                    yield set_name, path


def evaluation_texts(path):
    """Every distinct text of one data file."""
    with corpus.open_text(path) as f:
        if '.tsv' in os.path.basename(path):
            rows = (cell for line in f for cell in line.rstrip('\n').split('\t'))
            return sorted(set(rows))
        if '.jsonl' in os.path.basename(path):
            return sorted({s for line in f if line.strip() for s in strings(json.loads(line))})
        return sorted(set(strings(json.load(f))))


class Index:
    """Hashes of the evaluation texts of one script class, by window length."""

    def __init__(self, limits):
        self.limits = limits
        self.windows = collections.defaultdict(dict)
        self.whole = {}

    def add(self, set_name, hashes):
        n, shingle = len(hashes), self.limits['shingle']
        if n < SHORTEST:
            return
        self.whole.setdefault((n, int(windows(hashes, n)[0])), set_name)
        if n >= shingle:
            for h in windows(hashes, shingle).tolist():
                self.windows[shingle].setdefault(h, set_name)
        elif n >= self.limits['contained']:
            self.windows[n].setdefault(int(windows(hashes, n)[0]), set_name)

    def freeze(self):
        """Small bit tables that turn nearly all training windows away."""
        self.tables = {}
        for length, known in self.windows.items():
            table = np.zeros(1 << TABLE_BITS, dtype=bool)
            table[np.fromiter(known, dtype=np.uint64, count=len(known)) >> np.uint64(64 - TABLE_BITS)] = True
            self.tables[length] = table

    def scan(self, hashes, starts):
        """{line: (kind, set name)} for lines given as one unit stream with `starts` offsets."""
        hits = {}
        for length, known in sorted(self.windows.items(), reverse=True):
            values = windows(hashes, length)
            candidates = np.flatnonzero(self.tables[length][values >> np.uint64(64 - TABLE_BITS)])
            for i in candidates.tolist():
                set_name = known.get(int(values[i]))
                line = int(np.searchsorted(starts, i, side='right')) - 1
                if set_name is not None and i + length <= starts[line + 1]:
                    kind = 'overlaps' if length == self.limits['shingle'] else 'contains'
                    hits.setdefault(line, (kind, set_name))
        lengths = np.diff(starts)
        for line in np.flatnonzero((lengths >= SHORTEST) & (lengths <= 60)).tolist():
            part = hashes[starts[line]:starts[line + 1]]
            with np.errstate(over='ignore'):
                value = int((part * POWERS[:len(part)]).sum(dtype=np.uint64))
            set_name = self.whole.get((len(part), value))
            if set_name is not None:
                hits[line] = ('equals', set_name)
        return hits


with np.errstate(over='ignore'):
    POWERS = np.cumprod(np.concatenate([[np.uint64(1)], np.full(63, BASE)]), dtype=np.uint64)


def build_indexes(folder, ignored):
    """The two indexes (words, characters) over every evaluation text."""
    hasher = UnitHashes()
    words, characters = Index(WORDS), Index(CHARACTERS)
    totals = collections.Counter()
    for set_name, path in evaluation_files(folder, ignored):
        for text in evaluation_texts(path):
            found = units(text)
            wide = sum(1 for u in found if CHARACTER.match(u)) * 2 > len(found)
            (characters if wide else words).add(set_name, hasher(found))
            totals[set_name] += len(found) >= SHORTEST
    words.freeze()
    characters.freeze()
    return words, characters, totals


def scan_lines(index, numbered):
    """{line number: (kind, set name)} over (number, text) pairs."""
    hits, hasher = {}, UnitHashes()

    def flush(numbers, stream, starts):
        for line, hit in index.scan(hasher(stream), np.array(starts)).items():
            hits[numbers[line]] = hit

    numbers, stream, starts = [], [], [0]
    for number, text in numbered:
        stream.extend(units(text))
        numbers.append(number)
        starts.append(len(stream))
        if len(numbers) == CHUNK_LINES:
            flush(numbers, stream, starts)
            numbers, stream, starts = [], [], [0]
    flush(numbers, stream, starts)
    return hits


def scan_folder(text_folder, words, characters, excludes):
    """Yield (relative file name, {line number: (kind, set name)})."""
    pick = lambda lang: characters if lang in CHARACTER_LANGUAGES else words
    for lang, path in corpus.mono_files(text_folder).items():
        name = corpus.relative_name(path)
        yield name, scan_lines(pick(lang), corpus.mono_lines(path, excludes.get(name, ())))
    for pair, path in corpus.pair_files(text_folder).items():
        name = corpus.relative_name(path)
        hits = {}
        for side, lang in enumerate(pair.split('-')[-2:]):
            rows = corpus.pair_lines(path, excludes.get(name, ()))
            hits.update(scan_lines(pick(lang), ((r[0], r[2 + side]) for r in rows)))
        yield name, hits


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('text', help='folder of pre-training text')
    p.add_argument('data', help='folder of evaluation sets')
    p.add_argument('--ignore', nargs='*', default=[], help='sets used for training only')
    p.add_argument('--exclude', help='lines already left out of the shards')
    p.add_argument('--write', help='write the lines found to this JSON file')
    a = p.parse_args()
    words, characters, totals = build_indexes(a.data, set(a.ignore))
    counts, lines = collections.Counter(), {}
    for name, hits in scan_folder(a.text, words, characters, corpus.read_excludes(a.exclude)):
        print(f'{name}: {len(hits)}', file=sys.stderr, flush=True)
        if hits:
            lines[name] = sorted(hits)
        counts.update(hits.values())
    print('| evaluation set | texts | equals | contains | overlaps |\n|---|---|---|---|---|')
    for set_name, total in sorted(totals.items()):
        found = [counts[kind, set_name] for kind in ('equals', 'contains', 'overlaps')]
        print(f'| {set_name} | {total} | ' + ' | '.join(map(str, found)) + ' |')
    found = sum(map(len, lines.values()))
    print(f'{found} training lines hit')
    if a.write:
        with open(a.write, 'w', encoding='utf-8') as f:
            json.dump({'rule': __doc__.split('\n\n')[1], 'lines': lines}, f)
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
