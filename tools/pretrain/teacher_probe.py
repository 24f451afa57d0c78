#!/usr/bin/env python3
"""How much the topic vectors of teacher.py tell by themselves: SIB-200 dev accuracy of a probe trained on English.

What a model can learn of topics from a teacher, it cannot know better than the teacher: look here before a run.
"""
import argparse
import os

import numpy as np
import sentencepiece as spm
import torch
import torch.nn.functional as F

from corpus import normalise
from probe import TOPIC_PENALTY, Regression, topic_splits


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('data', help='folder of evaluation sets')
    p.add_argument('tokenizer', help='sentencepiece.model')
    p.add_argument('shards', help='folder with teacher.<lang>.npy')
    a = p.parse_args()
    sp = spm.SentencePieceProcessor(model_file=a.tokenizer)
    langs = sorted(name.split('.')[1] for name in os.listdir(a.shards) if name.startswith('teacher.'))
    langs = [lang for lang in langs if os.path.isdir(os.path.join(a.data, 'sib200', lang))]

    def vectors(lang, texts):
        table = np.load(os.path.join(a.shards, f'teacher.{lang}.npy'), mmap_mode='r')
        sums = [table[sp.encode(normalise(t))].astype(np.float32).sum(0) for t in texts]
        return F.normalize(torch.from_numpy(np.stack(sums)), dim=-1)

    (texts, labels), _ = topic_splits(a.data, 'en', 'dev')
    probe = Regression(vectors('en', texts), labels, TOPIC_PENALTY)
    scores = {}
    for lang in langs:
        _, (texts, labels) = topic_splits(a.data, lang, 'dev')
        scores[lang] = probe.accuracy(vectors(lang, texts), labels)
    print(f'mean {np.mean(list(scores.values())):.1f}:', ', '.join(f'{k} {v:.1f}' for k, v in scores.items()))


if __name__ == '__main__':
    main()
