"""Words of the command line: mistakes in one sentence, most of them before torch is loaded."""

import shlex
import subprocess
import sys

import pytest
from PIL import Image

from siamlab import RECIPES, recipes
from siamlab.cli.main import main
from siamlab.cli.words import is_assignment, probe_words
from siamlab.train import RunFolder

TINY = (
    "batch=8 steps=1 size=8 model.patch=4 model.width=8 model.depth=1 model.heads=2 "
    "masking.ratio=0.5 prediction.width=8 prediction.heads=2 "
    "data.side=8 data.images=8 data.test_images=8"
).split()
# command line: parts of its message
EARLY = {
    "": ["needs a command", "--help"],
    "trian mae": ["'trian'; did you mean 'train'"],
    "train": ["train needs a recipe, one of byol", ".toml", "siamlab train mae --small"],
    "show": ["show needs a recipe"],
    "train siamesim": ["'siamesim'; did you mean 'siameseim'"],
    "train steps=3 mae": ["steps=3 is not a recipe; the recipe", "siamlab train mae steps=3"],
    "train mae --out": ["--out must be followed by a value", "siamlab train --help"],
    "train mae --small --photos": ["--photos and --small exclude each other"],
    "train mae --out=": ["--out: the path is empty"],
    "train mae --resume=yes": ["--resume takes no value", "'yes'"],
    "train mae --nope": ["--nope is not an option", "siamlab train --help"],
    "probe": ["probe needs a model"],
    "probe nowhere": ["no run's folder or encoder file nowhere"],
    "probe zoo:nothing": ["no model 'nothing'"],
    "probe zoo:mae batch=3": ["not 'batch=3', which is also not a file or folder"],
    "probe zoo:mae --suite ful": ["no suite 'ful'; did you mean 'full'"],
    "probe zoo:mae --device tpu": ["no device 'tpu'", "allowed: auto, cpu, cuda"],
    "probe zoo:mae --images 0": ["--images: '0' is not a whole number, 1 or more"],
    "completion": ["completion needs a shell: bash, zsh, tcsh"],
    "completion tcl": ["no shell 'tcl'; did you mean 'tcsh'"],
    "study": ["study needs run | report"],
    "study rnu": ["'rnu'; did you mean 'run'"],
    "study run": ["study run needs file"],
    "data list scenes": ["siamlab data list"],
    "data info": ["siamlab data info NAME"],
    "demo data.side=3": ["only with --data NAME"],
    "demo --long --smallest": ["exclude each other"],
    "train mae steps=1 steps=2": ["steps=1 and steps=2 give steps two values; leave one"],
    "show mae masking=grid --small masking.kind=none": ["masking=grid and masking.kind=none give"],
    "train mae --out a --out b": ["--out: a and b are two values; leave one of them out"],
    "probe zoo:mae --images 20 --images=30": ["--images: 20 and 30 are two values"],
    "probe zoo:mae --data scenes data=fashion": ["--data scenes and data=fashion name two sources"],
    "embed zoo:mae --out a.parquet data=scenes data=fashion": ["data=scenes and data=fashion give"],
    "study worker seeds=1 seeds=2": ["seeds=1 and seeds=2 give seeds two values"],
    "study report a.py --margin 0.1 --margin 0.2": ["--margin: 0.1 and 0.2 are two values"],
}


def said(capsys, *words):
    assert main(list(words)) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("siamlab: ") and err.count("\n") == 1
    return err


