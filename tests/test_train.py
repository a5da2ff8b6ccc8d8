"""A run ends the same however often it is stopped, and its folder explains itself."""

import json
import os
import resource
import signal
import threading
import time
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from test_machine_distributed import both

import siamlab.train.loop as loop
from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.data import Images, Scenes
from siamlab.data.images import plain
from siamlab.evaluate.models import open_model
from siamlab.machine import distributed, workers
from siamlab.model.attention import Attention
from siamlab.model.backbone import Timm
from siamlab.recipes import RECIPES, demo_size, mae, moco_v3, siameseim, simmim
from siamlab.run import AdamW
from siamlab.train import (
    Metrics,
    Notice,
    RunFolder,
    Stopped,
    checkpoint,
    run_of,
    runs,
    steps,
    train,
)
from siamlab.train import untrained as network_before
from siamlab.train.batches import Batches, order
from siamlab.train.device import build, choose_device
from siamlab.train.environment import environment
from siamlab.train.export import load_encoder, write_encoder
from siamlab.train.schedule import learning_rate, make_optimiser
from siamlab.train.seeds import generator, seed_of
from siamlab.train.signals import stop_signal
from siamlab.train.step import gradients

TINY = (
    "batch=8", "steps=6", "size=12", "model.patch=4", "model.width=16", "model.depth=1",
    "model.heads=2", "log_every=2", "save_every=2",
)  # fmt: skip
DENSE = ("prediction.width=16", "prediction.heads=2")
GLOBAL = ("prediction.hidden=8", "prediction.width=8", "prediction.bottleneck=8")
DATA = ("data.side=16", "data.images=40", "data.test_images=8")


def tiny(recipe=mae, *changes):
    kind = DENSE if recipe().prediction.kind == "dense" else GLOBAL
    return demo_size(recipe()).change(*TINY, *kind, *DATA, *changes)


def noise(n=24, side=16) -> Images:
    pixels = torch.randint(0, 256, (n, 3, side, side), generator=torch.Generator().manual_seed(0))
    return plain(pixels.to(torch.uint8), torch.zeros(n, dtype=torch.long), ["thing"])


def weights(folder: RunFolder) -> dict:
    newest = checkpoint.found(folder.checkpoints)[-1]
    model, teacher = (load_file(newest / f"{n}.safetensors") for n in ("model", "teacher"))
    found = model | {f"teacher.{name}": value for name, value in teacher.items()}
    return {name: value.clone() for name, value in found.items()}  # the files are mapped


def equal(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("name", ["siameseim", "mae", "moco_v3"])
def test_a_run_killed_without_warning_and_resumed_ends_with_the_same_weights(name, tmp_path):
    run = tiny(RECIPES[name], "steps=40")
    whole, killed = train(run, tmp_path / "whole"), RunFolder(tmp_path / "killed")
    child = workers.start(train, run, killed.path)
    deadline = time.time() + 120
    while not checkpoint.found(killed.checkpoints) and time.time() < deadline:
        time.sleep(0.005)
    child.kill()
    child.join()
    assert child.exitcode == -signal.SIGKILL, "it must have died in the middle"
    assert not killed.encoder.exists()
    train(run, killed.path, resume=True)
    assert equal(weights(whole), weights(killed))
    assert equal(load_file(whole.encoder), load_file(killed.encoder))
    assert [line["loss"] for line in whole.lines()] == [line["loss"] for line in killed.lines()]


def test_sigterm_saves_after_the_step_in_hand_and_ends(tmp_path):
    run = tiny(mae, "steps=1000", "save_every=1000")
    lines = steps(run, tmp_path / "run", noise())
    assert next(lines).step == 1
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Stopped, match="stopped after step 2 of 1000: add --resume"):
        list(lines)
    assert checkpoint.newest(tmp_path / "run" / "checkpoints")[0] is not None


def test_the_same_seed_makes_the_same_run_and_another_does_not(tmp_path):
    a, b = (train(tiny(), tmp_path / n, noise()) for n in "ab")
    c = train(tiny(mae, "seed=1"), tmp_path / "c", noise())
    assert equal(weights(a), weights(b)) and not equal(weights(a), weights(c))


