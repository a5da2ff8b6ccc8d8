"""Outlier tokens: does the model store information in patches of unusually large norm?

outlier_tokens(patches)          # share of patches, threshold, norms
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_patches
from siamlab.probe.score import Groups, Score, bootstrap, ratio

SPREADS = 5.0  # robust standard deviations above the median of the log norm
TIMES = 2.0  # the median norm, at least: norms that hardly vary have no outliers
SIGMA = 1.4826  # standard deviations of a Gaussian in its median absolute deviation


class Outliers(NamedTuple):
    share: Score  # of patch tokens above the threshold
    threshold: float  # norm above which a token is an outlier
    norms: Float[Tensor, "n N"]


@typed
def outlier_tokens(patches: Float[Tensor, "n N D"], groups: Groups = None) -> Outliers:
    """Share of patch tokens whose norm stands apart from the others': artifacts, lower is better.

    0..½: 0 is best, and the value for norms with one mode; large trained ViTs have about 2 %
    (Darcet et al. 2024, who put the threshold by eye into the gap of each model's histogram).
    Threshold: five robust standard deviations (median absolute deviation) above the median of the
    log norms of all patches, and at least twice the median norm; the interval takes it as fixed.
    Unchanged when features are rotated or scaled by one number. Give the tokens before the final
    norm if the model has one, as it hides norms. Cost: n · N · D multiplications and two sorts.
    """
    check_patches("patches", patches)
    norms = patches.double().norm(dim=-1)
    logs = norms.clamp(min=torch.finfo(norms.dtype).tiny).log()
    middle = logs.median()
    spread = SIGMA * (logs - middle).abs().median()
    limit = middle + (SPREADS * spread).clamp(min=math.log(TIMES))
    above = (logs > limit).double().sum(dim=1)
    terms = torch.stack([above, torch.full_like(above, norms.shape[1])], dim=1)
    score = bootstrap(terms, ratio, math.nan, 0.0, "share of patches", "lower", groups)
    return Outliers(score, limit.exp().item(), norms.to(patches.dtype))
