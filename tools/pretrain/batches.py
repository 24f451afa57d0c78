"""Token shards and the batches drawn from them.

Every batch depends on the generator given and nothing else, so a step is repeatable by its seed.
A batch holds about `tokens` positions, padding included.
"""
import dataclasses
import json
import os

import numpy as np
import torch
import torch.nn.functional as F

from model import BOS, EOS, PAD

FIRST_PIECE = 4
ALIGN_CAP = 62
ALIGN_ROWS = 384
SPAN_CAP = 62
NO_LINK = 255


class Shard:
    """Lines of token ids, mapped from disk."""

    def __init__(self, folder, name):
        path = os.path.join(folder, name)
        self.tokens = np.memmap(path + '.bin', dtype=np.uint16, mode='r')
        self.offsets = np.memmap(path + '.idx', dtype=np.int32, mode='r')

    def __len__(self):
        return len(self.offsets) - 1

    def __getitem__(self, i):
        return self.tokens[self.offsets[i]:self.offsets[i + 1]]


@dataclasses.dataclass
class Drawn:
    """Rows of ids; `others` are their partners in contrastive batches, `topics` unit vectors [rows, size],
    `links` the linked places of rows and partners, [links, 3] of row number and both places; `answers` of questions,
    [answers, 4] of row number, start of the context, first and last place of an answer."""

    rows: list
    others: list = None
    topics: torch.Tensor = None
    links: torch.Tensor = None
    answers: np.ndarray = None


def power_shares(sizes, alpha):
    """{name: probability}, sizes flattened by the exponent `alpha`."""
    weights = np.array(list(sizes.values()), dtype=np.float64)
    weights = (weights / weights.sum()) ** alpha
    return dict(zip(sizes, weights / weights.sum()))


def pack(rows):
    """Rows of ids -> [rows, longest] int64, padded."""
    out = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for i, row in enumerate(rows):
        out[i, :len(row)] = row
    return torch.from_numpy(out)


def mask_ids(ids, rate, mask_id, vocabulary):
    """BERT's 80/10/10 masking; returns (input ids, positions to predict). Uses torch's generator."""
    picked = (ids >= FIRST_PIECE) & (torch.rand(ids.shape) < rate)
    kind, masked = torch.rand(ids.shape), ids.clone()
    masked[picked & (kind < 0.8)] = mask_id
    random = picked & (kind >= 0.9)
    masked[random] = torch.randint(FIRST_PIECE, vocabulary - 1, (int(random.sum()),))
    return masked, picked


def next_ids(ids):
    """(the id after each position, positions that have one); the same shape as `ids`."""
    following = torch.full_like(ids, PAD)
    following[:, :-1] = ids[:, 1:]
    return following, following.ne(PAD)


