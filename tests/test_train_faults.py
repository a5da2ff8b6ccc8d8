"""A run's folder that is damaged, shared, locked, linked or removed is reported, not misread."""

import json
import os
import shutil
import signal
import warnings
from contextlib import contextmanager

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_train import equal, noise, tiny
from unprivileged import unprivileged

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.evaluate.models import open_model
from siamlab.recipes import mae
from siamlab.run import Run
from siamlab.train import Notice, RunFolder, Stopped, checkpoint, run_of, runs, steps, train
from siamlab.train import folder as folder_module
from siamlab.train.export import load_branches, load_encoder
from siamlab.train.folder import environment
from siamlab.train.resume import claim_folder, finished
from siamlab.train.signals import stop_signal


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tiny(), tmp_path_factory.mktemp("faults") / "run", noise()).path


@pytest.fixture
def folder(trained, tmp_path):
    """A finished run, to be damaged."""
    return RunFolder(shutil.copytree(trained, tmp_path / "run"))


def flip(file, place, bit=3):
    data = bytearray(file.read_bytes())
    data[place] ^= 1 << bit
    file.write_bytes(data)


def places(file, count=30):
    size = file.stat().st_size
    return sorted({i * size // count for i in range(count)} | set(range(0, min(size, 300), 11)))


def tensors_in(path):
    """The tensors of a file, copied, as the file is mapped and will be overwritten."""
    return {name: weight.clone() for name, weight in load_file(path).items()}


def notices(run, path):
    return [e.text for e in steps(run, path, noise(), resume=True) if isinstance(e, Notice)]


def test_of_two_runs_started_at_once_one_has_the_folder(tmp_path, monkeypatch):
    first, second, path = tiny(), tiny(mae, "seed=1"), tmp_path / "run"

    def meanwhile():
        monkeypatch.setattr(folder_module, "environment", environment)
        with pytest.raises(UserError, match="another process is training in"):
            claim_folder(second, RunFolder(path), resume=False, main=True)
        return environment()

    monkeypatch.setattr(folder_module, "environment", meanwhile)
    with claim_folder(first, RunFolder(path), resume=False, main=True):
        assert RunFolder(path).run() == first


def test_drafts_that_a_kill_left_go_and_those_of_a_probe_stay(folder):
    names = [".encoder.safetensors.0a.draft", ".metrics.jsonl.0a.draft", ".probes.json.0a.draft"]
    for name in names:
        (folder.path / name).touch()
    train(folder.run(), folder.path, noise(), resume=True)
    assert [(folder.path / name).exists() for name in names] == [False, False, True]


def test_a_folder_of_other_things_gets_no_lock(tmp_path):
    (tmp_path / "letter").touch()
    with pytest.raises(UserError, match="exists and is not empty"):
        train(tiny(), tmp_path, noise())
    assert [p.name for p in tmp_path.iterdir()] == ["letter"]


def test_no_flipped_bit_of_an_encoder_changes_it_in_silence(folder):
    whole, run = tensors_in(folder.encoder), folder.run()
    for place in places(folder.encoder):
        flip(folder.encoder, place)
        try:
            same = equal(load_encoder(folder.encoder).state_dict(), whole)
            assert same and run_of(folder.encoder) == run
            assert finished(run, folder)
        except UserError as said:
            assert "encoder.safetensors" in str(said)
            assert not finished(run, folder)
        flip(folder.encoder, place)
    assert finished(run, folder)


@pytest.mark.parametrize("data", [b"", b"{}", bytes(4000)])
def test_an_encoder_that_is_none_does_not_count_and_is_written_again(data, folder):
    whole = tensors_in(folder.encoder)
    folder.encoder.write_bytes(data)
    assert not finished(folder.run(), folder)
    with pytest.raises(UserError, match="encoder.safetensors is not a whole safetensors file"):
        open_model(folder.path)
    train(folder.run(), folder.path, noise(), resume=True)
    assert equal(tensors_in(folder.encoder), whole) and finished(folder.run(), folder)


@pytest.mark.parametrize("change", ["shape", "missing", "extra", "complex", "whole numbers"])
def test_weights_that_do_not_fit_their_run_are_refused(change, folder):
    tensors, name = tensors_in(folder.encoder), "blocks.0.norm1.weight"
    if change == "missing":
        del tensors[name]
    else:
        tensors |= {
            "shape": {name: tensors[name][:3]},
            "extra": {"more": torch.zeros(2)},
            "complex": {name: tensors[name].to(torch.complex64)},
            "whole numbers": {name: tensors[name].long()},
        }[change]
    save_file(tensors, folder.encoder, {"run": folder.run().toml()})
    with pytest.raises(UserError, match="encoder.safetensors belongs to another run: .* there and"):
        load_encoder(folder.path)


def test_encoders_from_before_there_were_checksums_open(folder):
    tensors = tensors_in(folder.encoder)
    save_file(tensors, folder.encoder, {"run": folder.run().toml()})
    assert equal(load_encoder(folder.path).state_dict(), tensors)


def test_an_older_checkpoint_is_opened_with_a_word(folder):
    folder.encoder.unlink()
    flip(folder.checkpoints / "step_00000006" / "model.safetensors", 900)
    for opened in (load_encoder, load_branches):
        with pytest.warns(UserWarning, match="checkpoint step_00000006 is damaged .*before it"):
            opened(folder.path)
    flip(folder.checkpoints / "step_00000004" / "model.safetensors", 900)
    with pytest.raises(UserError, match="all checkpoints of .* are damaged; restore"):
        load_encoder(folder.path)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"model.safetensors": 1}', "\0\xff"])
def test_a_checkpoint_without_its_checksums_is_not_whole(text, folder):
    last = checkpoint.found(folder.checkpoints)[-1]
    (last / "checksums.json").write_text(text, "latin1")
    assert checkpoint.damage(last)
    said = notices(folder.run(), folder.path)
    assert "checkpoint step_00000006 is damaged" in said[0] and "after step 4" in said[1]


def sealed(path):
    """The checkpoint, with checksums that fit whatever is in it."""
    sums = {name: checkpoint.checksum(path / name) for name in checkpoint.FILES}
    (path / "checksums.json").write_text(json.dumps(sums))


class Harm:
    def __reduce__(self):
        return os.mkdir, ("/tmp/siamlab-was-here",)


@pytest.mark.parametrize("what", ["pickle", "text", "empty", "other step", "shape", "groups"])
def test_an_optimiser_that_is_none_of_this_run_is_one_sentence(what, folder):
    last = checkpoint.found(folder.checkpoints)[-1]
    kept = torch.load(last / "optimiser.pt", weights_only=True)
    if what == "other step":
        kept["step"] = 4
    if what == "shape":
        kept["optimiser"]["state"][0]["exp_avg"] = torch.zeros(7)
    if what == "groups":
        kept["optimiser"]["param_groups"] = []
    torch.save(Harm() if what == "pickle" else kept, last / "optimiser.pt")
    if what in ("text", "empty"):
        (last / "optimiser.pt").write_text("optimiser" if what == "text" else "")
    sealed(last)
    with pytest.raises(UserError, match="optimiser.pt is not the state of this run's optimiser"):
        train(folder.run(), folder.path, noise(), resume=True)
    assert not os.path.exists("/tmp/siamlab-was-here")


def test_weights_in_a_checkpoint_that_are_no_safetensors_are_one_sentence(folder):
    last = checkpoint.found(folder.checkpoints)[-1]
    (last / "model.safetensors").write_bytes(b"weights")
    sealed(last)
    with pytest.raises(UserError, match="model.safetensors is not a whole safetensors file"):
        train(folder.run(), folder.path, noise(), resume=True)


def test_no_cut_and_no_flipped_bit_of_run_toml_makes_another_run_in_silence(folder):
    run, text = folder.run(), folder.run_file.read_bytes()
    cuts = [b"\n".join(text.split(b"\n")[:n]) for n in range(text.count(b"\n"))]
    flips = []
    for place in range(0, len(text), 9):
        flip(folder.run_file, place, place % 8)
        flips.append(folder.run_file.read_bytes())
        folder.run_file.write_bytes(text)
    read = []
    for damaged in cuts + flips:
        folder.run_file.write_bytes(damaged)
        try:
            read.append(folder.run())
        except UserError as said:
            assert "run.toml" in str(said)
    assert all(found == run for found in read) and len(read) < 6


@pytest.mark.parametrize("lines, whole", [(None, True), (-2, False), (12, False)])
def test_run_files_from_before_there_were_checksums_are_read_if_whole(lines, whole, folder):
    run = folder.run()
    text = run.toml()
    folder.run_file.write_text("\n".join(text.splitlines()[:lines]) + "\n")
    if whole:
        assert folder.run() == run
    else:
        with pytest.raises(UserError, match="run.toml is damaged or was changed"):
            folder.run()


def test_a_copy_of_run_toml_may_be_changed_and_trained(folder, tmp_path):
    text = folder.run_file.read_text().replace("\nsteps = 6", "\nsteps = 7")
    (tmp_path / "mine.toml").write_text(text)
    assert Run.read(tmp_path / "mine.toml") == folder.run().change("steps=7")


LINES = [b"{}", b"[1]", b"null", b"\x00\xff\xfe", b'{"step": 1}', b'{"step": "a"}', b"[" * 5000]


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_a_damaged_line_is_counted_and_does_not_stop_the_run(line, folder):
    texts = folder.metrics.read_bytes().splitlines()
    folder.metrics.write_bytes(b"\n".join([texts[0], line, *texts[1:]]) + b"\n")
    with pytest.warns(UserWarning, match="1 of 5 lines of .*metrics.jsonl could not be read"):
        assert len(folder.lines()) == 4
    said = notices(folder.run(), folder.path)
    assert "1 of 5 lines" in said[0] and "kept as metrics.damaged.jsonl" in said[0]
    assert len(folder.lines()) == 4 and line in (folder.path / "metrics.damaged.jsonl").read_bytes()


def test_no_flipped_bit_of_metrics_changes_a_number_in_silence(folder):
    whole = folder.lines()
    for place in range(0, folder.metrics.stat().st_size, 19):
        flip(folder.metrics, place, place % 8)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            read = folder.lines()
        assert said or read == whole
        assert all(line in whole for line in read)
        flip(folder.metrics, place, place % 8)


def test_a_damaged_environment_is_said(folder):
    kinds = ('{"precision": 3}', '{"precision": {"x": "float32"}}', '{"weights": 3}')
    changed = folder.environment.read_text().replace('"cores"', '"cares"')
    for text in ("", "{}x", "[1]", changed, *kinds, '{"precision": {"4": 1}}'):
        folder.environment.write_text(text)
        with pytest.warns(UserWarning, match="environment.json is lost or damaged; it is re-crea"):
            folder.note_precision(4, "float32")
    assert folder.about()["precision"] == {"4": "float32"}


def test_of_many_runs_a_damaged_one_is_left_out_by_name(folder, tmp_path):
    shutil.copytree(folder.path, tmp_path / "other")
    folder.run_file.write_text("steps = [")
    with pytest.warns(UserWarning, match="a run is left out: .*run/run.toml is damaged or was"):
        assert runs(tmp_path)["run"].unique().to_list() == ["other"]
    (tmp_path / "other" / "metrics.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.warns(UserWarning), pytest.raises(UserError, match="no run with metrics under"):
        runs(tmp_path)


@pytest.mark.parametrize("name", ["metrics.jsonl", "checkpoints", ".lock", "probes.json"])
def test_links_that_lead_out_of_the_folder_are_not_followed(name, folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir() if name == "checkpoints" else outside.write_text("precious")
    inside = folder.path / name
    shutil.rmtree(inside) if inside.is_dir() else inside.unlink(missing_ok=True)
    inside.symlink_to(outside)
    with pytest.raises(UserError, match=f"{name} is a link to .*outside, outside the run's folder"):
        train(folder.run(), folder.path, noise(), resume=True)
    assert outside.is_dir() or outside.read_text() == "precious"
    assert not outside.is_dir() or not list(outside.iterdir())


def test_a_folder_that_is_itself_a_link_is_the_users_own(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder.path)
    train(folder.run(), tmp_path / "link", noise(), resume=True)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_folder_that_is_removed_while_it_trains_is_not_made_again(replaced, tmp_path):
    path = tmp_path / "run"
    events = steps(tiny(), path, noise())
    next(events)
    path.rename(tmp_path / "moved")
    if replaced:
        train(tiny(mae, "seed=1"), path, noise())
    before = sorted(path.rglob("*"))
    with pytest.raises(UserError, match="run was removed or replaced while its run trained"):
        list(events)
    assert sorted(path.rglob("*")) == before
    train(tiny(), tmp_path / "moved", noise(), resume=True)


def test_the_end_of_the_terminal_saves_as_sigterm_does(tmp_path):
    run = tiny(mae, "steps=1000", "save_every=1000")
    events = steps(run, tmp_path / "run", noise())
    before = signal.signal(signal.SIGHUP, lambda *_: None)  # so that it ends no tests
    try:
        next(events)
        os.kill(os.getpid(), signal.SIGHUP)
        with pytest.raises(Stopped, match="stopped after step 2 of 1000"):
            for _ in range(5):
                next(events)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert checkpoint.newest(tmp_path / "run" / "checkpoints")[0]


def test_under_nohup_the_end_of_the_terminal_is_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_signal() as stopped:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stopped()
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def locked(path, mode):
    """A path whose permissions count, for root too."""
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        with unprivileged():
            yield
    finally:
        path.chmod(before)


def test_a_run_file_that_may_not_be_read_is_one_sentence(folder, capsys):
    with locked(folder.run_file, 0):
        for words in (["show", str(folder.run_file)], ["probe", str(folder.path)]):
            assert main(words) == 2
            assert "run.toml cannot be read (Permission denied); make" in capsys.readouterr().err


@pytest.mark.parametrize("mode", [0o500, 0o400, 0])
@pytest.mark.parametrize("new", [False, True])
def test_a_folder_that_may_not_be_written_is_one_sentence(mode, new, folder):
    if new:
        folder.lock.unlink(missing_ok=True)
    with locked(folder.path, mode), pytest.raises(UserError, match="Permission denied.; make"):
        train(tiny(), folder.path, noise(), resume=True)


def test_metrics_that_may_not_be_read_are_one_sentence(folder):
    with locked(folder.metrics, 0):
        for read in (folder.lines, lambda: train(tiny(), folder.path, noise(), resume=True)):
            with pytest.raises(UserError, match="metrics.jsonl cannot be read .Permission denied"):
                read()
