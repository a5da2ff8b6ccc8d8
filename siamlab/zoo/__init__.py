"""Zoo: trained encoders that ship with siamlab; README.md describes them.

zoo.names()                     # ("mae", ...); open_model("zoo:mae") opens one
zoo.scores()                    # scores of those trained on CIFAR-10, all probes
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from siamlab.component import UserError, unknown

if TYPE_CHECKING:
    import polars

HERE = Path(__file__).parent
REFERENCE = "untrained"  # the network that all of them started from


def names() -> tuple[str, ...]:
    """Return the names of all models; those that start with `scenes_` were trained on scenes."""
    encoders = {file.stem for file in HERE.glob("*.safetensors")}
    return tuple(sorted(encoders | set(_with_branches())))


def file(name: str) -> Path:
    """Return the encoder file of a model, or the folder of its run; both contain the run.

    Raises UserError for an unknown name.
    """
    if name not in names():
        raise UserError(unknown("zoo: there is no model", name, names()))
    return HERE / name if name in _with_branches() else HERE / f"{name}.safetensors"


def branches(name: str) -> Path:
    """Return the folder of a run with the predictor and the target branch too.

    Raises UserError for a model of which only the encoder ships.
    """
    if name not in _with_branches():
        raise UserError(unknown("zoo: there are no branches of", name, _with_branches()))
    return HERE / name


def scores(models: Sequence[str] = ()) -> "polars.DataFrame":
    """Return the long table (`probe.table`) of the untrained network and these models, in order.

    Names are as in `zoo:mae`; without any, all models trained on CIFAR-10 are in the table. The
    scores were measured with the full suite and are stored, so no images are needed. Raises
    UserError for a model without scores.
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
    """Return whether there are scores of all these models."""
    return set(models) <= set(scores()["model"])


def _with_branches() -> list[str]:
    return sorted(file.parent.name for file in HERE.glob("*/run.toml"))
