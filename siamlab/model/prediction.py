"""Prediction: what is predicted of the target, and by which networks.

    pred = model(context.image, places, mask)       # one [B, P, D] or [B, 1, D] per head

A choice is a head, or declares several of them as `parts`. A head must have `kind`, `project`,
`predict` and `goal_width`, and should declare how it predicts: by default it predicts a vector per
patch, at the places of the positions axis, and may read every token of the encoder.
"""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field
from torch import nn

from siamlab.component import Component, Sizes
from siamlab.model.blocks import EPSILON, BlockNorm, perceptron
from siamlab.model.encoder import ALL
from siamlab.model.heads import (
    DensePredictor,
    DenseProjector,
    GlobalPredictor,
    GlobalProjector,
    LinearPredictor,
    PatchTokens,
)
from siamlab.positions import PositionsChoice

End = Annotated[Literal["none", "batch"], Field(description="BatchNorm without affine at the end")]
Per = Literal["patch", "image"]
Reads = Literal["class", "patches", "both"]


class PredictionChoice(Component):
    """Base of every prediction: one head or several."""

    @property
    @abstractmethod
    def parts(self) -> "tuple[Part, ...]":
        """The heads with the weights of their losses."""

    @property
    def fills(self) -> bool:
        """Whether the encoder must fill in hidden patches instead of dropping them."""
        return any(part.head.fills for part in self.parts)

    @property
    def tokens(self) -> slice:
        """The encoder's tokens that the heads read."""
        return slice(1) if all(part.head.reads == "class" for part in self.parts) else ALL


class Head(PredictionChoice):
    """Base of every prediction that is one head."""

    per: ClassVar[Per] = "patch"  # what one predicted vector belongs to
    # predicts patches at their places in the context, so that both views must show one crop
    in_context: ClassVar[bool] = False
    # the encoder's tokens that it depends on: only the class token; only patches; both
    reads: ClassVar[Reads] = "both"
    fills: ClassVar[bool] = False  # the encoder fills in hidden patches instead of dropping them
    has_blocks: ClassVar[bool] = False  # its fields `width` and `heads` are a transformer's

    @property
    def parts(self) -> "tuple[Part, ...]":
        return (Part("", 1.0, self),)

    @property
    def block_weights(self) -> int:
        """About how many weights its blocks have; 0 for a head without blocks."""
        return 0

    @abstractmethod
    def project(self, encoder_width: int) -> nn.Module:
        """Return the projector, which a momentum target copies (`siamlab.model.heads`)."""

    @abstractmethod
    def predict(self, encoder_width: int, goal_width: int, positions: PositionsChoice) -> nn.Module:
        """Return the predictor, which works on the projector's output."""

    @abstractmethod
    def goal_width(self, encoder_width: int) -> int:
        """Return the width of the projector's output."""


class Part(NamedTuple):
    field: str  # of the prediction; "" where the prediction is the head
    weight: float  # of its loss
    head: Head
    prefix: str = ""  # before the names of its loss terms


