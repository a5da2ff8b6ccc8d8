"""Argument checks of the probes: a sentence with the argument, the value received, the remedy.

check_features("train", train)          # finite floats [n, D]
check_patches("patches", patches, grid) # finite floats [n, N, D], N = rows · columns
"""

from typing import Any

import torch
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import Grid
from siamlab.machine.wording import POOL, WAYS, described

MOST_CLASSES = 1_000_000  # tables of all classes are made
BRIGHTEST = 4.0  # of an image of floats: 1, and what resizing and colouring add to it


def check_floats(name: str, x: Any, shape: str, finite: bool = True) -> None:
    """Refuse anything but a tensor of floats of that many dimensions, finite and not empty."""
    sizes = shape.split()
    if not isinstance(x, Tensor) or x.ndim != len(sizes) or not x.is_floating_point():
        raise UserError(
            f"{name} must be a tensor of floats [{', '.join(sizes)}]{_rows(shape)}; got "
            f"{described(x)}: {POOL if shape == 'n D' else WAYS['floats']}"
        )
    if 0 in x.shape:
        raise UserError(
            f"{name} must have 1 or more in each of [{', '.join(sizes)}], got {list(x.shape)}: "
            "there is nothing to measure; give images"
        )
    if finite and not torch.stack(torch.aminmax(x)).isfinite().all():  # no copy, as isfinite has
        raise UserError(f"{name} must be finite, but has nan or inf: has the model diverged?")


def check_features(name: str, x: Any, least: int = 1) -> None:
    """Refuse anything but a table of finite features, of `least` images or more."""
    check_floats(name, x, "n D")
    if len(x) < least:
        raise UserError(f"{name} must have {least} rows or more, got {len(x)}: give more images")


def check_patches(name: str, x: Any, grid: Grid | None = None) -> None:
    """Refuse anything but finite features of patches, those of the grid if one is given."""
    check_floats(name, x, "n N D")
    if grid and x.shape[1] != grid[0] * grid[1]:
        raise UserError(
            f"{name} have {x.shape[1]} patches, but grid={grid} has {grid[0] * grid[1]}: drop "
            "class and register tokens first"
        )


def check_alike(a: str, x: Tensor, b: str, y: Tensor, way: str = "give two views of each") -> None:
    """Refuse two tensors of different shapes."""
    if x.shape != y.shape:
        raise UserError(f"{a} is {list(x.shape)} and {b} {list(y.shape)}: {way}")


def check_width(a: str, x: Tensor, b: str, y: Tensor) -> None:
    """Refuse features of different widths."""
    if x.shape[-1] != y.shape[-1]:
        raise UserError(
            f"{a} has features of {x.shape[-1]} numbers and {b} of {y.shape[-1]}: take both from "
            "one layer of one model"
        )


def check_labels(name: str, labels: Any, n: int) -> None:
    """Refuse anything but one whole number for each of n images."""
    integer = isinstance(labels, Tensor) and not labels.is_floating_point()
    if not integer or labels.shape != (n,):
        raise UserError(
            f"{name} must be a tensor of {n} whole numbers, one for each row of the features; got "
            f"{described(labels)}"
        )


def check_labelled(
    train: Any, train_labels: Any, test: Any, test_labels: Any, queries: str = "test"
) -> int:
    """Number of classes. Raises UserError for features and labels that do not fit together.

    `queries` is the name of the features to be answered for.
    """
    for part, name, x, labels in [
        ("train", "train", train, train_labels),
        ("test", queries, test, test_labels),
    ]:
        check_features(name, x)
        check_labels(f"{part}_labels", labels, len(x))
    check_width("train", train, queries, test)
    classes = class_count(train_labels, test_labels)
    check_varied("train_labels", train_labels)
    return classes


def check_varied(name: str, labels: Tensor) -> None:
    """Refuse labels of one class alone: whoever knows no other answer is always right."""
    if (labels == labels[0]).all():
        all_of_them = f"all {len(labels)} are" if len(labels) > 1 else "the only one is"
        raise UserError(
            f"{name} must have two classes or more to tell apart, but {all_of_them} {labels[0]}: "
            "give images of other classes, too"
        )


def class_count(train_labels: Tensor, test_labels: Tensor) -> int:
    """Number of classes. Raises UserError for unlabelled images."""
    for name, labels in [("train_labels", train_labels), ("test_labels", test_labels)]:
        if len(labels) == 0 or labels.min() < 0:
            raise UserError(
                f"{name} must be 0 or more for at least one image and have no unknown "
                f"(-1) label; got {len(labels)} images: drop those without a label"
            )
        check_numbered(name, labels)
    return int(max(train_labels.max(), test_labels.max())) + 1


def check_numbered(name: str, labels: Tensor) -> None:
    """Refuse labels that are identifiers rather than the numbers of classes."""
    if (most := int(labels.max())) >= MOST_CLASSES:
        raise UserError(
            f"{name} has {most}, but must be below {MOST_CLASSES:,}: number the classes from 0, as "
            f"{name}.unique(return_inverse=True)[1] does"
        )


def check_pixels(name: str, x: Any, shape: str, n: int | None = None) -> None:
    """Refuse anything but bytes of that many dimensions, n rows of them if n is given."""
    sizes = [str(n) if n and size == "n" else size for size in shape.split()]
    byte = isinstance(x, Tensor) and x.dtype == torch.uint8 and x.ndim == len(sizes)
    if not byte or 0 in x.shape or len(x) != (n or len(x)):
        raise UserError(
            f"{name} must be a tensor of bytes [{', '.join(sizes)}], not empty; got "
            f"{described(x)}: take those of open_images, or convert by .byte()"
        )


def check_network(model: Any, *parts: str) -> None:
    """Refuse a model that has no grid of patches, or none of the `parts`."""
    if not all(hasattr(model, part) for part in ("patch_embed", *parts)):
        raise UserError(
            "model must be a vision transformer, such as open_model(...).model or "
            f"TokenGrid(network); got {described(model)}"
        )


def check_images(model: Any, images: Any) -> None:
    """Refuse a model that has no grid of patches, and images of another form."""
    check_network(model)
    kind = images.dtype if isinstance(images, Tensor) else None
    fits = kind is not None and images.ndim == 4 and images.shape[1] == 3
    if not fits or not (kind == torch.uint8 or kind.is_floating_point):
        raise UserError(
            f"images must be a tensor [n, 3, H, W] of bytes, or of floats from 0 to 1; got "
            f"{described(images)}: take the pixels of open_images"
        )
    if kind != torch.uint8 and images.numel() and not images.abs().max() <= BRIGHTEST:
        raise UserError(
            f"images of floats must be from 0 to 1, got {images.abs().max().item():g}; divide them "
            "by 255, or give bytes"
        )


def check_places(name: str, places: Any, patches: Tensor) -> None:
    """Refuse anything but true or false for each patch."""
    wanted = patches.shape[:2]
    if not isinstance(places, Tensor) or places.dtype != torch.bool or places.shape != wanted:
        raise UserError(
            f"{name} must be a tensor of true or false {list(wanted)}, one for each patch; got "
            f"{described(places)}"
        )


def check_groups(groups: Any, n: int) -> None:
    """Refuse anything but None and one whole number for each of n images."""
    if groups is None or isinstance(groups, Tensor) and groups.shape == (n,):
        return
    raise UserError(
        f"groups must name one group for each of {n} images, got {described(groups)}: give a "
        "tensor of whole numbers, or None"
    )


def _rows(shape: str) -> str:
    return ", one row per image" if shape.startswith("n ") else ""
