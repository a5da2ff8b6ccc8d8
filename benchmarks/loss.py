"""Losses at 256 images of 196 tokens of 768 numbers, forward and backward: time and memory.

On a CPU a quarter of the images. `share` is the time relative to that of a ViT-B step of as many
images at the rate of a matrix product, with 141 GFLOP per image.
"""

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.measure import Work, measured, product_rate
from siamlab.component import variants
from siamlab.loss import Loss

IMAGES, TOKENS, WIDTH = {"cpu": 64, "cuda": 256}, 196, 768
STEP = 141e9  # operations per image of the release recipe
GLOBAL = 1  # tokens per image of InfoNCE, as in MoCo-v3, since it compares all pairs


def rows(device: torch.device, peer: str, repeats: int) -> list[dict[str, Any]]:
    """Return one row per loss, with its time as a share of a ViT-B step's."""
    images = IMAGES[device.type]
    works = [Work(cls().kind, worker(cls(), images, device), images) for cls in variants(Loss)]
    table = measured(works, device, repeats)
    precision = torch.bfloat16 if device.type == "cuda" else torch.float32
    step = STEP * images / product_rate(device, precision)
    for row in table:
        row["share"] = row["seconds"] / step
        row["note"] = "one token per image" if row["work"] == "infonce" else ""
    return table


def worker(loss: Callable, images: int, device: torch.device) -> Callable[[], None]:
    """Return a function that runs a loss forward and backward on random tokens."""
    tokens = GLOBAL if loss.kind == "infonce" else TOKENS
    pred = torch.randn(images, tokens, WIDTH, device=device, requires_grad=True)
    goal = torch.randn(images, tokens, WIDTH, device=device)

    def work() -> None:
        pred.grad = None
        sum(loss(pred, goal).values()).backward()

    return work