class Batches:
    """Draws batches from a shard folder.

    tokens, length: positions of a batch and of a row; lm_tokens, long: those of LM batches and long rows.
    alpha: language sampling exponent. source_weight: {source: factor} for parallel pairs.
    focus: share of monolingual rows that start at a line listed in mono.<lang>.focus (focus.py).
    teach: give topic vectors from teacher.<lang>.npy (teacher.py) with the rows.
    words: give the links of par.<name>.links (links.py) with aligned rows.
    """

    def __init__(self, folder, tokens, length, alpha, source_weight=None, focus=0.0, teach=False,
                 lm_tokens=None, long=512, words=False):
        with open(os.path.join(folder, 'meta.json'), encoding='utf-8') as f:
            self.meta = json.load(f)
        self.folder, self.tokens, self.length = folder, tokens, length
        self.lm_tokens, self.long = lm_tokens or tokens, long
        self.mono = {lang: Shard(folder, f'mono.{lang}') for lang in self.meta['mono']}
        self.mono_share = power_shares({k: len(s.tokens) for k, s in self.mono.items()}, alpha)
        self.focus_share = focus
        self.focus = {lang: self.numbers_of(f'mono.{lang}.focus', np.int32) for lang in self.mono} if focus else {}
        self.teacher = {lang: self._table(lang) for lang in self.mono} if teach else {}
        self.pairs, self.pair_chance, sizes = {}, {}, {}
        for name in self.meta['parallel']:
            self.pairs[name] = Shard(folder, f'par.{name}.a'), Shard(folder, f'par.{name}.b')
            weights = self._pair_weights(name, source_weight or {})
            sizes[name] = weights.sum()
            self.pair_chance[name] = np.cumsum(weights / weights.sum())
        self.pair_share = power_shares(sizes, alpha) if sizes else {}
        self.links = {name: self.numbers_of(f'par.{name}.links', np.uint8) for name in self.pairs} if words else {}

    def numbers_of(self, name, dtype):
        return np.fromfile(os.path.join(self.folder, name), dtype=dtype)

    def _table(self, lang):
        return np.load(os.path.join(self.folder, f'teacher.{lang}.npy'), mmap_mode='r')

    def topics_of(self, langs, rows):
        """Unit topic vectors [rows, size] of rows of ids, or None without a teacher."""
        if not self.teacher:
            return None
        vectors = [self.teacher[lang][row].astype(np.float32).sum(0) for lang, row in zip(langs, rows)]
        return F.normalize(torch.from_numpy(np.stack(vectors)), dim=-1)

    @property
    def topic_size(self):
        return next(iter(self.teacher.values())).shape[1]

    def _pair_weights(self, name, source_weight):
        sources = self.numbers_of(f'par.{name}.src', np.uint8)
        factors = np.array([source_weight.get(s, 1.0) for s in self.meta['sources']])
        return factors[sources]

    def unigram(self, most=2_000_000):
        """Sub-word frequencies under language sampling, to the power 0.75; specials never."""
        counts = np.ones(self.meta['vocab_size'])
        for lang, shard in self.mono.items():
            head = np.bincount(shard.tokens[:most], minlength=len(counts))
            counts += head / head.sum() * self.mono_share[lang] * 1e7
        counts = counts ** 0.75
        counts[:FIRST_PIECE] = 0
        return torch.from_numpy(counts).float()

    def choice(self, shares, rng):
        return list(shares)[rng.choice(len(shares), p=list(shares.values()))]

    def start(self, lang, rng):
        starts = self.focus.get(lang)
        if starts is not None and len(starts) and rng.random() < self.focus_share:
            return int(starts[rng.integers(len(starts))])
        return int(rng.integers(len(self.mono[lang])))

    def mono_rows(self, rng):
        """Consecutive lines of one language a row, joined by </s>, at most `length` ids."""
        return self._consecutive(self.length, rng)

    def long_rows(self, rng):
        """As mono_rows, at most `long` ids: without them the later positions stay untrained."""
        return self._consecutive(self.long, rng)

    def _consecutive(self, length, rng):
        rows, langs = [], []
        for _ in range(max(1, self.lm_tokens // length)):
            lang = self.choice(self.mono_share, rng)
            shard, i, row = self.mono[lang], self.start(lang, rng), [BOS]
            while len(row) < length - 8 and i < len(shard):
                row.extend(shard[i][:length - 1 - len(row)].tolist())
                row.append(EOS)
                i += 1
            rows.append(row)
            langs.append(lang)
        return Drawn(rows, topics=self.topics_of(langs, rows))

    def pair_numbers(self, name, count, rng):
        return np.searchsorted(self.pair_chance[name], rng.random(count), side='right')

    def tlm_rows(self, rng):
        """Translation pairs, either side first, as many whole pairs of one language a row as fit."""
        cap, rows = self.length // 2 - 2, []
        for _ in range(max(1, self.lm_tokens // self.length)):
            name, row = self.choice(self.pair_share, rng), [BOS]
            left, right = self.pairs[name]
            for i in self.pair_numbers(name, 8, rng):
                x, y = left[i][:cap].tolist(), right[i][:cap].tolist()
                if rng.random() < 0.5:
                    x, y = y, x
                if len(row) > 1 and len(row) + len(x) + len(y) + 3 > self.length:
                    break
                row += x + [EOS, EOS] + y + [EOS]
            rows.append(row)
        return Drawn(rows)

    def aligned_rows(self, rng):
        """Rows and their translations, of one language pair and similar length, so little is padding."""
        name = self.choice(self.pair_share, rng)
        left, right = self.pairs[name]
        numbers = np.unique(self.pair_numbers(name, 4 * ALIGN_ROWS, rng))
        both = [(left[i][:ALIGN_CAP].tolist(), right[i][:ALIGN_CAP].tolist(), i) for i in numbers]
        both = [(x, y, i) for x, y, i in both if x and y and x != y]
        both.sort(key=lambda xyi: max(map(len, xyi[:2])))
        end = int(rng.integers(len(both) // 8, len(both) + 1))
        width = 2 + max(map(len, both[end - 1][:2]))
        chosen = both[max(0, end - min(ALIGN_ROWS, self.tokens // (2 * width))):end]
        topics = self.topics_of([name.split('-')[-2]] * len(chosen), [x for x, _, _ in chosen])
        return Drawn([[BOS] + x + [EOS] for x, _, _ in chosen], [[BOS] + y + [EOS] for _, y, _ in chosen], topics,
                     self._links_of(name, chosen))

    def _links_of(self, name, chosen):
        """Places count from the <s> of a row."""
        if not self.links:
            return None
        out, offsets = [], self.pairs[name][0].offsets
        for row, (x, y, i) in enumerate(chosen):
            partner = self.links[name][offsets[i]:offsets[i] + len(x)]
            place = np.flatnonzero(partner < len(y))
            out.append(np.stack([np.full(len(place), row), place + 1, partner[place] + 1], axis=1))
        return torch.from_numpy(np.concatenate(out).astype(np.int64))

    def span_rows(self, rng):
        """Spans and the spans that follow them, of one language: neighbours share their topic."""
        lang = self.choice(self.mono_share, rng)
        shard, first, second = self.mono[lang], [], []
        for _ in range(self.tokens // (2 * (SPAN_CAP + 2))):
            i, spans = self.start(lang, rng), []
            for _ in range(2):
                span = [BOS]
                while len(span) < SPAN_CAP // 2 and i < len(shard):
                    span.extend(shard[i][:SPAN_CAP - len(span)].tolist())
                    span.append(EOS)
                    i += 1
                spans.append(span)
            if min(map(len, spans)) > 4:
                first.append(spans[0])
                second.append(spans[1])
        return Drawn(first, second, self.topics_of([lang] * len(first), [x + y for x, y in zip(first, second)]))
