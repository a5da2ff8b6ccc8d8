"""The model that is fine-tuned: a copy of an encoder with a new head, in the layers of its blocks.

classifier = Classifier(model, classes=10, drop_path=0.1)
"""

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from siamlab.probe.features import late_norm
from siamlab.probe.linear import EPS

BLOCK = re.compile(r"encoder\.blocks\.(\d+)\.")
HEAD = 2e-5  # standard deviation of the initial weights, as in MAE: all classes start equal
LINEAR = 0.01  # the same for its linear probe: LARS takes steps in proportion to the weights


class Classifier(nn.Module):
    """A norm and a linear layer on the mean patch token of a copied timm vision transformer.

    `norm`, as in MAE: "layer" (fine-tuning) replaces the encoder's own last norm by a LayerNorm
    after the mean; "batch" (linear probe) keeps it and adds a BatchNorm without weights. `frozen`:
    the encoder neither learns nor drops paths.
    """

    def __init__(
        self,
        encoder: nn.Module,
        classes: int,
        drop_path: float,
        norm: Literal["layer", "batch"] = "layer",
        frozen: bool = False,
    ):
        super().__init__()
        self.encoder: nn.Module = deepcopy(encoder).requires_grad_(not frozen)
        self.frozen: bool = frozen
        if norm == "layer":
            self.encoder.norm = nn.Identity()
        _set_drop_path(self.encoder.blocks, drop_path)
        width, device = encoder.num_features, next(encoder.parameters()).device
        head = tuned_head(width, classes) if norm == "layer" else linear_head(width, classes)
        self.head: nn.Sequential = head.to(device)
        self._late = norm == "batch"

    def forward(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C"]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            tokens = self.encoder.forward_features(x)  # [B, T, D]
            if self._late:
                tokens = late_norm(self.encoder)(tokens)
        return self.head(tokens[:, self.encoder.num_prefix_tokens :].mean(dim=1))

    def train(self, mode: bool = True) -> "Classifier":
        """Switch the head, and the encoder unless it is frozen, to training."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def group_matcher(self, coarse: bool = False) -> Callable[[str], int]:
        """Return each parameter's layer, for timm: embedding 0, blocks from 1, the head last."""
        return self._layer

    def no_weight_decay(self) -> set[str]:
        """Return the position tables and prefix tokens, for timm."""
        return {f"encoder.{name}" for name in self.encoder.no_weight_decay()}

    def _layer(self, parameter: str) -> int:
        if parameter.startswith("head."):
            return len(self.encoder.blocks) + 1
        block = BLOCK.match(parameter)
        return 1 + int(block[1]) if block else 0


def tuned_head(width: int, classes: int) -> nn.Sequential:
    """A LayerNorm and a linear layer, as MAE fine-tunes."""
    return _begun(nn.LayerNorm(width), nn.Linear(width, classes), HEAD)


def linear_head(width: int, classes: int) -> nn.Sequential:
    """A BatchNorm without weights and a linear layer, as MAE's linear probe."""
    return _begun(nn.BatchNorm1d(width, EPS, affine=False), nn.Linear(width, classes), LINEAR)


def _begun(norm: nn.Module, layer: nn.Linear, deviation: float) -> nn.Sequential:
    nn.init.trunc_normal_(layer.weight, std=deviation)
    nn.init.zeros_(layer.bias)
    return nn.Sequential(norm, layer)


def _set_drop_path(blocks: nn.Sequential | nn.ModuleList, largest: float) -> None:
    """Set stochastic depth at a rate that grows linearly from 0 in the first block to `largest`."""
    from timm.layers import DropPath, calculate_drop_path_rates

    for block, rate in zip(blocks, calculate_drop_path_rates(largest, len(blocks)), strict=True):
        for name, _ in list(block.named_children()):
            if name.startswith("drop_path"):
                setattr(block, name, DropPath(rate) if rate else nn.Identity())
