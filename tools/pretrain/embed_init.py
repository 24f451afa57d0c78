#!/usr/bin/env python3
"""Cross-lingual start for the sub-word vectors: truncated SVD of a sub-word x sentence matrix.

A context is a sentence. A translation pair is one context of both languages, and pairs with the
same left side share it (sentence-ID features, Levy et al. 2017). Windows of monolingual lines add
contexts of their own. Entries are shifted positive PMI with context smoothing.
"""
import argparse

import numpy as np
import scipy.sparse as sparse
from sklearn.utils.extmath import randomized_svd

from batches import Batches

WINDOW_LINES, WINDOW_TOKENS = 3, 96
MOST_COUNT, SMOOTHING, SHIFT = 3, 0.75, np.log(2.0)
ROW_PRIOR, COLUMN_PRIOR = 5, 1


def contexts(batches, mono_lines, rng):
    """Yield (context number, ids); numbers are dense and rise."""
    count, seen = 0, {}
    for left, right in batches.pairs.values():
        for i in range(len(left)):
            key = left[i].tobytes()
            if key not in seen:
                seen[key] = count
                yield count, left[i]
                count += 1
            yield seen[key], right[i]
    seen.clear()
    for shard in batches.mono.values():
        usable = len(shard) - WINDOW_LINES
        for i in np.sort(rng.choice(usable, size=min(mono_lines, usable), replace=False)):
            yield count, shard.tokens[shard.offsets[i]:shard.offsets[i + WINDOW_LINES]][:WINDOW_TOKENS]
            count += 1


def count_matrix(pairs, vocabulary):
    """Sub-word x context counts, capped at MOST_COUNT."""
    rows, columns = [], []
    for number, ids in pairs:
        rows.append(np.asarray(ids, dtype=np.int32))
        columns.append(np.full(len(ids), number, dtype=np.int32))
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    shape = (vocabulary, int(columns.max()) + 1)
    matrix = sparse.coo_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape).tocsr()
    matrix.data = np.minimum(matrix.data, MOST_COUNT)
    return matrix


def shifted_ppmi(matrix):
    total = matrix.sum()
    row = np.asarray(matrix.sum(1)).ravel() + ROW_PRIOR
    column = (np.asarray(matrix.sum(0)).ravel() + COLUMN_PRIOR) ** SMOOTHING
    column *= total / column.sum()
    entries = matrix.tocoo()
    entries.data = np.log(entries.data * total / (row[entries.row] * column[entries.col])) - SHIFT
    entries.data = np.maximum(0, entries.data).astype(np.float32)
    found = entries.tocsr()
    found.eliminate_zeros()
    return found


def vectors(matrix, size, seed):
    """Centred vectors [vocabulary, size]; frequent words' long rows are cut to the median length."""
    u, s, _ = randomized_svd(matrix, n_components=size, n_oversamples=16, n_iter=2, random_state=seed)
    e = u * s ** 0.5
    e -= e.mean(0)
    norm = np.linalg.norm(e, axis=1, keepdims=True)
    e *= np.minimum(1, norm / np.median(norm[norm > 0])) / np.maximum(norm, 1e-6)
    return e.astype(np.float32)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('shards', help='shard folder')
    p.add_argument('out', help='.npy for pretrain.py --vectors')
    p.add_argument('--size', type=int, default=256, help='hidden size of the encoder')
    p.add_argument('--mono-lines', type=int, default=60_000, help='windows a language')
    p.add_argument('--seed', type=int, default=0)
    a = p.parse_args()
    batches = Batches(a.shards, 8192, 128, 0.5)
    pairs = contexts(batches, a.mono_lines, np.random.default_rng(a.seed))
    matrix = shifted_ppmi(count_matrix(pairs, batches.meta['vocab_size']))
    print('matrix', matrix.shape, matrix.nnz, flush=True)
    np.save(a.out, vectors(matrix, a.size, a.seed))


if __name__ == '__main__':
    main()
