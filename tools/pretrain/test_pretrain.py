"""The whole recipe on a toy text folder: python3 -m unittest (from this folder)."""
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import torch

import checkpoint
import corpus
import decontaminate
from batches import NO_LINK, Batches, mask_ids, next_ids, pack
from cloze import Cloze
from decoder import Decoder
from model import BOS, EOS, PAD, Encoder, pooled
from muon import UPDATE_RMS, Muon
from pretrain import words_loss

HERE = os.path.dirname(os.path.abspath(__file__))
WORDS = {
    'en': 'the a red green dog cat house river sees likes finds old new big small'.split(),
    'de': 'der ein rot gruen hund katze haus fluss sieht mag findet alt neu gross klein'.split(),
}
VOCABULARY = 70
PLANTED = 'this exact evaluation sentence was planted in the training text by a careless hand today'


def run(script, *arguments):
    done = subprocess.run([sys.executable, os.path.join(HERE, script), *map(str, arguments)],
                          capture_output=True, text=True, env={**os.environ, 'OMP_NUM_THREADS': '1'})
    return done.returncode, done.stdout, done.stderr


def corpus_lines():
    rng = np.random.default_rng(0)
    picks = [rng.integers(0, 15, size=int(rng.integers(4, 12))) for _ in range(400)]
    return {lang: [' '.join(words[i] for i in row) for row in picks] for lang, words in WORDS.items()}


def write_corpus(folder):
    text = corpus_lines()
    os.makedirs(os.path.join(folder, 'parallel'))
    for lang, lines in text.items():
        with gzip.open(os.path.join(folder, f'{lang}.txt.gz'), 'wt', encoding='utf-8') as f:
            f.write('\n'.join([*lines, f'He said: {PLANTED}!', '']) + '\n')
    with gzip.open(os.path.join(folder, 'parallel', 'en-de.tsv.gz'), 'wt', encoding='utf-8') as f:
        for i, (x, y) in enumerate(zip(text['en'], text['de'])):
            f.write(f'{"news" if i % 4 == 0 else "manual"}\t{x}\t{y}\n')


