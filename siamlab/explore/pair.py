"""Pair explorer: the match that a model finds in one view for a patch clicked in the other.

PairExplorer("zoo:siameseim")       PairExplorer("runs/mine", images, image=3)
"""

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Generator, Tensor, nn

from siamlab import probe
from siamlab.component import UserError, unknown
from siamlab.crop import finest
from siamlab.data import Images
from siamlab.evaluate.course import at_step, kept_steps
from siamlab.evaluate.images import first_image, pixels_to_show
from siamlab.evaluate.models import ModelLike, NamedModel, last_layer, open_model
from siamlab.explore.answers import Change
from siamlab.explore.explorer import Explorer
from siamlab.explore.held import Held, limited, packed, place_key, ranges, triangle
from siamlab.explore.kept import kept
from siamlab.explore.pair_matches import (
    APART,
    HIDDEN,
    MATCHED,
    PairMatches,
    cosines,
    held_places,
    match_text,
    pair_bytes,
    pair_matches,
    shared_means,
    shown,
    shown_distances,
    worst_matches,
)
from siamlab.explore.scene import COSINE, Box, Control, Heat, Mark, Panel, Scene, rounded
from siamlab.explore.trained import STEP, last_step, step_control
from siamlab.figure.image import to_bytes
from siamlab.geometry import Grid, View, patch_centres
from siamlab.machine.arguments import typed
from siamlab.machine.device import on_device
from siamlab.probe.pairs import crop_pairs

DRAWS = 20  # pairs of views to choose from
TOP = 5  # most similar patches that are marked
COLOURS = {"a": "#0072B2", "b": "#D55E00"}
LEGEND = (
    ("query", "selected patch"),
    ("true", "its true place"),
    ("match", "most similar patch"),
    ("next", "2nd to 5th most similar"),
)
QUERY = "{name}, patch in row {row}, column {column}"
JUMPS = "Worst matches of view {here}"


