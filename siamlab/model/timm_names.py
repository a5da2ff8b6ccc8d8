"""timm's transformers by name: which there are, their sizes, and frozen ones for a target.

vit = frozen_transformer("vit_base_patch16_224.mae", "pretrained")
"""

from contextlib import nullcontext
from functools import lru_cache
from typing import Literal, NamedTuple

import timm
import torch
from torch import nn

from siamlab.component import UserError, unknown
from siamlab.interop.weights import means_weights, open_weights
from siamlab.machine.network import cached_if_offline


@lru_cache(maxsize=1)
def frozen_transformer(name: str, weights: Literal["pretrained", "random", "shape"]) -> nn.Module:
    """Return a transformer by timm's name, or by that of its weights; it is not to be changed.

    "shape" needs no memory for weights of timm. Raises UserError when weights cannot be loaded.
    """
    if means_weights(name):
        opened = open_weights(name)
        return opened.start() if weights == "random" else opened.model
    hub = cached_if_offline() if weights == "pretrained" else nullcontext()
    with torch.device("meta" if weights == "shape" else "cpu"), hub:
        try:
            return timm.create_model(name, num_classes=0, pretrained=weights == "pretrained")
        except Exception as error:
            if weights != "pretrained":
                raise
            raise UserError(
                f"target.name={name!r}: its weights cannot be loaded "
                f"({str(error).splitlines()[0]}); connect to the network, or set "
                "target.weights=random"
            ) from None


def known_tag(name: str) -> str:
    """Return the name of a timm model, which may end in the tag of its weights.

    Raises ValueError for an architecture or a tag that timm does not have.
    """
    architecture, dot, _ = name.partition(".")
    if architecture not in vision_transformers():
        raise ValueError(unknown("timm has no vision transformer", name, vision_transformers()))
    tagged = timm.list_pretrained(f"{architecture}.*")
    if dot and name not in tagged:
        raise ValueError(unknown("timm has no weights", name, tagged))
    return name


@lru_cache
def vision_transformers() -> tuple[str, ...]:
    """Return timm's architectures that siamlab can train, with registers or rotary places too."""
    return tuple(
        name
        for name in timm.list_models(module="vision_transformer") + timm.list_models(module="eva")
        if "rope_mixed" not in name
    )


class TimmSizes(NamedTuple):
    width: int
    depth: int
    patch: int
    heads: int
    class_token: bool


@lru_cache
def timm_sizes(name: str) -> TimmSizes:
    """Return what the architecture of this name is like, without memory for its weights."""
    with torch.device("meta"):
        vit = timm.create_model(name, num_classes=0, global_pool="")
    patch, heads = vit.patch_embed.patch_size[0], vit.blocks[0].attn.num_heads
    return TimmSizes(vit.embed_dim, len(vit.blocks), patch, heads, vit.cls_token is not None)
