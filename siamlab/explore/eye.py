"""Predictor's eye: what a dense predictor expects at any place of an image, beside what is there.

EyeExplorer("runs/mine")        # a run's folder: the predictor is in its checkpoints
EyeExplorer("zoo:siameseim")
"""

import math
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from siamlab import zoo
from siamlab.component import UserError
from siamlab.data import Images
from siamlab.explore.explorer import Explorer
from siamlab.explore.scene import Box, Control, Heat, Mark, Panel, Scale, Scene
from siamlab.figure import components_table
from siamlab.figure.image import to_bytes
from siamlab.geometry import View, patch_centres
from siamlab.given import chosen_images, first_image
from siamlab.masking import Mask
from siamlab.resample import cut, finest
from siamlab.train import load_branches

LEAST = 0.15  # of the image: the smallest side of a query box
STEPS = 5  # of a page's boxes along each side
FLIPS = ("as it is", "mirrored")
LEGEND = (
    ("query", "patch that is asked for"),
    ("match", "patch of the target most like the expectation"),
)


def inside(top: float, left: float, height: float, width: float) -> tuple[float, ...]:
    """The box with sides of LEAST to 1, moved into the image."""
    height, width = (min(1.0, max(LEAST, side)) for side in (height, width))
    top, left = min(1 - height, max(0.0, top)), min(1 - width, max(0.0, left))
    return tuple(round(side, 4) for side in (top, left, height, width))


class Expected(NamedTuple):
    """Of each patch of the query view: what was predicted, and what the target branch saw."""

    prediction: Float[Tensor, "N D"]
    target: Float[Tensor, "N D"]


