#!/usr/bin/env python3
"""Write FOLDER/reference.json: ids and last hidden states of a few sentences, for other engines to compare with.

The last sentence is longer than a usual training row, so that late positions are compared too.
"""
import argparse
import os

import sentencepiece as spm
import torch

import checkpoint
from batches import pack
from corpus import normalise
from model import BOS, EOS, pooled

TEXTS = [
    'The river froze last night.',
    'Ｆｕｌｌ width, café and\tspaces',
    'سقط الثلج على الجبال هذا الصباح.',
    'नदी कल रात जम गई।',
    '今朝、山に雪が降った。',
    '昨晚河水结冰了。',
    'Mto uliganda jana usiku; baridi ilikuwa kali.',
    'Lumi satoi vuorille, ja joki jäätyi yöllä. ' * 12,
]


@torch.no_grad()
def cases(folder):
    """[{text, ids, mean, one}]: the mean of the states, and the first, or of a decoder the last."""
    net = checkpoint.load_folder(folder).eval()
    sp = spm.SentencePieceProcessor(model_file=os.path.join(folder, 'sentencepiece.model'))
    found = []
    for text in TEXTS:
        ids = [BOS, *sp.encode(normalise(text)), EOS]
        mean, one = pooled(net(pack([ids])), pack([ids]), net.causal)
        numbers = {k: [round(v, 5) for v in x[0].tolist()] for k, x in (('mean', mean), ('one', one))}
        found.append({'text': text, 'ids': ids, **numbers})
    return found


def write(folder):
    checkpoint.write_json(os.path.join(folder, 'reference.json'), {'cases': cases(folder)}, indent=None)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('folder', help='Hugging Face folder with sentencepiece.model')
    write(p.parse_args().folder)