class Recipe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        at = lambda *parts: os.path.join(cls.scratch.name, *parts)
        cls.at = staticmethod(at)
        write_corpus(at('text'))
        os.makedirs(at('data', 'set'))
        with open(at('data', 'set', 'en.test.jsonl'), 'w', encoding='utf-8') as f:
            f.write(json.dumps({'text': PLANTED.title(), 'intent': 'x'}) + '\n')
        cls.found = run('decontaminate.py', at('text'), at('data'), '--write', at('exclude.json'))
        for step in (('tokenizer.py', at('text'), at('tok'), '--vocabulary', VOCABULARY),
                     ('shards.py', at('text'), at('tok'), at('shards'), '--exclude', at('exclude.json')),
                     ('focus.py', at('shards'), '--sources', 'news', '--avoid', 'manual'),
                     ('embed_init.py', at('shards'), at('vectors.npy'), '--size', 16),
                     ('links.py', at('shards'), at('vectors.npy')),
                     ('teacher.py', at('shards'), '--size', 8)):
            code, _, errors = run(*step)
            assert code == 0, errors
        cls.common = [at('shards'), '--tokens', 256, '--length', 32, '--warmup', 2, '--span', 0.2,
                      '--focus', 0.5, '--long', 0.2, '--long-length', 64, '--lm-tokens', 128,
                      '--shape', 16, 2, 2, 32, '--negatives', 20, '--teach', 3, '--words', 1, '--point', 0.2, '--threads', 1]

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_decontamination_finds_the_planted_lines_and_then_none(self):
        code, table, _ = self.found
        self.assertEqual(code, 1)
        self.assertIn('| set | 1 | 0 | 0 | 2 |', table)
        again = run('decontaminate.py', self.at('text'), self.at('data'), '--exclude', self.at('exclude.json'))
        self.assertEqual(again[0], 0)

    def test_shards_hold_the_text_less_excluded_lines(self):
        import sentencepiece as spm
        sp = spm.SentencePieceProcessor(model_file=self.at('tok', 'sentencepiece.model'))
        batches = Batches(self.at('shards'), 256, 32, 0.5)
        lines = list(corpus.mono_lines(self.at('text', 'en.txt.gz')))
        self.assertEqual(len(batches.mono['en']), len(lines) - 1)
        self.assertEqual(sp.decode(batches.mono['en'][7].tolist()), lines[7][1])

    def test_batches_repeat_by_seed_and_fit(self):
        batches = Batches(self.at('shards'), 256, 32, 0.5, {'manual': 0.0}, 0.5, lm_tokens=128, long=64)
        for draw, count, length in ((batches.mono_rows, 4, 32), (batches.tlm_rows, 4, 32), (batches.long_rows, 2, 64)):
            rows = draw(np.random.default_rng(3)).rows
            self.assertEqual(rows, draw(np.random.default_rng(3)).rows)
            self.assertEqual(len(rows), count)
            self.assertTrue(all(r[0] == BOS and r[-1] == EOS and len(r) <= length for r in rows))
        drawn = batches.aligned_rows(np.random.default_rng(3))
        left, right = drawn.rows, drawn.others
        self.assertEqual(len(left), len(right))
        self.assertLessEqual((pack(left).numel() + pack(right).numel()), 256 * 1.2)
        news = {tuple(batches.pairs['en-de'][0][i].tolist()) for i in range(0, 400, 4)}
        self.assertTrue(all(tuple(r[1:-1]) in news for r in left))

    def test_topic_vectors_of_translations_agree(self):
        batches = Batches(self.at('shards'), 256, 32, 0.5, teach=True)
        left, right = batches.pairs['en-de']
        of = lambda lang, side: batches.topics_of([lang] * 100, [side[i] for i in range(100)])
        similar = of('en', left) @ of('de', right).t()
        self.assertGreater(float(similar.diag().mean()), float(similar.mean()) + 0.2)

    def test_links_join_the_words_that_translate_each_other(self):
        import sentencepiece as spm
        sp = spm.SentencePieceProcessor(model_file=self.at('tok', 'sentencepiece.model'))
        batches = Batches(self.at('shards'), 256, 32, 0.5, words=True)

        def word_numbers(row):
            return np.cumsum([0, *(sp.id_to_piece(int(i)).startswith('▁') for i in row[1:-1])])
        drawn = batches.aligned_rows(np.random.default_rng(3))
        left, right = ([word_numbers(row) for row in side] for side in (drawn.rows, drawn.others))
        same = [left[row][i] == right[row][j] for row, i, j in drawn.links.tolist()]
        self.assertGreater(len(same), 2 * len(drawn.rows))
        self.assertGreater(np.mean(same), 0.9)

    def test_what_fills_a_gap_is_in_its_context(self):
        import sentencepiece as spm
        sp = spm.SentencePieceProcessor(model_file=self.at('tok', 'sentencepiece.model'))
        mask = VOCABULARY - 1
        cloze = Cloze(Batches(self.at('shards'), 256, 32, 0.5, lm_tokens=48_000, words=True), mask)
        drawn = cloze.rows(np.random.default_rng(3))
        self.assertEqual(drawn.rows, cloze.rows(np.random.default_rng(3)).rows)
        lines = {line for lang in WORDS for line in corpus_lines()[lang]}
        other = dict(zip(WORDS['de'] + WORDS['en'], WORDS['en'] + WORDS['de']))
        filled = []
        for row, first, start, end in drawn.answers.tolist():
            question, answer = drawn.rows[row][1:first - 2], sp.decode(drawn.rows[row][start:end + 1])
            self.assertEqual((question.count(mask), drawn.rows[row][first - 2:first]), (1, [EOS, EOS]))
            gap = question.index(mask)
            before, after = sp.decode(question[:gap]), sp.decode(question[gap + 1:])
            translated = ' '.join(other.get(word, '') for word in answer.split())
            filled.append(any(f'{before} {words} {after}'.strip() in lines for words in (answer, translated)))
        self.assertGreater(len(drawn.rows), 100)
        self.assertGreater(np.mean(filled), 0.9)

    def test_pairs_of_one_language_are_not_linked(self):
        folder = self.at('definitions')
        os.makedirs(folder)
        for end in ('a.bin', 'a.idx', 'b.bin', 'b.idx'):
            shutil.copy(self.at('shards', f'par.en-de.{end}'), os.path.join(folder, f'par.en-en.{end}'))
        checkpoint.write_json(os.path.join(folder, 'meta.json'), {'parallel': {'en-en': {}}})
        code, _, errors = run('links.py', folder, self.at('vectors.npy'))
        self.assertEqual(code, 0, errors)
        links = np.fromfile(os.path.join(folder, 'par.en-en.links'), np.uint8)
        self.assertEqual(len(links), len(np.fromfile(os.path.join(folder, 'par.en-en.a.bin'), np.uint16)))
        self.assertTrue((links == NO_LINK).all())

    def test_masking_spares_specials(self):
        torch.manual_seed(0)
        ids = pack([[BOS, 9, 8, 7, 6, EOS], [BOS, 5, EOS]] * 200)
        masked, picked = mask_ids(ids, 0.5, VOCABULARY - 1, VOCABULARY)
        self.assertFalse(bool(picked[(ids == BOS) | (ids == EOS) | (ids == PAD)].any()))
        self.assertTrue(torch.equal(masked[~picked], ids[~picked]))
        self.assertAlmostEqual(float((masked[picked] == VOCABULARY - 1).float().mean()), 0.8, delta=0.06)

    def test_a_resumed_run_equals_an_uninterrupted_one(self):
        for model in ([], ['--causal'], ['--muon', '--float32']):
            whole, parts = (self.at(name + ''.join(model)) for name in ('whole', 'parts'))
            for folder, counts in ((whole, [8]), (parts, [5, 8])):
                for steps in counts:
                    code, _, errors = run('pretrain.py', *self.common, *model, '--out', folder, '--steps', steps)
                    self.assertEqual(code, 0, errors)
            self.assertEqual(corpus.sha256(os.path.join(whole, 'model.safetensors')),
                             corpus.sha256(os.path.join(parts, 'model.safetensors')))
            with open(os.path.join(parts, 'run.json'), encoding='utf-8') as f:
                self.assertEqual([c['settings']['steps'] for c in json.load(f)['calls']], [5, 8])

    def test_start_from_a_folder_and_export_in_half_precision(self):
        net = Encoder(VOCABULARY, 16, 2, 2, 32)
        checkpoint.save_folder(net, self.at('start'), self.at('tok', 'tokenizer.json'), 'F16')
        code, _, errors = run('pretrain.py', *self.common, '--out', self.at('from'),
                              '--from', self.at('start'), '--steps', 0)
        self.assertEqual(code, 0, errors)
        code, _, errors = run('export.py', self.at('from'), self.at('tok'), self.at('export'))
        self.assertEqual(code, 0, errors)
        self.assertEqual(corpus.sha256(self.at('start', 'model.safetensors')),
                         corpus.sha256(self.at('export', 'model.safetensors')))


    def test_an_average_lies_between_its_folders_and_tells_them(self):
        folders = [self.at(f'average{i}') for i in range(2)]
        nets = [Encoder(VOCABULARY, 16, 2, 2, 32) for _ in folders]
        for net, folder in zip(nets, folders):
            checkpoint.save_folder(net, folder, self.at('tok', 'tokenizer.json'))
            checkpoint.write_json(os.path.join(folder, 'run.json'), {'calls': [folder]})
        code, _, errors = run('average.py', *folders, '--out', self.at('average'))
        self.assertEqual(code, 0, errors)
        found = checkpoint.load_folder(self.at('average')).state_dict()
        for name, (a, b) in {k: (nets[0].state_dict()[k], nets[1].state_dict()[k]) for k in found}.items():
            self.assertTrue(torch.allclose(found[name], (a + b) / 2))
        with open(self.at('average', 'run.json'), encoding='utf-8') as f:
            kept = json.load(f)
        self.assertEqual(kept['calls'], [folders[1]])
        self.assertEqual([(each['name'], each['sha256']) for each in kept['average_of']],
                         [(os.path.basename(folder), corpus.sha256(os.path.join(folder, 'model.safetensors'))) for folder in folders])

    def test_a_decoder_starts_from_an_encoder(self):
        net = Encoder(VOCABULARY, 16, 2, 2, 32)
        checkpoint.save_folder(net, self.at('encoder'), self.at('tok', 'tokenizer.json'))
        code, _, errors = run('pretrain.py', *self.common, '--causal', '--out', self.at('decoder'),
                              '--from', self.at('encoder'), '--tile', 30, '--steps', 0)
        self.assertEqual(code, 0, errors)
        made = checkpoint.load_folder(self.at('decoder'))
        self.assertIsInstance(made, Decoder)
        self.assertTrue(torch.equal(made.layers[1].f1.weight, net.layers[1].f1.weight))
        self.assertTrue(torch.equal(made.word.weight, net.word.weight))


