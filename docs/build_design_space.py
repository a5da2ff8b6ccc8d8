"""Write the choices of every axis into docs/design-space.md; `make docs` runs it."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

from siamlab.run.choices import AXES, axis_choices  # noqa: E402


def with_choices(page: str) -> str:
    """Return the page with the last cell of each axis's row made anew."""
    for axis in AXES:
        choices = ", ".join(f"`{kind}`" for kind in axis_choices(axis))
        row = re.compile(rf"^(\| `{axis}` \|.*\|) [^|]* \|$", re.MULTILINE)
        page, count = row.subn(lambda found, choices=choices: f"{found[1]} {choices} |", page)
        if count != 1:
            raise ValueError(f"design-space.md has {count} rows of the axis {axis!r}, instead of 1")
    return page


if __name__ == "__main__":
    path = HERE / "design-space.md"
    path.write_text(with_choices(path.read_text()))
