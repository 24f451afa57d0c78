#!/usr/bin/env python3
"""Pre-train an encoder or a decoder on shards: LM, translation LM, sentence alignment, next-span contrast, topics.

OUT gets a Hugging Face folder, state.pt (to resume), log.jsonl and run.json (settings, seeds,
hashes of data and start, tokens and time spent). The same command continues where it stopped;
every batch and mask depends on seed and step alone. While OUT/../PAUSE (`--pause`) exists the
run sleeps between steps. SIGTERM and SIGINT save and stop.
"""
import argparse
import json
import os
import signal
import time

import numpy as np
import torch
import torch.nn.functional as F

import checkpoint
import corpus
from batches import FIRST_PIECE, Batches, mask_ids, next_ids, pack
from cloze import Cloze
from decoder import Decoder
from model import PAD, Encoder, sentence_vectors
from muon import Muon

CONTRAST_SCALE = 20
LOG_EVERY = 25
PAUSE_SECONDS = 2


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('data', help='shard folder')
    p.add_argument('--out', required=True, help='run folder')
    start = p.add_argument_group('start')
    start.add_argument('--from', dest='start', help='Hugging Face folder to start from (fresh optimizer)')
    start.add_argument('--branch', help="another run's folder to start from, optimizer and all")
    start.add_argument('--causal', action='store_true',
                       help='a decoder; with --from, an encoder there is made into one')
    start.add_argument('--tile', type=int, metavar='POSITIONS',
                       help='copy the first rows of the position table over the rest, which are untrained')
    start.add_argument('--vectors', help='.npy of sub-word vectors from embed_init.py')
    start.add_argument('--shape', type=int, nargs=4, default=[256, 6, 4, 1024],
                       metavar=('HIDDEN', 'LAYERS', 'HEADS', 'FFN'))
    work = p.add_argument_group('steps')
    work.add_argument('--steps', type=int, default=10_000)
    work.add_argument('--tokens', type=int, default=8192, help='positions a step')
    work.add_argument('--lm-tokens', type=int, help='positions of an LM step, where --tokens is too many')
    work.add_argument('--length', type=int, default=128, help='positions a row')
    work.add_argument('--long-length', type=int, default=512, help='positions a row of long steps')
    work.add_argument('--mono', type=float, default=0.45, help='share of LM steps')
    work.add_argument('--long', type=float, default=0.0, help='share of LM steps over long rows')
    work.add_argument('--tlm', type=float, default=0.25, help='share of translation LM steps')
    work.add_argument('--align', type=float, default=0.3, help='share of alignment steps')
    work.add_argument('--span', type=float, default=0.0, help='share of next-span steps')
    work.add_argument('--point', type=float, default=0.0, help='share of steps that find what fills a gap; needs links.py')
    work.add_argument('--mask', type=float, default=0.2, help='masking rate of an encoder\'s LM steps')
    work.add_argument('--contrast-mask', type=float, default=0.15,
                      help='masking rate of one side of contrastive steps; adds LM there')
    work.add_argument('--teach', type=float, default=0.0, help='weight of the topic loss; needs teacher.py')
    work.add_argument('--words', type=float, default=0.0,
                      help='weight of the contrast of linked sub-words in alignment steps; needs links.py')
    work.add_argument('--negatives', type=int, default=3000, help='sampled softmax size; 0 for all')
    text = p.add_argument_group('text')
    text.add_argument('--alpha', type=float, default=0.5, help='language sampling exponent')
    text.add_argument('--focus', type=float, default=0.0, help='share of rows that start at listed lines')
    text.add_argument('--source-weight', nargs='*', default=[], metavar='SOURCE=FACTOR',
                      help='sampling factors of parallel sources')
    rate = p.add_argument_group('rate')
    rate.add_argument('--lr', type=float, default=1e-3)
    rate.add_argument('--muon', action='store_true', help='Muon for the matrices of the layers, AdamW for the rest')
    rate.add_argument('--wd', type=float, default=0.01)
    rate.add_argument('--warmup', type=int, default=400, help='steps')
    rate.add_argument('--decay', type=int, default=0, help='steps of linear decay at the end')
    rate.add_argument('--decay-minutes', type=float, default=0,
                      help='decay linearly over this wall time from the start of this call, then stop')
    run = p.add_argument_group('run')
    run.add_argument('--seed', type=int, default=1)
    run.add_argument('--threads', type=int, default=2)
    run.add_argument('--float32', action='store_true', help='multiply in float32, which some CPUs do faster than in bfloat16')
    run.add_argument('--save-minutes', type=float, default=5)
    run.add_argument('--pause', help='sleep while this file exists; OUT/../PAUSE by default')
    return p.parse_args()


