"""Forward and prefix-tuning step of a post-LN encoder in PyTorch, one for each line read.

Arguments: layers hidden heads intermediate batch length prefix classes threads. Prints the version,
then runs what each line of stdin names, `forward` or `step`, and prints a line when it is done.
The same computation as bench/train.ts: frozen weights, a key/value prefix per layer and a linear
head are trained, the head reads the first token. Embeddings are random inputs: a look-up is free.
"""
import sys

import torch
import torch.nn.functional as F

layers, hidden, heads, inter, batch, length, prefix_len, classes, threads = map(int, sys.argv[1:])
torch.set_num_threads(threads)
torch.manual_seed(0)
head_dim = hidden // heads


def weight(*shape):
    return torch.randn(*shape) * 0.02


blocks = [
    {
        **{name: (weight(hidden, hidden), torch.zeros(hidden)) for name in ("q", "k", "v", "o")},
        "up": (weight(inter, hidden), torch.zeros(inter)),
        "down": (weight(hidden, inter), torch.zeros(hidden)),
        "norm1": (torch.ones(hidden), torch.zeros(hidden)),
        "norm2": (torch.ones(hidden), torch.zeros(hidden)),
    }
    for _ in range(layers)
]
prefix = (torch.randn(layers, 2, heads, prefix_len, head_dim) * 0.1).requires_grad_()
head_weight = weight(classes, hidden).requires_grad_()
head_bias = torch.zeros(classes, requires_grad=True)
embedded = torch.randn(batch, length, hidden)
bias = torch.zeros(batch, 1, 1, prefix_len + length)
labels = torch.arange(batch) % classes


def split(x):
    return x.view(batch, length, heads, head_dim).transpose(1, 2)


def forward():
    x = embedded
    for n, block in enumerate(blocks):
        q, k, v = (split(F.linear(x, *block[name])) for name in ("q", "k", "v"))
        k = torch.cat([prefix[n, 0].expand(batch, -1, -1, -1), k], dim=2)
        v = torch.cat([prefix[n, 1].expand(batch, -1, -1, -1), v], dim=2)
        scores = q @ k.transpose(-1, -2) / head_dim**0.5 + bias
        context = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, hidden)
        x = F.layer_norm(x + F.linear(context, *block["o"]), (hidden,), *block["norm1"])
        x = F.layer_norm(x + F.linear(F.gelu(F.linear(x, *block["up"])), *block["down"]), (hidden,), *block["norm2"])
    return F.linear(x[:, 0], head_weight, head_bias)


def run_forward():
    with torch.no_grad():
        forward()


def run_step():
    prefix.grad = head_weight.grad = head_bias.grad = None
    F.cross_entropy(forward(), labels).backward()


print(torch.__version__, flush=True)
for line in sys.stdin:
    {"forward": run_forward, "step": run_step}[line.strip()]()
    print("done", flush=True)
