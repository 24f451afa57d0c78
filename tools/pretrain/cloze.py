"""Questions with a gap and contexts that hold what fills it, for pretrain.py --point.

After Splinter (Ram et al. 2021, arXiv 2101.00438): a rare run of sub-words that recurs in a passage is cut out of one
of its lines, and must be found in the others. Across languages the question is one side of a translation pair, and the
gap's linked words (links.py) must be found among sentences of the other side's language.
"""
import json
import os

import numpy as np

from batches import BOS, EOS, NO_LINK, Drawn

QUESTION, CONTEXT = 60, 180
# What is left of a question without its gap says nothing when it is shorter.
SHORTEST = 5
LONGEST_RUN = 8
# A sub-word is rare that is seen less often than this times the mean over the vocabulary.
RARE = 16
TRIES, CHOICES = 6, 4
# Sub-words of a language that are counted to know the rare ones.
SEEN = 2_000_000
SENTENCES = 6
WITHOUT_SPACES = ('ja', 'zh')


class Cloze:
    """Draws rows `<s> question </s></s> context </s>` from Batches, half of them across languages."""

    def __init__(self, batches, mask_id):
        self.batches, self.mask_id = batches, mask_id
        with open(os.path.join(batches.folder, 'tokenizer.json'), encoding='utf-8') as f:
            pieces = json.load(f)['model']['vocab']
        # Sub-words that go on with a word.
        self.inside = np.array([not piece.startswith('▁') and any(map(str.isalnum, piece)) for piece, _ in pieces])
        self.count = {lang: np.bincount(shard.tokens[:SEEN], minlength=len(pieces)) for lang, shard in batches.mono.items()}
        translated = {name: share for name, share in batches.pair_share.items() if len(set(name.split('-')[-2:])) == 2}
        self.pair_share = {name: share / sum(translated.values()) for name, share in translated.items()}

    def rows(self, rng):
        """About `lm_tokens` positions of rows, with their answers."""
        rows, answers = [], []
        for _ in range(max(1, self.batches.lm_tokens // (QUESTION + CONTEXT))):
            for _ in range(TRIES):
                made = self._within(rng) if not self.pair_share or rng.random() < 0.5 else self._across(rng)
                if made is not None:
                    question, context, places = made
                    first = len(question) + 3
                    answers.extend((len(rows), first, first + start, first + end) for start, end in places)
                    rows.append([BOS, *question, EOS, EOS, *context, EOS])
                    break
        return Drawn(rows, answers=np.array(answers, np.int64).reshape(-1, 4))

    def _rare(self, ids, places, lang, rng):
        """One of the `places` whose sub-words are rarest, or None where all are common."""
        count = self.count[lang]
        rarest = places[np.argsort(count[ids[places]], kind='stable')][:CHOICES]
        rarest = rarest[count[ids[rarest]] * len(count) < RARE * count.sum()]
        return int(rng.choice(rarest)) if len(rarest) else None

    def _word(self, ids, first, last, lang):
        """The run from place `first` to `last` of ids, stretched to whole words where there are spaces."""
        if lang not in WITHOUT_SPACES:
            while first > 0 and self.inside[ids[first]]:
                first -= 1
            while last + 1 < len(ids) and self.inside[ids[last + 1]]:
                last += 1
        return (first, last) if last - first < min(LONGEST_RUN, len(ids) - SHORTEST) else None

    def _gap(self, ids, first, last):
        return [*ids[:first].tolist(), self.mask_id, *ids[last + 1:].tolist()]

    def _within(self, rng):
        """(question, context, answers) from consecutive lines of one language."""
        lang = self.batches.choice(self.batches.mono_share, rng)
        shard, i = self.batches.mono[lang], self.batches.start(lang, rng)
        lines, size = [], 0
        while i < len(shard) and size < CONTEXT:
            lines.append(shard[i][:CONTEXT - size].astype(np.int64))
            size += len(lines[-1])
            i += 1
        if len(lines) < 2:
            return None
        asked = int(rng.integers(len(lines)))
        question, context = lines.pop(asked)[:QUESTION], np.concatenate(lines)
        place = self._rare(question, np.flatnonzero(np.isin(question, context)), lang, rng)
        run = None if place is None else self._word(question, place, place, lang)
        if run is None:
            return None
        wanted = question[run[0]:run[1] + 1]
        windows = np.lib.stride_tricks.sliding_window_view(context, len(wanted)) if len(context) >= len(wanted) else []
        found = [int(k) for k in np.flatnonzero((windows == wanted).all(1))] if len(windows) else []
        places = [(k, k + len(wanted) - 1) for k in found
                  if self._word(context, k, k + len(wanted) - 1, lang) == (k, k + len(wanted) - 1)]
        return (self._gap(question, *run), context.tolist(), places) if places else None

    def _across(self, rng):
        """(question, context, answers) from translation pairs of one language with English."""
        name = self.batches.choice(self.pair_share, rng)
        numbers = self.batches.pair_numbers(name, SENTENCES, rng)
        sides, runs = self._linked(name, numbers[0], rng)
        if runs is None:
            return None
        asked = int(rng.random() >= 0.5)
        told, rest = 1 - asked, self.batches.pairs[name][1 - asked]
        sentences, size = [sides[told]], len(sides[told])
        for number in numbers[1:]:
            if number != numbers[0] and size < CONTEXT:
                sentences.append(rest[number][:CONTEXT - size].astype(np.int64))
                size += len(sentences[-1])
        order = rng.permutation(len(sentences)).tolist()
        before = sum(len(sentences[k]) for k in order[:order.index(0)])
        context = np.concatenate([sentences[k] for k in order])
        return self._gap(sides[asked], *runs[asked]), context.tolist(), [tuple(before + place for place in runs[told])]

    def _linked(self, name, number, rng):
        """(both sides of a pair, the places of a rare word of the left one and of its partner on the right); None for the
        places where there is no such word."""
        left, right = self.batches.pairs[name]
        left_lang, right_lang = name.split('-')[-2:]
        sides = x, y = left[number][:QUESTION].astype(np.int64), right[number][:QUESTION].astype(np.int64)
        partner = self.batches.links[name][left.offsets[number]:][:len(x)]
        place = self._rare(x, np.flatnonzero(partner < len(y)), left_lang, rng)
        run = None if place is None else self._word(x, place, place, left_lang)
        if run is None:
            return sides, None
        linked = partner[run[0]:run[1] + 1]
        linked = linked[linked < len(y)]
        other = self._word(y, int(linked.min()), int(linked.max()), right_lang)
        return sides, other and (run, other)
