#!/usr/bin/env python3
"""How a tokenizer copes with each language of SIB-200: sub-words a sentence and the share it does not know.

The sentences are the same in every language, so `against English` compares how far a limit of
tokens reaches. `unknown` is the share of characters that an <unk> stands for.
"""
import argparse
import os

import sentencepiece as spm

from corpus import normalise
from model import UNK
from probe import read_sib


def figures(sp, texts):
    """(sub-words a text, share of characters that are unknown)."""
    texts = [normalise(t) for t in texts]
    ids = [i for t in texts for i in sp.encode(t)]
    surfaces = [piece for t in texts for piece in sp.encode(t, out_type=str)]
    unknown = sum(len(surface) for i, surface in zip(ids, surfaces) if i == UNK)
    return len(ids) / len(texts), unknown / sum(map(len, surfaces))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('data', help='folder of evaluation sets')
    p.add_argument('tokenizer', help='sentencepiece.model')
    a = p.parse_args()
    sp = spm.SentencePieceProcessor(model_file=a.tokenizer)
    found = {lang: figures(sp, read_sib(a.data, lang, 'dev')[0])
             for lang in sorted(os.listdir(os.path.join(a.data, 'sib200'))) if len(lang) == 2}
    print('| language | sub-words a sentence | against English | unknown, % of characters |\n|---|---|---|---|')
    for lang, (count, unknown) in found.items():
        print(f'| {lang} | {count:.1f} | {count / found["en"][0]:.2f} | {100 * unknown:.1f} |')


if __name__ == '__main__':
    main()
