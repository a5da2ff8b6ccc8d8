"""Scenes: what they say about themselves is true of their pixels."""

import time

import numpy as np
import pytest
import torch
from PIL import Image

from siamlab.component import UserError
from siamlab.data import Scenes, across, is_paired, pairs, sample, take
from siamlab.data.cutouts import FashionObjects, FolderObjects, cut, frames, silhouette
from siamlab.data.scenes import PHOTOGRAPHS, load_photographs

SMALL = Scenes(images=300, test_images=200)


def stretched(images, side, slot=0):
    """The object's frame of each scene, unmirrored, as side x side samples of the masks."""
    y = x = (torch.arange(side) + 0.5) / side
    grid = torch.stack(torch.meshgrid(y, x, indexing="ij"), -1).view(-1, 2)
    box, flip = images.objects.box[:, slot, None], images.objects.flip[:, slot, None]
    points = grid.expand(len(box), -1, -1).clone()
    points[..., 1] = torch.where(flip, 1 - points[..., 1], points[..., 1])
    points = box[..., :2] + box[..., 2:] * points  # [n, side², 2], fractions of the scene
    return points


def halves(images):
    """The objects of the first and of the second scene of every pair."""
    return (take(images, index).objects for index in pairs(images).T)


def look(values, points):
    """The pixel of each [n, H, W] image that holds each point."""
    place = (points * values.shape[-1]).long().clamp(0, values.shape[-1] - 1)
    return values[torch.arange(len(values))[:, None], place[..., 0], place[..., 1]]


def test_the_shapes_are_the_fields():
    images = Scenes(images=5, side=40, per_scene=3)("train")
    assert images.pixels.shape == (5, 3, 40, 40) and images.masks.shape == (5, 40, 40)
    assert images.objects.instance.shape == (5, 3) and images.objects.box.shape == (5, 3, 4)
    assert images.regions == ("background", *images.classes) and len(images.classes) == 10


@pytest.mark.parametrize("split", ["train", "test"])
def test_masks_hold_the_class_of_the_object_and_nothing_else(split):
    images = SMALL(split)
    for mask, label in zip(images.masks, images.labels, strict=True):
        assert mask.unique().tolist() == [0, label + 1]


def test_background_pixels_are_pixels_of_the_photographs_and_object_pixels_are_not():
    """At no contrast all photographs are grey 128, and no tint is grey."""
    images = SMALL.replace(contrast=0.0)("train")
    grey = (images.pixels == 128).all(dim=1)
    assert torch.equal(grey, images.masks == 0)


def test_the_objects_do_not_depend_on_the_background():
    plain, rich = SMALL.replace(contrast=0.0)("train"), SMALL.replace(contrast=1.0)("train")
    inside = (plain.masks > 0)[:, None].expand_as(plain.pixels)
    assert torch.equal(plain.masks, rich.masks)
    assert torch.equal(plain.pixels[inside], rich.pixels[inside])
    outside = plain.pixels[~inside].float(), rich.pixels[~inside].float()
    assert outside[0].std() == 0 and outside[1].std() > 30


def test_contrast_is_the_share_of_the_photograph_that_is_left():
    full, third = (load_photographs("train", 7, 48, c) for c in (1.0, 1 / 3))
    for a, b in zip(full, third, strict=True):
        expected = 128 + (a[0].float() - 128) / 3
        assert (b[0].float() - expected).abs().max() <= 1.1  # both were rounded


@pytest.mark.parametrize("split", ["train", "test"])
def test_boxes_are_tight(split):
    images = SMALL(split)
    for mask, box in zip(images.masks, images.objects.box[:, 0], strict=True):
        inside = mask.numpy() > 0
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        low, high = np.array([rows[0], columns[0]]), np.array([rows[-1], columns[-1]]) + 1
        top = box[:2].numpy() * 48
        assert np.abs(low - top).max() <= 1.01
        assert np.abs(high - top - box[2:].numpy() * 48).max() <= 1.01


def test_objects_have_the_sizes_asked_for_and_lie_inside():
    images = SMALL.replace(size=(0.4, 0.5), per_scene=2)("train")
    box = images.objects.box
    longest = box[..., 2:].amax(dim=-1)
    assert 0.4 <= longest.min() < 0.41 and 0.49 < longest.max() <= 0.5
    assert (longest[:, 0] >= longest[:, 1]).all()  # the first is the largest, and the label
    assert box.min() >= 0 and (box[..., :2] + box[..., 2:]).max() <= 1 + 1e-6


