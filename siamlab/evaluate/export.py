"""Export: a model for other programs, checked against itself before the file is there.

export_model(open_model("runs/mine"), "mine.onnx")      # or .pt2, .safetensors, .pth, a new folder
"""

import warnings
from collections.abc import Callable
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.evaluate.files import check_new_file
from siamlab.evaluate.models import NamedModel, check_opened
from siamlab.evaluate.share import CLOSE, write_folder
from siamlab.machine.arguments import typed
from siamlab.machine.files import atomic, check_has_name, with_ending
from siamlab.machine.internals import is_fusable, set_fused
from siamlab.machine.shortage import explain_shortage
from siamlab.probe.batches import Inputs
from siamlab.probe.features import as_features, final_tokens
from siamlab.train.access import written
from siamlab.train.checkpoint import write_weights
from siamlab.train.releases.write import write_release

OUTPUTS = ("pooled", "cls", "patches")
Outputs = tuple[Float[Tensor, "B D"], Float[Tensor, "B D"], Float[Tensor, "B N D"]]


class Packaged(nn.Module):
    """A model with its standardisation: RGB of 0..1 in, pooled, class token and patches out."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model: nn.Module = deepcopy(model).cpu().eval().requires_grad_(False)
        self.inputs: Inputs = Inputs.of(model)
        for name, colours in (("mean", self.inputs.mean), ("std", self.inputs.std)):
            self.register_buffer(name, torch.tensor(colours)[:, None, None])
        for module in self.model.modules():  # the plain product is in every version of ONNX
            if is_fusable(module):
                set_fused(module, False)

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Outputs:
        """Return the features of images of the model's size."""
        tokens = final_tokens(self.model, (image - self.mean) / self.std)
        found = as_features(self.model, tokens, self.inputs.size)
        return found.pooled, found.cls, found.patches

    def example(self, count: int = 2) -> Float[Tensor, "B 3 H W"]:
        """Return random images."""
        rng = torch.Generator().manual_seed(0)
        return torch.rand(count, 3, *self.inputs.size, generator=rng)


@explain_shortage("choose a smaller size, or a machine with more memory")
def export_model(named: NamedModel, to: str | Path) -> Path:
    """Write a model as `.onnx`, `.pt2` (torch.export), `.safetensors` (timm), or a new folder.

    `.pth` is a run's newest checkpoint with the keys of SiameseIM's or MAE's release, whole.

    Graphs take any number of images, RGB of 0..1 at the model's size, and return `pooled`, `cls`
    and `patches`; they are compared with torch on random images. A folder is one of Hugging Face.
    Raises UserError for another ending, a missing package, and a graph that differs.
    """
    check_opened("export_model", named)
    path = check_export(to, of=named.folder)
    if path.suffix == "":
        write_folder(named, path)
        return path
    with written(path, "name another place"), atomic(path) as draft:
        WRITERS[path.suffix](named, draft)
    return path


@typed
def check_export(to: str | Path, size: int | None = None, of: Path | None = None) -> Path:
    """Return the path; raises UserError for one that cannot be written, before any work.

    `of` is the file or folder of the model, whose own files are not replaced.
    """
    path = Path(to)
    check_has_name(path, f"--to {to}", "model", WRITERS)
    if path.suffix not in (*WRITERS, ""):
        raise UserError(
            f"--to {to} must end in {', '.join(WRITERS)}, or be a new folder; try "
            f"{with_ending(path, *WRITERS)}"
        )
    if path.suffix == ".pth" and size is not None:
        raise UserError(
            f"--to {to} is a run's checkpoint, at the size of its views; leave out --size {size}"
        )
    if path.suffix == "" and path.exists():
        raise UserError(f"--to {to} exists; choose another name, or remove it")
    check_new_file(path, "--to")
    if of and of.exists() and _is_part(path, of):
        raise UserError(f"--to {to} is a file of the model itself; choose another name")
    if path.suffix == ".onnx":
        check_onnx(f"--to {to}")
    return path


def _is_part(path: Path, model: Path) -> bool:
    """Return whether a file is that of the model, or weights in its folder."""
    inside = path.suffix == ".safetensors" and model.resolve() in path.resolve().parents
    return path.exists() and (inside or path.samefile(model))


def check_onnx(what: str) -> None:
    """Raise UserError where a package that writes or runs ONNX is missing."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(f"{what} needs {missing[0]}; pip install 'siamlab[onnx]' adds it")


def _write_timm(named: NamedModel, path: Path) -> None:
    if not hasattr(named.model, "pos_embed"):
        raise UserError(f"{named.name} is not a timm model; export it as .onnx or .pt2")
    write_weights(named.model, path, {"run": named.run.toml()} if named.run else None)


def _write_release(named: NamedModel, path: Path) -> None:
    if named.folder is None:
        raise UserError(
            f"{named.name} is not a run's folder; only a run's checkpoint can be written as .pth; "
            "export it as .safetensors"
        )
    write_release(named.folder, path)


def _write_onnx(named: NamedModel, path: Path) -> None:
    import onnxruntime

    packaged = Packaged(named.model)
    batch = {"image": {0: torch.export.Dim.DYNAMIC}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own parts
        torch.onnx.export(
            packaged,
            (packaged.example(),),
            path,
            input_names=["image"],
            output_names=list(OUTPUTS),
            dynamic_shapes=batch,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    session = onnxruntime.InferenceSession(path.read_bytes())
    run = lambda x: map(torch.from_numpy, session.run(None, {"image": x.numpy()}))  # noqa: E731
    compare(named, packaged, run)


def _write_exported(named: NamedModel, path: Path) -> None:
    packaged = Packaged(named.model)
    batch = {"image": {0: torch.export.Dim.DYNAMIC}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(packaged, (packaged.example(),), dynamic_shapes=batch)
        with path.open("wb") as file:  # a name without .pt2 is refused
            torch.export.save(program, file)
        with path.open("rb") as file:
            compare(named, packaged, torch.export.load(file).module())


def compare(named: NamedModel, packaged: Packaged, other: Callable) -> None:
    """Raise UserError unless a file gives torch's numbers, for another number of images too."""
    images = packaged.example(3)
    with torch.no_grad():
        parts = zip(packaged(images), other(images), strict=True)
        apart = torch.stack([(a - b).abs().max() for a, b in parts]).max().item()  # NaN if any is
    if not apart <= CLOSE:
        raise UserError(
            f"the exported {named.name} differs from torch by {apart:.1e}, more than {CLOSE:.0e}; "
            "nothing was written: update torch and onnx, or export to .safetensors"
        )


WRITERS = {
    ".onnx": _write_onnx,
    ".pt2": _write_exported,
    ".safetensors": _write_timm,
    ".pth": _write_release,
}
NEEDED = ("onnx", "onnxscript", "onnxruntime")
