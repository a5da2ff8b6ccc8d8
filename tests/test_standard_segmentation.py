"""VOC 2012, ADE20K, Cityscapes and sets of your own, read from small files and scored whole."""

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image
from shown_at import shown_at
from torch import nn

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.data.annotated import read_annotated, shown
from siamlab.evaluate.models import open_model
from siamlab.evaluate.standard import (
    Ade20k,
    AnySize,
    Cityscapes,
    Regions,
    Voc,
    measure_standard,
)
from siamlab.evaluate.standard.sliding import Sliding
from siamlab.interop.adapter import TokenGrid
from siamlab.probe import in_context

CALM = pytest.mark.filterwarnings("ignore:.*scores are not comparable with published ones")
SIDE = 16
COLOURS = {7: (255, 0, 0), 11: (0, 255, 0), 26: (0, 0, 255)}  # road, building, car
VALUES = {"voc": (0, 15, 20), "ade20k": (1, 2, 150), "cityscapes": tuple(COLOURS)}


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    """A cache of each test's own, and windows of 16 pixels."""
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    sizes = dict(side=SIDE, window=SIDE, stride=11)
    for cls in SETS:
        shown_at(monkeypatch, cls, **sizes)


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


def blocks(seed, size=(24, 16), cell=4, values=(0, 1, 2)):
    """Squares of one value each; `size` is width, height."""
    draw = np.random.default_rng(seed)
    cells = draw.choice(values, (size[1] // cell, size[0] // cell)).astype(np.uint8)
    return cells.repeat(cell, 0).repeat(cell, 1)


def painted(mask, values):
    """Red, green and blue for the three values, black for others."""
    wheel = np.zeros((256, 3), np.uint8)
    wheel[list(values)] = list(COLOURS.values())
    return wheel[mask]


def write_voc(root, n=4):
    for split, start in (("train", 0), ("val", 100)):
        names = [f"2007_{start + i:06}" for i in range(n)]
        listing = root / f"ImageSets/Segmentation/{split}.txt"
        listing.parent.mkdir(parents=True, exist_ok=True)
        listing.write_text("\n".join(names) + "\n")
        for i, name in enumerate(names):
            mask = blocks(start + i, (24, 16) if i % 2 else (16, 20), values=VALUES["voc"])
            photograph = painted(mask, VALUES["voc"])
            save(root / f"JPEGImages/{name}.jpg", photograph, quality=99, subsampling=0)
            mask[:2, :2] = 255
            save(root / f"SegmentationClass/{name}.png", mask)
    return root


def write_ade20k(root, n=4):
    for part, start in (("training", 0), ("validation", 100)):
        for i in range(n):
            mask = blocks(start + i, (24, 16) if i % 2 else (16, 20), values=VALUES["ade20k"])
            photograph, name = painted(mask, VALUES["ade20k"]), f"{part}/ADE_{start + i:08}"
            save(root / f"images/{name}.jpg", photograph, quality=99, subsampling=0)
            mask[:2, :2] = 0
            save(root / f"annotations/{name}.png", mask)
    return root


def write_city(root, split, i, photograph, mask):
    name = f"{split}/ulm/ulm_{i:06}_000019"
    save(root / f"leftImg8bit/{name}_leftImg8bit.png", photograph)
    save(root / f"gtFine/{name}_gtFine_labelIds.png", mask)


def write_cityscapes(root, n=4):
    for split, start in (("train", 0), ("val", 100)):
        for i in range(n):
            mask = blocks(start + i, (24, 16) if i % 2 else (16, 20), values=tuple(COLOURS))
            write_city(root, split, start + i, painted(mask, COLOURS), mask)
    return root


def write_own(root, n=4):
    """Your own images and masks, in `train/` and `val/`; the number of regions is not told."""
    for part, start in (("train", 0), ("val", 100)):
        for i in range(start, start + n):
            mask = blocks(i, (24, 16) if i % 2 else (16, 20))
            photograph = painted(mask, (0, 1, 2))
            save(root / f"{part}/images/{i}.jpg", photograph, quality=99, subsampling=0)
            mask[:2, :2] = 255
            save(root / f"{part}/masks/{i}.png", mask)
    return root


PUBLIC = {
    Voc: write_voc,
    Ade20k: write_ade20k,
    Cityscapes: write_cityscapes,
}
SETS = PUBLIC | {Regions: write_own}
EVERY = pytest.mark.parametrize("cls", SETS, ids=lambda cls: cls.model_fields["kind"].default)


def colours(patch=4, gain=1.0):
    """A network whose feature of a patch is its mean colour."""
    net = nn.Conv2d(3, 3, patch, patch)
    with torch.no_grad():
        eye = torch.eye(3)[:, :, None, None].expand(-1, -1, patch, patch)
        net.weight.copy_(gain * eye / patch**2)
        net.bias.fill_(0.5)
    return open_model(TokenGrid(net, 4 * patch, mean=(0.0,) * 3, std=(1.0,) * 3, name="colours"))


def measured(data, model=None):
    (row,) = measure_standard([model or colours()], data, "cpu", cache=False).to_dicts()
    return row


def iou(pairs, values):
    """Mean over regions of intersection over union, in plain NumPy; `values` are those scored."""
    truth, answer = (np.concatenate([part[i].ravel() for part in pairs]) for i in (0, 1))
    seen = np.isin(truth, values)
    truth, answer = truth[seen], answer[seen]
    each = [
        ((truth == v) & (answer == v)).sum() / ((truth == v) | (answer == v)).sum() for v in values
    ]
    return np.mean(each)


# the files


@CALM
@EVERY
def test_regions_that_colours_tell_reach_the_ceiling_in_every_layout(cls, tmp_path):
    row = measured(cls(path=str(SETS[cls](tmp_path))))
    assert row["value"] == pytest.approx(row["ceiling"], abs=0.03)
    assert row["ceiling"] > 0.8 and row["chance"] < 0.2 and row["low"] <= row["high"]
    settings = json.loads(row["settings"])
    assert settings["window"] == SIDE and settings["train_images"] == settings["test_images"] == 4


@pytest.mark.parametrize("cls", PUBLIC)
def test_a_copy_with_few_images_is_said_and_read(cls, tmp_path):
    with pytest.warns(UserWarning, match="has 4 images to train and 4 to test on, but .* has"):
        cls(path=str(SETS[cls](tmp_path)))()


LIST, MASK = "ImageSets/Segmentation", "SegmentationClass/2007_000101.png"


@CALM
@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda r: (r / "SegmentationClass").rename(r / "SegmentationObject"),
         "^data.path='.*' must be PASCAL VOC 2012 .* with JPEGImages/, .*; set data.path to"),
        (lambda r: (r / LIST / "val.txt").unlink(), "val.txt, which lists .* cannot be read"),
        (lambda r: (r / LIST / "val.txt").write_text("../2007_000101"),
         "val.txt lists '../2007_000101' and must list names without a folder"),
        (lambda r: (r / LIST / "val.txt").write_text("2007_000101 2007_000101"),
         "val.txt lists '2007_000101' more than once"),
        (lambda r: (r / LIST / "val.txt").write_text(""),
         "val.txt must list names, but is empty; set data.path to a whole copy"),
        (lambda r: (r / LIST / "val.txt").write_text("x" * 5000),
         "val.txt lists 'x+… and must list names without a folder"),
        (lambda r: (r / LIST / "val.txt").write_text("2007_000100\nother\n"),
         r"val.txt lists 'other', but .*JPEGImages/other.jpg is not there \(1 of 2 are missing\)"),
        (lambda r: (r / "JPEGImages/2007_000101.jpg").unlink(),
         r"val.txt lists '2007_000101', but .*101.jpg is not there \(1 of 4 are missing\); set da"),
        (lambda r: (r / MASK).unlink(), "000101.jpg must have the mask .*, which is not there"),
        (lambda r: save(r / MASK, blocks(0, (16, 20))),
         "the mask .*000101.png has 16 × 20 pixels and its image 24 × 16; they must be equal"),
        (lambda r: save(r / MASK, np.full((16, 24), 21, np.uint8)),
         "000101.png has the value 21, but with 21 regions it must be at most 20, or 255 for void"),
        (lambda r: save(r / MASK, np.zeros((16, 24, 3), np.uint8)), "it is a picture of mode RGB"),
        (lambda r: (r / "JPEGImages/2007_000101.jpg").write_bytes(
            (r / "JPEGImages/2007_000101.jpg").read_bytes()[:-200]),
         r"000101.jpg cannot be read \(1 of 4 images cannot\); unpack the set again"),
        (lambda r: (r / MASK).write_bytes((r / MASK).read_bytes()[:50]),
         r"SegmentationClass/2007_000101.png cannot be read \(1 of 4 images cannot\); unpack"),
        (lambda r: [save(f, np.full(np.array(Image.open(f)).shape, 255, np.uint8))
                    for f in r.glob("SegmentationClass/2007_0000*")],
         "training masks have only void"),
        (lambda r: [save(f, np.full(np.array(Image.open(f)).shape, 255, np.uint8))
                    for f in r.glob("SegmentationClass/2007_0001*")],
         "data.path: test masks have only void pixels"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence_each(spoil, message, tmp_path):
    spoil(write_voc(tmp_path))
    with pytest.raises(UserError, match=message):
        measured(Voc(path=str(tmp_path)))


@CALM
def test_a_list_that_an_editor_marked_or_ended_otherwise_is_the_same(tmp_path):
    before = measured(Voc(path=str(write_voc(tmp_path))))
    for file in (tmp_path / LIST).iterdir():
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert measured(Voc(path=str(tmp_path))) == before


@CALM
def test_values_that_a_set_does_not_have_are_refused(tmp_path):
    (write_ade20k(tmp_path / "t") / "objectInfo150.txt").write_text("Idx\tName\n1\twall\n")
    with pytest.raises(UserError, match="must name 150 classes, .* but names 1; unpack ADE20K"):
        measured(Ade20k(path=str(tmp_path / "t")))
    file = write_ade20k(tmp_path / "a") / "annotations/validation/ADE_00000101.png"
    save(file, np.full((16, 24), 151, np.uint8))
    with pytest.raises(UserError, match="has the value 151, .* at most 150, or 0 for void"):
        measured(Ade20k(path=str(tmp_path / "a")))
    mask = np.full((16, 24), 77, np.uint8)
    write_city(write_cityscapes(tmp_path / "c"), "val", 101, painted(mask, COLOURS), mask)
    with pytest.raises(UserError, match="has the value 77, .* at most 33, or 255 for void"):
        measured(Cityscapes(path=str(tmp_path / "c")))


# the nearest patches of a memory


@CALM
@EVERY
def test_regions_that_colours_tell_are_found_by_the_nearest_patches(cls, tmp_path):
    row = measured(cls(path=str(SETS[cls](tmp_path)), protocol="hummingbird"))
    assert row["probe"] == f"{cls.model_fields['kind'].default}_in_context"
    assert 0.8 < row["value"] <= row["ceiling"] + 0.03 and row["chance"] < 0.2


def test_one_window_and_a_memory_of_all_patches_give_the_score_of_in_context(tmp_path):
    """Photographs of the window's size, so that the arrays of `in_context` are the same."""
    masks, pixels = {}, {}
    for part, start in (("train", 0), ("val", 100)):
        masks[part] = np.stack([blocks(start + i, (16, 16)) for i in range(4)])
        noise = (
            np.random.default_rng(start).integers(0, 160, (4, 4, 4, 3)).repeat(4, 1).repeat(4, 2)
        )
        pixels[part] = (painted(masks[part], (0, 1, 2)) // 3 + noise).astype(np.uint8)
        for i in range(4):
            save(tmp_path / f"{part}/images/{i}.png", pixels[part][i])
            save(tmp_path / f"{part}/masks/{i}.png", masks[part][i])
    seen = AnySize(colours(), torch.device("cpu")).passes((SIDE, SIDE))
    arrays = []
    for part in ("train", "val"):
        shown = torch.from_numpy(pixels[part]).permute(0, 3, 1, 2).contiguous()
        arrays += [seen.features(shown).patches, torch.from_numpy(masks[part])]
    expected = in_context(*arrays, (4, 4))
    row = measured(Regions(path=str(tmp_path), protocol="hummingbird"))
    assert row["value"] == pytest.approx(expected.value, abs=1e-6)
    assert row["ceiling"] == pytest.approx(expected.ceiling, abs=1e-6)
    assert 0.3 < row["value"] < 0.9 * row["ceiling"]
    fewer = measured(Regions(path=str(tmp_path), protocol="hummingbird", patches=40))
    assert fewer["value"] != row["value"] and fewer["protocol"] != row["protocol"]


def test_a_memory_without_enough_patches_is_one_sentence(tmp_path):
    data = Regions(path=str(write_own(tmp_path)), protocol="hummingbird", patches=20)
    with pytest.raises(UserError, match="^data.patches=20: the memory has 20 patches .*; raise"):
        measured(data)


# sets of your own


@CALM
@pytest.mark.parametrize("cls", PUBLIC)
def test_a_public_set_read_as_your_own_has_the_same_numbers(cls, tmp_path):
    root = str(PUBLIC[cls](tmp_path))
    own, public = measured(Regions(path=root)), measured(cls(path=root))
    levels = ["value", "chance", "ceiling", "low", "high"]
    assert [own[level] for level in levels] == [public[level] for level in levels]


@pytest.mark.parametrize("part", ["train", "val"])
def test_regions_are_counted_in_the_masks_of_both_parts(part, tmp_path):
    """Region 2 is in one part alone, so that its intersection is 0, and the mean of three regions
    at most that of two.
    """
    root = write_own(tmp_path)
    for file in root.glob(f"{part}/masks/*.png"):
        mask = np.array(Image.open(file))
        save(file, np.where(mask == 2, 1, mask).astype(np.uint8))
    row = measured(Regions(path=str(root)))
    assert row["ceiling"] > 0.8 and 0.2 < row["value"] < 0.6


def test_a_share_of_one_folder_is_held_out_and_black_and_white_masks_show_an_object(tmp_path):
    for i in range(12):
        mask = blocks(i, (24, 16), values=(0, 255))
        photograph = mask[..., None].repeat(3, axis=2)
        save(tmp_path / f"images/{i}.png", photograph)
        save(tmp_path / f"masks/{i}.png", mask)
    rows = [measured(Regions(path=str(tmp_path), test_fraction=share)) for share in (0.25, 0.5)]
    counts = [json.loads(row["settings"]) for row in rows]
    assert [(each["train_images"], each["test_images"]) for each in counts] == [(9, 3), (6, 6)]
    assert all(row["value"] == pytest.approx(row["ceiling"], abs=0.03) for row in rows)
    assert rows[0]["ceiling"] > 0.9 and rows[0]["protocol"] != rows[1]["protocol"]


def test_photographs_of_cameras_are_turned_upright_as_their_masks_are(tmp_path):
    """EXIF 6: the stored pixels are to be turned by 90 degrees clockwise."""
    turned, exif = tmp_path / "turned", Image.Exif()
    exif[0x0112] = 6
    write_own(tmp_path / "plain")
    for file in (tmp_path / "plain").glob("*/*/*"):
        there = turned / file.relative_to(tmp_path / "plain")
        there.parent.mkdir(parents=True, exist_ok=True)
        image = Image.open(file)
        if file.suffix == ".jpg":
            image.transpose(Image.Transpose.ROTATE_90).save(
                there, exif=exif, quality=99, subsampling=0
            )
        else:
            image.save(there)
    plain, row = (measured(Regions(path=str(tmp_path / name))) for name in ("plain", "turned"))
    assert row["value"] == pytest.approx(plain["value"], abs=0.02)


def test_other_files_of_the_same_names_are_another_protocol(tmp_path):
    first, other = (write_own(tmp_path / name) for name in ("first", "other"))
    save(other / "val/masks/100.png", np.zeros((20, 16), np.uint8))
    rows = [measured(Regions(path=str(root))) for root in (first, other)]
    assert rows[0]["protocol"] != rows[1]["protocol"]


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda r: (r / "train").rename(r / "training"),
         "^data.path='.*' must be a folder of images and masks: images/ and masks/ .*; set data.p"),
        (lambda r: (r / "val/masks/101.png").unlink(), "101.jpg must have the mask .*, which is"),
        (lambda r: save(r / "val/masks/101.png", blocks(0, (16, 20))),
         "has 16 × 20 pixels and its image 24 × 16; they must be equal: save the mask at that"),
        (lambda r: ((r / "val/masks/101.png").unlink(), os.mkfifo(r / "val/masks/101.png")),
         "101.jpg must have the mask .*, which is"),
        (lambda r: [save(f, np.full((16, 24), -3, np.int32), format="TIFF")
                    for f in r.glob("*/masks/*")], "has the value -3; values are from 0 to 255"),
        (lambda r: [save(f, np.full_like(np.array(Image.open(f)), 255))
                    for f in r.glob("*/masks/*")], "show 1 region, and 2 or more must be told"),
        (lambda r: (r / "regions.txt").write_text("\n".join(map(str, range(300)))),
         "must name each region once, 254 at most, but has 300 lines, 300 of them different"),
        (lambda r: (r / "regions.txt").write_text("sky\nsea\nsky\n"),
         "must name each region once, 254 at most, but has 3 lines, 2 of them different"),
        (lambda r: (r / "regions.txt").write_text("sky\nsea\n"),
         "has the value 2, but with 2 regions it must be at most 1, or 255 for void; correct the"),
    ],
)  # fmt: skip
def test_mistakes_in_a_set_of_your_own_are_one_sentence_each(spoil, message, tmp_path):
    spoil(write_own(tmp_path))
    with pytest.raises(UserError, match=message):
        measured(Regions(path=str(tmp_path)))


