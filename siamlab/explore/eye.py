"""Predictor's eye: the features that a dense predictor expects in a box, and those of the target.

EyeExplorer("runs/mine")        # the folder of a run, whose checkpoints hold the predictor
EyeExplorer("zoo:siameseim")
"""

import math
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from siamlab import zoo
from siamlab.component import UserError
from siamlab.crop import cut, finest
from siamlab.data import Images
from siamlab.evaluate.images import first_image, pixels_to_show
from siamlab.explore.answers import Change
from siamlab.explore.explorer import Explorer
from siamlab.explore.held import BASE64, BUDGET, Held, limited, packed, window
from siamlab.explore.kept import kept
from siamlab.explore.scene import COSINE, Box, Control, Heat, Mark, Panel, Scene, decimal
from siamlab.figure import components_table
from siamlab.figure.image import to_bytes
from siamlab.geometry import Grid, View, patch_centres
from siamlab.machine.arguments import typed
from siamlab.machine.device import device_named
from siamlab.masking import Mask
from siamlab.run import Run
from siamlab.train import load_branches

LEAST = 0.15  # smallest side of a query box, a fraction of the image
STEPS = 5  # boxes along each side of the image in an exported page
FLIPS = ("not mirrored", "mirrored")
MATCHED = (
    "The prediction for {query} is most similar to the target patch in {best} (cosine {found}; "
    "{own} at its own place). {right} of {count} predictions are most similar to the target patch "
    "at their own place; 1 is expected at random."
)
LEGEND = (
    ("query", "selected patch"),
    ("match", "target patch most similar to the prediction"),
)


def inside(top: float, left: float, height: float, width: float) -> tuple[float, ...]:
    """Return the box with its sides clamped to LEAST..1 and moved inside the image."""
    height, width = (min(1.0, max(LEAST, side)) for side in (height, width))
    top, left = min(1 - height, max(0.0, top)), min(1 - width, max(0.0, left))
    return tuple(round(side, 4) for side in (top, left, height, width))


class Expected(NamedTuple):
    """Features of each patch of the query view: predicted, and from the target branch."""

    prediction: Float[Tensor, "N D"]
    target: Float[Tensor, "N D"]


def asked_anywhere(run: Run) -> int | None:
    """Return the first head that predicts features of any patch of any view; None without one."""
    heads = [part.head for part in run.prediction.parts] if run.target.goals == "features" else []
    fits = (i for i, head in enumerate(heads) if head.per == "patch" and not head.in_context)
    return next(fits, None)


