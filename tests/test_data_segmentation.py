"""Images with masks: the layouts, read from small files in them."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from siamlab import open_model
from siamlab.component import UserError
from siamlab.data import Segmentation
from siamlab.data.about import about_data
from siamlab.data.layouts import CITYSCAPES, VOC
from siamlab.probe import probe_model, segmentation
from siamlab.probe.suite import Suite, rows

SIDE = 16


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))


def halves(upper, lower, size=(20, 16)):
    array = np.full(size[::-1], upper, np.uint8)
    array[size[1] // 2 :] = lower
    return Image.fromarray(array)


def picture(path):
    """A dark half above a bright one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halves(40, 200).convert("RGB").save(path, quality=95)


def mask(path, upper=0, lower=1, size=(20, 16), palette=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = halves(upper, lower, size)
    if palette:
        image.putpalette([c for i in range(256) for c in (255 - i, i, 7 * i % 256)])
    image.save(path)


def own(root, n=6, **values):
    for i in range(n):
        picture(root / f"images/{i}.jpg")
        mask(root / f"masks/{i}.png", **values)
    return root


def parts(root):
    own(root / "train", 3)
    own(root / "val", 2)
    return root


def voc(root):
    lists = root / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    for listing, names in (("train", ["2007_1", "2007_2"]), ("val", ["2007_3"])):
        (lists / f"{listing}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            picture(root / f"JPEGImages/{name}.jpg")
            mask(root / f"SegmentationClass/{name}.png", 0, 15, palette=True)
    picture(root / "JPEGImages/2007_9.jpg")  # most of VOC's images have no mask and are not listed
    return root


def ade20k(root):
    for part, n in (("training", 3), ("validation", 1)):
        for i in range(n):
            picture(root / f"images/{part}/ADE_{i}.jpg")
            mask(root / f"annotations/{part}/ADE_{i}.png", 0, 150)
    names = "\n".join(f"{i}\t0.1\t1\t1\tthing {i}, other" for i in range(1, 151))
    (root / "objectInfo150.txt").write_text(f"Idx\tRatio\tTrain\tVal\tName\n{names}\n")
    return root


def cityscapes(root):
    for part, n in (("train", 2), ("val", 1)):
        for i in range(n):
            name = f"{part}/ulm/ulm_{i:06}_000019"
            picture(root / f"leftImg8bit/{name}_leftImg8bit.png")
            mask(root / f"gtFine/{name}_gtFine_labelIds.png", 3, 33)  # not scored, and bicycle
    return root


COUNTED = ("region 0", "region 1")
LAYOUTS = {
    own: ((5, 1), (0, 1), COUNTED),
    parts: ((3, 2), (0, 1), COUNTED),
    voc: ((2, 1), (0, 15), tuple(VOC.split())),
    ade20k: ((3, 1), (255, 149), tuple(f"thing {i}" for i in range(1, 151))),
    cityscapes: ((2, 1), (255, 18), tuple(CITYSCAPES.values())),
}


@pytest.mark.parametrize("write", LAYOUTS, ids=lambda write: write.__name__)
def test_masks_lie_on_what_they_are_of_in_every_layout(write, tmp_path):
    counts, (upper, lower), regions = LAYOUTS[write]
    data = Segmentation(path=str(write(tmp_path / "set")), side=SIDE)
    for split, count in zip(("train", "test"), counts, strict=True):
        images = data(split)
        assert len(images.pixels) == len(images.masks) == count
        assert images.regions == regions and set(images.labels.tolist()) == {-1}
        dark = images.pixels[:, 0] < 120
        assert torch.equal(images.masks, torch.where(dark, upper, lower).to(torch.uint8))


def test_published_sets_have_all_their_regions():
    assert len(VOC.split()) == 21 and len(CITYSCAPES) == 19


def test_names_of_regions_are_read_and_limit_the_values(tmp_path):
    root = own(tmp_path / "set")
    (root / "regions.txt").write_text("sky\nsea\n")
    data = Segmentation(path=str(root), side=SIDE)
    assert data("train").regions == ("sky", "sea")
    (root / "regions.txt").write_text("sky\n")
    with pytest.raises(UserError, match=r"masks/.\.png has the value 1, but with 1 region"):
        data("train")


def test_black_and_white_masks_are_of_an_object(tmp_path):
    images = Segmentation(path=str(own(tmp_path / "set", lower=255)), side=SIDE)("train")
    assert images.regions == ("background", "object")
    assert set(images.masks.unique().tolist()) == {0, 1}


def test_folders_below_images_are_classes(tmp_path):
    root = tmp_path / "set"
    for name in ("cat/0", "cat/1", "cat/2", "dog/0", "dog/1", "dog/2"):
        picture(root / f"images/{name}.jpg")
        mask(root / f"masks/{name}.png")
    images = Segmentation(path=str(root), side=SIDE)("train")
    assert images.classes == ("cat", "dog") and images.labels.tolist() == [0, 0, 1, 1]


def test_an_upright_photograph_fits_its_upright_mask(tmp_path):
    root = own(tmp_path / "set")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    lying = halves(40, 200).convert("RGB").transpose(Image.Transpose.ROTATE_90)
    for i in range(6):
        lying.save(root / f"images/{i}.jpg", exif=exif, quality=95)
    images = Segmentation(path=str(root), side=SIDE)("train")
    assert torch.equal(images.masks == 0, images.pixels[:, 0] < 120)


@pytest.mark.parametrize(
    "harm, message",
    [
        (lambda root: (root / "masks/2.png").unlink(), "images/2.jpg must have the mask .*2.png"),
        (lambda root: mask(root / "masks/2.png", size=(10, 16)), "10 × 16 pixels .* 20 × 16"),
        (lambda root: picture(root / "masks/2.png"), "one number for each pixel.*mode RGB"),
        (lambda root: (root / "images").rename(root / "photos"), "must hold images/ and masks/"),
    ],
    ids=["missing", "size", "colours", "layout"],
)
def test_a_set_that_is_not_whole_is_one_sentence(harm, message, tmp_path):
    root = own(tmp_path / "set")
    harm(root)
    data = Segmentation(path=str(root), side=SIDE)
    with pytest.raises(UserError, match=message):
        data("train"), data("test")


def test_a_lost_list_and_an_empty_path_are_one_sentence(tmp_path):
    root = voc(tmp_path / "set")
    (root / "ImageSets/Segmentation/val.txt").unlink()
    with pytest.raises(UserError, match="val.txt, which lists images or regions, cannot be read"):
        Segmentation(path=str(root))("test")
    with pytest.raises(UserError, match="data.path='' must be a folder of images and their masks"):
        Segmentation()("test")


def test_a_pipe_where_an_image_should_be_is_skipped_and_named(tmp_path):
    root = own(tmp_path / "set")
    (root / "images/3.jpg").unlink(), os.mkfifo(root / "images/3.jpg")
    data = Segmentation(path=str(root), side=SIDE)
    with pytest.warns(UserWarning, match="1 of . images could not be read .* skipped: 3.jpg"):
        data("train"), data("test")


def test_a_damaged_mask_is_skipped_and_named(tmp_path):
    root = own(tmp_path / "set")
    (root / "regions.txt").write_text("sky\nsea\n")
    (root / "masks/3.png").write_bytes(b"no image")
    data = Segmentation(path=str(root), side=SIDE, test_fraction=0.4)
    with pytest.warns(UserWarning, match="3.jpg"):
        counts = [len(data(split).pixels) for split in ("train", "test")]
    assert sum(counts) == 5


def test_frozen_features_are_scored_on_such_masks(tmp_path):
    data = Segmentation(path=str(own(tmp_path / "set", 12)), side=40)
    suite = Suite(tuple(probe for probe in rows.SPATIAL if probe.key == "segmentation"))
    images = data("train"), data("test")
    [measured] = probe_model(open_model("zoo:scenes_mae").model, *images, suite)
    assert measured.score.value > 0.9  # a dark and a bright half


def triangle(root, side=64):
    """Six images whose lower left half, below the diagonal, is region 1."""
    regions = np.tri(side, dtype=np.uint8)
    for i in range(6):
        for folder, suffix, array in (("images", "jpg", regions * 200), ("masks", "png", regions)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).convert("L").save(root / folder / f"{i}.{suffix}")
    return root


def ceiling(images, grid=(4, 4)):
    """The best that a grid of patches can score, which depends on nothing but the masks."""
    patches = torch.randn(len(images.masks), 16, 3, generator=torch.Generator().manual_seed(0))
    return segmentation(patches, images.masks, patches, images.masks, grid).ceiling


def test_masks_are_scored_at_a_side_of_their_own(tmp_path):
    small, full = (
        Segmentation(path=str(triangle(tmp_path)), side=8, mask_side=side)("train")
        for side in (0, 64)
    )
    assert small.pixels.shape == full.pixels.shape and small.pixels.shape[2:] == (8, 8)
    assert small.masks.shape[1:] == (8, 8) and full.masks.shape[1:] == (64, 64)
    assert torch.equal(full.masks[0], torch.from_numpy(np.tri(64, dtype=np.uint8)))
    share = lambda images: images.masks[0].float().mean().item()  # noqa: E731
    assert share(full) == pytest.approx(65 / 128) and share(small) == pytest.approx(9 / 16)
    coarse = Segmentation(path=str(tmp_path), side=8, mask_side=4)("train")
    assert ceiling(coarse) == 1 > ceiling(full) + 0.02, "stairs of a coarse mask are not a diagonal"


def test_a_straight_border_between_patches_scores_the_same_at_every_side(tmp_path):
    own(tmp_path)
    sides = (0, 4, 16)
    found = [Segmentation(path=str(tmp_path), side=8, mask_side=s)("train") for s in sides]
    assert [ceiling(images) for images in found] == pytest.approx([1, 1, 1])


def test_the_side_of_masks_is_part_of_the_protocol_where_it_is_set():
    assert "mask_side" not in about_data(Segmentation(path="x"))
    assert about_data(Segmentation(path="x", mask_side=512))["mask_side"] == 512
    with pytest.raises(UserError, match="from 0 to 4,096"):
        Segmentation(path="x", mask_side=5000)
