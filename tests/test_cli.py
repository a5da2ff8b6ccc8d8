"""The command line: what it prints, what it writes, and one sentence for each mistake."""

import errno
import io
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import polars
import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image
from test_train import noise

from siamlab import __version__
from siamlab.cli.choices import SHELLS
from siamlab.cli.main import main, read
from siamlab.cli.probe import write_files
from siamlab.component import UserError
from siamlab.evaluate.evaluate import Evaluation, with_untrained
from siamlab.evaluate.files import check_out
from siamlab.evaluate.models import NamedModel, distinct, open_models
from siamlab.evaluate.published import PAPERS
from siamlab.machine.fields import choices
from siamlab.probe import PROBES
from siamlab.recipes import RECIPES, demo_size, photo_size
from siamlab.run import Run
from siamlab.run.choices import AXES, axis_choices
from siamlab.train import RunFolder, untrained

TINY = (
    "batch=8 steps=4 size=12 model.patch=4 model.width=16 model.depth=1 model.heads=2 "
    "prediction.width=16 prediction.heads=2 save_every=2 log_every=1 "
    "data.side=16 data.images=40 data.test_images=8"
).split()


def said(capsys, *words: str, status: int = 0) -> str:
    assert main(list(words)) == status
    out, err = capsys.readouterr()
    return err if status else out


@pytest.mark.parametrize("name", RECIPES)
def test_show_prints_a_run_that_reads_back(name, capsys):
    assert Run.parse(said(capsys, "show", name)) == RECIPES[name]()


@pytest.mark.parametrize("option, sized", [("--small", demo_size), ("--photos", photo_size)])
def test_show_takes_changes_and_smaller_sizes(option, sized, capsys):
    shown = said(capsys, "show", "mae", option, "masking.ratio=0.5", "loss=smooth_l1")
    fields = tomllib.loads(shown)
    assert fields["masking"]["ratio"] == 0.5 and fields["loss"]["kind"] == "smooth_l1"
    small = sized(RECIPES["mae"]())
    assert Run.parse(shown) == small.change("masking.ratio=0.5", "loss=smooth_l1")


