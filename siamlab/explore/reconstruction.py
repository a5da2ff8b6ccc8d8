"""Reconstruction: the pixels that a masked image model predicts for the patches it does not see.

ReconstructionExplorer("runs/mae")      # the folder of a run, also one made by `siamlab import`
"""

import math
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Generator, Tensor

from siamlab.component import UserError
from siamlab.crop import cut
from siamlab.data import Images
from siamlab.evaluate.images import first_image, pixels_to_show
from siamlab.explore.answers import Change
from siamlab.explore.branches import Branches
from siamlab.explore.explorer import Explorer
from siamlab.explore.held import BUDGET, Held, limited, window
from siamlab.explore.kept import kept
from siamlab.explore.scene import Control, Heat, Mark, Panel, Scale, Scene
from siamlab.explore.trained import STEP, last_step, step_control
from siamlab.figure.image import to_bytes
from siamlab.geometry import Grid, View, patch_centres
from siamlab.machine.arguments import typed
from siamlab.mask import Mask
from siamlab.model.standard import from_patches, patch_pixels
from siamlab.run import Run

MASKS = 20  # masks to choose from
GREY = 128  # of hidden patches
FLAT = 1e-6  # variance of a patch without contrast
LOST = Scale("share of the patch's variance lost", 0.0, 1.0, open=True)
LEGEND = (("query", "selected patch"),)
WHERE = "Row {row}, column {column} "
SEEN = WHERE + "is seen, and shown as it is."
UNPREDICTED = WHERE + "is hidden, and not predicted."
PREDICTED = WHERE + "is hidden: {lost} of its variance is lost."


class Reconstructed(NamedTuple):
    """The patches of one image, by what the model sees of them and what it predicts."""

    hidden: Bool[Tensor, " N"]
    prediction: Float[Tensor, "N d"]  # standardised pixels, d = 3 · patch²; nan: not predicted
    target: Float[Tensor, "N d"]
    lost: Float[Tensor, " N"]  # squared error over the patch's variance; 0: exact, nan: as above


def head_of_pixels(run: Run) -> int | None:
    """Return the first head that predicts pixels of any patch; None without one."""
    heads = [part.head for part in run.prediction.parts] if run.target.goals == "pixels" else []
    return next((i for i, head in enumerate(heads) if head.per == "patch"), None)


