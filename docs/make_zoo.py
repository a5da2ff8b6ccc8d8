"""Make what siamlab/zoo holds from finished runs on CIFAR-10, and measure it.

python docs/make_zoo.py runs/siameseim runs/mae runs/moco_v3 data=cifar10 data.path=datasets

Weights are kept in half precision. Of a run that predicts features densely both branches are kept,
from its newest checkpoint, for what needs the predictor; of the others the encoder.
"""

import json
import shutil
import sys
from pathlib import Path

from torch import nn

from siamlab import zoo
from siamlab.cli.main import main as siamlab
from siamlab.data import Cifar10
from siamlab.evaluate.models import open_model
from siamlab.run import Run
from siamlab.train import RunFolder, checkpoint, load_branches


def keep(path: Path) -> str:
    """The name under which a run is in the zoo from now on."""
    run = RunFolder(path).run()
    place = zoo.HERE / run.name
    shutil.rmtree(place, ignore_errors=True)
    place.with_suffix(".safetensors").unlink(missing_ok=True)
    released = shipped(run)
    if run.prediction.kind == "dense" and run.target.kind == "momentum":
        keep_branches(path, place, released)
    else:
        write_half(
            open_model(path).model, place.with_suffix(".safetensors"), {"run": released.toml()}
        )
    return run.name


def shipped(run: Run) -> Run:
    """The run without this machine's paths: the images are CIFAR-10's, wherever they lay."""
    return run.replace(data=Cifar10()).change("compute.threads=0")


def keep_branches(path: Path, place: Path, released: Run) -> None:
    """Both branches as a checkpoint that only its optimiser lacks."""
    _, *branches = load_branches(path)
    folder = place / "checkpoints" / f"step_{released.steps:08d}"
    folder.mkdir(parents=True)
    (place / "run.toml").write_text(released.toml(), encoding="utf-8")
    for name, branch in zip(("model", "teacher"), branches, strict=True):
        write_half(branch, folder / f"{name}.safetensors")
    sums = {file.name: checkpoint.checksum(file) for file in sorted(folder.iterdir())}
    (folder / "checksums.json").write_text(json.dumps(sums, indent=1))


def write_half(module: nn.Module, path: Path, about: dict[str, str] | None = None) -> None:
    """In half precision."""
    checkpoint.write_weights(module.half(), path, about)


if __name__ == "__main__":
    folders = [Path(word) for word in sys.argv[1:] if "=" not in word]
    words = [word for word in sys.argv[1:] if "=" in word]
    names = [f"zoo:{keep(folder)}" for folder in folders]
    table = str(zoo.HERE / "scores.parquet")
    how = ["--suite", "full", "--out", table]
    status = siamlab(["probe", *names, *words, *how])
    zoo.write_sums()
    sys.exit(status)
