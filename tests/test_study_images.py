"""A study knows its images by their content: the source they are read from changes nothing."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from test_data import as_python_2, forget_checksums

from siamlab.component import UserError
from siamlab.data import Cifar10, Folder, Scenes, by_content, has_content_order
from siamlab.data import content as content_module
from siamlab.data.images import plain
from siamlab.probe import probe_model, table
from siamlab.probing import about_data
from siamlab.recipes import demo_size, siameseim
from siamlab.study import Ablation, Axis, Choice
from siamlab.study.definition import scaled
from siamlab.study.images import study_images
from siamlab.study.join import join_study
from siamlab.study.plan import opened, stored
from siamlab.study.storage import latest, open_storage
from siamlab.study.trial import kept, probed, trained
from siamlab.study.worker import work
from siamlab.train import load_encoder

NAMES = "airplane automobile bird cat deer dog frog horse ship truck".split()
BATCHES = {f"data_batch_{i}": i for i in range(1, 6)} | {"test_batch": 6}
SMALL = "batch=4 steps=3 size=40 model.depth=1 probe_every=2 probe_images=20".split()


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """The same images as torchvision's files of CIFAR-10 and, in another order, as folders."""
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    forget_checksums(monkeypatch)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name, seed in BATCHES.items():
        pixels = np.random.default_rng(seed).integers(0, 256, (20, 3072), dtype=np.uint8)
        rows = {"data": pixels, "labels": [k % 10 for k in range(20)], "batch_label": name}
        (folder / name).write_bytes(as_python_2(pickle.dumps(rows, protocol=2)))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": NAMES}, protocol=2))
    cifar = Cifar10(path=str(tmp_path))
    for split in ("train", "test"):
        write_folders(tmp_path / "png" / split, cifar(split))
    where = {"path": str(tmp_path / "png/train"), "test_path": str(tmp_path / "png/test")}
    return cifar, Folder(**where, side=32)


def write_folders(root, images):
    """A folder for each class; names turn the order round."""
    for k, (pixels, label) in enumerate(zip(images.pixels, images.labels.tolist(), strict=True)):
        file = root / images.classes[label] / f"{1000 - k}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file)


def a_study(data, **fields):
    base = demo_size(siameseim()).change(*SMALL).replace(data=data)
    loss = Axis("loss", Choice("UniGrad"), Choice("cosine", "loss=cosine"))
    return Ablation(question="?", base=base, axes=(loss,), **{"seeds": 1} | fields)


def equal(one, other):
    arrays = zip([*one[:3], *one.objects], [*other[:3], *other.objects], strict=True)
    return all(torch.equal(a, b) for a, b in arrays) and one[3:5] == other[3:5]


@pytest.mark.parametrize("split", ["train", "test"])
def test_two_sources_of_the_same_images_are_equal_in_the_order_of_content(sources, split):
    cifar, folder = (source(split) for source in sources)
    assert not torch.equal(cifar.pixels, folder.pixels)
    assert equal(by_content(cifar), by_content(folder))
    assert equal(by_content(by_content(cifar)), by_content(cifar))


def some(classes=("b", "a"), masks=True):
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (30, 3, 4, 4), generator=rng, dtype=torch.uint8)
    labels = torch.arange(30) % 3 - 1  # -1: unknown
    images = plain(pixels, labels if classes else labels.clamp(max=-1), classes)
    one_each = torch.arange(30, dtype=torch.uint8)[:, None, None].expand(-1, 4, 4)
    return images._replace(masks=one_each.contiguous(), regions=("x",)) if masks else images


def turned(images):
    index = torch.arange(len(images.labels)).flip(0)
    masks = images.masks[index] if len(images.masks) else images.masks
    labels = images.labels[index]
    return images._replace(pixels=images.pixels[index], labels=labels, masks=masks)


def test_each_image_keeps_its_name_and_its_mask():
    before, after = some(), by_content(some())
    assert after.classes == ("a", "b")
    place = after.masks[:, 0, 0].long()
    assert place.sort().values.tolist() == list(range(30)) and place.tolist() != list(range(30))
    assert torch.equal(after.pixels, before.pixels[place])
    names = [[*images.classes, None] for images in (before, after)]
    for k, label in zip(place.tolist(), after.labels.tolist(), strict=True):
        assert names[1][label] == names[0][before.labels[k]]


