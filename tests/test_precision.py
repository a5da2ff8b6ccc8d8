"""bfloat16 is chosen where it is known to pay, is announced once, and trains as float32 does."""

import json
from math import inf

import pytest
import torch
from test_train import noise, tiny

from siamlab.cli.demo import DEMO, LONG, SMALLEST, once
from siamlab.model.backbone import Timm
from siamlab.recipes import RECIPES, demo_size, mae, siameseim
from siamlab.train import Notice, RunFolder, checkpoint, precision, steps, train
from siamlab.train.device import build
from siamlab.train.precision import choose_precision, multiplies_bfloat16
from siamlab.train.step import gradients

CPU, GPU = torch.device("cpu"), torch.device("cuda")
PROCESSORS = {"plain": (False, False), "avx512": (False, True), "amx": (True, True)}


@pytest.fixture
def processor(monkeypatch):
    """Sets which products of bfloat16 this processor has, as torch reports them."""

    def has(name):
        amx, avx512 = PROCESSORS[name]
        monkeypatch.setattr("platform.machine", lambda: "x86_64")
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)

    return has


def wide(width, *changes):
    return tiny(siameseim, f"model.width={width}", *changes)


@pytest.mark.parametrize(
    "name, width, chosen",
    [
        ("amx", 128, torch.bfloat16),
        ("amx", 120, torch.float32),
        ("avx512", 128, torch.bfloat16),
        ("avx512", 120, torch.float32),
        ("plain", 768, torch.float32),
    ],
)
def test_processors_take_bfloat16_for_wide_encoders(name, width, chosen, processor):
    processor(name)
    assert choose_precision(wide(width), CPU) == chosen


@pytest.mark.parametrize(
    "name, chosen", [("vit_tiny_patch16_224", torch.bfloat16), ("test_vit", torch.float32)]
)
def test_the_width_of_timms_transformers_counts_too(name, chosen, processor):
    processor("avx512")
    assert choose_precision(siameseim(model=Timm(name=name)), CPU) == chosen  # 192 and 64 wide


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("asked", ["float32", "bfloat16"])
@pytest.mark.parametrize("width", [16, 768])
def test_what_is_asked_for_is_taken(name, asked, width, processor):
    processor(name)
    run = wide(width, f"compute.precision={asked}")
    assert choose_precision(run, CPU) == getattr(torch, asked)


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("width", [16, 768])
@pytest.mark.parametrize("has, chosen", [(True, torch.bfloat16), (False, torch.float32)])
def test_a_gpu_that_has_bfloat16_takes_it_at_every_width(
    name, width, has, chosen, processor, monkeypatch
):
    processor(name)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: has)
    assert choose_precision(wide(width), GPU) == chosen


def test_bfloat16_that_a_gpu_only_imitates_is_not_chosen(monkeypatch):
    imitated = lambda including_emulation=True: including_emulation  # noqa: E731
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", imitated)
    assert choose_precision(tiny(), GPU) == torch.float32
    assert not multiplies_bfloat16(GPU)


def test_where_torch_cannot_tell_bfloat16_is_neither_chosen_nor_called_slow(processor, monkeypatch):
    processor("plain")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert choose_precision(wide(768), CPU) == torch.float32
    assert multiplies_bfloat16(CPU)


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("scale", [SMALLEST, DEMO, LONG], ids=lambda scale: scale.name)
def test_the_demo_on_scenes_computes_in_float32_on_every_processor(name, scale, processor):
    processor(name)
    assert {choose_precision(run, CPU) for run in scale.runs()} == {torch.float32}


def said(run, path, resume=False):
    return [e.text for e in steps(run, path, noise(), resume) if isinstance(e, Notice)]


def kept(path):
    return json.loads((path / "environment.json").read_text())["precision"]


