"""Target: what the prediction is compared with.

    teacher = run.target.build(model, run)
    goal = teacher(target, places.own, mask.predict)    # one [B, P, D] or [B, 1, D] per head
    teacher.follow(model, progress)                     # after each step

A choice must have `kind` and `build`, which returns a `Teacher`, and `widths` where its goals are
not as wide as the projections. It should declare what it has goals for (`per`): by default only
patches, so that heads of whole images are refused. A teacher's goals carry no gradient.
"""

from abc import abstractmethod
from copy import deepcopy
from math import cos, pi
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field, field_validator
from torch import Tensor, nn

from siamlab.component import Component, Sizes
from siamlab.geometry import Grid, View
from siamlab.interop.weights import means_weights
from siamlab.machine.internals import lerp_all_
from siamlab.model.blocks import Chosen, every_patch, layer_norm, pick, without_drop_path
from siamlab.model.encoder import Encoder
from siamlab.model.prediction import Per
from siamlab.model.siamese import NetworkChoices, Predictions, Siamese
from siamlab.model.standard import patch_pixels, standardise
from siamlab.model.timm_names import frozen_transformer, known_tag

Own = Float[Tensor, "1 N 4"]
Normalise = Annotated[
    Literal["none", "layer"], Field(description="LayerNorm without affine on each goal, or none")
]


class TargetChoice(Component):
    """Base of every target."""

    per: ClassVar[tuple[Per, ...]] = ("patch",)  # what it has goals for
    goals: ClassVar[Literal["features", "pixels"]] = "features"

    def widths(self, run: NetworkChoices) -> list[int]:
        """Return the width of the goals for each head; as wide as the projections by default."""
        return [part.head.goal_width(run.model.width) for part in run.prediction.parts]

    @abstractmethod
    def build(self, model: Siamese, run: NetworkChoices) -> "Teacher":
        """Return the network that makes the goals."""


class Pixels(TargetChoice):
    """The pixels of each patch (MAE, SimMIM)."""

    kind: Literal["pixels"] = "pixels"
    per: ClassVar[tuple[Per, ...]] = ("patch",)
    goals: ClassVar[Literal["features", "pixels"]] = "pixels"
    normalise: Literal["none", "patch"] = Field(
        default="patch", description="each patch by its own mean and variance, or none"
    )

    def widths(self, run: NetworkChoices) -> list[int]:
        return [3 * run.model.patch**2 for _ in run.prediction.parts]

    def build(self, model: Siamese, run: NetworkChoices) -> "Teacher":
        return PixelTeacher(run.model.patch, self.normalise)


class Momentum(TargetChoice):
    """A moving average of the online encoder and projector (MoCo-v3, BYOL, I-JEPA, SiameseIM)."""

    kind: Literal["momentum"] = "momentum"
    per: ClassVar[tuple[Per, ...]] = ("patch", "image")
    start: float = Field(default=0.995, ge=0, le=1, description="momentum at the start")
    schedule: Literal["cosine", "constant"] = Field(
        default="cosine",
        description="momentum from there on: half a cosine up to 1 at the end, or the same",
    )
    normalise: Normalise = "layer"

    def build(self, model: Siamese, run: NetworkChoices) -> "Teacher":
        return MomentumTeacher(model, self)

    def shrunk(self, to: Sizes) -> "Momentum":
        return self.replace(start=0.98, schedule=to.momentum)  # short runs need a faster target


class Online(TargetChoice):
    """The online encoder and projector themselves, without gradient (SimSiam)."""

    kind: Literal["online"] = "online"
    per: ClassVar[tuple[Per, ...]] = ("patch", "image")
    normalise: Normalise = "none"

    def build(self, model: Siamese, run: NetworkChoices) -> "Teacher":
        return OnlineTeacher(model, self.normalise)


class Frozen(TargetChoice):
    """A vision transformer with fixed weights: timm's by name, or a checkpoint."""

    kind: Literal["frozen"] = "frozen"
    per: ClassVar[tuple[Per, ...]] = ("patch", "image")
    name: str = Field(
        default="vit_base_patch16_224.mae",
        description="timm's name, with its weights' tag, or a checkpoint's file or folder",
    )
    weights: Literal["pretrained", "random"] = Field(
        default="pretrained", description="its weights"
    )
    normalise: Normalise = "layer"

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        # weights of other projects are opened when the run begins
        return name if means_weights(name) else known_tag(name)

    def widths(self, run: NetworkChoices) -> list[int]:
        return [frozen_transformer(self.name, "shape").embed_dim for _ in run.prediction.parts]

    def build(self, model: Siamese, run: NetworkChoices) -> "Teacher":
        vit = frozen_transformer(self.name, self.weights)
        per = [part.head.per for part in run.prediction.parts]
        return FrozenTeacher(vit, self.normalise, run.grid, per)


