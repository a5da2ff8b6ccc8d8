"""Data from which a page computes its answers: similarities as bytes, and numbers as shown.

    Held("pairScene", data, images, controls)       # a function of web/src/compute.ts, and its data

A page holds every patch, and a range of each control whose product fits BUDGET: whatever a reader
changes, in whatever order, is answered.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from siamlab.explore.scene import Control
from siamlab.explore.trained import STEP

BUDGET = 2.2e6  # bytes: a page stays under 3 MB
BASE64 = 4 / 3  # bytes of text per byte


class Held(NamedTuple):
    """The answers of a page."""

    scene: str  # the function of compute.ts that makes a scene
    data: dict[str, Any]
    images: dict[str, str]  # data URIs
    controls: list[Control]  # limited to what is held


class Ranges(NamedTuple):
    """Control values stored in a page, in every combination."""

    image: list[int]
    views: list[int]
    layer: list[int]
    training_step: list[str]  # "" where no encoders were kept


def ranges(
    controls: Sequence[Control],
    layer_bytes: float,
    image_bytes: int,
    most_layers: int | None = None,
) -> Ranges:
    """Choose what fits BUDGET: layers first, then training steps, then pairs of views and images.

    Of the layers at most `most_layers`, of the steps either all or only the present one.
    """
    by_name = {control.name: control for control in controls}
    fitting = max(1, int((BUDGET - image_bytes) / layer_bytes))
    layers = window(by_name["layer"], min(fitting, most_layers or fitting))
    step_bytes = len(layers) * layer_bytes
    steps = [""]
    if STEP in by_name:
        every = list(by_name[STEP].options)
        fits = len(every) * step_bytes + image_bytes <= BUDGET
        steps = every if fits else [by_name[STEP].value]
    pairs = max(1, int(BUDGET / (len(steps) * step_bytes + image_bytes)))
    views = window(by_name["views"], max(1, min(3, pairs // 3)))
    return Ranges(window(by_name["image"], max(1, pairs // len(views))), views, layers, steps)


def place_key(image: int, draw: int, step: str) -> str:
    """The name of a pair of views under the encoder of a step, as the script of a page makes it."""
    return f"{image} {draw} {step}".rstrip()


def window(control: Control, count: int) -> list[int]:
    """At most `count` values of a slider around its present one."""
    first = max(control.low, min(control.value - count // 2, control.high - count + 1))
    return list(range(first, min(control.high, first + count - 1) + 1))


def limited(controls: Sequence[Control], held: Mapping[str, Sequence[Any]]) -> list[Control]:
    """The controls, limited to what is held of each by its name."""
    return [_limited(control, held.get(control.name, ())) for control in controls]


def _limited(control: Control, values: Sequence[Any]) -> Control:
    if not values:
        return control
    if control.options:
        return control._replace(options=values)
    return control._replace(low=values[0], high=values[-1])


def packed(values: Float[Tensor, "*n"], bound: float = 1.0) -> str:
    """The values as `scene.levels` has them, row by row, in base64."""
    levels = 128 + (127 * (values.double() / bound).clamp(-1, 1)).round()
    return base64.b64encode(levels.byte().contiguous().numpy().tobytes()).decode()


def triangle(values: Float[Tensor, "N N"]) -> Float[Tensor, " T"]:
    """The lower half of a symmetric matrix with its diagonal, row by row."""
    rows, columns = torch.tril_indices(*values.shape)
    return values[rows, columns]
