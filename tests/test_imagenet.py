"""ImageNet and the test sets with its classes, read from small files in their formats."""

import json
import os

import numpy as np
import polars
import pytest
import torch
from PIL import Image
from scipy.stats import binom
from torch import nn
from unprivileged import unprivileged

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.data import ImageNet, folder, imagenet, sample
from siamlab.data.about import about_data
from siamlab.data.imagenet import CompleteSet
from siamlab.data.images import middle
from siamlab.evaluate.embed import embed, embed_source
from siamlab.evaluate.evaluate import evaluate
from siamlab.evaluate.imagenet_c import Answers, corruption_errors, readings
from siamlab.evaluate.images import open_images, pixels_to_show
from siamlab.evaluate.images import test_images as images_to_show
from siamlab.evaluate.leaderboard import places_of
from siamlab.evaluate.models import open_model
from siamlab.evaluate.published import FROZEN
from siamlab.interop.adapter import TokenGrid
from siamlab.probe import Inputs
from siamlab.probe.corruption_error import ALEXNET, mean_corruption_error
from siamlab.probe.linear import linear
from siamlab.probe.suite.bench import Bench, settings
from siamlab.probe.table import same_protocols
from siamlab.recipes import demo_size, mae
from siamlab.report.leaderboard import _data_words
from siamlab.study import Ablation, Axis, Choice, trial
from siamlab.study.images import study_images
from siamlab.train import online_probes, train

IDS = ("n01440764", "n01443537", "n02007558")  # tench, goldfish, flamingo
BRIGHT = dict(zip(IDS, (20, 120, 220), strict=True))


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    """A cache of each test's own, and sets of which three images are the whole."""
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    for name, classes in [("val", 3), ("a", 2), ("r", 2), ("sketch", 3), ("c", 3)]:
        monkeypatch.setitem(imagenet.SETS, name, CompleteSet(f"set {name}", classes, 2))


def write_class(folder, wordnet_id, n=1, stem="ILSVRC2012_val_0000000", bright=None):
    (folder / wordnet_id).mkdir(parents=True, exist_ok=True)
    for i in range(n):
        shade = np.full((10, 12, 3), (BRIGHT[wordnet_id] if bright is None else bright) + i)
        Image.fromarray(shade.astype(np.uint8)).save(folder / wordnet_id / f"{stem}{i}.JPEG")


def write_imagenet(root):
    for name in IDS:
        write_class(root / "train", name, 4, f"{name}_")
        write_class(root / "val", name, 2)
    return root


def write_c(root, wrong=()):
    """All sets; in those of `wrong`, tenches are as bright as flamingos and the other way round."""
    for corruption in ALEXNET:
        for severity in range(1, 6):
            swap = (corruption, severity) in wrong
            for name, other in zip(IDS, IDS[::-1], strict=True):
                shade = BRIGHT[other if swap else name]
                write_class(root / corruption / str(severity), name, bright=shade)
    return root


def test_training_and_validation_images_have_the_ids_as_classes(tmp_path):
    data = ImageNet(path=str(write_imagenet(tmp_path)), side=8)
    train, test = data("train"), data("test")
    assert train.classes == test.classes == IDS
    assert train.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert test.labels.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("name", ["a", "r"])
def test_the_classes_of_a_smaller_set_are_those_of_training_by_their_ids(name, tmp_path):
    for wordnet_id in IDS[1:]:
        write_class(tmp_path / "other", wordnet_id, stem="0.0001_jay _ 0.")
    data = ImageNet(path=str(write_imagenet(tmp_path)), test=name, test_path=f"{tmp_path}/other")
    test = data.replace(side=8)("test")
    assert test.labels.tolist() == [1, 2] and test.classes == IDS
    assert test.pixels.float().mean(dim=(1, 2, 3)).tolist() == pytest.approx([120, 220], abs=3)


def test_a_set_of_imagenet_c_is_one_corruption_at_one_severity(tmp_path):
    write_imagenet(tmp_path), write_c(tmp_path / "c", wrong={("fog", 4)})
    data = ImageNet(path=str(tmp_path), test="c", test_path=f"{tmp_path}/c", side=8)
    shades = {
        severity: data.replace(corruption="fog", severity=severity)("test").pixels[:, 0, 0, 0]
        for severity in (3, 4)
    }
    assert shades[3].tolist() == shades[4].flip(0).tolist() != shades[4].tolist()


