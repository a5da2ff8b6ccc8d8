"""Resume: the folder of a run, new or old, and the newest whole checkpoint in it."""

from contextlib import AbstractContextManager, ExitStack, nullcontext
from operator import attrgetter
from typing import Any

from siamlab.component import UserError
from siamlab.machine import distributed
from siamlab.machine.files import no_new_folders
from siamlab.run import BESIDE, Run
from siamlab.train import checkpoint
from siamlab.train.checkpoint import State
from siamlab.train.events import Notice
from siamlab.train.export import damage
from siamlab.train.folder import RunFolder
from siamlab.train.start import bind_weights


def claim_folder(
    run: Run, folder: RunFolder, resume: bool, main: bool
) -> AbstractContextManager[Any]:
    """Make the folder, or with `resume` reuse that of the same run; the main process holds it.

    It holds it before it looks, so that of two runs started at once one has the folder. A new
    folder is removed where a mistake ends the run before its first logged step.

    Raises UserError for a folder in use, or one that another run was made in.
    """
    if not main:
        distributed.wait()
        check_same(run, folder.run(), folder)
        return nullcontext()
    if not (resume and folder.made()):
        folder.check_free()  # first, so that no lock is left in a folder of something else
    with ExitStack() as held:
        held.enter_context(no_new_folders(folder.path))
        held.enter_context(folder.claim())
        if not (resume and folder.made()):
            held.push(folder.undo)
            folder.create(run)
        check_same(run, folder.run(), folder)
        bind_weights(run, folder, started=bool(checkpoint.found(folder.checkpoints)))
        distributed.wait()
        return held.pop_all()


def resume_state(run: Run, folder: RunFolder, state: State, main: bool) -> tuple[int, list[Notice]]:
    """Load the newest undamaged checkpoint; return the step to start at, and notices."""
    path, damaged = checkpoint.newest(folder.checkpoints)
    if path is None and damaged:
        raise UserError(
            f"all checkpoints of {folder.path} are damaged; restore an undamaged one, or choose "
            "another --out to start again"
        )
    first = checkpoint.restore(path, state) if path else 0
    unreadable = folder.forget_after(first) if main else ""
    distributed.wait()
    resumed = f"resumes after step {first} of {run.steps}" if first else ""
    return first, [Notice(text) for text in (*damaged, unreadable, resumed) if text]


def check_same(run: Run, kept: Run, folder: RunFolder) -> None:
    """Raise UserError that names the first field in which the folder's run differs."""
    for name in [*(n for n in Run.model_fields if n not in BESIDE), "compute.accumulate"]:
        mine, theirs = (attrgetter(name)(r) for r in (run, kept))
        if mine != theirs:
            raise UserError(
                f"{folder.path} holds another run: its {name} is {_short(theirs)}, not "
                f"{_short(mine)}; leave the change out, or choose another --out"
            )


def finished(run: Run, folder: RunFolder) -> bool:
    """Return whether the folder holds this run, finished, with an encoder that is whole.

    Raises UserError if it holds another run.
    """
    if folder.made():
        check_same(run, folder.run(), folder)
    return folder.encoder.exists() and not damage(folder.encoder)


def _short(value: object) -> str:
    return str(value).replace("kind=", "") if not isinstance(value, str) else repr(value)
