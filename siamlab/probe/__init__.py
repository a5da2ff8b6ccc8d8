"""Probes: what have the features learned? Arrays in, a `Score` with its interval out.

    scores = probe_model(load("timm:vit_tiny_patch16_224"), data("train"), data("test"))

Only `features` and `suite` see a model; everything else is a pure function of features.
"""

from typing import Any

from siamlab.probe.correspondence import (
    Matches,
    correspondence,
    matches,
    one_patch,
    place_error,
)
from siamlab.probe.features import (
    Features,
    Inputs,
    class_attention,
    features,
    inputs,
    load,
    view_features,
)
from siamlab.probe.knn import knn, knn_standardised
from siamlab.probe.linear import linear
from siamlab.probe.score import Score, bootstrap, combine, normalised
from siamlab.probe.segmentation import region_shares, segmentation
from siamlab.probe.spectrum import collapse, effective_rank, rankme, spread

__all__ = [
    "PROBES",
    "Features",
    "Inputs",
    "Matches",
    "Score",
    "bootstrap",
    "class_attention",
    "collapse",
    "combine",
    "correspondence",
    "effective_rank",
    "features",
    "inputs",
    "knn",
    "knn_standardised",
    "linear",
    "load",
    "matches",
    "normalised",
    "one_patch",
    "place_error",
    "probe_model",
    "rankme",
    "region_shares",
    "segmentation",
    "spread",
    "table",
    "view_features",
]


def __getattr__(name: str) -> Any:
    """The suite, when it is asked for: it alone needs the data package."""
    if name not in ("PROBES", "probe_model", "table"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from siamlab.probe import suite

    return getattr(suite, name)
