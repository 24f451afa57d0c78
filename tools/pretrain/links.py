#!/usr/bin/env python3
"""Which sub-words of a translation pair mean the same: `par.<name>.links` beside the pair shards.

IBM Model 1 in both directions with a prior for the diagonal (Dyer et al. 2013) and one for sub-words
whose vectors are close, which is what a language of few pairs has to go by. Kept are links that both
directions like best. A file holds one byte for each id of the left side: the place of its partner, or NO_LINK.
"""
import argparse
import json
import os
import time

import numpy as np

import checkpoint
from batches import ALIGN_CAP, NO_LINK, Shard

TENSION = 4.0
NULL = 0.08
# exp(CLOSENESS * cosine) of two vectors, with the weight of one observation per sub-word.
CLOSENESS = 8.0
LEAST = 0.05


class Grid:
    """All cells (left place, right place) of some pairs, flat, row by row."""

    def __init__(self, left, right, numbers):
        lefts, rights = [left[p][:ALIGN_CAP] for p in numbers], [right[p][:ALIGN_CAP] for p in numbers]
        self.na, self.nb = (np.array([len(s) for s in side], np.int64) for side in (lefts, rights))
        a_start, b_start, size = np.cumsum(self.na) - self.na, np.cumsum(self.nb) - self.nb, self.na * self.nb
        pair = np.repeat(np.arange(len(numbers)), size)
        start = np.cumsum(size) - size
        k = np.arange(len(pair)) - start[pair]
        self.i, self.j = k // self.nb[pair], k % self.nb[pair]
        self.row, self.column = a_start[pair] + self.i, b_start[pair] + self.j
        # Where each cell is when a pair's cells are laid out column by column.
        self.turned = start[pair] + self.j * self.na[pair] + self.i
        self.x, self.y = np.concatenate(lefts)[self.row].astype(np.int64), np.concatenate(rights)[self.column].astype(np.int64)
        near = np.exp(-TENSION * np.abs(self.i / self.na[pair] - self.j / self.nb[pair]))
        self.near = {'y': near / np.bincount(self.column, near)[self.column],
                     'x': near / np.bincount(self.row, near)[self.row]}

    def posterior(self, translation, unigram, of):
        """P(partner | word) of each cell, for the words of the right side (`of` 'y') or of the left ('x')."""
        words, group = (self.y, self.column) if of == 'y' else (self.x, self.row)
        p = (1 - NULL) * self.near[of] * translation
        return p / (np.bincount(group, p) + NULL * self._once(unigram[words], group))[group]

    @staticmethod
    def _once(values, group):
        out = np.zeros(group.max() + 1)
        out[group] = values
        return out

    def mutual(self, score):
        """Cells that are the best of their row and of their column."""
        order = np.argsort(self.turned)
        best_column = self._best(score[order], self.column[order])[self.column]
        return (score >= self._best(score, self.row)[self.row]) & (score >= best_column) & (score > LEAST)

    @staticmethod
    def _best(score, group):
        """The highest score of each group; those of a group lie side by side, and groups in order."""
        return np.maximum.reduceat(score, np.flatnonzero(np.diff(group, prepend=-1)))


class Lexicon:
    """P(y | x) and P(x | y) of sub-words seen together, by EM over a sample of pairs."""

    def __init__(self, grid, vectors, rounds):
        self.vocabulary = len(vectors)
        self.keys, cell = np.unique(grid.x * self.vocabulary + grid.y, return_inverse=True)
        x, y = self.keys // self.vocabulary, self.keys % self.vocabulary
        close = np.concatenate([np.exp(CLOSENESS * (vectors[x[k:k + 1_000_000]] * vectors[y[k:k + 1_000_000]]).sum(1))
                                for k in range(0, len(x), 1_000_000)]).astype(np.float64)
        self.unigram = {'y': self._unigram(grid.y), 'x': self._unigram(grid.x)}
        given = {'y': x, 'x': y}
        prior = {of: close / np.bincount(given[of], close)[given[of]] for of in given}
        self.chance = dict(prior)
        for _ in range(rounds):
            for of in given:
                counts = np.bincount(cell, grid.posterior(self.chance[of][cell], self.unigram[of], of)) + prior[of]
                self.chance[of] = counts / np.bincount(given[of], counts)[given[of]]

    def _unigram(self, ids):
        counts = np.bincount(ids, minlength=self.vocabulary) + 1.0
        return counts / counts.sum()

    def score(self, grid):
        """Product of both directions' posteriors of each cell; cells of unseen sub-word pairs get 0."""
        keys = grid.x * self.vocabulary + grid.y
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        seen = self.keys[place] == keys
        both = (grid.posterior(self.chance[of][place] * seen, self.unigram[of], of) for of in ('y', 'x'))
        return np.prod(list(both), axis=0)


def link(left, right, vectors, sample, rounds, rng, chunk=4000):
    """One byte for each id of the left shard."""
    usable = np.flatnonzero((np.diff(left.offsets) > 0) & (np.diff(right.offsets) > 0))
    lexicon = Lexicon(Grid(left, right, np.sort(rng.permutation(usable)[:sample])), vectors, rounds)
    links = np.full(len(left.tokens), NO_LINK, np.uint8)
    for k in range(0, len(usable), chunk):
        numbers = usable[k:k + chunk]
        grid = Grid(left, right, numbers)
        pick = grid.mutual(lexicon.score(grid))
        first = np.repeat(left.offsets[numbers].astype(np.int64), grid.na * grid.nb)[pick]
        links[first + grid.i[pick]] = grid.j[pick]
    return links


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('data', help='shard folder; gets the files')
    p.add_argument('vectors', help='.npy of sub-word vectors from embed_init.py, or a Hugging Face folder')
    p.add_argument('--sample', type=int, default=40_000, help='pairs of a language to learn from')
    p.add_argument('--rounds', type=int, default=5, help='of EM')
    a = p.parse_args()
    is_table = a.vectors.endswith('.npy')
    vectors = np.load(a.vectors) if is_table else checkpoint.load_folder(a.vectors).word.weight.detach().numpy()
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    with open(os.path.join(a.data, 'meta.json'), encoding='utf-8') as f:
        names = json.load(f)['parallel']
    for name in names:
        began = time.monotonic()
        left, right = Shard(a.data, f'par.{name}.a'), Shard(a.data, f'par.{name}.b')
        # Of one language are words and their definitions, say: nothing there translates.
        translates = len(set(name.split('-')[-2:])) == 2
        links = (link(left, right, vectors, a.sample, a.rounds, np.random.default_rng(1)) if translates
                 else np.full(len(left.tokens), NO_LINK, np.uint8))
        links.tofile(os.path.join(a.data, f'par.{name}.links'))
        print(f'{name}: {100 * (links != NO_LINK).mean():.1f} % of the left ids linked, {time.monotonic() - began:.0f} s', flush=True)


if __name__ == '__main__':
    main()
