#!/usr/bin/env python3
"""Tokenise a text folder into shards that pretrain.py maps into memory.

OUT gets tokenizer.json, meta.json (sizes, sources, SHA-256 of every input) and, per language,
mono.<lang>.{bin,idx}; per pair file par.<name>.{a,b}.{bin,idx} and par.<name>.src.
`.bin` holds uint16 ids, `.idx` int32 offsets (lines + 1), `.src` one uint8 source number a row.
"""
import argparse
import json
import os
import shutil

import numpy as np
import sentencepiece as spm

import corpus

LONGEST = 510
BATCH = 20_000


class ShardWriter:
    """Appends tokenised lines to one `.bin`/`.idx` pair."""

    def __init__(self, sp, folder, name, threads):
        self.sp, self.threads = sp, threads
        self.path = os.path.join(folder, name)
        self.bin = open(self.path + '.bin', 'wb')
        self.offsets, self.pending = [0], []

    def add(self, text):
        self.pending.append(corpus.normalise(text) or '.')
        if len(self.pending) >= BATCH:
            self.flush()

    def flush(self):
        for ids in self.sp.encode(self.pending, out_type=int, num_threads=self.threads):
            ids = ids[:LONGEST]
            self.bin.write(np.array(ids, dtype=np.uint16).tobytes())
            self.offsets.append(self.offsets[-1] + len(ids))
        self.pending.clear()

    def close(self):
        """Write the index; returns {lines, tokens}."""
        self.flush()
        self.bin.close()
        np.array(self.offsets, dtype=np.int32).tofile(self.path + '.idx')
        return {'lines': len(self.offsets) - 1, 'tokens': self.offsets[-1]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('text', help='folder of pre-training text')
    p.add_argument('tokenizer', help='folder with sentencepiece.model and tokenizer.json')
    p.add_argument('out', help='shard folder')
    p.add_argument('--exclude', help='lines to leave out, from decontaminate.py')
    p.add_argument('--threads', type=int, default=2)
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    excludes = corpus.read_excludes(a.exclude)
    model = os.path.join(a.tokenizer, 'sentencepiece.model')
    sp = spm.SentencePieceProcessor(model_file=model)
    hashes, mono, parallel, sources = {}, {}, {}, []
    for lang, path in corpus.mono_files(a.text).items():
        name = corpus.relative_name(path)
        writer = ShardWriter(sp, a.out, f'mono.{lang}', a.threads)
        for _, text in corpus.mono_lines(path, excludes.get(name, ())):
            writer.add(text)
        mono[lang], hashes[name] = writer.close(), corpus.sha256(path)
        print(lang, mono[lang], flush=True)
    for pair, path in corpus.pair_files(a.text).items():
        name = corpus.relative_name(path)
        left = ShardWriter(sp, a.out, f'par.{pair}.a', a.threads)
        right = ShardWriter(sp, a.out, f'par.{pair}.b', a.threads)
        numbers = []
        for _, source, x, y in corpus.pair_lines(path, excludes.get(name, ())):
            left.add(x)
            right.add(y)
            if source not in sources:
                sources.append(source)
            numbers.append(sources.index(source))
        np.array(numbers, dtype=np.uint8).tofile(os.path.join(a.out, f'par.{pair}.src'))
        parallel[pair], hashes[name] = {'left': left.close(), 'right': right.close()}, corpus.sha256(path)
        print(pair, parallel[pair], flush=True)
    shutil.copy(os.path.join(a.tokenizer, 'tokenizer.json'), a.out)
    meta = {
        'vocab_size': sp.get_piece_size() + 1, 'mask_id': sp.get_piece_size(),
        'mono': mono, 'parallel': parallel, 'sources': sources, 'text_sha256': hashes,
        'tokenizer_sha256': corpus.sha256(model),
        'exclude_sha256': corpus.sha256(a.exclude) if a.exclude else None,
    }
    with open(os.path.join(a.out, 'meta.json'), 'w', encoding='utf-8') as f:
        json.dump(meta, f, indent=1)


if __name__ == '__main__':
    main()