class EyeExplorer(Explorer):
    """The whole image is the context; the box is the query view, moved, resized and mirrored."""

    title = "predictor's eye"

    def __init__(
        self,
        folder: str | Path = "zoo:siameseim",
        images: Images | UInt8[Tensor, "n 3 H W"] | None = None,
        image: int | None = None,
    ):
        if str(folder).startswith("timm:"):
            raise UserError(
                f"{folder} is an encoder alone; the predictor's eye needs the predictor too, which "
                "is in the folder of a run with a dense prediction of features, such as siameseim's"
            )
        zoo_name = str(folder).removeprefix("zoo:")
        place = zoo.branches(zoo_name) if zoo_name != str(folder) else folder
        self.run, self.model, self.teacher = load_branches(place)
        if self.run.prediction.kind != "dense" or self.run.target.kind == "pixels":
            raise UserError(
                f"{folder} predicts {self.run.prediction.kind} from {self.run.target.kind}; the "
                "predictor's eye needs a dense prediction of features, as siameseim makes"
            )
        self.pixels = chosen_images(images, self.run)
        self.grid = self.run.grid
        self._expected = lru_cache(maxsize=64)(self._expected)  # of this object alone
        self._cut = lru_cache(maxsize=64)(self._cut)
        image = first_image(self.pixels) if image is None else image
        values = {"image": image, "flip": FLIPS[0], "box": (0.2, 0.2, 0.6, 0.6)}
        super().__init__(values, "query", self.grid[0] // 2 * self.grid[1] + self.grid[1] // 2)
        self.values = values | self.checked({"image": image})

    def scene(self) -> Scene:
        """The image with the box; the query view; expectation and target in common colours."""
        found, centres, patch = self.expected(), patch_centres(self.grid), self.selected[1]
        own, wanted = (F.normalize(x, dim=1) for x in found)
        cosine = own @ wanted.T  # [N, N]: expectation against every patch of the target
        best = int(cosine[patch].argmax())
        query = Mark(*centres[patch].tolist(), "query")
        marks = [query, Mark(*centres[best].tolist(), "match")]
        where = self._name()
        box = Box(*self.values["box"], "query view", "#0072B2", movable=True)
        view = dict(image=f"view {where}", grid=self.grid)
        return Scene(
            panels=[
                Panel("context", "context: the whole image", f"image {where[0]}", boxes=[box]),
                Panel("query", "query view: agreement", marks=[query], **view,
                      heat=Heat(cosine.diagonal().tolist(), self.grid, "cosine")),
                Panel("match", "the expectation against all its patches", marks=marks, **view,
                      heat=Heat(cosine[patch].tolist(), self.grid, "cosine")),
                Panel("expected", "expected", f"expected {where}", self.grid, marks=[query]),
                Panel("target", "target", f"target {where}", self.grid, marks=[query]),
            ],
            columns=3,
            text=self._text(cosine, patch, best),
            controls=self.controls(),
            scales={"cosine": Scale("cosine", 0.0, 1.0)},
            legend=LEGEND,
        )  # fmt: skip

    def controls(self) -> list[Control]:
        """Image and mirroring: known before any pass through the model."""
        return [
            Control("image", "image", self.values["image"], 0, len(self.pixels) - 1),
            Control("flip", "query view", self.values["flip"], options=FLIPS),
        ]

    def images(self) -> dict[str, UInt8[Tensor, "3 H W"]]:
        """The image, the query view, and both sets of features as colours."""
        where, found = self._name(), self.expected()
        table = components_table(F.normalize(torch.stack(found), dim=-1), self.grid)
        colours = torch.tensor(table.select("red", "green", "blue").rows()).view(2, *self.grid, 3)
        painted = (colours.permute(0, 3, 1, 2) * 255).round().to(torch.uint8)
        source = self.pixels[self.values["image"]]
        return {
            f"image {where[0]}": source,
            f"view {where}": to_bytes(finest(source[None], self._views()[1])),
            f"expected {where}": painted[0],
            f"target {where}": painted[1],
        }

    def expected(self) -> Expected:
        """Prediction and target as the box stands now."""
        return self._expected(*self._name())

    def move(self, top: float, left: float, height: float, width: float) -> "EyeExplorer":
        """Put the query box there; cut to the image and to LEAST of its sides."""
        try:
            box = [float(side) for side in (top, left, height, width)]
        except (TypeError, ValueError):
            box = [math.nan]
        if not all(map(math.isfinite, box)):
            raise UserError(
                f"the box {top!r}, {left!r}, {height!r}, {width!r} must be four numbers: top, "
                "left, height and width, in fractions of the image"
            )
        return self.turn({"box": inside(*box)})

    def places(self) -> list[tuple[float, ...]]:
        """Boxes of this size all over the image, for a page."""
        _, _, height, width = self.values["box"]
        tops, lefts = ([i / (STEPS - 1) * (1 - side) for i in range(STEPS)]
                       for side in (height, width))  # fmt: skip
        return [inside(top, left, height, width) for top in tops for left in lefts]

    def _name(self) -> tuple[int, str, tuple[float, ...]]:
        return self.values["image"], self.values["flip"], self.values["box"]

    def _views(self) -> tuple[View, View]:
        image, flip, box = self._name()
        return self._cut(image, FLIPS[0], (0.0, 0.0, 1.0, 1.0)), self._cut(image, flip, box)

    def _cut(self, image: int, flip: str, box: tuple[float, ...]) -> View:
        place, mirror = torch.tensor([box]), torch.tensor([flip == FLIPS[1]])
        return cut(self.pixels[image : image + 1], place, mirror, self.run.size)

    @torch.no_grad()
    def _expected(self, image: int, flip: str, box: tuple[float, ...]) -> Expected:
        context, target = self._views()
        # the encoder sees all of the context, and all of the query view is asked for
        places = self.run.positions(context, target, self.grid)
        every = torch.ones(1, self.grid[0] * self.grid[1], dtype=torch.bool)
        prediction = self.model(context.image, places, Mask(every, every))[0][0]
        return Expected(prediction, self.teacher(target, places.own, every)[0][0])

    def _text(self, cosine: Float[Tensor, "N N"], patch: int, best: int) -> str:
        right = int((cosine.argmax(dim=1) == torch.arange(len(cosine))).sum())
        rows = [
            f"row {p // self.grid[1] + 1}, column {p % self.grid[1] + 1}" for p in (patch, best)
        ]
        return (
            f"What is expected in {rows[0]} is most like the target's {rows[1]} (cosine "
            f"{cosine[patch, best]:.2f}; in its own place {cosine[patch, patch]:.2f}). "
            f"{right} of {len(cosine)} expectations are most like their own place; 1 by chance."
        )
