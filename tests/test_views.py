"""Laws of every pairing, then what sets each apart."""

import math

import pytest
import torch

from siamlab.colour import LightColour, NoColour
from siamlab.component import UserError, variants
from siamlab.geometry import overlap
from siamlab.recipes import siameseim
from siamlab.views import (
    Crops,
    NestedCrops,
    OverlappingCrops,
    Recoloured,
    SameCrop,
    ShiftedCrops,
    TwoCrops,
    Views,
    random_boxes,
)

EVERY = pytest.mark.parametrize("cls", variants(Views))
SOURCE = (40, 60)
NOTHING = NoColour()
IMAGES = torch.randint(
    0, 256, (1000, 3, *SOURCE), generator=torch.Generator().manual_seed(9), dtype=torch.uint8
)


def draw(views, seed=0, colour=NOTHING):
    return views(IMAGES, (2, 3), colour, torch.Generator().manual_seed(seed))


def area(box):
    return box[:, 2] * box[:, 3]


def aspect(box):
    """Width over height in pixels."""
    return box[:, 3] * SOURCE[1] / (box[:, 2] * SOURCE[0])


def distance_from_uniform(sample):
    """Kolmogorov's statistic against uniform on 0..1, times √n: under 1.63 in 99 % of draws."""
    n = len(sample)
    steps = (torch.arange(n) + 0.5) / n
    return ((sample.sort().values - steps).abs().max() + 0.5 / n).item() * math.sqrt(n)