# the scores


@CALM
def test_the_score_is_that_of_all_pixels_of_all_images_at_their_own_size(tmp_path):
    """Patches of one pixel, so that the answer is the region of a colour; sizes differ."""
    root, pairs = write_cityscapes(tmp_path), []
    for i, size in enumerate([(16, 16), (28, 16), (16, 40), (23, 16)]):
        mask = np.random.default_rng(i).choice((*COLOURS, 0, 3), size[::-1]).astype(np.uint8)
        answer = np.random.default_rng(9 + i).choice(tuple(COLOURS), size[::-1]).astype(np.uint8)
        answer[: 2 + i] = mask[: 2 + i]
        answer[~np.isin(answer, tuple(COLOURS))] = 7
        write_city(root, "val", 100 + i, painted(answer, COLOURS), mask)
        pairs.append((mask, answer))
    row = measured(Cityscapes(path=str(root)), colours(patch=1))
    assert row["value"] == pytest.approx(iou(pairs, tuple(COLOURS)), abs=1e-9)
    assert row["ceiling"] == 1
    pixels = np.concatenate([mask.ravel() for mask, _ in pairs])
    shares = np.array([(pixels == v).sum() for v in COLOURS])
    assert row["chance"] == pytest.approx(shares.max() / shares.sum() / 3)


