"""Adapter: any network, convolutional ones too, as a model whose features are a grid of tokens.

net = timm.create_model("resnet18", num_classes=0, global_pool="")
open_models([TokenGrid(net), "zoo:mae"], size=64)
"""

import math
from collections.abc import Callable, Sequence
from math import isqrt
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.geometry import Grid
from siamlab.interop.layout import IMAGENET, Triple, is_triple
from siamlab.machine.shortage import explain_shortage
from siamlab.machine.wording import described


class TokenGrid(nn.Module):
    """A network with what probes ask of timm's vision transformers.

    `network(x)` must return a map [B, D, rows, columns], or tokens [B, prefix + rows · columns, D]
    of a square grid; of a tuple the first part counts, of transformers' outputs
    `last_hidden_state`. `output` takes them out of anything else. `size` is the side of the images
    in pixels, `mean` and `std` those of their colours (the network's own as in timm, or
    ImageNet's). `blocks` names the modules that count as layers, as ("layer3", "layer4"), and
    returns maps or tokens as the network does; larger maps are averaged to its grid.
    """

    def __init__(
        self,
        network: nn.Module,
        size: int | Grid = 224,
        prefix: int = 0,
        blocks: Sequence[str] = (),
        mean: Triple | None = None,
        std: Triple | None = None,
        output: Callable[[Any], Tensor] | None = None,
        name: str = "",
    ):
        super().__init__()
        size = (size, size) if isinstance(size, int) else size
        _check(network, size, mean, std, output)
        self.network: nn.Module = network
        self.name: str = name or type(network).__name__
        self.num_prefix_tokens: int = prefix  # a class token first, then registers
        self.cls_token: str | None = "of the network" if prefix else None
        self.blocks: list[nn.Module] = self._named(blocks)  # not registered a second time
        self.norm: nn.Module = nn.Identity()
        self.output: Callable[[Any], Tensor] = output or _first
        own = getattr(network, "pretrained_cfg", None) or {}
        colours = mean or own.get("mean", IMAGENET[0]), std or own.get("std", IMAGENET[1])
        self.pretrained_cfg: dict[str, Any] = dict(zip(("mean", "std"), colours, strict=True))
        self.patch_embed: Patches = Patches()
        if next(network.parameters(), None) is None:  # something must say where the model lies
            self.here: nn.Parameter = nn.Parameter(torch.empty(0), requires_grad=False)
        self.num_features: int = 0
        self.set_input_size(size)

    def set_input_size(self, size: Grid) -> None:
        """Take images of this size from now on; raises UserError if the network cannot."""
        parameter = next(self.parameters(), torch.empty(0))
        with explain_shortage(
            f"give a smaller size than {list(size)}: TokenGrid(network, size=...)"
        ):
            image = torch.zeros(2, 3, *size, device=parameter.device, dtype=parameter.dtype)
        modes = {module: module.training for module in self.modules()}
        try:
            with torch.no_grad():
                tokens, grid = self._tokens(self.eval().network(image))
        except (RuntimeError, AssertionError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(
                f"{self.name} takes no images of {size[0]} × {size[1]} pixels "
                f"({str(error).splitlines()[0]}); give its size: TokenGrid(network, size=...)"
            ) from None
        finally:
            for module, training in modes.items():
                module.training = training
        self.num_features = tokens.shape[-1]
        self.patch_embed.fit(size, grid)
        self.pretrained_cfg = self.pretrained_cfg | {"input_size": (3, *size)}

    def forward(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B T D"]:
        """Return the tokens, as `forward_features`."""
        return self.forward_features(x)

    def forward_features(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B T D"]:
        """Return prefix tokens, then those of the grid, row by row."""
        return self._tokens(self.network(x))[0]

    def forward_intermediates(
        self,
        x: Float[Tensor, "B 3 H W"],
        indices: int | None = None,
        return_prefix_tokens: bool = False,
        **options: Any,
    ) -> list[Any]:
        """Return the tokens after each of the blocks, or after the last `indices` of them."""
        outputs: list[Any] = []
        keep = lambda *args: outputs.append(args[2])  # noqa: E731
        hooks = [block.register_forward_hook(keep) for block in self.blocks]
        try:
            self.network(x)
        finally:
            for hook in hooks:
                hook.remove()
        tokens = [self._tokens(out, self.patch_embed.grid_size)[0] for out in outputs]
        chosen, prefix = tokens[-(indices or 0) :], self.num_prefix_tokens
        return [(t[:, prefix:], t[:, :prefix]) if return_prefix_tokens else t for t in chosen]

    def no_weight_decay(self) -> set[str]:
        """Return no names: every weight of another network decays in fine-tuning."""
        return set()

    def _named(self, blocks: Sequence[str]) -> list[nn.Module]:
        known = dict(self.network.named_modules())
        for block in blocks:
            if block not in known:
                tops = ", ".join(name for name, _ in self.network.named_children())
                raise UserError(f"{self.name} has no module {block!r} for blocks; it has {tops}")
        return [known[block] for block in blocks] or [self.network]

    def _tokens(self, out: Any, grid: Grid | None = None) -> tuple[Float[Tensor, "B T D"], Grid]:
        """Return tokens and their grid; a map is averaged to `grid`."""
        out, prefix = self.output(out), self.num_prefix_tokens
        shape = list(out.shape) if isinstance(out, Tensor) else described(out)
        if isinstance(out, Tensor) and out.ndim == 4 and prefix == 0:
            out = out if grid is None else F.adaptive_avg_pool2d(out, grid)
            return out.flatten(2).mT, tuple(out.shape[2:])
        if isinstance(out, Tensor) and out.ndim == 3:
            side = isqrt(max(out.shape[1] - prefix, 0))
            if side and side**2 + prefix == out.shape[1]:
                return out, (side, side)
        raise UserError(
            f"{self.name} returns {shape}; expected a map [B, D, rows, columns], or prefix="
            f"{prefix} and a square number of tokens [B, T, D]: leave out its pooling and head, or "
            "give output=function"
        )


class Patches(nn.Module):
    """The grid of a network, as timm's patch embedding describes it."""

    img_size: Grid
    grid_size: Grid
    patch_size: Grid  # pixels from one token to the next

    def fit(self, size: Grid, grid: Grid) -> None:
        """Describe `grid` tokens of an image of `size` pixels."""
        self.img_size, self.grid_size = tuple(size), tuple(grid)
        self.patch_size = tuple(-(-side // n) for side, n in zip(size, grid, strict=True))

    def dynamic_feat_size(self, size: Grid) -> Grid:
        """Return the grid of an image of `size` pixels."""
        if tuple(size) == self.img_size:
            return self.grid_size
        return tuple(-(-side // patch) for side, patch in zip(size, self.patch_size, strict=True))


def _first(out: Any) -> Any:
    """Return the features of what a network returned."""
    out = getattr(out, "last_hidden_state", out)
    return out[0] if isinstance(out, tuple | list) else out


def _check(network: Any, size: Any, mean: Any, std: Any, output: Any) -> None:
    """Raise UserError for arguments that no network could have."""
    if not isinstance(network, nn.Module):
        raise UserError(f"TokenGrid takes a network, a torch module, not {network!r}")
    sides = list(size) if isinstance(size, tuple | list) else [size]
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise UserError(
            f"size={size!r} must be one or two whole numbers of pixels, such as 224 or (224, 160)"
        )
    for name, colours, least in (("mean", mean, -math.inf), ("std", std, 0.0)):
        if colours is not None and not is_triple(colours, least):
            above = " above 0" if least == 0 else ""
            raise UserError(
                f"{name}={colours!r} must be three numbers{above}, of red, green and blue in 0..1"
            )
    if output is not None and not callable(output):
        raise UserError(
            f"output={output!r} must be a function of what the network returns, as "
            "output=lambda found: found.last_hidden_state"
        )
