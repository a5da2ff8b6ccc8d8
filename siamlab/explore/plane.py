"""Plane explorer: models as points; click one for what it was, how it went and what it gets wrong.

PlaneExplorer(subjects, scores, test)      # subjects and the long table of their scores
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import polars as pl
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.data import Images
from siamlab.explore.explorer import Explorer
from siamlab.explore.given import chosen_images
from siamlab.explore.pair import LEGEND, PairExplorer
from siamlab.explore.scene import Chart, Control, Mark, Panel, Scene
from siamlab.figure import plane_table
from siamlab.figure.template import colours
from siamlab.geometry import patch_centres
from siamlab.subject import Subject

MEASURES = ("error of the match (pixels)", "cosine of the match")
LOOKED = 40  # test images behind the histogram
BARS = 12
SHOWN = 3  # patches behind the chosen bar that are pictured
TICKS = 4


class PlaneExplorer(Explorer):
    """The plane; the chosen model's matches as a histogram; the patches behind the chosen bar."""

    title = "the plane, linked"

    def __init__(
        self,
        subjects: Sequence[Subject],
        scores: pl.DataFrame,
        images: Images | UInt8[Tensor, "n 3 H W"] | None = None,
    ):
        self.table = plane_table(scores)
        here = {s.name: s for s in subjects}
        if missing := [name for name in self.table["model"] if name not in here]:
            raise UserError(f"scores has the model {missing[0]!r}, which is not among the subjects")
        self.subjects = {name: here[name] for name in self.table["model"]}
        self.pixels = chosen_images(images, subjects[0])[:LOOKED]
        self._found = lru_cache(maxsize=64)(self._found)  # of this object alone
        self._explorer = lru_cache(maxsize=64)(self._explorer)
        first = next(iter(self.subjects))
        super().__init__({"model": first, "measure": MEASURES[0]}, "histogram", BARS - 1)

    def scene(self) -> Scene:
        """The plane, the histogram, and examples as pairs of views."""
        names = list(self.subjects)
        bars, behind = self._histogram()
        panels = [
            Panel("plane", "all models", "", (1, len(names)), span=3, chart=self._plane()),
            Panel("histogram", f"{self.values['model']}: all patches", "", (1, BARS), span=3,
                  chart=bars),
        ]  # fmt: skip
        examples = [p for i, row in enumerate(behind[:SHOWN]) for p in self._example(i, *row)]
        return Scene(
            panels=[*panels, *examples],
            columns=6,
            text=self._text(bars, len(behind)),
            controls=[
                Control("model", "model", self.values["model"], options=names),
                Control("measure", "histogram of", self.values["measure"], options=MEASURES),
            ],
            legend=LEGEND[:3],
        )

    def images(self) -> dict[str, UInt8[Tensor, "3 H W"]]:
        """The views of the examples."""
        _, behind = self._histogram()
        found: dict[str, Tensor] = {}
        for image, _, _ in behind[:SHOWN]:
            found |= self._pair(image).images()
        return found

    def click(self, panel: str, patch: int) -> tuple[dict[str, str], tuple[str, int] | None]:
        """A point of the plane chooses its model, a bar the patches behind it."""
        if panel == "plane":
            return {"model": list(self.subjects)[patch]}, None
        return {}, (panel, patch)

    def _plane(self) -> Chart:
        x, y = (self.table[name].to_list() for name in ("semantic", "spatial"))
        (x, x_ticks), (y, y_ticks) = _scaled(x), _scaled(y)
        names = self.table["model"].to_list()
        shades = colours(names)
        return Chart(
            "points", x, y, names, [shades[name] for name in names], "semantic score",
            "spatial score", x_ticks, y_ticks, names.index(self.values["model"]),
        )  # fmt: skip

    def _histogram(self) -> tuple[Chart, list[tuple[int, int, float]]]:
        """The bars, and (image, patch, value) behind the chosen one, the largest first."""
        measure, chosen = self.values["measure"], self.selected[1]
        every = {name: self._found(name, measure) for name in self.subjects}
        values = torch.cat([found[:, 2] for found in every.values()])
        edges = torch.linspace(float(values.min()), float(values.max()), BARS + 1)  # of all models
        mine = every[self.values["model"]]
        place = torch.bucketize(mine[:, 2].contiguous(), edges[1:-1], right=True)
        share = torch.bincount(place, minlength=BARS) / len(mine)
        behind = mine[place == chosen]
        behind = behind[behind[:, 2].argsort(descending=True)]
        chart = _bars(edges.tolist(), share.tolist(), measure, chosen)
        return chart, [(int(image), int(patch), value) for image, patch, value in behind.tolist()]

    def _found(self, name: str, measure: str) -> Float[Tensor, "M 3"]:
        """Image, patch and value of every patch of view a that view b shows."""
        rows = []
        for image in range(len(self.pixels)):
            found = self._pair(image, name).matches("a")
            value = found.error if measure == MEASURES[0] else found.cosine.amax(dim=1)
            here = found.inside.nonzero()[:, 0]
            rows.append(
                torch.stack([torch.full_like(value[here], image), here, value[here]], dim=1)
            )
        return torch.cat(rows)

    def _explorer(self, name: str) -> PairExplorer:
        return PairExplorer(self.subjects[name], self.pixels, image=0)

    def _pair(self, image: int, name: str | None = None) -> PairExplorer:
        pair = self._explorer(name or self.values["model"])
        pair.values = pair.values | {"image": image}
        return pair

    def _example(self, number: int, image: int, patch: int, value: float) -> list[Panel]:
        pair = self._pair(image)
        pair.selected = "a", patch
        _, a, b = pair.scene().panels
        query = Mark(*patch_centres(pair.grid)[patch].tolist(), "query")
        shown = [mark for mark in b.marks if mark.kind != "next"]
        bare = dict(still=True, heat=None)
        return [
            a._replace(id=f"{number} a", title=f"image {image}, view a", marks=[query], **bare),
            b._replace(id=f"{number} b", title=f"view b: {value:.3g}", marks=shown, **bare),
        ]

    def _text(self, bars: Chart, behind: int) -> str:
        name = self.values["model"]
        row = self.table.row(by_predicate=pl.col("model") == name, named=True)
        run, base = self.subjects[name].run, next(iter(self.subjects.values()))
        said = f"{name}: semantic {row['semantic']:.3f}, spatial {row['spatial']:.3f}. "
        if run and base.run and name != base.name:
            changes = run.differences(base.run)
            said += f"Other than {base.name}: {', '.join(changes) or 'nothing'}. "
        return said + f"{behind} patches from {bars.names[self.selected[1]]} behind the chosen bar."


