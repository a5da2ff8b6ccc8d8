"""--device and --precision of the commands that train: where they compute, and how they probe."""

import shlex
from pathlib import Path

import pytest
import torch

from siamlab.cli import commands
from siamlab.cli import demo as demo_file
from siamlab.cli.main import main
from siamlab.cli.words import device_words
from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.evaluate.models import NamedModel
from siamlab.machine.device import device_named
from siamlab.recipes import demo_size, mae
from siamlab.run import Compute
from siamlab.study import (
    Ablation,
    Axis,
    Choice,
    Search,
    attach,
    description,
    import_trials,
    report,
    runner,
    trial,
)
from siamlab.study.assignments import assign
from siamlab.study.description import describe, differences
from siamlab.study.images import StudyImages
from siamlab.train import RunFolder, device

TINY = (
    "batch=8 steps=1 size=8 model.patch=4 model.width=8 model.depth=1 model.heads=2 "
    "masking.ratio=0.5 prediction.width=8 prediction.heads=2 "
    "data.side=8 data.images=8 data.test_images=8"
).split()


LENGTH = Axis("steps", Choice("1"), Choice("2", "steps=2"))


class Asked(Exception):
    """What a command was about to do."""


def test_train_records_the_device_in_its_run(tmp_path, capsys):
    words = ["train", "mae", "--small", *TINY, "--device", "cpu", "--out", str(tmp_path / "run")]
    assert main(words) == 0
    assert RunFolder(tmp_path / "run").run().compute.device == "cpu"


@pytest.mark.parametrize("words, expected", [
    ("--smallest", "auto"),
    ("--smallest --device cpu", "cpu"),
    ("--data fashion compute.device=cpu", "cpu"),
])  # fmt: skip
def test_the_demo_trains_and_probes_on_the_device(words, expected, tmp_path, monkeypatch):
    trained, probed = [], []

    def probe_all(*args, device, **settings):
        probed.append(device)
        raise Asked

    monkeypatch.setattr(demo_file, "train_all", lambda runs, *rest: trained.extend(runs))
    monkeypatch.setattr(demo_file, "open_models", lambda paths: ["model"])
    monkeypatch.setattr(demo_file, "before_training", lambda model: "start")
    monkeypatch.setattr(demo_file, "probe_all", probe_all)
    with pytest.raises(Asked):
        main(["demo", "--out", str(tmp_path / "demo"), *shlex.split(words)])
    assert {run.compute.device for run in trained} == {expected} and probed == [expected]


