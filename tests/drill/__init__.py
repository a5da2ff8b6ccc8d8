"""A standing drill: faults on purpose, and figures of what they cost.

make drill                              # every part in full
make drill WORDS="--short studies"      # one part, reduced

A part is a module of this folder with a function `drill(scratch, short)`, which yields a `Row` for
each figure as soon as it is known. `scratch` is an empty folder of its own. Modules whose names
begin with an underscore are not parts.
"""

import pkgutil
import traceback
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Row(NamedTuple):
    fault: str  # what was done, as "20 kills, journal"
    measure: str  # what was counted, with its unit, as "trials lost"
    found: float
    most: float | None = None  # the largest value allowed; None: for information only
    least: float | None = None  # the smallest value allowed

    @property
    def passed(self) -> bool:
        above = self.most is not None and not self.found <= self.most
        below = self.least is not None and not self.found >= self.least
        return not (above or below)

    @property
    def allowed(self) -> str:
        bounds = [f"{sign} {bound:g}" for sign, bound in (("≥", self.least), ("≤", self.most))
                  if bound is not None]  # fmt: skip
        return "0" if bounds == ["≤ 0"] else ", ".join(bounds)


Part = Callable[[Path, bool], Iterable[Row]]


def parts() -> dict[str, Part]:
    """Return the function of each part by the name of its module."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: import_module(f"{__name__}.{name}").drill
            for name in names if not name.startswith("_")}  # fmt: skip


def run(chosen: dict[str, Part], scratch: Path, short: bool, console: Console) -> bool:
    """Run the parts, print one table, and return whether all figures are within their bounds."""
    table, passed = Table("part", "fault", "measure", "found", "allowed", "", title="Drill"), True
    for name, part in chosen.items():
        for row in _rows(name, part, scratch, short, console):
            console.print(f"{name}: {row.fault}: {row.measure}: {row.found:g}", highlight=False)
            mark = "✓" if row.passed else "✗"
            table.add_row(name, row.fault, row.measure, f"{row.found:g}", row.allowed, mark)
            passed &= row.passed
    console.print(table)
    return passed


def _rows(name: str, part: Part, scratch: Path, short: bool, console: Console) -> Iterator[Row]:
    """Yield the rows of a part; one that ends with an error yields a row that fails."""
    folder = scratch / name
    folder.mkdir()
    try:
        yield from part(folder, short)
    except Exception:  # the other parts still run
        console.print(traceback.format_exc(), markup=False)
        yield Row("the part itself", "errors", 1, most=0)
