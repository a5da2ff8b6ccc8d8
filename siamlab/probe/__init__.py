"""Probes: what have the features learned? Arrays in, a `Score` with its interval out.

    measured = probe_model(load("timm:vit_tiny_patch16_224"), data("train"), data("test"))
    scores = table({"tiny": measured})

`load`, `features`, `layers`, `attend`, `attribution`, `finetune` and `suite` see a model;
everything else is a pure function of arrays.
"""

from typing import Any

from siamlab.probe.attend import (
    attended,
    attention_profile,
    class_attention,
    class_attentions,
    is_readable,
    patch_attentions,
    rollout,
)
from siamlab.probe.attention import (
    as_scores,
    distance,
    entropy,
    even_distance,
    head_similarity,
    nmi,
    over_patches,
    rollout_step,
    saliency,
)
from siamlab.probe.catalogue import PROBES
from siamlab.probe.cka import cka, cka_table
from siamlab.probe.clusters import alignment, class_separation, uniformity
from siamlab.probe.contrast import local_contrast
from siamlab.probe.correspondence import (
    Matches,
    correspondence,
    matches,
    one_patch,
    place_error,
    without_positions,
)
from siamlab.probe.corruption import KINDS, corrupted
from siamlab.probe.equivariance import equivariance_error, moves, warped
from siamlab.probe.features import Features, Inputs, features, inputs, load, view_features
from siamlab.probe.fewshot import few_shot_per_class, few_shot_share
from siamlab.probe.fourier import fourier_amplitude
from siamlab.probe.in_context import in_context
from siamlab.probe.knn import knn, knn_standardised
from siamlab.probe.layers import by_layer, layer_features, residual_features
from siamlab.probe.linear import linear
from siamlab.probe.longtail import long_tail
from siamlab.probe.outliers import outlier_tokens
from siamlab.probe.position import position
from siamlab.probe.retrieval import retrieval
from siamlab.probe.robustness import robustness
from siamlab.probe.scenes import object_match
from siamlab.probe.score import Score, bootstrap, combine, normalised
from siamlab.probe.segmentation import region_shares, segmentation
from siamlab.probe.spectrum import (
    alpha_req,
    collapse,
    effective_rank,
    eigenvalues,
    lidar,
    participation_ratio,
    rankme,
    spread,
)
from siamlab.probe.table import Measured, join, named, table
from siamlab.probe.variance import variance_share

_SUITE = ("SUITES", "probe_model")

__all__ = [
    "KINDS",
    "PROBES",
    "SUITES",
    "Features",
    "Inputs",
    "Matches",
    "Measured",
    "Score",
    "alignment",
    "alpha_req",
    "as_scores",
    "attended",
    "attention_profile",
    "bootstrap",
    "by_layer",
    "cka",
    "cka_table",
    "class_attention",
    "class_attentions",
    "class_separation",
    "collapse",
    "combine",
    "correspondence",
    "corrupted",
    "distance",
    "effective_rank",
    "eigenvalues",
    "entropy",
    "equivariance_error",
    "even_distance",
    "features",
    "few_shot_per_class",
    "few_shot_share",
    "fourier_amplitude",
    "head_similarity",
    "in_context",
    "inputs",
    "is_readable",
    "join",
    "knn",
    "knn_standardised",
    "layer_features",
    "lidar",
    "linear",
    "load",
    "local_contrast",
    "long_tail",
    "matches",
    "moves",
    "named",
    "nmi",
    "normalised",
    "object_match",
    "one_patch",
    "outlier_tokens",
    "over_patches",
    "participation_ratio",
    "patch_attentions",
    "place_error",
    "position",
    "probe_model",
    "rankme",
    "region_shares",
    "residual_features",
    "retrieval",
    "robustness",
    "rollout",
    "rollout_step",
    "saliency",
    "segmentation",
    "spread",
    "table",
    "uniformity",
    "variance_share",
    "view_features",
    "warped",
    "without_positions",
]


def __getattr__(name: str) -> Any:
    """The suites, when they are asked for: they alone need the data package."""
    if name not in _SUITE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from siamlab.probe import suite

    return getattr(suite, name)
