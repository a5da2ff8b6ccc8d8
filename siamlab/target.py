"""Target: what the prediction is compared with.

    teacher = run.target.build(model, run)
    goal = teacher(target, places.own, mask.predict)    # one [B, P, D] or [B, 1, D] a head
    teacher.follow(model, progress)                     # after each step

A teacher's goals carry no gradient.
"""

from copy import deepcopy
from math import cos, pi
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field, field_validator
from torch import Tensor, nn

from siamlab.component import Component, unknown
from siamlab.geometry import Grid, View
from siamlab.model.blocks import Chosen, every_patch, layer_norm, pick
from siamlab.model.encoder import frozen_transformer, standardise, vision_transformers
from siamlab.model.prediction import read_by
from siamlab.model.siamese import Predictions, Siamese, parts

Own = Float[Tensor, "1 N 4"]
Normalise = Annotated[
    Literal["none", "layer"], Field(description="LayerNorm without affine on each goal, or none")
]


class Pixels(Component):
    """The pixels of each patch (MAE, SimMIM)."""

    kind: Literal["pixels"] = "pixels"
    normalise: Literal["none", "patch"] = Field(
        "patch", description="each patch by its own mean and variance, or none"
    )

    def widths(self, run) -> list[int]:
        return [3 * run.model.patch**2 for _ in parts(run.prediction)]

    def build(self, model: Siamese, run) -> nn.Module:
        return PixelTeacher(run.model.patch, self.normalise)


class Momentum(Component):
    """A slow copy of the online encoder and projector (MoCo-v3, BYOL, I-JEPA, SiameseIM)."""

    kind: Literal["momentum"] = "momentum"
    start: float = Field(0.995, ge=0, le=1, description="momentum at the start; 1 at the end")
    normalise: Normalise = "layer"

    def widths(self, run) -> list[int]:
        return [part.head.goal_width(run.model.width) for part in parts(run.prediction)]

    def build(self, model: Siamese, run) -> nn.Module:
        return MomentumTeacher(model, self)


class Online(Component):
    """The online encoder and projector themselves, without gradient (SimSiam)."""

    kind: Literal["online"] = "online"
    normalise: Normalise = "none"

    def widths(self, run) -> list[int]:
        return [part.head.goal_width(run.model.width) for part in parts(run.prediction)]

    def build(self, model: Siamese, run) -> nn.Module:
        return OnlineTeacher(model, self.normalise)


class Frozen(Component):
    """A timm vision transformer that somebody else trained, never changed."""

    kind: Literal["frozen"] = "frozen"
    name: str = Field("vit_base_patch16_224.mae", description="timm's name, with its weights' tag")
    weights: Literal["pretrained", "random"] = Field(
        "pretrained", description="what it starts from"
    )
    normalise: Normalise = "layer"

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name.partition(".")[0] not in vision_transformers():
            raise ValueError(unknown("timm has no vision transformer", name, vision_transformers()))
        return name

    def widths(self, run) -> list[int]:
        return [frozen_transformer(self.name, "shape").embed_dim for _ in parts(run.prediction)]

    def build(self, model: Siamese, run) -> nn.Module:
        vit = frozen_transformer(self.name, self.weights)
        return FrozenTeacher(
            vit, self.normalise, run.grid, [p.head.kind for p in parts(run.prediction)]
        )


Target = Annotated[Pixels | Momentum | Online | Frozen, Field(discriminator="kind")]


class PixelTeacher(nn.Module):
    """Patches of the standardised image: [B, P, 3 · patch²]."""

    def __init__(self, patch: int, normalise: str):
        super().__init__()
        self.patch, self.normalise = patch, normalise

    @torch.no_grad()
    def forward(self, target: View, own: Own, predict: Chosen) -> Predictions:
        return (pick(patch_pixels(target.image, self.patch, self.normalise), predict),)

    def follow(self, model: Siamese, progress: float) -> None:
        """Pixels do not change."""


class MomentumTeacher(nn.Module):
    """k ← m·k + (1 − m)·q, parameters only; its BatchNorm uses the batch's statistics."""

    def __init__(self, model: Siamese, target: Momentum):
        super().__init__()
        self.encoder = deepcopy(model.encoder).requires_grad_(False)
        self.projectors = deepcopy(model.projectors).requires_grad_(False)
        self.start, self.normalise = target.start, target.normalise

    @torch.no_grad()
    def forward(self, target: View, own: Own, predict: Chosen) -> Predictions:
        return _goals(self.encoder, self.projectors, self.normalise, target, own, predict)

    @torch.no_grad()
    def follow(self, model: Siamese, progress: float) -> None:
        mine = [*self.encoder.parameters(), *self.projectors.parameters()]
        theirs = [*model.encoder.parameters(), *model.projectors.parameters()]
        torch._foreach_lerp_(mine, theirs, 1 - self.momentum(progress))

    def momentum(self, progress: float) -> float:
        """`start` at progress 0, 1 at progress 1, half a cosine between."""
        return 1 - (1 + cos(pi * progress)) / 2 * (1 - self.start)


class OnlineTeacher(nn.Module):
    """The model's own encoder and projectors, held without owning them."""

    def __init__(self, model: Siamese, normalise: str):
        super().__init__()
        self.branch = (model.encoder, model.projectors)  # a tuple: not registered twice
        self.normalise = normalise

    @torch.no_grad()
    def forward(self, target: View, own: Own, predict: Chosen) -> Predictions:
        return _goals(*self.branch, self.normalise, target, own, predict)

    def follow(self, model: Siamese, progress: float) -> None:
        """It is the model."""


class FrozenTeacher(nn.Module):
    """Tokens of another transformer at its own size, resampled to the grid of the run."""

    def __init__(self, vit: nn.Module, normalise: str, grid: Grid, kinds: list[str]):
        super().__init__()
        self.vit = vit.eval().requires_grad_(False)
        self.normalise, self.grid, self.kinds = normalise, grid, kinds

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
        goals = {"global": patches.mean(dim=1, keepdim=True)}
        return tuple(
            _normed(goals.get(kind, pick(dense, predict)), self.normalise) for kind in self.kinds
        )

    def follow(self, model: Siamese, progress: float) -> None:
        """It is frozen."""


def patch_pixels(
    image: Float[Tensor, "B 3 H W"], patch: int, normalise: str
) -> Float[Tensor, "B N d"]:
    """Standardised pixels of each patch, row by row; d = 3 · patch², channels last."""
    cells = standardise(image).unfold(2, patch, patch).unfold(3, patch, patch)
    cells = cells.permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)  # [B, N, d]
    if normalise == "none":
        return cells
    variance, mean = torch.var_mean(cells, dim=-1, keepdim=True)  # unbiased
    return (cells - mean) / (variance + 1e-6).sqrt()


def _goals(encoder, projectors, normalise: str, target: View, own: Own, predict: Chosen):
    wanted = read_by(projectors)
    every = every_patch(own.expand(len(predict), -1, -1))
    tokens = encoder(target.image, own, every, wanted)  # [B, prefix + N or 1, D]
    prefix = encoder.prefix
    return tuple(
        _normed(project.goal(project(tokens, prefix), prefix, predict), normalise)
        for project in projectors
    )


def _normed(goal: Tensor, normalise: str) -> Tensor:
    return layer_norm(goal) if normalise == "layer" else goal
