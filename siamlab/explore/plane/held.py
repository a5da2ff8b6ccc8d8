"""What a page of the plane computes from: the values of every model, and small images.

held_model(case, measured); held_views(pair); held_curves(logged); small_images(pixels, most=1e6)
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from siamlab.explore.plane.charts import KINDS, Curve, curves
from siamlab.explore.plane.examples import LEGENDS, SHOWN
from siamlab.explore.plane.measures import MEASURES, ModelOnImages
from siamlab.figure.image import data_uri
from siamlab.train.folder import Line

SIDES = (224, 160, 112, 80, 56, 40)  # pixels of images, the largest that fit a page

Views = dict[str, Any]


def held_measures() -> dict[str, dict[str, Any]]:
    """Of each measure, what its values belong to, and how its examples are shown."""
    return {
        name: {"of": m.of, "part": m.part, "shown": SHOWN[m.of], "legend": LEGENDS[m.of]}
        for name, m in MEASURES.items()
    }


def held_model(
    case: ModelOnImages, measured: Mapping[str, Float[Tensor, "M 3"]], line: str
) -> dict[str, Any]:
    """What is told of a model, its values by measure, and its matches.

    Values of patches are in the order of images and patches, those of pairs only where view b
    shows the patch, as `held_views` says; those of images name their images.
    """
    values = {}
    for name, rows in measured.items():
        values[name] = {"values": _bytes(rows[:, 2].float().numpy())}
        if MEASURES[name].of == "images":
            values[name]["images"] = rows[:, 0].int().tolist()
    best = torch.cat([
        matches.cosine.argmax(dim=1)[matches.inside] for matches in _matches(case)
    ])  # fmt: skip
    grid = case.pair.grid
    return {
        "line": line, "grid": grid, "views": views_key(case), "values": values,
        "best": _bytes(best.numpy().astype("<u2")),
    }  # fmt: skip


def views_key(case: ModelOnImages) -> str:
    """The name of the views, which models of one input size and grid share."""
    pair = case.pair
    return f"{pair._views(0, pair.values['views'])[0].image.shape[2:]} {pair.grid}"


def held_views(case: ModelOnImages) -> Views:
    """Of each image both views, and the true place of each patch of view a in view b."""
    pair, images = case.pair, []
    for image, matches in enumerate(_matches(case)):
        views = pair._views(image, pair.values["views"])
        images.append({
            "boxes": [[round(side, 4) for side in view.box[0].tolist()] for view in views],
            "flips": [bool(view.flip[0]) for view in views],
            "inside": "".join("1" if shown else "0" for shown in matches.inside.tolist()),
            "true": [[round(v, 4) for v in place] for place in matches.true.tolist()],
        })  # fmt: skip
    return {"draw": pair.values["views"], "images": images}


def held_curves(logged: Mapping[str, list[Line]]) -> dict[str, Any]:
    """The charts of curves, and the curve of each model that logged it."""
    return {
        "logged": [name for name, lines in logged.items() if lines],
        "kinds": [
            {"title": kind.title, "axis": kind.axis, "always": kind.always,
             "runs": _runs(curves(dict(logged), kind.key, kind.relative))}
            for kind in KINDS
        ],
    }  # fmt: skip


def small_images(pixels: UInt8[Tensor, "n 3 H W"], most: float) -> dict[str, str]:
    """The images as data URIs of `most` bytes together, as large as that allows."""
    uris: dict[str, str] = {}
    sides = [side for side in SIDES if side < min(pixels.shape[2:])]
    for scale in (1.0, *(side / min(pixels.shape[2:]) for side in sides)):
        size = [round(scale * side) for side in pixels.shape[2:]]
        small = F.interpolate(pixels.float(), size, mode="bilinear", antialias=True)
        images = small.round().to(torch.uint8)
        uris = {f"image {i}": data_uri(image) for i, image in enumerate(images)}
        if sum(map(len, uris.values())) <= most:
            break
    return uris


def _matches(case: ModelOnImages) -> Iterator[Any]:
    return (case.at(image).matches("a") for image in range(len(case.pair.pixels)))


def _runs(found: Sequence[Curve]) -> dict[str, Any]:
    return {
        curve.name: [curve.step, [float(f"{value:.6g}") for value in curve.value]]
        for curve in found
    }


def _bytes(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()