def test_parts_of_imagenet_c_are_the_same_images_of_each_set_and_not_cached(tmp_path, monkeypatch):
    write_imagenet(tmp_path), write_c(tmp_path / "c", wrong={("fog", 4)})
    monkeypatch.setattr(imagenet, "PART", 2)
    data = ImageNet(path=str(tmp_path), test="c", test_path=f"{tmp_path}/c", side=8)
    fog = data.replace(corruption="fog", severity=4)
    first, second = data.test_parts(IDS)
    assert (len(first.labels), len(second.labels)) == (2, 1)
    assert torch.equal(torch.cat([first.pixels, second.pixels]), data("test").pixels)
    some = [next(each.test_parts(IDS, 2)).labels.tolist() for each in (data, fog)]
    assert some[0] == some[1] and len(some[0]) == 2
    assert len(list((tmp_path / "cache").glob("imagenet-test-*"))) == 1  # of data("test") alone
    os.truncate(next((tmp_path / "c/fog/4").rglob("*.JPEG")), 100)
    with pytest.raises(UserError, match=r"cannot be read \(1 of . images cannot\); unpack its"):
        list(fog.test_parts(IDS))


def test_only_the_images_of_a_sample_are_decoded(tmp_path, monkeypatch):
    data = ImageNet(path=str(write_imagenet(tmp_path)), side=8)
    whole, decoded, decode = data("train"), [], folder.decode
    monkeypatch.setattr(folder, "decode", lambda *file: (decoded.append(file), decode(*file))[1])
    found, total = data.sample("train", 5)
    assert len(decoded) == 5 and total == 12
    for part, want in zip(found[:2], middle(sample(whole, 5), 0.875)[:2], strict=True):
        assert torch.equal(part, want)
    assert torch.equal(data.sample("train", None).images.pixels, middle(whole, 0.875).pixels)
    assert len(decoded) == 5  # all of them were in the cache


def test_models_are_measured_on_the_middle_and_trained_on_all(tmp_path):
    """As published: 224 of 256 pixels, here 14 of 16; ImageNet-C's images are cut already."""
    for path in write_imagenet(tmp_path).rglob("*.JPEG"):
        noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path, quality=95)
    write_c(tmp_path / "c")
    data = ImageNet(path=str(tmp_path), side=16)
    for split in ("train", "test"):
        whole, seen = data(split).pixels, data.sample(split, None).images
        assert whole.shape[2:] == (16, 16) and seen.masks.shape[1:] == (14, 14)
        assert torch.equal(seen.pixels, whole[:, :, 1:15, 1:15])
        assert torch.equal(data.sample(split, 2).images.pixels, sample(seen, 2).pixels)
        assert torch.equal(data.replace(crop=1.0).sample(split, None).images.pixels, whole)
    assert len(list((tmp_path / "cache").glob("imagenet-*"))) == 4  # two of them samples
    corrupted = data.replace(test="c", test_path=f"{tmp_path}/c")
    assert corrupted.sample("test", None).images.pixels.shape[2:] == (16, 16)
    assert corrupted.sample("train", None).images.pixels.shape[2:] == (14, 14)
    assert next(corrupted.test_parts(IDS)).pixels.shape[2:] == (16, 16)


def test_the_middle_is_a_part_of_the_protocol_and_numbers_from_before_are_of_all(tmp_path, capsys):
    data = ImageNet(path=str(write_imagenet(tmp_path)), side=40)
    assert about_data(data)["crop"] == 0.875 and "crop" not in about_data(data.replace(crop=1.0))
    model = open_model("zoo:scenes_mae")
    cut, whole = (evaluate([model], data.replace(crop=c), 12, 6).scores for c in (0.875, 1.0))
    with pytest.raises(UserError, match="data.crop"):
        same_protocols(polars.concat([cut, whole]))
    words = _data_words({"data.kind": "imagenet", "data.side": 256, "data.test_images": 5}, [])
    assert "data.crop=1.0" in words
    ours = {"data.kind": "imagenet", "data.crop": 0.875, "data.test_images": 5}
    assert not any("crop" in word for word in _data_words(ours, []))


