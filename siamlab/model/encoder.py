"""Backbones: a timm vision transformer that encodes the patches it is shown.

    seen = encoder(context.image, places.own, mask.visible)     # [B, prefix + V, D]

Position tables are not timm's own: the positions axis says what the encoder knows.
"""

from copy import deepcopy
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

import timm
import torch
from jaxtyping import Float
from pydantic import Field, field_validator
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from siamlab.component import Component, UserError, unknown
from siamlab.constant import constant
from siamlab.geometry import Grid
from siamlab.model.attention import Attention
from siamlab.model.blocks import Chosen, every_patch, initialise, pick, through
from siamlab.positions import Positions, own_places

Colours = tuple[float, float, float]
ALL = slice(None)  # tokens
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's RGB, 0..1
Norm = Annotated[Literal["none", "layer"], Field(description="normalisation after the last block")]
Stem = Annotated[
    Literal["frozen", "learned"], Field(description="patch embedding: kept as drawn, or trained")
]


class Vit(Component):
    """A plain vision transformer of sizes given directly."""

    kind: Literal["vit"] = "vit"
    width: int = Field(768, ge=8, description="numbers a token")
    depth: int = Field(12, ge=1, description="blocks")
    heads: int = Field(12, ge=1, description="attention heads a block")
    patch: int = Field(16, ge=1, description="side of a patch, pixels")
    registers: int = Field(0, ge=0, description="tokens without a place, besides the class token")
    norm: Norm = "none"
    stem: Stem = "frozen"

    @property
    def class_token(self) -> bool:
        return True

    def build(self, size: Grid) -> nn.Module:
        return VisionTransformer(
            img_size=size,
            patch_size=self.patch,
            embed_dim=self.width,
            depth=self.depth,
            num_heads=self.heads,
            reg_tokens=self.registers,
            pos_embed="none",
            num_classes=0,
            global_pool="",
            attn_layer=Attention,
        )


class Timm(Component):
    """Any timm vision transformer by name, from random weights."""

    kind: Literal["timm"] = "timm"
    name: str = Field("vit_small_patch16_224", description="timm's name of the architecture")
    norm: Norm = "none"
    stem: Stem = "frozen"

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in vision_transformers():
            raise ValueError(unknown("timm has no vision transformer", name, vision_transformers()))
        return name

    @property
    def width(self) -> int:
        return _sizes(self.name).width

    @property
    def patch(self) -> int:
        return _sizes(self.name).patch

    @property
    def heads(self) -> int:
        return _sizes(self.name).heads

    @property
    def class_token(self) -> bool:
        return _sizes(self.name).class_token

    def build(self, size: Grid) -> nn.Module:
        return timm.create_model(self.name, img_size=size, num_classes=0, global_pool="")


Backbone = Annotated[Vit | Timm, Field(discriminator="kind")]


