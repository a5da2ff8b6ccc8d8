"""Benchmarks: rows from known seconds; no test depends on the clock."""

import shutil
import sys
import time
from argparse import ArgumentTypeError
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.autograd import DeviceType

from benchmarks import features, gpu, measure, pages, peer, step, weights
from benchmarks.__main__ import arguments, show
from benchmarks.measure import Seconds, Work, measured, operations
from benchmarks.profile import WAITS, parts_of, profiled
from siamlab.evaluate.models import open_model

CPU = torch.device("cpu")


def takes(*seconds):
    """A work that returns these seconds, one after another; the first are the warm-up's."""
    remaining = [Seconds(s) for s in seconds]
    return lambda: remaining.pop(0)


def test_a_row_has_the_median_rate_its_spread_and_the_ratio_to_the_first():
    works = [
        Work("slow", takes(9.0, 2.0, 4.0, 5.0), images=8),
        Work("fast", takes(9.0, 1.0, 0.5, 2.0), images=8),
    ]
    slow, fast = measured(works, CPU, repeats=3)
    assert (slow["rate"], slow["least"], slow["most"], slow["ratio"]) == (2, 1.6, 4, 1)
    assert (fast["rate"], fast["ratio"], fast["seconds"], fast["unit"]) == (8, 4, 1, "images/s")


def test_a_number_that_a_work_returns_is_not_taken_for_seconds():
    (row,) = measured([Work("a probe", lambda: 1000.0)], CPU, repeats=1)
    assert row["seconds"] < 500


def test_features_and_bare_passes_take_turns_on_parts_of_the_images(monkeypatch):
    words = "--images 5 --part 2 --device cpu --model test_vit"
    first, taken = [], []

    def clock(call, device):
        found = call()
        side, number = ("bare", 2.0) if isinstance(found, list) else ("features", 3.0)
        first.append(side), taken.append(len(found[0]) if side == "features" else None)
        return number

    monkeypatch.setattr(features, "timed", clock)
    found = list(features.turns(features.arguments(words.split())))
    assert found == [(2, 2, 3), (2, 2, 3), (1, 2, 3)]
    assert first == ["features", "bare", "bare", "features"] * 2
    assert [number for number in taken if number] == [8, 2, 2, 1]
    assert features.summary(found).splitlines()[-1].endswith("| 1.500 (1.500 to 1.500) |")


def dispatched(kind, ts):
    return {"name": "EventDispatch", "ts": ts, "args": {"data": {"type": kind}}}


def test_a_repaint_ends_with_the_first_frame_that_is_committed_after_the_event():
    commits = [{"name": "Commit", "ph": "X", "ts": ts, "dur": 500} for ts in (0, 3000, 9500, 20000)]
    moves = [dispatched("pointermove", ts) for ts in (1000, 3200)]
    answered = {"name": "answered", "ph": "I", "ts": 15000}
    trace = [*moves, dispatched("click", 1500), answered, *commits]
    assert pages.spans(trace, "pointermove") == [2.5, 0.3]  # milliseconds
    assert pages.spans(trace, "click", "answered") == [19]
    timing = pages.Timing("a page", [10.0, 12.0, 40.0], 16)
    assert pages.cells(timing) == ["a page", "12.0", "10.0", "40.0", "3", "16", "67%"]


def test_works_take_turns():
    order = []
    works = [Work(name, lambda name=name: order.append(name) or Seconds(1)) for name in "ab"]
    measured(works, CPU, repeats=2)
    assert order == ["a", "b"] * 3


def test_the_share_is_of_the_ceiling_of_the_same_precision(monkeypatch):
    tops = {torch.float32: 100.0, torch.bfloat16: 400.0}
    monkeypatch.setattr(measure, "product_rate", lambda device, precision: tops[precision])
    works = [
        Work("plain", takes(1.0, 2.0), flops=100),
        Work("half", takes(1.0, 1.0), flops=100, precision=torch.bfloat16),
    ]
    plain, half = measured(works, CPU, repeats=1)
    assert (plain["share"], half["share"]) == (0.5, 0.25)


def test_operations_are_two_for_each_product():
    a, b = torch.zeros(3, 5), torch.zeros(5, 7)
    assert operations(lambda: a @ b) == 2 * 3 * 5 * 7


def test_the_table_is_markdown_with_the_columns_of_the_rows(capsys):
    rows = measured([Work("only", takes(1.0, 0.5), images=3)], CPU, repeats=1)
    show("step", rows, CPU)
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[-3] == "| work | rate | least | most | unit | ratio |"
    assert lines[-1] == "| only | 6 | 6 | 6 | images/s | 1 |"


