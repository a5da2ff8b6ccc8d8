"""Placement of the labels of points without overlap, at several figure widths at once."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

DIRECTIONS = np.linspace(0, 2 * np.pi, 16, endpoint=False)
CORNERS = np.array([(1, -1), (-1, -1), (1, 1), (-1, 1)])  # between the whiskers of a point
GAPS = (7, 14, 24, 38, 56, 80, 110, 150, 200, 260, 330)  # pixels from the point to its label
ROUNDS = 6
DOT = np.array([14.0, 14.0])  # pixels: size of a point's marker


def place_labels(
    points: Float[ndarray, "K n 2"],
    sizes: Float[ndarray, "n 2"],
    obstacles: Float[ndarray, "K m 4"],
    areas: Float[ndarray, "K 4"],
    solid: Float[ndarray, "K d 4"] | None = None,
) -> Float[ndarray, "n 2"]:
    """Offset of each label's centre from its point, in pixels (right, down), for all K widths.

    `points` and `sizes` are in pixels; `obstacles` (whiskers, markers) and `areas` (the plot) are
    boxes: left, top, right, bottom; so is `solid`, the markers, by default only the points'.
    Labels are moved in turn to their cheapest candidate. Overlap with other labels, with markers
    and with the edge costs most, then lines that cross labels or points, then overlap with
    obstacles, then distance.
    """
    dots = _boxes(points, np.zeros_like(sizes), DOT)  # [K, n, 4]
    solid = dots if solid is None else solid
    candidates = [_candidates(size) for size in sizes]  # [C, 2] each
    best = np.stack([c[0] for c in candidates])
    for _ in range(ROUNDS):
        before = best.copy()
        for i, offsets in enumerate(candidates):
            others = np.delete(_boxes(points, best, sizes), i, axis=1)
            boxes = _boxes(points[:, i], offsets[:, None], sizes[i])  # [C, K, 4]
            far = np.hypot(*(np.abs(offsets) - sizes[i] / 2).clip(min=0).T)
            crossed = _crossed(
                points[:, i], offsets, np.concatenate([others, np.delete(dots, i, axis=1)], axis=1)
            )
            clear = np.concatenate([others, solid], axis=1)
            best[i] = offsets[np.argmin(far + crossed + _cost(boxes, clear, obstacles, areas))]
        if np.array_equal(before, best):
            break
    return best


def covered(box: Float[ndarray, "*#B 4"], other: Float[ndarray, "*#B 4"]) -> Float[ndarray, "..."]:
    """Area of the intersection of two boxes, in square pixels."""
    low, high = np.maximum(box[..., :2], other[..., :2]), np.minimum(box[..., 2:], other[..., 2:])
    return (high - low).clip(min=0).prod(axis=-1)


def _candidates(size: ndarray) -> ndarray:
    around = np.stack([np.cos(DIRECTIONS), np.sin(DIRECTIONS)], axis=-1)
    return np.concatenate([side * (size / 2 + gap) for gap in GAPS for side in (around, CORNERS)])


def _boxes(points: ndarray, offsets: ndarray, sizes: ndarray) -> ndarray:
    centres = points + offsets
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=-1)


def _cost(boxes: ndarray, others: ndarray, obstacles: ndarray, areas: ndarray) -> ndarray:
    """Cost of each candidate [C, K, 4], summed over all widths."""
    outside = np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1) - covered(boxes, areas)
    labels = covered(boxes[:, :, None], others).sum(axis=-1)
    hidden = covered(boxes[:, :, None], obstacles).sum(axis=-1)
    return (100 * outside + 100 * labels + 4 * hidden).sum(axis=1)


def _crossed(point: ndarray, offsets: ndarray, boxes: ndarray) -> ndarray:
    """Cost of each candidate [C, 2] for the part of its line that runs through boxes [K, m, 4]."""
    along = np.linspace(0.1, 0.7, 7)[:, None] * offsets[:, None, None]  # [C, 1, 7, 2]
    steps = _boxes(point[:, None], along, np.array([3.0, 3.0]))[..., None, :]  # [C, K, 7, 1, 4]
    return 25 * covered(steps, boxes[:, None]).sum(axis=(1, 2, 3))