@CALM
@pytest.mark.parametrize("window, stride", [(8, 8), (16, 16), (8, 3)])
def test_windows_decide_nothing_where_features_do_not_depend_on_them(
    window, stride, tmp_path, monkeypatch
):
    """Once over the image or overlapping, windows give what one window of the whole image does."""
    shown_at(monkeypatch, Cityscapes, side=16, window=window, stride=stride)
    pairs = []
    for i in range(8):
        mask, answer = (blocks(i + j, (16, 16), values=tuple(COLOURS)) for j in (0, 50))
        answer[:8] = mask[:8]
        split = "val" if i < 4 else "train"
        write_city(tmp_path, split, i, painted(answer if i < 4 else mask, COLOURS), mask)
        pairs += [(mask, answer)] if i < 4 else []
    row = measured(Cityscapes(path=str(tmp_path)), colours(patch=1))
    assert row["value"] == pytest.approx(iou(pairs, tuple(COLOURS)), abs=1e-9)
    assert 0.4 < row["value"] < 0.7


@CALM
def test_a_network_that_sees_nothing_scores_chance(tmp_path):
    root = tmp_path / "set"
    for i in range(8):
        mask = np.where(blocks(i, (24, 16)) == 1, 11, 7).astype(np.uint8)
        write_city(root, "val" if i < 4 else "train", i, painted(mask, COLOURS), mask)
    row = measured(Cityscapes(path=str(root)), colours(gain=0.0))
    assert row["value"] == pytest.approx(row["chance"]) and row["ceiling"] > 2 * row["chance"]


