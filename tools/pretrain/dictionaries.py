#!/usr/bin/env python3
"""Add dictionaries from Debian's packages to a text folder: OUT is TEXT with more pairs, and WordNet after the English lines.

Words that mean the same are what a language of few translation pairs lacks most. Reads what is installed of
FreeDict (dict-freedict-eng-*, dict-freedict-*-eng), EDICT's common words (edict), the names of CLDR (unicode-cldr-core:
countries, regions, cities, languages, pictures) and WordNet (wordnet-base). A line of WordNet is the words of a meaning and its
definition, and related meanings lie side by side. Definitions are also paired with their words (`en-en`, source
`wordnet`), and those of words that mean one thing only with translations (source `definition`). Prints what it added.
"""
import argparse
import collections
import gzip
import os
import re
import shutil
import string
import xml.etree.ElementTree as xml

import corpus

# Languages read from FreeDict; Japanese is EDICT's.
CODES = {'ar': 'ara', 'de': 'deu', 'es': 'spa', 'fi': 'fin', 'fr': 'fra', 'hi': 'hin', 'id': 'ind', 'it': 'ita',
         'pt': 'por', 'ru': 'rus', 'sw': 'swh', 'tr': 'tur'}
# Of an entry's meanings and of a meaning's translations; later ones are rarer.
MOST_MEANINGS, MOST_TRANSLATIONS, MOST_WORDS = 3, 3, 6
# Pairs of a language; a larger dictionary gives its words that WordNet has, evenly.
MOST_PAIRS = 60_000
ASIDES = re.compile(r'/[^/]*/|<[^>]*>|\[[^\]]*\]|\{[^}]*\}|\([^)]*\)')
NUMBER = re.compile(r'^\d+\.\s*')
ARABIC_VOWELS = re.compile('[\u064b-\u0652\u0640]')
DIGITS = {c: i for i, c in enumerate(string.ascii_uppercase + string.ascii_lowercase + string.digits + '+/')}


def number(text):
    """A number of a dictd index."""
    value = 0
    for c in text:
        value = value * 64 + DIGITS[c]
    return value


def clean(text):
    """`text` without pronunciation, grammar and remarks."""
    return ' '.join(ASIDES.sub(' ', text.replace('~', ' ').replace('//', '/')).split()).strip(' .;,!?')


def usable(term):
    return 0 < len(term.split()) <= MOST_WORDS and len(term) <= 60 and not set(term) & set(':<>=|')


def freedict_entries(folder, pair):
    """Yield (headword, translation) of a FreeDict dictionary, in order."""
    path = os.path.join(folder, f'freedict-{pair}')
    if not os.path.exists(path + '.index'):
        return
    with gzip.open(path + '.dict.dz') as f:
        text = f.read()
    with open(path + '.index', encoding='utf-8') as f:
        places = {(number(start), number(size)) for name, start, size in (line.rstrip('\n').split('\t')[:3] for line in f)
                  if not name.startswith('00')}
    for start, size in sorted(places):
        head, *lines = text[start:start + size].decode('utf-8', 'replace').split('\n')
        lines = [line for line in lines if line.strip() and not line.startswith('   ')]
        # The first line and numbered ones translate; others define or explain.
        meanings = [NUMBER.sub('', line) for line in lines if NUMBER.match(line)] or lines[:1]
        word = clean(head.split(',')[0])
        for meaning in meanings[:MOST_MEANINGS]:
            for translation in re.split(r'[,;]', clean(meaning))[:MOST_TRANSLATIONS]:
                if usable(word) and usable(clean(translation)):
                    yield word, clean(translation)


def freedict_pairs(folder, lang):
    """(English, other) pairs of both directions. The Arabic dictionary writes every English word with a capital, and vowel signs."""
    code = CODES.get(lang)
    if code is None:
        return
    both = [*freedict_entries(folder, f'eng-{code}'), *((e, o) for o, e in freedict_entries(folder, f'{code}-eng'))]
    for english, other in both:
        yield (english.lower(), ARABIC_VOWELS.sub('', other)) if lang == 'ar' else (english, other)


def edict_pairs(path):
    """(English, Japanese) pairs of the words marked as common."""
    if not os.path.exists(path):
        return
    with open(path, encoding='euc-jp', errors='replace') as f:
        for line in f:
            if '/(P)/' not in line:
                continue
            head, *meanings = line.strip().split('/')
            word = head.split(' ')[0].split(';')[0].split('(')[0]
            for meaning in meanings[:MOST_MEANINGS]:
                if usable(clean(meaning)):
                    yield clean(meaning), word