def test_studies_and_online_probes_and_features_see_the_middle(tmp_path, monkeypatch):
    data = ImageNet(path=str(write_imagenet(tmp_path)), side=40)
    run = demo_size(mae()).change(f"data={data.kind}", "probe_every=1", "probe_images=20")
    run, seen = run.replace(data=data), []
    monkeypatch.setattr(online_probes, "quick_scores", lambda _, *sets: seen.extend(sets))
    online_probes.online_probes(run)(None)
    monkeypatch.setattr(trial, "probe_model", lambda _, *sets, **__: seen.extend(sets))
    monkeypatch.setattr(trial, "open_model", lambda path: open_model("zoo:scenes_mae"))
    monkeypatch.setattr(trial, "table", lambda found: polars.DataFrame())
    axis = Axis("loss", Choice("mse", "loss=mse"), Choice("cosine", "loss=cosine"))
    study = Ablation(question="?", base=run, axes=(axis,), seeds=1)
    images = study_images(data, study)
    assert images.train.pixels.shape[2:] == (40, 40) and images.about["crop"] == 0.875
    trial.probe_trial(run, tmp_path, study, images)
    assert [each.pixels.shape[2:] for each in seen] == [(35, 35)] * 4
    features = embed_source(open_model("zoo:scenes_mae"), data, "test")
    alone = embed(open_model("zoo:scenes_mae"), data.sample("test", None).images)
    assert features["pooled"].to_list() == alone["pooled"].to_list()


def test_explorers_show_the_middle_that_probes_see(tmp_path):
    data = ImageNet(path=str(write_imagenet(tmp_path)), side=40)
    run = demo_size(mae()).replace(data=data)
    whole = data("test").pixels
    assert whole.shape[2:] == (40, 40)
    shown = pixels_to_show(None, run)
    assert torch.equal(shown, whole[:100, :, 2:37, 2:37])
    assert torch.equal(images_to_show(run).pixels, data.sample("test", None).images.pixels)


def test_the_command_says_how_many_images_were_drawn(tmp_path, capsys):
    words = "data=imagenet", f"data.path={write_imagenet(tmp_path)}", "data.side=40"
    assert main(["probe", "zoo:scenes_mae", *words, "--images", "7", "--test-images", "6"]) == 0
    assert "7 of 12 training images, drawn at random" in capsys.readouterr().out
    assert main(["probe", "zoo:scenes_mae", *words]) == 0
    assert "drawn at random" not in capsys.readouterr().out


def test_missing_test_images_are_said_before_any_is_decoded(tmp_path, capsys):
    words = "data=imagenet", f"data.path={write_imagenet(tmp_path)}", "data.test=a"
    assert main(["probe", "zoo:scenes_mae", *words]) == 2
    assert "data.test_path='' must be a folder" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_a_list_chooses_training_images(tmp_path):
    listing = write_imagenet(tmp_path) / "1percent.txt"
    listing.write_text(f"{IDS[2]}_1.JPEG\n{IDS[0]}_3.JPEG\n")
    data = ImageNet(path=str(tmp_path), subset=str(listing), side=8)
    assert data("train").labels.tolist() == [2, 0] and data("train").classes == IDS
    assert len(data("test").labels) == 6


@pytest.mark.parametrize("read", [
    lambda data, model: open_images(data, model),
    lambda data, model: evaluate([model], data, 12, 6),
])  # fmt: skip
def test_a_folder_that_may_not_be_read_is_one_sentence(read, tmp_path):
    data = ImageNet(path=str(write_imagenet(tmp_path)), side=8)
    tmp_path.chmod(0)
    with (
        unprivileged(),
        pytest.raises(UserError, match=r"be read \(Permission denied\); mak"),
    ):
        read(data, open_model("zoo:scenes_mae"))
    tmp_path.chmod(0o755)


def test_where_a_list_lies_decides_nothing(tmp_path):
    write_imagenet(tmp_path)
    found = []
    for place in ("here", "there"):
        listing = tmp_path / place / "1percent.txt"
        listing.parent.mkdir()
        listing.write_text(f"{IDS[2]}_1.JPEG\n{IDS[0]}_3.JPEG\n")
        data = ImageNet(path=str(tmp_path), subset=str(listing), side=8)
        images = Bench(data("train"), data("test"), about_data(data))
        found.append(settings(images, Inputs((8, 8), (0.5,) * 3, (0.5,) * 3)))
    assert found[0] == found[1] and found[0]["data.train_images"] == 2
    assert places_of(data) == "path subset"