@pytest.mark.parametrize("asked", ["float32", "bfloat16"])
@pytest.mark.parametrize("native", [True, False])
def test_bfloat16_that_is_slow_here_is_said(asked, native, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: native)
    sentences = said(tiny(mae, f"compute.precision={asked}", "steps=1"), tmp_path / "run")
    if native or asked == "float32":
        assert sentences == []
    else:
        assert "--resume compute.precision=float32" in sentences[0] and len(sentences) == 1


def stopped_after(count, run, path):
    """The messages of a run that is left after that many steps."""
    events, sentences = steps(run, path, noise()), []
    for event in events:
        if isinstance(event, Notice):
            sentences.append(event.text)
        elif event.step == count:
            events.close()
    return sentences


def on(monkeypatch, pays_from):
    """A processor that multiplies bfloat16, and to which it pays from this width on."""
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: True)
    monkeypatch.setattr(precision, "pays_from", lambda device: pays_from)


def test_what_auto_chose_is_said_at_the_start_and_not_again(tmp_path, monkeypatch):
    run, path = tiny(mae, "log_every=1"), tmp_path / "run"
    on(monkeypatch, pays_from=16)
    (sentence,) = stopped_after(3, run, path)
    assert sentence.startswith("computes in bfloat16") and "compute.precision=float32" in sentence
    assert said(run, path, resume=True) == ["resumes after step 2 of 6"]
    assert kept(path) == {"0": "bfloat16"}


def test_a_demo_tells_what_auto_chose_once_for_all_its_runs(tmp_path, monkeypatch):
    on(monkeypatch, pays_from=16)
    events = []
    for name in ("siameseim", "mae"):
        events += [(name, e) for e in steps(tiny(mae, "steps=1"), tmp_path / name, noise())]
        events.append((name, Notice("resumes after step 1 of 2")))
    heard = list(once(events))
    assert len(heard) == len(events) - 1 and events[0] == heard[0]
    notices = [(name, e.text) for name, e in heard if isinstance(e, Notice)]
    assert [name for name, text in notices if "bfloat16" in text] == ["siameseim"]


@pytest.mark.parametrize("asked, pays_from", [("auto", 17), ("float32", 16), ("bfloat16", 16)])
def test_nothing_is_said_of_float32_and_of_what_was_asked_for(
    asked, pays_from, tmp_path, monkeypatch
):
    on(monkeypatch, pays_from)
    assert said(tiny(mae, f"compute.precision={asked}", "steps=1"), tmp_path / "run") == []
    assert kept(tmp_path / "run") == {"0": "bfloat16" if asked == "bfloat16" else "float32"}


@pytest.mark.parametrize("first, then", [("bfloat16", "float32"), ("float32", "bfloat16")])
def test_a_run_goes_on_on_a_machine_of_another_precision_and_says_so(
    first, then, tmp_path, monkeypatch
):
    run, path = tiny(mae, "log_every=1"), tmp_path / "run"
    widths = {"bfloat16": 16, "float32": inf}
    on(monkeypatch, widths[first])
    stopped_after(3, run, path)
    on(monkeypatch, widths[then])
    assert said(run, path, resume=True) == [
        "resumes after step 2 of 6",
        f"computes in {then} from here on (in {first} until now); "
        f"set compute.precision={first} to stay with that",
    ]
    assert kept(path) == {"0": first, "2": then}
    on(monkeypatch, widths[first])
    assert said(run, path, resume=True) == ["resumes after step 6 of 6"]  # nothing is left to do
    assert kept(path) == {"0": first, "2": then}


def test_a_precision_that_was_asked_for_at_the_second_start_has_no_hint(tmp_path, monkeypatch):
    run, path = tiny(mae, "log_every=1"), tmp_path / "run"
    on(monkeypatch, pays_from=16)
    stopped_after(3, run, path)
    sentences = said(run.change("compute.precision=float32"), path, resume=True)
    assert sentences[1:] == ["computes in float32 from here on (in bfloat16 until now)"]


