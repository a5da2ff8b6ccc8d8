"""Collapse: its signs in the features of one batch, for context and target.

collapse_signs(model, teacher, context, target)     # {"context/rankme": ..., "target/spread": ...}
"""

from math import nan

import torch
from jaxtyping import Float
from torch import Tensor

from siamlab.geometry import View
from siamlab.model.encoder import Encoder
from siamlab.model.siamese import Siamese
from siamlab.positions import own_places
from siamlab.probe.spectrum import LEAST_RANK, LEAST_SPREAD, rank_or_one, spread
from siamlab.target import Teacher
from siamlab.train.events import Line

MOST = 256  # images and patches that the ranks are computed on


def collapse_signs(
    model: Siamese, teacher: Teacher, context: View, target: View
) -> dict[str, float]:
    """RankMe and spread of pooled and patch features, of whole views, without gradient."""
    signs = _signs("context", _patches(model.encoder, context))
    if encoder := teacher.trained_encoder():
        signs |= _signs("target", _patches(encoder, target))
    return signs


@torch.no_grad()
def _patches(encoder: Encoder, view: View) -> Float[Tensor, "b N D"]:
    image = view.image[:MOST]
    rows, columns = encoder.grid
    every = torch.ones(len(image), rows * columns, dtype=torch.bool, device=image.device)
    tokens = encoder(image, own_places(encoder.grid, image.device), every)
    return tokens[:, encoder.prefix :].float().cpu()  # where singular values cost less


def _signs(role: str, patches: Float[Tensor, "b N D"]) -> dict[str, float]:
    if not patches.isfinite().all():
        return {f"{role}/spread": nan}  # the loop raises an error that names it
    pooled = patches.mean(dim=1)
    some = patches.flatten(0, 1)
    some = some[:: max(1, len(some) // (4 * MOST))]
    return {
        f"{role}/rankme": rank_or_one(pooled),
        f"{role}/spread": spread(pooled),
        f"{role}/patch_rankme": rank_or_one(some),
        f"{role}/patch_spread": spread(some),
    }


def collapse_warning(line: Line) -> str:
    """A sentence if the features of a logged step have collapsed, else ""."""
    for side in ("context", "target"):
        spread, rank = line.get(f"{side}/spread", 1.0), line.get(f"{side}/rankme", LEAST_RANK)
        if spread < LEAST_SPREAD or rank < LEAST_RANK:
            return (
                f"the {side}'s features have collapsed (spread {spread:.3f} of 1, RankMe "
                f"{rank:.1f}): nearly the same for every image; lower optimiser.lr or change loss "
                "or target"
            )
    return ""