@pytest.mark.parametrize("name, key, value", [("a", "linear_present", 0.551),
                                              ("sketch", "linear", 0.506)])  # fmt: skip
def test_numbers_of_frozen_features_are_printed_with_their_test_set(
    name, key, value, tmp_path, capsys
):
    """Table 6 of DINOv2's paper has a linear layer on frozen features, as siamlab's."""
    write_imagenet(tmp_path)
    for wordnet_id in IDS if name == "sketch" else IDS[::2]:
        write_class(tmp_path / name, wordnet_id, 2)
    words = ["probe", "zoo:scenes_mae", "data=imagenet", f"data.path={tmp_path}", "data.side=8"]
    assert main([*words, f"data.test={name}", f"data.test_path={tmp_path}/{name}"]) == 0
    shown = capsys.readouterr().out
    line = f"published: DINOv2 ViT-B/14, linear, {value} {key} (Oquab et al. 2023, table 6)"
    assert line in shown and shown.count("published:") == len(FROZEN)


def test_a_half_downloaded_set_is_said_and_read(tmp_path, monkeypatch):
    monkeypatch.setitem(imagenet.SETS, "a", CompleteSet("ImageNet-A", 200, 7500))
    write_imagenet(tmp_path), write_class(tmp_path / "a", IDS[0])
    data = ImageNet(path=str(tmp_path), test="a", test_path=f"{tmp_path}/a", side=8)
    with pytest.warns(UserWarning, match="1 images of 1 classes, and ImageNet-A 7,500 of 200: its"):
        assert len(data("test").labels) == 1


def test_a_file_that_was_cut_off_is_skipped_by_its_name(tmp_path):
    write_imagenet(tmp_path)
    path = tmp_path / "val" / IDS[1] / "ILSVRC2012_val_00000001.JPEG"
    os.truncate(path, 200)
    with pytest.warns(UserWarning, match=f"1 of 6 images .* skipped: {IDS[1]}/{path.name}"):
        assert len(ImageNet(path=str(tmp_path), side=8)("test").labels) == 5