Target = Annotated[Pixels | Momentum | Online | Frozen, Field(discriminator="kind")]


class Teacher(nn.Module):
    """Base of every teacher: forward(target, own, predict) returns the goals, one per head."""

    def follow(self, model: Siamese, progress: float) -> None:
        """Update after a step, at a progress of 0..1; nothing unless overridden."""

    def trained_encoder(self) -> Encoder | None:
        """Return the encoder whose features may collapse in training; None for fixed goals."""
        return None


class PixelTeacher(Teacher):
    """Patches of the standardised image: [B, P, 3 · patch²]."""

    def __init__(self, patch: int, normalise: str):
        super().__init__()
        self.patch = patch
        self.normalise = normalise

    @torch.no_grad()
    def forward(self, target: View, own: Own, predict: Chosen) -> Predictions:
        return (pick(patch_pixels(target.image, self.patch, self.normalise), predict),)


class MomentumTeacher(Teacher):
    """k ← m·k + (1 − m)·q, parameters only.

    Its BatchNorm uses the batch's statistics, and none of its blocks is skipped (drop path).
    """

    def __init__(self, model: Siamese, target: Momentum):
        super().__init__()
        self.encoder: Encoder = deepcopy(model.encoder).requires_grad_(False)
        without_drop_path(self.encoder)
        self.projectors: nn.ModuleList = deepcopy(model.projectors).requires_grad_(False)
        self.wanted: slice = model.wanted
        self.start: float = target.start
        self.schedule: str = target.schedule
        self.normalise: str = target.normalise

    @torch.no_grad()
    def forward(self, target: View, own: Own, predict: Chosen) -> Predictions:
        return _goals(self, self.encoder, self.projectors, target, own, predict)

    @torch.no_grad()
    def follow(self, model: Siamese, progress: float) -> None:
        mine = [*self.encoder.parameters(), *self.projectors.parameters()]
        theirs = [*model.encoder.parameters(), *model.projectors.parameters()]
        lerp_all_(mine, theirs, 1 - self.momentum(progress))

    def momentum(self, progress: float) -> float:
        """Return `start` at progress 0, 1 at progress 1, half a cosine between; or the constant."""
        if self.schedule == "constant":
            return self.start
        return 1 - (1 + cos(pi * progress)) / 2 * (1 - self.start)

    def trained_encoder(self) -> Encoder:
        return self.encoder


class OnlineTeacher(Teacher):
    """The model's own encoder and projectors, referenced without being registered."""

    def __init__(self, model: Siamese, normalise: str):
        super().__init__()
        # a tuple: not registered twice
        self.branch: tuple[Encoder, nn.ModuleList] = (model.encoder, model.projectors)
        self.wanted: slice = model.wanted
        self.normalise = normalise

    @torch.no_grad()
    def forward(self, target: View, own: Own, predict: Chosen) -> Predictions:
        return _goals(self, *self.branch, target, own, predict)

    def trained_encoder(self) -> Encoder:
        return self.branch[0]


class FrozenTeacher(Teacher):
    """Tokens of another transformer at its own size, resampled to the grid of the run."""

    def __init__(self, vit: nn.Module, normalise: str, grid: Grid, per: list[str]):
        super().__init__()
        self.vit: nn.Module = vit.eval().requires_grad_(False)
        self.normalise = normalise
        self.grid = grid
        self.per = per

    def train(self, mode: bool = True) -> "FrozenTeacher":
        return self  # it stays in evaluation mode

    @torch.no_grad()
    def forward(self, target: View, own: Own, predict: Chosen) -> Predictions:
        size, mean, std = (self.vit.pretrained_cfg[k] for k in ("input_size", "mean", "std"))
        image = F.interpolate(target.image, size[1:], mode="bicubic", antialias=True)
        tokens = self.vit.forward_features(standardise(image, mean, std))
        patches = tokens[:, self.vit.num_prefix_tokens :]  # [B, its N, D]
        grid = patches.mT.unflatten(2, self.vit.patch_embed.grid_size)
        dense = F.interpolate(grid, self.grid, mode="bilinear", antialias=True).flatten(2).mT
        goals = {"image": patches.mean(dim=1, keepdim=True), "patch": pick(dense, predict)}
        return tuple(_normed(goals[per], self.normalise) for per in self.per)


def _goals(teacher, encoder, projectors, target: View, own: Own, predict: Chosen) -> Predictions:
    every = every_patch(own.expand(len(predict), -1, -1))
    tokens = encoder(target.image, own, every, teacher.wanted)  # [B, prefix + N or 1, D]
    prefix = encoder.prefix
    return tuple(
        _normed(project.goal(project(tokens, prefix), prefix, predict), teacher.normalise)
        for project in projectors
    )


def _normed(goal: Tensor, normalise: str) -> Tensor:
    return layer_norm(goal) if normalise == "layer" else goal
