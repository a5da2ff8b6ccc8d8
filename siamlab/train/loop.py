"""Training: the whole loop on one page.

folder = train(run, "runs/mae", progress=True)  # a folder that explains itself
for event in steps(run, "runs/mae"): ...        # the same; yields Notice and Metrics
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from siamlab.component import UserError
from siamlab.data.images import Images
from siamlab.machine import distributed
from siamlab.machine.arguments import typed
from siamlab.machine.shortage import explain_shortage
from siamlab.run import Run
from siamlab.train import checkpoint
from siamlab.train.collapse import collapse_signs
from siamlab.train.device import explain_compile_errors, less_memory
from siamlab.train.due import due_after
from siamlab.train.events import Event
from siamlab.train.export import write_encoder
from siamlab.train.folder import RunFolder
from siamlab.train.kept import keep_branches
from siamlab.train.precision import note_precision
from siamlab.train.progress import Meter
from siamlab.train.resume import claim_folder, resume_state
from siamlab.train.schedule import learning_rate, set_rate
from siamlab.train.setup import Setup, prepare
from siamlab.train.signals import Stopped, stop_signal
from siamlab.train.step import clip, gradients


@typed
def train(
    run: Run,
    path: str | Path,
    images: Images | None = None,
    resume: bool = False,
    progress: bool = False,
) -> RunFolder:
    """Train `run` into a new folder, or resume the one there; return the finished folder.

    With `progress`, a bar shows rate, loss and time left, and notices stand above it. Raises
    UserError for a folder in use, too few images or a loss that is not finite, and Stopped after
    SIGTERM or Ctrl-C, with a checkpoint written to continue from.
    """
    events = steps(run, path, images, resume)
    if progress:
        from siamlab.train.bar import follow

        follow(run, events)
    else:
        deque(events, maxlen=0)
    return RunFolder(path)


@typed
def steps(
    run: Run,
    path: str | Path,
    images: Images | None = None,
    resume: bool = False,
    test: Images | None = None,
) -> Iterator[Event]:
    """Train as `train` does; yield the metrics of each logged step, and notices as they arise.

    `test`: the test images that `probe_every` needs where `images` are given.
    """
    with explain_shortage(less_memory(run)):
        yield from _steps(run, path, images, resume, test)


def _steps(
    run: Run, path: str | Path, images: Images | None, resume: bool, test: Images | None
) -> Iterator[Event]:
    distributed.start()
    main = distributed.is_main()  # writes, logs and reports; the others only train
    setup = prepare(run, RunFolder(path), images, resume, test)
    with (
        claim_folder(run, setup.folder, resume, main),
        explain_compile_errors(run.compute),
        stop_signal() as stopped,
    ):
        first, notices = resume_state(run, setup.folder, setup.state, main)
        if main:
            yield from [*notices, *note_precision(run, setup.device, setup.folder, first)]
        yield from _loop(run, setup, first, stopped, main)
        if main:
            _write_encoder(run, setup, setup.folder.encoder)


def _loop(
    run: Run, setup: Setup, first: int, stopped: Callable[[], bool], main: bool
) -> Iterator[Event]:
    folder, device, precision, batches, probes, state, model = setup
    meter = Meter(run.batch, first, batches, folder.seconds())
    for step, batch in enumerate(batches.read(first), start=first):
        lr = set_rate(state.optimiser, learning_rate(step, run.steps, run.batch, run.optimiser))
        terms, context, target = gradients(run, model, state.teacher, batch, step, precision)
        norm = clip(state.model, run.optimiser.clip)
        state.optimiser.step()
        state.optimiser.zero_grad(set_to_none=True)
        state.teacher.follow(state.model, (step + 1) / run.steps)

        done = step + 1
        due = due_after(done, run, distributed.any_of(stopped()))
        if due.log or due.save or device.type == "cpu":  # reading a number makes a GPU wait
            values = {name: distributed.mean(value).item() for name, value in terms.items()}
            check_finite(values, norm.item(), done, folder)
        if due.log and main:
            metrics = meter.metrics(done, values, lr=lr, grad_norm=norm.item())
            signs = collapse_signs(state.model, state.teacher, context, target)
            check_finite(signs, norm.item(), done, folder)
            metrics.values.update(signs)
            metrics.values.update(probes(state.model.encoder) if due.probe else {})
            folder.log(metrics)
            yield metrics
            meter.restart(done)
        if due.save and main:
            folder.check_there()
            checkpoint.save(folder.checkpoints, done, state)
        if due.keep and main:
            _write_encoder(run, setup, folder.encoder_at(done))
            if run.keep == "branches":
                keep_branches(folder, done, state)
        if due.stop:
            distributed.wait()  # torchrun kills every process when one exits
            raise Stopped(f"stopped after step {done} of {run.steps}: add --resume to continue")


def _write_encoder(run: Run, setup: Setup, path: Path) -> None:
    setup.folder.check_there()
    write_encoder(setup.state.model.encoder, run, path)


def check_finite(values: dict[str, float], norm: float, step: int, folder: RunFolder) -> None:
    """Raise UserError, before anything is saved, when a value or the gradient is not finite."""
    wrong = [f"{k}={v}" for k, v in {**values, "grad_norm": norm}.items() if not math.isfinite(v)]
    if wrong:
        kept = checkpoint.found(folder.checkpoints)
        where = (
            f"the checkpoint {kept[-1]} is from before it" if kept else "no checkpoint was due yet"
        )
        raise UserError(
            f"training is no longer finite at step {step} ({', '.join(wrong)}); {where}; lower "
            "optimiser.lr, set optimiser.clip=1.0 or compute.precision=float32, and start again in "
            "another --out"
        )