@pytest.mark.parametrize(
    "spoil, fields, message",
    [
        (lambda r: None, dict(path=""), "data.path='' must be the folder of ImageNet"),
        (lambda r: None, dict(test="a"), "data.test_path='' must be a folder of images"),
        (lambda r: None, dict(test="a", test_path="{r}/none"),
         "data.test_path=.*none' must be a folder"),
        (lambda r: (r / "val" / IDS[0]).rename(r / "val" / "tench"), {},
         "one folder for each class by its WordNet id, as n01440764, but has the folder tench"),
        (lambda r: (r / "val" / IDS[0] / "ILSVRC2012_val_00000000.JPEG").rename(r / "val/0.JPEG"),
         {}, "but has images next to folders"),
        (lambda r: (r / "val" / IDS[0]).rename(r / "val" / "n99999999"), {},
         "has the class n99999999, which .*/train lacks"),
        (lambda r: (r / "c").mkdir(), dict(test="c", test_path="{r}/c", corruption="fog"),
         "as folders of corruption/severity/class, but .*c/fog/3 is not there; unpack all"),
        (lambda r: None, dict(subset="{r}/1percent.txt"), "data.subset=.* cannot be read"),
        (lambda r: (r / "list").write_text("n01440764_0.JPEG\nn01440764_77.JPEG\n"),
         dict(subset="{r}/list"), r"lists n01440764_77.JPEG, .* lacks \(1 of 2 are missing\)"),
        (lambda r: (r / "list").write_text(""), dict(subset="{r}/list"), "lists no image"),
        (lambda r: (r / "list").write_text("n01440764_0.JPEG\n" * 2), dict(subset="{r}/list"),
         "lists n01440764_0.JPEG more than once, so that it would count twice"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence_each(spoil, fields, message, tmp_path):
    spoil(write_imagenet(tmp_path))
    fields = {key: value.replace("{r}", str(tmp_path)) for key, value in fields.items()}
    data = ImageNet(**dict(path=str(tmp_path)) | fields)
    with pytest.raises(UserError, match=message):
        data("train"), data("test")


def test_only_classes_of_the_test_images_can_be_the_answer_where_that_is_asked():
    train = torch.tensor([[0.0], [1.0], [2.0]]).repeat_interleave(5, dim=0)
    labels = torch.arange(3).repeat_interleave(5)
    test, answers = torch.tensor([[0.1], [0.9], [1.9]]), torch.tensor([0, 0, 2])
    assert linear(train, labels, test, answers).value == pytest.approx(2 / 3)
    found = linear(train, labels, test, answers, present=True)  # 0.9 is nearer to 0 or to 2?
    assert found.value == pytest.approx(1.0) and found.chance == pytest.approx(2 / 3)


# the mean corruption error


def test_alexnet_is_one_and_no_error_is_none():
    alexnet = {name: [error] * 5 for name, error in ALEXNET.items()}
    assert mean_corruption_error(alexnet).mean == pytest.approx(1)
    assert set(mean_corruption_error(alexnet).each) == set(ALEXNET) and len(ALEXNET) == 15
    assert mean_corruption_error(dict.fromkeys(ALEXNET, [0.0] * 5)).mean == 0


def test_published_corruption_errors_of_resnet_50():
    """torchvision's ResNet-50: top-1 accuracy and CE, in per cent, as they were published."""
    published = {
        "brightness": (68.02, 56.64),
        "contrast": (39.06, 71.43),
        "defocus_blur": (38.75, 74.71),
        "fog": (45.83, 66.11),
        "gaussian_noise": (29.29, 79.77),
        "glass_blur": (26.79, 88.61),
        "impulse_noise": (23.81, 82.58),
    }
    errors = {name: [1 - published.get(name, (0, 0))[0] / 100] * 5 for name in ALEXNET}
    found = mean_corruption_error(errors).each
    for name, (_, expected) in published.items():
        assert 100 * found[name] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda e: e.pop("fog"), "all 15 corruptions of ImageNet-C; fog are missing"),
        (lambda e: e.update(spatter=[0.5] * 5), "'spatter', which is not scored"),
        (lambda e: e.update(fog=[0.5] * 4), r"errors\['fog'\]=.* five shares of wrong answers"),
        (lambda e: e.update(fog=[50.0] * 5), r"errors\['fog'\]=.* from 0 to 1"),
    ],
)
def test_other_errors_are_refused(change, message):
    errors = {name: [0.5] * 5 for name in ALEXNET}
    change(errors)
    with pytest.raises(UserError, match=message):
        mean_corruption_error(errors)


def test_a_linear_probe_errs_on_imagenet_c_where_images_look_like_another_class(tmp_path):
    write_imagenet(tmp_path), write_c(tmp_path / "c", wrong={("fog", 4), ("fog", 5)})
    torch.manual_seed(0)
    named = open_model(TokenGrid(nn.Conv2d(3, 4, 4, 4), 8, name="conv"))
    data = ImageNet(path=str(tmp_path), test="c", test_path=f"{tmp_path}/c", side=8)
    found = corruption_errors(named, data)
    fog = 2 / 5 * 2 / 3 / ALEXNET["fog"]  # two of three images at two of five severities
    expected = dict.fromkeys(ALEXNET, 0.0) | {"fog": fog}
    assert found.each == pytest.approx(expected) and found.mean == pytest.approx(fog / 15)
    (tmp_path / "c/snow/2").rename(tmp_path / "c/snow/other")
    with pytest.raises(UserError, match="but lacks snow; unpack all archives"):
        corruption_errors(named, data)
    with pytest.raises(UserError, match="data.test=val must be c"):
        corruption_errors(named, data.replace(test="val"))


@pytest.mark.parametrize("harm", [
    lambda file: file.unlink(),
    lambda file: file.rename(file.with_name("other.JPEG")),
    lambda file: (file.unlink(), file.mkdir()),
])  # fmt: skip
def test_sets_of_different_images_are_refused_before_any_is_decoded(harm, tmp_path, monkeypatch):
    write_imagenet(tmp_path), write_c(tmp_path / "c")
    harm(tmp_path / f"c/fog/4/{IDS[0]}/ILSVRC2012_val_00000000.JPEG")
    named = open_model(TokenGrid(nn.Conv2d(3, 4, 4, 4), 8, name="conv"))
    monkeypatch.setattr(folder, "decode", lambda *file: 1 / 0)
    data = ImageNet(path=str(tmp_path), test="c", test_path=f"{tmp_path}/c", side=8)
    with pytest.raises(UserError, match="only one of gaussian_noise/1 and fog/4 has n01440764/"):
        corruption_errors(named, data)


