"""Published protocols of classification and retrieval: their names, sources and numbers.

Images of ImageNet are measured as in these papers, on the middle 224 of 256 pixels (`data.crop`).

for key in found_protocols(scores["probe"]):     # probes of the table that follow a paper
    PAPERS[key].source, PAPERS[key].published
numbers_of(data)        # of frozen features on ImageNet-A, -R, -Sketch or -C
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from siamlab.data import DataChoice, ImageNet
from siamlab.evaluate.standard.base import Published

SIAMESEIM = "Tao et al. 2023, Siamese Image Modeling"
LINEAR = {"MoCo-v3 ViT-B/16": 0.767, "MAE ViT-B/16": 0.68, "SiameseIM ViT-B/16": 0.78}
HUMMINGBIRD = "Pariza et al. 2024, open-hummingbird-eval"
ONE_PERCENT = {"MoCo-v3 ViT-B/16": 0.634, "MAE ViT-B/16": 0.511, "SiameseIM ViT-B/16": 0.651}
SWEEP = (
    "Oquab et al. 2023 (DINOv2) and Siméoni et al. 2025 (DINOv3), the 45 values of C in their "
    "eval/log_regression.py; fits take 200 steps at most here and 1,000 there, "
)


class Paper(NamedTuple):
    """A protocol that a probe follows, and what was published with it."""

    name: str
    source: str  # with what differs here, if anything does
    published: tuple[Published, ...]


def _imagenet(key: str, source: str, numbers: Mapping[str, float]) -> tuple[Published, ...]:
    return tuple(
        Published(f"{model} on ImageNet-1k,", key, value, source)
        for model, value in numbers.items()
    )


# by the key of the probe
PAPERS: Mapping[str, Paper] = MappingProxyType(
    {
        "knn_class_token": Paper(
            "dino-knn",
            "Caron et al. 2021: 20 neighbours of the class token, weighted by exp(cos / 0.07); "
            "the evaluations of DINO, DINOv2 and DINOv3 take 10, 100 and 200 too, as "
            "knn_class_token_10, _100 and _200 do",
            _imagenet("knn_class_token", "Caron et al. 2021", {"DINO ViT-B/16": 0.761})
            + _imagenet("knn_class_token", "Oquab et al. 2023", {"DINOv2 ViT-B/14": 0.821}),
        ),
        "linear_tuned": Paper(
            "logistic-regression",
            SWEEP + "features are standardised means of patches here and class tokens as they are "
            "there (linear_tuned_class_token); the number below is of a layer trained by SGD",
            _imagenet("linear_tuned", "Oquab et al. 2023", {"DINOv2 ViT-B/14, SGD,": 0.845}),
        ),
        "linear_tuned_class_token": Paper(
            "logistic-regression-class-token",
            SWEEP + "features are standardised here and as they are there; the number below is of "
            "a layer trained by SGD",
            _imagenet(
                "linear_tuned_class_token", "Oquab et al. 2023", {"DINOv2 ViT-B/14, SGD,": 0.845}
            ),
        ),
        "few_shot_share": Paper(
            "msn-1-percent",
            "Assran et al. 2022 (MSN), as SiameseIM and MAE are compared: 1 % of the labels; "
            "features are means of patches here and class tokens there, and labels are five "
            "draws here and one published list there (few_shot_listed, with data.subset)",
            _imagenet("few_shot_share", SIAMESEIM, ONE_PERCENT),
        ),
        "few_shot_listed": Paper(
            "msn-1-percent-list",
            "Assran et al. 2022 (MSN), as SiameseIM and MAE are compared: class tokens of the "
            "images of 1percent.txt; all 12,811 of them need --images 12811",
            _imagenet("few_shot_listed", SIAMESEIM, ONE_PERCENT),
        ),
        "linear_lars": Paper(
            "mae-linear-features",
            "He et al. 2022, table 10, as SiameseIM is compared: LARS, 90 epochs; on features of "
            "images as they are, where the papers cut and mirror them in each epoch "
            "(fine_tune=linear), and 7,020 steps, those of ImageNet-1k, of fewer images",
            _imagenet(
                "linear_lars",
                SIAMESEIM,
                {f"{model}, augmented images,": value for model, value in LINEAR.items()},
            ),
        ),
        "attentive": Paper(
            "efficient-probing",
            "Psomas et al. 2026: queries that pool patches, and a linear layer",
            _imagenet("attentive", "Psomas et al. 2026", {"MAE ViT-B/16": 0.756}),
        ),
        "in_context_sampled": Paper(
            "hummingbird",
            "Balažević et al. 2023; at each photograph's own size: --suite voc "
            "data.protocol=hummingbird",
            (
                Published("DINO ViT-B/16 on VOC 2012,", "in_context_sampled", 0.449, HUMMINGBIRD),
                Published("DINOv2 ViT-B/14 on VOC 2012,", "in_context_sampled", 0.691, HUMMINGBIRD),
            ),
        ),
        "linear_augmented": Paper(
            "mae-linear",
            "He et al. 2022, table 10: LARS, 90 epochs; crops are cut from the images as they are "
            "measured here, of ImageNet their middle, and from whole photographs there",
            _imagenet("linear_augmented", SIAMESEIM, LINEAR),
        ),
        "fine_tuning": Paper(
            "mae-fine-tuning",
            "He et al. 2022, table 9: all weights, 100 epochs; crops are drawn from the images as "
            "they are measured here, of ImageNet their middle, and from whole photographs there",
            _imagenet(
                "fine_tuning",
                SIAMESEIM,
                {"MoCo-v3 ViT-B/16": 0.83, "MAE ViT-B/16": 0.836, "SiameseIM ViT-B/16": 0.841},
            ),
        ),
    }
)


# Oquab et al. 2023, table 6, in per cent: a linear layer on frozen features at 224 pixels, as
# siamlab's; of ImageNet-C the mean corruption error
FROZEN: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "MAE ViT-H/14": {"a": 10.2, "r": 34.4, "c": 61.4, "sketch": 21.9},
        "DINO ViT-B/8": {"a": 23.9, "r": 37.0, "c": 56.6, "sketch": 25.5},
        "iBOT ViT-L/16": {"a": 41.5, "r": 51.0, "c": 43.9, "sketch": 38.5},
        "DINOv2 ViT-B/14": {"a": 55.1, "r": 63.3, "c": 42.7, "sketch": 50.6},
    }
)
SCORED_BY = MappingProxyType(
    {"a": "linear_present", "r": "linear_present", "sketch": "linear", "c": "mce"}
)


def numbers_of(data: DataChoice) -> tuple[Published, ...]:
    """Return what was published of frozen features on the test set of ImageNet's classes.

    Empty for other images, and for ImageNet's own test images, whose numbers are in PAPERS.
    """
    if not isinstance(data, ImageNet) or data.test not in SCORED_BY:
        return ()
    key, source = SCORED_BY[data.test], "Oquab et al. 2023, table 6"
    return tuple(
        Published(f"{model}, linear,", key, each[data.test] / 100, source)
        for model, each in FROZEN.items()
    )


def found_protocols(probes: Iterable[str]) -> tuple[str, ...]:
    """Return the keys of those probes that follow a published protocol, in the order of PAPERS."""
    measured = set(probes)
    return tuple(key for key in PAPERS if key in measured)
