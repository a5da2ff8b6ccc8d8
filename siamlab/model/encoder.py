"""Backbones: a timm vision transformer that encodes the visible patches.

    seen = encoder(context.image, places.own, mask.visible)     # [B, prefix + V, D]

Position tables are not timm's: the positions axis decides what the encoder knows.

A choice must have `kind`, `build` and, as fields or properties, all names in `needs`. It should
declare `class_token`; without, heads that read the class token are refused.
"""

from abc import abstractmethod
from collections.abc import Callable
from copy import deepcopy
from math import prod
from typing import Annotated, Any, ClassVar, Literal

import timm
import torch
from jaxtyping import Float
from pydantic import Field, field_validator, model_serializer
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from siamlab.component import Component, Sizes, unknown
from siamlab.geometry import Grid
from siamlab.model.attention import Attention
from siamlab.model.blocks import Chosen, every_patch, initialise, pick, through, without_drop_path
from siamlab.model.standard import MEAN, STD
from siamlab.model.timm_names import timm_sizes, vision_transformers
from siamlab.positions import PositionsChoice, own_places

ALL = slice(None)  # tokens
TIMM_STD = 1e-6  # of the class token that timm draws
Norm = Annotated[Literal["none", "layer"], Field(description="normalisation after the last block")]
Stem = Annotated[
    Literal["frozen", "learned"],
    Field(description="patch embedding: never changed, or trained"),
]
Init = Annotated[
    str,
    Field(
        description="weights to start from: a checkpoint, a run's folder, zoo:NAME, timm:NAME or "
        "hf:NAME; empty: random"
    ),
]


