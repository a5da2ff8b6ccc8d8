"""Schedules: the learning rate of each step, and which weights decay."""

from collections.abc import Mapping
from math import cos, pi

import torch
from torch import nn

from siamlab.run import AdamW

TOKENS = ("_token", "encoder.filler")  # of class, registers and mask; where patches are filled in


def learning_rate(step: int, steps: int, batch: int, settings: AdamW) -> float:
    """Return the rate of a step: linear from 0 over the warm-up, then a cosine to the least rate.

    Both rates are for 256 images. As in the release of SiameseIM, the first step has the rate 0.
    """
    peak, least = settings.lr * batch / 256, settings.least_lr * batch / 256
    warm = settings.warmup * steps
    if step < warm:
        return peak * step / warm
    return least + (peak - least) * (1 + cos(pi * (step - warm) / (steps - warm))) / 2


def set_rate(optimiser: torch.optim.Optimizer, lr: float) -> float:
    """Set the learning rate of all weights, and return it."""
    for group in optimiser.param_groups:
        group["lr"] = lr
    return lr


def make_optimiser(model: nn.Module, settings: AdamW) -> torch.optim.AdamW:
    """Return AdamW, without decay of biases, norms and, unless set so, tokens."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    groups = [
        {"params": [trained[n] for n in names], "weight_decay": decay}
        for names, decay in zip(decay_groups(trained, settings), (settings.decay, 0.0), strict=True)
    ]
    return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)


def decay_groups(
    trained: Mapping[str, nn.Parameter], settings: AdamW
) -> tuple[list[str], list[str]]:
    """Return the names of the parameters that decay, then of those that do not."""
    decaying = [name for name in trained if _decays(name, trained[name], settings)]
    return decaying, [name for name in trained if name not in set(decaying)]


def _decays(name: str, parameter: nn.Parameter, settings: AdamW) -> bool:
    """Return whether a parameter is a matrix; register tokens only have the shape of one."""
    if name.endswith(TOKENS):
        return settings.tokens == "decay"
    return sum(side > 1 for side in parameter.shape) > 1
