"""Pairs of crops: every pixel is where the box and the flip say, and every pair overlaps."""

import pytest
import torch

from siamlab.geometry import overlap, patch_centres, to_source
from siamlab.probe.pairs import crop_pairs


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def ramp(n, height, width):
    """Images whose red is the row and whose green is the column, in pixels."""
    rows = torch.arange(height)[:, None].expand(height, width)
    columns = torch.arange(width)[None].expand(height, width)
    return torch.stack([rows, columns, 0 * rows])[None].expand(n, -1, -1, -1).byte()


@pytest.mark.parametrize("source, size", [((200, 240), (20, 30)), ((24, 40), (48, 48))])
def test_pixels_are_where_the_geometry_says(source, size):
    images = ramp(30, *source)
    for view in [v for pair in crop_pairs(images, size, rng()) for v in pair]:
        found = (view.image[:, :2] * 255 + 0.5).flatten(2).mT  # [B, pixels, (row, column)]
        centres = patch_centres(size).expand(len(found), -1, -1)
        true = to_source(centres, view) * torch.tensor(source)
        inner = (patch_centres(size) - 0.5).abs().amax(dim=1) < 0.4  # borders are clamped
        assert (found - true)[:, inner].abs().max() < 0.5


def test_pairs_differ_overlap_and_stay_inside():
    drawn = list(crop_pairs(ramp(500, 48, 48), (36, 36), rng()))
    a, b = (torch.cat([pair[i].box for pair in drawn]) for i in range(2))
    flips = torch.cat([pair[0].flip ^ pair[1].flip for pair in drawn]).float()
    assert len(a) == 500 and 0.4 < flips.mean() < 0.6
    for box in (a, b):
        assert box.min() >= 0 and (box[:, :2] + box[:, 2:]).max() <= 1
        area = box[:, 2:].prod(dim=1)
        assert area.min() > 0.27 and area.max() > 0.95
    shared = overlap(a, b)
    assert shared.min() >= 0.1 and shared.std() > 0.1


def test_the_seed_decides_and_every_image_comes_once():
    images = torch.randint(256, (300, 3, 20, 20), generator=rng(), dtype=torch.uint8)
    before = images.clone()
    first, again, other = (list(crop_pairs(images, (8, 8), rng(seed))) for seed in (0, 0, 1))
    assert sum(len(a.image) for a, _ in first) == 300 and torch.equal(images, before)
    for i in range(2):
        assert torch.equal(first[0][i].image, again[0][i].image)
        assert torch.equal(first[1][i].box, again[1][i].box)
    assert not torch.equal(first[0][0].box, other[0][0].box)