def test_training_lowers_the_loss(tmp_path):
    run = tiny(mae, "steps=120", "log_every=40")
    lines = train(run, tmp_path / "run").lines()
    assert lines[-1]["loss"] < 0.9 * lines[0]["loss"]


def test_a_loss_that_is_not_finite_stops_the_run_and_leaves_the_good_checkpoint(
    tmp_path, monkeypatch
):
    plain_gradients = loop.gradients

    def poisoned(run, model, teacher, batch, step, precision):
        stepped = plain_gradients(run, model, teacher, batch, step, precision)
        spoilt = {k: v * (float("nan") if step == 4 else 1) for k, v in stepped.terms.items()}
        return stepped._replace(terms=spoilt)

    monkeypatch.setattr(loop, "gradients", poisoned)
    with pytest.raises(UserError, match="no longer finite at step 5 .*step_00000004.*lr"):
        train(tiny(), tmp_path / "run", noise())
    newest = checkpoint.found(tmp_path / "run" / "checkpoints")[-1]
    assert newest.name == "step_00000004"
    assert all(v.isfinite().all() for v in load_file(newest / "model.safetensors").values())


def test_a_damaged_checkpoint_is_passed_over_and_it_is_said(tmp_path):
    run = tiny()
    whole = train(run, tmp_path / "run", noise())
    last = checkpoint.found(whole.checkpoints)[-1]
    good = weights(whole)
    (last / "model.safetensors").write_bytes(b"half")
    events = steps(run, whole.path, noise(), resume=True)
    damaged, resumed = [event.text for event in events if isinstance(event, Notice)]
    assert "step_00000006 is damaged (model.safetensors changed" in damaged
    assert "resumes after step 4 of 6" in resumed
    assert equal(weights(whole), good)


def test_only_two_checkpoints_are_kept_and_no_draft_stays(tmp_path):
    folder = train(tiny(), tmp_path / "run", noise())
    names = sorted(p.name for p in folder.checkpoints.iterdir())
    assert names == ["step_00000004", "step_00000006"]


def test_a_folder_in_use_is_refused(tmp_path):
    train(tiny(), tmp_path / "run", noise())
    with pytest.raises(UserError, match="exists and is not empty; add --resume"):
        train(tiny(), tmp_path / "run", noise())


def test_a_folder_of_another_run_is_not_resumed(tmp_path):
    train(tiny(), tmp_path / "run", noise())
    with pytest.raises(UserError, match="holds another run: its loss is .*choose another --out"):
        train(tiny(mae, "loss=smooth_l1"), tmp_path / "run", noise(), resume=True)


@pytest.mark.parametrize("made", [["checkpoints"], ["checkpoints", "environment.json"]])
def test_a_folder_whose_making_was_cut_off_is_made_anew(made, tmp_path):
    for name in made:
        (tmp_path / name).mkdir() if name == "checkpoints" else (tmp_path / name).write_text("{")
    RunFolder(tmp_path).create(siameseim())
    assert RunFolder(tmp_path).run() == siameseim()
    assert json.loads((tmp_path / "environment.json").read_text())


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    lines = steps(tiny(), tmp_path / "run", noise())
    next(lines)
    with pytest.raises(UserError, match="another process is training in"):
        train(tiny(), tmp_path / "run", noise(), resume=True)
    lines.close()
    train(tiny(), tmp_path / "run", noise(), resume=True)


