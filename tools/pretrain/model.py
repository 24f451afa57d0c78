"""The encoder: XLM-R's shape, post-LN, with its masked-LM head; and what the decoder shares with it.

Parameter names are short; `names` maps them to the Hugging Face names, checkpoint.py does the rest.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

BOS, PAD, EOS, UNK = 0, 1, 2, 3
POSITIONS = 514
EPS = 1e-5

MODULES = {'ln': 'roberta.embeddings.LayerNorm', 'd': 'lm_head.dense', 'dln': 'lm_head.layer_norm'}
LAYER_NAMES = {
    'q': 'attention.self.query', 'k': 'attention.self.key', 'v': 'attention.self.value',
    'o': 'attention.output.dense', 'n1': 'attention.output.LayerNorm',
    'f1': 'intermediate.dense', 'f2': 'output.dense', 'n2': 'output.LayerNorm',
}


def split_names(modules, layer_modules, prefix, layers):
    """{our parameter name: Hugging Face tensor name} of modules that have a weight and a bias."""
    both = dict(modules)
    for i in range(layers):
        both.update({f'layers.{i}.{k}': f'{prefix}.{i}.{n}' for k, n in layer_modules.items()})
    return {f'{ours}.{part}': f'{theirs}.{part}' for ours, theirs in both.items() for part in ('weight', 'bias')}


def initialise(net):
    """Normal weights of deviation 0.02, biases zero."""
    for m in net.modules():
        if isinstance(m, (nn.Linear, nn.Embedding)):
            nn.init.normal_(m.weight, 0, 0.02)
        if isinstance(m, nn.Linear):
            nn.init.zeros_(m.bias)


def attend(x, layer, bias):
    """Attention of [rows, length, hidden] states by `layer`'s q, k and v; `bias` is added to the scores.

    One multiplication for all three reads the states once, and the queries are scaled, which are fewer than the scores.
    """
    rows, length, hidden = x.shape
    three, size = (layer.q, layer.k, layer.v), hidden // layer.heads
    qkv = F.linear(x, torch.cat([m.weight for m in three]), torch.cat([m.bias for m in three]))
    q, k, v = qkv.view(rows, length, 3, layer.heads, size).permute(2, 0, 3, 1, 4)
    scores = (q / math.sqrt(size)) @ k.transpose(-1, -2) + bias
    return (scores.float().softmax(-1).to(v.dtype) @ v).transpose(1, 2).reshape(rows, length, hidden)


def sampled_loss(x, weight, bias, target, unigram, negatives):
    """Mean cross-entropy of states [n, hidden] against sub-words [n].

    With `negatives` > 0 the softmax runs over the batch's own targets plus that many
    sub-words drawn from `unigram`; with 0 over the whole vocabulary.
    """
    if negatives > 0:
        candidates = torch.unique(torch.cat([target, torch.multinomial(unigram, negatives)]))
        target, weight = torch.searchsorted(candidates, target), weight[candidates]
        bias = bias if bias is None else bias[candidates]
    logits = (x @ weight.t()).float()
    return F.cross_entropy(logits if bias is None else logits + bias, target)


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
        x = self.n1((x + self.o(attend(x, self, bias))).float())
        return self.n2((x + self.f2(F.gelu(self.f1(x)))).float())


class Encoder(nn.Module):
    """Token ids [rows, length] -> last hidden states [rows, length, hidden]."""

    causal = False

    def __init__(self, vocabulary, hidden=256, layers=6, heads=4, ffn=1024):
        super().__init__()
        self.config, self.hidden = config_json(vocabulary, hidden, layers, heads, ffn), hidden
        self.word, self.pos, self.typ = nn.Embedding(vocabulary, hidden), nn.Embedding(POSITIONS, hidden), nn.Embedding(1, hidden)
        self.ln = nn.LayerNorm(hidden, eps=EPS)
        self.layers = nn.ModuleList(Layer(hidden, heads, ffn) for _ in range(layers))
        self.d, self.dln = nn.Linear(hidden, hidden), nn.LayerNorm(hidden, eps=EPS)
        self.b = nn.Parameter(torch.zeros(vocabulary))
        initialise(self)

    @classmethod
    def from_config(cls, config):
        return cls(config['vocab_size'], config['hidden_size'], config['num_hidden_layers'],
                   config['num_attention_heads'], config['intermediate_size'])

    def names(self):
        """{our parameter name: Hugging Face tensor name}."""
        return {
            'word.weight': 'roberta.embeddings.word_embeddings.weight',
            'pos.weight': 'roberta.embeddings.position_embeddings.weight',
            'typ.weight': 'roberta.embeddings.token_type_embeddings.weight',
            'b': 'lm_head.bias',
            **split_names(MODULES, LAYER_NAMES, 'roberta.encoder.layer', len(self.layers)),
        }

    def tile_positions(self, trained):
        """Copy the rows of the first `trained` positions, less that of <s>, over the later ones (Longformer)."""
        first = PAD + 2
        rows = torch.arange(first + trained - 1, POSITIONS)
        self.pos.weight.data[rows] = self.pos.weight.data[first + (rows - first) % (trained - 1)]

    def forward(self, ids):
        mask = ids.ne(PAD)
        positions = mask.long().cumsum(1) * mask.long() + PAD
        x = self.ln(self.word(ids) + self.pos(positions) + self.typ.weight[0])
        bias = ((~mask).float() * -1e4)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, bias)
        return x

    def word_loss(self, x, target, unigram, negatives):
        """Cross-entropy of masked states [n, hidden] against their words [n]; see sampled_loss."""
        x = self.dln(F.gelu(self.d(x)).float())
        return sampled_loss(x, self.word.weight, self.b, target, unigram, negatives)


def pooled(x, ids, causal):
    """(mean over real tokens, first or in causal models last token) of hidden states, each [rows, hidden]."""
    mask = ids.ne(PAD)
    mean = (x.float() * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
    one = x[torch.arange(len(x)), mask.sum(1) - 1] if causal else x[:, 0]
    return mean, one.float()


def sentence_vectors(x, ids, causal):
    """`pooled`, each scaled to unit length."""
    return tuple(F.normalize(v, dim=-1) for v in pooled(x, ids, causal))
