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
    """AdamW without decay of biases, norms and tokens (tensors with one side longer than 1)."""
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if sum(side > 1 for side in p.shape) > 1]
    vectors = [p for p in trained if sum(side > 1 for side in p.shape) <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)
