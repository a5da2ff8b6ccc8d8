"""Positions: what the encoder knows of a patch's place, and what the predictor is asked for.

    places = positions(context, target, grid)           # Places(own, query)
    tokens = tokens + positions.own(width)(places.own)  # the modules that embed them

A place is (y, x, s_h, s_w): patch units, 0 at the centre of the first patch, and ten times the
logarithm of the height and width ratio of the two views (0 in a view's own frame).
"""

from typing import Annotated, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from siamlab.component import Component
from siamlab.constant import constant
from siamlab.geometry import Grid, View, magnification, patch_centres, to_source, to_view


class Places(NamedTuple):
    own: Float[Tensor, "1 N 4"]  # every patch in its own view's frame
    query: Float[Tensor, "b N 4"]  # every target patch, as the predictor is told; b = B or 1


class NoPositions(Component):
    """The query is told nothing; the encoder still knows its own grid."""

    kind: Literal["none"] = "none"

    def __call__(self, context: View, target: View, grid: Grid) -> Places:
        own = own_places(grid, context.box.device)
        return Places(own, own)

    def own(self, width: int) -> nn.Module:
        return FixedPlace(width)

    def query(self, width: int) -> nn.Module:
        return NoPlace(width)


class OwnFrame(Component):
    """The query is its place in the target's own frame (MAE, I-JEPA)."""

    kind: Literal["own"] = "own"

    def __call__(self, context: View, target: View, grid: Grid) -> Places:
        own = own_places(grid, context.box.device)
        return Places(own, own)

    def own(self, width: int) -> nn.Module:
        return FixedPlace(width)

    def query(self, width: int) -> nn.Module:
        return FixedPlace(width)


class RelativeOffset(Component):
    """The query is where its centre lies in the context's frame; its size is not told."""

    kind: Literal["offset"] = "offset"

    def __call__(self, context: View, target: View, grid: Grid) -> Places:
        query = relative_places(context, target, grid)
        unsized = torch.cat([query[..., :2], torch.zeros_like(query[..., 2:])], dim=-1)
        return Places(own_places(grid, context.box.device), unsized)

    def own(self, width: int) -> nn.Module:
        return FixedPlace(width)

    def query(self, width: int) -> nn.Module:
        return LinearPlace(width)


class RelativeScale(Component):
    """The query is where it lies in the context's frame and how large it is there (SiameseIM)."""

    kind: Literal["relative"] = "relative"

    def __call__(self, context: View, target: View, grid: Grid) -> Places:
        own = own_places(grid, context.box.device)
        return Places(own, relative_places(context, target, grid))

    def own(self, width: int) -> nn.Module:
        return FixedPlace(width)

    def query(self, width: int) -> nn.Module:
        return LinearPlace(width)


class LearnedPositions(Component):
    """As `relative`, but a small network learns how to embed the coordinates."""

    kind: Literal["learned"] = "learned"
    hidden: int = Field(64, ge=1, description="width of the embedding network's hidden layer")

    def __call__(self, context: View, target: View, grid: Grid) -> Places:
        own = own_places(grid, context.box.device)
        return Places(own, relative_places(context, target, grid))

    def own(self, width: int) -> nn.Module:
        return LearnedPlace(width, self.hidden)

    def query(self, width: int) -> nn.Module:
        return LearnedPlace(width, self.hidden)


Positions = Annotated[
    NoPositions | OwnFrame | RelativeOffset | RelativeScale | LearnedPositions,
    Field(discriminator="kind"),
]


def own_places(grid: Grid, device: torch.device | None = None) -> Float[Tensor, "1 N 4"]:
    """Row and column of each patch, in patches; sizes 0."""
    index = _index(patch_centres(grid, device), grid)
    return torch.cat([index, torch.zeros_like(index)], dim=-1)[None]


def relative_places(context: View, target: View, grid: Grid) -> Float[Tensor, "B N 4"]:
    """Each target patch in the context's frame: y, x in context patches, 10 ln of the sizes."""
    centres = patch_centres(grid, target.box.device).expand(len(target.box), -1, -1)
    where = _index(to_view(to_source(centres, target), context), grid)  # [B, N, 2]
    size = 10 * magnification(context, target).log()  # [B, 2]
    return torch.cat([where, size[:, None].expand_as(where)], dim=-1)


def sincos(places: Float[Tensor, "*B k"], width: int) -> Float[Tensor, "*B d"]:
    """Sines and cosines of each coordinate at width / 4 frequencies; d = k · width / 2."""
    rate = torch.arange(width // 4, device=places.device, dtype=torch.float32)
    angle = places[..., None] * 10000 ** (-4 * rate / width)  # [*B, k, width / 4]
    return torch.stack([angle.sin(), angle.cos()], dim=-2).flatten(-3)


class FixedPlace(nn.Module):
    """Sine-cosine table of y and x, nothing learned."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width

    def forward(self, places: Float[Tensor, "*B 4"]) -> Float[Tensor, "*B D"]:
        return sincos(places[..., :2], self.width)


class LinearPlace(nn.Module):
    """Sines and cosines of all four coordinates (2 D numbers), then a learned linear layer."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width
        self.linear = nn.Linear(2 * width, width)

    def forward(self, places: Float[Tensor, "*B 4"]) -> Float[Tensor, "*B D"]:
        return self.linear(sincos(places, self.width))


class LearnedPlace(nn.Module):
    """A two-layer network on the coordinates, in units of ten patches."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, places: Float[Tensor, "*B 4"]) -> Float[Tensor, "*B D"]:
        with torch.autocast(places.device.type, enabled=False):  # 8 bits would blur a place
            return self.layers(places / 10)


class NoPlace(nn.Module):
    """Zero everywhere."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width

    def forward(self, places: Float[Tensor, "*B 4"]) -> Float[Tensor, "*B D"]:
        return places.new_zeros(*places.shape[:-1], self.width)


def _index(points: Float[Tensor, "*B 2"], grid: Grid) -> Float[Tensor, "*B 2"]:
    """Fractions of a view as patch indices: the centre of the first patch is 0."""
    return points * constant(grid, points.device) - 0.5