class DenseDecoder(Head):
    """Transformer over the seen patches and one query per predicted patch (MAE, SiameseIM)."""

    kind: Literal["dense"] = "dense"
    reads: ClassVar[Reads] = "patches"
    has_blocks = True
    depth: int = Field(default=4, ge=1, le=200, description="blocks of the predictor")
    width: int = Field(default=768, ge=8, le=16_384, description="dimensions of a token")
    heads: int = Field(default=16, ge=1, description="attention heads per block")
    norm: BlockNorm = "batch"
    projector: int = Field(
        default=2, ge=0, le=200, description="blocks before it, which a momentum target copies"
    )
    linear: Literal["auto", "projector"] = Field(
        default="auto",
        description="where the linear layer from the encoder's width is: in the projector, which a "
        "momentum target copies, or auto: there if it has blocks, else in the predictor",
    )
    projector_norm: Literal["same", "layer", "batch"] = Field(
        default="same", description="norm of the projector's blocks, where it is not `norm`"
    )
    batch_epsilon: float = Field(
        default=EPSILON,
        gt=0,
        le=0.1,
        description="what BatchNorm adds to a variance; in the release of SiameseIM 1e-5",
    )
    end: Literal["none", "layer"] = Field(
        default="none", description="norm before the last linear layer"
    )
    normalise: Literal["none", "layer"] = Field(
        default="none", description="LayerNorm without affine on each prediction, or none"
    )

    @property
    def block_weights(self) -> int:
        return 12 * self.width**2 * self.depth

    @property
    def projects(self) -> bool:
        """Whether there is a projector, which has the linear layer then."""
        return self.projector > 0 or self.linear == "projector"

    def project(self, encoder_width: int) -> nn.Module:
        return DenseProjector(self, encoder_width)

    def predict(self, encoder_width: int, goal_width: int, positions: PositionsChoice) -> nn.Module:
        return DensePredictor(self, encoder_width, goal_width, positions)

    def goal_width(self, encoder_width: int) -> int:
        return self.width if self.projects else encoder_width

    def shrunk(self, to: Sizes) -> "DenseDecoder":
        return self.replace(
            width=to.width, depth=1, heads=to.heads, projector=0, batch_epsilon=EPSILON
        )


class LinearHead(Head):
    """One linear layer on the encoder's tokens, where hidden patches are filled in (SimMIM)."""

    kind: Literal["linear"] = "linear"
    in_context = True
    reads: ClassVar[Reads] = "patches"
    fills = True

    def project(self, encoder_width: int) -> nn.Module:
        return PatchTokens()

    def predict(self, encoder_width: int, goal_width: int, positions: PositionsChoice) -> nn.Module:
        return LinearPredictor(encoder_width, goal_width)

    def goal_width(self, encoder_width: int) -> int:
        return encoder_width


class GlobalHead(Head):
    """One vector per image through two perceptrons (MoCo-v3, BYOL, SimSiam)."""

    kind: Literal["global"] = "global"
    per: ClassVar[Per] = "image"
    pool: Literal["class", "mean"] = Field(
        default="class", description="class token, or mean of patches"
    )
    projector: int = Field(
        default=3, ge=1, le=20, description="linear layers before, which a target copies"
    )
    hidden: int = Field(default=4096, ge=1, le=16_384, description="width of their hidden layers")
    width: int = Field(default=256, ge=1, le=16_384, description="dimensions of the projection")
    projector_end: End = "batch"
    predictor: int = Field(default=2, ge=1, le=20, description="linear layers of the predictor")
    bottleneck: int = Field(
        default=4096, ge=1, le=16_384, description="width of the predictor's hidden layers"
    )
    predictor_end: End = "batch"

    @property
    def reads(self) -> Literal["class", "patches"]:
        return "class" if self.pool == "class" else "patches"

    def project(self, encoder_width: int) -> nn.Module:
        sizes = [encoder_width, *[self.hidden] * (self.projector - 1), self.width]
        return GlobalProjector(self.pool, sizes, self.projector_end)

    def predict(self, encoder_width: int, goal_width: int, positions: PositionsChoice) -> nn.Module:
        hidden = [self.bottleneck] * (self.predictor - 1)
        return GlobalPredictor(perceptron([self.width, *hidden, goal_width], self.predictor_end))

    def goal_width(self, encoder_width: int) -> int:
        return self.width

    def shrunk(self, to: Sizes) -> "GlobalHead":
        return self.replace(hidden=256, width=64, bottleneck=256)


class Both(PredictionChoice):
    """A dense and a global prediction at once, with weighted losses."""

    kind: Literal["both"] = "both"
    dense: DenseDecoder = DenseDecoder()
    image: GlobalHead = GlobalHead()
    share: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="weight of the dense loss; the global loss has 1 − share",
    )

    @property
    def parts(self) -> tuple[Part, ...]:
        return (
            Part("dense", self.share, self.dense, "dense/"),
            Part("image", 1 - self.share, self.image, "global/"),
        )


Prediction = Annotated[DenseDecoder | LinearHead | GlobalHead | Both, Field(discriminator="kind")]
