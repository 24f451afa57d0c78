#!/usr/bin/env python3
"""Masked LM of encoders by position: mean loss over the whole vocabulary and accuracy, in short and in long rows.

The rows are drawn from the shards, so this is training text: it compares what models do at late
positions, not how well they do.
"""
import argparse

import numpy as np
import torch
import torch.nn.functional as F

import checkpoint
from batches import Batches, mask_ids, pack

RATE = 0.15
CUT = 128


@torch.no_grad()
def scores(net, masked, picked, ids):
    """(losses, hits) of the picked positions."""
    x = net(masked)[picked]
    logits = net.dln(F.gelu(net.d(x))) @ net.word.weight.t() + net.b
    return F.cross_entropy(logits, ids[picked], reduction='none'), logits.argmax(1).eq(ids[picked]).float()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('shards', help='shard folder')
    p.add_argument('folders', nargs='+', help='Hugging Face folders of encoders')
    p.add_argument('--batches', type=int, default=5)
    a = p.parse_args()
    batches, found = Batches(a.shards, 8192, CUT, 0.4), {}
    mask_id, vocabulary = batches.meta['mask_id'], batches.meta['vocab_size']
    for folder in a.folders:
        net = checkpoint.load_folder(folder).eval()
        for step in range(a.batches):
            rng = np.random.default_rng((99, step))
            for rows, draw in ((CUT, batches.mono_rows), (batches.long, batches.long_rows)):
                ids = pack(draw(rng).rows)
                torch.manual_seed(step)
                masked, picked = mask_ids(ids, RATE, mask_id, vocabulary)
                losses, hits = scores(net, masked, picked, ids)
                late = picked.nonzero()[:, 1] >= CUT
                for name, part in (('early', ~late), ('late', late)):
                    if part.any():
                        found.setdefault((folder, rows, name), []).append((losses[part], hits[part]))
    print('| model | rows of | positions | masked words | loss | accuracy, % |\n|---|---|---|---|---|---|')
    for (folder, rows, name), parts in found.items():
        losses, hits = (torch.cat(column) for column in zip(*parts))
        where = f'below {CUT}' if name == 'early' else f'from {CUT}'
        print(f'| {folder} | {rows} | {where} | {len(losses)} | {losses.mean():.2f} | {100 * hits.mean():.1f} |')


if __name__ == '__main__':
    main()
