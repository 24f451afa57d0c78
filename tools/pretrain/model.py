"""The encoder: XLM-R's shape, post-LN, with its masked-LM head; parameter names are short.

`hf_names` maps them to the Hugging Face names; checkpoint.py does the rest.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

BOS, PAD, EOS, UNK = 0, 1, 2, 3
POSITIONS = 514
EPS = 1e-5

LAYER_NAMES = {
    'q': 'attention.self.query', 'k': 'attention.self.key', 'v': 'attention.self.value',
    'o': 'attention.output.dense', 'n1': 'attention.output.LayerNorm',
    'f1': 'intermediate.dense', 'f2': 'output.dense', 'n2': 'output.LayerNorm',
}


def hf_names(layers):
    """{our parameter name: Hugging Face tensor name}."""
    names = {
        'word.weight': 'roberta.embeddings.word_embeddings.weight',
        'pos.weight': 'roberta.embeddings.position_embeddings.weight',
        'typ.weight': 'roberta.embeddings.token_type_embeddings.weight',
        'b': 'lm_head.bias',
    }
    modules = {'ln': 'roberta.embeddings.LayerNorm', 'd': 'lm_head.dense', 'dln': 'lm_head.layer_norm'}
    for i in range(layers):
        modules.update({f'layers.{i}.{k}': f'roberta.encoder.layer.{i}.{n}' for k, n in LAYER_NAMES.items()})
    for ours, theirs in modules.items():
        for part in ('weight', 'bias'):
            names[f'{ours}.{part}'] = f'{theirs}.{part}'
    return names


def config_json(vocabulary, hidden, layers, heads, ffn):
    """The `config.json` value."""
    return {
        'architectures': ['XLMRobertaForMaskedLM'], 'model_type': 'xlm-roberta',
        'vocab_size': vocabulary, 'hidden_size': hidden, 'num_hidden_layers': layers,
        'num_attention_heads': heads, 'intermediate_size': ffn, 'hidden_act': 'gelu',
        'max_position_embeddings': POSITIONS, 'type_vocab_size': 1, 'layer_norm_eps': EPS,
        'hidden_dropout_prob': 0.1, 'attention_probs_dropout_prob': 0.1, 'initializer_range': 0.02,
        'bos_token_id': BOS, 'pad_token_id': PAD, 'eos_token_id': EOS,
        'position_embedding_type': 'absolute',
    }


class Layer(nn.Module):
    """One post-LN transformer layer."""

    def __init__(self, hidden, heads, ffn):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(hidden, hidden) for _ in range(4))
        self.f1, self.f2 = nn.Linear(hidden, ffn), nn.Linear(ffn, hidden)
        self.n1, self.n2 = nn.LayerNorm(hidden, eps=EPS), nn.LayerNorm(hidden, eps=EPS)

    def forward(self, x, bias):
        rows, length, hidden = x.shape
        split = lambda t: t.view(rows, length, self.heads, hidden // self.heads).transpose(1, 2)
        q, k, v = split(self.q(x)), split(self.k(x)), split(self.v(x))
        weights = (q @ k.transpose(-1, -2)) / math.sqrt(hidden // self.heads) + bias
        context = (weights.float().softmax(-1).to(v.dtype) @ v).transpose(1, 2).reshape(rows, length, hidden)
        x = self.n1((x + self.o(context)).float())
        return self.n2((x + self.f2(F.gelu(self.f1(x)))).float())


class Encoder(nn.Module):
    """Token ids [rows, length] -> last hidden states [rows, length, hidden]."""

    def __init__(self, vocabulary, hidden=256, layers=6, heads=4, ffn=1024):
        super().__init__()
        self.config = config_json(vocabulary, hidden, layers, heads, ffn)
        self.word, self.pos, self.typ = nn.Embedding(vocabulary, hidden), nn.Embedding(POSITIONS, hidden), nn.Embedding(1, hidden)
        self.ln = nn.LayerNorm(hidden, eps=EPS)
        self.layers = nn.ModuleList(Layer(hidden, heads, ffn) for _ in range(layers))
        self.d, self.dln = nn.Linear(hidden, hidden), nn.LayerNorm(hidden, eps=EPS)
        self.b = nn.Parameter(torch.zeros(vocabulary))
        for m in self.modules():
            if isinstance(m, (nn.Linear, nn.Embedding)):
                nn.init.normal_(m.weight, 0, 0.02)
            if isinstance(m, nn.Linear):
                nn.init.zeros_(m.bias)

    @classmethod
    def from_config(cls, config):
        return cls(config['vocab_size'], config['hidden_size'], config['num_hidden_layers'],
                   config['num_attention_heads'], config['intermediate_size'])

    def forward(self, ids):
        mask = ids.ne(PAD)
        positions = mask.long().cumsum(1) * mask.long() + PAD
        x = self.ln(self.word(ids) + self.pos(positions) + self.typ.weight[0])
        bias = ((~mask).float() * -1e4)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, bias)
        return x

    def mlm_loss(self, x, target, unigram, negatives):
        """Cross-entropy of masked positions [n, hidden] against `target` [n].

        With `negatives` > 0 the softmax runs over the batch's own targets plus that many
        sub-words drawn from `unigram`; with 0 over the whole vocabulary.
        """
        x = self.dln(F.gelu(self.d(x)).float())
        if negatives <= 0:
            return F.cross_entropy((x @ self.word.weight.t()).float() + self.b, target)
        candidates = torch.unique(torch.cat([target, torch.multinomial(unigram, negatives)]))
        logits = (x @ self.word.weight[candidates].t()).float() + self.b[candidates]
        return F.cross_entropy(logits, torch.searchsorted(candidates, target))


def sentence_vectors(x, ids):
    """(mean over real tokens, first token) of hidden states, each scaled to unit length."""
    mask = ids.ne(PAD).unsqueeze(-1).float()
    mean = (x.float() * mask).sum(1) / mask.sum(1)
    return F.normalize(mean, dim=-1), F.normalize(x[:, 0].float(), dim=-1)