@CALM
def test_colours_of_chance_score_near_it(tmp_path):
    root, draw = tmp_path / "set", np.random.default_rng(0)
    for i in range(24):
        mask = np.where(blocks(i, (24, 16)) == 1, 11, 7).astype(np.uint8)
        noise = draw.integers(0, 256, (16, 24, 3)).astype(np.uint8)
        write_city(root, "val" if i < 12 else "train", i, noise, mask)
    row = measured(Cityscapes(path=str(root)))
    assert row["value"] == pytest.approx(row["chance"], abs=0.06)


@CALM
def test_what_decides_the_number_is_part_of_its_protocol(tmp_path):
    data = Voc(path=str(write_voc(tmp_path)))
    rows = [
        measured(one)
        for one in (data, data.replace(images=3), data.replace(test_images=2),
                    data.replace(patches=20))
    ]  # fmt: skip
    assert len({row["protocol"] for row in rows}) == 4
    assert rows[0]["protocol"] == measured(data)["protocol"]
    assert [json.loads(row["settings"])["train_images"] for row in rows] == [4, 3, 4, 4]


@CALM
def test_voc_trains_on_the_masks_of_sbd_where_they_are(tmp_path):
    data = Voc(path=str(write_voc(tmp_path)))
    more = data.replace(train="trainaug")
    with pytest.raises(UserError, match="data.train=trainaug must have .*SegmentationClassAug, "):
        more()
    names = (tmp_path / LIST / "train.txt").read_text().split() + ["2008_000008"]
    (tmp_path / LIST / "trainaug.txt").write_text("\n".join(names))
    save(tmp_path / f"JPEGImages/{names[-1]}.jpg", painted(blocks(9), VALUES["voc"]), quality=99)
    for name in names:
        height, width, _ = np.array(Image.open(tmp_path / f"JPEGImages/{name}.jpg")).shape
        mask = np.full((height, width), 20, np.uint8)  # another region than in the set's own masks
        save(tmp_path / f"SegmentationClassAug/{name}.png", mask)
    row, plain = measured(more), measured(data)
    assert row["ceiling"] == plain["ceiling"]  # the test images are the same
    settings = [json.loads(each["settings"]) for each in (row, plain)]
    assert [each.get("train") for each in settings] == ["trainaug", None]
    assert [each["train_images"] for each in settings] == [5, 4]
    assert row["value"] < 0.3 < plain["value"]  # it answers one region, which the masks hold
    (tmp_path / "SegmentationClassAug/2008_000008.png").unlink()
    with pytest.raises(UserError, match="2008_000008.jpg must have the mask .*Aug.*not there"):
        more()