@pytest.mark.parametrize("words", EARLY)
def test_a_mistake_is_one_sentence(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = said(capsys, *words.split())
    assert all(part in error for part in EARLY[words]), error
    assert not list(tmp_path.iterdir())


def test_none_of_these_mistakes_loads_torch():
    program = f"""
import sys
from siamlab.cli.main import main
for words in {[words.split() for words in EARLY]}:
    assert main(words) == 2, words
    assert "torch" not in sys.modules, words
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_the_names_of_recipes_are_known_without_loading_them():
    assert RECIPES == tuple(sorted(recipes.RECIPES))


@pytest.mark.parametrize("name", ["lr=0.01", "a=b", "data.side", "two words"])
def test_a_path_may_have_an_equals_sign_and_what_train_recommends_works(
    name, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "mae", "--small", *TINY, "--out", f"runs/{name}"]) == 0
    advice = capsys.readouterr().out.split("`")[1]
    assert shlex.split(advice) == ["siamlab", "probe", f"runs/{name}"]
    assert probe_words(shlex.split(advice)[2:]) == ([f"runs/{name}"], [])
    monkeypatch.chdir(tmp_path / "runs")
    assert probe_words([name, "data.side=16"]) == ([name], ["data.side=16"])


def test_what_is_given_twice_alike_counts_once(capsys):
    assert main(["show", "mae", "--small", "steps=7", "steps=7"]) == 0
    assert "steps = 7\n" in capsys.readouterr().out


def test_what_is_no_path_is_an_assignment():
    assert is_assignment("loss.weight=3") and is_assignment("data.path=a/b=c")
    assert not is_assignment("runs/lr=0.01") and not is_assignment("zoo:mae")


def test_a_folder_that_lost_its_run_is_not_told_to_resume(tmp_path, capsys):
    out = tmp_path / "run"
    (out / "checkpoints" / "step_1").mkdir(parents=True)
    error = said(capsys, "train", "mae", "--small", *TINY, "--out", str(out), "--resume")
    assert "has no run.toml" in error and "put run.toml back" in error
    assert "--resume" not in error and "new one starts" not in error
    assert not RunFolder(out).run_file.exists() and not (out / ".lock").exists()


def test_a_wrong_tag_of_a_frozen_target_is_said_before_training(capsys):
    name = "vit_base_patch16_224.mea"
    error = said(capsys, "show", "mae", "target=frozen", f"target.name={name}")
    assert f"no weights '{name}'; did you mean" in error and "vit_base_patch16_224.mae" in error


def test_fine_tuning_of_what_has_no_labels_is_refused(tmp_path, capsys):
    for i in range(12):
        Image.new("RGB", (9, 9), (20 * i, 0, 9)).save(tmp_path / f"{i}.png")
    data = ("data=folder", f"data.path={tmp_path}", "data.side=16")
    error = said(capsys, "probe", "zoo:scenes_mae", *data, "fine_tune.epochs=1")
    assert "fine-tuning" in error and "labels of two classes" in error


def test_a_batch_of_fine_tuning_that_is_too_large_is_said_before_any_probe(capsys):
    few = ("data=scenes", "data.images=16", "data.test_images=8", "data.side=16")
    error = said(capsys, "probe", "zoo:scenes_mae", *few, "fine_tune.epochs=1")
    assert "fine_tune.batch=1024 must be at most 16" in error


@pytest.mark.slow
def test_a_few_images_of_each_class_are_enough_for_the_full_suite(tmp_path, capsys):
    """One test image of each class: no retrieval and no similarity of layers, but no error."""
    for i, name in enumerate("abc"):
        (tmp_path / name).mkdir()
        for j in range(2):
            Image.new("RGB", (9, 9 + i), (80 * i, 100 * j, 9)).save(tmp_path / name / f"{j}.png")
    out = tmp_path / "out"
    words = ("--suite", "full", "data=folder", f"data.path={tmp_path}", "data.side=16")
    assert main(["probe", "zoo:scenes_mae", *words, "--out", str(out)]) == 0
    assert "No retrieval: it needs two test images" in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "scores.parquet"]


def test_a_refused_probe_leaves_no_folder(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    words = ("data=folder", f"data.path={tmp_path / 'photos'}")
    said(capsys, "probe", "zoo:scenes_mae", *words, "--out", str(tmp_path / "deep" / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
