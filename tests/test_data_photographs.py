"""The photographs inside the package: as many as are listed, in a few pixels or in many."""

import numpy as np
import pytest
import torch
from PIL import Image

from siamlab.component import UserError
from siamlab.data import Photographs, windows
from siamlab.data.fashion import ASSETS
from siamlab.data.photographs import NAMES


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path))


@pytest.mark.parametrize("side", [32, 192])
def test_every_photograph_is_there_in_both_splits(side):
    train, test = (Photographs(side=side)(split) for split in ("train", "test"))
    assert train.pixels.shape == (len(NAMES), 3, side, side)
    assert torch.equal(train.pixels, test.pixels)
    assert (train.labels == -1).all() and train.classes == ()


def test_each_is_the_square_in_the_middle_of_its_file():
    pixels = Photographs()("test").pixels
    for name, image in zip(NAMES, pixels, strict=True):
        whole = np.array(Image.open(ASSETS / f"photographs/{name}.png").convert("RGB"))
        left = (whole.shape[1] - 192) // 2
        assert np.array_equal(image.permute(1, 2, 0), whole[:, left : left + 192])


def test_every_file_is_shown_and_its_licence_is_listed():
    files = {file.stem for file in (ASSETS / "photographs").glob("*.png")}
    listed = (ASSETS / "README.md").read_text()
    assert files == set(NAMES)
    for name in NAMES:
        row = next(line for line in listed.splitlines() if line.startswith(f"| {name} |"))
        assert "CC0" in row or "public domain" in row


def test_windows_are_half_over_the_next_and_end_at_the_border():
    pixels = torch.arange(2 * 3 * 12 * 12).remainder(251).byte().view(2, 3, 12, 12)
    cut = windows(pixels, 5)  # of 4 pixels, 2 apart
    assert cut.shape == (50, 3, 4, 4)
    assert torch.equal(cut[0], pixels[0, :, :4, :4])
    assert torch.equal(cut[7], pixels[0, :, 2:6, 4:8])
    assert torch.equal(cut[49], pixels[1, :, 8:, 8:])
    assert torch.equal(windows(pixels, 1), pixels)
    with pytest.raises(UserError, match="per_side=12 leaves windows of 1 × 1 pixels"):
        windows(pixels, 12)
