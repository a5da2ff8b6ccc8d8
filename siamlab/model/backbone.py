"""Backbones: which vision transformer is trained.

    vit = run.model.build(run.size)     # timm's, with random weights, for `Encoder`

A choice must have `kind`, `build` and, as fields or properties, all names in `needs`. It should
declare `class_token`; without, heads that read the class token are refused.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import timm
import torch
from pydantic import Field, field_validator, model_serializer
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from siamlab.component import Component, Sizes, unknown
from siamlab.geometry import Grid
from siamlab.model.attention import Attention
from siamlab.model.timm_names import timm_sizes, vision_transformers

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

    needs: ClassVar[tuple[str, ...]] = ("width", "depth", "heads", "patch", "norm", "stem")
    class_token: ClassVar[bool] = False  # whether the transformer has one

    @property
    def starts_from(self) -> str:
        """The weights to start from, as a field `init` names them; "" for random ones."""
        return getattr(self, "init", "")

    @property
    def block_weights(self) -> int:
        """About how many weights its blocks have: 4 D² of attention and 8 D² of the perceptron."""
        return 12 * self.width**2 * self.depth

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
        kept = {"layer_scale", "drop_path"}
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
    def depth(self) -> int:
        return timm_sizes(self.name).depth

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
