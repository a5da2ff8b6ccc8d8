"""Zoo: encoders that come with siamlab, to look at without training; README.md says what they are.

vit = zoo.load("siameseim")     # a plain timm model; zoo.names() lists them
zoo.scores()                    # what all probes found of those trained on CIFAR-10
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from siamlab.component import UserError, unknown
from siamlab.train.export import load_encoder

if TYPE_CHECKING:
    import polars

HERE = Path(__file__).parent
REFERENCE = "untrained"  # the network that all of them started from


def names() -> tuple[str, ...]:
    """The trained models that come with siamlab; `scenes_` before those not trained on CIFAR-10."""
    encoders = {file.stem for file in HERE.glob("*.safetensors")}
    return tuple(sorted(encoders | set(_with_branches())))


def file(name: str) -> Path:
    """The encoder file of one, or the folder of its run; either carries the run that made it.

    Raises UserError for a name that is not there.
    """
    if name not in names():
        raise UserError(unknown("zoo: there is no model", name, names()))
    return HERE / name if name in _with_branches() else HERE / f"{name}.safetensors"


def branches(name: str) -> Path:
    """The folder of a run with both its branches, for what needs the predictor too.

    Raises UserError for a name that has none.
    """
    if name not in _with_branches():
        raise UserError(unknown("zoo: there are no branches of", name, _with_branches()))
    return HERE / name


def load(name: str) -> nn.Module:
    """One of them as a plain timm vision transformer."""
    return load_encoder(file(name))


def scores(models: Sequence[str] = ()) -> "polars.DataFrame":
    """The long table (`probe.table`) of the untrained network and of these models, as `zoo:mae`.

    In their order; without names, of all that were trained on CIFAR-10. Measured on its test
    images with the full suite, so that the images need not be at hand. Raises UserError for a
    model without scores.
    """
    import polars

    table = polars.read_parquet(HERE / "scores.parquet")
    for name in models:
        if name not in table["model"]:
            raise UserError(unknown("zoo: there are no scores of", name, table["model"].unique()))
    if not models:
        return table
    return polars.concat(table.filter(table["model"] == name) for name in (REFERENCE, *models))


def has_scores(models: Sequence[str]) -> bool:
    """Whether `scores` has all of these."""
    return set(models) <= set(scores()["model"])


def _with_branches() -> list[str]:
    return sorted(file.parent.name for file in HERE.glob("*/run.toml"))