@CALM
@EVERY
def test_whole_photographs_are_asked_of_their_nearest_patches_by_capis_protocol(cls, tmp_path):
    data = cls(path=str(SETS[cls](tmp_path)), protocol="capi")
    row = measured(data)
    assert row["probe"] == f"{data.kind}_knn"
    assert row["chance"] + 0.2 < row["value"] <= row["ceiling"] <= 1
    assert "k of 1, 3, 10, 30" in row["settings"] and "stretched" in row["settings"]
    assert row["chance"] == pytest.approx(measured(data.replace(protocol="dinov2"))["chance"])


@CALM
def test_a_stretched_photograph_is_a_square_with_all_of_its_mask(tmp_path):
    train, _ = read_annotated(str(write_voc(tmp_path)), Voc.public)
    pairs, sizes = train._replace(part="stretched"), Sliding(SIDE, SIDE, SIDE)
    assert train.sizes[0].tolist() == [20, 16] and sizes.frame(train.shape(0)) == (20, 16)
    frame = sizes.frame(pairs.shape(0))
    (seen,) = shown(pairs, [0], [frame])
    assert seen.pixels.shape == (3, SIDE, SIDE) and seen.regions.shape == (20, 16)
    assert pairs.some([2, 0]).images == (pairs.images[2], pairs.images[0])


