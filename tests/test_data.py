"""Laws that every source obeys, on small files in its real format; then facts about each."""

import os
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from test_data_segmentation import own
from test_imagenet import write_imagenet

from siamlab.component import UserError, variants
from siamlab.data import (
    Cifar10,
    Cifar100,
    Data,
    Folder,
    ImageNet,
    Imagenette,
    Pets,
    Scenes,
    Segmentation,
    Stl10,
    describe,
    summary,
)
from siamlab.data import cache as cache_module
from siamlab.data.imagenet import SETS, CompleteSet
from siamlab.data.imagenette import CLASSES as WNIDS
from siamlab.data.resize import square

RNG = np.random.default_rng(0)


def noise(*shape):
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def as_python_2(pickled):
    """The published batches say 0 and 1 where arrays are pickled with False and True today."""
    assert b"\x89\x88\x87" in pickled
    return pickled.replace(b"\x89\x88\x87", b"K\x00K\x01\x87")


def write_cifar10(root):
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        rows = {"data": noise(4, 3072), "labels": [0, 3, 9, 3], "batch_label": name}
        (folder / name).write_bytes(as_python_2(pickle.dumps(rows, protocol=2)))
    names = "airplane automobile bird cat deer dog frog horse ship truck".split()
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}, protocol=2))


def write_cifar100(root):
    folder = root / "cifar-100-python"
    folder.mkdir()
    for name, n in [("train", 6), ("test", 3)]:
        rows = {"data": noise(n, 3072), "fine_labels": list(range(n)), "coarse_labels": [0] * n}
        (folder / name).write_bytes(pickle.dumps(rows, protocol=2))
    names = {"fine_label_names": [f"thing {i}" for i in range(100)]}
    (folder / "meta").write_bytes(pickle.dumps(names, protocol=2))


def write_stl10(root):
    """Columns first: a file holds [n, 3, width, height]; labels from 1."""
    folder = root / "stl10_binary"
    folder.mkdir()
    for name, n in [("train", 4), ("test", 3), ("unlabeled", 5)]:
        (folder / f"{name}_X.bin").write_bytes(noise(n, 3, 96, 96).tobytes())
        if name != "unlabeled":
            (folder / f"{name}_y.bin").write_bytes(bytes([1, 10, 2, 3][:n]))
    names = "airplane bird car cat deer dog horse monkey ship truck".split()
    (folder / "class_names.txt").write_text("\n".join(names) + "\n")


def write_imagenette(root):
    for split in ("train", "val"):
        for wnid in WNIDS:
            folder = root / "imagenette2-160" / split / wnid
            folder.mkdir(parents=True)
            Image.fromarray(noise(160, 200, 3)).save(folder / f"{wnid}_1.JPEG")


def write_pets(root):
    """Trimap: 1 pet, 2 background, 3 border; lists of name, breed, species, breed of species."""
    base = root / "oxford-iiit-pet"
    (base / "images").mkdir(parents=True)
    (base / "annotations/trimaps").mkdir(parents=True)
    for listing, names in [
        ("trainval", ["Abyssinian_1", "Abyssinian_2", "great_pyrenees_7"]),
        ("test", ["Abyssinian_9", "great_pyrenees_8"]),
    ]:
        rows = [f"{n} {1 if n[0] == 'A' else 2} {1 if n[0] == 'A' else 2} 1" for n in names]
        (base / f"annotations/{listing}.txt").write_text("\n".join(rows) + "\n")
        for name in names:
            trimap = np.full((60, 100), 2, np.uint8)
            trimap[10:50, 30:70], trimap[15:45, 35:65] = 3, 1
            Image.fromarray(trimap).save(base / f"annotations/trimaps/{name}.png")
            photo = np.where(
                trimap[..., None] == 1, np.uint8([250, 10, 10]), np.uint8([10, 10, 250])
            )
            Image.fromarray(photo).save(base / f"images/{name}.jpg", quality=95)


def write_folder(root):
    for name in ("cat", "dog"):
        (root / "photos" / name).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(noise(20 + i, 30, 3)).save(root / f"photos/{name}/{i}.png")


def forget_checksums(monkeypatch):
    """Small files cannot have the published checksums; presence is still looked at."""
    from torchvision.datasets import cifar, stl10

    for module in (cifar, stl10):
        monkeypatch.setattr(module, "check_integrity", lambda path, md5=None: os.path.isfile(path))


