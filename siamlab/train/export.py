"""Export: a finished encoder as a plain timm vision transformer in one safetensors file.

vit = load_encoder("runs/mae")      # or a file, encoder.safetensors, of a run or of the zoo
"""

from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from siamlab.component import UserError
from siamlab.model.encoder import Encoder
from siamlab.model.siamese import Siamese, parts
from siamlab.run import Run
from siamlab.train import checkpoint
from siamlab.train.folder import Folder, written


def write_encoder(encoder: Encoder, run: Run, path: Path) -> None:
    """The encoder with its places written into its position table; the file carries the run."""
    draft = path.with_suffix(".draft")
    try:
        with written(path):
            checkpoint.write_weights(encoder.plain(), draft, {"run": run.toml()})
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def load_encoder(path: str | Path) -> nn.Module:
    """The plain timm model of a run's folder (the newest checkpoint if unfinished) or of a file.

    Raises UserError for a path that is neither, and for a damaged file.
    """
    path = Path(path)
    if path.is_file():
        return _from_file(path)
    folder = Folder(path)
    if folder.encoder.is_file():
        return _from_file(folder.encoder)
    if not folder.run_file.is_file():
        raise UserError(
            f"{path} is neither a run's folder nor a safetensors file, as seen from {Path.cwd()}; "
            "`siamlab train` makes one, timm:NAME names a model of timm, zoo:NAME one that comes "
            "with siamlab"
        )
    run = folder.run()
    model = Siamese(run, run.target.widths(run))
    checkpoint.read_weights(model, _newest(folder) / "model.safetensors")
    return model.encoder.plain().eval()


def load_branches(path: str | Path) -> tuple[Run, nn.Module, nn.Module]:
    """A run's folder with both its branches at the newest checkpoint: run, online model, target.

    In evaluation mode. Raises UserError for a folder without a run or a whole checkpoint.
    """
    folder = Folder(path)
    run, newest = folder.run(), _newest(folder)
    model = Siamese(run, run.target.widths(run))
    teacher = run.target.build(model, run)
    checkpoint.read_weights(model, newest / "model.safetensors")
    checkpoint.read_weights(teacher, newest / "teacher.safetensors")
    return run, model.eval(), teacher.eval()


def untrained(run: Run) -> nn.Module:
    """The plain timm model of a run before its first step, with the weights of its seed."""
    from siamlab.train.seeds import seed_of

    torch.manual_seed(seed_of(run.seed, "weights"))
    return Siamese(run, run.target.widths(run)).encoder.plain().eval()


def run_of(path: str | Path) -> Run:
    """The run that made a folder or a file."""
    path = Path(path)
    return Run.parse(_words(path)["run"], str(path)) if path.is_file() else Folder(path).run()


def _newest(folder: Folder) -> Path:
    newest, _ = checkpoint.newest(folder.checkpoints)
    if newest is None:
        raise UserError(
            f"{folder.path} has no whole checkpoint yet; wait for one, or set save_every lower"
        )
    return newest


def _from_file(path: Path) -> nn.Module:
    run = run_of(path)
    fills = any(part.head.fills for part in parts(run.prediction))
    vit = Encoder(run.model, run.positions, run.size, fills).plain()
    vit.load_state_dict(safetensors.torch.load_file(path))
    return vit.eval()


def _words(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, "pt") as file:
            words = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} is not a whole safetensors file ({error}); copy it anew, or name the folder "
            "of the run that made it"
        ) from None
    if "run" not in words:
        raise UserError(f"{path} does not say which run made it; siamlab's own encoder files do")
    return words