@pytest.mark.parametrize("there, where", [("cpu", "side by side"), ("auto", "in turn")])
def test_runs_of_the_demo_share_the_cores_only_where_they_use_no_gpu(there, where, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", lambda place: None)
    monkeypatch.setattr(demo_file.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(demo_file, "side_by_side", lambda jobs, n: iter([("side by side", None)]))
    monkeypatch.setattr(demo_file, "steps", lambda *args, **more: iter(["in turn"]))
    run = demo_size(mae()).change(f"compute.device={there}")
    found = [word for event in demo_file.trained([(run, Path("run"))] * 2) for word in event]
    assert where in found


@pytest.mark.parametrize("verb, module, name", [
    ("run", runner, "run_study"), ("worker", attach, "attach_study"),
])  # fmt: skip
def test_a_study_gives_its_runs_the_device(verb, module, name, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(module, name, lambda file, words, *rest: given.extend(words) or 0)
    words = ["study", verb, "studies/loss_form.py", "seeds=2", "--device", "cpu"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    assert given == ["seeds=2", "compute.device=cpu"]
    study = Ablation(question="?", base=mae(), axes=(LENGTH,))
    assert {point.run.compute.device for point in assign(study, given).points()} == {"cpu"}


@pytest.mark.parametrize("words, expected", [([], "auto"), (["--device", "cpu"], "cpu")])
def test_the_report_of_a_study_computes_its_pictures_on_the_device(
    words, expected, tmp_path, monkeypatch
):
    given = []
    monkeypatch.setattr(report, "report_study", lambda *all_of_it: given.extend(all_of_it))
    assert main(["study", "report", "studies/loss_form.py", *words, "--out", str(tmp_path)]) == 0
    assert given[-1] == expected


@pytest.mark.parametrize("kind", ["ablation", "search"])
def test_a_study_on_the_processor_has_a_worker_per_core_beside_a_gpu_too(kind, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(runner.os, "cpu_count", lambda: 7)
    search = Search(question="?", suggest=lambda trial: mae(), trials=1)
    ablation = Ablation(question="?", base=mae(), axes=(LENGTH,))
    study = search if kind == "search" else ablation
    assert runner.default_workers(study) == 3
    assert runner.default_workers(assign(study, ["compute.device=cpu"])) == 7


@pytest.mark.parametrize(
    "command",
    [
        "train mae",
        "demo --smallest",
        "study run studies/masking.py",
        "study worker studies/masking.py",
        "study report studies/masking.py",
    ],
)
@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_gpu_that_is_not_there_is_refused_before_anything_else(
    command, name, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    out = tmp_path / "out"
    assert main([*command.split(), "--device", name, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert f"--device {name} " in error and "torch finds none here" in error
    assert not out.exists()


@pytest.mark.parametrize("command", [f"train mae --small {' '.join(TINY)}", "demo --data fashion",
                                     "study worker", "study run studies/masking.py",
                                     "study worker studies/masking.py"])  # fmt: skip
@pytest.mark.parametrize("option, word", [("cuda", "cpu"), ("auto", "'cpu'")])
def test_two_devices_are_refused(command, option, word, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo_file, "demo", lambda *args: 0)
    monkeypatch.setattr(runner, "run_study", lambda *args: 0)
    monkeypatch.setattr(attach, "attach_study", lambda *args: 0)
    words = [f"compute.device={word}", "--device", option, "--out", str(tmp_path / "out")]
    assert main([*command.split(), *words]) == 2
    error = capsys.readouterr().err
    assert f"--device {option} and compute.device={word} are two devices; leave one" in error
    assert not (tmp_path / "out").exists()


def test_a_device_may_be_named_twice():
    words = ["steps=2", "compute.device='cpu'"]
    assert device_words("cpu", words) == [*words, "compute.device=cpu"]


def test_a_run_uses_apples_gpu_only_by_its_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device.choose_device(Compute(device="mps")).type == "mps"
    assert device.choose_device(Compute()).type == "cpu"


@pytest.mark.parametrize("verb, module, name", [
    ("run", runner, "run_study"), ("worker", attach, "attach_study"),
    ("report", report, "report_study"), ("import", import_trials, "import_trials"),
])  # fmt: skip
def test_a_study_is_probed_in_a_precision(verb, module, name, tmp_path, monkeypatch, capsys):
    given = []
    monkeypatch.setattr(module, name, lambda file, words, *rest: given.extend(words) or 0)
    words = ["study", verb, "studies/loss_form.py", "--precision", "bfloat16"]
    words += ["--from", "trials.jsonl"] if verb == "import" else []
    assert main([*words, "--out", str(tmp_path)]) == 0
    assert given == ["precision=bfloat16"]
    assert main([*words[:3], "precision=float32", *words[3:]]) == 2
    assert "--precision bfloat16 and precision=float32 differ" in capsys.readouterr().err
    assert main([*words[:3], "--precision", "float8", *words[5:]]) == 2
    assert "allowed: bfloat16, float16, float32" in capsys.readouterr().err


def test_trials_of_two_precisions_do_not_mix_and_the_probes_get_theirs(tmp_path, monkeypatch):
    study = Ablation(question="?", base=mae(), axes=(LENGTH,))
    lowered, asked = assign(study, ["precision=bfloat16"]), {}
    monkeypatch.setattr(description, "_describe_images", lambda *rest: {})
    plain, low = describe(study), describe(lowered)
    assert [d.key for d in differences(low, plain)] == ["precision"]
    del plain["precision"]  # as older storages have it
    assert [d.key for d in differences(low, plain)] == ["precision"]
    assert not list(differences(describe(study), plain))

    def probe_model(*args, **settings):
        asked.update(settings)
        raise Asked

    monkeypatch.setattr(trial, "probe_model", probe_model)
    monkeypatch.setattr(trial, "open_model", lambda path: NamedModel("mine", None, None))
    data = Scenes(side=8, images=8, test_images=8)
    images = StudyImages(data("train"), data("test"), {}, "scenes")
    with pytest.raises(Asked):
        trial.probe_trial(mae().change("compute.device=cpu"), tmp_path, lowered, images)
    assert asked["precision"] == "bfloat16"


def test_the_demo_probes_in_a_precision(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(demo_file, "demo", lambda *args: asked.append(args[2]) or 0)
    assert main(["demo", "--precision", "float16"]) == main(["demo"]) == 0
    assert asked == ["float16", "float32"]


@pytest.mark.parametrize("words, expected", [([], None), (["--device", "cpu"], "cpu")])
def test_the_lab_tells_its_notebooks_the_device(words, expected, tmp_path, monkeypatch):
    started = []
    monkeypatch.delenv("SIAMLAB_DEVICE", raising=False)
    monkeypatch.setattr(commands, "find_spec", lambda name: name)
    monkeypatch.setattr(commands.subprocess, "call", lambda *args, env: started.append(env) or 0)
    assert main(["lab", "--folder", str(tmp_path), *words]) == 0
    assert [environment.get("SIAMLAB_DEVICE") for environment in started] == [expected]


def test_the_lab_refuses_a_gpu_that_is_not_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(commands, "find_spec", lambda name: name)
    monkeypatch.setattr(commands.subprocess, "call", lambda *args, **more: 1 / 0)
    assert main(["lab", "--folder", str(tmp_path), "--device", "cuda"]) == 2
    assert "--device cuda " in capsys.readouterr().err


def test_a_variable_says_what_auto_means(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(runner.os, "cpu_count", lambda: 7)
    study = Ablation(question="?", base=mae(), axes=(LENGTH,))
    assert device_named("auto").type == "cuda" and runner.default_workers(study) == 3
    monkeypatch.setenv("SIAMLAB_DEVICE", "cpu")
    assert device_named("auto").type == device.choose_device(Compute()).type == "cpu"
    assert runner.default_workers(study) == 7 and device_named("cuda").type == "cuda"


@pytest.mark.parametrize("value, sentence", [
    ("gpu", "SIAMLAB_DEVICE names no device, 'gpu'; did you mean 'cpu'. allowed: auto, cpu"),
    ("cuda", "SIAMLAB_DEVICE=cuda asks for a GPU, but torch finds none here; unset it, or set it"),
])  # fmt: skip
def test_a_variable_that_names_no_device_is_refused(value, sentence, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("SIAMLAB_DEVICE", value)
    for use in (lambda: device_named("auto"), lambda: device.choose_device(Compute())):
        with pytest.raises(UserError, match=sentence):
            use()
    assert device_named("cpu").type == "cpu"
