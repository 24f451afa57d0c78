#!/usr/bin/env python3
"""Topic vectors of sub-words, one table a language in one shared space, for pretrain.py --teach.

Per language: truncated SVD of shifted positive PMI between sub-words and windows of consecutive
lines, rows of unit length times inverse window frequency; a text's topic vector is the sum of its
sub-words' rows, scaled to unit length. Every other language comes into the pivot's space in two ways
that are added: its own table mapped by ridge regression over translation pairs, and the mean of the pivot's
rows that its sub-words are linked with (links.py). The direction that all texts of a language share,
which says nothing of topic, is taken out. Writes teacher.<lang>.npy (float16 [vocabulary, size]).
"""
import argparse
import os

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from batches import NO_LINK, Batches
from embed_init import count_matrix, shifted_ppmi
from model import UNK

WINDOW_LINES, WINDOW_TOKENS = 10, 256
MOST_WINDOWS = 60_000
RIDGE = 3.0
SAMPLE = 3000
MANUALS = 0.1
LINK_PRIOR = 1.0


def windows(batches, lang, manuals, rng):
    """Yield (context number, ids): half-overlapping windows, then the language's side of pairs."""
    shard, count = batches.mono[lang], 0
    starts = np.arange(0, max(1, len(shard) - WINDOW_LINES), WINDOW_LINES // 2)
    if len(starts) > MOST_WINDOWS:
        starts = np.sort(rng.choice(starts, size=MOST_WINDOWS, replace=False))
    for i in starts:
        yield count, shard.tokens[shard.offsets[i]:shard.offsets[i + WINDOW_LINES]][:WINDOW_TOKENS]
        count += 1
    seen = set()
    for side, i, _ in pair_rows(batches, lang, manuals, rng):
        ids = side[i]
        if len(ids) and ids.tobytes() not in seen:
            seen.add(ids.tobytes())
            yield count, ids
            count += 1


def pair_rows(batches, lang, manuals, rng):
    """Yield (this side's shard, row, the other side's shard); sources in `manuals` are thinned."""
    for name, shards in batches.pairs.items():
        langs = name.split('-')[-2:]
        if lang not in langs:
            continue
        here = langs.index(lang)
        chance = np.array([MANUALS if s in manuals else 1.0 for s in batches.meta['sources']])
        keep = chance[batches.numbers_of(f'par.{name}.src', np.uint8)] > rng.random(len(shards[0]))
        for i in np.flatnonzero(keep):
            yield shards[here], int(i), shards[1 - here]


def topic_table(contexts, vocabulary, size, seed):
    """[vocabulary, size]: unit rows times inverse window frequency; specials are zero."""
    counts = count_matrix(contexts, vocabulary)
    frequency = np.diff(counts.indptr)
    weight = np.maximum(0, np.log(counts.shape[1] / (1 + frequency)))
    weight[frequency < 3] = 0
    u, s, _ = randomized_svd(shifted_ppmi(counts), n_components=size, n_oversamples=16, n_iter=2, random_state=seed)
    table = u * s ** 0.5
    table *= (weight / np.maximum(np.linalg.norm(table, axis=1), 1e-6))[:, None]
    table[:UNK + 1] = 0
    return table.astype(np.float32)


def text_vector(table, ids):
    v = table[ids].sum(0)
    return v / max(1e-6, float(np.linalg.norm(v)))


def onto_pivot(table, pivot_table, rows):
    """`table` mapped by ridge regression so that translations' vectors agree."""
    x, y = [], []
    for side, i, other in rows:
        x.append(text_vector(table, side[i]))
        y.append(text_vector(pivot_table, other[i]))
    x, y = np.array(x), np.array(y)
    gram = x.T @ x + RIDGE * np.eye(x.shape[1], dtype=np.float32)
    return table @ np.linalg.solve(gram, x.T @ y)


def by_links(batches, lang, pivot, pivot_table, manuals):
    """[vocabulary, size]: of each sub-word the mean of the pivot's rows that it is linked with, short where links are few."""
    vocabulary, total = len(pivot_table), sparse.csr_matrix((len(pivot_table),) * 2, dtype=np.float32)
    for name, (left, right) in batches.pairs.items():
        langs = name.split('-')[-2:]
        if sorted(langs) != sorted((lang, pivot)):
            continue
        weight = np.array([MANUALS if s in manuals else 1.0 for s in batches.meta['sources']])
        partner = batches.links[name]
        place = np.flatnonzero(partner != NO_LINK)
        pair = np.repeat(np.arange(len(left)), np.diff(left.offsets))[place]
        ids = {langs[0]: left.tokens[place], langs[1]: right.tokens[right.offsets[pair].astype(np.int64) + partner[place]]}
        weight = weight[batches.numbers_of(f'par.{name}.src', np.uint8)][pair]
        total = total + sparse.coo_matrix((weight, (ids[lang], ids[pivot])), shape=(vocabulary,) * 2, dtype=np.float32).tocsr()
    return (total @ pivot_table) / (np.asarray(total.sum(1)) + LINK_PRIOR)


def longest_one(table):
    """`table` scaled so that its longest row has length 1."""
    return table / max(1e-6, float(np.linalg.norm(table, axis=1).max()))


def without_shared_direction(table, shard, rng):
    """`table` orthogonal to the mean topic vector of the language's text."""
    starts = rng.integers(0, max(1, len(shard) - WINDOW_LINES), size=SAMPLE)
    texts = (shard.tokens[shard.offsets[i]:shard.offsets[i + WINDOW_LINES // 2]] for i in starts)
    mean = np.mean([text_vector(table, ids) for ids in texts], axis=0)
    mean /= np.linalg.norm(mean)
    return table - np.outer(table @ mean, mean)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('shards', help='shard folder')
    p.add_argument('--pivot', default='en')
    p.add_argument('--size', type=int, default=512)
    p.add_argument('--manuals', nargs='*', default=[], help='sources of parallel pairs to thin out')
    p.add_argument('--seed', type=int, default=0)
    a = p.parse_args()
    batches = Batches(a.shards, 8192, 128, 0.5, words=True)
    vocabulary, manuals = batches.meta['vocab_size'], set(a.manuals)
    pivot_table = None
    for lang in [a.pivot, *(k for k in batches.mono if k != a.pivot)]:
        rng = np.random.default_rng(a.seed)
        table = topic_table(windows(batches, lang, manuals, rng), vocabulary, a.size, a.seed)
        if pivot_table is None:
            pivot_table = table
        else:
            mapped = onto_pivot(table, pivot_table, pair_rows(batches, lang, manuals, rng))
            table = longest_one(mapped) + longest_one(by_links(batches, lang, a.pivot, pivot_table, manuals))
        centred = without_shared_direction(table, batches.mono[lang], rng)
        np.save(os.path.join(a.shards, f'teacher.{lang}.npy'), centred.astype(np.float16))
        print(lang, flush=True)


if __name__ == '__main__':
    main()
