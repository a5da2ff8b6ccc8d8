"""Training steps: views, forward, target, loss, backward, clip, optimiser and momentum update."""

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.cost import in_new_process
from benchmarks.measure import Work, measured, operations, timed
from benchmarks.peer import Peer
from siamlab.machine.memory import keep_freed
from siamlab.model.backbone import Vit
from siamlab.model.prediction import DenseDecoder
from siamlab.recipes import demo_size, mae, moco_v3, photo_size, siameseim
from siamlab.run import Run
from siamlab.train.device import build, choose_device, parallel
from siamlab.train.precision import choose_precision, multiplies_bfloat16
from siamlab.train.step import clip, gradients

MARGIN = 1.15  # side of the images relative to that of the views, as in caches
MIN_SECONDS = 1.0  # of a repetition: the first of several steps finds cold caches


def small(batch: int, **fields: Any) -> Run:
    """Return SiameseIM with a ViT-S/16 at 224 pixels and a decoder of width 384."""
    model, decoder = Vit(width=384, depth=12, heads=6), DenseDecoder(width=384, heads=16)
    return siameseim(model=model, prediction=decoder, batch=batch, **fields)


def tiny(batch: int) -> Run:
    """Return SiameseIM with a ViT-Ti/8 at 64 pixels."""
    model = Vit(width=192, depth=12, heads=3, patch=8)
    return siameseim(
        model=model, prediction=DenseDecoder(width=192, heads=6), size=(64, 64), batch=batch
    )


def large(batch: int) -> Run:
    """Return SiameseIM with a ViT-L/16."""
    return siameseim(model=Vit(width=1024, depth=24, heads=16), batch=batch)


def cases(device: torch.device) -> dict[str, Run]:
    """Return runs by name, with batches that fit the device."""
    if device.type == "cuda":
        return {
            "ViT-S/16 224, SiameseIM": small(512),
            "ViT-B/16 224, SiameseIM release": siameseim(batch=256),
            "ViT-L/16 224, SiameseIM": large(128),
            "ViT-S/16 224, SiameseIM, compiled": small(512, compute={"compile": True}),
            "ViT-B/16 224, SiameseIM release, compiled": siameseim(
                batch=256, compute={"compile": True}
            ),
        }
    return {
        "ViT-S/16 224, SiameseIM": small(16),
        "ViT-Ti/8 64, SiameseIM": tiny(64),
        "32 pixels, SiameseIM": photo_size(siameseim()),
        "32 pixels, MAE": photo_size(mae()),
        "demo, SiameseIM": demo_size(siameseim()),
        "demo, MAE": demo_size(mae()),
        "demo, MoCo-v3": demo_size(moco_v3()),
    }


def stepper(run: Run, device: torch.device) -> Callable[[], None]:
    """Return a function that takes one complete training step on random images of the device."""
    choose_device(run.compute)
    precision = choose_precision(run, device)
    state = build(run, device)
    model = parallel(state, run.compute, device)
    side = [round(MARGIN * s) for s in run.size]
    images = torch.randint(0, 256, (run.batch, 3, *side), dtype=torch.uint8, device=device)
    count = 0

    def step() -> None:
        nonlocal count
        gradients(run, model, state.teacher, images, count, precision)
        clip(state.model, run.optimiser.clip)
        state.optimiser.step()
        state.optimiser.zero_grad(set_to_none=True)
        state.teacher.follow(state.model, 0.5)
        count += 1

    return step


def rows(device: torch.device, peer: str, repeats: int, case: str = "") -> list[dict[str, Any]]:
    """Return rows of each case in each precision, and of the peer, from separate processes.

    A heap that another step has used slows small steps down by a quarter. With `case`, return the
    rows of that case, or of the peer, alone.
    """
    chosen = {name: run for name, run in cases(device).items() if case in ("", name)}
    calls = [(time_case, name, run, kind) for name, run in chosen.items() for kind in kinds(device)]
    calls += [(time_peer, peer)] if peer and case in ("", peer) else []
    settings = torch.get_num_threads(), device, repeats
    if len(calls) == 1:  # this process has done nothing else
        call, *what = calls[0]
        return call_alone(call, *what, *settings)
    return [
        row for call, *what in calls for row in in_new_process(call_alone, call, *what, *settings)
    ]


