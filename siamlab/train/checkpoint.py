"""Checkpoints: what a run needs to be resumed, written whole or not at all.

runs/mae/checkpoints/step_00001000/
    model.safetensors    the online branch          teacher.safetensors    the target
    optimiser.pt         AdamW and the step         checksums.json         of the files above
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.machine.files import atomic, check_file, check_readable, remove_drafts, text_in
from siamlab.train.access import listed, unreadable, written

KEPT = 2  # the newest and the one before it
WEIGHTS = {"model.safetensors", "teacher.safetensors"}
FILES = WEIGHTS | {"optimiser.pt"}


class State(NamedTuple):
    """Everything that training changes."""

    model: nn.Module
    teacher: nn.Module
    optimiser: torch.optim.Optimizer


def save(folder: Path, step: int, state: State) -> Path:
    """Write a checkpoint into `folder`, then remove the oldest; return its path.

    Drafts of killed processes are removed too: only one process trains in a folder.
    """
    final = folder / f"step_{step:08d}"
    remove_drafts(folder)
    with written(final), atomic(final) as draft:
        _write(draft, step, state)
    for old in found(folder)[:-KEPT]:
        shutil.rmtree(old)
    return final


def found(folder: Path) -> list[Path]:
    """Return the checkpoints of a run, oldest first. Raises UserError if they cannot be listed."""
    return [path for path in listed(folder) if path.match("step_*") and path.name[5:].isdigit()]


def newest(folder: Path, needed: set[str] = FILES) -> tuple[Path | None, list[str]]:
    """Return the newest checkpoint with the `needed` files whole, and a sentence on newer ones."""
    problems = []
    for path in reversed(found(folder)):
        if not (problem := damage(path, needed)):
            return path, problems
        problems.append(f"checkpoint {path.name} is damaged ({problem}); using the one before it")
    return None, problems


def damage(path: Path, needed: set[str] = FILES) -> str:
    """Return what is wrong with the `needed` files of a checkpoint; "" if they are unchanged.

    Raises UserError for one that may not be read, which may well be whole.
    """
    try:
        sums = json.loads(text_in(path / "checksums.json"))
        if not isinstance(sums, dict) or not needed <= sums.keys():
            return "its checksums.json does not name all files"
        wrong = [name for name in sorted(needed) if checksum(path / name) != sums[name]]
    except PermissionError as error:
        raise unreadable(path, error) from None
    except (OSError, ValueError) as error:
        return f"{type(error).__name__} at its checksums"
    return f"{', '.join(wrong)} changed since it was written" if wrong else ""


def restore(path: Path, state: State) -> int:
    """Load a checkpoint into the state; return the step after which it was written.

    Raises UserError where its files are not those of this run.
    """
    read_weights(state.model, path / "model.safetensors")
    read_weights(state.teacher, path / "teacher.safetensors")
    return _read_optimiser(state.optimiser, path / "optimiser.pt", int(path.name[5:]))


def _read_optimiser(optimiser: torch.optim.Optimizer, path: Path, step: int) -> int:
    """Load the state of the optimiser of a step, and nothing that a pickle could hold besides."""
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
        if kept["step"] != step:
            raise ValueError(f"it is of step {kept['step']}")
        optimiser.load_state_dict(kept["optimiser"])
        for weight, values in optimiser.state.items():
            shapes = [v.shape for v in values.values() if isinstance(v, Tensor) and v.ndim]
            if any(shape != weight.shape for shape in shapes):
                raise ValueError(f"{tuple(shapes[0])} for weights {tuple(weight.shape)}")
        return step
    except Exception as error:  # torch and pickle raise a dozen kinds for what is none
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise UserError(
            f"{path} is not the state of this run's optimiser ({reason}); remove the folder "
            f"{path.parent}, so that the checkpoint before it is used, or choose another --out"
        ) from None


def write_weights(module: nn.Module, path: Path, about: dict[str, str] | None = None) -> None:
    """Write parameters and buffers as safetensors, with text `about` them in the header."""
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in module.state_dict().items()}
    path.write_bytes(safetensors.torch.save(tensors, metadata=about))


def read_weights(module: nn.Module, path: Path) -> None:
    """Load weights into the module; raises UserError if they belong to another one."""
    load_weights(module, weights_in(path), path)


def weights_in(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file; raises UserError for a damaged one."""
    check_readable(path)
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{path} is not a whole safetensors file ({error}); copy it again, or name the "
            "folder of the run that made it"
        ) from None


def load_weights(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load tensors of a file into the module; raises UserError if they belong to another one."""
    mine = {k: _form(v) for k, v in module.state_dict().items()}
    theirs = {k: _form(v) for k, v in tensors.items()}
    if mine != theirs:
        key = min(k for k in mine | theirs if mine.get(k) != theirs.get(k))
        raise UserError(
            f"{path} belongs to another run: {key} is {theirs.get(key, 'missing')} there and "
            f"{mine.get(key, 'missing')} here; give the folder of this run or another --out"
        )
    module.load_state_dict(tensors)


def _form(tensor: Tensor) -> str:
    """Return shape and kind of number; the precision may differ."""
    kind = "" if tensor.is_floating_point() else f" {str(tensor.dtype).removeprefix('torch.')}"
    return f"{tuple(tensor.shape)}{kind}"


def write_branches(draft: Path, state: State) -> None:
    """Write the weights of both branches into a new folder, with their checksums."""
    _write_weights(draft, state)
    _write_sums(draft)


def _write(draft: Path, step: int, state: State) -> None:
    _write_weights(draft, state)
    with (draft / "optimiser.pt").open("wb") as file:
        torch.save({"optimiser": state.optimiser.state_dict(), "step": step}, file)
    _write_sums(draft)


def _write_weights(draft: Path, state: State) -> None:
    draft.mkdir(parents=True)
    write_weights(state.model, draft / "model.safetensors")
    write_weights(state.teacher, draft / "teacher.safetensors")


def _write_sums(draft: Path) -> None:
    sums = {file.name: checksum(file) for file in sorted(draft.iterdir())}
    (draft / "checksums.json").write_text(json.dumps(sums, indent=1))


def checksum(path: Path) -> str:
    """Return the checksum of a file, as in `checksums.json`."""
    check_file(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