SCRIPT = """
import sys
print("peer 1.0", flush=True)
for number, _ in enumerate(sys.stdin):
    print(0.25 * (number + 1), flush=True)
"""


def test_a_peer_works_once_per_request_and_returns_its_seconds(tmp_path, monkeypatch):
    (tmp_path / "with_it.py").write_text(SCRIPT)
    monkeypatch.setattr(peer, "SCRIPTS", tmp_path)
    monkeypatch.setattr(peer, "environment", lambda name: sys.executable)
    theirs = peer.Peer("it", "task", threads=1)
    assert theirs.versions == "peer 1.0"
    assert [theirs(), theirs()] == [0.25, 0.5]
    theirs.end()
    assert theirs.process.returncode == 0


CHATTY = """
import time
from turns import serve

def task(pause, device):
    print("made for", device)

    def work():
        print("working")
        time.sleep(pause)

    return work

serve({"task": task}, "torch", "timm")
"""


def test_the_peers_process_answers_with_seconds_whatever_it_prints(tmp_path, monkeypatch):
    (tmp_path / "with_one_more.py").write_text(CHATTY)
    shutil.copy(peer.SCRIPTS / "turns.py", tmp_path)
    monkeypatch.setattr(peer, "SCRIPTS", tmp_path)
    monkeypatch.setattr(peer, "environment", lambda name: sys.executable)
    theirs = peer.Peer("one-more", "task", threads=1, pause=0.2, device="cpu")
    assert theirs.versions == f"torch {version('torch')} timm {version('timm')}"
    assert theirs() >= 0.2
    theirs.end()
    assert theirs.process.returncode == 0


def test_a_peer_that_is_installed_needs_no_environment():
    assert peer.environment("safetensors") == Path(sys.executable)


def test_a_peer_that_dies_is_reported(tmp_path, monkeypatch):
    (tmp_path / "with_it.py").write_text("raise SystemExit(3)")
    monkeypatch.setattr(peer, "SCRIPTS", tmp_path)
    monkeypatch.setattr(peer, "environment", lambda name: sys.executable)
    with pytest.raises(SystemExit, match="ended without an answer"):
        peer.Peer("it", "task", threads=1)


def test_a_profile_counts_each_operation_once_a_step():
    a, b = torch.randn(200, 300), torch.randn(300, 400)
    parts = {part.kind: part for part in profiled(lambda: (a @ b).exp_(), CPU, steps=4)}
    assert parts["matrix products"].calls == 1
    assert parts.keys() == {"matrix products", "other small operations"}
    assert sum(part.share for part in parts.values()) == pytest.approx(1)
    times = [part.milliseconds for part in parts.values()]
    assert min(times) > 0 and times == sorted(times, reverse=True)


def test_gpu_operations_are_counted_once_and_waits_are_reported():
    def event(key, where, seconds, count=3):
        times = dict(self_cpu_time_total=9e6, self_device_time_total=seconds * 1e6)
        return SimpleNamespace(key=key, device_type=where, count=count, **times)

    cpu, ran = DeviceType.CPU, DeviceType.CUDA
    events = [
        event("aten::mm", cpu, 6), event("sm90_gemm_bf16", ran, 6), event("aten::add", cpu, 3),
        event("vectorized_elementwise", ran, 3), event("aten::_local_scalar_dense", cpu, 0, 6),
    ]  # fmt: skip
    parts = parts_of(events, steps=3, on_gpu=True)
    assert [tuple(part) for part in parts] == [
        ("matrix products", 2000, 2 / 3, 1),
        ("other small operations", 1000, 1 / 3, 1),
        (WAITS, 0, 0, 2),
    ]


def python(code):
    """The command of a part that runs a line of Python."""
    return [sys.executable, "-c", code]