def kinds(device: torch.device) -> list[str]:
    """Return bfloat16 on a GPU; on a CPU float32, and bfloat16 where it is native."""
    native = ["bfloat16"] * multiplies_bfloat16(device)
    return native if device.type == "cuda" else ["float32", *native]


def call_alone(call: Callable, *arguments: Any) -> list[dict[str, Any]]:
    """Return the rows of a call in this process; last arguments: threads, device, repeats."""
    *what, threads, device, repeats = arguments
    keep_freed()
    torch.set_num_threads(threads)
    return call(*what, device, repeats)


def time_case(
    name: str, run: Run, kind: str, device: torch.device, repeats: int
) -> list[dict[str, Any]]:
    """Return the row of a run in a precision."""
    return measured([work(f"{name}, {kind}", run, kind, device)], device, repeats)


def work(name: str, run: Run, kind: str, device: torch.device) -> Work:
    """Return the step of a run in a precision, with its operations counted."""
    run = run.change(f"compute.precision={kind}", f"compute.device={device.type}")
    plain = stepper(run.change("compute.compile=false"), device)  # for counting operations
    flops = operations(plain)
    step = stepper(run, device) if run.compute.compile else plain
    timed(step, device)  # imports, allocations and compilation
    count = max(1, round(MIN_SECONDS / timed(step, device)))
    repetition = lambda: [step() for _ in range(count)]  # noqa: E731
    return Work(name, repetition, count * run.batch, "images", count * flops, getattr(torch, kind))


def time_peer(peer: str, device: torch.device, repeats: int) -> list[dict[str, Any]]:
    """Return the rows of a step of the peer and of siamlab's, views included, on one network."""
    case = {"lightly": lightly_case, "stable-pretraining": stable_pretraining_case}[peer]
    task, sizes, run, title = case(device)
    kind = "bfloat16" if device.type == "cuda" else "float32"
    theirs = Peer(peer, task, torch.get_num_threads(), device=device.type, **sizes)
    ours = work(f"{title}, {kind}", run, kind, device)
    name = f"{peer}'s parts of the same" + ", no views" * (task == "mae")
    table = measured([Work(name, theirs, run.batch, note=theirs.versions), ours], device, repeats)
    theirs.end()
    return table


def lightly_case(device: torch.device) -> tuple[str, dict[str, int], Run, str]:
    """Return the peer's task and sizes, siamlab's run and a title: MAE of a ViT-Ti/8."""
    run = mae(model=Vit(width=192, depth=12, heads=3, patch=8, norm="layer", stem="learned"))
    decoder = run.prediction.replace(width=128, depth=4, heads=4)
    sizes = dict(images=64, size=64, patch=8, width=192, depth=12, heads=3)
    sizes |= dict(decoder=128, decoder_depth=4, decoder_heads=4)
    run = run.replace(prediction=decoder, size=(64, 64), batch=64)
    return "mae", sizes, run, "ViT-Ti/8 64, MAE"


def stable_pretraining_case(device: torch.device) -> tuple[str, dict[str, int], Run, str]:
    """Return the same for MoCo-v3 of a ViT-S/16 at 224 pixels, with views made on the device."""
    batch = 256 if device.type == "cuda" else 8
    run = moco_v3(model=Vit(width=384, depth=12, heads=6, norm="layer"), batch=batch)
    side = round(MARGIN * run.size[0])
    sizes = dict(images=batch, size=run.size[0], height=side, width=side)
    return "moco_v3", sizes, run, "ViT-S/16 224, MoCo-v3"