def test_a_folder_whose_lock_cannot_be_written_is_said_and_not_taken_for_one_in_use(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(UserError, match="cannot be written .Is a directory.*another --out"):
        RunFolder(tmp_path).claim()
    assert not RunFolder(tmp_path).in_use()


def test_weights_of_another_run_are_refused_by_name(tmp_path):
    folder = train(tiny(), tmp_path / "run", noise())
    state = build(tiny(mae, "model.depth=2"), torch.device("cpu"))
    with pytest.raises(UserError, match="belongs to another run: .*blocks.1"):
        checkpoint.restore(checkpoint.found(folder.checkpoints)[-1], state)


def test_fewer_images_than_a_batch_are_refused(tmp_path):
    with pytest.raises(UserError, match="batch=8 is more than the 5 training images"):
        train(tiny(), tmp_path / "run", noise(n=5))
    assert not (tmp_path / "run").exists(), "nothing half-written"


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    for out in ("file", "file/run"):
        with pytest.raises(UserError, match=f"{out} cannot be written .Not a directory.*--out"):
            train(tiny(), tmp_path / out, noise())


@contextmanager
def full_disk(room):
    """Files of this process cannot grow beyond `room` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("part", ["model.safetensors", "optimiser.pt"])
def test_a_full_disk_is_said_and_leaves_the_checkpoint_before(part, tmp_path):
    state = build(tiny(siameseim), torch.device("cpu"))
    whole = checkpoint.save(tmp_path, 2, state)
    weights = (whole / "model.safetensors").stat().st_size
    first = state.optimiser.param_groups[0]["params"][0]
    state.optimiser.state[first] = {"exp_avg": torch.zeros(weights)}  # four times as large
    with full_disk(room=weights if part == "optimiser.pt" else 1000):
        with pytest.raises(UserError, match=r"step_00000004 could not .*\(File too large\).*free"):
            checkpoint.save(tmp_path, 4, state)
    assert [p.name for p in tmp_path.iterdir()] == ["step_00000002"]
    assert checkpoint.damage(whole) == ""


def test_a_full_disk_is_said_at_a_line_and_at_the_encoder(tmp_path):
    run, folder = tiny(), RunFolder(tmp_path / "run")
    folder.create(run)
    metrics = Metrics(1, 8, seconds=1.0, rate=8.0, wait=0.0, loss=0.5, values={})
    for step in (1, 2):
        folder.log(metrics._replace(step=step))
    encoder = build(run, torch.device("cpu")).model.encoder
    with full_disk(room=10):
        for write, name in (
            (lambda: folder.log(metrics._replace(step=3)), "metrics.jsonl"),
            (lambda: folder.forget_after(1), "metrics.jsonl"),
            (lambda: write_encoder(encoder, run, folder.encoder), "encoder.safetensors"),
        ):
            with pytest.raises(UserError, match=f"{name} could not be written .File too large"):
                write()
    assert not folder.encoder.exists() and not list(folder.path.glob("encoder*"))
    assert [line["step"] for line in folder.lines()] == [1, 2]


def test_drafts_of_killed_processes_are_removed(tmp_path):
    draft = tmp_path / ".step_00000002.12345678.draft"
    draft.mkdir()
    (draft / "model.safetensors").write_bytes(b"half")
    checkpoint.save(tmp_path, 4, build(tiny(), torch.device("cpu")))
    assert [p.name for p in tmp_path.iterdir()] == ["step_00000004"]


def test_a_checkpoint_from_a_gpu_is_read_without_one(tmp_path, monkeypatch):
    state = build(tiny(), torch.device("cpu"))
    gradients(tiny(), state.model, state.teacher, noise(8).pixels, 0, torch.float32)
    state.optimiser.step()
    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:7")
    kept = checkpoint.save(tmp_path, 4, state)
    fresh = build(tiny(), torch.device("cpu"))
    assert checkpoint.restore(kept, fresh) == 4
    averages = [list(s.optimiser.state.values())[0]["exp_avg"] for s in (state, fresh)]
    assert torch.equal(*averages) and averages[1].abs().sum() > 0


@pytest.mark.parametrize("parts, count", [(4, 4), (1, 3), (2, 4), (1, 8)])
def test_unequal_parts_and_parts_of_one_image_are_refused(parts, count, monkeypatch):
    monkeypatch.setattr(distributed, "count", lambda: count)
    said = f"batch=8 .*accumulate={parts} parts in each of {count} processes.*multiple of"
    with pytest.raises(UserError, match=f"{said} {parts * count} from {2 * parts * count} on"):
        build(tiny(mae, f"compute.accumulate={parts}"), torch.device("cpu"))


def test_a_run_does_not_go_on_with_other_parts_of_its_batches(tmp_path):
    list(steps(tiny(mae, "steps=1"), tmp_path / "run", noise()))
    with pytest.raises(UserError, match="its compute.accumulate is 1, not 2; leave"):
        train(tiny(mae, "steps=1", "compute.accumulate=2"), tmp_path / "run", noise(), resume=True)
    train(tiny(mae, "steps=1", "compute.threads=1"), tmp_path / "run", noise(), resume=True)


def test_the_clock_of_a_resumed_run_goes_on(tmp_path):
    run, folder = tiny(mae, "log_every=1"), RunFolder(tmp_path / "run")
    lines = steps(run, folder.path, noise())
    for _ in range(3):
        next(lines)
    lines.close()
    kept = [line | {"seconds": 100.0} for line in folder.lines()]
    folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in kept))
    train(run, folder.path, noise(), resume=True)
    clock = [line["seconds"] for line in folder.lines()]
    assert min(clock[2:]) > 100 and folder.seconds() == clock[-1] == max(clock) < 200


@pytest.mark.parametrize("number, ends", [(signal.SIGTERM, 0), (signal.SIGINT, 2)])
def test_a_second_ctrl_c_ends_at_once_and_a_second_sigterm_does_not(number, ends):
    heard = []
    before = signal.signal(number, lambda *_: heard.append(number))
    try:
        with stop_signal() as stopped:
            for _ in range(3):
                os.kill(os.getpid(), number)
            assert stopped() and len(heard) == ends
    finally:
        signal.signal(number, before)


def test_every_step_asks_all_processes_whether_to_stop(tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "any_of", lambda flag: True)  # another one was asked to
    run, path = tiny(mae, "log_every=4", "save_every=4"), tmp_path / "run"
    for done in range(1, 6):
        with pytest.raises(Stopped, match=f"stopped after step {done} of 6"):
            train(run, path, noise(), resume=True)
        newest = checkpoint.found(path / "checkpoints")[-1]
        assert newest.name == f"step_0000000{done}"
    assert train(run, path, noise(), resume=True).encoder.exists()


def test_no_process_ends_before_the_checkpoint_is_written(tmp_path, monkeypatch):
    saved = []
    look = lambda: saved.append(len(checkpoint.found(tmp_path / "run" / "checkpoints")))  # noqa: E731
    monkeypatch.setattr(distributed, "wait", look)
    monkeypatch.setattr(distributed, "any_of", lambda flag: True)
    with pytest.raises(Stopped):
        train(tiny(), tmp_path / "run", noise())
    assert saved[-1] == 1


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_process_alone_says_what_is_to_be_said(rank, tmp_path, monkeypatch, capsys):
    run = tiny(mae, "steps=2", "save_every=1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributed, "any_of", lambda flag: True)
        with pytest.raises(Stopped):
            train(run, tmp_path / "run")
        (tmp_path / "run.toml").write_text(run.toml())
        patch.setattr(distributed, "rank", lambda: rank)
        patch.setattr("siamlab.train.batches.share", lambda index: index)
        patch.setattr(loop, "gradients", lambda *_: (_ for _ in ()).throw(Stopped("stopped")))
        words = ["train", str(tmp_path / "run.toml"), "--resume", "--out", str(tmp_path / "run")]
        assert main(words) == 130
    heard = "".join(capsys.readouterr())
    assert ("resumes after step 1" in heard, "siamlab: stopped" in heard) == (rank == 0,) * 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="compute.device=cuda.*set compute.device=auto or cpu"):
        choose_device(tiny(mae, "compute.device=cuda").compute)


def blocks(state):
    """All modules of student, predictor and teacher whose attention can be fused."""
    networks = (state.model, state.teacher)
    return [m for network in networks for m in network.modules() if hasattr(m, "fused_attn")]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_step_is_that_of_timms_attention(recipe):
    run = demo_size(RECIPES[recipe]())
    images = Scenes(images=64)("train").pixels[:8]
    found = []
    for plainly in (False, True):
        state = build(run, torch.device("cpu"))
        for attention in blocks(state):
            assert type(attention) is Attention
            attention.fused_attn = not plainly
        gradients(run, state.model, state.teacher, images, 0, torch.float32)
        found.append([p.grad for p in state.model.parameters() if p.grad is not None])
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("precision, fused", [("float32", True), ("bfloat16", False)])
def test_timms_own_attention_in_bfloat16_on_a_processor_is_by_two_products(precision, fused):
    run = siameseim(model=Timm(name="test_vit"), size=(64, 64))
    state = build(run.change(f"compute.precision={precision}"), torch.device("cpu"))
    assert {m.fused_attn for m in blocks(state) if type(m) is not Attention} == {fused}
    assert {m.fused_attn for m in blocks(state) if type(m) is Attention} == {True}


def test_the_folder_explains_itself(tmp_path):
    run = tiny(siameseim)
    folder = train(run, tmp_path / "run", noise())
    assert folder.run() == run == run_of(folder.path) == run_of(folder.encoder)
    told = json.loads((folder.path / "environment.json").read_text())
    assert told["packages"]["torch"] == torch.__version__ and "git" in told
    assert told["precision"] == {"0": "float32"}
    assert [line["step"] for line in folder.lines()] == [1, 2, 4, 6]
    keys = {"loss", "loss/positive", "lr", "grad_norm", "rate", "wait", "context/rankme"}
    assert keys | {"target/patch_spread"} <= folder.lines()[0].keys()


def test_a_checkout_that_is_not_installed_has_no_version(monkeypatch):
    def version(package):
        if package == "siamlab":
            raise PackageNotFoundError
        return "1.0"

    monkeypatch.setattr("siamlab.train.environment.version", version)
    assert environment()["siamlab"] == "not installed"


def test_runs_are_read_into_one_frame(tmp_path):
    for recipe in (mae, siameseim):
        train(tiny(recipe), tmp_path / recipe.__name__, noise())
    frame = runs(tmp_path)
    assert frame["name"].unique(maintain_order=True).to_list() == ["mae", "siameseim"]
    assert len(frame) == 8 and frame["loss/mse"].null_count() == 4
    with pytest.raises(UserError, match="no run with metrics under"):
        runs(tmp_path / "nowhere")


def test_a_line_cut_short_by_a_crash_is_left_out(tmp_path):
    folder = train(tiny(), tmp_path / "run", noise())
    with folder.metrics.open("a") as file:
        file.write('{"step": 7, "lo')
    with pytest.warns(UserWarning, match="1 of 5 lines of .*metrics.jsonl could not be read"):
        assert [line["step"] for line in folder.lines()] == [1, 2, 4, 6]


def test_an_encoder_file_gives_back_the_encoder_of_its_run(tmp_path):
    run = tiny(siameseim)
    folder = train(run, tmp_path / "run", noise())
    state = build(run, torch.device("cpu"))
    checkpoint.restore(checkpoint.found(folder.checkpoints)[-1], state)
    image = torch.rand(2, 3, 12, 12)
    expected = state.model.encoder.plain().eval()(image)
    assert torch.equal(load_encoder(folder.path)(image), expected)
    folder.encoder.unlink()  # an unfinished run: its newest checkpoint
    assert torch.equal(load_encoder(folder.path)(image), expected)


def test_encoders_of_earlier_steps_are_kept_and_open_as_models(tmp_path):
    run = tiny(siameseim, "keep_every=2", "save_every=4")
    folder = train(run, tmp_path / "run", noise())
    assert list(folder.kept_encoders()) == [2, 4, 6]
    state, image = build(run, torch.device("cpu")), torch.rand(2, 3, 12, 12)
    checkpoint.restore(checkpoint.found(folder.checkpoints)[0], state)  # of step 4
    kept = open_model(folder.kept_encoders()[4])
    assert torch.equal(kept.model(image), state.model.encoder.plain().eval()(image))
    last, finished = (open_model(path).model for path in (folder.kept_encoders()[6], folder.path))
    assert torch.equal(last(image), finished(image))
    assert not train(tiny(), tmp_path / "none", noise()).kept_encoders()


def test_the_untrained_network_is_the_one_the_run_started_from(tmp_path):
    run = tiny()
    state = build(run, torch.device("cpu"))
    image = torch.rand(2, 3, 12, 12)
    expected = state.model.encoder.plain().eval()(image)
    assert torch.equal(network_before(run)(image), expected)


@pytest.mark.parametrize("what", ["cut", "foreign", "missing"])
def test_what_is_no_encoder_is_refused(what, tmp_path):
    path = tmp_path / "encoder.safetensors"
    if what == "cut":
        path.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    if what == "foreign":
        torch.save({}, path)
    refused = "not a whole safetensors file|there is no run's folder or encoder file"
    with pytest.raises(UserError, match=refused):
        load_encoder(path)


def test_each_epoch_shows_every_image_once_in_another_order():
    epochs = [torch.cat([order(4 * e + i, 20, 5, seed=3) for i in range(4)]) for e in range(2)]
    assert all(epoch.sort().values.tolist() == list(range(20)) for epoch in epochs)
    assert not torch.equal(*epochs)


def test_batches_start_where_they_are_told_and_pass_errors_on():
    run, images = tiny(), noise()
    reader = Batches(images.pixels, run, torch.device("cpu"))
    whole, rest = list(reader.read(0)), list(reader.read(4))
    assert len(whole) == 6 and all(map(torch.equal, whole[4:], rest))
    reader.pixels = None  # the thread that reads fails
    with pytest.raises(TypeError):
        list(reader.read(0))


def test_the_thread_that_reads_ends_with_the_reading():
    before = set(threading.enumerate())
    for taken in (1, 6):
        batches = Batches(noise().pixels, tiny(), torch.device("cpu")).read(0)
        for _ in range(taken):
            next(batches)
        assert taken == 6 or set(threading.enumerate()) > before
        batches.close()
        assert set(threading.enumerate()) == before


def test_streams_of_different_places_differ_and_are_the_same_each_time():
    places = [(seed, "x", step) for seed in range(9) for step in range(9)]
    assert len({seed_of(*place) for place in places}) == 81
    assert len({torch.rand(1, generator=generator(*place)).item() for place in places}) == 81
    again = [torch.rand(3, generator=generator(1, "x")) for _ in range(2)]
    assert torch.equal(*again)


def test_the_learning_rate_rises_linearly_then_falls_as_a_cosine():
    settings = AdamW(lr=1e-3, warmup=0.1)
    rates = [learning_rate(s, 1000, 512, settings) for s in range(1000)]
    assert max(rates) == pytest.approx(2e-3, rel=1e-3) and rates.index(max(rates)) == 100
    assert rates[0] == 0 and rates[:101:25] == pytest.approx([0, 5e-4, 1e-3, 1.5e-3, 2e-3])
    assert rates[550] == pytest.approx(1e-3, rel=1e-3) and rates[-1] < 1e-7


def test_the_learning_rate_falls_to_the_least():
    """Both are for 256 images; in the middle of the fall it is half way between them."""
    settings = AdamW(lr=1e-3, least_lr=2e-4, warmup=0.1)
    rates = {s: learning_rate(s, 1000, 512, settings) for s in (50, 100, 550, 999, 1000)}
    assert [rates[s] for s in (50, 100, 550, 1000)] == pytest.approx([1e-3, 2e-3, 1.2e-3, 4e-4])
    assert rates[999] == pytest.approx(4e-4, rel=1e-4)


@pytest.mark.parametrize("recipe", [siameseim, simmim])
def test_tokens_decay_where_they_are_told_to(recipe):
    state = build(demo_size(recipe()), torch.device("cpu"))
    kept, decaying = (
        {id(p) for p in make_optimiser(state.model, AdamW(tokens=t)).param_groups[0]["params"]}
        for t in ("kept", "decay")
    )
    names = {id(p): name for name, p in state.model.named_parameters()}
    assert kept < decaying
    assert all(names[p].endswith(("_token", "filler")) for p in decaying - kept)
    assert len(decaying - kept) == 2


@pytest.mark.parametrize("registers", [0, 1, 4])
def test_biases_norms_and_tokens_do_not_decay(registers):
    state = build(tiny(siameseim, f"model.registers={registers}"), torch.device("cpu"))
    matrices, vectors = make_optimiser(state.model, AdamW()).param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.05, 0.0)
    free = {id(p) for p in vectors["params"]}
    for name, p in state.model.named_parameters():
        small = name.endswith(("bias", "token", "filler")) or "norm" in name
        if p.requires_grad:
            assert (id(p) in free) == small, name
        else:
            assert "patch_embed" in name


def processes_train(rank, count, folder, run_toml, port):
    """One of the gloo processes; module level, so that it can be started."""
    from siamlab.run import Run

    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=count)
    train(Run.parse(run_toml), folder, noise())
    dist.destroy_process_group()


STILL = (  # whole images, nothing drawn: one process can train on the joined batch
    "views.crop.area=[1, 1]", "views.crop.flip=0", "colour=none", "masking=none",
)  # fmt: skip


@pytest.mark.parametrize(
    "recipe, together",
    [(siameseim, STILL), (moco_v3, STILL), (mae, ("compute.accumulate=2",))],
    ids=["siameseim", "moco_v3", "mae"],
)
def test_two_processes_end_with_the_weights_of_one(recipe, together, tmp_path):
    """Statistics, keys and gradients are shared; they differ by the order of summation only."""
    alone = tiny(recipe, *together)
    shared = alone.change("compute.accumulate=1")
    port = 20000 + os.getpid() % 20000
    both(processes_train, 2, str(tmp_path / "two"), shared.toml(), port)
    one, two = (
        weights(train(alone, tmp_path / "one", noise())),
        weights(RunFolder(tmp_path / "two")),
    )
    assert one.keys() == two.keys()
    before = build(alone, torch.device("cpu")).model.state_dict()
    moved = max((one[k] - before[k]).abs().max() for k in before if before[k].is_floating_point())
    for name in one:
        torch.testing.assert_close(one[name], two[name], atol=float(moved) / 50, rtol=1e-3)


def test_scenes_train_end_to_end_in_python(tmp_path):
    run = tiny(siameseim).change(data=Scenes(side=16, images=40, test_images=8))
    assert train(run, tmp_path / "run").encoder.exists()


def test_a_divergence_seen_at_a_logged_step_is_the_same_sentence(tmp_path):
    run = tiny(mae, "optimiser.lr=1e30", "log_every=1")
    with pytest.raises(UserError, match="no longer finite at step 2 .*context/spread=nan"):
        train(run, tmp_path / "run", noise())


def test_a_run_whose_checkpoints_are_all_damaged_does_not_start_over_in_silence(tmp_path):
    folder = train(tiny(), tmp_path / "run", noise())
    for path in checkpoint.found(folder.checkpoints):
        (path / "model.safetensors").write_bytes(b"half")
    folder.encoder.unlink()
    kept = folder.lines()
    with pytest.raises(UserError, match="all checkpoints of .* are damaged.*another --out"):
        train(tiny(), folder.path, noise(), resume=True)
    assert folder.lines() == kept


def test_a_damaged_line_of_metrics_is_left_out(tmp_path):
    folder = train(tiny(), tmp_path / "run", noise())
    lines = folder.lines()
    with folder.metrics.open("a") as file:
        file.write("{\n" + json.dumps(lines[-1]) + "\n{")
    with pytest.warns(UserWarning, match="2 of 7 lines of .*metrics.jsonl could not be read"):
        assert folder.lines() == [*lines, lines[-1]]