def test_parts_for_a_gpu_resume_where_they_were_cut_off(tmp_path, monkeypatch):
    codes = {"step": "print('a table')", "loop": "raise SystemExit(1)", "views": "print('views')"}
    monkeypatch.setattr(gpu, "parts", lambda options: {p: python(c) for p, c in codes.items()})
    monkeypatch.setattr(sys, "argv", ["gpu", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="missing: loop; the same command continues"):
        gpu.main()
    codes |= {"loop": "print('rates')", "step": "raise SystemExit(1)"}
    gpu.main()
    tables = (tmp_path / "gpu.md").read_text()
    assert tables == "\n## step\n\na table\n\n## views\n\nviews\n\n## loop\n\nrates\n"


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("peer", ["", "stable-pretraining"])
def test_the_parts_for_a_gpu_are_valid_commands(device, peer, tmp_path, monkeypatch):
    parts = gpu.parts(SimpleNamespace(device=device, peer=peer, repeats=5, out=tmp_path))
    cases = [*step.cases(torch.device(device)), *[peer] * bool(peer)]
    assert {f"step: {case}" for case in cases} < parts.keys()
    for words in parts.values():
        if "profile" not in words:  # which parses its own options
            monkeypatch.setattr(sys, "argv", words[2:])
            options = arguments()
            assert options.device == device and len(options.suites) == 1


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["step", "--case", "ViT"], "case 'ViT' is none of 'ViT-S/16 224, SiameseIM', '"),
        (["loss", "--case", "UniGrad"], "--case needs exactly one suite, step or loop"),
        (["step", "loop", "--case", "demo, MAE"], "--case needs exactly one suite, step or loop"),
    ],
)
def test_an_unknown_case_is_an_error(words, sentence, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", *words, "--device", "cpu"])
    with pytest.raises(SystemExit):
        arguments()
    assert sentence in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_an_error_before_any_measurement(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArgumentTypeError, match="cannot be made.*give a folder"):
        measure.folder(str(tmp_path / "file" / "out"))
    assert measure.folder(str(tmp_path / "new" / "out")).is_dir()


def test_a_part_that_takes_too_long_is_ended_and_no_other_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "MIN_SECONDS", 0.5)
    child = tmp_path / "child"
    slow = f"""
import pathlib, subprocess, time
child = subprocess.Popen(["sleep", "60"])
pathlib.Path({str(child)!r}).write_text(str(child.pid))
time.sleep(60)
"""
    codes = {"step": slow, "loop": "print('rates')"}
    monkeypatch.setattr(gpu, "parts", lambda options: {p: python(c) for p, c in codes.items()})
    monkeypatch.setattr(sys, "argv", ["gpu", "--minutes", "0.06", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="missing: step, loop"):
        gpu.main()
    assert not (tmp_path / "gpu.md").exists()
    status = Path("/proc", child.read_text(), "status")
    for _ in range(100):  # the system needs some time to end it
        if not status.exists() or "State:\tZ" in status.read_text():
            return
        time.sleep(0.1)
    pytest.fail("the child process of the part still runs")


def test_neighbours_of_real_weights_are_counted_with_each_image_left_out(
    tmp_path, monkeypatch, capsys
):
    """A stand-in for a checkpoint, and images whose class is their grey, but for one in each."""
    draw = np.random.default_rng(0)
    for split in ("train", "test"):
        for label, grey in (("dark", 40), ("light", 200)):
            (tmp_path / split / label).mkdir(parents=True)
            for i in range(6):
                level = 240 - grey if i == 0 else grey
                pixels = np.full((32, 32, 3), level, np.uint8) + draw.integers(0, 8, (32, 32, 3))
                Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / split / label / f"{i}.png")
    torch.manual_seed(0)
    file = tmp_path / "vit.safetensors"
    save_file(timm.create_model("test_vit", num_classes=0).state_dict(), file)
    words = [f"timm:test_vit@{file}", "--data", str(tmp_path), "--k", "1", "3", "--images", "12",
             "--precision", "float32", "bfloat16", "--device", "cpu"]  # fmt: skip
    options = weights.arguments(words)
    images = weights.labelled(options.data, options.images)
    named = open_model(options.model)
    found = list(weights.rows(named, images, None, options.k, options.precision, CPU))
    assert [row.precision for row in found] == ["float32", "bfloat16"]
    # of the two that look like the other class, each has the other's images for neighbours
    assert found[0].right[3] == pytest.approx(10 / 12)
    near = torch.nn.functional.normalize(features.probe.features(named.model, images.pixels).cls)
    nearest = (near @ near.T).fill_diagonal_(-2).argmax(1)
    right = (images.labels[nearest] == images.labels).float().mean().item()
    assert found[0].right[1] == pytest.approx(right)
    assert weights.arguments([*words[:3], "--size", "518"]).size == 518
    monkeypatch.setattr(sys, "argv", ["weights", *words])
    weights.main()
    told = capsys.readouterr().out.splitlines()
    assert "12 images" in told[0]
    assert told[2].startswith("| precision | seconds | k = 1 | k = 3 |") and len(told) == 6
