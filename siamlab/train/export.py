"""Export: a finished encoder as a plain timm vision transformer in one safetensors file.

vit = load_encoder("runs/mae")      # or a file, encoder.safetensors, of a run or of the zoo
"""

import os
from collections.abc import Mapping
from pathlib import Path
from zlib import crc32

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from siamlab import zoo
from siamlab.component import UserError
from siamlab.interop.read import run_text
from siamlab.interop.weights import Opened, is_foreign, open_weights
from siamlab.machine.arguments import typed
from siamlab.machine.files import atomic, check_readable
from siamlab.machine.sums import KEY, text_sum
from siamlab.machine.terminal import caution
from siamlab.model.encoder import Encoder
from siamlab.model.siamese import Siamese
from siamlab.run import Run
from siamlab.train import checkpoint
from siamlab.train.access import written
from siamlab.train.folder import RunFolder


def write_encoder(encoder: Encoder, run: Run, path: Path) -> None:
    """Write the encoder as a plain timm model; its run and a checksum are in the file's header."""
    vit = encoder.plain()
    about = {"run": run.toml(), KEY: text_sum(run.toml()) + _sum(vit.state_dict())}
    with written(path):
        path.parent.mkdir(exist_ok=True)  # of encoders that are kept
        with atomic(path) as draft:
            checkpoint.write_weights(vit, draft, about)


def damage(path: Path) -> str:
    """Return what is wrong with an encoder file; "" if it is whole."""
    try:
        _tensors(path)
    except UserError as problem:
        return str(problem)
    return ""


def _sum(tensors: Mapping[str, Tensor]) -> str:
    """Return the checksum of names, shapes, kinds and bytes of an encoder."""
    total = 0
    for name in sorted(tensors):
        weight = tensors[name].detach().cpu().contiguous()
        about = f"{name} {weight.dtype} {tuple(weight.shape)}"
        total = crc32(weight.view(-1).view(torch.uint8).numpy(), crc32(about.encode(), total))
    return f"{total:08x}"


def _tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of an encoder file. Raises UserError where any part of it changed."""
    words, tensors = _words(path), checkpoint.weights_in(path)
    if KEY in words and words[KEY][8:] != _sum(tensors):
        raise _damaged(path)
    return tensors


def _damaged(path: Path) -> UserError:
    return UserError(
        f"{path} is damaged: it changed since it was written; copy it again, or train its run with "
        "--resume, which writes it from the last checkpoint"
    )


@typed
def load_encoder(path: str | Path) -> nn.Module:
    """Return the plain timm model of a run's folder, finished or not, or of a file.

    Raises UserError for a path that is neither, and for a damaged file.
    """
    path = Path(path)
    check_readable(path)
    if os.path.isfile(path):
        return _from_file(path)
    if not os.path.exists(path):
        raise zoo.missing(path)
    folder = RunFolder(path)
    if os.path.isfile(folder.encoder):
        return _from_file(folder.encoder)
    if os.path.lexists(folder.encoder):  # an older checkpoint would be taken without a word
        raise UserError(
            f"{folder.encoder} is a folder, or a link to nothing, and not a file; put the file "
            "back, or remove it to open the newest checkpoint"
        )
    ours = os.path.exists(path / "checksums.json")  # as in the folder of a checkpoint
    if not folder.made() and os.path.isfile(path / "model.safetensors") and not ours:
        raise UserError(
            f"{path} has model.safetensors, but no config.json, which a folder of Hugging Face has "
            "beside it; copy the whole folder, or name the file itself"
        )
    if not folder.made():
        raise UserError(
            f"{path} is neither a run's folder nor a file of weights, as seen from {Path.cwd()}; "
            "`siamlab train` makes one, timm:NAME names a model of timm, zoo:NAME one that comes "
            "with siamlab"
        )
    run = folder.run()
    model = Siamese(run, run.target.widths(run))
    checkpoint.read_weights(model, _newest(folder) / "model.safetensors")
    return model.encoder.plain().eval()


def open_by_name(name: str, weights: bool = True) -> Opened:
    """Return the plain timm model of a run's folder, its file, `zoo:NAME`, or another project.

    `weights=False` leaves `timm:NAME` at random weights. Raises UserError as `open_weights` and
    `load_encoder` do.
    """
    if is_foreign(name):
        return open_weights(name, weights)
    path = zoo.path_of(name)
    return Opened(load_encoder(path), "", lambda: untrained(run_of(path)), path)


@typed
def load_branches(path: str | Path) -> tuple[Run, nn.Module, nn.Module]:
    """Return the run of a folder, and its online model and target at the newest checkpoint.

    Both are in evaluation mode. Raises UserError for a folder without a run or a whole checkpoint.
    """
    folder = RunFolder(path)
    run, newest = folder.run(), _newest(folder)
    model = Siamese(run, run.target.widths(run))
    teacher = run.target.build(model, run)
    checkpoint.read_weights(model, newest / "model.safetensors")
    checkpoint.read_weights(teacher, newest / "teacher.safetensors")
    return run, model.eval(), teacher.eval()


@typed
def untrained(run: Run) -> nn.Module:
    """Return the plain timm model of a run before its first step."""
    from siamlab.train.seeds import seed_of

    torch.manual_seed(seed_of(run.seed, "weights"))
    return Siamese(run, run.target.widths(run)).encoder.plain().eval()


@typed
def run_of(path: str | Path) -> Run:
    """Return the run that made a folder or a file."""
    path = Path(path)
    file = os.path.isfile(path)
    return Run.parse(_words(path)["run"], str(path)) if file else RunFolder(path).run()


def _newest(folder: RunFolder) -> Path:
    newest, damaged = checkpoint.newest(folder.checkpoints, checkpoint.WEIGHTS)
    if newest is None and damaged:
        raise UserError(
            f"all checkpoints of {folder.path} are damaged; restore an undamaged one, or train the "
            "run again"
        )
    if newest is None:
        raise UserError(
            f"{folder.path} has no whole checkpoint yet; wait for one, or set save_every lower"
        )
    for problem in damaged:
        caution(f"{folder.path}: {problem}", stacklevel=3)
    return newest


def _from_file(path: Path) -> nn.Module:
    run = run_of(path)
    vit = Encoder(run.model, run.positions, run.size, run.prediction.fills).plain()
    checkpoint.load_weights(vit, _tensors(path), path)
    return vit.eval()


def _words(path: Path) -> dict[str, str]:
    check_readable(path)
    try:
        with safe_open(path, "pt") as file:
            words = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} is not a whole safetensors file ({error}); copy it again, or name the "
            "folder of the run that made it"
        ) from None
    if run_text(path) is None:
        raise UserError(f"{path} does not say which run made it; siamlab's own encoder files do")
    if words.keys() - {"run", KEY, "format"}:  # a damaged name
        raise _damaged(path)
    if KEY in words and words[KEY][:8] != text_sum(words["run"]):
        raise _damaged(path)
    return words