def test_axes_names_every_choice_and_every_field(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    printed = "".join(said(capsys, "axes").split())
    for axis in AXES:
        for kind, choice in axis_choices(axis).items():
            assert kind in printed
            for name in choice.model_fields:
                assert f"{name}=" in printed or name == "kind", f"{axis}.{kind}.{name}"


def test_a_terminal_without_a_width_shows_the_same(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    shown = said(capsys, "axes")
    monkeypatch.setenv("COLUMNS", "0")
    assert said(capsys, "axes") == shown and len(shown) > 1000


def test_every_choice_and_every_field_is_explained():
    for axis in AXES:
        for choice in axis_choices(axis).values():
            assert choice.__doc__ and "." in choice.__doc__
            for name, field in choice.model_fields.items():
                told = name == "kind" or choices(field.annotation) or field.description
                assert told, f"{axis}: {choice}.{name}"


def test_train_and_probe_from_the_command_line(tmp_path, capsys):
    out = tmp_path / "run"
    said(capsys, "train", "mae", "--small", *TINY, "--out", str(out))
    assert RunFolder(out).encoder.exists()
    table = tmp_path / "scores.csv"
    printed = said(capsys, "probe", str(out), "--images", "40", "--out", str(table))
    assert "knn" in printed and "untrained" in printed
    assert "semantic" in table.read_text() and (out / "probes.json").exists()


def test_train_goes_on_from_a_toml_file(tmp_path, capsys):
    file = tmp_path / "mine.toml"
    file.write_text(said(capsys, "show", "mae", "--small", *TINY))
    words = ("train", str(file), "--out", str(tmp_path / "run"))
    said(capsys, *words)
    assert "--resume" in said(capsys, *words, status=2)
    said(capsys, *words, "--resume")


def test_probe_takes_a_timm_model_without_weights(capsys):
    words = ("probe", "timm:test_vit", "--no-weights", "--images", "40")
    printed = said(capsys, *words, "data.images=40", "data.test_images=8", "data.side=16")
    assert "timm:test_vit" in printed and "correspondence" in printed


def test_data_lists_and_describes(capsys):
    listed = said(capsys, "data", "list")
    assert all(kind in listed for kind in axis_choices("data"))
    assert "MIT" in said(capsys, "data", "info", "fashion")


@pytest.mark.slow
def test_a_comparison_is_a_table_and_a_report(tmp_path, capsys):
    out = tmp_path / "deep" / "out"
    models = ("timm:test_vit", "timm:test_vit2")
    words = ("--no-weights", "--images", "60", "--suite", "full", "--size", "32", "--out", str(out))
    few = ("--data", "scenes", "data.images=60", "data.test_images=20", "data.side=24")
    printed = said(capsys, "probe", *models, *words, *few)
    assert "semantic" in printed and "report.html" in printed and "lidar" not in printed
    scores = polars.read_parquet(out / "scores.parquet")
    assert set(scores["model"]) == set(models) and {"lidar", "position"} < set(scores["probe"])
    assert '"resolution": [32, 32]' in scores["settings"][0]
    page = (out / "report.html").read_text()
    for title in (
        "The plane",
        "By layer",
        "Representation",
        "Attention",
        "Attribution",
        "Protocol",
    ):
        assert f">{title}</h2>" in page
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "scores.parquet"]


def test_fine_tuning_is_asked_for_by_its_keys(tmp_path, capsys):
    words = ("fine_tune.epochs=1", "fine_tune.batch=8", "fine_tune.crop=[0.5,1]", "--images", "16")
    few = ("data.images=16", "data.test_images=8", "data.side=16", "--out", str(tmp_path / "s.csv"))
    said(capsys, "probe", "zoo:scenes_mae", *words, *few)
    tuned = polars.read_csv(tmp_path / "s.csv").filter(probe="fine_tuning")
    assert tuned["model"].to_list() == ["untrained", "zoo:scenes_mae"]
    assert '"fine_tune.epochs": 1' in tuned["settings"][0]


def test_a_published_recipe_is_where_fine_tuning_begins(tmp_path, capsys):
    words = ("fine_tune=linear", "fine_tune.epochs=1", "fine_tune.batch=8", "--images", "16")
    few = ("data.images=16", "data.test_images=8", "data.side=16", "--out", str(tmp_path / "s.csv"))
    printed = said(capsys, "probe", "zoo:scenes_mae", *words, *few)
    assert "linear_augmented: protocol mae-linear, He et al. 2022, table 10: LARS" in printed
    for model, value in (("MAE", "0.680"), ("SiameseIM", "0.780")):
        assert f"published: {model} ViT-B/16 on ImageNet-1k, {value} linear_augmented" in printed
    assert "fine_tuning" not in printed and "efficient-probing" not in printed
    table = polars.read_csv(tmp_path / "s.csv")
    trained = table.filter(probe="linear_augmented")
    assert len(trained) == 2 and "fine_tuning" not in table["probe"]
    assert '"fine_tune.optimiser": "lars"' in trained["settings"][0]
    printed = said(capsys, "probe", "zoo:scenes_mae", "fine_tune=linaer", status=2)
    assert "did you mean 'linear'" in printed


@pytest.mark.slow
def test_the_suite_of_published_protocols_names_each_with_its_source_and_numbers(capsys):
    few = ("data=scenes", "data.images=60", "data.test_images=20", "data.side=40")
    printed = said(capsys, "probe", "zoo:scenes_mae", "--suite", "published", *few)
    for key in ("linear_tuned", "few_shot_share", "attentive", "in_context_sampled"):
        about = printed.partition(f"{key}: protocol {PAPERS[key].name}, ")[2]
        assert about.startswith(PAPERS[key].source[:30])
    assert "published: MAE ViT-B/16 on ImageNet-1k, 0.511 few_shot_share (Tao et al." in printed
    assert "linear_augmented" not in printed


def test_published_protocols_are_of_probes_and_their_numbers_of_one_probe_each():
    assert PAPERS.keys() <= PROBES.keys()
    assert len({paper.name for paper in PAPERS.values()}) == len(PAPERS)
    for key, paper in PAPERS.items():
        assert paper.source and paper.published
        assert all(each.probe == key and 0 < each.value < 1 for each in paper.published)


def test_what_unlabelled_images_do_not_tell_is_said(tmp_path, capsys):
    for i in range(12):
        Image.new("RGB", (9, 9 + i), (20 * i, 0, 9)).save(tmp_path / f"{i}.png")
    words = ("data=folder", f"data.path={tmp_path}", "data.side=16", "data.test_fraction=0.5")
    printed = said(capsys, "probe", "zoo:scenes_mae", *words)
    assert "No semantic probes" in printed and "data.path" in printed and "spatial" in printed


def test_models_of_different_sizes_are_no_table(tmp_path, capsys):
    words = ("probe", "zoo:scenes_mae", "timm:test_vit", "--no-weights", "--images", "20")
    few = ("data=scenes", "data.images=20", "data.test_images=8", "--out", str(tmp_path / "s.csv"))
    error = said(capsys, *words, *few, status=2)
    for part in ("zoo:scenes_mae", "timm:test_vit", "(40, 40)", "(160, 160)", "one size (--size"):
        assert part in error
    assert not list(tmp_path.iterdir())


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0 and capsys.readouterr().out == f"siamlab {__version__}\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_commands_options_recipes_and_axes(capsys, shell):
    script = said(capsys, "completion", shell)
    for word in ("study", "report", "test-images", *RECIPES, *AXES):
        assert word in script
    if shell != "tcsh" and shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_bash_completes_what_the_script_says(capsys):
    """The words that bash offers, asked for as the shell does after a press of the tab key."""
    script = said(capsys, "completion", "bash")
    ask = """COMP_WORDS=(siamlab %s); COMP_CWORD=%d
        $(complete -p siamlab | sed "s/.*-F //; s/ .*//")"""
    for words, offered in (
        ("sho", "show"), ("train sim", "simmim"), ("axes mask", "masking"),
        ("demo --device cu", "cuda"), ("study run --device mp", "mps"),
        ("train --device cp", "cpu"),
    ):  # fmt: skip
        line = ask % (words, len(words.split()))
        shell = subprocess.run(
            ["bash", "-c", f'{script}\n{line}\necho "${{COMPREPLY[@]}}"'],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert offered in shell.stdout.split()


def test_the_schema_takes_every_recipe_and_refuses_what_a_run_refuses(capsys):
    schema = json.loads(said(capsys, "schema"))
    check = Draft202012Validator(schema)
    check.check_schema(schema)
    for recipe in RECIPES:
        assert not [*check.iter_errors(tomllib.loads(said(capsys, "show", recipe)))]
    run = RECIPES["mae"]().model_dump(mode="json")
    wrong = [
        {"stepz": 3},
        {"steps": 0},
        {"masking": {"kind": "blok"}},
        {"masking": {"kind": "random", "ratio": 1.5}},
        {"masking": {"ratio": 0.5}},
    ]
    assert check.is_valid(run) and check.is_valid(run | {"size": 40})
    as_taplo = run | {"optimiser": run["optimiser"] | {"clip": None}}  # what it reads for inf
    assert check.is_valid(as_taplo)
    assert not any(check.is_valid(run | change) for change in wrong)


def test_two_runs_of_one_name_are_told_apart(tmp_path):
    model = torch.nn.Identity()
    paths = [str(tmp_path / "a/mae"), str(tmp_path / "b/mae"), "zoo:scenes_mae"]
    models = [NamedModel(name, model, None) for name in ("mae", "mae", "zoo:scenes_mae")]
    assert [s.name for s in distinct(paths, models)] == paths


def test_networks_that_start_alike_are_probed_once():
    trained = open_models(["zoo:scenes_siameseim", "zoo:scenes_mae"])
    assert [s.name for s in with_untrained(trained)] == [
        "untrained",
        "zoo:scenes_siameseim",
        "zoo:scenes_mae",
    ]
    run = trained[0].run.change(seed=5)
    names = [s.name for s in with_untrained([*trained, NamedModel("other", untrained(run), run)])]
    assert names == [
        *(
            "zoo:scenes_siameseim, untrained",
            "zoo:scenes_siameseim",
            "zoo:scenes_mae",
            "other, untrained",
            "other",
        ),
    ]


ODD = ("--test-images", "7")
STUDIES = Path(__file__).parent.parent / "studies"
MISTAKES = {
    "train siamesim": ["'siamesim'", "did you mean 'siameseim'"],
    "train mae los=mse": ["'los'", "did you mean 'loss'"],
    "train mae loss=cosin": ["loss", "'cosin'", "did you mean 'cosine'"],
    "train mae loss.wieght=1": ["'wieght'", "allowed: kind"],
    "train mae masking.ratio=1.5": ["masking.ratio=1.5", "below 1"],
    "train mae batch=many": ["batch=many", "whole number", "siamlab axes batch"],
    "train mae steps": ["'steps' is not key=value", "loss.weight=0.05"],
    "train mae size=100": ["size=[100, 100]", "model.patch=16", "96 or 112"],
    "train mae views=independent": ["masking.predict=hidden", "views=independent", "views=same"],
    "train nowhere.toml": ["no run file nowhere.toml", "siamlab show"],
    "train mae data=folder data.path=nowhere": ["nowhere", "data.path"],
    "train mae compute.device=tpu": ["compute.device=tpu", "'auto', 'cpu', 'cuda' or 'mps'"],
    "train mae model=vit_smal_patch16_224": ["vit_small_patch16_224"],
    "axes loos": ["'loos'", "did you mean 'loss'"],
    "probe": ["probe needs a model"],
    "probe runs/nowhere": ["runs/nowhere", "siamlab train"],
    "probe timm:resnet50 --no-weights": ["resnet50"],
    "probe timm:vit_smal_patch16_224": ["vit_small_patch16_224"],
    "probe zoo:nothing": ["'nothing'"],
    "probe timm:test_vit --no-weights --out x.xls": ["x.xls", ".parquet"],
    "probe timm:test_vit --no-weights batch=3": ["'batch=3'", "data.key=value"],
    "probe zoo:scenes_mae fine_tune.epoch=3": ["'epoch'", "did you mean 'epochs'"],
    "probe zoo:scenes_mae fine_tune.epochs=0": [
        "fine_tune.epochs=0",
        "a whole number from 1",
    ],
    "probe timm:test_vit --no-weights --size 33": ["--size 33", "16 pixels", "32 and 48"],
    "probe zoo:scenes_mae --size 41": ["multiple of zoo:scenes_mae's patch", "40 and 48"],
    "probe timm:test_vit timm:test_vit --no-weights": ["timm:test_vit is named twice"],
    "probe timm:test_vit --no-weights --out /dev/null": ["--out /dev/null must be a folder"],
    "probe timm:test_vit --no-weights --data scnes": ["'scnes'", "did you mean 'scenes'"],
    "data info fashon": ["'fashon'", "did you mean 'fashion'"],
    "study run nowhere.py": ["no study file nowhere.py", "studies/"],
    "study run pyproject.toml": ["no study file pyproject.toml"],
    "study report STUDIES/loss_form.py": ["no study in runs/studies/loss_form", "study run"],
    "study run STUDIES/loss_form.py los=mse": ["loss_form.py", "'los'", "did you mean 'loss'"],
    "study run STUDIES/loss_form.py seeds=0": ["seeds=0", "from 1 to 1,000"],
    "study run STUDIES/loss_form.py axes=3": ["axes defines the study"],
    "study run STUDIES/loss_form.py --storage mysq://x": ["mysq://x", "cannot be opened"],
    "study worker": ["worker needs a study's file", "--storage"],
    "study worker steps=3": ["worker needs a study's file", "--storage"],
    "study worker --out nowhere": ["no study in nowhere yet"],
    "lab": ["no folder notebooks here", "--folder"],
    "data frobnicate": ["'frobnicate'", "siamlab data list"],
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_one_sentence_and_nothing_is_written(words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = words.replace("STUDIES", str(STUDIES)).split()
    error = said(capsys, *given, status=2)
    assert error.startswith("siamlab: ") and error.count("\n") == 1
    for part in MISTAKES[words]:
        assert part in error
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_asked_for_where_there_is_none(tmp_path, capsys):
    words = ("train", "mae", "--small", *TINY, "compute.device=cuda", "--out", str(tmp_path / "r"))
    assert "compute.device=cuda asks for a GPU" in said(capsys, *words, status=2)
    assert not (tmp_path / "r").exists()


def test_a_folder_with_bad_images_trains_on_the_others_and_names_them(tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(30):
        Image.new("L" if i % 2 else "RGB", (7 + i, 20), i * 8).save(photos / f"{i:02}.png")
    (photos / "cut.png").write_bytes((photos / "01.png").read_bytes()[:40])
    (photos / "text.jpg").write_text("no image")
    changes = [c for c in TINY if not c.startswith("data.")]
    data = ("data=folder", f"data.path={photos}", "data.side=16")
    words = ("train", "mae", "--small", *data, *changes)
    with pytest.warns(UserWarning, match="cut.png.*text.jpg|text.jpg.*cut.png"):
        said(capsys, *words, "--out", str(tmp_path / "run"))
    assert RunFolder(tmp_path / "run").encoder.exists()


def test_test_images_are_drawn_where_there_are_more_and_the_protocol_says_so(tmp_path, capsys):
    assert read(["probe", "zoo:mae"]).test_images == 2000
    few, out = ("data=scenes", "data.images=20", "data.side=16"), tmp_path / "s.csv"
    words = ("probe", "zoo:mae", *few, "--test-images", "8", "--out", str(out))
    for there, drawn in ((12, "at random, of 12"), (8, None)):
        said(capsys, *words, f"data.test_images={there}")
        about = [json.loads(text) for text in polars.read_csv(out)["settings"]]
        assert {fields["data.test_images"] for fields in about} == {8}
        assert {fields.get("data.test_drawn") for fields in about} == {drawn}
    error = said(capsys, "probe", "zoo:mae", *few, "data.test_images=12", *ODD, status=2)
    assert "--test-images 7" in error and "pairs of scenes" in error and "try 8" in error


def test_probes_on_other_images_are_kept_beside_the_new_ones(tmp_path, capsys):
    out = tmp_path / "run"
    said(capsys, "train", "mae", "--small", *TINY, "--out", str(out))
    for images in ("40", "20", "20"):
        said(capsys, "probe", str(out), "--images", images)
    rows = json.loads((out / "probes.json").read_text())
    used = [json.loads(r["settings"])["data.train_images"] for r in rows if r["probe"] == "knn"]
    assert sorted(used) == [20, 20, 40, 40]  # the run and its untrained network
    (out / "probes.json").unlink()
    (out / "probes.json").mkdir()
    with pytest.warns(UserWarning, match="scores are not kept in .*run: Is a directory"):
        said(capsys, "probe", str(out), "--images", "20")


def test_a_full_disk_behind_the_output_is_one_sentence(monkeypatch, capsys):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["axes", "loss"]) == 2
    said = capsys.readouterr().err
    assert said == "siamlab: the disk is full where this works; mend that and start again\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_closed_stream_is_no_mistake(stream, monkeypatch):
    monkeypatch.setattr(sys, stream, None)  # as Python does for `>&-`
    assert main(["axes", "loss"]) == 0 and main(["axes", "nope"]) == 2


def test_a_terminal_of_plain_letters_shows_no_question_marks(monkeypatch):
    out = io.BytesIO()
    with io.TextIOWrapper(out, "ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert (
            main(
                [
                    "leaderboard",
                    "show",
                    "--from",
                    str(STUDIES.parent / "docs" / "leaderboard.parquet"),
                ]
            )
            == 0
        )
        stream.flush()
        assert b"^ higher is better" in out.getvalue() and b"?" not in out.getvalue()


def test_an_interrupt_at_once_is_one_sentence(monkeypatch, capsys):
    class Interrupted(io.StringIO):
        def reconfigure(self, **_):
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdout", Interrupted())
    assert main(["axes"]) == 130 and capsys.readouterr().err == "siamlab: stopped\n"


def test_an_interrupt_before_the_table_leaves_no_folder(tmp_path, monkeypatch):
    def interrupted(table, path):
        path.parent.mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr("siamlab.cli.probe.write_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path / "a" / "o", [], Evaluation(polars.DataFrame(), noise(2)), "quick")
    assert not list(tmp_path.iterdir())


def test_columns_that_no_terminal_has_are_left_out(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "9" * 5)
    assert main(["axes", "masking"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) < 1000


class Gone(io.StringIO):
    """A stream whose reader has gone."""

    def write(self, text):
        raise BrokenPipeError


def test_a_mistake_stays_out_of_the_output(monkeypatch, capsys):
    """Where standard error is closed, or what reads it has gone."""
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["axes", "nope"]) == 2 and capsys.readouterr().out == ""
    monkeypatch.setattr(sys, "stderr", Gone())
    assert main(["axes", "nope"]) == 2


def test_probing_and_training_take_a_closed_standard_error(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["train", "mae", "--small", *TINY, "--out", str(tmp_path / "run")]) == 0
    assert "waiting for data\nmae" not in capsys.readouterr().out  # lines of a log
    assert main(["probe", str(tmp_path / "run"), "--images", "20"]) == 0


@pytest.mark.parametrize("words", ["show mae", "schema", "axes loss", "data list", "cache"])
def test_a_reader_that_goes_early_is_no_mistake(words, monkeypatch):
    reads, writes = os.pipe()
    os.close(reads)
    with open(writes, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert main(words.split()) == 0
        output.flush()  # as Python does at its end


@pytest.mark.parametrize("words", ["leaderboard show", "probe nope", "train mae --out x"])
def test_a_working_folder_that_is_gone_is_one_sentence(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main(words.split()) == 2
    assert "the folder that this is started in is gone; change to" in capsys.readouterr().err


def test_a_file_that_this_user_may_not_use_is_one_sentence(tmp_path, monkeypatch, capsys):
    def raised(code):
        def command(options):
            raise OSError(code, os.strerror(code), "a\x1b[2J")

        monkeypatch.setattr("siamlab.cli.commands.print_axes", command)
        return main(["axes"])

    ways = {
        errno.EACCES: "(Permission denied); make it readable and writable",
        errno.EISDIR: "(Is a directory); move away what is there",
    }
    for code, way in ways.items():
        assert raised(code) == 2
        assert capsys.readouterr().err == rf"siamlab: a\x1b[2J cannot be used {way}" "\n"
    with pytest.raises(OSError):  # a mistake of siamlab's
        raised(errno.ENOENT)


def test_a_terminal_without_all_letters_shows_the_others(monkeypatch):
    written = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", written)
    assert main(["axes", "loss"]) == 0
    assert b"infonce" in written.buffer.getvalue()


def test_a_folder_is_enough_to_resume_its_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    said(capsys, "train", "mae", "--small", *TINY, "--out", "a run")
    error = said(capsys, "train", "a run", status=2)
    assert "a run is a run's folder: `siamlab train 'a run' --resume` continues the run" in error
    RunFolder("a run").encoder.unlink()
    said(capsys, "train", "a run", "--resume")
    assert RunFolder("a run").encoder.exists() and not Path("runs").exists()
    assert "its steps is 4, not 3" in said(
        capsys, "train", "a run", "--resume", "steps=3", status=2
    )


def test_a_recipe_goes_before_a_folder_of_its_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    said(capsys, "train", "mae", "--small", *TINY, "--out", "mae")
    said(capsys, "train", "mae", "--small", *TINY, "name=other", "--resume", "--out", "other")
    assert RunFolder("other").run().name == "other"


def test_a_run_to_resume_that_is_not_there_is_said(tmp_path, capsys):
    words = ["train", "mae", "--small", *TINY, "--out", str(tmp_path / "new"), "--resume"]
    assert main(words) == 0
    assert "there is no run in" in capsys.readouterr().err


def test_what_is_refused_draws_no_bar(tmp_path, capsys):
    words = ["train", "mae", "--small", *TINY, "--out", str(tmp_path / "run")]
    (tmp_path / "run").write_text("taken")
    assert main(words) == 2
    assert capsys.readouterr().out == ""


def test_a_folder_may_have_a_dot_in_its_name_and_a_table_an_unknown_suffix_not(tmp_path):
    check_out(str(tmp_path / "mae-0.75"))
    assert not list(tmp_path.iterdir())  # it is made when there is something to write
    with pytest.raises(UserError, match="scores.xlsx must be a folder, or a file that ends in"):
        check_out(str(tmp_path / "scores.xlsx"))
