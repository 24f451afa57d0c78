#!/usr/bin/env python3
"""Linear probes of Hugging Face folders, the model left as it is; prints one row per probe and folder.

topics     SIB-200: logistic regression on English train vectors, accuracy in every language
           (mean-pooled, and first token, a decoder's last); the dev split is small, so the last 200 sentences of
           train are held out and join it
retrieval  SIB-200: English -> other, mean-pooled cosine, top 1 among the split's sentences
pos        UD-POS: logistic regression on English train token states, first sub-word, accuracy
           (dev: English dev and the last sentences of other treebanks; test: parallel PUD sets)
Choose on `--split dev`; report `--split test` once.
"""
import argparse
import gzip
import json
import os

import numpy as np
import sentencepiece as spm
import torch
import torch.nn.functional as F

import checkpoint
from batches import pack
from corpus import normalise
from model import BOS, EOS, PAD, pooled

POS_TRAIN, POS_TEST, POS_LAST = 800, 300, 150
HELD_OUT = 200
TOPIC_PENALTY, POS_PENALTY = 0.2, 1e-4
LONGEST = 126


class Prober:
    """Vectors of one checkpoint."""

    def __init__(self, folder, sp):
        self.net, self.sp = checkpoint.load_folder(folder).eval(), sp

    @torch.no_grad()
    def states(self, rows):
        """Hidden states of rows of ids, and the rows padded."""
        ids = pack(rows)
        return self.net(ids), ids

    def batches(self, rows, size=64):
        """(indices, states, padded ids) by rising length."""
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        for i in range(0, len(order), size):
            part = order[i:i + size]
            yield part, *self.states([rows[j] for j in part])

    def sentences(self, texts):
        """(mean-pooled, first- or in decoders last-token) vectors [n, hidden]."""
        rows = [[BOS] + self.sp.encode(normalise(t))[:LONGEST] + [EOS] for t in texts]
        mean = torch.empty(len(rows), self.net.hidden)
        one = torch.empty_like(mean)
        for part, x, ids in self.batches(rows):
            mean[part], one[part] = pooled(x, ids, self.net.causal)
        return mean, one

    def words(self, sentences):
        """State of every word's first sub-word, sentences in order, as one matrix."""
        rows, firsts = [], []
        for tokens in sentences:
            row, first = [BOS], []
            for token in tokens:
                ids = self.sp.encode(normalise(token)) or [3]
                first.append(len(row) if len(row) < LONGEST else -1)
                row.extend(ids)
            rows.append(row[:LONGEST] + [EOS])
            firsts.append([i for i in first if i >= 0])
        found = [None] * len(rows)
        for part, x, _ in self.batches(rows):
            for j, i in enumerate(part):
                found[i] = x[j, firsts[i]]
        return torch.cat(found), [len(f) for f in firsts]


class Regression:
    """Multinomial logistic regression on standardised inputs."""

    def __init__(self, x, labels, penalty):
        self.names = sorted(set(labels))
        y = torch.tensor([self.names.index(v) for v in labels])
        self.mean, self.scale = x.mean(0), x.std(0) + 1e-6
        x = (x - self.mean) / self.scale
        self.w = torch.zeros(x.shape[1], len(self.names), requires_grad=True)
        self.b = torch.zeros(len(self.names), requires_grad=True)
        solver = torch.optim.LBFGS([self.w, self.b], max_iter=200, line_search_fn='strong_wolfe')

        def closure():
            solver.zero_grad()
            loss = F.cross_entropy(x @ self.w + self.b, y) + penalty * (self.w ** 2).sum()
            loss.backward()
            return loss
        solver.step(closure)

    @torch.no_grad()
    def accuracy(self, x, labels):
        guess = (((x - self.mean) / self.scale) @ self.w + self.b).argmax(1).tolist()
        return 100 * float(np.mean([self.names[g] == label for g, label in zip(guess, labels)]))


def read_sib(folder, lang, split):
    """(texts, labels), sentences in the same order in every language."""
    with open(os.path.join(folder, 'sib200', lang, f'{split}.tsv'), encoding='utf-8') as f:
        header, *rows = [line.rstrip('\n').split('\t') for line in f]
    rows.sort(key=lambda r: int(r[header.index('index_id')]))
    return [r[header.index('text')] for r in rows], [r[header.index('category')] for r in rows]


