"""Passes: the one door through which the probes of a suite send images through a model.

passes = Passes(model, inputs, batch, shelf)
passes.features(images)         # computed, or read where the shelf has them from an earlier probe

What decides the numbers makes the key on the shelf: the model, the very bytes of its images, size
and scale, layer and part, images per pass, precision, and the machine (versions, threads, kind of
processor).
"""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.geometry import View
from siamlab.machine.device import device_title, numbers_on
from siamlab.machine.shelf import Shelf
from siamlab.machine.shortage import check_free, free_memory
from siamlab.probe.attention import Profile
from siamlab.probe.attention_maps import BATCH, attention_profile, class_attention
from siamlab.probe.batches import Inputs, grid_of
from siamlab.probe.features import (
    Features,
    as_features,
    features_without_patches,
    tokens_of,
)
from siamlab.probe.layers import Part, block_patches, by_layer, residual_tokens
from siamlab.probe.suite.identity import content_of, identity

FORMAT = 1  # of the keys and of what is kept; another number, other files
Pixels = UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"]
Precision = Literal["float32", "bfloat16", "float16"]  # of the products of a pass
Compute = Callable[[], Sequence[Tensor]]


class Kept(NamedTuple):
    """The feature cache, and the model name it files under."""

    shelf: Shelf
    name: str = ""  # of the model, for `siamlab cache`