@CALM
def test_one_training_image_cannot_choose_and_be_held_out(tmp_path):
    data = Voc(path=str(write_voc(tmp_path)), protocol="capi", images=1)
    with pytest.raises(UserError, match="data.protocol=capi needs two training images or more"):
        measured(data)


@CALM
def test_only_the_middle_square_is_seen_and_scored_by_visbenchs_protocol(tmp_path):
    data = Voc(path=str(write_voc(tmp_path)), protocol="visbench")
    before = measured(data)
    for file in tmp_path.glob("SegmentationClass/*.png"):
        mask = np.array(Image.open(file))
        height, width = mask.shape
        across, down = (width - min(mask.shape)) // 2, (height - min(mask.shape)) // 2
        outside = np.ones(mask.shape, bool)
        outside[down : height - down, across : width - across] = False
        photograph = np.array(Image.open(tmp_path / f"JPEGImages/{file.stem}.jpg"))
        mask[outside], photograph[outside] = 7, 99
        save(file, mask)
        save(tmp_path / f"JPEGImages/{file.stem}.jpg", photograph, quality=99, subsampling=0)
    assert measured(data)["value"] == pytest.approx(before["value"], abs=0.05)
    assert measured(data)["chance"] == pytest.approx(before["chance"], abs=1e-6)
    assert measured(data.replace(protocol="dinov2"))["chance"] < before["chance"] - 0.02
    assert "middle square" in before["settings"] and before["value"] > 0.8 * before["ceiling"]


def test_sizes_are_scaled_to_whole_patches_of_a_model_together():
    sizes = Sliding.of(AnySize(colours(14), torch.device("cpu")), 1024, 512, 341)
    assert sizes == (1036, 518, 345)
    assert sizes.frame((1024, 2048)) == (1036, 2072)
    assert Sliding(518, 518, 345).frame((500, 375)) == (691, 518)


@CALM
def test_the_command_prints_published_numbers(tmp_path, capsys):
    words = ["probe", "zoo:scenes_mae", "--suite", "voc", f"data.path={write_voc(tmp_path)}"]
    assert main(words) == 0
    assert "published: DINOv2 ViT-B/14, linear 0.825 voc (Oquab" in capsys.readouterr().out
