"""Muon: momentum whose matrix is made orthogonal (Jordan et al. 2024), scaled to AdamW's step (Liu et al. 2025, arXiv 2502.16982)."""
import collections

import torch

# Jordan's quintic: drives singular values towards 1, to within about 0.3, in five steps.
A, B, C = 3.4445, -4.7750, 2.0315
ITERATIONS = 5
# The root mean square of AdamW's usual update.
UPDATE_RMS = 0.2


def orthogonal(m):
    """About U V^T of the singular value decomposition U S V^T of each matrix in [n, rows, columns], rows <= columns."""
    x = (m / (m.norm(dim=(-2, -1), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(ITERATIONS):
        g = x @ x.transpose(-2, -1)
        x = torch.baddbmm(x, torch.baddbmm(g, g, g, beta=B, alpha=C), x, beta=A)
    return x.to(m.dtype)


class Muon(torch.optim.Optimizer):
    """For the matrices inside of layers; vectors and tables of embeddings are AdamW's. Weight decay is decoupled."""

    def __init__(self, parameters, lr, momentum=0.95, weight_decay=0.0):
        super().__init__(parameters, {'lr': lr, 'momentum': momentum, 'weight_decay': weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            by_shape = collections.defaultdict(list)
            for p in group['params']:
                if p.grad is not None:
                    by_shape[min(p.shape), max(p.shape)].append(p)
            for (rows, columns), same in by_shape.items():
                self._step_alike(group, same, UPDATE_RMS * columns ** 0.5)

    def _step_alike(self, group, parameters, scale):
        """Matrices of one shape, or its transpose, together."""
        updates = []
        for p in parameters:
            state = self.state[p]
            kept = state.setdefault('momentum', torch.zeros_like(p))
            kept.lerp_(p.grad, 1 - group['momentum'])
            ahead = p.grad.lerp(kept, group['momentum'])
            updates.append(ahead if p.shape[0] <= p.shape[1] else ahead.t())
        for p, update in zip(parameters, orthogonal(torch.stack(updates))):
            p.mul_(1 - group['lr'] * group['weight_decay'])
            p.add_(update if p.shape[0] <= p.shape[1] else update.t(), alpha=-group['lr'] * scale)
