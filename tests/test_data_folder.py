"""A folder of the user's own images: layouts, modes, and files that are not what they seem."""

import os
import time

import numpy as np
import pytest
import torch
from PIL import Image

from siamlab.component import UserError
from siamlab.data import Folder, folder

GREY = np.uint8([[100]])
SPLITS = ("train", "test")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def save(file, colour=(200, 100, 50), size=(30, 20), **options):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(file, **options)


def both(root, **fields):
    folder = Folder(path=str(root), side=8, **fields)
    return folder("train"), folder("test")


def test_class_folders_are_labels_in_alphabetical_order(root):
    for name, red in [("dog", 200), ("cat", 40)]:
        for i in range(10):
            save(root / f"{name}/deep/{i}.png", (red, 0, 0))
    for images in both(root):
        assert images.classes == ("cat", "dog")
        expected = torch.where(images.labels == 0, 40, 200).byte()
        assert torch.equal(images.pixels[:, 0, 0, 0], expected)


def test_a_flat_folder_has_no_labels(root):
    for i in range(10):
        save(root / f"{i}.jpg")
    for images in both(root):
        assert images.classes == () and (images.labels == -1).all()


@pytest.mark.parametrize("fraction, held", [(0.01, 1), (0.1, 1), (0.4, 4), (0.99, 9)])
def test_the_held_out_part_is_disjoint_and_of_each_class(root, fraction, held):
    for i in range(20):
        save(root / f"{'ab'[i % 2]}/{i}.png", (i, 0, 0))
    train, test = both(root, test_fraction=fraction)
    assert test.labels.bincount().tolist() == [held, held]
    reds = [set(images.pixels[:, 0, 0, 0].tolist()) for images in (train, test)]
    assert reds[0] | reds[1] == set(range(20)) and not reds[0] & reds[1]


def test_a_test_folder_shares_the_class_names(root, tmp_path):
    for name in ("ant", "bee", "cow"):
        save(root / f"{name}/1.png")
    save(tmp_path / "held/cow/1.png", (1, 2, 3))
    train, test = both(root, test_path=str(tmp_path / "held"))
    assert len(train.labels) == 3 and test.labels.tolist() == [2]
    save(tmp_path / "held/yak/1.png")
    with pytest.raises(UserError, match="data.test_path=.* but it also has yak; rename"):
        both(root, test_path=str(tmp_path / "held"))


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "png", "webp", "bmp", "tiff", "gif", "ppm"])
def test_every_format_is_read(root, suffix):
    for i in range(2):
        save(root / f"{i}.{suffix}", (200, 100, 50))
    pixels = both(root)[0].pixels.float()
    expected = torch.tensor([200.0, 100.0, 50.0])[:, None, None].expand(3, 8, 8)
    assert (pixels[0] - expected).abs().max() <= 6  # lossy ones


def image(mode):
    if mode == "I;16":
        return Image.fromarray(np.full((20, 30), 100 * 257, np.uint16))
    if mode == "P":
        return Image.new("RGB", (30, 20), (100, 100, 100)).quantize()
    if mode == "CMYK":
        return Image.new("CMYK", (30, 20), (155, 155, 155, 0))
    if mode == "F":
        return Image.fromarray(np.full((20, 30), 100 / 255, np.float32))
    value = {"1": 1, "L": 100, "LA": (100, 255), "RGBA": (100, 100, 100, 255), "I": 100}[mode]
    return Image.new(mode, (30, 20), value)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA", "P", "CMYK", "I", "F", "I;16"])
def test_every_mode_becomes_rgb(root, mode):
    for i in range(2):
        image(mode).save(root / f"{i}.tiff")
    pixels = both(root)[0].pixels
    assert pixels.unique().tolist() == [255 if mode == "1" else 100]


def test_16_bit_png_keeps_its_tone(root):
    for i in range(2):
        image("I;16").save(root / f"{i}.png")
    assert both(root)[0].pixels.unique().tolist() == [100]


def test_transparent_is_white(root):
    for i in range(2):
        Image.new("RGBA", (9, 9), (0, 0, 0, 0)).save(root / f"{i}.png")
    assert both(root)[0].pixels.unique().tolist() == [255]


def test_transparent_palettes_are_white(root):
    for i in range(2):
        Image.new("P", (9, 9), 0).save(root / f"{i}.png", transparency=0)
    assert both(root)[0].pixels.unique().tolist() == [255]


def test_the_camera_was_held_upright(root):
    """EXIF orientation 6: the first row of the file is the right side of the picture."""
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    for i in range(2):
        Image.fromarray(pixels).save(root / f"{i}.png", exif=exif)
    seen = both(root)[0].pixels[0, 0]
    assert (seen[:, 5:] == 255).all() and (seen[:, :3] == 0).all()


def test_the_centre_square_of_a_wide_image_is_kept(root):
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = 255
    for i in range(2):
        Image.fromarray(pixels).save(root / f"{i}.png")
    seen = both(root)[0].pixels
    assert (seen[..., 1:-1] == 255).all()


