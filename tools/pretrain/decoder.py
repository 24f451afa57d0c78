"""The decoder: XGLM's shape, pre-LN, causal, computed positions, output tied to the embeddings.

The same interface as model.Encoder; `from_encoder` starts one from an encoder's weights.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from model import BOS, EOS, EPS, PAD, attend, initialise, sampled_loss, split_names

POSITIONS = 512
FIRST_POSITION = 2

MODULES = {'ln': 'model.layer_norm'}
LAYER_NAMES = {
    'n1': 'self_attn_layer_norm', 'q': 'self_attn.q_proj', 'k': 'self_attn.k_proj', 'v': 'self_attn.v_proj',
    'o': 'self_attn.out_proj', 'n2': 'final_layer_norm', 'f1': 'fc1', 'f2': 'fc2',
}


def sinusoids(hidden):
    """[POSITIONS, hidden]: sines, then cosines, numbered from FIRST_POSITION as the reference code does."""
    rates = torch.exp(torch.arange(hidden // 2).float() * -(math.log(10_000) / (hidden // 2 - 1)))
    angles = torch.arange(FIRST_POSITION, FIRST_POSITION + POSITIONS).float()[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Layer(nn.Module):
    """One pre-LN transformer layer."""

    def __init__(self, hidden, heads, ffn):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(hidden, hidden) for _ in range(4))
        self.f1, self.f2 = nn.Linear(hidden, ffn), nn.Linear(ffn, hidden)
        self.n1, self.n2 = nn.LayerNorm(hidden, eps=EPS), nn.LayerNorm(hidden, eps=EPS)

    def forward(self, x, bias):
        x = x + self.o(attend(self.n1(x), self, bias)).float()
        return x + self.f2(F.gelu(self.f1(self.n2(x)))).float()


class Decoder(nn.Module):
    """Token ids [rows, length], padded on the right -> last hidden states [rows, length, hidden]."""

    causal = True

    def __init__(self, vocabulary, hidden=256, layers=6, heads=4, ffn=1024):
        super().__init__()
        self.config = {
            'architectures': ['XGLMForCausalLM'], 'model_type': 'xglm', 'vocab_size': vocabulary,
            'd_model': hidden, 'num_layers': layers, 'attention_heads': heads, 'ffn_dim': ffn,
            'activation_function': 'gelu', 'max_position_embeddings': POSITIONS, 'scale_embedding': True,
            'dropout': 0.1, 'attention_dropout': 0.1, 'activation_dropout': 0.0, 'layerdrop': 0.0, 'init_std': 0.02,
            'bos_token_id': BOS, 'pad_token_id': PAD, 'eos_token_id': EOS, 'decoder_start_token_id': EOS,
            'tie_word_embeddings': True, 'use_cache': True,
        }
        self.hidden = hidden
        self.word = nn.Embedding(vocabulary, hidden)
        self.layers = nn.ModuleList(Layer(hidden, heads, ffn) for _ in range(layers))
        self.ln = nn.LayerNorm(hidden, eps=EPS)
        self.register_buffer('positions', sinusoids(hidden), persistent=False)
        initialise(self)

    @classmethod
    def from_config(cls, config):
        return cls(config['vocab_size'], config['d_model'], config['num_layers'],
                   config['attention_heads'], config['ffn_dim'])

    @classmethod
    def from_encoder(cls, encoder):
        """A decoder with the encoder's vectors and matrices; each norm is the one that fed the same matrices."""
        c = encoder.config
        net = cls(c['vocab_size'], c['hidden_size'], c['num_hidden_layers'],
                  c['num_attention_heads'], c['intermediate_size'])
        net.word.load_state_dict(encoder.word.state_dict())
        before = encoder.ln
        for ours, theirs in zip(net.layers, encoder.layers):
            for name in ('q', 'k', 'v', 'o', 'f1', 'f2'):
                getattr(ours, name).load_state_dict(getattr(theirs, name).state_dict())
            ours.n1.load_state_dict(before.state_dict())
            ours.n2.load_state_dict(theirs.n1.state_dict())
            before = theirs.n2
        net.ln.load_state_dict(before.state_dict())
        return net

    def names(self):
        """{our parameter name: Hugging Face tensor name}."""
        return {'word.weight': 'model.embed_tokens.weight',
                **split_names(MODULES, LAYER_NAMES, 'model.layers', len(self.layers))}

    def forward(self, ids):
        length = ids.shape[1]
        x = self.word(ids) * math.sqrt(self.hidden) + self.positions[:length]
        bias = torch.full((length, length), -1e4, device=ids.device).triu(1)
        for layer in self.layers:
            x = layer(x, bias)
        return self.ln(x)

    def word_loss(self, x, target, unigram, negatives):
        """Cross-entropy of states [n, hidden] against the words [n] that follow; see sampled_loss."""
        return sampled_loss(x, self.word.weight, None, target, unigram, negatives)
