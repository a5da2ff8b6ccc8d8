"""Fashion-MNIST: the shipped part is the published one, and the full set is read from its files."""

import gzip
import struct

import numpy as np
import pytest

from siamlab.component import UserError
from siamlab.data import Fashion
from siamlab.data.fashion import DEBIAN

RNG = np.random.default_rng(0)


def noise(*shape):
    return RNG.integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("split, n", [("train", 10_000), ("test", 2_000)])
def test_the_shipped_garments_are_balanced(split, n):
    images = Fashion()(split)
    assert images.labels.bincount().tolist() == [n // 10] * 10
    assert images.labels[:100].bincount().tolist() == [10] * 10


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_the_shipped_garments_are_the_published_ones():
    raw = gzip.decompress((DEBIAN / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = np.frombuffer(
        (gzip.decompress((DEBIAN / "t10k-labels-idx1-ubyte.gz").read_bytes())), np.uint8, offset=8
    )
    published = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28)
    images = Fashion()("test")
    for kind in (0, 9):
        mine = images.pixels[images.labels == kind][:, 0]
        assert np.array_equal(mine.numpy(), published[labels == kind][:200])


def write_idx(file, array, zipped):
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}i", *array.shape)
    raw = head + array.tobytes()
    file.write_bytes(gzip.compress(raw) if zipped else raw)


@pytest.mark.parametrize("zipped", [True, False])
def test_the_full_set_is_read_from_idx_files(zipped, tmp_path):
    pixels, end = noise(7, 28, 28), ".gz" if zipped else ""
    write_idx(tmp_path / f"train-images-idx3-ubyte{end}", pixels, zipped)
    write_idx(tmp_path / f"train-labels-idx1-ubyte{end}", np.arange(7, dtype=np.uint8), zipped)
    images = Fashion(source="full", path=str(tmp_path))("train")
    assert np.array_equal(images.pixels[:, 1].numpy(), pixels)
    assert images.labels.tolist() == list(range(7))


def test_the_full_set_says_what_is_missing(tmp_path):
    with pytest.raises(UserError, match='data.path=.*train-images-idx3.*data.source="shipped"'):
        Fashion(source="full", path=str(tmp_path))("train")


def test_a_truncated_idx_file_is_said(tmp_path):
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        write_idx(tmp_path / f"{name}.gz", noise(7, 28, 28), True)
        whole = (tmp_path / f"{name}.gz").read_bytes()
        (tmp_path / f"{name}.gz").write_bytes(whole[:500])
    with pytest.raises(UserError, match="must be a whole idx file"):
        Fashion(source="full", path=str(tmp_path))("train")


def test_the_full_set_that_cannot_be_fetched_is_said(tmp_path, monkeypatch):
    from torchvision.datasets import mnist

    from siamlab.data import fashion

    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(fashion, "DEBIAN", tmp_path / "nowhere")
    monkeypatch.setattr(mnist, "download_and_extract_archive", offline)
    with pytest.raises(
        UserError, match='source="full" .* could not be downloaded .*dataset-fashion'
    ):
        Fashion(source="full")("train")
