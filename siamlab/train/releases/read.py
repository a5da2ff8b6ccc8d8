"""Read: a whole checkpoint of SiameseIM or MAE becomes the folder of a run.

imported = import_release("sim_base_1600ep_pretrain.pth", "runs/official")      # imported.about
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from siamlab.component import UserError
from siamlab.interop.training_checkpoint import Title, Whole, read_whole
from siamlab.interop.vit import size_in_words
from siamlab.machine.faults import way_out
from siamlab.machine.files import atomic, expanded
from siamlab.model.siamese import Siamese
from siamlab.run import Run
from siamlab.train import checkpoint
from siamlab.train.checkpoint import State
from siamlab.train.export import write_encoder
from siamlab.train.folder import RunFolder
from siamlab.train.releases.moments import fill_moments, trained
from siamlab.train.releases.names import (
    Place,
    check_fits,
    constants,
    known,
    official_names,
)
from siamlab.train.releases.settings import run_of
from siamlab.train.schedule import make_optimiser

UNREAD = "mm_mask_token"  # which SiameseIM's program copies and never reads
PARTS = {"SiameseIM": "encoder, projector, predictor, momentum branch", "MAE": "encoder, decoder"}


class Imported(NamedTuple):
    folder: RunFolder
    about: str  # one line: what the file holds, and how many keys were used


def import_release(file: str | Path, out: str | Path, words: Sequence[str] = ()) -> Imported:
    """Write the run of a whole checkpoint into a new folder, as if siamlab had trained it.

    `words` are key=value that change the run, such as data.path. Raises UserError for a file that
    is not whole, for networks that siamlab does not have, and for a folder that is not empty.
    """
    path, folder = expanded(file), RunFolder(out)
    whole = read_whole(path)
    _check_new(folder)
    told, step = run_of(whole, path)
    run = told.change(*words)
    _check_words(run, path)
    step = min(step, run.steps)
    check_fits(run, whole.title, f"{path} cannot become this run of {whole.title}'s release")
    state = new_state(run)
    names = official_names(whole.title, state)
    _fill(state, whole, names, run, path)
    rest = {key: whole.tensors[key] for key in whole.tensors if key not in names}
    _write_folder(folder, run, step, state, _about_rest(whole, rest, step))
    return Imported(folder, _sentence(whole, run, step, rest))


def _check_words(run: Run, path: Path) -> None:
    if run.model.starts_from:
        raise UserError(
            f"model.init={run.model.starts_from}: an imported run continues the weights of {path}; "
            "leave model.init out, or start a new run with `siamlab train`"
        )


def _check_new(folder: RunFolder) -> None:
    try:
        if folder.path.exists() and (not folder.path.is_dir() or any(folder.path.iterdir())):
            raise UserError(
                f"the folder {folder.path} exists and is not empty; choose another --out"
            )
    except OSError as error:
        raise UserError(
            f"the folder {folder.path} cannot be used ({error.strerror}); choose another --out"
        ) from error


def _write_folder(
    folder: RunFolder, run: Run, step: int, state: State, rest: dict[str, Any]
) -> None:
    """Make the folder whole or not at all, so that a partial folder is never mistaken for a run."""
    try:
        folder.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(folder.path) as draft:
            new = RunFolder(draft)
            new.create(run)
            checkpoint.save(new.checkpoints, step, state)
            torch.save(rest, new.release)
            if step == run.steps:
                write_encoder(state.model.encoder, run, new.encoder)
    except (OSError, RuntimeError, UserError) as error:
        causes = (error, error.__cause__, error.__context__)  # torch.save and `written` hide it
        cause = next((c for c in causes if isinstance(c, OSError)), None)
        if cause is None:
            raise
        raise UserError(
            f"the folder {folder.path} cannot be written ({cause.strerror}); {way_out(cause)}, or "
            "choose another --out"
        ) from error


def new_state(run: Run) -> State:
    """Return the networks and the optimiser of a run, whose weights will be replaced."""
    model = Siamese(run, run.target.widths(run))
    return State(model, run.target.build(model, run), make_optimiser(model, run.optimiser))


def _fill(state: State, whole: Whole, names: dict[str, Place], run: Run, path: Path) -> None:
    """Load networks and moments of the file into those of the run."""
    networks = {"model": state.model.state_dict(), "teacher": state.teacher.state_dict()}
    own = {key: networks[place.network][place.name] for key, place in names.items()}
    _check_tensors(whole, own, constants(whole.title, run), path)
    for key, place in names.items():
        networks[place.network][place.name] = whole.tensors[key].reshape(own[key].shape)
    state.model.load_state_dict(networks["model"])
    state.teacher.load_state_dict(networks["teacher"])
    if whole.optimiser:
        groups = trained(names, state.model, whole.tensors)
        fill_moments(state.optimiser, whole.optimiser, groups, path)


def _check_tensors(
    whole: Whole, own: dict[str, Tensor], fixed: dict[str, Tensor], path: Path
) -> None:
    """Raise UserError unless the file has exactly the run's weights and what the release fixes."""
    for key, mine in (own | fixed).items():
        found = whole.tensors.get(key)
        if found is None or not _alike(found, mine):
            raise _other_networks(path, key, found, mine)
        if key in fixed and not torch.allclose(found.float(), mine, atol=1e-4):
            raise UserError(
                f"{path} has another {key} than {whole.title}'s program, which never changes it; "
                f"copy the file again, or start from its encoder: model.init={path}"
            )
    for key, found in whole.tensors.items():
        if known(whole.title, key) and key not in (*own, *fixed, UNREAD):
            raise _other_networks(path, key, found, None)


def _alike(found: Tensor, own: Tensor) -> bool:
    """Return whether a tensor fills another: tokens have dimensions of one more."""
    return [n for n in found.shape if n > 1] == [n for n in own.shape if n > 1]


def _other_networks(path: Path, key: str, found: Tensor | None, own: Tensor | None) -> UserError:
    theirs, mine = (
        "missing" if value is None else str(list(value.shape)) for value in (found, own)
    )
    return UserError(
        f"{path} is a mixture of two files, or not of the run's sizes: {key} is {theirs} there and "
        f"{mine} in the run; copy it again, and leave out words that change sizes"
    )


def _about_rest(whole: Whole, rest: dict[str, Tensor], step: int) -> dict[str, Any]:
    """Return what the file holds and a run has no place for, so that it can be written back."""
    return {
        "title": whole.title,
        "step": step,
        "args": whole.args,
        "epoch": whole.epoch,
        "scaler": whole.scaler,
        "moments": whole.optimiser is not None,
        "groups": (whole.optimiser or {}).get("param_groups"),
        "model": rest,
    }


def _sentence(whole: Whole, run: Run, step: int, rest: dict[str, Tensor]) -> str:
    unused = [key for key in rest if not known(whole.title, key)]
    vit = run.model
    size = size_in_words(vit.width, vit.depth, vit.patch, vit.heads)
    moments = " and moments of AdamW" if whole.optimiser else "; AdamW starts from scratch"
    used, named = len(whole.tensors) - len(unused), f" ({', '.join(unused[:3])})" if unused else ""
    parts = PARTS[whole.title] + moments
    return (
        f"{whole.title} {size} after step {step:,} of {run.steps:,}: {parts}; "
        f"{used} keys used, {len(unused)} unused{named}"
    )


def title_of(run: Run) -> Title:
    """Return the release that has networks of this kind."""
    return "MAE" if run.target.goals == "pixels" else "SiameseIM"