class ReconstructionExplorer(Explorer):
    """An image, what is left of it by one of the run's masks, and what the model makes of that."""

    title = "reconstruction"

    @typed
    def __init__(
        self,
        folder: str | Path,
        images: Images | UInt8[Tensor, "n 3 H W"] | None = None,
        image: int | None = None,
        device: str | torch.device = "auto",
    ):
        self.branches: Branches = Branches(folder, device)
        self.run: Run = self.branches.run
        run = self.run
        self.head: int | None = head_of_pixels(run)
        if self.head is None or run.masking.hidden(run.grid) == 0:
            raise UserError(
                f"{folder} has prediction={run.prediction.kind}, target={run.target.kind} and "
                f"masking={run.masking.kind}; a reconstruction needs pixels predicted for hidden "
                "patches: name the folder of such a run, for example of mae or simmim"
            )
        self.pixels: UInt8[Tensor, "n 3 H W"] = pixels_to_show(images, run)
        self.grid: Grid = run.grid
        self._reconstructed = kept(self._reconstructed, 64)  # per object
        image = first_image(self.pixels) if image is None else image
        values = {"image": image, "mask": 0} | last_step(self.branches.steps)
        super().__init__(values, "reconstruction", 0)
        self._begin(Change(self.checked({"image": image})))
        found = self.reconstructed()
        contrast = found.target.var(dim=1).where(found.lost.isfinite(), torch.tensor(-1.0))
        self._begin(Change({}, ("reconstruction", int(contrast.argmax()))))

    def scene(self) -> Scene:
        """What is seen, what is predicted, the image, and the selected patch of both."""
        found, patch = self.reconstructed(), self.selected[1]
        query = [Mark(*patch_centres(self.grid)[patch].tolist(), "query")]
        view = dict(grid=self.grid, marks=query, span=2)
        masked, name = self._masked(), self._name()
        return Scene(
            panels=[
                Panel("seen", "What the model sees", f"seen {masked}", **view),
                Panel("reconstruction", "Hidden patches predicted", f"whole {name}", **view),
                Panel("image", "Image, with what was lost", f"image {self.values['image']}",
                      heat=Heat(found.lost.tolist(), self.grid, "lost"), **view),
                Panel("predicted", "Selected patch: predicted", f"predicted {name} {patch}"),
                Panel("true", "Selected patch: true", f"true {masked} {patch}"),
            ],
            columns=6,
            text=self._text(found, patch),
            controls=self.controls(),
            scales={"lost": LOST},
            legend=LEGEND,
        )  # fmt: skip

    def controls(self) -> list[Control]:
        """Image, mask and training step, known without a pass through the model."""
        return [
            Control("image", "image", self.values["image"], 0, len(self.pixels) - 1),
            Control("mask", "mask", self.values["mask"], 0, MASKS - 1),
            *step_control(self.branches.steps, self.values.get(STEP, "")),
        ]

    def images(self) -> dict[str, UInt8[Tensor, "3 H W"]]:
        """The image as it is, without its hidden patches, with these predicted, and one patch."""
        found, patch = self.reconstructed(), self.selected[1]
        masked, name = self._masked(), self._name()
        whole, side = self._view().image[0].cpu(), self.run.model.patch
        hidden = found.hidden.view(self.grid).repeat_interleave(side, 0).repeat_interleave(side, 1)
        seen = torch.where(hidden, GREY / 255, whole)
        prediction = from_patches(found.prediction, side, self.grid)
        predicted = torch.where(prediction.isfinite(), prediction, seen)
        rows, columns = (slice(i * side, (i + 1) * side) for i in divmod(patch, self.grid[1]))
        return {
            f"image {self.values['image']}": to_bytes(whole),
            f"seen {masked}": to_bytes(seen),
            f"whole {name}": to_bytes(predicted),
            f"predicted {name} {patch}": to_bytes(predicted[:, rows, columns]),
            f"true {masked} {patch}": to_bytes(whole[:, rows, columns]),
        }

    def held(self) -> Held:
        """Every patch, for the images and masks that fit a page: about as many of both.

        Training steps, all or the present one, come before more than one of each.
        """
        image, mask, *_ = controls = self.controls()
        sizes = {key.split()[0]: len(uri) for key, uri in self.data_uris().items()}
        every = [str(step) for step in self.branches.steps]
        steps = every if len(every) * sum(sizes.values()) <= BUDGET else [self.values[STEP]]
        mask_bytes = sizes["seen"] + max(1, len(steps)) * sizes["whole"]
        masks = window(mask, max(1, math.isqrt(int(BUDGET / mask_bytes))))
        image_bytes = len(masks) * mask_bytes + sizes["image"]
        images = window(image, max(1, int(BUDGET / image_bytes)))
        shown: dict[str, str] = {}
        places = {}
        for number, draw, step in product(images, masks, steps or [""]):
            values = {"image": number, "mask": draw} | ({STEP: step} if step else {})
            there = self.at(Change(values))
            places[there._name()] = there._held_place()
            shown |= there.data_uris(shown, ("image", "seen", "whole"))
        text = {"seen": SEEN, "unpredicted": UNPREDICTED, "predicted": PREDICTED}
        data = {"grid": self.grid, "places": places, "text": text}
        controls = limited(controls, {"image": images, "mask": masks, STEP: steps})
        return Held("reconstructionScene", data, shown, controls)

    def _held_place(self) -> dict[str, Any]:
        found = self.reconstructed()
        heat = self.scene().as_dict()["panels"][2]["heat"]
        return {
            "hidden": "".join("1" if hidden else "0" for hidden in found.hidden.tolist()),
            "lost": ["" if lost != lost else f"{lost:.2f}" for lost in found.lost.tolist()],
            "levels": heat["levels"],
            "rest": self._rest(found),
        }

    def reconstructed(self) -> Reconstructed:
        """Return the patches of the present image, by the present mask."""
        step = self.values.get(STEP, "")
        return self._reconstructed(self.values["image"], self.values["mask"], step)

    def _masked(self) -> str:
        """What a model sees, whatever it makes of it."""
        return f"{self.values['image']} {self.values['mask']}"

    def _name(self) -> str:
        return f"{self._masked()} {self.values.get(STEP, '')}".rstrip()

    def _view(self, image: int | None = None) -> View:
        image = self.values["image"] if image is None else image
        whole, still = torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([False])
        return cut(self.pixels[image : image + 1], whole, still, self.run.size)

    @torch.no_grad()
    def _reconstructed(self, image: int, draw: int, step: str) -> Reconstructed:
        view = View(*(part.to(self.branches.device) for part in self._view(image)))
        mask = self.run.masking(1, self.grid, Generator().manual_seed(draw))
        places = self.run.positions(view, view, self.grid)
        moved = Mask(*(part.to(self.branches.device) for part in mask))
        found = self.branches.at(step)[0](view.image, places, moved)[self.head][0].cpu()  # [P, d]
        target = patch_pixels(self._view(image).image, self.run.model.patch, "none")[0]
        prediction = torch.full_like(target, torch.nan)
        prediction[mask.predict[0]] = found
        prediction[mask.visible[0]] = torch.nan
        variance, mean = torch.var_mean(target, dim=1, keepdim=True)
        if self.run.target.normalise == "patch":  # the true patch lends its colour and contrast
            prediction = prediction * (variance + FLAT).sqrt() + mean
        lost = (prediction - target).square().mean(dim=1) / (variance[:, 0] + FLAT)
        return Reconstructed(~mask.visible[0], prediction, target, lost)

    def _text(self, found: Reconstructed, patch: int) -> str:
        row, column = divmod(patch, self.grid[1])
        missing = UNPREDICTED if found.lost[patch].isnan() else PREDICTED
        own = missing if found.hidden[patch] else SEEN
        lost = f"{found.lost[patch]:.2f}"
        return own.format(row=row + 1, column=column + 1, lost=lost) + self._rest(found)

    def _rest(self, found: Reconstructed) -> str:
        """What is told of all patches."""
        lent = " Each prediction is shown with the mean and contrast of the true patch."
        return (
            f" {int(found.hidden.sum())} of {len(found.hidden)} patches are hidden; the median of "
            f"what is lost is {found.lost.nanmedian():.2f}; its mean alone would lose 1."
            + lent
            * (self.run.target.normalise == "patch")
        )
