"""Training steps: views, forward, target, loss, backward, clip, optimiser and momentum update."""

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.cost import fresh
from benchmarks.measure import Work, measured, operations, timed
from benchmarks.peer import Peer
from siamlab.memory import keep_freed
from siamlab.model.encoder import Vit
from siamlab.model.prediction import DenseDecoder
from siamlab.recipes import demo_size, mae, moco_v3, photo_size, siameseim
from siamlab.run import Run
from siamlab.train.precision import choose_precision, multiplies_bfloat16
from siamlab.train.setup import build, choose_device, parallel
from siamlab.train.step import clip, gradients

ROOM = 1.15  # sides of the images over those of the views, as caches have them
LEAST = 1.0  # seconds of a repetition: the first of several steps finds cold caches


def small(batch: int, **fields: Any) -> Run:
    """SiameseIM with a ViT-S/16 at 224 pixels and a decoder 384 wide."""
    model, decoder = Vit(width=384, depth=12, heads=6), DenseDecoder(width=384, heads=16)
    return siameseim(model=model, prediction=decoder, batch=batch, **fields)


def tiny(batch: int) -> Run:
    """The same with a ViT-Ti at 64 pixels and patches of 8."""
    model = Vit(width=192, depth=12, heads=3, patch=8)
    return siameseim(
        model=model, prediction=DenseDecoder(width=192, heads=6), size=(64, 64), batch=batch
    )


def large(batch: int) -> Run:
    """SiameseIM with a ViT-L/16."""
    return siameseim(model=Vit(width=1024, depth=24, heads=16), batch=batch)


def cases(device: torch.device) -> dict[str, Run]:
    """Runs by name, at batches that the device holds."""
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
    """One training step of a run on random images of the device, everything included."""
    choose_device(run.compute)
    precision = choose_precision(run, device)
    state = build(run, device)
    model = parallel(state, run.compute, device)
    side = [round(ROOM * s) for s in run.size]
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
    """Each case in each precision, and the peer's; in processes of their own.

    A heap that another step has used slows small ones by a quarter. With `case` that one alone,
    or the peer's.
    """
    chosen = {name: run for name, run in cases(device).items() if case in ("", name)}
    calls = [
        (timed_case, name, run, kind) for name, run in chosen.items() for kind in kinds(device)
    ]
    calls += [(beside, peer)] if peer and case in ("", peer) else []
    given = torch.get_num_threads(), device, repeats
    if len(calls) == 1:  # this process has done nothing else
        call, *what = calls[0]
        return by_itself(call, *what, *given)
    return [row for call, *what in calls for row in fresh(by_itself, call, *what, *given)]


def kinds(device: torch.device) -> list[str]:
    """bfloat16 on a GPU; float32 and, where it is multiplied natively, bfloat16 on a processor."""
    native = ["bfloat16"] * multiplies_bfloat16(device)
    return native if device.type == "cuda" else ["float32", *native]


def by_itself(call: Callable, *given: Any) -> list[dict[str, Any]]:
    """The rows of a call; last of what is given: threads, device, repeats."""
    *what, threads, device, repeats = given
    keep_freed()
    torch.set_num_threads(threads)
    return call(*what, device, repeats)


def timed_case(
    name: str, run: Run, kind: str, device: torch.device, repeats: int
) -> list[dict[str, Any]]:
    """A run in a precision."""
    return measured([work(f"{name}, {kind}", run, kind, device)], device, repeats)


def work(name: str, run: Run, kind: str, device: torch.device) -> Work:
    """The step of a run in a precision, with its operations counted."""
    run = run.change(f"compute.precision={kind}", f"compute.device={device.type}")
    plain = stepper(run.change("compute.compile=false"), device)  # its operations can be counted
    flops = operations(plain)
    step = stepper(run, device) if run.compute.compile else plain
    timed(step, device)  # pays for imports, memory and compilation
    many = max(1, round(LEAST / timed(step, device)))
    all_of_them = lambda: [step() for _ in range(many)]  # noqa: E731
    return Work(name, all_of_them, many * run.batch, "images", many * flops, getattr(torch, kind))


def beside(peer: str, device: torch.device, repeats: int) -> list[dict[str, Any]]:
    """A step of siamlab's, views included, and the peer's of the same network."""
    make = {"lightly": mae_beside, "stable-pretraining": moco_beside}[peer]
    task, sizes, run, said = make(device)
    kind = "bfloat16" if device.type == "cuda" else "float32"
    theirs = Peer(peer, task, torch.get_num_threads(), device=device.type, **sizes)
    ours = work(f"{said}, {kind}", run, kind, device)
    name = f"{peer}'s parts of the same" + ", no views" * (task == "mae")
    found = measured([Work(name, theirs, run.batch, note=theirs.versions), ours], device, repeats)
    theirs.end()
    return found


def mae_beside(device: torch.device) -> tuple[str, dict[str, int], Run, str]:
    """MAE of a ViT-Ti/8 at 64 pixels: the peer's task and sizes, siamlab's run, its name."""
    run = mae(model=Vit(width=192, depth=12, heads=3, patch=8, norm="layer", stem="learned"))
    decoder = run.prediction.replace(width=128, depth=4, heads=4)
    sizes = dict(images=64, size=64, patch=8, width=192, depth=12, heads=3)
    sizes |= dict(decoder=128, decoder_depth=4, decoder_heads=4)
    run = run.replace(prediction=decoder, size=(64, 64), batch=64)
    return "mae", sizes, run, "ViT-Ti/8 64, MAE"


def moco_beside(device: torch.device) -> tuple[str, dict[str, int], Run, str]:
    """MoCo-v3 of a ViT-S/16 at 224 pixels, the views made where the step is."""
    batch = 256 if device.type == "cuda" else 8
    run = moco_v3(model=Vit(width=384, depth=12, heads=6, norm="layer"), batch=batch)
    side = round(ROOM * run.size[0])
    sizes = dict(images=batch, size=run.size[0], height=side, width=side)
    return "moco_v3", sizes, run, "ViT-S/16 224, MoCo-v3"
