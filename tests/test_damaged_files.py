"""Damaged files of images and weights: each is named, and none is read as if it were whole."""

import io
import re
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image

from siamlab.component import UserError
from siamlab.data import Folder, davis, nyu, nyu_normals, pets
from siamlab.data.decode import decode, opening
from siamlab.data.frames import rgb
from siamlab.data.masks import mask_numbers
from siamlab.interop.read import read_file

NUMBERS = np.random.default_rng(0).integers(0, 3, (24, 32), dtype=np.uint8)
READERS = {  # of each file that says something of every pixel, and of photographs
    "mask": (mask_numbers, NUMBERS),
    "davis": (davis.numbers, NUMBERS),
    "pets": (lambda file: pets.decode_trimap(file, 8), NUMBERS + 1),
    "depth": (lambda file: nyu.depths([file]), NUMBERS.astype(np.uint16) * 999),
    "normals": (lambda file: nyu_normals.normals([file]), np.stack([NUMBERS * 80] * 3, axis=2)),
    "photograph": (rgb, np.stack([NUMBERS * 80] * 3, axis=2)),
    "training image": (lambda file: decode(file, 8), np.stack([NUMBERS * 80] * 3, axis=2)),
}
EVERY = pytest.mark.parametrize("kind", READERS)


@EVERY
@pytest.mark.parametrize("lacking", [1, 4, 12, 16, 20])
def test_a_png_without_its_last_bytes_is_refused(kind, lacking, tmp_path):
    """Pillow reads these: they lack the last chunk, and checksums, but no pixel."""
    read, pixels = READERS[kind]
    file = tmp_path / "0.png"
    Image.fromarray(pixels).save(file)
    read(file)
    file.write_bytes(file.read_bytes()[:-lacking])
    with Image.open(file) as image:
        assert np.array_equal(np.array(image), pixels)
    with pytest.raises((OSError, UserError), match=r"cut short|0.png cannot be read|that can be r"):
        read(file)


@EVERY
def test_bytes_after_the_end_of_a_png_do_not_matter(kind, tmp_path):
    read, pixels = READERS[kind]
    file = tmp_path / "0.png"
    Image.fromarray(pixels).save(file)
    for more in (b"\0", b"more" * 30):
        with file.open("ab") as end:
            end.write(more)
        read(file)


@pytest.mark.parametrize("lacking", [1, 2, 20])
def test_a_jpeg_without_its_last_bytes_is_refused_by_pillow(lacking, tmp_path):
    file = tmp_path / "0.jpg"
    Image.fromarray(np.stack([NUMBERS * 80] * 3, axis=2)).save(file)
    file.write_bytes(file.read_bytes()[:-lacking])
    for read in (rgb, lambda file: decode(file, 8)):
        with pytest.raises(OSError, match="truncated"):
            read(file)


def test_a_training_image_that_is_cut_short_is_skipped_as_others_that_cannot_be_read(tmp_path):
    for i in range(20):
        folder = tmp_path / "photos" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(NUMBERS * 80).save(folder / f"{i}.png")
    file = tmp_path / "photos/a/4.png"
    file.write_bytes(file.read_bytes()[:-20])
    data = Folder(path=str(tmp_path / "photos"), test_path=str(tmp_path / "photos"), side=8)
    with pytest.warns(UserWarning, match=r"4\.png"):
        assert len(data("train").pixels) == 19


def test_a_png_of_many_chunks_is_whole(tmp_path):
    file = tmp_path / "0.png"
    noise = np.random.default_rng(1).integers(0, 256, (300, 300), dtype=np.uint8)
    Image.fromarray(noise).save(file)
    content = file.read_bytes()
    assert content.count(b"IDAT") > 1
    file.write_bytes(content + b"after")
    with opening(file) as image:
        assert np.array_equal(np.array(image), noise)


# weights


def weights(file):
    rng = torch.Generator().manual_seed(0)
    kept = {f"blocks.{i}.weight": torch.randn(64, 64, generator=rng) for i in range(3)}
    torch.save({"model": kept, "epoch": 7}, file)
    return kept


def flipped(file, place):
    content = bytearray(file.read_bytes())
    content[place] ^= 0x10
    file.write_bytes(content)


def places(file):
    """Where the content of each record lies."""
    content, found = file.read_bytes(), {}
    with ZipFile(file) as archive:
        for record in archive.infolist():
            if record.file_size:
                found[record.filename] = content.index(archive.read(record))
    return found


def test_a_flipped_bit_in_any_record_is_named_with_it(tmp_path):
    file = tmp_path / "mae.pth"
    kept = weights(file)
    assert torch.equal(read_file(file)["model"]["blocks.2.weight"], kept["blocks.2.weight"])
    whole = file.read_bytes()
    data = {name: place for name, place in places(file).items() if "/data/" in name}
    assert len(data) == 3
    for name, place in data.items():
        for offset in (0, 777, 64 * 64 * 4 - 1):
            file.write_bytes(whole)
            flipped(file, place + offset)
            assert torch.load(file, weights_only=True) is not None  # torch does not see it
            told = f"mae.pth is damaged: its record {name} does not fit the checksum .CRC-32."
            with pytest.raises(UserError, match=re.escape(told).replace(r"\.CRC", ".CRC")[:-2]):
                read_file(file)
    file.write_bytes(whole)
    flipped(file, places(file)["mae/data.pkl"] + 20)
    with pytest.raises(UserError, match="its record mae/data.pkl does not fit .*; expected .*copy"):
        read_file(file)


def test_a_file_that_was_written_without_checksums_is_read(tmp_path):
    file, before = tmp_path / "mae.pth", torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        kept = weights(file)
    finally:
        torch.serialization.set_crc32_options(before)
    assert torch.equal(read_file(file)["model"]["blocks.0.weight"], kept["blocks.0.weight"])


def test_compressed_records_are_compared_as_well(tmp_path):
    """As a tool may pack them again; torch reads these, too."""
    import zipfile

    file, packed = tmp_path / "mae.pth", io.BytesIO()
    weights(file)
    with ZipFile(file) as old, ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for record in old.infolist():
            new.writestr(record.filename, old.read(record))
        middle = next(r for r in new.infolist() if r.filename.endswith("data/1"))
    file.write_bytes(packed.getvalue())
    flipped(file, middle.header_offset + 2000)
    with pytest.raises(UserError, match="its record mae/data/1 does not fit the checksum"):
        read_file(file)
