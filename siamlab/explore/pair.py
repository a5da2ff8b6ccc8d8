"""Pair explorer: click a patch of one view, see where the model finds it in the other.

PairExplorer("zoo:siameseim")       PairExplorer("runs/mine", images, image=3)
"""

from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Generator, Tensor

from siamlab import probe
from siamlab.data import Images
from siamlab.explore.explorer import Explorer
from siamlab.explore.scene import Box, Control, Heat, Jump, Mark, Panel, Scale, Scene
from siamlab.figure.image import to_bytes
from siamlab.geometry import View, correspondence, patch_centres
from siamlab.given import Model, chosen_images, chosen_subject, first_image, last_layer
from siamlab.probe.pairs import pairs
from siamlab.resample import finest

DRAWS = 20  # pairs of views to choose from
TOP = 5  # nearest patches that are shown
WORST = 8  # matches in the list
COLOURS = {"a": "#0072B2", "b": "#D55E00"}
LEGEND = (
    ("query", "clicked patch"),
    ("true", "its true place"),
    ("match", "most alike"),
    ("next", "2nd to 5th"),
)


class Matches(NamedTuple):
    """Every patch of one view looked for in the other; places are fractions of that other view."""

    cosine: Float[Tensor, "N N"]
    true: Float[Tensor, "N 2"]
    inside: Bool[Tensor, " N"]  # the other view shows the place
    error: Float[Tensor, " N"]  # pixels of the other view, from the most alike to the true place
    ceiling: Float[Tensor, " N"]  # the same of the nearest patch centre: no match can be closer


