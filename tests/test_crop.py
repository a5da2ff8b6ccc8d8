"""A coordinate ramp: every pixel of every view shows the place that the geometry says."""

import pytest
import torch
import torch.nn.functional as F
from ways import WAYS, multiply

from siamlab.colour import NoColour
from siamlab.component import variants
from siamlab.crop import cut, finest
from siamlab.geometry import patch_centres, to_source
from siamlab.views import Views

SOURCE = (50, 70)
EVERY = pytest.mark.parametrize("cls", variants(Views))
SIZES = pytest.mark.parametrize("size", [(24, 36), (60, 40), (9, 7)])  # one way and the other
WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
PLAIN = torch.tensor([False])


def ramp(batch, height, width):
    """Red is the place from top to bottom, green from left to right, 0..1 of the image."""
    y, x = ((torch.arange(n) + 0.5) / n for n in (height, width))
    image = torch.stack([y[:, None].expand(-1, width), x.expand(height, -1), 0 * y[:, None] * x])
    return image.mul(255).round().byte().expand(batch, -1, -1, -1)


def noise(*shape, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=rng, dtype=torch.uint8)


@EVERY
@SIZES
def test_every_pixel_shows_the_place_that_the_geometry_says(cls, size):
    """Within half a pixel at the image's border, and a fifth of one inside."""
    rng = torch.Generator().manual_seed(3)
    for view in cls()(ramp(48, *SOURCE), size, NoColour(), rng):
        shown = view.image[:, :2].flatten(2).mT  # [B, h·w, 2], y and x, fractions of the source
        told = to_source(patch_centres(size).expand(48, -1, -1), view)
        # the coarser of a pixel of the view and one of the source, as fractions of the source
        pixel = torch.maximum(view.box[:, None, 2:] / torch.tensor(size), 1 / torch.tensor(SOURCE))
        error = (shown - told).abs() / pixel
        inside = torch.minimum(told, 1 - told) > 2 * pixel  # the kernel is whole here
        assert error.max() < 0.5 and error[inside].max() < 0.2
        assert inside.any() and view.flip.any() and not view.flip.all()


@pytest.mark.parametrize("size", [(24, 36), (100, 90), (50, 70), (10, 110), (1, 1)])
def test_the_whole_image_is_resized_as_torch_does(size):
    images = noise(2, 3, *SOURCE)
    ours = cut(images, WHOLE.expand(2, -1), PLAIN.expand(2), size).image
    theirs = F.interpolate(images.float() / 255, size, mode="bicubic", antialias=True).clamp(0, 1)
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=0)


def test_pixels_are_copied_where_the_box_falls_on_them():
    images = noise(1, 3, *SOURCE)
    box = torch.tensor([[10 / 50, 20 / 70, 24 / 50, 36 / 70]])
    found = cut(images, box, PLAIN, (24, 36)).image
    torch.testing.assert_close(found, images[:, :, 10:34, 20:56] / 255, atol=1e-4, rtol=0)


def test_a_part_of_a_view_is_the_view_of_the_part():
    images = noise(1, 3, *SOURCE)
    whole = cut(images, WHOLE, PLAIN, (20, 30)).image
    right = cut(images, torch.tensor([[0.0, 0.5, 1.0, 0.5]]), PLAIN, (20, 15)).image
    torch.testing.assert_close(right, whole[..., 15:], atol=2e-5, rtol=0)


def test_flip_mirrors_left_and_right_after_the_cut():
    images, box = noise(2, 3, *SOURCE), torch.tensor([[0.1, 0.2, 0.5, 0.3]]).expand(2, -1)
    plain, mixed = (cut(images, box, torch.tensor([False, f]), (8, 12)) for f in (False, True))
    assert torch.equal(mixed.image[0], plain.image[0])
    torch.testing.assert_close(mixed.image[1], plain.image[1].flip(-1))
    assert torch.equal(mixed.box, box) and mixed.flip.tolist() == [False, True]


def test_values_stay_between_0_and_1():
    checker = (torch.arange(50)[:, None] + torch.arange(70)) // 3 % 2 * 255
    images = checker.byte().expand(1, 3, -1, -1)
    image = cut(images, torch.tensor([[0.2, 0.2, 0.3, 0.3]]), PLAIN, (64, 64)).image
    assert image.min() == 0 and image.max() == 1  # bicubic overshoots, and is cut


BOXES = torch.tensor([[0.0, 0.0, 1, 1], [0.13, 0.4, 0.3, 0.6], [0.9, 0.9, 0.1, 0.1]])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [(24, 36), (100, 90), (3, 110), (1, 1)])
def test_all_ways_of_multiplying_are_one_plain_sum(size, way, monkeypatch):
    multiply(way, monkeypatch)
    images, flip = noise(3, 3, *SOURCE), torch.tensor([False, True, False])
    found = cut(images, BOXES, flip, size).image
    for image, box, mirrored, view in zip(images, BOXES, flip, found, strict=True):
        rows, columns = (
            keys(box[i].item(), box[i + 2].item(), size[i], SOURCE[i]) for i in range(2)
        )
        plain = torch.einsum("yr,crs,xs->cyx", rows, image.double() / 255, columns).clamp(0, 1)
        plain = plain.flip(-1) if mirrored else plain
        torch.testing.assert_close(view.double(), plain, atol=2e-5, rtol=0)


def keys(start, extent, new, old):
    """Weights by the formula, one number at a time."""
    widen, weights = max(1, extent * old / new), torch.zeros(new, old, dtype=torch.float64)
    for i in range(new):
        centre = (start + extent * (i + 0.5) / new) * old
        for pixel in range(old):
            x = abs(pixel + 0.5 - centre) / widen
            near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
            weights[i, pixel] = near if x < 1 else far if x < 2 else 0
    return weights / weights.sum(dim=1, keepdim=True)


def test_a_view_is_shown_in_as_many_pixels_as_its_image_has_for_it():
    box, flip = torch.tensor([[0.1, 0.2, 0.6, 0.5]]), torch.tensor([True])
    source = ramp(1, 96, 128)
    small, same = (cut(source, box, flip, size) for size in ((24, 36), (60, 70)))
    fine = finest(source, small)
    assert fine.shape == (3, 72, 108)
    averaged = F.avg_pool2d(fine[None], 3)
    torch.testing.assert_close(averaged[0, :2], small.image[0, :2], atol=0.01, rtol=0)
    assert torch.equal(finest(source, same), same.image[0])
    assert finest(source, small, most=80).shape == (3, 48, 72)
    assert torch.equal(finest(source, small, most=71), small.image[0])
