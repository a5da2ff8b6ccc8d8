"""Probes: what have the features learned? Arrays in, a `Score` with its interval out.

    measured = probe_model(open_model("runs/mae").model, data("train"), data("test"))
    scores = table({"mae": measured})

`features`, `layers`, `attend`, `attribution`, `finetune` and `suite` see a model;
everything else is a pure function of arrays.
"""

from typing import TYPE_CHECKING, Any

from siamlab.probe.attention import (
    as_scores,
    distance,
    entropy,
    even_distance,
    head_similarity,
    nmi,
    over_patches,
    rollout_step,
)
from siamlab.probe.attention_maps import (
    attended,
    attention_profile,
    class_attention,
    class_attentions,
    is_readable,
    patch_attentions,
    rollout,
)
from siamlab.probe.attentive import attentive
from siamlab.probe.batches import Inputs
from siamlab.probe.catalogue import Doc, Measured, Probe
from siamlab.probe.cka import cka, cka_pairs
from siamlab.probe.clusters import alignment, class_separation, uniformity
from siamlab.probe.contrast import local_contrast
from siamlab.probe.correspondence import (
    MutualMatches,
    correspondence,
    mutual_matches,
    one_patch,
    place_error,
    without_positions,
)
from siamlab.probe.corruption import KINDS, corrupted
from siamlab.probe.corruption_error import mean_corruption_error
from siamlab.probe.detection import detection
from siamlab.probe.equivariance import equivariance_error, moves, warped
from siamlab.probe.features import Features, features, inputs, view_features
from siamlab.probe.fewshot import few_shot_per_class, few_shot_share
from siamlab.probe.fourier import fourier_amplitude
from siamlab.probe.in_context import in_context, rare_patches
from siamlab.probe.knn import Votes, knn, knn_standardised, knn_votes
from siamlab.probe.layers import by_layer, layer_features, residual_features
from siamlab.probe.linear import linear
from siamlab.probe.linear_lars import linear_lars
from siamlab.probe.linear_tuned import Tuned, linear_tuned
from siamlab.probe.longtail import long_tail
from siamlab.probe.outliers import outlier_tokens
from siamlab.probe.position import position
from siamlab.probe.precision import Answers, Boxes, Precision
from siamlab.probe.retrieval import retrieval
from siamlab.probe.robustness import robustness
from siamlab.probe.saliency import saliency
from siamlab.probe.scenes import object_match
from siamlab.probe.score import Reading, Score, bootstrap, combine, normalised
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
from siamlab.probe.table import concat_scores, named, table
from siamlab.probe.variance import variance_share

if TYPE_CHECKING:  # type checkers and editors cannot follow __getattr__
    from siamlab.probe.suite import FULL, PROBES, PUBLISHED, QUICK, SUITES, Suite, probe_model

_SUITE = ("FULL", "PROBES", "PUBLISHED", "QUICK", "SUITES", "Suite", "probe_model")

__all__ = [
    "FULL",
    "KINDS",
    "PROBES",
    "PUBLISHED",
    "QUICK",
    "SUITES",
    "Answers",
    "Boxes",
    "Doc",
    "Features",
    "Inputs",
    "Measured",
    "MutualMatches",
    "Precision",
    "Probe",
    "Reading",
    "Score",
    "Suite",
    "Tuned",
    "Votes",
    "alignment",
    "alpha_req",
    "as_scores",
    "attended",
    "attention_profile",
    "attentive",
    "bootstrap",
    "by_layer",
    "cka",
    "cka_pairs",
    "class_attention",
    "class_attentions",
    "class_separation",
    "collapse",
    "combine",
    "concat_scores",
    "correspondence",
    "corrupted",
    "detection",
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
    "knn",
    "knn_standardised",
    "knn_votes",
    "layer_features",
    "lidar",
    "linear",
    "linear_lars",
    "linear_tuned",
    "local_contrast",
    "long_tail",
    "mean_corruption_error",
    "moves",
    "mutual_matches",
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
    "rare_patches",
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
    """Import the suites on first use: only they need the data package."""
    if name not in _SUITE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from siamlab.probe import suite

    return getattr(suite, name)
