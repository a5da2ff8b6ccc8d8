"""Checkpoints: what a run needs to go on, written whole or not at all.

runs/mae/checkpoints/step_00001000/
    model.safetensors    the online branch          teacher.safetensors    the target
    optimiser.pt         AdamW and the step         checksums.json         of the files above
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from torch import nn

from siamlab.component import UserError
from siamlab.train.folder import written

KEPT = 2  # the newest and the one before it


class State(NamedTuple):
    """All that training changes."""

    model: nn.Module
    teacher: nn.Module
    optimiser: torch.optim.Optimizer


def save(folder: Path, step: int, state: State) -> Path:
    """Write a checkpoint under `folder` beside the others, then drop the oldest.

    Drafts that killed processes left are dropped too: only one process trains in a folder.
    """
    final = folder / f"step_{step:08d}"
    draft = folder / f".draft_{final.name}"
    for left in folder.glob(".draft_*"):
        shutil.rmtree(left, ignore_errors=True)
    try:
        with written(final):
            _write(draft, step, state)
            shutil.rmtree(final, ignore_errors=True)
            draft.rename(final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    for old in found(folder)[:-KEPT]:
        shutil.rmtree(old)
    return final


def found(folder: Path) -> list[Path]:
    """Checkpoints of a run, oldest first."""
    return sorted(folder.glob("step_*"))


def newest(folder: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint that is whole, and a sentence for each newer one that is not."""
    said = []
    for path in reversed(found(folder)):
        if not (problem := damage(path)):
            return path, said
        said.append(f"checkpoint {path.name} is damaged ({problem}); using the one before it")
    return None, said


def damage(path: Path) -> str:
    """What is wrong with a checkpoint's files; "" if they are as they were written."""
    try:
        sums = json.loads((path / "checksums.json").read_text())
        wrong = [n for n, s in sums.items() if checksum(path / n) != s]
    except (OSError, ValueError) as error:
        return f"{type(error).__name__} at its checksums"
    return f"{', '.join(wrong)} changed since it was written" if wrong else ""


def restore(path: Path, state: State) -> int:
    """Put a checkpoint into the state; the step it was written after comes back."""
    read_weights(state.model, path / "model.safetensors")
    read_weights(state.teacher, path / "teacher.safetensors")
    kept = torch.load(path / "optimiser.pt", map_location="cpu", weights_only=True)
    state.optimiser.load_state_dict(kept["optimiser"])
    return kept["step"]


def write_weights(module: nn.Module, path: Path, about: dict[str, str] | None = None) -> None:
    """Parameters and buffers as safetensors, with a few words about them."""
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in module.state_dict().items()}
    path.write_bytes(safetensors.torch.save(tensors, metadata=about))


def read_weights(module: nn.Module, path: Path) -> None:
    """Weights back into the module they fit; raises UserError if they are another one's."""
    tensors = safetensors.torch.load_file(path)
    mine = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    theirs = {k: tuple(v.shape) for k, v in tensors.items()}
    if mine != theirs:
        key = min(k for k in mine | theirs if mine.get(k) != theirs.get(k))
        raise UserError(
            f"{path} belongs to another run: {key} is {theirs.get(key, 'missing')} there and "
            f"{mine.get(key, 'missing')} here; give the folder of this run or another --out"
        )
    module.load_state_dict(tensors)


def _write(draft: Path, step: int, state: State) -> None:
    draft.mkdir(parents=True)
    write_weights(state.model, draft / "model.safetensors")
    write_weights(state.teacher, draft / "teacher.safetensors")
    with (draft / "optimiser.pt").open("wb") as file:
        torch.save({"optimiser": state.optimiser.state_dict(), "step": step}, file)
    sums = {file.name: checksum(file) for file in sorted(draft.iterdir())}
    (draft / "checksums.json").write_text(json.dumps(sums, indent=1))
    for file in draft.iterdir():
        _to_disk(file)


def checksum(path: Path) -> str:
    """What `checksums.json` has of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