@EVERY
def test_the_seed_decides_the_views(cls):
    for one, same, other in zip(draw(cls()), draw(cls()), draw(cls(), seed=1), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
        assert not torch.equal(one.box, other.box)


@EVERY
def test_views_have_the_size_asked_for_and_differ_from_image_to_image(cls):
    for view in draw(cls()):
        assert view.image.shape == (1000, 3, 2, 3)
        assert 0 <= view.image.min() and view.image.max() <= 1
        assert view.box.shape == (1000, 4) and len(view.box.unique(dim=0)) > 990


@EVERY
def test_boxes_lie_inside_the_image(cls):
    for view in draw(cls()):
        corner, extent = view.box[:, :2], view.box[:, 2:]
        assert (corner >= 0).all() and (extent > 0).all() and (corner + extent < 1 + 1e-6).all()


@EVERY
@pytest.mark.parametrize("limit", [1.0, 1.5])
def test_the_shape_is_in_range_whatever_the_shape_of_the_image(cls, limit):
    crop = cls().crop.replace(aspect=limit)
    for view in draw(cls(crop=crop)):
        shape = aspect(view.box)
        assert 1 / limit - 1e-4 < shape.min() and shape.max() < limit + 1e-4
        assert limit == 1 or shape.log().std() > 0.1  # and it varies


@EVERY
def test_the_area_is_in_range(cls):
    crop = cls().crop.replace(area=(0.2, 0.5))
    views = draw(cls(crop=crop))
    for view in views[:1] if cls is NestedCrops else views:
        assert 0.2 - 1e-5 < area(view.box).min() and area(view.box).max() < 0.5 + 1e-5


@EVERY
@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_views_are_mirrored_as_often_as_told(cls, chance):
    for view in draw(cls(crop=cls().crop.replace(flip=chance))):
        assert view.flip.float().mean().item() == pytest.approx(chance, abs=0.05)


def test_area_shape_and_place_of_a_crop_are_uniform():
    rng = torch.Generator().manual_seed(4)
    box = random_boxes(20_000, (0.1, 0.7), 4 / 3, (50, 50), rng)  # 0.7 · 4/3 < 1: none is refused
    extent = box[:, 2:]
    assert distance_from_uniform((area(box) - 0.1) / 0.6) < 1.63
    shape = (extent[:, 1] / extent[:, 0]).log() / math.log(4 / 3)
    assert distance_from_uniform((shape + 1) / 2) < 1.63
    for place in (box[:, :2] / (1 - extent)).unbind(1):
        assert distance_from_uniform(place) < 1.63


@pytest.mark.parametrize(
    "source, central",
    [((10, 1000), (0, 0.49375, 1, 0.0125)), ((1000, 10), (0.49375, 0, 0.0125, 1))],
)
def test_where_no_crop_fits_the_largest_central_one_is_taken(source, central):
    box = random_boxes(50, (0.5, 1.0), 1.25, source, torch.Generator().manual_seed(0))
    torch.testing.assert_close(box, torch.tensor(central, dtype=torch.float32).expand(50, -1))


def test_same_crop_is_one_view():
    context, target = draw(SameCrop(), colour=LightColour())
    assert context is target


def test_recoloured_is_one_crop_in_two_colourings():
    context, target = draw(Recoloured(), colour=LightColour())
    assert torch.equal(context.box, target.box) and torch.equal(context.flip, target.flip)
    assert (context.image != target.image).flatten(1).any(dim=1).all()
    plain = draw(Recoloured())
    assert torch.equal(plain[0].image, plain[1].image)


def test_two_crops_share_nothing():
    context, target = draw(TwoCrops())
    both = torch.stack([context.box[:, 2].log(), target.box[:, 2].log()])
    assert abs(torch.corrcoef(both)[0, 1]) < 0.1
    assert 0.4 < (context.flip == target.flip).float().mean() < 0.6


@pytest.mark.parametrize("reach", [0.2, 0.5])
def test_shifted_crops_differ_by_an_offset_within_reach(reach):
    context, target = draw(ShiftedCrops(reach=reach))
    assert torch.equal(context.box[:, 2:], target.box[:, 2:])
    assert torch.equal(context.flip, target.flip)
    offset = (target.box[:, :2] - context.box[:, :2]) / context.box[:, 2:]
    assert (offset.abs() < reach + 1e-5).all() and (offset.abs() > 0.9 * reach).any()
    assert abs(offset.mean()) < 0.1 * reach


@pytest.mark.parametrize("iou", [0.3, 0.6])
def test_overlapping_crops_keep_their_iou(iou):
    context, target = draw(OverlappingCrops(iou=iou))
    shared = overlap(context.box, target.box)
    assert shared.min() >= iou and (shared > 0.999).float().mean() < 0.02  # it is another crop
    assert not torch.equal(context.flip, target.flip)


def test_overlapping_crops_take_the_first_try_that_fits():
    free, two = draw(OverlappingCrops(iou=0.0)), draw(TwoCrops())
    assert torch.equal(free[0].box, two[0].box) and torch.equal(free[1].box, two[1].box)


@pytest.mark.parametrize("sees", ["outer", "inner"])
def test_nested_crops_lie_one_inside_the_other(sees):
    views = draw(NestedCrops(context=sees, inner=(0.2, 0.3)))
    outer, inner = (v.box for v in (views if sees == "outer" else views[::-1]))
    assert (inner[:, :2] >= outer[:, :2] - 1e-6).all()
    assert (inner[:, :2] + inner[:, 2:] <= outer[:, :2] + outer[:, 2:] + 1e-6).all()
    share = area(inner) / area(outer)
    assert 0.2 - 1e-5 < share.min() and share.max() < 0.3 + 1e-5 and share.std() > 0.01


def test_colour_is_told_which_view_is_which():
    said = []

    class Spy(NoColour):
        def __call__(self, image, role, rng):
            said.append(role)
            return image

    draw(TwoCrops(), colour=Spy())
    assert said == ["context", "target"]


def test_roles_say_which_view_is_the_context():
    run = siameseim()
    first, second = draw(TwoCrops())
    assert run.directions(first, second) == [(first, second)]
    both = run.change(roles="both").directions(first, second)
    assert [(a is first, b is second) for a, b in both] == [(True, True), (False, False)]


@pytest.mark.parametrize("wrong", [{"area": (0.5, 0.2)}, {"area": (0, 1)}, {"aspect": 0.5}])
def test_impossible_crops_are_refused(wrong):
    with pytest.raises(UserError):
        Crops(**wrong)