class Encoder(nn.Module):
    """The transformer of a backbone with the places of the positions axis."""

    def __init__(self, backbone: Backbone, positions: Positions, size: Grid, fills: bool):
        super().__init__()
        self.vit = backbone.build(size).apply(initialise)
        self.vit.pos_embed = None
        if backbone.norm == "none":
            self.vit.norm = nn.Identity()
        self.vit.patch_embed.requires_grad_(backbone.stem == "learned")
        self.place = positions.own(backbone.width)
        self.prefix = self.vit.num_prefix_tokens  # class token and registers
        for name, colours in (("shift", MEAN), ("scale", STD)):  # known to a compiled graph
            self.register_buffer(name, torch.tensor(colours)[:, None, None], persistent=False)
        self.grid: Grid = tuple(self.vit.patch_embed.grid_size)
        rope = getattr(self.vit, "rope", None)  # some make their table anew at each call
        table = None if rope is None else rope.get_embed(shape=list(self.grid))
        self.register_buffer("rotary", table, persistent=False)  # [N, 2 D / heads]
        # what stands for a hidden patch, where hidden patches are filled in instead of dropped
        self.filler = nn.Parameter(0.02 * torch.randn(backbone.width)) if fills else None

    def forward(
        self,
        image: Float[Tensor, "B 3 H W"],
        own: Float[Tensor, "1 N 4"],
        seen: Chosen,
        wanted: slice = ALL,
    ) -> Float[Tensor, "B M D"]:
        """Of [prefix, seen patches] the `wanted` tokens."""
        image = (image - self.shift) / self.scale  # as `standardise` does
        patches = self.vit.patch_embed(image).flatten(1, -2)  # [B, N, D]
        if self.filler is not None:
            patches, seen = self._filled(patches, seen)
        patches = patches + self.place(own).to(patches.dtype)
        tokens = torch.cat([self._prefix_tokens(len(image)), pick(patches, seen)], dim=1)
        tokens = self.vit.norm_pre(self.vit.pos_drop(tokens))  # [B, prefix + V, D]
        places = {} if self.rotary is None else {"rope": self._rotary(seen)}
        return self.vit.norm(through(self.vit.blocks, tokens, wanted, **places))

    def plain(self) -> nn.Module:
        """A timm model of its own with the places written into its position table."""
        vit = deepcopy(self.vit)
        device = next(vit.parameters()).device
        with torch.no_grad():
            vit.pos_embed = nn.Parameter(self.place(own_places(self.grid, device)).float())
        vit.no_embed_class = True  # prefix tokens have no place
        return vit

    def _filled(self, patches: Tensor, seen: Chosen) -> tuple[Tensor, Tensor]:
        if seen.dtype != torch.bool:
            seen = torch.zeros_like(patches[:, :, 0], dtype=torch.bool).scatter_(1, seen, True)
        filled = torch.where(seen[:, :, None], patches, self.filler.to(patches.dtype))
        return filled, every_patch(patches)

    def _prefix_tokens(self, batch: int) -> Float[Tensor, "B p D"]:
        found = [t for t in (self.vit.cls_token, self.vit.reg_token) if t is not None]
        if not found:
            return next(self.vit.parameters()).new_zeros(batch, 0, self.vit.embed_dim)
        return torch.cat(found, dim=1).expand(batch, -1, -1)

    def _rotary(self, seen: Chosen) -> Float[Tensor, "B 1 V _"]:
        return pick(self.rotary.expand(len(seen), -1, -1), seen)[:, None]


def standardise(
    image: Float[Tensor, "*B 3 H W"], mean: Colours = MEAN, std: Colours = STD
) -> Float[Tensor, "*B 3 H W"]:
    """Zero mean and unit deviation over ImageNet's colours, or those given; 0..1 in."""
    shift, scale = (constant(v, image.device)[:, None, None] for v in (mean, std))
    return (image - shift) / scale


@lru_cache(maxsize=1)
def frozen_transformer(name: str, weights: Literal["pretrained", "random", "shape"]) -> nn.Module:
    """A timm transformer as it is; "shape": without memory for its numbers.

    Raises UserError when pretrained weights cannot be had.
    """
    with torch.device("meta" if weights == "shape" else "cpu"):
        try:
            return timm.create_model(name, num_classes=0, pretrained=weights == "pretrained")
        except Exception as error:
            if weights != "pretrained":
                raise
            raise UserError(
                f"target.name={name!r}: its weights cannot be had ({str(error).splitlines()[0]}); "
                "connect to the network, or set target.weights=random"
            ) from None


@lru_cache
def vision_transformers() -> tuple[str, ...]:
    """timm's architectures that siamlab can train: plain ones, registers, rotary places."""
    return tuple(
        name
        for name in timm.list_models(module="vision_transformer") + timm.list_models(module="eva")
        if "rope_mixed" not in name
    )


class _Sizes(NamedTuple):
    width: int
    patch: int
    heads: int
    class_token: bool


@lru_cache
def _sizes(name: str) -> _Sizes:
    with torch.device("meta"):
        vit = timm.create_model(name, num_classes=0, global_pool="")
    patch, heads = vit.patch_embed.patch_size[0], vit.blocks[0].attn.num_heads
    return _Sizes(vit.embed_dim, patch, heads, vit.cls_token is not None)