class Passes:
    """Images through one model. Features stay on the device where numbers are computed.

    In 16 bits (`precision`) only the model's own products are, by autocast: features come back in
    float32, and attention is always computed in it.
    """

    def __init__(
        self,
        model: nn.Module,
        inputs: Inputs,
        batch: int = 256,
        kept: Kept | None = None,
        precision: Precision = "float32",
    ) -> None:
        self.model: nn.Module = model
        self.inputs: Inputs = inputs
        self.batch: int = batch
        self.kept: Kept | None = kept
        self.precision: Precision = precision

    def features(self, images: Pixels) -> Features:
        """`siamlab.probe.features` of the images."""
        return self._features(images, self.inputs)

    def view_features(self, view: View) -> Features:
        """`siamlab.probe.view_features` of the view."""
        return self._features(view.image, self.inputs._replace(size=tuple(view.image.shape[2:])))

    def pooled(self, images: Pixels) -> Float[Tensor, "n D"]:
        """The mean of the patches of each image; no other token takes memory."""
        return self.features_without_patches(images).pooled

    def features_without_patches(self, images: Pixels) -> Features:
        """`siamlab.probe.features.features_without_patches` of the images."""
        how = self.inputs, self.batch
        compute = self._checked(lambda: features_without_patches(self.model, images, *how)[:2])
        pooled, cls = self._found("pooled and class token", images, self.inputs, compute)
        none = pooled.new_empty(len(pooled), 0, pooled.shape[1])
        return Features(pooled, cls, none, grid_of(self.model, self.inputs.size))

    def residual(self, images: Pixels) -> Features:
        """`siamlab.probe.residual_features` of the images."""
        tokens = self._passed("residual", images, self.inputs, residual_tokens)
        return as_features(self.model, tokens, self.inputs.size)

    def by_layer(self, images: Pixels, part: Part) -> list[Tensor]:
        """`siamlab.probe.by_layer` of the images."""
        how = self.inputs, self.batch
        compute = self._checked(lambda: by_layer(self.model, images, part, *how))
        return self._found(f"{part} by layer", images, self.inputs, compute)

    def blocks(self, images: Pixels, blocks: Sequence[int]) -> Float[Tensor, "n B N D"]:
        """`siamlab.probe.layers.block_patches` of the images: patches after some blocks only."""
        how = self.inputs, blocks, self.batch
        compute = self._checked(lambda: [block_patches(self.model, images, *how)])
        what = f"patches of blocks {', '.join(map(str, blocks))}"
        return self._found(what, images, self.inputs, compute)[0]

    def attention_profile(self, images: Pixels) -> Profile:
        """`siamlab.probe.attention_profile` of the images."""
        compute = lambda: attention_profile(self.model, images, self.inputs)  # noqa: E731
        what = f"attention, {BATCH} images a pass"
        return Profile(*self._found(what, images, self.inputs, compute))

    def class_attention(self, images: Pixels) -> Float[Tensor, "n heads N"]:
        """`siamlab.probe.class_attention` of the images in the last block."""
        compute = lambda: [class_attention(self.model, images, self.inputs)]  # noqa: E731
        what = f"class attention, {BATCH} images a pass"
        return self._found(what, images, self.inputs, compute)[0]

    def fits(self, images: int) -> bool:
        """Tell whether memory is free for the patches of so many images."""
        memory = free_memory(numbers_on(self._device).type == "cuda")
        return memory is None or self._patches(images) <= memory[0]

    def check_memory(self, images: int, what: str) -> None:
        """Raise UserError where memory is not free for the patches of so many images."""
        size = " × ".join(map(str, self.inputs.size))
        check_free(
            self._patches(images),
            f"the patches of {images:,} {what} of {size} pixels",
            "lower their size (--size) or their number (--images, --test-images)",
            numbers_on(self._device).type == "cuda",
        )

    def _patches(self, images: int) -> int:
        """Return the bytes of the patches of so many images, in float32."""
        cells = math.prod(grid_of(self.model, self.inputs.size))
        return 4 * images * cells * self.model.num_features

    def _features(self, images: Pixels, inputs: Inputs) -> Features:
        return as_features(
            self.model, self._passed("tokens", images, inputs, tokens_of), inputs.size
        )

    def _passed(
        self, what: str, images: Pixels, inputs: Inputs, function: Callable[..., Tensor]
    ) -> Tensor:
        compute = self._checked(lambda: [function(self.model, images, inputs, self.batch)])
        return self._found(what, images, inputs, compute)[0]

    def _checked(self, compute: Compute) -> Compute:
        """The same in the precision that is asked for; raises UserError for NaN and infinity."""

        def checked() -> Sequence[Tensor]:
            with self._lowered():
                found = compute()
            check_finite(type(self.model).__name__, found, self.precision)
            return found

        return checked

    def _lowered(self) -> AbstractContextManager[Any]:
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, getattr(torch, self.precision))

    def _found(self, what: str, images: Pixels, inputs: Inputs, compute: Compute) -> list[Tensor]:
        if self.kept is None or self._identity is None:
            return list(compute())
        protocol = {"what": what, "inputs": inputs, "batch": self.batch} | self._machine
        protocol |= told(self.precision)
        key = _key(protocol, images)
        found = self.kept.shelf.kept(self._identity, key, self.kept.name, compute)
        return [tensor.to(numbers_on(self._device)) for tensor in found]

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    @cached_property
    def _identity(self) -> str | None:
        return identity(self.model)

    @cached_property
    def _machine(self) -> dict[str, Any]:
        """Return everything else that affects rounding: versions and processor."""
        if self._device.type != "cpu":
            return {"format": FORMAT, "on": device_title(self._device)}
        kind, threads = torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()
        return {"format": FORMAT, "on": kind, "threads": threads}


def check_finite(name: str, features: Sequence[Tensor], precision: Precision) -> None:
    """Refuse features of a model that are NaN or infinite, before they are kept."""
    # the least and the largest number are NaN if any is: no copy, as isfinite of all has
    if all(torch.stack(torch.aminmax(part)).isfinite().all() for part in features if len(part)):
        return
    if precision == "float16":  # its largest number is 65,504
        raise UserError(f"features of {name} exceed float16; choose --precision bfloat16")
    raise UserError(
        f"features of {name} are not finite (NaN or infinite), so they say nothing: training has "
        "diverged, or the weights are broken; leave the model out, download its file again or, if "
        "it is a run of yours, train it again with a lower learning rate"
    )


def told(precision: Precision) -> dict[str, Any]:
    """What a protocol says of the precision of features: nothing of float32."""
    return {} if precision == "float32" else {"precision": precision}


def _key(protocol: dict[str, Any], images: Tensor) -> str:
    text = json.dumps(protocol | {"dtype": str(images.dtype), "shape": list(images.shape)})
    digest = hashlib.sha256(text.encode())
    digest.update(content_of(images))
    return digest.hexdigest()[:24]
