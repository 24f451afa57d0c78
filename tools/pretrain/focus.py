#!/usr/bin/env python3
"""List the monolingual lines that read most like given parallel sources (news, say).

Each window of consecutive lines is scored by the mean log-ratio of its sub-words under unigram
models of its language: the sources' sentences against all text, or against the sources to avoid
(manuals, say) where those explain the window better. The best windows' first lines go to
mono.<lang>.focus (int32) in the shard folder; pretrain.py --focus samples them more.
"""
import argparse
import os

import numpy as np

from batches import Batches

WINDOW = 5
PRIOR = 2000
SHORTEST = 80


def source_counts(batches, sources):
    """{language: sub-word counts of the sentences from `sources`}."""
    vocabulary, counts = batches.meta['vocab_size'], {}
    wanted = [i for i, s in enumerate(batches.meta['sources']) if s in sources]
    for name, shards in batches.pairs.items():
        numbers = np.flatnonzero(np.isin(batches.numbers_of(f'par.{name}.src', np.uint8), wanted))
        for lang, shard in zip(name.split('-')[-2:], shards):
            if len(numbers):
                ids = np.concatenate([shard[i] for i in numbers])
                counts[lang] = counts.get(lang, 0) + np.bincount(ids, minlength=vocabulary)
    return counts


def smooth(counts, general):
    """A distribution from counts, drawn towards `general`."""
    return (counts + PRIOR * general) / (counts.sum() + PRIOR)


def window_scores(shard, target, avoid):
    """Score of each window of WINDOW lines, by first line; short windows count as less certain."""
    general = np.bincount(shard.tokens, minlength=len(target)) + 0.1
    general = general / general.sum()
    wanted = np.log(smooth(target, general))
    first, last = shard.offsets[:-WINDOW], shard.offsets[WINDOW:]

    def mean_ratio(other):
        sums = np.concatenate([[0], np.cumsum((wanted - np.log(other))[shard.tokens])])
        return (sums[last] - sums[first]) / np.maximum(SHORTEST, last - first)
    scores = mean_ratio(general)
    return scores if avoid is None else np.minimum(scores, mean_ratio(smooth(avoid, general)))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('shards', help='shard folder')
    p.add_argument('--sources', nargs='+', required=True, help='sources of parallel pairs to resemble')
    p.add_argument('--avoid', nargs='*', default=[], help='sources of parallel pairs not to resemble')
    p.add_argument('--keep', type=float, default=0.2, help='share of the lines to list')
    a = p.parse_args()
    batches = Batches(a.shards, 8192, 128, 0.5)
    counts, avoid = source_counts(batches, set(a.sources)), source_counts(batches, set(a.avoid))
    for lang, shard in batches.mono.items():
        starts = np.empty(0, dtype=np.int32)
        if lang in counts:
            scores = window_scores(shard, counts[lang], avoid.get(lang))
            starts = np.sort(np.argsort(-scores)[:int(a.keep * len(scores))]).astype(np.int32)
        starts.tofile(os.path.join(a.shards, f'mono.{lang}.focus'))
        print(lang, len(starts), 'of', len(shard), flush=True)


if __name__ == '__main__':
    main()