def words_loss(x, y, a, b, row, i, j):
    """Mean cross-entropy of finding a sub-word's partner among its row and the translation of that row.

    x, y are the states [rows, length, hidden] of the ids a, b; place i of a row is linked with place j of its
    translation. The row's own sub-words are rivals too, so a state must be closer to its translation than to its
    neighbours: languages cannot drift apart by a constant.
    """
    x, y = F.normalize(x.float(), dim=-1), F.normalize(y.float(), dim=-1)
    across = (x @ y.transpose(1, 2))[row, i].masked_fill(b[row] < FIRST_PIECE, -1)
    within = (x @ x.transpose(1, 2))[row, i].masked_fill(a[row] < FIRST_PIECE, -1).scatter(1, i.unsqueeze(1), -1)
    return F.cross_entropy(torch.cat([across, within], dim=1) * CONTRAST_SCALE, j)


class Trainer:
    """Model, optimizer, counters, and one method per kind of step."""

    def __init__(self, a):
        self.a = a
        self.device = 'cuda' if torch.cuda.is_available() else 'cpu'
        factors = {k: float(v) for k, v in (w.split('=') for w in a.source_weight)}
        self.batches = Batches(a.data, a.tokens, a.length, a.alpha, factors, a.focus, a.teach > 0,
                               a.lm_tokens, a.long_length, a.words > 0 or a.point > 0)
        meta = self.batches.meta
        self.vocabulary, self.mask_id = meta['vocab_size'], meta['mask_id']
        self.draw = {'mono': self.batches.mono_rows, 'tlm': self.batches.tlm_rows,
                     'align': self.batches.aligned_rows, 'span': self.batches.span_rows,
                     'long': self.batches.long_rows}
        if a.point:
            self.draw['point'] = Cloze(self.batches, self.mask_id).rows
        self.weight = {'topic': a.teach, 'words': a.words}
        self.unigram = self.batches.unigram().to(self.device)
        self.step, self.seen, self.seconds = 0, {}, 0.0
        torch.manual_seed(a.seed)
        self.net = self._start().to(self.device)
        self.topic_heads = torch.nn.ModuleList(
            torch.nn.Linear(self.net.hidden, self.batches.topic_size) for _ in range(2 if a.teach else 0)).to(self.device)
        self.answer_head = torch.nn.Linear(self.net.hidden, 2).to(self.device)
        self.optimizers = self._optimizers()
        self.state_path = os.path.join(a.out, 'state.pt')
        for folder in (a.out, a.branch):
            if folder and os.path.exists(os.path.join(folder, 'state.pt')):
                self._restore(os.path.join(folder, 'state.pt'))
                if a.tile and folder != a.out:
                    self.net.tile_positions(a.tile)
                break

    def _start(self):
        if self.a.start:
            net = checkpoint.load_folder(self.a.start)
            if self.a.tile:
                net.tile_positions(self.a.tile)
            return Decoder.from_encoder(net) if self.a.causal and not net.causal else net
        net = (Decoder if self.a.causal else Encoder)(self.vocabulary, *self.a.shape)
        if self.a.vectors:
            e = torch.from_numpy(np.load(self.a.vectors))
            net.word.weight.data.copy_(e / e.std() * 0.04 + torch.randn_like(e) * 0.005)
        return net

    def _optimizers(self):
        a, parameters = self.a, [*self.net.parameters(), *self.topic_heads.parameters(), *self.answer_head.parameters()]
        inner = [q for q in self.net.layers.parameters() if q.dim() > 1] if a.muon else []
        known = set(inner)
        matrices = [q for q in parameters if q.dim() > 1 and q not in known]
        vectors = [q for q in parameters if q.dim() <= 1]
        adamw = torch.optim.AdamW(
            [{'params': matrices, 'weight_decay': a.wd}, {'params': vectors, 'weight_decay': 0}],
            lr=a.lr, betas=(0.9, 0.98), eps=1e-6)
        return [adamw, Muon(inner, a.lr, weight_decay=a.wd)] if a.muon else [adamw]

    def _restore(self, path):
        state = torch.load(path, map_location=self.device)
        self.net.load_state_dict(state['net'])
        self.topic_heads.load_state_dict(state['topic_heads'])
        self.answer_head.load_state_dict(state['answer_head'])
        for optimizer, kept in zip(self.optimizers, state['optimizers']):
            optimizer.load_state_dict(kept)
        self.step, self.seen, self.seconds = state['step'], state['seen'], state['seconds']

    def save(self):
        state = {'net': self.net.state_dict(), 'topic_heads': self.topic_heads.state_dict(),
                 'answer_head': self.answer_head.state_dict(),
                 'optimizers': [optimizer.state_dict() for optimizer in self.optimizers],
                 'step': self.step, 'seen': self.seen, 'seconds': self.seconds}
        checkpoint.replace_file(self.state_path, lambda f: torch.save(state, f))
        checkpoint.save_folder(self.net, self.a.out, os.path.join(self.a.data, 'tokenizer.json'))

    def lm_loss(self, ids, rate):
        """(loss, hidden states): an encoder's of masked positions of `ids`, a decoder's of every next id."""
        if self.net.causal:
            given, (target, picked) = ids, next_ids(ids)
        else:
            (given, picked), target = mask_ids(ids, rate, self.mask_id, self.vocabulary), ids
        x = self.net(given.to(self.device))
        picked, target = picked.to(self.device), target.to(self.device)
        return self.net.word_loss(x[picked], target[picked], self.unigram, self.a.negatives), x

    def topic_loss(self, vectors, topics):
        """Mean cosine distance of the two sentence vectors, linearly mapped, from the topic vectors."""
        return sum(1 - F.cosine_similarity(head(v).float(), topics).mean() for head, v in zip(self.topic_heads, vectors)) / 2

    def contrast_losses(self, drawn):
        """Losses of paired rows: in-batch contrast, and LM of the second side, which an encoder sees masked."""
        a, b = pack(drawn.rows), pack(drawn.others)
        lm, y = self.lm_loss(b, self.a.contrast_mask)
        a, b = a.to(self.device), b.to(self.device)
        x = self.net(a)
        target, contrast = torch.arange(len(a), device=self.device), 0.0
        ours, theirs = sentence_vectors(x, a, self.net.causal), sentence_vectors(y, b, self.net.causal)
        for u, v in zip(ours, theirs):
            similarity = u @ v.t() * CONTRAST_SCALE
            contrast = contrast + (F.cross_entropy(similarity, target) + F.cross_entropy(similarity.t(), target)) / 4
        losses = {'contrast': contrast, 'lm': lm}
        if drawn.topics is not None:
            topics = drawn.topics.to(self.device)
            losses['topic'] = (self.topic_loss(ours, topics) + self.topic_loss(theirs, topics)) / 2
        if drawn.links is not None and len(drawn.links):
            row, i, j = drawn.links.to(self.device).t()
            losses['words'] = (words_loss(x, y, a, b, row, i, j) + words_loss(y, x, b, a, row, j, i)) / 2
        return losses, int(a.ne(PAD).sum() + b.ne(PAD).sum())

    def lm_losses(self, drawn):
        """LM, and topics where the rows have them."""
        ids = pack(drawn.rows)
        lm, x = self.lm_loss(ids, self.a.mask)
        losses = {'lm': lm}
        if drawn.topics is not None:
            vectors = sentence_vectors(x, ids.to(self.device), self.net.causal)
            losses['topic'] = self.topic_loss(vectors, drawn.topics.to(self.device))
        return losses, int(ids.ne(PAD).sum())

    def answer_losses(self, drawn):
        """Minus the log of the chance that a linear head gives to the first, and to the last, places of all answers."""
        ids, answers = pack(drawn.rows), torch.from_numpy(drawn.answers)
        begin = torch.zeros(len(ids), dtype=torch.long).index_copy(0, answers[:, 0], answers[:, 1])
        outside = (torch.arange(ids.shape[1]) < begin[:, None]) | ids.eq(PAD)
        right = torch.zeros(2, *ids.shape, dtype=torch.bool)
        for end in range(2):
            right[end, answers[:, 0], answers[:, 2 + end]] = True
        scores = self.answer_head(self.net(ids.to(self.device))).float().permute(2, 0, 1)
        chances = scores.masked_fill(outside.to(self.device), -1e4).log_softmax(-1)
        chances = chances.masked_fill(~right.to(self.device), -1e4).logsumexp(-1)
        return {'answer': -chances.mean()}, int(ids.ne(PAD).sum())

    def losses(self, drawn):
        if drawn.answers is not None:
            return self.answer_losses(drawn)
        return self.lm_losses(drawn) if drawn.others is None else self.contrast_losses(drawn)

    def train_step(self, rate):
        """One optimizer step; returns {name: loss}."""
        rng = np.random.default_rng((self.a.seed, self.step))
        torch.manual_seed(self.a.seed * 1_000_003 + self.step)
        kinds = list(self.draw)
        shares = np.array([getattr(self.a, k) for k in kinds])
        kind = kinds[rng.choice(len(kinds), p=shares / shares.sum())]
        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        for group in groups:
            group['lr'] = rate
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=not self.a.float32):
            drawn = self.draw[kind](rng)
            losses, count = self.losses(drawn)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        sum(loss * self.weight.get(name, 1.0) for name, loss in losses.items()).backward()
        torch.nn.utils.clip_grad_norm_([q for g in groups for q in g['params']], 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self.seen[kind] = self.seen.get(kind, 0) + count
        return {f'{kind}_{name}': float(loss) for name, loss in losses.items()}


def rate_at(a, step, minutes):
    """Warm-up, constant, then linear to zero by steps or by wall time."""
    rate = a.lr * min(1.0, (step + 1) / max(1, a.warmup))
    if a.decay:
        rate *= min(1.0, (a.steps - step) / a.decay)
    if a.decay_minutes:
        rate *= max(0.0, 1 - minutes / a.decay_minutes)
    return rate


def record(a, trainer, began):
    """Write run.json: the calls before this one, those of the run it started from included, and this."""
    path = os.path.join(a.out, 'run.json')
    calls = []
    for folder in filter(None, (a.out, a.branch, a.start)):
        known = os.path.join(folder, 'run.json')
        if os.path.exists(known):
            with open(known, encoding='utf-8') as f:
                calls = json.load(f)['calls']
            break
    calls = [c for c in calls if c['began'] != began]
    calls.append({'began': began, 'settings': vars(a), 'steps': trainer.step, 'tokens': trainer.seen,
                  'seconds': round(trainer.seconds)})
    weights = os.path.join(a.start, 'model.safetensors') if a.start else None
    checkpoint.write_json(path, {
        'calls': calls, 'torch': torch.__version__, 'device': trainer.device,
        'start_sha256': corpus.sha256(weights) if weights else None,
        'data': {k: trainer.batches.meta[k] for k in ('text_sha256', 'tokenizer_sha256', 'exclude_sha256', 'mono')},
    })


class Stop:
    """Set by SIGTERM or SIGINT."""

    def __init__(self):
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, *_):
        self.asked = True