class PairExplorer(Explorer):
    """Two views of one image, drawn as in the correspondence probe; both can be clicked."""

    title = "pair explorer"

    @typed
    def __init__(
        self,
        model: ModelLike = "zoo:siameseim",
        images: Images | UInt8[Tensor, "n 3 H W"] | None = None,
        image: int | None = None,
        views: int = 1,
        device: str | torch.device = "auto",
    ):
        named = open_model(model)
        self.named: NamedModel = named._replace(model=on_device(named.model, device))
        self.pixels: UInt8[Tensor, "n 3 H W"] = pixels_to_show(images, self.named.run)
        self.steps: list[int] = kept_steps(self.named)
        self._model = kept(self._model, 2)  # per object
        self._views = kept(self._views, 32)
        self._layers = kept(self._layers, 4)  # 15 MB each for a ViT-B/16
        self._matches = kept(self._matches, 64)
        grid = self.named.model.patch_embed.grid_size
        self.grid: Grid = grid[0], grid[1]
        middle = self.grid[0] // 2 * self.grid[1] + self.grid[1] // 2
        image = first_image(self.pixels) if image is None else image
        values = {"image": image, "views": views, "layer": last_layer(self.named)}
        values |= last_step(self.steps)
        super().__init__(values, "a", middle)
        self._begin(Change(self.checked(values)))

    def scene(self) -> Scene:
        """Source and both views, with the cosine of the selected patch to all their patches."""
        here, patch = self.selected
        there = "b" if here == "a" else "a"
        matches = self.matches(here)
        centres = patch_centres(self.grid)
        order = matches.cosine[patch].argsort(descending=True)[:TOP].tolist()
        query, true = centres[patch].tolist(), matches.true[patch].tolist()
        inside = bool(matches.inside[patch])
        best = centres[order[0]].tolist()
        marks = [Mark(*best, "match")]
        marks += [Mark(*true, "true")] * inside
        marks += [Mark(*centres[p].tolist(), "next", str(i)) for i, p in enumerate(order[1:], 2)]
        own = self._own(here)[patch]
        shown = {
            here: (own, [Mark(*query, "query")], []),
            there: (matches.cosine[patch], marks, [(*best, *true)] * inside),
        }
        return Scene(
            panels=[self._source(query), *(self._panel(side, *shown[side]) for side in "ab")],
            columns=3,
            text=self._text(matches, patch, there),
            controls=self.controls(),
            scales={"cosine": COSINE},
            legend=LEGEND,
            jumps=worst_matches(here, matches, self.grid),
            jumps_title=JUMPS.format(here=here),
        )

    def images(self) -> dict[str, UInt8[Tensor, "3 H W"]]:
        """The source and the two views."""
        number, draw = self.values["image"], self.values["views"]
        source, views = self.pixels[number : number + 1], self._views(number, draw)
        cuts = {
            f"{side}-{number}-{draw}": to_bytes(finest(source, view))
            for side, view in zip("ab", views, strict=True)
        }
        return {f"source-{number}": self.pixels[number]} | cuts

    def matches(self, view: str) -> PairMatches:
        """Return the matches of view "a" or "b" in the other view, for the present controls.

        Raises UserError for another view.
        """
        if view not in ("a", "b"):
            raise UserError(unknown("view", view, ("a", "b")))
        return self._matches(*self._key(), view)

    def _key(self) -> tuple[int, int, str, int]:
        image, draw, layer = (self.values[name] for name in ("image", "views", "layer"))
        return image, draw, self.values.get(STEP, ""), layer

    def _model(self, step: str) -> nn.Module:
        """The encoder after a step; "" is the finished one."""
        return at_step(self.named, int(step)) if step else self.named.model

    def _views(self, image: int, draw: int) -> tuple[View, View]:
        size = probe.inputs(self.named.model).size
        rng = Generator().manual_seed(draw)
        return next(crop_pairs(self.pixels[image : image + 1], size, rng))

    def _layers(self, image: int, draw: int, step: str) -> list[Float[Tensor, "2 N D"]]:
        """Unit patch features of both views after each block, on the model's device."""
        model = self._model(step)
        both = torch.cat([view.image for view in self._views(image, draw)])
        return [F.normalize(layer, dim=-1) for layer in probe.by_layer(model, both, "patches")]

    def _matches(self, image: int, draw: int, step: str, layer: int, view: str) -> PairMatches:
        views, sides = self._views(image, draw), (0, 1) if view == "a" else (1, 0)
        features = self._layers(image, draw, step)[layer - 1]
        cosine = cosines(features[sides[0]], features[sides[1]])
        return pair_matches(cosine, views[sides[0]], views[sides[1]], self.grid)

    def _own(self, view: str) -> Float[Tensor, "N N"]:
        features = self._layers(*self._key()[:3])[self.values["layer"] - 1]["ab".index(view)]
        return cosines(features, features)

    def _panel(
        self, side: str, cosine: Float[Tensor, " N"], marks: list[Mark], arrows: list
    ) -> Panel:
        number, draw, *_ = self._key()
        heat = Heat(cosine.tolist(), self.grid, "cosine")
        name = f"{side}-{number}-{draw}"
        return Panel(side, f"View {side}", name, self.grid, heat, marks, arrows=arrows)

    def _source(self, query: list[float]) -> Panel:
        number, draw, *_ = self._key()
        boxes = [
            Box(*view.box[0].tolist(), side, COLOURS[side])
            for side, view in zip("ab", self._views(number, draw), strict=True)
        ]
        return Panel("source", "Source, with both views", f"source-{number}", boxes=boxes)

    def _text(self, matches: PairMatches, patch: int, there: str) -> str:
        row, column = divmod(patch, self.grid[1])
        query = QUERY.format(name=self.named.name, row=row + 1, column=column + 1)
        return match_text(query, matches, patch, there)

    def held(self) -> Held:
        """The cosines of all patches, for the ranges of the controls that fit a page."""
        patches = self.grid[0] * self.grid[1]
        images = sum(map(len, self.data_uris().values()))
        held = ranges(self.controls(), pair_bytes(patches), images)
        shown, places = {}, {}
        for image, draw, step in product(held.image, held.views, held.training_step):
            place = image, draw, step
            places[place_key(*place)] = self.held_pair(place, held.layer)
            shown |= self.at(Change({"image": image, "views": draw})).data_uris(shown)
        data = {"grid": self.grid, "pairs": places, "text": self.held_text()}
        return Held("pairScene", data, shown, limited(self.controls(), held._asdict()))

    def held_text(self) -> dict[str, str]:
        """The sentences of this model, with names for what a page fills in."""
        query = QUERY.format(name=self.named.name, row="{row}", column="{column}")
        return {
            "query": query, "hidden": HIDDEN, "matched": MATCHED, "jumps": JUMPS, "apart": APART,
        }  # fmt: skip

    def held_pair(self, place: tuple[int, int, str], layers: Sequence[int]) -> dict[str, Any]:
        """One pair of views (image, views, step): its places, and the cosines of each layer."""
        found = {n: {s: self._matches(*place, n, s) for s in "ab"} for n in layers}
        source = self.at(Change({"image": place[0], "views": place[1]}))._source([])
        boxes = rounded([box._asdict() for box in source.boxes])
        places = {side: held_places(matches) for side, matches in found[layers[0]].items()}
        return {"boxes": boxes, **places, "layers": {
            layer: {"across": packed(sides["a"].cosine)} | {
                side: self._held_side(self._layers(*place)[layer - 1], side, matches)
                for side, matches in sides.items()
            }
            for layer, sides in found.items()
        }}  # fmt: skip

    def _held_side(
        self, both: Float[Tensor, "2 N D"], side: str, matches: PairMatches
    ) -> dict[str, Any]:
        features = both["ab".index(side)]
        order = matches.cosine.argsort(dim=1, descending=True)[:, :TOP]
        worst = [[jump.text, jump.patch] for jump in worst_matches(side, matches, self.grid)]
        return {
            "own": packed(triangle(cosines(features, features))),
            "top": order.tolist(),
            "error": shown_distances(matches.error, matches.error_patches),
            "mean": shown(shared_means(matches).error),
            "worst": worst,
        }

    def controls(self) -> list[Control]:
        """Image, pair of views, layer and training step, known without a pass of the model."""
        last = last_layer(self.named)
        return [
            Control("image", "image", self.values["image"], 0, len(self.pixels) - 1),
            Control("views", "pair of views", self.values["views"], 0, DRAWS - 1),
            Control("layer", "layer", self.values["layer"], 1, last),
            *step_control(self.steps, self.values.get(STEP, "")),
        ]
