"""Prediction: what is predicted of the target, and by which network.

    pred = model(context.image, places, mask)       # one [B, P, D] or [B, 1, D] a head

A head is a projector, which a momentum target copies, and a predictor, which it does not.
"""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from siamlab.component import Component
from siamlab.masking import Mask
from siamlab.model.blocks import (
    BlockNorm,
    Chosen,
    initialise,
    perceptron,
    pick,
    through,
    transformer,
)
from siamlab.model.encoder import ALL
from siamlab.positions import Places, Positions

Tokens = Float[Tensor, "B M D"]  # what an encoder or a projector gives
Asked = Float[Tensor, "B P G"]  # a prediction or goal; P = 1 where it is of the whole image
End = Annotated[Literal["none", "batch"], Field(description="BatchNorm without affine at the end")]


class DenseDecoder(Component):
    """Transformer over the seen patches and one query a predicted patch (MAE, SiameseIM)."""

    kind: Literal["dense"] = "dense"
    fills: ClassVar[bool] = False
    depth: int = Field(4, ge=1, description="blocks of the predictor")
    width: int = Field(768, ge=8, description="numbers a token")
    heads: int = Field(16, ge=1, description="attention heads a block")
    norm: BlockNorm = "batch"
    projector: int = Field(2, ge=0, description="blocks before it, which a momentum target copies")
    end: Literal["none", "layer"] = Field("none", description="norm before the last linear layer")

    def project(self, encoder_width: int) -> nn.Module:
        return DenseProjector(self, encoder_width)

    def predict(self, encoder_width: int, goal_width: int, positions: Positions) -> nn.Module:
        return DensePredictor(self, encoder_width, goal_width, positions)

    def goal_width(self, encoder_width: int) -> int:
        return self.width if self.projector else encoder_width


class LinearHead(Component):
    """Hidden patches are filled in by the encoder itself; one linear layer reads them (SimMIM)."""

    kind: Literal["linear"] = "linear"
    fills: ClassVar[bool] = True

    def project(self, encoder_width: int) -> nn.Module:
        return PatchTokens()

    def predict(self, encoder_width: int, goal_width: int, positions: Positions) -> nn.Module:
        return LinearPredictor(encoder_width, goal_width)

    def goal_width(self, encoder_width: int) -> int:
        return encoder_width


class GlobalHead(Component):
    """One vector an image through two perceptrons (MoCo-v3, BYOL, SimSiam)."""

    kind: Literal["global"] = "global"
    fills: ClassVar[bool] = False
    pool: Literal["class", "mean"] = Field("class", description="class token, or mean of patches")
    projector: int = Field(3, ge=1, description="linear layers before, which a target copies")
    hidden: int = Field(4096, ge=1, description="width of their hidden layers")
    width: int = Field(256, ge=1, description="numbers of the projection")
    projector_end: End = "batch"
    predictor: int = Field(2, ge=1, description="linear layers of the predictor")
    bottleneck: int = Field(4096, ge=1, description="width of the predictor's hidden layers")
    predictor_end: End = "batch"

    def project(self, encoder_width: int) -> nn.Module:
        return GlobalProjector(self, encoder_width)

    def predict(self, encoder_width: int, goal_width: int, positions: Positions) -> nn.Module:
        hidden = [self.bottleneck] * (self.predictor - 1)
        return GlobalPredictor(perceptron([self.width, *hidden, goal_width], self.predictor_end))

    def goal_width(self, encoder_width: int) -> int:
        return self.width


class Both(Component):
    """A dense and a global prediction at once, their losses weighted."""

    kind: Literal["both"] = "both"
    fills: ClassVar[bool] = False
    dense: DenseDecoder = DenseDecoder()
    image: GlobalHead = GlobalHead()
    share: float = Field(0.5, gt=0, lt=1, description="weight of the dense loss; 1 − it: global")


Prediction = Annotated[DenseDecoder | LinearHead | GlobalHead | Both, Field(discriminator="kind")]
Single = DenseDecoder | LinearHead | GlobalHead


