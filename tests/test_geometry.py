"""Frames of reference, by hand and by laws."""

import numpy as np
import pytest
import torch

from siamlab.geometry import (
    View,
    magnification,
    match_patches,
    overlap,
    patch_centres,
    to_source,
    to_view,
)

FLIPS = pytest.mark.parametrize("flip", [False, True])


def view(*box, flip=False):
    return View(torch.zeros(1, 3, 4, 4), torch.tensor([box]), torch.tensor([flip]))


def random_views(seed, batch=64):
    rng = torch.Generator().manual_seed(seed)
    extent = 0.1 + 0.8 * torch.rand(batch, 2, generator=rng)
    corner = (1 - extent) * torch.rand(batch, 2, generator=rng)
    flip = torch.rand(batch, generator=rng) < 0.5
    return View(torch.zeros(batch, 3, 4, 4), torch.cat([corner, extent], dim=1), flip)


def test_patch_centres_run_row_by_row():
    expected = [((i + 0.5) / 2, (j + 0.5) / 3) for i in range(2) for j in range(3)]
    torch.testing.assert_close(patch_centres((2, 3)), torch.tensor(expected))


@pytest.mark.parametrize(
    "flip, point, source",
    [
        (False, (0.0, 0.0), (0.25, 0.5)),
        (True, (0.0, 0.0), (0.25, 0.75)),  # a mirrored view starts at the right of its box
        (False, (1.0, 0.2), (0.75, 0.55)),
        (True, (1.0, 0.2), (0.75, 0.7)),
    ],
)
def test_source_of_a_point_by_hand(flip, point, source):
    points = torch.tensor([[point]])
    found = to_source(points, view(0.25, 0.5, 0.5, 0.25, flip=flip))
    torch.testing.assert_close(found, torch.tensor([[source]]))


def test_to_view_undoes_to_source():
    views, points = (
        random_views(0),
        torch.rand(64, 5, 2, generator=torch.Generator().manual_seed(1)),
    )
    torch.testing.assert_close(to_view(to_source(points, views), views), points)
    torch.testing.assert_close(to_source(to_view(points, views), views), points)


def test_frames_agree_with_matrices():
    a, b = random_views(1), random_views(2)
    match = match_patches(a, b, (3, 5))
    for k in range(len(a.box)):
        matrix = np.linalg.inv(affine(b, k)) @ affine(a, k)
        for n in range(15):
            y, x, _ = matrix @ [(n // 5 + 0.5) / 3, (n % 5 + 0.5) / 5, 1]
            assert match.points[k, n].tolist() == pytest.approx([y, x], abs=1e-4)
            assert match.inside[k, n] == (0 <= y <= 1 and 0 <= x <= 1)


@FLIPS
def test_a_view_corresponds_to_itself(flip):
    same = view(0.1, 0.2, 0.3, 0.4, flip=flip)
    match = match_patches(same, same, (4, 6))
    torch.testing.assert_close(match.points[0], patch_centres((4, 6)))
    assert match.inside.all()


def test_the_mirrored_view_shows_the_columns_backwards():
    match = match_patches(view(0.1, 0.2, 0.3, 0.4), view(0.1, 0.2, 0.3, 0.4, flip=True), (2, 3))
    expected = patch_centres((2, 3)).view(2, 3, 2).flip(1).flatten(0, 1)
    torch.testing.assert_close(match.points[0], expected)


def test_what_the_other_view_does_not_show_is_outside():
    left, right = view(0.0, 0.0, 1.0, 0.5), view(0.0, 0.25, 1.0, 0.75)
    inside = match_patches(left, right, (1, 4)).inside
    assert inside.tolist() == [[False, False, True, True]]


def test_magnification_is_height_and_width_of_the_second_over_the_first():
    found = magnification(view(0.0, 0.0, 0.5, 0.2), view(0.0, 0.0, 0.25, 0.6))
    torch.testing.assert_close(found, torch.tensor([[0.5, 3.0]]))


@pytest.mark.parametrize(
    "other, iou",
    [
        ((0.0, 0.0, 0.5, 0.5), 1.0),
        ((0.25, 0.25, 0.5, 0.5), 1 / 7),  # 1/16 shared of 7/16
        ((0.0, 0.5, 0.5, 0.5), 0.0),  # side by side
        ((0.6, 0.6, 0.4, 0.4), 0.0),  # apart on both sides: not the product of two gaps
        ((0.0, 0.0, 0.25, 0.5), 0.5),
    ],
)
def test_overlap_by_hand(other, iou):
    first = torch.tensor([0.0, 0.0, 0.5, 0.5])
    assert overlap(first, torch.tensor(other)).item() == pytest.approx(iou)
    assert overlap(torch.tensor(other), first).item() == pytest.approx(iou)


def affine(views, k):
    """Homogeneous (y, x, 1) of the view to (y, x, 1) of the source."""
    top, left, height, width = views.box[k].double().tolist()
    if views.flip[k]:
        left, width = left + width, -width
    return np.array([[height, 0, top], [0, width, left], [0, 0, 1]])