def test_shrinking_averages(root):
    """A checkerboard of single pixels is grey at any smaller size; a large JPEG too."""
    board = np.indices((800, 800)).sum(axis=0) % 2 * np.uint8(200)
    for i in range(2):
        Image.fromarray(np.dstack([board] * 3).astype(np.uint8)).save(
            root / f"{i}.{['png', 'jpg'][i]}", **({} if i == 0 else {"quality": 95})
        )
    for images in both(root):
        assert (images.pixels.float() - 100).abs().max() < 8


def test_one_pixel_is_an_image(root):
    for i in range(2):
        save(root / f"{i}.png", (7, 8, 9), size=(1, 1))
    assert both(root)[0].pixels[0, :, 3, 4].tolist() == [7, 8, 9]


def test_unreadable_files_are_counted_skipped_and_named(root):
    for i in range(8):
        save(root / f"{i}.png", (10 * i, 0, 0))
    save(root / "cut.jpg", size=(200, 200))
    whole = (root / "cut.jpg").read_bytes()
    (root / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "text.png").write_text("not an image")
    (root / "empty.webp").write_bytes(b"")
    (root / "dangling.png").symlink_to(root / "nowhere.png")
    folder = Folder(path=str(root), side=8, test_path=str(root))
    for _ in range(2):
        with pytest.warns(UserWarning, match="4 of 12 images could not be read") as said:
            images = folder("train")
        for name in ("cut.jpg", "text.png", "empty.webp", "dangling.png"):
            assert name in str(said[0].message)
    assert images.pixels[:, 0, 0, 0].tolist() == [10 * i for i in range(8)]


def test_all_unreadable_is_an_error_and_leaves_nothing(root, tmp_path):
    for i in range(3):
        (root / f"{i}.png").write_text("not an image")
    wrong = r"for training that can be read, but none of its 2 could \(.*\.png, .*\.png\); replace"
    with pytest.raises(UserError, match=wrong):
        Folder(path=str(root))("train")
    assert [f for f in (tmp_path / "cache").iterdir() if f.is_dir()] == []


@pytest.mark.parametrize(
    "path, said",
    [
        ("", "data.path='' must be a folder of images, .* but it is empty; set data.path"),
        ("nowhere", "data.path='.*nowhere' must be a folder of images, .* is not a folder"),
        ("photos", r"must hold images \(.jpg .*\), but it has none; set data.path"),
    ],
)
def test_a_missing_or_empty_folder_is_said(root, tmp_path, path, said):
    (root / "notes.txt").write_text("no image")
    with pytest.raises(UserError, match=said):
        Folder(path=str(tmp_path / path) if path else "")("train")


def test_one_image_cannot_be_split(root):
    save(root / "1.png")
    with pytest.raises(UserError, match="at least two images of one class .*data.test_path"):
        Folder(path=str(root))("test")


def test_a_folder_of_splits_is_recognised(root):
    save(root / "train/cat/1.png")
    save(root / "val/cat/1.png")
    with pytest.raises(UserError, match="splits train, val; set data.path=.*/train .*/val"):
        Folder(path=str(root))("train")


def test_added_and_changed_files_are_noticed(root):
    for i in range(3):
        save(root / f"{i}.png", (10, 0, 0))
    folder = Folder(path=str(root), side=8, test_path=str(root))
    assert len(folder("train").labels) == 3
    save(root / "9.png", (20, 0, 0))
    assert folder("train").pixels[:, 0, 0, 0].tolist() == [10, 10, 10, 20]
    save(root / "9.png", (30, 0, 0))
    os.utime(root / "9.png", (time.time() + 5,) * 2)
    assert folder("train").pixels[3, 0, 0, 0] == 30


def test_hidden_files_and_circular_links_are_passed_over(root):
    save(root / "a/1.png")
    save(root / "a/2.png")
    save(root / ".thumbnails/3.png")
    (root / "a/._1.png").write_text("resource fork")
    (root / "a/again").symlink_to(root)
    assert len(Folder(path=str(root), test_path=str(root))("train").labels) == 2


def test_a_pipe_is_no_image_and_is_not_waited_for(root):
    for i in range(4):
        save(root / f"{i}.png")
    os.mkfifo(root / "pipe.png")
    with pytest.warns(UserWarning, match=r"1 of \d images could not be read.*pipe.png"):
        kept = sum(len(Folder(path=str(root), test_fraction=0.5)(s).labels) for s in SPLITS)
    assert kept == 4


def test_many_folders_without_images_are_not_searched_to_the_end(root, monkeypatch):
    monkeypatch.setattr(folder, "MOST_FOLDERS", 3)
    for i in range(6):
        save(root / f"{i}/a.png")
    assert len(Folder(path=str(root), test_path=str(root))("train").labels) == 6
    for i in range(6):
        (root / f"{i}/a.png").unlink()
    with pytest.raises(UserError, match="has 4 folders or more but only 0 images"):
        Folder(path=str(root))("train")


def test_unreadable_images_for_testing_are_said_to_be_those(root):
    for i in range(3):
        save(root / f"{i}.png")
    for file in folder.split_files(str(root), "", 0.1, "test").paths:
        file.write_text("not an image")
    with pytest.raises(UserError, match="images for testing that can be read, but none of its 1"):
        Folder(path=str(root))("test")