def test_steps_that_are_taken_again_are_noted_once(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(tiny())
    noted = [(0, "float32"), (4, "bfloat16"), (4, "float32"), (8, "bfloat16"), (2, "bfloat16")]
    before = [folder.note_precision(step, name) for step, name in noted]
    assert before == ["", "float32", "float32", "float32", "float32"]
    assert kept(folder.path) == {"0": "float32", "2": "bfloat16"}


@pytest.mark.parametrize("text", ["", "{", None])
def test_a_run_goes_on_without_what_it_kept_of_its_environment(text, tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(tiny())
    folder.environment.unlink() if text is None else folder.environment.write_text(text)
    with pytest.warns(UserWarning, match="environment.json is lost or damaged"):
        assert folder.note_precision(4, "float32") == ""
    told = json.loads(folder.environment.read_text())
    assert told["precision"] == {"4": "float32"} and "processor" in told


# --- both precisions train alike ------------------------------------------------------------

SEEDS = 5
SMALL = (
    "size=16", "model.width=32", "model.depth=2", "batch=16", "steps=6", "log_every=2",
    "save_every=100",
)  # fmt: skip


def small(recipe, *changes):
    """Enough learning in few steps that weights kept in bfloat16 would show in the loss."""
    return tiny(recipe, *SMALL, *changes)


@pytest.mark.parametrize("recipe", [siameseim, mae])
def test_losses_of_both_precisions_differ_far_less_than_those_of_seeds(recipe, tmp_path):
    found = {}
    for name in ("float32", "bfloat16"):
        for seed in range(SEEDS):
            run = small(recipe, f"compute.precision={name}", f"seed={seed}")
            folder = train(run, tmp_path / f"{name}-{seed}", noise(64, side=20))
            found.setdefault(name, []).append([line["loss"] for line in folder.lines()])
    plain, half = (torch.tensor(losses) for losses in found.values())  # [seeds, steps]
    assert not torch.equal(plain, half), "both were computed in the same precision"
    spread = plain.std(dim=0)
    assert ((half - plain).mean(dim=0).abs() < 0.03 * spread).all()


@pytest.mark.parametrize("recipe", RECIPES)
def test_only_the_networks_compute_in_bfloat16(recipe, monkeypatch):
    """Their inputs equal those in float32, bit for bit, and so must their outputs."""
    run, given = demo_size(RECIPES[recipe]()), {}
    compare = type(run.loss).__call__

    def heard(loss, pred, goal):
        assert not torch.is_autocast_enabled("cpu")
        assert pred.dtype == goal.dtype == torch.float32
        return compare(loss, pred, goal)

    monkeypatch.setattr(type(run.loss), "__call__", heard)
    for kind in (torch.float32, torch.bfloat16):
        state = build(run, CPU)
        for network in (state.model, state.teacher):
            hear = lambda _, inputs, kind=kind: given.setdefault(kind, []).append(inputs)  # noqa: E731
            network.register_forward_pre_hook(hear)
        gradients(run, state.model, state.teacher, noise(8, side=48).pixels, 0, kind)
    plain, half = (list(tensors(given[kind])) for kind in (torch.float32, torch.bfloat16))
    assert len(plain) > 5
    for a, b in zip(plain, half, strict=True):
        assert a.dtype == b.dtype and torch.equal(a, b)


def tensors(found):
    """All of them, in order, whatever tuples they are in."""
    for one in found:
        if isinstance(one, torch.Tensor):
            yield one
        else:
            yield from tensors(one)


def test_weights_moments_and_target_stay_float32_in_bfloat16(tmp_path):
    run = small(siameseim, "compute.precision=bfloat16", "steps=3")
    folder = train(run, tmp_path / "run", noise(64, side=20))
    state = build(run, CPU)
    checkpoint.restore(checkpoint.newest(folder.checkpoints)[0], state)
    moments = [one["exp_avg"] for one in state.optimiser.state.values()]
    for values in (moments, [*state.model.parameters()], [*state.teacher.parameters()]):
        assert {v.dtype for v in values} == {torch.float32}
        finer = [(v != v.bfloat16()).float().mean() for v in values if v.numel() > 100]
        assert min(finer) > 0.5, "values are rounded to bfloat16"
