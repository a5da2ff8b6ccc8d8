"""Frame: the metrics of many runs as one table.

lines = runs("runs")       # one row per logged step of every run below the folder
"""

from pathlib import Path
from typing import TYPE_CHECKING

from siamlab.component import UserError
from siamlab.machine.arguments import typed
from siamlab.machine.terminal import caution
from siamlab.train.folder import RunFolder

if TYPE_CHECKING:
    import polars


@typed
def runs(path: str | Path) -> "polars.DataFrame":
    """Return the metrics of every run under a folder as one frame, one row per logged step.

    Columns: run (the folder's name), name, then the keys of metrics.jsonl. A run that is damaged is
    left out, with a warning. Raises UserError if there is no run.
    """
    import polars

    rows = []
    for file in sorted(Path(path).rglob("run.toml")):
        folder = RunFolder(file.parent)
        try:
            named = {"run": folder.path.name, "name": folder.run().name}
            rows += [named | line for line in folder.lines()]
        except UserError as problem:
            caution(f"a run is left out: {problem}")
    if not rows:
        raise UserError(f"there is no run with metrics under {path}; `siamlab train mae` makes one")
    return polars.DataFrame(rows, infer_schema_length=None)