def test_the_silhouette_in_the_scene_is_the_one_of_the_garment():
    """Each frame, stretched to 28 samples a side, against the garment's own tight crop."""
    images = SMALL("train")
    cutouts = FashionObjects()("train", [])
    frame = frames(cutouts.inside)
    seen = look(images.masks > 0, stretched(images, 28))
    for got, instance in zip(seen, images.objects.instance[:, 0] // 2, strict=True):
        top, left, height, width = frame[instance].long().tolist()
        crop = cutouts.inside[instance, top : top + height, left : left + width].numpy()
        expected = np.asarray(Image.fromarray(crop).resize((28, 28), Image.Resampling.NEAREST))
        assert (got.view(28, 28).numpy() == expected).mean() > 0.9


def test_labels_are_those_of_the_instances():
    images = SMALL("test")
    labels = FashionObjects()("test", []).labels
    assert torch.equal(images.labels, labels[images.objects.instance[:, 0] // 2])


def test_pairs_show_the_same_object_otherwise():
    images = SMALL("test")
    a, b = (images.objects.instance[index, 0] for index in pairs(images).T)
    assert torch.equal(a, b) and len(a.unique()) == 100
    first, second = images.pixels[0::2].float(), images.pixels[1::2].float()
    assert (first - second).abs().mean(dim=(1, 2, 3)).min() > 5
    assert not torch.equal(images.objects.flip[0::2], images.objects.flip[1::2])
    assert not torch.equal(images.objects.box[0::2], images.objects.box[1::2])


@pytest.mark.parametrize("slot", [0, 1])
def test_every_point_of_an_object_is_found_in_the_other_scene(slot):
    """The shading, warped from one scene into the other, is the same up to one tint."""
    images = SMALL.replace(per_scene=2, side=96, size=(0.6, 0.9))("test")
    a, b = halves(images)
    here = stretched(images, 40, slot)[0::2]
    there = across(here, a, b, slot)
    torch.testing.assert_close(there, stretched(images, 40, slot)[1::2], atol=1e-5, rtol=0)
    labels = FashionObjects()("test", []).labels[a.instance[:, slot] // 2, None] + 1
    views = [(images.masks[0::2], here), (images.masks[1::2], there)]
    shown = torch.stack([look(masks, points) == labels for masks, points in views]).all(dim=0)
    light = images.pixels.amax(dim=1).float()
    one, two = look(light[0::2], here), look(light[1::2], there)
    alike = [
        np.corrcoef(x[s], y[s])[0, 1]
        for x, y, s in zip(one, two, shown, strict=True)
        if s.sum() > 400 and x[s].std() > 12
    ]
    assert len(alike) > 40 and np.median(alike) > 0.9


def test_a_silhouette_lies_over_itself_in_the_other_scene():
    images = SMALL("test")
    here = stretched(images, 40)[0::2]
    there = across(here, *halves(images))
    same = look(images.masks[0::2], here) == look(images.masks[1::2], there)
    assert same.float().mean(dim=1).min() > 0.8 and same.float().mean() > 0.95


def test_across_and_back_is_the_same_point():
    images = SMALL("test")
    a, b = halves(images)
    points = torch.rand(len(a.box), 7, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(across(across(points, a, b), b, a), points, atol=1e-5, rtol=0)


def test_training_and_test_share_no_object_and_no_photograph():
    train, test = (Scenes(images=20_000, side=8)(split) for split in ("train", "test"))
    assert not set(train.objects.instance.unique().tolist()) & set(
        test.objects.instance.unique().tolist()
    )
    assert not set(PHOTOGRAPHS["train"]) & set(PHOTOGRAPHS["test"])
    counts = train.objects.instance.unique(return_counts=True)[1]
    assert counts.tolist() == [2] * 10_000  # every training garment equally often


def test_fewer_photographs_are_fewer_backgrounds():
    assert [len(load_photographs("train", n, 48, 1.0)) for n in (1, 7)] == [1, 7]
    assert len(load_photographs("test", 1, 48, 1.0)) == 3


def test_the_seed_decides_every_byte(tmp_path, monkeypatch):
    first, other = SMALL("train"), SMALL.replace(seed=1)("train")
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path))
    again = SMALL("train")
    for name in ("pixels", "labels", "masks"):
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))
    assert all(torch.equal(x, y) for x, y in zip(first.objects, again.objects, strict=True))


def test_the_colour_says_nothing_about_the_class():
    """Mean colours of the classes differ by no more than chance lets them."""
    images = Scenes(images=4000, contrast=0.0)("train")
    inside = (images.masks > 0)[:, None]
    total = (images.pixels * inside).sum(dim=(2, 3)).float()
    tint = total / total.sum(dim=1, keepdim=True)
    means = torch.stack([tint[images.labels == c].mean(dim=0) for c in range(10)])
    assert (means - 1 / 3).abs().max() < 4 * tint.std() / 400**0.5


def test_ten_thousand_scenes_take_seconds(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path))
    start = time.process_time()
    Scenes(images=2000)("train")
    assert time.process_time() - start < 6  # 30 s for 10,000


def test_a_sample_keeps_pairs_together_and_grows():
    images = SMALL("test")
    few, more = sample(images, 20), sample(images, 60)
    assert is_paired(few) and len(few.masks) == 20 and len(few.objects.box) == 20
    assert set(few.objects.instance[:, 0].tolist()) <= set(more.objects.instance[:, 0].tolist())
    assert sample(images, 201) is images and sample(images, None) is images
    with pytest.raises(UserError, match="n=0 must be a whole number from 1; the set has"):
        sample(images, 0)


def test_training_scenes_have_no_pairs():
    with pytest.raises(UserError, match='"test" split'):
        pairs(SMALL("train"))


