"""Colours against torchvision and scipy, probabilities against counts."""

import math

import pytest
import torch
from scipy.ndimage import gaussian_filter
from torchvision.transforms.v2 import functional as vision
from ways import WAYS, multiply

from siamlab.colour import (
    LUMA,
    STRONG_CONTEXT,
    STRONG_TARGET,
    ByolColour,
    Colour,
    LightColour,
    NoColour,
    SiameseColour,
    Strengths,
    SymmetricColour,
    blur,
    hue_matrix,
    paint,
    recolour,
    saturation_matrix,
    solarize,
)
from siamlab.component import variants

EVERY = pytest.mark.parametrize("cls", variants(Colour))
ROLES = pytest.mark.parametrize("role", ["context", "target"])
FACTORS = pytest.mark.parametrize("factor", [0.6, 1.0, 1.4])
EYE = torch.eye(3)[None]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def image(batch=2, low=0.3, high=0.6, side=8):
    return low + (high - low) * torch.rand(batch, 3, side, side, generator=seeded(7))


@EVERY
@ROLES
def test_colours_stay_in_range_and_leave_their_input_alone(cls, role):
    given = image(64, 0.0, 1.0)
    kept = given.clone()
    found = cls()(given, role, seeded())
    assert found.shape == given.shape and 0 <= found.min() and found.max() <= 1
    assert torch.equal(given, kept)


@EVERY
@ROLES
def test_the_seed_decides_the_colours(cls, role):
    given = image(16)
    assert torch.equal(cls()(given, role, seeded(1)), cls()(given, role, seeded(1)))
    differs = not torch.equal(cls()(given, role, seeded(1)), cls()(given, role, seeded(2)))
    assert differs == (cls is not NoColour)


@pytest.mark.parametrize("cls", [c for c in variants(Colour) if c is not NoColour])
@ROLES
def test_each_image_has_a_draw_of_its_own(cls, role):
    """At most about the unjittered copies (a fifth) of one image come out the same."""
    ramp = torch.linspace(0.2, 0.7, 192).view(1, 3, 8, 8).expand(100, -1, -1, -1)
    assert len(cls()(ramp, role, seeded()).unique(dim=0)) > 70


@FACTORS
def test_brightness_is_torchvisions(factor):
    found = recolour(image(), EYE.expand(2, -1, -1) * factor, torch.ones(2))
    torch.testing.assert_close(found, vision.adjust_brightness(image(), factor))


@FACTORS
def test_contrast_is_torchvisions(factor):
    found = recolour(image(), EYE.expand(2, -1, -1), torch.full((2,), factor))
    torch.testing.assert_close(
        found, vision.adjust_contrast(image(), factor), atol=2e-4, rtol=0
    )  # its luma rounds 0.2990 to 0.2989


@FACTORS
def test_saturation_is_torchvisions(factor):
    found = recolour(image(), saturation_matrix(torch.full((2,), factor)), torch.ones(2))
    torch.testing.assert_close(found, vision.adjust_saturation(image(), factor), atol=2e-4, rtol=0)


def test_no_saturation_is_grey():
    found = recolour(image(), saturation_matrix(torch.zeros(2)), torch.ones(2))
    grey = sum(weight * image()[:, c] for c, weight in enumerate(LUMA))
    torch.testing.assert_close(found, grey[:, None].expand(-1, 3, -1, -1))
    torch.testing.assert_close(grey[:, None], vision.rgb_to_grayscale(image()), atol=2e-4, rtol=0)


def test_contrast_is_applied_before_the_matrix():
    """The mean grey that contrast pulls to is the image's own: brightness 2 after contrast ½."""
    found = recolour(image(2, 0.1, 0.4), 2 * EYE.expand(2, -1, -1), torch.full((2,), 0.5))
    expected = vision.adjust_contrast(image(2, 0.1, 0.4), 0.5) * 2
    torch.testing.assert_close(found, expected, atol=4e-4, rtol=0)


