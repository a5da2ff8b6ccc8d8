"""Heads: the networks of a prediction, a projector (copied by a momentum target) and a predictor.

tokens = project(tokens, prefix)                    # [B, prefix + V, d] or [B, 1, d]
pred = predict(tokens, prefix, places, mask)        # [B, P, G] or [B, 1, G]
goal = project.goal(tokens, prefix, mask.predict)   # the same rows of a target's tokens
"""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from siamlab.mask import Mask, MaskIndex
from siamlab.model.blocks import (
    EPSILON,
    Chosen,
    initialise,
    layer_norm,
    perceptron,
    pick,
    through,
    transformer,
)
from siamlab.positions import Places, PositionsChoice

Tokens = Float[Tensor, "B M D"]  # what an encoder or a projector returns
Asked = Float[Tensor, "B P G"]  # a prediction or goal; P = 1 where it is of the whole image
Patches = Mask | MaskIndex


class DenseProjector(nn.Module):
    """A `DenseDecoder`'s Linear to its width and blocks; the identity where it has neither."""

    def __init__(self, head: Any, encoder_width: int):
        super().__init__()
        self.layers: nn.Module = nn.Identity()
        if head.projects:
            linear, norm = nn.Linear(encoder_width, head.width), head.norm
            initialise(linear)
            norm = norm if head.projector_norm == "same" else head.projector_norm
            sizes = head.projector, head.width, head.heads
            self.layers = nn.Sequential(linear, transformer(*sizes, norm, head.batch_epsilon))

    def forward(self, tokens: Tokens, prefix: int) -> Float[Tensor, "B m d"]:
        return self.layers(tokens)

    def goal(self, projected: Tokens, prefix: int, predict: Chosen) -> Asked:
        return pick(projected[:, prefix:], predict)


class DensePredictor(nn.Module):
    """A `DenseDecoder` over [prefix, visible + own place, one mask token per query + its place]."""

    def __init__(self, head: Any, encoder_width: int, goal_width: int, positions: PositionsChoice):
        super().__init__()
        width = head.width
        self.embed: nn.Module = nn.Identity() if head.projects else nn.Linear(encoder_width, width)
        self.place: nn.Module = positions.own_embedding(width)
        self.query: nn.Module = positions.query_embedding(width)
        self.mask_token: nn.Parameter = nn.Parameter(0.02 * torch.randn(width))
        self.blocks: nn.Sequential = transformer(
            head.depth, width, head.heads, head.norm, head.batch_epsilon
        )
        self.norm: nn.Module = (
            nn.LayerNorm(width, EPSILON) if head.end == "layer" else nn.Identity()
        )
        self.out: nn.Linear = nn.Linear(width, goal_width)
        self.normalise: str = head.normalise
        for module in (self.embed, self.query, self.out):
            module.apply(initialise)

    def forward(self, projected: Tokens, prefix: int, places: Places, mask: Patches) -> Asked:
        tokens = self.embed(projected)  # [B, prefix + V, D]
        own = self.place(places.own).to(tokens.dtype).expand(len(tokens), -1, -1)
        seen = tokens[:, prefix:] + pick(own, mask.visible)
        query = self.query(places.query).to(tokens.dtype).expand(len(tokens), -1, -1)
        asked = self.mask_token.to(tokens.dtype) + pick(query, mask.predict)  # [B, P, D]
        tokens = torch.cat([tokens[:, :prefix], seen, asked], dim=1)
        tokens = through(self.blocks, tokens, slice(-asked.shape[1], None))  # [B, P, D]
        prediction = self.out(self.norm(tokens))
        return layer_norm(prediction) if self.normalise == "layer" else prediction


class PatchTokens(nn.Module):
    """The encoder's patch tokens, unchanged."""

    def forward(self, tokens: Tokens, prefix: int) -> Float[Tensor, "B m d"]:
        return tokens[:, prefix:]

    def goal(self, projected: Tokens, prefix: int, predict: Chosen) -> Asked:
        return pick(projected, predict)


class LinearPredictor(nn.Module):
    """One linear layer on the predicted patches."""

    def __init__(self, encoder_width: int, goal_width: int):
        super().__init__()
        self.out: nn.Linear = nn.Linear(encoder_width, goal_width)

    def forward(self, projected: Tokens, prefix: int, places: Places, mask: Patches) -> Asked:
        return self.out(pick(projected, mask.predict))


class GlobalProjector(nn.Module):
    """Class token or mean patch, then a perceptron: [B, 1, width]."""

    def __init__(self, pool: Literal["class", "mean"], sizes: list[int], end: str):
        super().__init__()
        self.layers: nn.Sequential = perceptron(sizes, end)
        self.pool = pool

    def forward(self, tokens: Tokens, prefix: int) -> Float[Tensor, "B m d"]:
        return self.layers(pooled(tokens, prefix, self.pool))

    def goal(self, projected: Tokens, prefix: int, predict: Chosen) -> Asked:
        return projected


class GlobalPredictor(nn.Module):
    """A perceptron on the projection."""

    def __init__(self, layers: nn.Module):
        super().__init__()
        self.layers = layers

    def forward(self, projected: Tokens, prefix: int, places: Places, mask: Patches) -> Asked:
        return self.layers(projected)


def pooled(tokens: Tokens, prefix: int, pool: str) -> Float[Tensor, "B 1 D"]:
    """Return the class token, or the mean over patches."""
    return tokens[:, :1] if pool == "class" else tokens[:, prefix:].mean(dim=1, keepdim=True)
