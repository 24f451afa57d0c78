"""Dictionaries in the formats of their packages, added to a toy text folder: python3 -m unittest (from this folder)."""
import gzip
import os
import subprocess
import sys
import tempfile
import unittest

import corpus
import dictionaries

HERE = os.path.dirname(os.path.abspath(__file__))
LETTERS = ''.join(dictionaries.DIGITS)
WORDNET = ('  1 This line is the licence\n'
           '00001740 03 n 02 bee 0 honey_bee 0 001 @ 00001930 n 0000 | an insect that makes honey; "a bee stung her"  \n'
           '00001930 03 n 01 hive 0 000 | a home for bees  \n'
           '00002137 03 n 01 hive 1 000 | a busy place  \n')


def in_base64(value):
    text = LETTERS[value % 64]
    while value >= 64:
        value //= 64
        text = LETTERS[value % 64] + text
    return text


def write_freedict(folder, pair, entries):
    body, index = b'', ''
    for entry in entries:
        data = entry.encode()
        index += f'{entry.split()[0]}\t{in_base64(len(body))}\t{in_base64(len(data))}\n'
        body += data
    with gzip.open(os.path.join(folder, f'freedict-{pair}.dict.dz'), 'wb') as f:
        f.write(body)
    write(folder, f'freedict-{pair}.index', index)


def write(folder, name, text):
    os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
    with open(os.path.join(folder, name), 'w', encoding='utf-8') as f:
        f.write(text)


def cldr(territory, picture):
    return (f'<ldml><localeDisplayNames><territories><territory type="KE">{territory}</territory>'
            '<territory type="US" alt="short">no</territory></territories></localeDisplayNames></ldml>',
            f'<ldml><annotations><annotation cp="b">{picture}</annotation></annotations></ldml>')


class Dictionaries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        at = cls.scratch.name
        write(at, 'text/en.txt', 'A line of text.\n')
        write(at, 'text/parallel/en-sw.tsv', 'news\tA bee.\tNyuki.\n')
        write(at, 'dictd/readme', '')
        write_freedict(os.path.join(at, 'dictd'), 'eng-swh',
                       ['00-database-short\nEnglish-Swahili\n', 'bee /bi:/ <n>\n\nnyuki\n', 'hive /haiv/\n1. mzinga <sg>, nyumba [rare]\n'
                        '      "a hive of bees"\n2. see: {bee}\n'])
        write_freedict(os.path.join(at, 'dictd'), 'swh-eng', ['asali /a/ <n>\n\nhoney\n; sweet thing\n'])
        write(at, 'wordnet/data.noun', WORDNET)
        for lang, names in {'en': ('Kenya', 'bee | insect'), 'sw': ('Kenia', 'nyuki | mdudu')}.items():
            for part, text in zip(('main', 'annotations'), cldr(*names)):
                write(at, f'cldr/{part}/{lang}.xml', text)
        done = subprocess.run([sys.executable, os.path.join(HERE, 'dictionaries.py'), f'{at}/text', f'{at}/out', '--freedict', f'{at}/dictd',
                               '--wordnet', f'{at}/wordnet', '--cldr', f'{at}/cldr', '--edict', f'{at}/none'], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        cls.pairs = {name: [row[1:] for row in corpus.pair_lines(path)] for name, path in corpus.pair_files(f'{at}/out').items()}
        with open(f'{at}/out/en.txt', encoding='utf-8') as f:
            cls.lines = f.read().splitlines()

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_translations_come_without_grammar_remarks_and_examples(self):
        words = [row[1:] for row in self.pairs['en-sw'] if row[0] == 'freedict']
        self.assertEqual(words, [('bee', 'nyuki'), ('hive', 'mzinga'), ('hive', 'nyumba'), ('honey', 'asali')])

    def test_names_are_joined_by_their_keys(self):
        self.assertEqual([row[1:] for row in self.pairs['en-sw'] if row[0] == 'cldr'],
                         [('Kenya', 'Kenia'), ('bee, insect', 'nyuki, mdudu')])

    def test_only_words_of_one_meaning_are_paired_with_its_definition(self):
        self.assertEqual([row[1:] for row in self.pairs['en-sw'] if row[0] == 'definition'],
                         [('an insect that makes honey', 'nyuki')])

    def test_the_text_that_was_there_stays_first_and_meanings_follow_in_order(self):
        self.assertEqual(self.lines, ['A line of text.', 'bee, honey bee: an insect that makes honey; "a bee stung her"',
                                      'hive: a home for bees', 'hive: a busy place'])
        self.assertEqual(self.pairs['en-sw'][0], ('news', 'A bee.', 'Nyuki.'))
        self.assertEqual(self.pairs['en-en'][0], ('wordnet', 'an insect that makes honey', 'bee, honey bee'))

    def test_a_dictionary_that_is_too_large_keeps_known_words_evenly(self):
        most, dictionaries.MOST_PAIRS = dictionaries.MOST_PAIRS, 10
        try:
            pairs = [(f'w{i}', f'x{i}') for i in range(100)]
            self.assertEqual(dictionaries.thinned(pairs, {f'w{i}' for i in range(40)}), [(f'w{i}', f'x{i}') for i in range(0, 40, 4)])
        finally:
            dictionaries.MOST_PAIRS = most


if __name__ == '__main__':
    unittest.main()