class EyeExplorer(Explorer):
    """Prediction from the whole image for the query view: a box that is moved and mirrored."""

    title = "predictor's eye"

    @typed
    def __init__(
        self,
        folder: str | Path = "zoo:siameseim",
        images: Images | UInt8[Tensor, "n 3 H W"] | None = None,
        image: int | None = None,
        device: str | torch.device = "auto",
    ):
        if str(folder).startswith("timm:"):
            raise UserError(
                f"{folder} is an encoder only; the predictor's eye also needs a predictor: name "
                "the folder of a run with a dense prediction of features, such as siameseim's"
            )
        zoo_name = str(folder).removeprefix(zoo.PREFIX)
        place = zoo.branches(zoo_name) if zoo_name != str(folder) else folder
        run, model, teacher = load_branches(place)
        self.run: Run = run
        self.device: torch.device = device_named(device)
        self.model: nn.Module = model.to(self.device)
        self.teacher: nn.Module = teacher.to(self.device)
        self.head: int | None = asked_anywhere(run)
        if self.head is None:
            raise UserError(
                f"{folder} has prediction={self.run.prediction.kind} and "
                f"target={self.run.target.kind}; the predictor's eye needs a dense prediction of "
                "features: name the folder of such a run, for example of siameseim. Predicted "
                "pixels are shown by ReconstructionExplorer"
            )
        self.pixels: UInt8[Tensor, "n 3 H W"] = pixels_to_show(images, run)
        self.grid: Grid = run.grid
        self._expected = kept(self._expected, 64)  # per object
        self._cut = kept(self._cut, 64)
        image = first_image(self.pixels) if image is None else image
        values = {"image": image, "flip": FLIPS[0], "box": (0.2, 0.2, 0.6, 0.6)}
        super().__init__(values, "query", self.grid[0] // 2 * self.grid[1] + self.grid[1] // 2)
        self.values: dict[str, Any] = values | self.checked({"image": image})

    def scene(self) -> Scene:
        """The image with the box, the query view, and prediction and target in shared colours."""
        centres, patch = patch_centres(self.grid), self.selected[1]
        own, wanted = (F.normalize(x, dim=1) for x in self.expected())
        cosine = own @ wanted.T  # [N, N]: each prediction with every patch of the target
        best = int(cosine[patch].argmax())
        query = Mark(*centres[patch].tolist(), "query")
        marks = [query, Mark(*centres[best].tolist(), "match")]
        where = self._name()
        box = Box(*self.values["box"], "query view", "#0072B2", movable=True)
        view = dict(image=f"view {where}", grid=self.grid)
        return Scene(
            panels=[
                Panel("context", "context: the whole image", f"image {where[0]}", boxes=[box]),
                Panel("query", "query view: prediction against target", marks=[query], **view,
                      heat=Heat(cosine.diagonal().tolist(), self.grid, "cosine")),
                Panel("match", "selected prediction against all patches", marks=marks, **view,
                      heat=Heat(cosine[patch].tolist(), self.grid, "cosine")),
                Panel("expected", "predicted, less the mean", f"expected {where}", self.grid,
                      marks=[query]),
                Panel("target", "target, less the mean", f"target {where}", self.grid,
                      marks=[query]),
            ],
            columns=3,
            text=self._text(cosine, patch, best),
            controls=self.controls(),
            scales={"cosine": COSINE},
            legend=LEGEND,
        )  # fmt: skip

    def controls(self) -> list[Control]:
        """Image and mirroring, known without a pass through the model."""
        return [
            Control("image", "image", self.values["image"], 0, len(self.pixels) - 1),
            Control("flip", "query view", self.values["flip"], options=FLIPS),
        ]

    def images(self) -> dict[str, UInt8[Tensor, "3 H W"]]:
        """The image, the query view, and the two sets of features in colour.

        Each set is centred first: with its mean, two sets of unrelated hues may be alike in all
        that differs within them.
        """
        where = self._name()
        features = F.normalize(torch.stack(self.expected()), dim=-1)  # [2, N, D]
        table = components_table(features - features.mean(dim=1, keepdim=True), self.grid)
        colours = torch.tensor(table.select("red", "green", "blue").rows()).view(2, *self.grid, 3)
        painted = (colours.permute(0, 3, 1, 2) * 255).round().to(torch.uint8)
        source = self.pixels[self.values["image"]]
        return {
            f"image {where[0]}": source,
            f"view {where}": to_bytes(finest(source[None], self._views()[1])),
            f"expected {where}": painted[0],
            f"target {where}": painted[1],
        }

    def held(self) -> Held:
        """Every patch, for boxes of the present size on a grid, images and mirrorings that fit."""
        image, flip = self.controls()
        now = self.values["box"]
        boxes = list(dict.fromkeys([now, *self.exported_boxes()]))
        patches, uris = len(self.expected().target), self.data_uris()
        features = sum(len(u) for key, u in uris.items() if key.startswith(("expected", "target")))
        place_bytes = features + BASE64 * patches**2 + 30 * patches
        image_bytes = max(len(u) for key, u in uris.items() if key.startswith("image"))
        both = 2 * len(boxes) * place_bytes + image_bytes  # of one image
        flips = list(FLIPS) if both <= BUDGET else [flip.value]
        images = window(image, max(1, int(BUDGET / both)))
        shown: dict[str, str] = {}
        places = {}
        for number, mirror, (i, box) in product(images, flips, enumerate(boxes)):
            with self.preview(Change({"image": number, "flip": mirror, "box": box})):
                places[f"{number} {mirror} {i}"] = self._held_place()
                shown |= self.data_uris(shown, ("image", "expected", "target"))  # it cuts views
        data = {"grid": self.grid, "boxes": boxes, "places": places, "text": MATCHED}
        controls = limited([image, flip], {"image": images, "flip": flips})
        return Held("eyeScene", data, shown, controls)

    def _held_place(self) -> dict[str, Any]:
        own, wanted = (F.normalize(x, dim=1) for x in self.expected())
        cosine = own @ wanted.T
        best = cosine.argmax(dim=1)
        shown = [decimal(value, ".2f") for value in cosine.amax(dim=1).tolist()]
        return {
            "name": str(self._name()),
            "cosine": packed(cosine),
            "best": best.tolist(),
            "found": shown,
            "own": [decimal(value, ".2f") for value in cosine.diagonal().tolist()],
            "right": int((best == torch.arange(len(best))).sum()),
        }

    def expected(self) -> Expected:
        """Return prediction and target for the present box."""
        return self._expected(*self._name())

    def move(self, top: float, left: float, height: float, width: float) -> "EyeExplorer":
        """Move the query box, kept inside the image and at least LEAST high and wide."""
        try:
            box = [float(side) for side in (top, left, height, width)]
        except (TypeError, ValueError):
            box = [math.nan]
        if not all(map(math.isfinite, box)):
            raise UserError(
                f"the box {top!r}, {left!r}, {height!r}, {width!r} must be four numbers: top, "
                "left, height and width, in fractions of the image"
            )
        return self.apply(Change({"box": inside(*box)}))

    def exported_boxes(self) -> list[tuple[float, ...]]:
        """Boxes of the present size on a regular grid over the image."""
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
        context, target = (View(*(part.to(self.device) for part in v)) for v in self._views())
        # nothing is masked: the encoder sees the whole context and predicts the whole query view
        places = self.run.positions(context, target, self.grid)
        every = torch.ones(1, self.grid[0] * self.grid[1], dtype=torch.bool, device=self.device)
        prediction = self.model(context.image, places, Mask(every, every))[self.head][0]
        goal = self.teacher(target, places.own, every)[self.head][0]
        return Expected(prediction.cpu(), goal.cpu())

    def _text(self, cosine: Float[Tensor, "N N"], patch: int, best: int) -> str:
        right = int((cosine.argmax(dim=1) == torch.arange(len(cosine))).sum())
        rows = [
            f"row {p // self.grid[1] + 1}, column {p % self.grid[1] + 1}" for p in (patch, best)
        ]
        found, own = (decimal(float(cosine[patch, p]), ".2f") for p in (best, patch))
        return MATCHED.format(
            query=rows[0], best=rows[1], found=found, own=own, right=right, count=len(cosine)
        )
