"""Encoder: a timm vision transformer that encodes the visible patches.

    seen = encoder(context.image, places.own, mask.visible)     # [B, prefix + V, D]

Position tables are not timm's: the positions axis decides what the encoder knows.
"""

from copy import deepcopy
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from siamlab.geometry import Grid
from siamlab.model.backbone import BackboneChoice
from siamlab.model.blocks import Chosen, every_patch, initialise, pick, through, without_drop_path
from siamlab.model.standard import MEAN, STD
from siamlab.positions import PositionsChoice, own_places

ALL = slice(None)  # tokens


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
        self.register_buffer("kept", own if backbone.starts_from else None)
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