def test_a_list_of_paths_names_images_and_each_once(tmp_path):
    listing = write_imagenet(tmp_path) / "list.txt"
    data = ImageNet(path=str(tmp_path), subset=str(listing), side=8)
    lines = f"{IDS[2]}/{IDS[2]}_1.JPEG\r\n{IDS[0]}_3.JPEG\r\n"
    listing.write_bytes(b"\xef\xbb\xbf" + lines.encode())
    assert data("train").labels.tolist() == [2, 0]
    listing.write_text(f"{IDS[2]}_1.JPEG\n{IDS[2]}/{IDS[2]}_1.JPEG\n")
    with pytest.raises(UserError, match=f"lists {IDS[2]}_1.JPEG more than once"):
        data("train")


def test_corruption_errors_have_an_interval_over_images_and_the_level_of_guesses():
    wrong = torch.zeros(15, 5, 4, dtype=torch.bool)
    wrong[0, :, 0] = True  # gaussian noise: one of four images, at all severities
    found = {r.key: r.score for r in readings(Answers(wrong, 4, {}))}
    noise, guesses = found["mce_gaussian_noise"], 0.75 / ALEXNET["gaussian_noise"]
    assert noise.value == pytest.approx(0.25 / ALEXNET["gaussian_noise"])
    assert noise.chance == pytest.approx(guesses) and noise.ceiling == 0
    few, many = (binom.ppf(q, 4, 0.25) / 4 / ALEXNET["gaussian_noise"] for q in (0.025, 0.975))
    assert (noise.low, noise.high) == pytest.approx((few, many))
    assert found["mce"].value == pytest.approx(noise.value / 15)
    assert found["mce"].chance == pytest.approx(
        sum(0.75 / error for error in ALEXNET.values()) / 15
    )
    assert found["mce_fog"][:3] == (0, 0, 0)


def test_a_run_keeps_its_corruption_errors(tmp_path):
    write_imagenet(tmp_path), write_c(tmp_path / "c")
    run = demo_size(mae()).change("steps=1", "batch=8", "data.images=8", "data.test_images=8")
    train(run, tmp_path / "run")
    words = ["data=imagenet", "data.side=8", f"data.path={tmp_path}", "data.test=c"]
    words += [f"data.test_path={tmp_path}/c", "--suite", "imagenet-c"]
    assert main(["probe", f"{tmp_path}/run", *words]) == 0
    kept = json.loads((tmp_path / "run/probes.json").read_text())
    assert sum(row["probe"] == "mce" for row in kept) == 2


def test_the_command_prints_and_writes_them_beside_the_untrained_network(tmp_path, capsys):
    write_imagenet(tmp_path), write_c(tmp_path / "c", wrong={("fog", 4)})
    words = ["probe", "zoo:scenes_mae", "--suite", "imagenet-c", "data=imagenet", "data.side=8"]
    words += [f"data.path={tmp_path}", f"--out={tmp_path}/errors.csv"]
    assert main([*words, "data.test=c", f"data.test_path={tmp_path}/c"]) == 0
    shown = capsys.readouterr().out
    assert "mce_jpeg_compression (of" in shown and "untrained" in shown
    assert "published: MAE ViT-B, fine-tuned, 0.517 mce (He et al. 2022)" in shown
    assert "published: DINOv2 ViT-B/14, linear, 0.427 mce (Oquab et al. 2023, table 6)" in shown
    scores = polars.read_csv(tmp_path / "errors.csv")
    assert len(scores) == 2 * 16 and set(scores["model"]) == {"untrained", "zoo:scenes_mae"}
    means, each = (scores.filter((polars.col("probe") == "mce") == mean) for mean in (True, False))
    by_model = each.group_by("model", maintain_order=True).agg(polars.col("value").mean())
    assert means["value"].to_list() == pytest.approx(by_model["value"].to_list())
    settings = json.loads(means["settings"][0])
    assert (settings["train_images"], settings["test_images"]) == (12, 3)
    assert main(words) == 2
    assert "--suite imagenet-c needs data=imagenet data.test=c" in capsys.readouterr().err