@pytest.mark.parametrize(
    "field, value, said",
    [
        ("size", (0.9, 0.5), "0 < least <= largest <= 1"),
        ("size", (0.0, 0.5), "0 < least <= largest <= 1"),
        ("size", (0.5, 1.5), "0 < least <= largest <= 1"),
        ("test_images", 3, ", even$"),
        ("contrast", 1.5, "to 1$"),
        ("photographs", 8, "to 7$"),
        ("images", 0, "from 1 to"),
    ],
)
def test_senseless_fields_are_refused(field, value, said):
    with pytest.raises(UserError, match=said):
        Scenes(**{field: value})


def test_a_silhouette_has_no_holes_but_bays():
    ink = torch.tensor(
        [
            [0, 1, 1, 1, 0, 1, 1, 1],
            [0, 1, 0, 1, 0, 1, 0, 0],
            [0, 1, 1, 1, 0, 1, 1, 1],
        ]
    ).bool()
    expected = ink.clone()
    expected[1, 2] = True  # a hole; the bay at [1, 6] is open to the right
    assert torch.equal(silhouette(ink[None])[0], expected)


def test_a_silhouette_follows_a_spiral_to_its_end():
    rows = "1111111 1000000 1011111 1010001 1010101 1011101 1000001 1111111".split()
    ink = torch.tensor([[int(c) for c in row] for row in rows]).bool()
    assert torch.equal(silhouette(ink[None])[0], ink)


@pytest.fixture
def drawn(tmp_path):
    """Two classes of six files: a disc with transparency, a bar on a plain green ground."""
    y, x = np.mgrid[:40, :60]
    disc = (y - 20) ** 2 + (x - 30) ** 2 < 15**2
    bar = (abs(y - 20) < 5) & (abs(x - 30) < 25)
    for name in ("disc", "bar"):
        (tmp_path / name).mkdir()
    for i in range(6):
        shade = np.full((40, 60), 90 + 20 * i, np.uint8)
        rgba = np.dstack([shade, shade, shade, 255 * disc.astype(np.uint8)])
        Image.fromarray(rgba).save(tmp_path / f"disc/{i}.png")
        rgb = np.where(bar[..., None], shade[..., None], np.uint8([20, 160, 40]))
        Image.fromarray(rgb).save(tmp_path / f"bar/{i}.png")
    return tmp_path


def test_objects_may_come_from_a_folder(drawn):
    scenes = Scenes(objects=FolderObjects(path=str(drawn)), images=40, test_images=20)
    train, test = scenes("train"), scenes("test")
    assert train.classes == ("bar", "disc") and set(test.labels.tolist()) <= {0, 1}
    assert not set(train.objects.instance.flatten().tolist()) & set(
        test.objects.instance.flatten().tolist()
    )
    shape = train.objects.box[:, 0, 2] / train.objects.box[:, 0, 3]  # height over width
    expected = torch.where(train.labels == 0, 9 / 49, 1.0)
    torch.testing.assert_close(shape, expected, atol=0.06, rtol=0)
    full = (train.masks > 0).float().mean(dim=(1, 2)) / train.objects.box[:, 0, 2:].prod(dim=1)
    expected = torch.where(train.labels == 0, 1.0, np.pi / 4)  # a bar and a disc in their boxes
    torch.testing.assert_close(full, expected, atol=0.15, rtol=0)


def test_an_object_is_cut_at_its_own_place(drawn):
    shade, inside = cut(drawn / "bar/3.png", 60, 24)
    assert frames(inside[None])[0].tolist() == [16, 6, 9, 49]
    assert (shade[inside] == 150).float().mean() > 0.95 and not inside[:16].any()


def test_a_file_without_an_object_is_skipped_and_named(drawn):
    Image.new("RGB", (30, 30), "green").save(drawn / "bar/empty.png")
    objects = FolderObjects(path=str(drawn), test_fraction=0.01)
    with pytest.warns(UserWarning, match="1 of .* skipped: empty.png"):
        for split in ("train", "test"):
            Scenes(objects=objects, images=4, test_images=4)(split)


def test_objects_without_a_class_are_refused(drawn):
    Image.new("RGB", (30, 30), "green").save(drawn / "stray.png")
    with pytest.raises(UserError, match="objects.path=.*one folder for each class, but stray.png"):
        Scenes(objects=FolderObjects(path=str(drawn)))("train")


def test_a_file_that_could_be_transparent_and_is_not_is_cut_by_its_ground(drawn):
    plain = drawn / "bar/3.png"
    with Image.open(plain) as image:
        image.convert("RGBA").save(drawn / "opaque.png")
    for one, other in zip(cut(plain, 60, 24), cut(drawn / "opaque.png", 60, 24), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "objects, key",
    [
        (FolderObjects(path="none"), "data.objects.path='none'"),
        (FashionObjects(source="full", path="none"), "data.objects.path='none'"),
    ],
)
def test_a_mistake_in_the_objects_names_their_key(objects, key):
    with pytest.raises(UserError, match=key) as told:
        Scenes(objects=objects)("train")
    assert "data.path" not in str(told.value) and "data.source" not in str(told.value)
