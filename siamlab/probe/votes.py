"""k-NN segmentation by hard votes: the commonest region among the nearest patches (CAPI).

memory = fit_votes(known, held)         # (features, shares of regions) of patches, for both
regions = memory.of(features)           # one-hot
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from siamlab.component import UserError
from siamlab.probe.linear import EPS
from siamlab.probe.segmentation import miou

KS = (1, 3, 10, 30)  # the paper's choices, as the next
DISTANCES = ("cosine", "L2")
BLOCK = 2**24  # similarities in memory at once
Patches = tuple[Tensor, Tensor]  # features [n, D], and the share of each region [n, C]


class Votes(NamedTuple):
    """A memory of patches, and how their neighbours are counted."""

    features: Float[Tensor, "M D"]  # standardised
    label: Int64[Tensor, " M"]
    regions: int
    mean: Float[Tensor, " D"]
    scale: Float[Tensor, " D"]
    k: int
    distance: str

    def of(self, features: Float[Tensor, "n D"]) -> Float[Tensor, "n C"]:
        """The commonest region of the k nearest patches as one-hot rows; of equals the first."""
        near = self.nearest((features - self.mean) * self.scale, self.k, self.distance)
        return F.one_hot(self.commonest(near), self.regions).to(features.dtype)

    def nearest(self, x: Float[Tensor, "n D"], k: int, distance: str) -> Int64[Tensor, "n k"]:
        """Regions of the k nearest patches of standardised features, the nearest first."""
        known = F.normalize(self.features, dim=1) if distance == "cosine" else self.features
        length = 0 if distance == "cosine" else known.square().sum(dim=1)
        parts = x.split(max(1, BLOCK // len(known)))
        # the length of the query changes no order
        return torch.cat([self.label[(2 * q @ known.T - length).topk(k).indices] for q in parts])

    def commonest(self, near: Int64[Tensor, "n k"]) -> Int64[Tensor, " n"]:
        """The region that most neighbours have."""
        counts = torch.zeros(len(near), self.regions, device=near.device)
        return counts.scatter_add_(1, near, torch.ones_like(near, dtype=counts.dtype)).argmax(dim=1)


def fit_votes(known: Patches, held: Patches) -> Votes:
    """A memory of all patches, with the k and the distance that are best where `held` are asked.

    A patch has the region that covers most of it, and none that is mostly void is remembered. The
    best has the highest mean IoU of patches; of equals the smallest k, cosine before L2. Features
    are standardised (Darcet et al. 2025). Raises UserError if all patches are void.
    """
    parts = [_labelled(*part) for part in (known, held)]
    if not len(parts[0][0]) or not len(parts[1][0]):
        raise UserError("training masks have only void (255) pixels: give images with masks")
    variance, mean = torch.var_mean(known[0], dim=0, correction=0)
    scale, regions = (variance + EPS).rsqrt(), known[1].shape[1]
    (first, label), (asked, truth) = (((x - mean) * scale, y) for x, y in parts)
    memory = Votes(first, label, regions, mean, scale, 1, DISTANCES[0])
    most = [k for k in KS if k <= len(first)]
    best = -1.0
    for distance in DISTANCES:
        near = memory.nearest(asked, most[-1], distance)
        for k in most:
            value = _iou(memory.commonest(near[:, :k]), truth, regions)
            if value > best:
                best, chosen = value, (k, distance)
    whole = torch.cat([first, asked]), torch.cat([label, truth])
    return Votes(*whole, regions, mean, scale, *chosen)


def _labelled(
    features: Float[Tensor, "n D"], shares: Float[Tensor, "n C"]
) -> tuple[Float[Tensor, "m D"], Int64[Tensor, " m"]]:
    """The patches that are not mostly void, and the region that covers most of each."""
    most, label = shares.max(dim=1)
    keep = most >= (1 - shares.sum(dim=1)).clamp(min=1e-6)
    return features[keep], label[keep]


def _iou(answer: Int64[Tensor, " n"], truth: Int64[Tensor, " n"], regions: int) -> float:
    counts = [x.bincount(minlength=regions) for x in (truth[answer == truth], truth, answer)]
    return miou(torch.cat(counts).double()).item()