class PairExplorer(Explorer):
    """Two views of one image, drawn as for the correspondence probe; click in either."""

    title = "pair explorer"

    def __init__(
        self,
        model: Model = "zoo:siameseim",
        images: Images | UInt8[Tensor, "n 3 H W"] | None = None,
        image: int | None = None,
        views: int = 1,
    ):
        self.subject = chosen_subject(model)
        self.pixels = chosen_images(images, self.subject.run)
        self._views = lru_cache(maxsize=32)(self._views)  # of this object alone
        self._layers = lru_cache(maxsize=4)(self._layers)  # 15 MB each of a ViT-B/16
        self._matches = lru_cache(maxsize=64)(self._matches)
        grid = self.subject.model.patch_embed.grid_size
        self.grid = grid[0], grid[1]
        middle = self.grid[0] // 2 * self.grid[1] + self.grid[1] // 2
        image = first_image(self.pixels) if image is None else image
        values = {"image": image, "views": views, "layer": last_layer(self.subject)}
        super().__init__(values, "a", middle)
        self.values = self.checked(values)

    def scene(self) -> Scene:
        """Both views and the source; heat: cosine of the clicked patch to all of both views."""
        here, patch = self.selected
        there = "b" if here == "a" else "a"
        found = self.matches(here)
        centres = patch_centres(self.grid)
        order = found.cosine[patch].argsort(descending=True)[:TOP].tolist()
        query, true = centres[patch].tolist(), found.true[patch].tolist()
        inside = bool(found.inside[patch])
        best = centres[order[0]].tolist()
        marks = [Mark(*best, "match")]
        marks += [Mark(*true, "true")] * inside
        marks += [Mark(*centres[p].tolist(), "next", str(i)) for i, p in enumerate(order[1:], 2)]
        own = self._own(here)[patch]
        shown = {
            here: (own, [Mark(*query, "query")], []),
            there: (found.cosine[patch], marks, [(*best, *true)] * inside),
        }
        return Scene(
            panels=[self._source(query), *(self._panel(side, *shown[side]) for side in "ab")],
            columns=3,
            text=self._text(found, patch, inside, there),
            controls=self.controls(),
            scales={"cosine": Scale("cosine", 0.0, 1.0)},
            legend=LEGEND,
            jumps=self._jumps(here, found),
            jumps_title=f"Worst matches of view {here}",
        )

    def images(self) -> dict[str, UInt8[Tensor, "3 H W"]]:
        """The source and the two views."""
        number, draw = self.values["image"], self.values["views"]
        source, views = self.pixels[number : number + 1], self._views(number, draw)
        found = {
            f"{side}-{number}-{draw}": to_bytes(finest(source, view))
            for side, view in zip("ab", views, strict=True)
        }
        return {f"source-{number}": self.pixels[number]} | found

    def matches(self, view: str) -> Matches:
        """All matches of a view, "a" or "b", in the other, as the controls stand."""
        return self._matches(*self._key(), view)

    def _key(self) -> tuple[int, int, int]:
        return self.values["image"], self.values["views"], self.values["layer"]

    def _views(self, image: int, draw: int) -> tuple[View, View]:
        size = probe.inputs(self.subject.model).size
        rng = Generator().manual_seed(draw)
        return next(pairs(self.pixels[image : image + 1], size, rng))

    def _layers(self, image: int, draw: int) -> list[Float[Tensor, "2 N D"]]:
        """Unit patch features of both views after each block: one pass through the model."""
        model = self.subject.model
        both = torch.cat([view.image for view in self._views(image, draw)])
        found = probe.by_layer(model, both, *probe.inputs(model), "patches")
        return [F.normalize(layer.cpu(), dim=-1) for layer in found]

    def _matches(self, image: int, draw: int, layer: int, view: str) -> Matches:
        views, sides = self._views(image, draw), (0, 1) if view == "a" else (1, 0)
        features = self._layers(image, draw)[layer - 1]
        cosine = features[sides[0]] @ features[sides[1]].T
        match = correspondence(views[sides[0]], views[sides[1]], self.grid)
        size = torch.tensor(views[sides[1]].image.shape[2:])
        centres = patch_centres(self.grid)
        true, inside = match.points[0], match.inside[0]
        error = ((centres[cosine.argmax(dim=1)] - true) * size).norm(dim=1)
        ceiling = ((centres[None] - true[:, None]) * size).norm(dim=2).amin(dim=1)
        return Matches(cosine, true, inside, error, ceiling)

    def _own(self, view: str) -> Float[Tensor, "N N"]:
        features = self._layers(*self._key()[:2])[self.values["layer"] - 1]["ab".index(view)]
        return features @ features.T

    def _panel(
        self, side: str, cosine: Float[Tensor, " N"], marks: list[Mark], arrows: list
    ) -> Panel:
        number, draw, _ = self._key()
        heat = Heat(cosine.tolist(), self.grid, "cosine")
        name = f"{side}-{number}-{draw}"
        return Panel(side, f"view {side}", name, self.grid, heat, marks, arrows=arrows)

    def _source(self, query: list[float]) -> Panel:
        number, draw, _ = self._key()
        boxes = [
            Box(*view.box[0].tolist(), side, COLOURS[side])
            for side, view in zip("ab", self._views(number, draw), strict=True)
        ]
        return Panel("source", "source, with both views", f"source-{number}", boxes=boxes)

    def _text(self, found: Matches, patch: int, inside: bool, there: str) -> str:
        row, column = divmod(patch, self.grid[1])
        what = f"{self.subject.name}, patch in row {row + 1}, column {column + 1}"
        if not inside:
            return f"{what}: view {there} does not show this place; its most alike patch is marked."
        right = found.inside.nonzero()[:, 0]
        mean = found.error[right].mean()
        return (
            f"{what}: found {found.error[patch]:.1f} pixels from its true place in view {there} "
            f"(nearest patch centre: {found.ceiling[patch]:.1f}). All {len(right)} patches that "
            f"both views show: {mean:.1f} on average, at best {found.ceiling[right].mean():.1f}."
        )

    def controls(self) -> list[Control]:
        """Image, pair and layer: known before any pass through the model."""
        last = last_layer(self.subject)
        return [
            Control("image", "image", self.values["image"], 0, len(self.pixels) - 1),
            Control("views", "pair of views", self.values["views"], 0, DRAWS - 1),
            Control("layer", "layer", self.values["layer"], 1, last),
        ]

    def _jumps(self, view: str, found: Matches) -> list[Jump]:
        error = found.error.where(found.inside, torch.tensor(-1.0))
        worst = error.argsort(descending=True)[: min(WORST, int(found.inside.sum()))].tolist()
        rows = [(patch, *divmod(patch, self.grid[1])) for patch in worst]
        return [
            Jump(f"row {r + 1}, column {c + 1}: {error[patch]:.1f} px", view, patch)
            for patch, r, c in rows
        ]