def cldr_names(folder, lang):
    """{key: name} of a language; names of pictures come with their keywords."""
    names = {}
    for part, kinds in {'main': ('territory', 'language'), 'subdivisions': ('subdivision',), 'annotations': ('annotation',)}.items():
        path = os.path.join(folder, part, f'{lang}.xml')
        if not os.path.exists(path):
            continue
        root = xml.parse(path).getroot()
        found = [(e.tag, e.get('cp'), e.get('type'), e) for kind in kinds for e in root.iter(kind)]
        found += [('city', zone.get('type'), None, city) for zone in root.iter('zone') for city in zone.iter('exemplarCity')]
        names.update(((tag, of, kind), e.text.replace(' | ', ', ')) for tag, of, kind, e in found if e.get('alt') is None and e.text)
    return {key: name for key, name in names.items() if name.strip() and '\u2191' not in name}


def cldr_pairs(folder, lang):
    """(English, other) names."""
    english = cldr_names(folder, 'en')
    return ((english[key], name) for key, name in cldr_names(folder, lang).items() if key in english)


def wordnet(folder):
    """[(words, definition with examples)] of nouns, verbs and adjectives."""
    meanings = []
    for part in ('noun', 'verb', 'adj'):
        path = os.path.join(folder, f'data.{part}')
        if not os.path.exists(path):
            continue
        with open(path, encoding='utf-8', errors='replace') as f:
            for line in f:
                if line.startswith('  '):
                    continue
                fields, gloss = line.rstrip('\n').split(' | ', 1)
                fields = fields.split(' ')
                words = fields[4:4 + 2 * int(fields[3], 16):2]
                meanings.append(([re.sub(r'\(\w+\)$', '', w).replace('_', ' ') for w in words], gloss.strip()))
    return meanings


def without_examples(gloss):
    return gloss.split('; "')[0]


def definitions(meanings):
    """{word: its definitions}."""
    found = collections.defaultdict(list)
    for words, gloss in meanings:
        for word in words:
            found[word].append(gloss)
    return found


def thinned(pairs, known):
    """About MOST_PAIRS different pairs at most (half more before the next thinning); of too many those whose English is among `known`, evenly."""
    pairs = list(dict.fromkeys(pairs))
    if len(pairs) > MOST_PAIRS:
        pairs = [p for p in pairs if p[0] in known]
    return pairs[::max(1, round(len(pairs) / MOST_PAIRS))]


def append(path, lines):
    """Append to a plain or gzip-compressed text file."""
    with (gzip.open if path.endswith('.gz') else open)(path, 'at', encoding='utf-8') as f:
        f.writelines(line + '\n' for line in lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('text', help='text folder')
    p.add_argument('out', help='new text folder')
    p.add_argument('--freedict', default='/usr/share/dictd')
    p.add_argument('--edict', default='/usr/share/edict/edict')
    p.add_argument('--cldr', default='/usr/share/unicode/cldr/common')
    p.add_argument('--wordnet', default='/usr/share/wordnet')
    a = p.parse_args()
    shutil.copytree(a.text, a.out, copy_function=shutil.copyfile)
    meanings = wordnet(a.wordnet)
    defined = definitions(meanings)
    append(corpus.mono_files(a.out)['en'], (f'{", ".join(words)}: {gloss}' for words, gloss in meanings))
    append(os.path.join(a.out, 'parallel', 'en-en.tsv.gz'),
           (f'wordnet\t{without_examples(gloss)}\t{", ".join(words)}' for words, gloss in meanings))
    print('en: wordnet', len(meanings))
    for name, path in corpus.pair_files(a.out).items():
        first, lang = name.split('-')[-2:]
        if first != 'en' or lang == 'en':
            continue
        words = thinned([*freedict_pairs(a.freedict, lang), *(edict_pairs(a.edict) if lang == 'ja' else ())], defined)
        found = {'freedict' if lang != 'ja' else 'edict': words, 'cldr': list(dict.fromkeys(cldr_pairs(a.cldr, lang))),
                 'definition': [(without_examples(defined[english][0]), other) for english, other in words if len(defined.get(english, ())) == 1]}
        for source, pairs in found.items():
            append(path, (f'{source}\t{x}\t{y}' for x, y in pairs if x != y))
        print(f'{lang}:', ', '.join(f'{source} {len(pairs)}' for source, pairs in found.items()))


if __name__ == '__main__':
    main()