class Models(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.encoder, self.decoder = Encoder(VOCABULARY, 16, 2, 2, 32), Decoder(VOCABULARY, 16, 2, 2, 32)

    def test_only_the_decoder_is_blind_to_what_follows(self):
        ids = torch.tensor([[BOS, 9, 8, 7, EOS], [BOS, 9, 8, 6, EOS]])
        for net, blind in ((self.decoder, True), (self.encoder, False)):
            x = net(ids)
            self.assertEqual(torch.allclose(x[0, :3], x[1, :3], atol=1e-6), blind)

    def test_padding_changes_no_state_and_pooling_leaves_it_out(self):
        ids = torch.tensor([[BOS, 9, 8, EOS]])
        padded = torch.cat([ids, torch.full((1, 3), PAD)], 1)
        for net in (self.decoder, self.encoder):
            x, wide = net(ids), net(padded)
            self.assertTrue(torch.allclose(x, wide[:, :4], atol=1e-5))
            one = x[:, -1] if net.causal else x[:, 0]
            for given, row in ((x, ids), (wide, padded)):
                mean, found = pooled(given, row, net.causal)
                self.assertTrue(torch.allclose(mean, x.mean(1), atol=1e-5))
                self.assertTrue(torch.allclose(found, one, atol=1e-5))

    def test_each_position_of_a_decoder_predicts_the_next_id(self):
        target, picked = next_ids(pack([[BOS, 9, 8, EOS], [BOS, EOS]]))
        self.assertEqual(target[picked].tolist(), [9, 8, EOS, EOS])
        self.assertEqual(picked.sum(1).tolist(), [3, 1])

    def test_untrained_positions_repeat_the_trained_ones_without_that_of_bos(self):
        before = self.encoder.pos.weight.detach().clone()
        self.encoder.tile_positions(5)
        after = self.encoder.pos.weight
        self.assertTrue(torch.equal(after[:7], before[:7]))
        self.assertTrue(torch.equal(after[7:15], before[3:7].repeat(2, 1)))
        self.assertEqual(after.shape, before.shape)


class Words(unittest.TestCase):
    def test_linked_states_pay_for_rivals_and_for_a_shift_between_languages(self):
        torch.manual_seed(0)
        ids, places = torch.tensor([[BOS, 9, 8, 7, EOS, PAD]]), torch.arange(1, 4)
        x, shift = torch.randn(1, 6, 16), 4 * torch.ones(16)
        loss = lambda y: float(words_loss(x, y, ids, ids, torch.zeros_like(places), places, places))
        self.assertLess(loss(x), 1e-3)
        self.assertGreater(loss(x + shift), loss(x) + 0.1)
        self.assertGreater(loss(x[:, [0, 2, 1, 3, 4, 5]]), 1)
        specials = x.clone()
        specials[:, [0, 4, 5]] = x[:, [1, 2, 3]]
        self.assertAlmostEqual(loss(specials), loss(x), places=6)


class Updates(unittest.TestCase):
    def step_of(self, shape, gradient, **settings):
        p = torch.nn.Parameter(torch.ones(shape))
        p.grad = gradient
        Muon([p], lr=1.0, **settings).step()
        return p.detach() - 1

    def test_muon_moves_a_matrix_evenly_along_its_gradients_directions(self):
        torch.manual_seed(0)
        for shape in ((16, 48), (48, 16), (32, 32)):
            gradient = torch.randn(shape)
            update = -self.step_of(shape, gradient)
            u, _, v = torch.linalg.svd(gradient, full_matrices=False)
            cosine = (update * (u @ v)).sum() / update.norm() / (u @ v).norm()
            self.assertGreater(float(cosine), 0.97)
            self.assertAlmostEqual(float(update.square().mean().sqrt()) / UPDATE_RMS, 1, delta=0.3)

    def test_muon_does_not_depend_on_the_gradients_size_and_decays_weights_apart(self):
        gradient = torch.eye(8) + 0.1
        step = self.step_of((8, 8), gradient)
        self.assertTrue(torch.allclose(step, self.step_of((8, 8), gradient * 1e-3), atol=1e-2))
        decayed = self.step_of((8, 8), gradient, weight_decay=0.5)
        self.assertTrue(torch.allclose(decayed, step - 0.5, atol=1e-6))


class Units(unittest.TestCase):
    def test_words_keep_their_marks_and_characters_stand_alone(self):
        self.assertEqual(decontaminate.units('हिन्दी, भाषा!'), ['हिन्दी', 'भाषा'])
        self.assertEqual(decontaminate.units('東京2020 Café'), ['東', '京', '2020', 'café'])


if __name__ == '__main__':
    unittest.main()