@pytest.fixture
def make(tmp_path, monkeypatch):
    """A small source of each class, over files of its own and a cache of its own."""
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "files"
    root.mkdir()

    monkeypatch.setitem(SETS, "val", CompleteSet("val", 3, 6))  # a whole one

    def build(cls):
        writers = {
            Cifar10: write_cifar10,
            Cifar100: write_cifar100,
            Stl10: write_stl10,
            ImageNet: write_imagenet,
            Imagenette: write_imagenette,
            Pets: write_pets,
            Folder: write_folder,
            Segmentation: lambda root: own(root / "photos"),
        }
        if cls in (Cifar10, Cifar100, Stl10):
            forget_checksums(monkeypatch)
        if cls in writers:
            writers[cls](root)
            inside = cls in (Folder, Segmentation)
            return cls(path=str(root / "photos" if inside else root))
        return cls(images=30, test_images=20) if cls is Scenes else cls()

    build.root = root
    return build


EVERY = pytest.mark.parametrize("cls", variants(Data))


@EVERY
def test_every_source_keeps_the_contract(cls, make):
    data = make(cls)
    for split in ("train", "test"):
        images = data(split)
        n = len(images.labels)
        assert n > 0 and images.pixels.shape == (n, 3, data.side, data.side)
        assert images.pixels.dtype == torch.uint8 and images.labels.dtype == torch.int64
        assert images.labels.min() >= -1 and images.labels.max() < len(images.classes)
        assert images.masks.shape == (n if images.regions else 0, data.side, data.side)
        known = set(range(len(images.regions))) | {255}
        assert set(images.masks.unique().tolist()) <= known
        assert images.objects.instance.shape[0] == images.objects.box.shape[0] == n
        assert images.pixels.float().std() > 5
    assert data("train").classes == data("test").classes


@EVERY
def test_every_source_gives_the_same_bytes_and_decodes_once(cls, make, monkeypatch):
    data = make(cls)
    first = data("train")
    before = [part.clone() for part in (*first[:3], *first.objects)]
    monkeypatch.setattr(cache_module, "_write", lambda *_: pytest.fail("decoded again"))
    again = data("train")
    parts = (*again[:3], *again.objects)
    assert all(torch.equal(a, b) for a, b in zip(before, parts, strict=True))


@EVERY
def test_every_source_follows_its_side(cls, make):
    assert make(cls).replace(side=8)("test").pixels.shape[1:] == (3, 8, 8)


@EVERY
def test_every_source_is_described(cls, make):
    about = describe(make(cls))
    assert about["train"] > 0 and about["test"] > 0 and about["bytes"] > 0
    assert all(about[key] for key in ("kind", "about", "licence", "origin"))
    assert [row["kind"] for row in summary()].count(about["kind"]) == 1


@pytest.mark.parametrize("cls", [Cifar10, Cifar100, Stl10, Imagenette, Pets])
def test_missing_files_are_said_with_the_way_out(cls, tmp_path):
    with pytest.raises(UserError, match=r"nowhere.*data.download=true.*data.path"):
        cls(path=str(tmp_path / "nowhere"))("train")


@pytest.mark.parametrize("cls", [Cifar10, Cifar100, Stl10, Imagenette, Pets])
def test_a_failed_download_is_said(cls, tmp_path, monkeypatch):
    from torchvision.datasets import cifar, imagenette, oxford_iiit_pet, stl10

    def offline(*_, **__):
        raise OSError("no route to host")

    for module in (cifar, imagenette, oxford_iiit_pet, stl10):
        monkeypatch.setattr(module, "download_and_extract_archive", offline)
    with pytest.raises(UserError, match=r"data.download=true must reach http.*no route to host"):
        cls(path=str(tmp_path), download=True)("train")


@pytest.mark.parametrize("cls", [Cifar10, Cifar100, Stl10])
def test_a_missing_part_is_said(cls, make):
    data = make(cls)
    next(f for f in sorted(make.root.rglob("*")) if "test" in f.name).unlink()
    with pytest.raises(UserError, match="whole and unchanged"):
        data("train")


@pytest.mark.parametrize("cls", [Cifar10, Cifar100, Stl10])
def test_changed_files_fail_the_published_checksum(cls, make, monkeypatch):
    data = make(cls)
    monkeypatch.undo()
    with pytest.raises(UserError, match="whole and unchanged"):
        data.replace(side=data.side + 1)("test")


