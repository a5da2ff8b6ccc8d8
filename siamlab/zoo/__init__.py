"""Zoo: trained encoders that ship with siamlab; README.md describes them.

zoo.names()                     # ("mae", ...); open_model("zoo:mae") opens one
zoo.scores()                    # scores of those trained on CIFAR-10, all probes
"""

import hashlib
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from siamlab.component import UserError, unknown
from siamlab.machine.arguments import typed
from siamlab.machine.files import atomic, expanded

if TYPE_CHECKING:
    import polars

HERE = Path(__file__).parent
PREFIX = "zoo:"  # of a model's name
KINDS = (".safetensors", ".parquet", ".toml", ".json")
SUMS = HERE / "checksums.sha256"  # of its files, as `sha256sum` writes and checks them
REFERENCE = "untrained"  # the network that all of them started from


def names() -> tuple[str, ...]:
    """Return the names of all models; those that start with `scenes_` were trained on scenes."""
    encoders = {file.stem for file in HERE.glob("*.safetensors")}
    return tuple(sorted(encoders | set(_with_branches())))


@typed
def file(name: str) -> Path:
    """Return the encoder file of a model, or the folder of its run; both contain the run.

    Raises UserError for an unknown name, and for files that changed since siamlab was installed.
    """
    if name not in names():
        raise UserError(unknown("zoo: there is no model", name, names()))
    return _whole(HERE / name if name in _with_branches() else HERE / f"{name}.safetensors")


@typed
def path_of(name: str | os.PathLike[str]) -> Path:
    """Return the path that a model's name means: `zoo:NAME` is `file(NAME)`, others are paths."""
    shipped = str(name).startswith(PREFIX)
    return file(str(name).removeprefix(PREFIX)) if shipped else expanded(name)


def missing(name: str | os.PathLike[str]) -> UserError:
    """Return the error for a name that means no file, no folder and no model."""
    return UserError(
        f"there is no run's folder or encoder file {name}, as seen from {Path.cwd()}; "
        "`siamlab train` makes one, timm:NAME names a model of timm, hf:OWNER/NAME one of the "
        "Hugging Face hub, zoo:NAME one that comes with siamlab"
    )


@typed
def branches(name: str) -> Path:
    """Return the folder of a run with the predictor and the target branch too.

    Raises UserError for a model of which only the encoder ships.
    """
    if name not in names():
        raise UserError(unknown("zoo: there is no model", name, names()))
    if name not in _with_branches():
        recipe = name.removeprefix("scenes_")
        raise UserError(
            f"{PREFIX}{name} is an encoder only: its decoder or predictor, and its target branch, "
            f"do not come with siamlab, as those of {PREFIX}{_with_branches()[0]} do; name the "
            f"folder of a run, which has them: `siamlab train {recipe} --out runs/{recipe}` makes "
            "one"
        )
    return _whole(HERE / name)


@typed
def scores(models: Sequence[str] = ()) -> "polars.DataFrame":
    """Return the long table (`probe.table`) of the untrained network and these models, in order.

    Names are as in `zoo:mae`; without any, all models trained on CIFAR-10 are in the table. The
    scores were measured with the full suite and are stored, so no images are needed. Raises
    UserError for a model without scores.
    """
    import polars

    table = polars.read_parquet(_whole(HERE / "scores.parquet"))
    for name in models:
        if name not in table["model"]:
            raise UserError(unknown("zoo: there are no scores of", name, table["model"].unique()))
    if not models:
        return table
    return polars.concat(table.filter(table["model"] == name) for name in (REFERENCE, *models))


@typed
def has_scores(models: Sequence[str]) -> bool:
    """Return whether there are scores of all these models."""
    return set(models) <= set(scores()["model"])


def write_sums() -> None:
    """Write the checksums of the files, after the zoo was rebuilt."""
    files = sorted(f for f in HERE.rglob("*") if f.suffix in KINDS)
    with atomic(SUMS) as draft:
        draft.write_text("".join(f"{_sum(f)}  {f.relative_to(HERE).as_posix()}\n" for f in files))


@cache  # a file is compared once in a process
def _whole(path: Path) -> Path:
    """Return a file or folder of the zoo. Raises UserError where a file in it changed."""
    lines = (line.split("  ", 1) for line in SUMS.read_text().splitlines())
    known = {HERE / name: digits for digits, name in lines}
    for file in (file for file in known if path in (file, *file.parents)):
        if not file.is_file() or _sum(file) != known[file]:
            raise UserError(
                f"{file} is damaged: it is not the file that came with siamlab; install siamlab "
                "again"
            )
    return path


def _sum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _with_branches() -> list[str]:
    return sorted(file.parent.name for file in HERE.glob("*/run.toml"))
