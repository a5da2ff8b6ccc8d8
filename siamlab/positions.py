"""Positions: the patch positions the encoder knows and the predictor is queried at.

    places = positions(context, target, grid)                       # Places(own, query)
    tokens = tokens + positions.own_embedding(width)(places.own)    # a module embeds them

A place is (y, x, s_h, s_w): patch units, 0 at the centre of the first patch, and ten times the
logarithm of the height and width ratio of the two views (0 in a view's own frame).

A choice must have `kind` and `query`; it may have embeddings of its own.
"""

from abc import abstractmethod
from typing import Annotated, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from siamlab.component import Component, Sizes
from siamlab.geometry import Grid, View, magnification, patch_centres, to_source, to_view
from siamlab.machine.constant import constant


class Places(NamedTuple):
    own: Float[Tensor, "1 N 4"]  # every patch in its own view's frame
    query: Float[Tensor, "b N 4"]  # every target patch, for the predictor; b = B or 1


class PositionsChoice(Component):
    """Base of every choice of positions."""

    def __call__(self, context: View, target: View, grid: Grid) -> Places:
        own = own_places(grid, context.box.device)
        return Places(own, self.query(context, target, grid))

    @abstractmethod
    def query(self, context: View, target: View, grid: Grid) -> Float[Tensor, "b N 4"]:
        """Return the place of every target patch that the predictor receives; b = B or 1."""

    def query_embedding(self, width: int) -> nn.Module:
        """Return the module that embeds queries, [b, N, 4] → [b, N, width]."""
        return LinearPlace(width)

    def own_embedding(self, width: int) -> nn.Module:
        """Return the module that embeds places in their own view, in encoder and predictor."""
        return FixedPlace(width)


class NoPositions(PositionsChoice):
    """The predictor receives no place; the encoder still knows its own grid."""

    kind: Literal["none"] = "none"

    def query(self, context: View, target: View, grid: Grid) -> Float[Tensor, "1 N 4"]:
        return own_places(grid, context.box.device)

    def query_embedding(self, width: int) -> nn.Module:
        return NoPlace(width)


class OwnFrame(PositionsChoice):
    """The query is the patch's place in the target's own frame (MAE, I-JEPA)."""

    kind: Literal["own"] = "own"
    first: Literal["row", "column"] = Field(
        default="row",
        description="coordinate in the first half of the sines; in the release of MAE the column",
    )

    def query(self, context: View, target: View, grid: Grid) -> Float[Tensor, "1 N 4"]:
        return own_places(grid, context.box.device)

    def shrunk(self, to: Sizes) -> "OwnFrame":
        return self.replace(first="row")

    def query_embedding(self, width: int) -> nn.Module:
        return FixedPlace(width, self.first)

    def own_embedding(self, width: int) -> nn.Module:
        return FixedPlace(width, self.first)


class RelativeOffset(PositionsChoice):
    """The query is the patch's centre in the context's frame, without its size."""

    kind: Literal["offset"] = "offset"

    def query(self, context: View, target: View, grid: Grid) -> Float[Tensor, "B N 4"]:
        places = relative_places(context, target, grid)
        return torch.cat([places[..., :2], torch.zeros_like(places[..., 2:])], dim=-1)


class RelativeScale(PositionsChoice):
    """The query is the patch's centre and size in the context's frame (SiameseIM)."""

    kind: Literal["relative"] = "relative"

    def query(self, context: View, target: View, grid: Grid) -> Float[Tensor, "B N 4"]:
        return relative_places(context, target, grid)


class LearnedPositions(PositionsChoice):
    """The places of `relative`, all embedded by a small network that learns how."""

    kind: Literal["learned"] = "learned"
    hidden: int = Field(
        default=64, ge=1, le=65_536, description="width of the embedding network's hidden layer"
    )

    def query(self, context: View, target: View, grid: Grid) -> Float[Tensor, "B N 4"]:
        return relative_places(context, target, grid)

    def query_embedding(self, width: int) -> nn.Module:
        return LearnedPlace(width, self.hidden)

    def own_embedding(self, width: int) -> nn.Module:
        return LearnedPlace(width, self.hidden)


Positions = Annotated[
    NoPositions | OwnFrame | RelativeOffset | RelativeScale | LearnedPositions,
    Field(discriminator="kind"),
]


def own_places(grid: Grid, device: torch.device | None = None) -> Float[Tensor, "1 N 4"]:
    """Return row and column of each patch, in patches, with sizes 0."""
    index = _index(patch_centres(grid, device), grid)
    return torch.cat([index, torch.zeros_like(index)], dim=-1)[None]


def relative_places(context: View, target: View, grid: Grid) -> Float[Tensor, "B N 4"]:
    """Return each target patch in the context's frame: y, x in patches, 10 ln of size ratios."""
    centres = patch_centres(grid, target.box.device).expand(len(target.box), -1, -1)
    where = _index(to_view(to_source(centres, target), context), grid)  # [B, N, 2]
    size = 10 * magnification(context, target).log()  # [B, 2]
    return torch.cat([where, size[:, None].expand_as(where)], dim=-1)


def sincos(places: Float[Tensor, "*B k"], width: int) -> Float[Tensor, "*B d"]:
    """Return sines and cosines of each coordinate at width / 4 frequencies; d = k · width / 2."""
    rate = torch.arange(width // 4, device=places.device, dtype=torch.float32)
    angle = places[..., None] * 10000 ** (-4 * rate / width)  # [*B, k, width / 4]
    return torch.stack([angle.sin(), angle.cos()], dim=-2).flatten(-3)


class FixedPlace(nn.Module):
    """Sine-cosine embedding of y and x, or of x and y, without parameters."""

    def __init__(self, width: int, first: str = "row"):
        super().__init__()
        self.width = width
        self.first = first

    def forward(self, places: Float[Tensor, "*B 4"]) -> Float[Tensor, "*B D"]:
        y_x = places[..., :2]
        return sincos(y_x if self.first == "row" else y_x.flip(-1), self.width)


class LinearPlace(nn.Module):
    """A learned linear layer on sines and cosines of all four coordinates (2 D numbers)."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width
        self.linear: nn.Linear = nn.Linear(2 * width, width)

    def forward(self, places: Float[Tensor, "*B 4"]) -> Float[Tensor, "*B D"]:
        return self.linear(sincos(places, self.width))


class LearnedPlace(nn.Module):
    """A two-layer network on the coordinates, in units of ten patches."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        layers = nn.Linear(4, hidden), nn.GELU(), nn.Linear(hidden, width)
        self.layers: nn.Sequential = nn.Sequential(*layers)

    def forward(self, places: Float[Tensor, "*B 4"]) -> Float[Tensor, "*B D"]:
        # bfloat16 is too coarse for coordinates
        with torch.autocast(places.device.type, enabled=False):
            return self.layers(places / 10)


class NoPlace(nn.Module):
    """The zero embedding of any place."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width

    def forward(self, places: Float[Tensor, "*B 4"]) -> Float[Tensor, "*B D"]:
        return places.new_zeros(*places.shape[:-1], self.width)


def _index(points: Float[Tensor, "*B 2"], grid: Grid) -> Float[Tensor, "*B 2"]:
    """Return fractions of a view in patch units: the centre of the first patch is 0."""
    return points * constant(grid, points.device) - 0.5