class BackboneChoice(Component):
    """Base of every backbone."""

    needs: ClassVar[tuple[str, ...]] = ("width", "heads", "patch", "norm", "stem")
    class_token: ClassVar[bool] = False  # whether the transformer has one

    @abstractmethod
    def build(self, size: Grid) -> nn.Module:
        """Return timm's transformer with random weights, without head and pooling, for a size."""

    def shrunk(self, to: Sizes) -> "Vit":
        sizes = dict(width=to.width, depth=to.depth, heads=to.heads, patch=to.patch)
        return Vit(**sizes, norm=self.norm, stem=self.stem)

    @model_serializer(mode="wrap")
    def _without_empty_init(self, plain: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Leave an empty `init` out, so that runs without one are written as before it existed."""
        fields = plain(self)
        return {k: v for k, v in fields.items() if k != "init" or v}


class Vit(BackboneChoice):
    """A plain vision transformer with explicit sizes."""

    kind: Literal["vit"] = "vit"
    class_token = True
    width: int = Field(default=768, ge=8, le=16_384, description="dimensions of a token")
    depth: int = Field(default=12, ge=1, le=200, description="blocks")
    heads: int = Field(default=12, ge=1, description="attention heads per block")
    patch: int = Field(default=16, ge=1, description="side of a patch, pixels")
    registers: int = Field(
        default=0, ge=0, le=1024, description="tokens without a place, besides the class token"
    )
    norm: Norm = "none"
    stem: Stem = "frozen"
    class_std: float = Field(
        default=1e-6,
        ge=0,
        le=1,
        description="standard deviation of the class token's first values; in the releases of MAE "
        "and SiameseIM 0.02",
    )
    layer_scale: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="first value of LayerScale, which multiplies what a block adds; 0: none",
    )
    drop_path: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="chance that the last block adds nothing to an image in training; it rises "
        "linearly from 0 in the first block",
    )
    init: Init = ""

    def build(self, size: Grid) -> nn.Module:
        vit = VisionTransformer(
            img_size=size,
            patch_size=self.patch,
            embed_dim=self.width,
            depth=self.depth,
            num_heads=self.heads,
            reg_tokens=self.registers,
            init_values=self.layer_scale or None,
            drop_path_rate=self.drop_path,
            pos_embed="none",
            num_classes=0,
            global_pool="",
            attn_layer=Attention,
        )
        with torch.no_grad():  # scaled, so that other weights have the draws they had before
            vit.cls_token.mul_(self.class_std / TIMM_STD)
        return vit

    def shrunk(self, to: Sizes) -> "Vit":
        kept = {"class_std", "layer_scale", "drop_path"}
        return super().shrunk(to).replace(**{name: getattr(self, name) for name in kept})


class Timm(BackboneChoice):
    """Any timm vision transformer by name."""

    kind: Literal["timm"] = "timm"
    by_name = True
    name: str = Field(
        default="vit_small_patch16_224", description="timm's name of the architecture"
    )
    norm: Norm = "none"
    stem: Stem = "frozen"
    init: Init = ""

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in vision_transformers():
            raise ValueError(unknown("timm has no vision transformer", name, vision_transformers()))
        return name

    @property
    def width(self) -> int:
        return timm_sizes(self.name).width

    @property
    def patch(self) -> int:
        return timm_sizes(self.name).patch

    @property
    def heads(self) -> int:
        return timm_sizes(self.name).heads

    @property
    def class_token(self) -> bool:
        return timm_sizes(self.name).class_token

    def build(self, size: Grid) -> nn.Module:
        return timm.create_model(self.name, img_size=size, num_classes=0, global_pool="")


Backbone = Annotated[Vit | Timm, Field(discriminator="kind")]


class Encoder(nn.Module):
    """The transformer of a backbone with the embedding of places of the positions axis."""

    def __init__(
        self, backbone: BackboneChoice, positions: PositionsChoice, size: Grid, fills: bool
    ):
        super().__init__()
        self.vit: nn.Module = backbone.build(size).apply(initialise)
        self.vit.pos_embed = None
        if backbone.norm == "none":
            self.vit.norm = nn.Identity()
        self.vit.patch_embed.requires_grad_(backbone.stem == "learned")
        self.place: nn.Module = positions.own_embedding(backbone.width)
        self.prefix: int = self.vit.num_prefix_tokens  # class token and registers
        for name, colours in (("shift", MEAN), ("scale", STD)):  # visible to a compiled graph
            self.register_buffer(name, torch.tensor(colours)[:, None, None], persistent=False)
        self.grid: Grid = tuple(self.vit.patch_embed.grid_size)
        rope = getattr(self.vit, "rope", None)  # some compute their table at each call
        table = None if rope is None else rope.get_embed(shape=list(self.grid))
        self.register_buffer("rotary", table, persistent=False)  # [N, 2 D / heads]
        # weights to start from have positions of their own: what is added to those of `place`
        own = torch.zeros(1, prod(self.grid), backbone.width)
        self.register_buffer("kept", own if getattr(backbone, "init", "") else None)
        # stands for hidden patches where they are filled in instead of dropped
        filler = nn.Parameter(0.02 * torch.randn(backbone.width)) if fills else None
        self.filler: nn.Parameter | None = filler

    def forward(
        self,
        image: Float[Tensor, "B 3 H W"],
        own: Float[Tensor, "1 N 4"],
        seen: Chosen,
        wanted: slice = ALL,
    ) -> Float[Tensor, "B M D"]:
        """Return the `wanted` tokens of [prefix, seen patches]."""
        image = (image - self.shift) / self.scale  # as `standardise` does
        patches = self.vit.patch_embed(image).flatten(1, -2)  # [B, N, D]
        if self.filler is not None:
            patches, seen = self._filled(patches, seen)
        patches = patches + self.places(own).to(patches.dtype)
        tokens = torch.cat([self._prefix_tokens(len(image)), pick(patches, seen)], dim=1)
        tokens = self.vit.norm_pre(self.vit.pos_drop(tokens))  # [B, prefix + V, D]
        places = {} if self.rotary is None else {"rope": self._rotary(seen)}
        return self.vit.norm(through(self.vit.blocks, tokens, wanted, **places))

    def places(self, own: Float[Tensor, "1 N 4"]) -> Float[Tensor, "1 N D"]:
        """Return the encoder's position embedding, per patch, in the view's own frame."""
        return self.place(own) if self.kept is None else self.place(own) + self.kept

    def plain(self) -> nn.Module:
        """Return an independent timm model with the places written into its position table."""
        vit = without_drop_path(deepcopy(self.vit))
        device = next(vit.parameters()).device
        with torch.no_grad():
            vit.pos_embed = nn.Parameter(self.places(own_places(self.grid, device)).float())
        vit.no_embed_class = True  # prefix tokens have no place
        if settings := getattr(vit, "pretrained_cfg", None):  # it was trained on other colours
            vit.pretrained_cfg = settings | {"mean": MEAN, "std": STD}
        return vit

    def _filled(self, patches: Tensor, seen: Chosen) -> tuple[Tensor, Tensor]:
        if seen.dtype != torch.bool:
            seen = torch.zeros_like(patches[:, :, 0], dtype=torch.bool).scatter_(1, seen, True)
        filled = torch.where(seen[:, :, None], patches, self.filler.to(patches.dtype))
        return filled, every_patch(patches)

    def _prefix_tokens(self, batch: int) -> Float[Tensor, "B p D"]:
        tokens = [t for t in (self.vit.cls_token, self.vit.reg_token) if t is not None]
        if not tokens:
            return next(self.vit.parameters()).new_zeros(batch, 0, self.vit.embed_dim)
        return torch.cat(tokens, dim=1).expand(batch, -1, -1)

    def _rotary(self, seen: Chosen) -> Float[Tensor, "B 1 V _"]:
        return pick(self.rotary.expand(len(seen), -1, -1), seen)[:, None]
