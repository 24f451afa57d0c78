#!/usr/bin/env python3
"""Train a Unigram tokenizer and write it as `sentencepiece.model` and `tokenizer.json`.

Both give the same ids: <s> 0, <pad> 1, </s> 2, <unk> 3, pieces, <mask> last (XLM-R's layout).
"""
import argparse
import json
import os
import random

import sentencepiece as spm

import corpus

SAMPLE_BYTES = 60e6
LONGEST_LINE = 2000


def write_sample(text_folder, path, excludes, seed):
    """Draw training lines, languages in proportion to the square root of their size."""
    files = corpus.mono_files(text_folder)
    size = {lang: sum(len(text.encode()) for _, text in corpus.mono_lines(f)) for lang, f in files.items()}
    total = sum(s ** 0.5 for s in size.values())
    rng = random.Random(seed)
    with open(path, 'w', encoding='utf-8') as out:
        for lang, f in files.items():
            keep = min(1.0, SAMPLE_BYTES * size[lang] ** 0.5 / total / size[lang])
            for _, text in corpus.mono_lines(f, excludes.get(corpus.relative_name(f), ())):
                if rng.random() < keep:
                    out.write(corpus.normalise(text)[:LONGEST_LINE] + '\n')


def train(sample, prefix, vocabulary, threads):
    """Train sentencepiece; `vocabulary` counts the mask token, which sentencepiece does not know."""
    spm.SentencePieceTrainer.train(
        input=sample, model_prefix=prefix, vocab_size=vocabulary - 1, model_type='unigram',
        character_coverage=0.9997, normalization_rule_name='identity',
        remove_extra_whitespaces=True, add_dummy_prefix=True,
        bos_id=0, pad_id=1, eos_id=2, unk_id=3,
        bos_piece='<s>', pad_piece='<pad>', eos_piece='</s>', unk_piece='<unk>',
        num_threads=threads, input_sentence_size=600_000, shuffle_input_sentence=True,
        max_sentence_length=8000)


def hugging_face_json(sp):
    """The `tokenizer.json` value equal to a sentencepiece processor."""
    mask = sp.get_piece_size()
    pieces = [[sp.id_to_piece(i), 0.0 if i < 4 else sp.get_score(i)] for i in range(mask)]
    pieces.append(['<mask>', 0.0])
    specials = ((0, '<s>'), (1, '<pad>'), (2, '</s>'), (3, '<unk>'), (mask, '<mask>'))
    metaspace = {'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'always', 'split': True}
    special = lambda token: {'SpecialToken': {'id': token, 'type_id': 0}}
    sequence = lambda name: {'Sequence': {'id': name, 'type_id': 0}}
    return {
        'version': '1.0', 'truncation': None, 'padding': None,
        'added_tokens': [
            {'id': i, 'content': token, 'single_word': False, 'lstrip': token == '<mask>',
             'rstrip': False, 'normalized': False, 'special': True} for i, token in specials],
        'normalizer': {'type': 'NFKC'},
        'pre_tokenizer': {'type': 'Sequence', 'pretokenizers': [{'type': 'WhitespaceSplit'}, metaspace]},
        'post_processor': {
            'type': 'TemplateProcessing',
            'single': [special('<s>'), sequence('A'), special('</s>')],
            'pair': [special('<s>'), sequence('A'), special('</s>'), special('</s>'), sequence('B'), special('</s>')],
            'special_tokens': {t: {'id': t, 'ids': [i], 'tokens': [t]} for t, i in (('<s>', 0), ('</s>', 2))}},
        'decoder': metaspace,
        'model': {'type': 'Unigram', 'unk_id': 3, 'vocab': pieces, 'byte_fallback': False},
    }


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('text', help='folder of pre-training text')
    p.add_argument('out', help='folder that gets sentencepiece.model and tokenizer.json')
    p.add_argument('--vocabulary', type=int, default=24_000, help='size, <mask> included')
    p.add_argument('--exclude', help='lines to leave out, from decontaminate.py')
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--seed', type=int, default=1)
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    prefix, sample = os.path.join(a.out, 'sentencepiece'), os.path.join(a.out, 'sample.txt')
    write_sample(a.text, sample, corpus.read_excludes(a.exclude), a.seed)
    train(sample, prefix, a.vocabulary, a.threads)
    os.remove(sample)
    sp = spm.SentencePieceProcessor(model_file=prefix + '.model')
    with open(os.path.join(a.out, 'tokenizer.json'), 'w', encoding='utf-8') as f:
        json.dump(hugging_face_json(sp), f, ensure_ascii=False)


if __name__ == '__main__':
    main()