class DenseProjector(nn.Module):
    """Linear to the decoder's width and transformer blocks; nothing at all where depth is 0."""

    def __init__(self, head: DenseDecoder, encoder_width: int):
        super().__init__()
        if head.projector:
            linear = nn.Linear(encoder_width, head.width)
            initialise(linear)
            blocks = transformer(head.projector, head.width, head.heads, head.norm)
            self.layers = nn.Sequential(linear, blocks)
        else:
            self.layers = nn.Identity()

    def forward(self, tokens: Tokens, prefix: int) -> Float[Tensor, "B m d"]:
        return self.layers(tokens)

    def goal(self, projected: Tokens, prefix: int, predict: Chosen) -> Asked:
        return pick(projected[:, prefix:], predict)


class DensePredictor(nn.Module):
    """Blocks over [prefix, visible + own place, one mask token a query + its place]."""

    def __init__(
        self, head: DenseDecoder, encoder_width: int, goal_width: int, positions: Positions
    ):
        super().__init__()
        self.embed = nn.Identity() if head.projector else nn.Linear(encoder_width, head.width)
        self.place, self.query = positions.own(head.width), positions.query(head.width)
        self.mask_token = nn.Parameter(0.02 * torch.randn(head.width))
        self.blocks = transformer(head.depth, head.width, head.heads, head.norm)
        self.norm = nn.LayerNorm(head.width) if head.end == "layer" else nn.Identity()
        self.out = nn.Linear(head.width, goal_width)
        for module in (self.embed, self.query, self.out):
            module.apply(initialise)

    def forward(self, projected: Tokens, prefix: int, places: Places, mask: Mask) -> Asked:
        tokens = self.embed(projected)  # [B, prefix + V, D]
        own = self.place(places.own).to(tokens.dtype).expand(len(tokens), -1, -1)
        seen = tokens[:, prefix:] + pick(own, mask.visible)
        query = self.query(places.query).to(tokens.dtype).expand(len(tokens), -1, -1)
        asked = self.mask_token.to(tokens.dtype) + pick(query, mask.predict)  # [B, P, D]
        tokens = torch.cat([tokens[:, :prefix], seen, asked], dim=1)
        tokens = through(self.blocks, tokens, slice(-asked.shape[1], None))  # [B, P, D]
        return self.out(self.norm(tokens))


class PatchTokens(nn.Module):
    """The encoder's patch tokens as they are."""

    def forward(self, tokens: Tokens, prefix: int) -> Float[Tensor, "B m d"]:
        return tokens[:, prefix:]

    def goal(self, projected: Tokens, prefix: int, predict: Chosen) -> Asked:
        return pick(projected, predict)


class LinearPredictor(nn.Module):
    """One linear layer on the predicted patches."""

    def __init__(self, encoder_width: int, goal_width: int):
        super().__init__()
        self.out = nn.Linear(encoder_width, goal_width)

    def forward(self, projected: Tokens, prefix: int, places: Places, mask: Mask) -> Asked:
        return self.out(pick(projected, mask.predict))


class GlobalProjector(nn.Module):
    """Class token or mean patch, then a perceptron: [B, 1, width]."""

    def __init__(self, head: GlobalHead, encoder_width: int):
        super().__init__()
        sizes = [encoder_width, *[head.hidden] * (head.projector - 1), head.width]
        self.layers = perceptron(sizes, head.projector_end)
        self.pool = head.pool

    def forward(self, tokens: Tokens, prefix: int) -> Float[Tensor, "B m d"]:
        return self.layers(pooled(tokens, prefix, self.pool))

    def goal(self, projected: Tokens, prefix: int, predict: Chosen) -> Asked:
        return projected


class GlobalPredictor(nn.Module):
    """A perceptron on the projection."""

    def __init__(self, layers: nn.Module):
        super().__init__()
        self.layers = layers

    def forward(self, projected: Tokens, prefix: int, places: Places, mask: Mask) -> Asked:
        return self.layers(projected)


def read_by(projectors: Iterable[nn.Module]) -> slice:
    """The encoder's tokens that any of these projectors reads."""
    classes = all(isinstance(p, GlobalProjector) and p.pool == "class" for p in projectors)
    return slice(1) if classes else ALL


def pooled(tokens: Tokens, prefix: int, pool: str) -> Float[Tensor, "B 1 D"]:
    """The class token, or the mean over patches."""
    return tokens[:, :1] if pool == "class" else tokens[:, prefix:].mean(dim=1, keepdim=True)
