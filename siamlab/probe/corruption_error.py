"""Mean corruption error: how many errors on ImageNet-C, relative to AlexNet's.

found = mean_corruption_error({"fog": [0.3, 0.35, 0.4, 0.5, 0.6], ...})     # all of ALEXNET
"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from siamlab.component import UserError
from siamlab.machine.arguments import typed
from siamlab.probe.catalogue import Doc, Probe

# AlexNet's error under each corruption, mean of severities 1 to 5 (Hendrycks & Dietterich 2019)
ALEXNET = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg_compression": 0.606500,
}
SEVERITIES = (1, 2, 3, 4, 5)
UNIT = "of AlexNet's error"
# fmt: off
CORRUPTIONS = (  # measured by the suite imagenet-c
    Probe("mce", "ImageNet-C mean corruption error", "semantic", UNIT, "lower", None,
          Doc("`mean_corruption_error`", "errors of a linear probe, fitted to clean images, under "
              "a corruption at five severities over AlexNet's: mean of 15 corruptions; chance: "
              "guesses", "0 or more")),
    *(Probe(f"mce_{name}", f"ImageNet-C error, {name.replace('_', ' ')}", "semantic", UNIT,
            "lower", None,
            Doc("`mean_corruption_error`", "the same of one corruption", "0 or more"))
      for name in ALEXNET),
)
# fmt: on


class CorruptionErrors(NamedTuple):
    mean: float  # mCE, of AlexNet 1; published ones are in per cent
    each: dict[str, float]  # CE of each corruption


@typed
def mean_corruption_error(errors: Mapping[str, Sequence[float]]) -> CorruptionErrors:
    """mCE: the mean over 15 corruptions of the error relative to AlexNet's; lower is better.

    `errors` has the shares of wrong answers at severities 1 to 5 of each corruption of ImageNet-C.
    0 without errors, 1 for AlexNet (Hendrycks & Dietterich 2019); above it for worse networks.
    Raises UserError for other corruptions or severities, and for shares outside 0 to 1.
    """
    if missing := [name for name in ALEXNET if name not in errors]:
        raise UserError(
            f"errors must have all 15 corruptions of ImageNet-C; {', '.join(missing)} are missing"
        )
    if strange := [name for name in errors if name not in ALEXNET]:
        raise UserError(f"errors has {strange[0]!r}, which is not scored; leave it out")
    for name, shares in errors.items():
        if len(shares) != len(SEVERITIES) or not all(0 <= share <= 1 for share in shares):
            raise UserError(
                f"errors[{name!r}]={list(shares)} must be five shares of wrong answers from 0 to "
                "1, of severities 1 to 5"
            )
    each = {name: fmean(errors[name]) / alexnet for name, alexnet in ALEXNET.items()}
    return CorruptionErrors(fmean(each.values()), each)
