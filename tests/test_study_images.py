"""A study identifies its images by content, so that their source does not matter."""

import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from test_data import as_python_2, forget_checksums

from siamlab.component import UserError
from siamlab.data import Cifar10, Folder, Scenes, by_content, has_content_order, is_paired
from siamlab.data import content as content_module
from siamlab.data.about import about_data
from siamlab.data.images import plain
from siamlab.evaluate.models import open_model
from siamlab.probe import probe_model, table
from siamlab.recipes import demo_size, siameseim
from siamlab.study import Ablation, Axis, Choice
from siamlab.study import images as images_module
from siamlab.study.assignments import assign
from siamlab.study.attach import attach_study
from siamlab.study.claims import latest_attempts
from siamlab.study.description import EARLIER
from siamlab.study.images import study_images
from siamlab.study.plan import open_study, stored_definition
from siamlab.study.storage import open_storage
from siamlab.study.trial import network_rows, probe_trial, train_trial
from siamlab.study.worker import work

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
    """Write one folder per class, with names that reverse the order."""
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


def test_images_without_classes_are_sorted_too():
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
        study = open_study(definition, "same", storage)
        work(definition, study, storage, tmp_path / name, threads=1)
        networks = [open_model(path).model.state_dict() for path in runs(tmp_path / name)]
        trials = [
            {k: v for k, v in t.user_attrs.items() if k != "seconds"}
            for t in latest_attempts(study)
        ]
        found.append((study.user_attrs["about"]["data"], trials, networks))
    (data, trials, networks), (other_data, others, other_networks) = found
    assert data == other_data and [*data][0].startswith("images-")
    assert trials == others and all({"scores", "environment"} < trial.keys() for trial in trials)
    for one, other in zip(networks, other_networks, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)


def runs(out):
    return sorted((out / "runs").iterdir())


def test_a_worker_may_read_the_images_of_a_study_from_another_source(sources, tmp_path, capsys):
    cifar, folder = sources
    definition = a_study(cifar.replace(path=str(tmp_path / "nowhere")))
    there = a_study(cifar)
    study = open_study(there, "same", open_storage("", tmp_path / "out"))
    study.set_user_attr("definition", definition.model_dump(mode="json"))  # another machine's
    words = ["data=folder", "data.side=32", f"data.path={folder.path}"]
    words += [f"data.test_path={folder.test_path}"]
    assert assign(stored_definition(study), words) == a_study(folder)
    assert attach_study(None, words, tmp_path / "out", "", tmp_path, 1) == 0
    assert [trial.state.name for trial in latest_attempts(study)] == ["COMPLETE"] * 2
    for path in runs(tmp_path / "out"):
        assert 'kind = "folder"' in (path / "run.toml").read_text()


@pytest.mark.parametrize("change", ["a pixel", "a label", "an image less"])
def test_other_images_are_refused(sources, tmp_path, change):
    cifar, folder = sources
    storage = open_storage("", tmp_path / "out")
    open_study(a_study(cifar), "same", storage)
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
        open_study(a_study(folder), "same", storage)


def test_the_protocol_of_scenes_is_that_of_probing(tmp_path):
    """Committed results of scenes are combined with new trials by it."""
    study = a_study(Scenes(images=32, test_images=20, side=40), images=32)
    run = study.base
    images = study_images(run.data, study)
    folder = train_trial(run, tmp_path / "run", images)
    rows = network_rows(probe_trial(run, folder.path, study, images))
    about = about_data(run.data)
    train, test = run.data("train"), run.data("test")
    expected = table({"": probe_model(open_model(folder.path).model, train, test, about=about)})
    assert {row["probe"]: row["protocol"] for row in rows} == dict(
        expected.select("probe", "protocol").iter_rows()
    )


def pixels(images):
    return [image.numpy().tobytes() for image in images.pixels]


@pytest.mark.parametrize("share, held", [(0.1, 10), (0.25, 25), (0.9, 90)])
def test_held_out_images_are_training_images(sources, share, held):
    found = [study_images(data, a_study(data, held_out=share)) for data in sources]
    assert all(equal(a, b) for a, b in zip(found[0][:2], found[1][:2], strict=True))
    train, test, about, _ = found[0]
    assert len(test.labels) == held and about["held_out"] == share
    whole = by_content(sources[0]("train"))
    assert pixels(test) + pixels(train) == pixels(whole)
    assert len(test.labels.unique()) > 5  # no class comes first