@pytest.mark.parametrize("part", ["labels", "masks", "pixels"])
def test_images_that_differ_in_one_thing_alone_have_one_order(part):
    images = some(masks=part == "masks")
    alike = {"labels": images.labels * 0, "masks": images.masks * 0, "pixels": images.pixels * 0}
    images = images._replace(**{key: one for key, one in alike.items() if key != part})
    assert equal(by_content(images), by_content(turned(images)))


def test_images_without_classes_are_put_in_order_too():
    images = some(classes=())
    assert equal(by_content(images), by_content(turned(images)))
    assert (by_content(images).labels == -1).all()


def test_scenes_and_large_sets_keep_their_order(monkeypatch):
    assert has_content_order(some(), some())
    scenes = Scenes(images=16, test_images=8, side=40)
    assert not has_content_order(scenes("train"), scenes("test"))
    monkeypatch.setattr(content_module, "MOST", 2 * some().pixels.nbytes - 1)
    assert has_content_order(some()) and not has_content_order(some(), some())


def test_a_study_of_either_source_is_the_same_to_the_bit(sources, tmp_path):
    found = []
    for name, data in zip(("cifar", "folder"), sources, strict=True):
        definition, storage = a_study(data), open_storage("", tmp_path / name)
        study = opened(definition, "same", storage)
        work(definition, study, storage, tmp_path / name, threads=1)
        networks = [load_encoder(path).state_dict() for path in runs(tmp_path / name)]
        trials = [{k: v for k, v in t.user_attrs.items() if k != "seconds"} for t in latest(study)]
        found.append((study.user_attrs["about"]["data"], trials, networks))
    (data, trials, networks), (other_data, others, other_networks) = found
    assert data == other_data and [*data][0].startswith("images-")
    assert trials == others and all("scores" in trial for trial in trials)  # with their protocols
    for one, other in zip(networks, other_networks, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)


def runs(out):
    return sorted((out / "runs").iterdir())


def test_a_worker_may_read_the_images_of_a_study_from_another_source(sources, tmp_path, capsys):
    cifar, folder = sources
    definition = a_study(cifar.replace(path=str(tmp_path / "nowhere")))
    there = a_study(cifar)
    study = opened(there, "same", open_storage("", tmp_path / "out"))
    study.set_user_attr("definition", definition.model_dump(mode="json"))  # another machine's
    words = ["data=folder", "data.side=32", f"data.path={folder.path}"]
    words += [f"data.test_path={folder.test_path}"]
    assert scaled(stored(study), words) == a_study(folder)
    assert join_study(None, words, tmp_path / "out", "", tmp_path, 1) == 0
    assert [trial.state.name for trial in latest(study)] == ["COMPLETE"] * 2
    for path in runs(tmp_path / "out"):
        assert 'kind = "folder"' in (path / "run.toml").read_text()


@pytest.mark.parametrize("change", ["a pixel", "a label", "an image less"])
def test_other_images_are_refused(sources, tmp_path, change):
    cifar, folder = sources
    storage = open_storage("", tmp_path / "out")
    opened(a_study(cifar), "same", storage)
    file = next((tmp_path / "png/train/cat").iterdir())
    if change == "a pixel":
        pixels = np.array(Image.open(file))
        pixels[0, 0, 0] ^= 1
        Image.fromarray(pixels).save(file)
    elif change == "a label":
        file.rename(tmp_path / "png/train/dog" / "moved.png")
    else:
        file.unlink()
    with pytest.raises(UserError, match="another definition: data is .*nothing was changed"):
        opened(a_study(folder), "same", storage)


def test_the_protocol_of_scenes_is_that_of_probing(tmp_path):
    """Committed results of scenes are joined with new trials by it."""
    study = a_study(Scenes(images=32, test_images=20, side=40), images=32)
    run = study.base
    images = study_images(run.data)
    folder = trained(run, tmp_path / "run", images)
    rows = kept(probed(run, folder.path, study, images))
    about = about_data(run.data)
    train, test = run.data("train"), run.data("test")
    expected = table({"": probe_model(load_encoder(folder.path), train, test, about=about)})
    assert {row["probe"]: row["protocol"] for row in rows} == dict(
        expected.select("probe", "protocol").iter_rows()
    )
