"""Examples of what is behind a bar: pairs of views, images with a patch marked, or whole images.

panels, pictures = example_panels(seen, "pairs", behind), example_images(seen, "pairs", behind)
"""

from typing import NamedTuple

from jaxtyping import UInt8
from torch import Tensor

from siamlab.explore.pair import LEGEND
from siamlab.explore.plane_measures import Seen
from siamlab.explore.scene import Mark, Panel
from siamlab.geometry import patch_centres

PICTURED = {"pairs": 3, "patches": 6, "images": 6}  # of each kind of measure
QUERY = ("query", "patch behind the bars")
LEGENDS = {"pairs": [QUERY, *LEGEND[1:3]], "patches": [QUERY], "images": []}


class Behind(NamedTuple):
    """One number behind a bar."""

    image: int
    patch: int  # -1 where it is the whole image's
    value: float


def example_panels(seen: Seen, kind: str, behind: list[Behind]) -> list[Panel]:
    """Two panels for a pair, one for all else."""
    make = _pair if kind == "pairs" else _whole
    return [panel for i, each in enumerate(behind) for panel in make(seen, i, each)]


def example_images(
    seen: Seen, kind: str, behind: list[Behind]
) -> dict[str, UInt8[Tensor, "3 H W"]]:
    """The pictures that the panels name."""
    if kind != "pairs":
        return {f"image {each.image}": seen.pair.pixels[each.image] for each in behind}
    found: dict[str, Tensor] = {}
    for each in behind:
        found |= seen.at(each.image).images()
    return found


def _pair(seen: Seen, number: int, behind: Behind) -> list[Panel]:
    pair = seen.at(behind.image)
    pair.selected = "a", behind.patch
    _, a, b = pair.scene().panels
    shown = [mark for mark in b.marks if mark.kind != "next"]
    bare = dict(still=True, heat=None)
    title = f"image {behind.image}, view a"
    return [
        a._replace(id=f"{number} a", title=title, marks=_query(seen, behind), **bare),
        b._replace(id=f"{number} b", title=f"view b: {behind.value:.3g}", marks=shown, **bare),
    ]


def _whole(seen: Seen, number: int, behind: Behind) -> list[Panel]:
    name = f"image {behind.image}"
    title = f"{name}: {behind.value:.3g}"
    marks = _query(seen, behind)
    return [Panel(f"{number} image", title, name, seen.pair.grid, marks=marks, still=True)]


def _query(seen: Seen, behind: Behind) -> list[Mark]:
    if behind.patch < 0:
        return []
    return [Mark(*patch_centres(seen.pair.grid)[behind.patch].tolist(), "query")]