@pytest.mark.parametrize("thirds", [0, 1, 2])
def test_a_third_of_a_turn_of_hue_permutes_the_channels(thirds):
    found = recolour(image(), hue_matrix(torch.full((2,), thirds / 3)), torch.ones(2))
    torch.testing.assert_close(found, image().roll(thirds, dims=1))
    signed = (thirds / 3 + 0.5) % 1 - 0.5  # torchvision's range
    torch.testing.assert_close(found, vision.adjust_hue(image(), signed), atol=1e-5, rtol=0)


@pytest.mark.parametrize("turns", [-0.1, 0.05, 0.1])
def test_hue_is_a_rotation_about_grey(turns):
    """Right-handed about (1, 1, 1), by Rodrigues' formula."""
    axis = torch.full((3,), 3**-0.5)
    cross = torch.linalg.cross(axis.expand(3, -1), torch.eye(3)).T  # cross @ v = axis × v
    angle = 2 * math.pi * turns
    rotation = torch.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    torch.testing.assert_close(hue_matrix(torch.tensor([turns]))[0], rotation)


def test_solarize_is_torchvisions_for_the_chosen():
    given = image(4, 0.0, 1.0)
    found = solarize(given, torch.tensor([True, False, True, False]))
    torch.testing.assert_close(found[::2], vision.solarize(given[::2], 0.5))
    assert torch.equal(found[1::2], given[1::2])


def test_blur_is_scipys_gaussian_inside():
    given, sigma = image(3, 0, 1, 25), torch.tensor([0.8, 1.5, 0.0])
    found = blur(given, sigma, most=1.5)
    for k in range(2):
        expected = gaussian_filter(given[k].numpy(), [0, *[sigma[k].item()] * 2], truncate=8)
        inside = (slice(None), slice(10, 15), slice(10, 15))
        torch.testing.assert_close(
            found[k][inside], torch.from_numpy(expected)[inside], atol=1e-4, rtol=0
        )
    torch.testing.assert_close(found[2], given[2])


@pytest.mark.parametrize("way", WAYS)
def test_all_ways_of_blurring_are_one_plain_sum(way, monkeypatch):
    multiply(way, monkeypatch)
    given, sigma = torch.rand(4, 3, 20, 33, generator=seeded()), torch.tensor([0.0, 0.3, 1, 2.5])
    found = blur(given, sigma, most=2.5)
    for image, s, blurred in zip(given.double(), sigma.tolist(), found, strict=True):
        rows, columns = (
            torch.exp(-((i[:, None] - i) ** 2) / (2 * max(s, 0.01) ** 2))
            for i in (torch.arange(n, dtype=torch.float64) for n in image.shape[1:])
        )
        rows, columns = (m / m.sum(dim=1, keepdim=True) for m in (rows, columns))
        plain = torch.einsum("yr,crs,xs->cyx", rows, image, columns)
        torch.testing.assert_close(blurred.double(), plain, atol=2e-6, rtol=0)


@EVERY
@ROLES
def test_large_images_are_painted_as_small_ones_are(cls, role, monkeypatch):
    given, found = image(batch=11, low=0, high=1, side=112), []
    for way in WAYS:
        multiply(way, monkeypatch)
        found.append(cls()(given, role, seeded(4)))
    torch.testing.assert_close(found[0], found[1], atol=2e-6, rtol=0)
    torch.testing.assert_close(found[0], found[2], atol=2e-6, rtol=0)


def test_blur_keeps_a_constant_image_up_to_its_border():
    constant = torch.full((1, 3, 6, 9), 0.4)
    torch.testing.assert_close(blur(constant, torch.tensor([2.0]), most=2.0), constant)


def test_the_recipes_are_those_of_the_papers():
    """SiameseIM's table: jitter, brightness, contrast, saturation, hue, grey, blur, solarize."""
    assert STRONG_CONTEXT == (0.8, 0.4, 0.4, 0.2, 0.1, 0.2, 1.0, 0.0)
    assert STRONG_TARGET == (0.8, 0.4, 0.4, 0.2, 0.1, 0.2, 0.1, 0.2)
    symmetric = Strengths(0.8, 0.4, 0.4, 0.4, 0.1, 0.2, 0.5, 0.0)  # MoCo-v2's
    used = {
        SiameseColour: (STRONG_CONTEXT, STRONG_TARGET),
        ByolColour: (STRONG_CONTEXT, STRONG_TARGET),
        SymmetricColour: (symmetric, symmetric),
        LightColour: (Strengths(1.0, 0.2, 0.2, 0.2), Strengths(1.0, 0.2, 0.2, 0.2)),
    }
    for cls, recipes in used.items():
        for role, recipe in zip(("context", "target"), recipes, strict=True):
            found = cls()(image(16), role, seeded())
            assert torch.equal(found, paint(image(16), recipe, seeded()))


