"""Training: the whole loop on one page.

folder = train(run, "runs/mae")                 # a folder that explains itself
for line in steps(run, "runs/mae"): ...         # the same, a logged line at a time
"""

import math
from collections.abc import Iterator
from pathlib import Path

from siamlab import processes
from siamlab.component import UserError
from siamlab.data.images import Images
from siamlab.run import Run
from siamlab.train import checkpoint
from siamlab.train.batches import Batches
from siamlab.train.export import write_encoder
from siamlab.train.folder import Folder, Line
from siamlab.train.health import health
from siamlab.train.meter import Meter, due
from siamlab.train.precision import choose_precision, note_precision
from siamlab.train.schedule import learning_rate, set_rate
from siamlab.train.setup import (
    build,
    choose_device,
    claim_folder,
    go_on,
    parallel,
    start_processes,
    told_of_compiling,
)
from siamlab.train.signals import Stopped, stop_signal
from siamlab.train.step import clip, gradients
from siamlab.train.watch import watch


def train(run: Run, path: str | Path, images: Images | None = None, resume: bool = False) -> Folder:
    """Train `run` into a new folder, or go on with the one there; the finished folder comes back.

    Raises UserError for a folder in use, too few images or a loss that is not finite, and Stopped
    after SIGTERM or Ctrl-C, with a checkpoint written to go on from.
    """
    for _ in steps(run, path, images, resume):
        pass
    return Folder(path)


def steps(
    run: Run,
    path: str | Path,
    images: Images | None = None,
    resume: bool = False,
    test: Images | None = None,
) -> Iterator[Line]:
    """Train as `train` does and yield each logged line; {"said": a sentence} for what is said.

    `test` are the images of `probe_every` that belong to `images`.
    """
    start_processes()
    device, folder = choose_device(run.compute), Folder(path)
    precision = choose_precision(run, device)
    watched = watch(run, images, test)
    batches = Batches((images or run.data("train")).pixels, run, device)
    state = build(run, device)
    model = parallel(state, run.compute, device)
    with (
        claim_folder(run, folder, resume),
        told_of_compiling(run.compute),
        stop_signal() as stopped,
    ):
        first, said = go_on(run, folder, state)
        if processes.rank() == 0:
            yield from [*said, *note_precision(run, device, folder, first)]
        meter = Meter(run.batch, first, batches, folder.seconds())
        for step, batch in enumerate(batches.read(first), start=first):
            lr = set_rate(state.optimiser, learning_rate(step, run.steps, run.batch, run.optimiser))
            terms, context, target = gradients(run, model, state.teacher, batch, step, precision)
            norm = clip(state.model, run.optimiser.clip)
            state.optimiser.step()
            state.optimiser.zero_grad(set_to_none=True)
            state.teacher.follow(state.model, (step + 1) / run.steps)

            now = due(run, step + 1, device, stopped)
            if now.check:  # on a GPU only now and then: reading a number makes it wait
                values = {name: processes.mean(value).item() for name, value in terms.items()}
                check_finite(values, norm.item(), step + 1, folder)
            if now.log and processes.rank() == 0:
                line = meter.line(step + 1, values) | {"lr": lr, "grad_norm": norm.item()}
                signs = health(state.model, state.teacher, context, target)
                check_finite(signs, norm.item(), step + 1, folder)
                signs |= watched(state.model.encoder) if now.probe else {}
                yield folder.log(line | signs)
                meter.restart(step + 1)
            if now.save and processes.rank() == 0:
                checkpoint.save(folder.checkpoints, step + 1, state)
            if now.stop:
                processes.wait()  # torchrun ends all as soon as one ends
                raise Stopped(f"stopped after step {step + 1} of {run.steps}: --resume goes on")
    if processes.rank() == 0:
        write_encoder(state.model.encoder, run, folder.encoder)


def check_finite(values: dict[str, float], norm: float, step: int, folder: Folder) -> None:
    """Raises UserError, before anything is saved, when a value or the gradient is not finite."""
    wrong = [f"{k}={v}" for k, v in {**values, "grad_norm": norm}.items() if not math.isfinite(v)]
    if wrong:
        kept = checkpoint.found(folder.checkpoints)
        where = (
            f"the checkpoint {kept[-1]} is from before it" if kept else "no checkpoint was due yet"
        )
        raise UserError(
            f"training is no longer finite at step {step} ({', '.join(wrong)}); {where}; lower "
            "optimiser.lr, set optimiser.clip=1.0 or compute.precision=float32, and start anew in "
            "another --out"
        )
