"""Health: signs of collapse in the features of one batch, for context and target.

health(model, teacher, context, target)     # {"context/rankme": ..., "target/spread": ...}
"""

from math import nan

import torch
from jaxtyping import Float
from torch import Tensor, nn

from siamlab.geometry import View
from siamlab.positions import own_places
from siamlab.probe.spectrum import rankme, spread
from siamlab.target import MomentumTeacher, OnlineTeacher

MOST = 256  # images and patches that the ranks are computed on


def health(model: nn.Module, teacher: nn.Module, context: View, target: View) -> dict[str, float]:
    """RankMe and spread of pooled and patch features, of whole views, without gradient."""
    found = _signs("context", _patches(model.encoder, context))
    if isinstance(teacher, MomentumTeacher):
        found |= _signs("target", _patches(teacher.encoder, target))
    if isinstance(teacher, OnlineTeacher):
        found |= _signs("target", _patches(model.encoder, target))
    return found


@torch.no_grad()
def _patches(encoder: nn.Module, view: View) -> Float[Tensor, "b N D"]:
    image = view.image[:MOST]
    rows, columns = encoder.grid
    every = torch.ones(len(image), rows * columns, dtype=torch.bool, device=image.device)
    tokens = encoder(image, own_places(encoder.grid, image.device), every)
    return tokens[:, encoder.prefix :].float().cpu()  # where singular values cost less


def _signs(role: str, patches: Float[Tensor, "b N D"]) -> dict[str, float]:
    if not patches.isfinite().all():
        return {f"{role}/spread": nan}  # of which the loop makes a sentence
    pooled = patches.mean(dim=1)
    some = patches.flatten(0, 1)
    some = some[:: max(1, len(some) // (4 * MOST))]
    return {
        f"{role}/rankme": rankme(pooled),
        f"{role}/spread": spread(pooled),
        f"{role}/patch_rankme": rankme(some),
        f"{role}/patch_spread": spread(some),
    }
