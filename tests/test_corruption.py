"""Corrupted images: laws over all kinds, and one fact about each."""

from io import BytesIO

import numpy
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from siamlab.component import UserError
from siamlab.probe.corruption import KINDS, corrupted

EVERY = pytest.mark.parametrize("kind", KINDS)


def pictures(n=6, side=(48, 64), seed=0):
    """Smooth patches of colour with sharp edges."""
    g = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, 3, 9, 9, generator=g)
    fine = torch.nn.functional.interpolate(coarse, side, mode="bicubic")
    return (fine * 255 + 40 * (fine > 0.5)).clamp(0, 255).byte()


def numbered(*strengths):
    return list(enumerate(strengths, start=1))


def error(images, kind, severity, **options):
    return (corrupted(images, kind, severity, **options).float() - images).square().mean().item()


@EVERY
def test_severities_grow_worse(kind):
    images = pictures(side=(96, 128))
    errors = [error(images, kind, severity) for severity in range(6)]
    assert errors[0] == 0 and errors == sorted(errors) and len(set(errors)) == 6


@EVERY
def test_the_input_is_left_alone_and_the_kind_of_array_kept(kind):
    images = pictures()
    before = images.clone()
    for severity in (0, 3):
        worse = corrupted(images, kind, severity)
        assert worse.shape == images.shape and worse.dtype == torch.uint8
        worse.zero_()
        assert torch.equal(images, before)


@EVERY
@pytest.mark.parametrize("chunk", [1, 4])
def test_in_chunks_as_in_one_piece(kind, chunk):
    images = pictures(side=(9, 7))
    assert torch.equal(corrupted(images, kind, 3, chunk=chunk), corrupted(images, kind, 3))


@EVERY
def test_the_seed_decides_the_noise_and_nothing_else(kind):
    one, same, other = (corrupted(pictures(), kind, 3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, same) and torch.equal(one, other) == (kind != "noise")


@EVERY
@pytest.mark.parametrize("side", [(8, 8), (1, 5)])
def test_tiny_images_and_flat_ones_work(kind, side):
    images = torch.full((2, 3, *side), 100, dtype=torch.uint8)
    for severity in range(1, 6):
        worse = corrupted(images, kind, severity)
        assert worse.shape == images.shape
        assert kind == "noise" or (worse.int() - images).abs().max() <= 2  # JPEG rounds


@EVERY
def test_grey_images_stay_grey_but_under_noise(kind):
    grey = pictures()[:, :1].expand(-1, 3, -1, -1)
    worse = corrupted(grey, kind, 4).int()
    assert ((worse - worse[:, :1]).abs().max() <= 1) == (kind != "noise")


@pytest.mark.parametrize("severity, sigma", numbered(0.08, 0.12, 0.18, 0.26, 0.38))
def test_noise_is_gaussian_and_clipped(severity, sigma):
    images = torch.full((20, 3, 32, 32), 128, dtype=torch.uint8)
    noise = corrupted(images, "noise", severity).double() - 128
    z = numpy.random.default_rng(0).normal(0, 255 * sigma, 10**6)
    expected = numpy.clip(numpy.round(128 + z), 0, 255) - 128
    assert noise.std().item() == pytest.approx(expected.std(), rel=0.02)
    assert noise.mean().item() == pytest.approx(expected.mean(), abs=1)
    two = noise.flatten(1)[:2]
    assert abs(torch.corrcoef(two)[0, 1]) < 0.06  # each image has its own
    channels = torch.corrcoef(noise[0].flatten(1))
    assert channels[0, 1].abs() < 0.15


@pytest.mark.parametrize("severity, sigma", numbered(1, 2, 3, 4, 6))
def test_blur_is_gaussian_at_the_size_of_imagenet(severity, sigma):
    images = pictures(2, (224, 150))
    theirs = gaussian_filter(images.double().numpy(), sigma, axes=(2, 3), mode="reflect")
    ours = corrupted(images, "blur", severity).numpy()
    assert numpy.abs(ours - theirs).max() < 2.5 and numpy.abs(ours - theirs).mean() < 0.5


@pytest.mark.parametrize("side", [32, 64])
def test_blur_goes_with_the_side(side):
    point = torch.zeros(1, 3, 5, side, dtype=torch.uint8)
    point[..., side // 2] = 255
    row = corrupted(point, "blur", 5)[0, 0, 0].double()
    place = torch.arange(side) - side // 2
    variance = (row * place**2).sum() / row.sum()
    assert variance.item() == pytest.approx((6 * side / 224) ** 2, rel=0.06)
    assert row.sum().item() == pytest.approx(255, abs=3)


def test_contrast_pulls_each_channel_to_its_mean():
    images = pictures()
    x = images.double().numpy()
    mean = x.mean(axis=(2, 3), keepdims=True)
    for severity, left in numbered(0.4, 0.3, 0.2, 0.1, 0.05):
        ours = corrupted(images, "contrast", severity).numpy()
        numpy.testing.assert_allclose(ours, mean + left * (x - mean), atol=0.51)


@pytest.mark.parametrize("severity, left", numbered(0.6, 0.5, 0.4, 0.3, 0.25))
def test_pixelation_is_pillows_box(severity, left):
    images = pictures(side=(60, 40))
    small = int(40 * left), int(60 * left)
    for image, ours in zip(images, corrupted(images, "pixelation", severity), strict=True):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        theirs = picture.resize(small, Image.Resampling.BOX).resize((40, 60), Image.Resampling.BOX)
        numpy.testing.assert_array_equal(ours.permute(1, 2, 0).numpy(), numpy.asarray(theirs))
        assert len(numpy.unique(ours[:, :, 0], axis=1).T) <= small[1]


def test_jpeg_has_imagenet_cs_qualities():
    image = pictures(1)[0]
    for severity, quality in numbered(25, 18, 15, 10, 7):
        file = BytesIO()
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
        theirs = torch.from_numpy(numpy.array(Image.open(file))).permute(2, 0, 1)
        assert torch.equal(corrupted(image[None], "jpeg", severity)[0], theirs)


def test_unknown_kinds_and_severities_are_refused():
    with pytest.raises(UserError, match="no corruption 'blurr'.*'blur'"):
        corrupted(pictures(), "blurr", 1)
    with pytest.raises(UserError, match="severity=6 must be 0"):
        corrupted(pictures(), "blur", 6)
