"""What a page of the plane computes from: the values of every model, and small images.

parts, images = held_parts(found, pixels, logged)
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from siamlab.explore.held import BASE64
from siamlab.explore.pair_matches import PairMatches
from siamlab.explore.plane.charts import KINDS, LOGGED, Curve, curves
from siamlab.explore.plane.examples import LEGENDS, SHOWN
from siamlab.explore.plane.measures import MEASURES, ModelOnImages
from siamlab.figure.image import data_uri
from siamlab.train.folder import Line

# bytes in a page, which with its images and scripts stays under 3 MB
VALUES = 1e6
CURVES = 5e5
PICTURES = 1.2e6  # of the images
POINT = 18  # of a curve: its step and its value
PARTIAL = (
    "Bars and examples of this page are of the first {held} of {total} images: the values of all "
    "would make it too large. In a notebook, the explorer has them all."
)
SIDES = (224, 160, 112, 80, 56, 40)  # pixels of images, the largest that fit a page

Measured = Mapping[str, Float[Tensor, "_ 3"]]  # image, patch and value, by measure
Found = tuple[str, ModelOnImages, Measured, str]  # a model's name, and what is told of it


def held_parts(
    found: Iterable[Found], pixels: UInt8[Tensor, "n 3 H W"], logged: Mapping[str, list[Line]]
) -> tuple[dict[str, Any], dict[str, str]]:
    """What a page holds of models, of their curves and of as many images as fit, and the images."""
    models, views, held = held_models(found, len(pixels))
    parts = {
        "models": models,
        "views": views,
        "measures": held_measures(),
        "curves": held_curves(logged) if logged else None,
        "note": partial_note(held, len(pixels)),
    }
    return parts, small_images(pixels[:held])


def held_measures() -> dict[str, dict[str, Any]]:
    """Of each measure, what its values belong to, and how its examples are shown."""
    return {
        name: {"of": m.of, "part": m.part, "shown": SHOWN[m.of], "legend": LEGENDS[m.of]}
        for name, m in MEASURES.items()
    }


def held_models(found: Iterable[Found], total: int) -> tuple[dict[str, Any], dict[str, Any], int]:
    """What a page holds of models by name, views by their key, and of how many images of `total`.

    Models come one at a time: each is in memory only while its matches are read.
    """
    values: dict[str, Measured] = {}
    matched: dict[str, list[Int[Tensor, " _"]]] = {}
    models: dict[str, Any] = {}
    views: dict[str, Any] = {}
    for name, case, measured, line in found:
        matches = [case.at(image).matches("a") for image in range(total)]
        values[name] = measured
        matched[name] = [each.cosine.argmax(dim=1)[each.inside] for each in matches]
        models[name] = {"line": line, "grid": case.pair.grid, "views": (key := views_key(case))}
        if key not in views:
            views[key] = _views(case, matches)
    count = images_that_fit(values.values(), total)
    for name, model in models.items():
        best = torch.cat(matched[name][:count]).numpy()
        model |= {"values": _values(values[name], count), "best": _bytes(best.astype("<u2"))}
    for of_size in views.values():
        del of_size["images"][count:]
    return models, views, count


def images_that_fit(measured: Iterable[Measured], total: int) -> int:
    """How many of `total` images, from the first, have values that fit VALUES; at least one."""
    image = torch.cat([rows[:, 0] for each in measured for rows in each.values()])
    size = 4 * BASE64 * torch.bincount(image.long(), minlength=total)  # of each image, in bytes
    return max(1, int((size.cumsum(dim=0) <= VALUES).sum()))


def _values(measured: Measured, count: int) -> dict[str, Any]:
    """Values by measure on the first `count` images.

    Those of patches are in the order of images and patches, those of pairs only where view b shows
    the patch, as `_views` says; those of images name their images.
    """
    values: dict[str, Any] = {}
    for name, every in measured.items():
        rows = every[every[:, 0] < count]
        if not len(rows):  # none of these images has a label
            continue
        values[name] = {"values": _bytes(rows[:, 2].float().numpy())}
        if MEASURES[name].of == "images":
            values[name]["images"] = rows[:, 0].int().tolist()
    return values


def views_key(case: ModelOnImages) -> str:
    """The name of the views, which models of one input size and grid share."""
    pair = case.pair
    return f"{pair._views(0, pair.values['views'])[0].image.shape[2:]} {pair.grid}"


def _views(case: ModelOnImages, matches: Sequence[PairMatches]) -> dict[str, Any]:
    """Of each image both views, and the true place of each patch of view a in view b."""
    pair, images = case.pair, []
    for image, found in enumerate(matches):
        views = pair._views(image, pair.values["views"])
        images.append({
            "boxes": [[round(side, 4) for side in view.box[0].tolist()] for view in views],
            "flips": [bool(view.flip[0]) for view in views],
            "inside": "".join("1" if shown else "0" for shown in found.inside.tolist()),
            "true": [[round(v, 4) for v in place] for place in found.true.tolist()],
        })  # fmt: skip
    return {"draw": pair.values["views"], "images": images}


def held_curves(logged: Mapping[str, list[Line]]) -> dict[str, Any]:
    """The charts of curves, and the curve of each model that logged it.

    Many have fewer points each, whose bytes are about CURVES together.
    """
    most = max(10, min(LOGGED, int(CURVES / (POINT * len(KINDS) * len(logged)))))
    return {
        "logged": [name for name, lines in logged.items() if lines],
        "kinds": [
            {"title": kind.title, "axis": kind.axis, "always": kind.always,
             "runs": _runs(curves(dict(logged), kind.key, kind.relative, most))}
            for kind in KINDS
        ],
    }  # fmt: skip


def partial_note(held: int, total: int) -> str:
    """The sentence of a page that holds `held` of `total` images; "" if these are all."""
    return PARTIAL.format(held=held, total=total) if held < total else ""


def small_images(pixels: UInt8[Tensor, "n 3 H W"], most: float = PICTURES) -> dict[str, str]:
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


def _runs(found: Sequence[Curve]) -> dict[str, Any]:
    return {
        curve.name: [curve.step, [float(f"{value:.6g}") for value in curve.value]]
        for curve in found
    }


def _bytes(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()