@pytest.mark.parametrize("name", ["jitter", "grey", "solarize", "blur"])
@pytest.mark.parametrize("chance", [0.1, 0.2, 0.8])
def test_an_operation_happens_as_often_as_told(name, chance):
    strength = {"brightness": 0.4, "contrast": 0.4} if name == "jitter" else {}
    given = torch.zeros(600, 3, 1, 56)
    given[..., 28], given[:, 0] = 1, given[:, 0] + 0.2  # a white line on dark red
    changed = (paint(given, Strengths(**{name: chance}, **strength), seeded()) - given).abs() > 1e-7
    rate = changed.flatten(1).any(dim=1).float().mean().item()
    seen = 1.0 if name != "blur" else 1 - 0.66 / 1.9  # the least σ change nothing at this size
    assert rate == pytest.approx(chance * seen, abs=0.04)


@pytest.mark.parametrize(
    "name, factor",
    [
        ("brightness", lambda x: x.mean(dim=(1, 2, 3)) / 0.5),
        ("contrast", lambda x: (x[..., 1] - x[..., 0])[:, 0, 0] / 0.2),
    ],
)
def test_factors_are_uniform_about_1(name, factor):
    given = torch.tensor([0.4, 0.6]).expand(4000, 3, 1, 2)
    found = factor(paint(given, Strengths(1.0, **{name: 0.4}), seeded()))
    assert found.min() < 0.61 and found.max() > 1.39
    quarters = torch.histc(found, 4, 0.6, 1.4) / len(found)
    torch.testing.assert_close(quarters, torch.full((4,), 0.25), atol=0.03, rtol=0)


def test_hue_turns_uniformly_both_ways():
    given = torch.tensor([0.6, 0.4, 0.4]).view(1, 3, 1, 1).expand(4000, 3, 1, 1)
    red, green, blue = paint(given, Strengths(1.0, hue=0.1), seeded())[..., 0, 0].unbind(1)
    turns = torch.atan2(3**0.5 * (green - blue), 2 * red - green - blue) / (2 * math.pi)
    quarters = torch.histc(turns, 4, -0.1, 0.1) / len(turns)
    torch.testing.assert_close(quarters, torch.full((4,), 0.25), atol=0.03, rtol=0)


def test_blur_is_told_in_pixels_of_a_view_of_224():
    """σ from the ratio of an impulse's centre and neighbour, exp(−1 / 2σ²); uniform in 0.1..2."""
    given = torch.zeros(300, 3, 1, 224)
    given[..., 112] = 1
    found = paint(given, Strengths(blur=1.0), seeded())[:, 0, 0]
    sigma = (-0.5 / (found[:, 113] / found[:, 112]).log()).sqrt()
    quarters = torch.histc(sigma, 4, 0.1, 2.0) / len(sigma)
    torch.testing.assert_close(quarters, torch.full((4,), 0.25), atol=0.08, rtol=0)
    assert 0.099 < sigma.min() and sigma.max() < 2.001


def test_brightness_and_contrast_are_drawn_apart():
    given = torch.tensor([0.4, 0.6]).expand(4000, 3, 1, 2)
    found = paint(given, Strengths(1.0, brightness=0.4, contrast=0.4), seeded())
    brightness = found.mean(dim=(1, 2, 3)) / 0.5
    contrast = (found[..., 1] - found[..., 0])[:, 0, 0] / 0.2 / brightness
    assert contrast.min() < 0.61 and contrast.max() > 1.39
    assert abs(torch.corrcoef(torch.stack([brightness, contrast]))[0, 1]) < 0.05
