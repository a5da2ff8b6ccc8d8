"""Schedules: the learning rate of each step, and which weights decay."""

from math import cos, pi

import torch
from torch import nn

from siamlab.run import AdamW


def learning_rate(step: int, steps: int, batch: int, settings: AdamW) -> float:
    """Linear from zero over the warm-up, then a cosine to zero; scaled by batch / 256."""
    peak = settings.lr * batch / 256
    warm = settings.warmup * steps
    if step < warm:
        return peak * (step + 1) / (warm + 1)
    return peak * (1 + cos(pi * (step - warm) / (steps - warm))) / 2


def set_rate(optimiser: torch.optim.Optimizer, lr: float) -> float:
    """The learning rate of the next step, for all weights."""
    for group in optimiser.param_groups:
        group["lr"] = lr
    return lr


def make_optimiser(model: nn.Module, settings: AdamW) -> torch.optim.AdamW:
    """AdamW without decay of biases, norms and tokens."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    groups = [
        {"params": [p for n, p in trained if _decays(n, p)], "weight_decay": settings.decay},
        {"params": [p for n, p in trained if not _decays(n, p)], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)


def _decays(name: str, parameter: nn.Parameter) -> bool:
    """A matrix: more than one side longer than 1. Several register tokens only look like one."""
    return sum(side > 1 for side in parameter.shape) > 1 and not name.endswith("_token")