def main():
    a = arguments()
    os.makedirs(a.out, exist_ok=True)
    torch.set_num_threads(a.threads)
    trainer, stop = Trainer(a), Stop()
    pause = a.pause or os.path.join(os.path.dirname(os.path.abspath(a.out)), 'PAUSE')
    began, clock = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()), time.monotonic
    start = saved = clock()
    sums, worked, tokens = {}, 0.0, sum(trainer.seen.values())
    log = open(os.path.join(a.out, 'log.jsonl'), 'a', encoding='utf-8')
    while trainer.step < a.steps and not stop.asked:
        if os.path.exists(pause):
            time.sleep(PAUSE_SECONDS)
            continue
        minutes = (clock() - start) / 60
        if a.decay_minutes and minutes >= a.decay_minutes:
            break
        before, rate = clock(), rate_at(a, trainer.step, minutes)
        for name, loss in trainer.train_step(rate).items():
            sums.setdefault(name, []).append(loss)
        worked += clock() - before
        trainer.seconds += clock() - before
        if trainer.step % LOG_EVERY == 0:
            total = sum(trainer.seen.values())
            line = {'step': trainer.step, 'Mtok': round(total / 1e6, 2), 'tok_s': round((total - tokens) / worked),
                    'rate': round(rate, 7), **{k: round(sum(v) / len(v), 3) for k, v in sorted(sums.items())}}
            log.write(json.dumps(line) + '\n')
            log.flush()
            sums, worked, tokens = {}, 0.0, total
        if clock() - saved > a.save_minutes * 60:
            trainer.save()
            record(a, trainer, began)
            saved = clock()
    trainer.save()
    record(a, trainer, began)


if __name__ == '__main__':
    main()
