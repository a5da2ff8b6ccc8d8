"""Adapter: any network, convolutional ones too, as a model whose features are a grid of tokens.

net = timm.create_model("resnet18", num_classes=0, global_pool="")
open_models([TokenGrid(net), "zoo:mae"], size=64)
"""

from collections.abc import Callable, Sequence
from math import gcd, isqrt, prod
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.geometry import Grid
from siamlab.interop.adapter_arguments import check_arguments, check_grid
from siamlab.interop.layout import IMAGENET, Triple
from siamlab.machine.shortage import explain_shortage
from siamlab.machine.wording import described


class TokenGrid(nn.Module):
    """A network with what probes ask of timm's vision transformers.

    `network(x)` must return a map [B, D, rows, columns], or tokens [B, prefix + rows · columns, D]
    row by row; of a tuple the first part counts, of transformers' outputs `last_hidden_state`.
    `output` takes them out of anything else. `size` is the side of the images in pixels, or height
    and width, `mean` and `std` those of their colours (the network's own as in timm, or
    ImageNet's). `grid` is the rows and columns of the tokens of such an image, without which they
    must be those of a square; at another size they are as many more as the image is larger.
    `blocks` names the modules that count as layers, as ("layer3", "layer4"), and returns maps or
    tokens as the network does; larger maps are averaged to its grid.
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
        grid: Grid | None = None,
    ):
        super().__init__()
        size = (size, size) if isinstance(size, int) else size
        check_arguments(network, size, mean, std, output)
        check_grid(grid, size)
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
        self.given: bool = grid is not None  # whether the grid was told, and not found
        self.first: tuple[Grid, Grid] | None = (tuple(size), tuple(grid)) if grid else None
        self.set_input_size(size)

    def set_input_size(self, size: Grid) -> None:
        """Take images of this size from now on; raises UserError if the network cannot."""
        parameter = next(self.parameters(), torch.empty(0))
        with explain_shortage(
            f"give a smaller size than {list(size)}: TokenGrid(network, size=...)"
        ):
            image = torch.zeros(2, 3, *size, device=parameter.device, dtype=parameter.dtype)
        self._expected(size)
        modes = {module: module.training for module in self.modules()}
        try:
            with torch.no_grad():
                tokens, grid = self._tokens(self.eval().network(image), size)
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
        self.first = self.first or (tuple(size), grid)
        self.num_features = tokens.shape[-1]
        self.patch_embed.fit(size, grid)
        self.pretrained_cfg = self.pretrained_cfg | {"input_size": (3, *size)}

    def forward(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B T D"]:
        """Return the tokens, as `forward_features`."""
        return self.forward_features(x)

    def forward_features(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B T D"]:
        """Return prefix tokens, then those of the grid, row by row."""
        return self._tokens(self.network(x), tuple(x.shape[2:]))[0]

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
        size, grid = tuple(x.shape[2:]), self.patch_embed.grid_size
        tokens = [self._tokens(out, size, grid)[0] for out in outputs]
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

    def _tokens(
        self, out: Any, size: Grid, to: Grid | None = None
    ) -> tuple[Float[Tensor, "B T D"], Grid]:
        """Return the tokens of images of this size and their grid; a map is averaged to `to`."""
        out, prefix = self.output(out), self.num_prefix_tokens
        if isinstance(out, Tensor) and out.ndim == 4 and prefix == 0:
            self._check_map(tuple(out.shape[2:]), size, to)
            out = out if to is None else F.adaptive_avg_pool2d(out, to)
            return out.flatten(2).mT, tuple(out.shape[2:])
        if isinstance(out, Tensor) and out.ndim == 3:
            if grid := self._grid_of(out.shape[1] - prefix, size, to):
                return out, grid
        shape = list(out.shape) if isinstance(out, Tensor) else described(out)
        raise UserError(
            f"{self.name} returns {shape}; expected {self._wanted(size)}: leave out its pooling "
            "and head, or give output=function"
        )

    def _grid_of(self, tokens: int, size: Grid, to: Grid | None) -> Grid | None:
        """Return the grid of so many tokens; None where it is not known."""
        for grid in (to, self._expected(size)):
            if grid and prod(grid) == tokens:
                return grid
        side = isqrt(max(tokens, 0))
        square = not self.given and size[0] == size[1] and side and side**2 == tokens
        return (side, side) if square else None

    def _expected(self, size: Grid) -> Grid | None:
        """Return the grid at this size that follows from the first one, if it is whole.

        Raises UserError if it is not, and was given.
        """
        if self.first is None:
            return None
        sides, grid = self.first
        if all(new * n % old == 0 for new, n, old in zip(size, grid, sides, strict=True)):
            return tuple(new * n // old for new, n, old in zip(size, grid, sides, strict=True))
        if self.given:
            steps = (old // gcd(old, n) for old, n in zip(sides, grid, strict=True))
            raise UserError(
                f"{self.name} with grid={grid} at {sides[0]} × {sides[1]} pixels takes sides that "
                f"are multiples of {' and '.join(map(str, steps))} pixels; got "
                f"{size[0]} × {size[1]}"
            )
        return None

    def _check_map(self, found: Grid, size: Grid, to: Grid | None) -> None:
        """Raise UserError where the network's map has another grid than was given."""
        if self.given and to is None and found != self._expected(size):
            raise UserError(
                f"{self.name} returns a map of {found[0]} × {found[1]}; leave out "
                f"grid={self.first[1]}, which is for tokens"
            )

    def _wanted(self, size: Grid) -> str:
        prefix = self.num_prefix_tokens
        if self.given:
            rows, columns = self._expected(size)
            return (
                f"prefix={prefix} and {rows} × {columns} tokens [B, {prefix + rows * columns}, D]"
            )
        return (
            f"a map [B, D, rows, columns], or prefix={prefix} and a square number of tokens "
            "[B, T, D] of a square image (of others: grid=(rows, columns))"
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