def test_cifar10_rows_are_red_green_blue_planes(make):
    data = make(Cifar10)
    raw = pickle.loads((make.root / "cifar-10-batches-py/data_batch_2").read_bytes())["data"]
    images = data("train")
    assert len(images.labels) == 20 and images.labels[:4].tolist() == [0, 3, 9, 3]
    assert images.pixels[4, 0, 0, :32].tolist() == raw[0, :32].tolist()
    assert images.pixels[4, 2, 31, 31] == raw[0, -1] and images.classes[3] == "cat"
    assert len(data("test").labels) == 4


def test_cifar100_has_the_fine_labels(make):
    images = make(Cifar100)("train")
    assert images.labels.tolist() == list(range(6)) and images.classes[5] == "thing 5"


def test_data_path_may_name_the_inner_folder(make):
    data = make(Cifar10)
    inner = data.replace(path=str(make.root / "cifar-10-batches-py"))
    assert torch.equal(inner("test").pixels, data("test").pixels)


def test_stl10_columns_come_first_and_unlabelled_are_minus_one(make):
    data = make(Stl10)
    raw = np.fromfile(make.root / "stl10_binary/train_X.bin", np.uint8).reshape(4, 3, 96, 96)
    images = data("train")
    assert images.labels.tolist() == [0, 9, 1, 2] + [-1] * 5
    assert images.pixels[1, 2, 5, 7] == raw[1, 2, 7, 5]
    assert data.replace(train="labelled")("train").labels.tolist() == [0, 9, 1, 2]
    assert data("test").labels.tolist() == [0, 9, 1] and images.classes[9] == "truck"


def test_imagenette_has_its_ten_names(make):
    images = make(Imagenette)("test")
    assert images.labels.tolist() == list(range(10))
    assert images.classes[:2] == ("tench", "English springer")


def test_imagenette_refuses_other_folders(make):
    data = make(Imagenette)
    (make.root / "imagenette2-160/val/n01440764").rename(make.root / "imagenette2-160/val/fish")
    with pytest.raises(UserError, match="Imagenette .* has fish; use data=folder"):
        data("test")


def test_pets_masks_lie_on_the_pets(make):
    images = make(Pets)("train")
    assert images.labels.tolist() == [0, 0, 1] and images.classes == (
        "Abyssinian",
        "great pyrenees",
    )
    assert images.regions == ("background", "pet")
    assert images.masks.unique().tolist() == [0, 1, 255]
    red = images.pixels[:, 0] > 128
    assert red[images.masks == 1].float().mean() > 0.98
    assert red[images.masks == 0].float().mean() < 0.001
    # the centre 60 x 60 of 60 x 100 is columns 20..79; the pet has 30 x 30 of it, a quarter
    assert (images.masks == 1).float().mean() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("side", [37, 45, 90])
def test_pets_masks_never_mix_values(side, make):
    """Between the pet (1) and its border (3) a mixture would be background (2)."""
    masks = make(Pets).replace(side=side)("train").masks
    beside = torch.nn.functional.max_pool2d((masks == 1).float(), 3, 1, 1) > 0
    assert masks[beside].unique().tolist() == [1, 255]


def test_pets_without_a_trimap_are_skipped_and_named(make):
    data = make(Pets)
    (make.root / "oxford-iiit-pet/annotations/trimaps/Abyssinian_2.png").unlink()
    with pytest.warns(UserWarning, match="1 of 3 images .* skipped: Abyssinian_2.jpg"):
        assert data("train").labels.tolist() == [0, 1]


def test_pets_with_a_broken_list_are_refused(make):
    data = make(Pets)
    (make.root / "oxford-iiit-pet/annotations/test.txt").write_text("Abyssinian_9\n")
    with pytest.raises(UserError, match="test.txt must list names and breeds"):
        data("test")


@pytest.mark.parametrize("breed", [0, 38, 999_999_999])
def test_a_breed_that_does_not_exist_is_refused_at_once(breed, make):
    data = make(Pets)
    listing = make.root / "oxford-iiit-pet/annotations/test.txt"
    listing.write_text(f"Abyssinian_9 {breed} 1 1\n")
    with pytest.raises(UserError, match=f"test.txt must list.*breed {breed} is not 1 to 37"):
        data("test")


def test_resizing_averages_when_it_shrinks_and_takes_the_centre():
    stripes = torch.zeros(1, 3, 64, 128, dtype=torch.uint8)
    stripes[:, :, 3::8] = stripes[:, :, 4::8] = 200  # two rows in eight
    stripes[..., :32] = stripes[..., 96:] = 255
    small = square(stripes, 8)
    assert small.shape == (1, 3, 8, 8)
    assert (small[..., 1:-1, 1:-1].float() - 50).abs().max() < 6
