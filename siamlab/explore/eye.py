"""Predictor's eye: the features that a dense predictor expects in a box, and those of the target.

EyeExplorer("runs/mine")        # the folder of a run, whose checkpoints hold the predictor
EyeExplorer("zoo:siameseim")
"""

from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.crop import cut, finest
from siamlab.data import Images
from siamlab.evaluate.images import first_image, pixels_to_show
from siamlab.explore.answers import Change
from siamlab.explore.boxes import box_from, spread
from siamlab.explore.branches import Branches
from siamlab.explore.explorer import Explorer
from siamlab.explore.held import BASE64, BUDGET, Held, limited, packed, window
from siamlab.explore.kept import kept
from siamlab.explore.scene import COSINE, Box, Control, Heat, Mark, Panel, Scene, decimal
from siamlab.explore.trained import STEP, last_step, step_control
from siamlab.figure import components_table
from siamlab.figure.image import to_bytes
from siamlab.geometry import Grid, View, patch_centres
from siamlab.machine.arguments import typed
from siamlab.mask import Mask
from siamlab.run import Run

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
        self.branches: Branches = Branches(folder, device)
        self.run: Run = self.branches.run
        self.head: int | None = asked_anywhere(self.run)
        if self.head is None:
            raise UserError(
                f"{folder} has prediction={self.run.prediction.kind} and "
                f"target={self.run.target.kind}; the predictor's eye needs a dense prediction of "
                "features: name the folder of such a run, for example of siameseim. Predicted "
                "pixels are shown by ReconstructionExplorer"
            )
        self.pixels: UInt8[Tensor, "n 3 H W"] = pixels_to_show(images, self.run)
        self.grid: Grid = self.run.grid
        self._expected = kept(self._expected, 64)  # per object
        self._cut = kept(self._cut, 64)
        image = first_image(self.pixels) if image is None else image
        values = {"image": image, "flip": FLIPS[0], "box": (0.2, 0.2, 0.6, 0.6)}
        values |= last_step(self.branches.steps)
        super().__init__(values, "query", self.grid[0] // 2 * self.grid[1] + self.grid[1] // 2)
        self._begin(Change(self.checked({"image": image})))

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
                Panel("context", "Context: the whole image", f"image {where[0]}", boxes=[box]),
                Panel("query", "Query view: prediction against target", marks=[query], **view,
                      heat=Heat(cosine.diagonal().tolist(), self.grid, "cosine")),
                Panel("match", "Selected prediction against all patches", marks=marks, **view,
                      heat=Heat(cosine[patch].tolist(), self.grid, "cosine")),
                Panel("expected", "Predicted, less the mean", f"expected {where}", self.grid,
                      marks=[query]),
                Panel("target", "Target, less the mean", f"target {where}", self.grid,
                      marks=[query]),
            ],
            columns=3,
            text=self._text(cosine, patch, best),
            controls=self.controls(),
            scales={"cosine": COSINE},
            legend=LEGEND,
        )  # fmt: skip

    def controls(self) -> list[Control]:
        """Image, mirroring and training step, known without a pass through the model."""
        return [
            Control("image", "image", self.values["image"], 0, len(self.pixels) - 1),
            Control("flip", "query view", self.values["flip"], options=FLIPS),
            *step_control(self.branches.steps, self.values.get(STEP, "")),
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
            f"view {where}": to_bytes(finest(source[None], self._views(*where[:3])[1])),
            f"expected {where}": painted[0],
            f"target {where}": painted[1],
        }

    def held(self) -> Held:
        """Every patch, for boxes of the present size on a grid, and what else fits.

        Mirroring first, then training steps, all or the present one, then images.
        """
        image, flip, *_ = controls = self.controls()
        now = self.values["box"]
        boxes = list(dict.fromkeys([now, *self.exported_boxes()]))
        patches, uris = len(self.expected().target), self.data_uris()
        features = sum(len(u) for key, u in uris.items() if key.startswith(("expected", "target")))
        place_bytes = features + BASE64 * patches**2 + 30 * patches
        image_bytes = max(len(u) for key, u in uris.items() if key.startswith("image"))
        both = 2 * len(boxes) * place_bytes + image_bytes  # of one image
        flips = list(FLIPS) if both <= BUDGET else [flip.value]
        every = [str(step) for step in self.branches.steps]
        steps = every if len(every) * both <= BUDGET else [self.values[STEP]]
        images = window(image, max(1, int(BUDGET / (max(1, len(steps)) * both))))
        shown: dict[str, str] = {}
        places = {}
        for number, mirror, step in product(images, flips, steps or [""]):
            for i, box in enumerate(boxes):
                values = {"image": number, "flip": mirror, "box": box}
                there = self.at(Change(values | ({STEP: step} if step else {})))
                places[f"{number} {mirror} {i} {step}".rstrip()] = there._held_place()
                shown |= there.data_uris(shown, ("image", "expected", "target"))  # it cuts views
        data = {"grid": self.grid, "boxes": boxes, "places": places, "text": MATCHED}
        controls = limited(controls, {"image": images, "flip": flips, STEP: steps})
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
        return self.apply(Change({"box": box_from(top, left, height, width)}))

    def exported_boxes(self) -> list[tuple[float, ...]]:
        """Boxes of the present size on a regular grid over the image."""
        return spread(*self.values["box"][2:])

    def _name(self) -> tuple[int, str, tuple[float, ...], str]:
        image, flip, box = (self.values[key] for key in ("image", "flip", "box"))
        return image, flip, box, self.values.get(STEP, "")

    def _views(self, image: int, flip: str, box: tuple[float, ...]) -> tuple[View, View]:
        return self._cut(image, FLIPS[0], (0.0, 0.0, 1.0, 1.0)), self._cut(image, flip, box)

    def _cut(self, image: int, flip: str, box: tuple[float, ...]) -> View:
        place, mirror = torch.tensor([box]), torch.tensor([flip == FLIPS[1]])
        return cut(self.pixels[image : image + 1], place, mirror, self.run.size)

    @torch.no_grad()
    def _expected(self, image: int, flip: str, box: tuple[float, ...], step: str) -> Expected:
        (model, teacher), device = self.branches.at(step), self.branches.device
        views = self._views(image, flip, box)
        context, target = (View(*(part.to(device) for part in v)) for v in views)
        # nothing is masked: the encoder sees the whole context and predicts the whole query view
        places = self.run.positions(context, target, self.grid)
        every = torch.ones(1, self.grid[0] * self.grid[1], dtype=torch.bool, device=device)
        prediction = model(context.image, places, Mask(every, every))[self.head][0]
        goal = teacher(target, places.own, every)[self.head][0]
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
