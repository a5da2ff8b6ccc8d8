"""Losses at 256 images of 196 tokens of 768 numbers, forward and backward: time and memory.

On a processor a quarter of the images; `share` is the time over that of a ViT-B step of as many
images at the rate of the matrix product, 141 GFLOP an image.
"""

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.measure import Work, measured, product_rate
from siamlab.component import variants
from siamlab.loss import Loss

IMAGES, TOKENS, WIDTH = {"cpu": 64, "cuda": 256}, 196, 768
STEP = 141e9  # operations an image of the release recipe
GLOBAL = 1  # tokens that InfoNCE is given, as in MoCo-v3: it compares every one with every other


def rows(device: torch.device, peer: str, repeats: int) -> list[dict[str, Any]]:
    """Each loss, with its time as a share of a ViT-B step's."""
    images = IMAGES[device.type]
    works = [Work(cls().kind, worker(cls(), images, device), images) for cls in variants(Loss)]
    found = measured(works, device, repeats)
    trained = torch.bfloat16 if device.type == "cuda" else torch.float32
    step = STEP * images / product_rate(device, trained)
    for row in found:
        row["share"] = row["seconds"] / step
        row["note"] = "one token an image" if row["work"] == "infonce" else ""
    return found


def worker(loss: Callable, images: int, device: torch.device) -> Callable[[], None]:
    """Forward and backward of a loss on random tokens."""
    tokens = GLOBAL if loss.kind == "infonce" else TOKENS
    pred = torch.randn(images, tokens, WIDTH, device=device, requires_grad=True)
    goal = torch.randn(images, tokens, WIDTH, device=device)

    def work() -> None:
        pred.grad = None
        sum(loss(pred, goal).values()).backward()

    return work