def test_images_of_another_order_are_held_out_at_random():
    scenes = Scenes(images=200, test_images=100, side=16)
    train, test, about, _ = study_images(scenes, a_study(scenes, held_out=0.3))
    assert sorted(pixels(train) + pixels(test)) == sorted(pixels(scenes("train")))
    place = [pixels(scenes("train")).index(image) for image in pixels(test)]
    assert len(place) == 60 and place == sorted(place)
    assert 60 < sum(place) / 60 < 140  # from all over: 99.5 ± 7 of a random draw
    again = study_images(scenes, a_study(scenes, held_out=0.3))
    assert equal(again.test, test) and about == about_data(scenes) | {"held_out": 0.3}


def test_pairs_of_scenes_are_held_out_together(monkeypatch):
    paired = Scenes(images=16, test_images=20, side=16)("test")
    monkeypatch.setattr(Scenes, "__call__", lambda self, split: paired)
    images = study_images(Scenes(), a_study(Scenes(), held_out=0.3))
    assert is_paired(images.train) and is_paired(images.test) and len(images.test.labels) == 6


@pytest.mark.parametrize(
    "share, copied, sentence",
    [
        (
            0.001,
            2**33,
            "held_out=0.001 must leave some of the 200 .* holds out 0 of",
        ),
        (0.999, 2**33, "held_out=0.999 must leave some of the 200 .*set it to about 0.1"),
        (0.5, 2**17, "held_out=0.5 copies the training images.*set held_out=0 and name other"),
    ],
)
def test_a_study_that_cannot_hold_out_its_share_is_not_created(
    tmp_path, monkeypatch, share, copied, sentence
):
    monkeypatch.setattr(images_module, "MAX_COPIED", copied)
    storage, data = open_storage("", tmp_path), Scenes(images=200, test_images=20, side=16)
    with pytest.raises(UserError, match=sentence):
        open_study(a_study(data, held_out=share), "held", storage)
    assert not storage.get_all_studies()


def test_assignments_set_the_tested_images():
    study = assign(a_study(Scenes()), ["held_out=0.1", "test_images=500"])
    assert (study.held_out, study.test_images) == (0.1, 500) and study.base == a_study(
        Scenes()
    ).base
    for word, mistake in [
        ("held_out=1.5", "held_out=1.5.*below 1"),
        ("test_images=9", "test_images"),
    ]:
        with pytest.raises(UserError, match=mistake):
            assign(study, [word])


def test_a_study_is_bound_to_its_tested_images(tmp_path):
    data = Scenes(images=40, test_images=20, side=16)
    storage, study = open_storage("", tmp_path), a_study(data)
    open_study(study.replace(test_images=12, held_out=0.5), "other", storage)
    for change, named in [
        (dict(held_out=0.5), "test images is 12 there and all here"),
        (dict(test_images=12), "held out is 0.5 there and 0.0 here"),
    ]:
        with pytest.raises(UserError, match=f"another definition: {named}"):
            open_study(study.replace(**change), "other", storage)
    old = open_study(study, "old", storage)
    about = old.user_attrs["about"]
    old.set_user_attr("about", {k: v for k, v in about.items() if k not in EARLIER})
    open_study(study.replace(test_images=20), "old", storage)  # all of them, as before
    for change in (dict(held_out=0.5), dict(test_images=12)):
        with pytest.raises(
            UserError, match="another definition: (held out is 0.0|test images is all)"
        ):
            open_study(study.replace(**change), "old", storage)


@pytest.mark.parametrize("held_out, tested", [(0.0, 16), (0.25, 10)])
def test_the_protocol_has_the_tested_images(tmp_path, held_out, tested):
    data = Scenes(images=40, test_images=20, side=40)
    study = a_study(data, images=20, test_images=16, held_out=held_out)
    images, run = study_images(data, study), study.base
    folder = train_trial(run, tmp_path / "run", images)
    settings = json.loads(probe_trial(run, folder.path, study, images)["settings"][0])
    assert settings["data.test_images"] == tested
    assert settings.get("data.held_out", 0.0) == held_out
    assert settings["data.train_images"] == 20