def _bars(edges: list[float], shares: list[float], title: str, chosen: int) -> Chart:
    top = 1.05 * max(shares)
    ticks = [(i / BARS, f"{edge:.3g}") for i, edge in enumerate(edges)]
    return Chart(
        kind="bars",
        x=[place for place, _ in ticks],
        y=[share / top for share in shares],
        names=[f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)],
        colours=[],
        x_title=title,
        y_title="share of patches",
        x_ticks=ticks[:: BARS // TICKS],
        y_ticks=[(0.0, "0"), (1 / 1.05, f"{max(shares):.0%}")],
        chosen=chosen,
    )


def _scaled(values: list[float]) -> tuple[list[float], list[tuple[float, str]]]:
    """Fractions of an axis with room around, and its ticks."""
    low, high = min(values), max(values)
    room = 0.15 * (high - low) or 0.1
    low, high = low - room, high + room
    step = 10 ** math.floor(math.log10((high - low) / 2))
    step = next(step * k for k in (0.5, 1, 2, 5) if (high - low) / (step * k) <= 6)
    first = math.ceil(low / step)
    marks = [i * step for i in range(first, math.floor(high / step) + 1)]
    return [(v - low) / (high - low) for v in values], [
        ((mark - low) / (high - low), f"{mark:.3g}") for mark in marks
    ]