def topic_splits(folder, lang, split):
    """((train texts, labels), (evaluation texts, labels)); see the head of this file for dev."""
    texts, labels = read_sib(folder, lang, 'train')
    more_texts, more_labels = read_sib(folder, lang, split)
    if split != 'dev':
        return (texts, labels), (more_texts, more_labels)
    return ((texts[:-HELD_OUT], labels[:-HELD_OUT]),
            (texts[-HELD_OUT:] + more_texts, labels[-HELD_OUT:] + more_labels))


def read_pos(path, most):
    """(token lists, tag lists) of the first `most` sentences, of the last where it is negative."""
    with gzip.open(path, 'rt', encoding='utf-8') as f:
        lines = f.readlines()
    rows = [json.loads(line) for line in (lines[:most] if most > 0 else lines[most:])]
    return [r['tokens'] for r in rows], [r['upos'] for r in rows]


def topics_and_retrieval(prober, data, langs, split, penalty):
    evaluation = {lang: topic_splits(data, lang, split)[1] for lang in langs}
    vectors = {lang: prober.sentences(texts) for lang, (texts, _) in evaluation.items()}
    (texts, labels), _ = topic_splits(data, 'en', split)
    result = {}
    for pool, train in zip(('topics', 'topics-one'), prober.sentences(texts)):
        probe = Regression(train, labels, penalty)
        which = 0 if pool == 'topics' else 1
        result[pool] = {lang: probe.accuracy(vectors[lang][which], evaluation[lang][1]) for lang in langs}
    unit = {lang: F.normalize(v[0], dim=-1) for lang, v in vectors.items()}
    target = torch.arange(len(unit['en']))
    result['retrieval'] = {
        lang: 100 * float(((unit['en'] @ unit[lang].t()).argmax(1) == target).float().mean())
        for lang in langs if lang != 'en'}
    return result


def pos(prober, data, langs, split):
    folder = os.path.join(data, 'ud-pos')

    def load(path, most):
        tokens, tags = read_pos(path, most)
        x, kept = prober.words(tokens)
        return x, [t for row, n in zip(tags, kept) for t in row[:n]]
    probe = Regression(*load(os.path.join(folder, 'en.train.jsonl.gz'), POS_TRAIN), POS_PENALTY)
    if split == 'dev':
        files = {lang: (os.path.join(folder, f'{lang}.test.jsonl.gz'), -POS_LAST) for lang in langs if lang != 'en'}
        files['en'] = os.path.join(folder, 'en.dev.jsonl.gz'), POS_TEST
    else:
        files = {lang: (os.path.join(folder, 'pud', f'{lang}.test.jsonl.gz'), POS_TEST) for lang in langs}
    return {lang: probe.accuracy(*load(*f)) for lang, f in files.items() if os.path.exists(f[0])}


def print_table(results, langs):
    """One row per probe and folder, languages as columns."""
    print(f'| probe | model | mean | {" | ".join(langs)} |\n|---|---|---{"|---" * len(langs)}|')
    for probe in next(iter(results.values())):
        for folder, result in results.items():
            each = [f'{result[probe][lang]:.1f}' if lang in result[probe] else '' for lang in langs]
            mean = np.mean(list(result[probe].values()))
            print(f'| {probe} | {os.path.basename(os.path.normpath(folder))} | **{mean:.1f}** | {" | ".join(each)} |')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('data', help='folder of evaluation sets')
    p.add_argument('tokenizer', help='sentencepiece.model')
    p.add_argument('folders', nargs='+', help='Hugging Face folders')
    p.add_argument('--split', choices=('dev', 'test'), default='dev')
    p.add_argument('--langs', nargs='+', default='ar de en es fi fr hi id it ja pt ru sw tr vi zh'.split())
    p.add_argument('--penalty', type=float, default=TOPIC_PENALTY, help='L2 weight of the topic probe')
    p.add_argument('--json', help='also write every figure here')
    p.add_argument('--threads', type=int, default=2)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    langs = [lang for lang in a.langs if os.path.isdir(os.path.join(a.data, 'sib200', lang))]
    sp, results = spm.SentencePieceProcessor(model_file=a.tokenizer), {}
    for folder in a.folders:
        prober = Prober(folder, sp)
        results[folder] = topics_and_retrieval(prober, a.data, langs, a.split, a.penalty)
        results[folder]['pos'] = pos(prober, a.data, langs, a.split)
    print_table(results, ['en', *(lang for lang in langs if lang != 'en')])
    if a.json:
        checkpoint.write_json(a.json, {'split': a.split, 'results': results})


if __name__ == '__main__':
    main()
