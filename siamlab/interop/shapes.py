"""Shapes: an encoder's tensors that are no weights, or that no vision transformer has, refused.

check_weights(weights, path)        # names are timm's; before sizes are taken from them
"""

import re
from pathlib import Path

from torch import Tensor

from siamlab.component import UserError
from siamlab.interop.vit_sizes import WAY
from siamlab.machine.wording import described, unusual

TOKENS = r"(cls_token|register_tokens|reg_token|pos_embed)$"
SHAPES = (  # pattern of a name, numbers of dimensions that it may have, and what they are
    (r"patch_embed\.proj\.weight$", (4, 5), "[width, 3, rows, columns]"),
    (r"pos_embed$", (2, 3), "[1, places, width]"),
    (r"cls_token$", (1, 2, 3), "[1, 1, width]"),
    (r"(register_tokens|reg_token)$", (3,), "[1, registers, width]"),
    (r"blocks\.\d+\.(attn|mlp)\.\w+\.weight$", (1, 2), "[outputs, inputs]"),
    (r"blocks\.\d+\.(attn\.(qkv|query|key|value|proj)|mlp\.fc[12])\.weight$", (2,),
     "[outputs, inputs]"),
    (r".*relative_position_bias_table$", (2,), "[places, heads]"),
)  # fmt: skip
QUERY = re.compile(r"(.*\.attn\.)(q|query)(\.weight|\.bias)$")
KEY, VALUE = {"q": "k", "query": "key"}, {"q": "v", "query": "value"}


def check_weights(weights: dict[str, Tensor], path: Path) -> None:
    """Raise UserError for a tensor that is no plain float, or whose shape is that of none there."""
    check_floats(weights, path)
    for key, value in weights.items():
        for pattern, dimensions, expected in SHAPES:
            if re.match(pattern, key) and value.ndim not in dimensions:
                raise _other(key, value, expected, path)
    width = len(weights["patch_embed.proj.weight"])
    for key, value in weights.items():
        if re.match(TOKENS, key) and value.shape[-1] != width:
            raise _other(key, value, f"the width of patch_embed.proj.weight, {width}, last", path)
        if (part := QUERY.match(key)) and (other := _unlike(weights, part)):
            raise _other(other, weights[other], f"the shape of {key}, {list(value.shape)}", path)
    _check_perceptrons(weights, path)


def check_floats(weights: dict[str, Tensor], path: Path) -> None:
    """Raise UserError for whole, complex, quantised, sparse or missing numbers, named by key."""
    for key, value in weights.items():
        if not value.is_floating_point() or unusual(value) or 0 in value.shape:
            raise UserError(
                f"{path} holds {key} as {described(value)}, but weights are floats, one or more; "
                "save the network's own weights, neither quantised nor sparse"
            )


def _unlike(weights: dict[str, Tensor], part: re.Match[str]) -> str | None:
    """Return the name of keys or values that have another shape than their queries."""
    own = weights[part[0]].shape
    others = (f"{part[1]}{names[part[2]]}{part[3]}" for names in (KEY, VALUE))
    return next((key for key in others if key in weights and weights[key].shape != own), None)


def _check_perceptrons(weights: dict[str, Tensor], path: Path) -> None:
    """Raise UserError where a second layer cannot read what the first one gives, gated or not."""
    for key, first in weights.items():
        second = weights.get(key.replace(".fc1.", ".fc2."))
        if not re.match(r"blocks\.\d+\.mlp\.fc1\.weight$", key) or second is None:
            continue
        if len(first) not in (second.shape[1], 2 * second.shape[1]):
            raise _other(
                key, first, f"{second.shape[1]} outputs, which fc2 reads, or twice as many", path
            )


def _other(key: str, value: Tensor, expected: str, path: Path) -> UserError:
    return UserError(
        f"{path} holds {key} as {described(value)}; expected {expected}: it is damaged or another "
        f"architecture; copy it again, or, {WAY}"
    )
