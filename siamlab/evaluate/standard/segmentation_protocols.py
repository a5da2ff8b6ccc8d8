"""Published protocols of segmentation: linear layers, and Hummingbird's memory."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from siamlab.evaluate.standard.base import Published
from siamlab.probe.in_context import TEMPERATURE, K
from siamlab.probe.pixel_head import DINOV2, PixelRecipe
from siamlab.probe.votes import DISTANCES, KS


class SegmentationProtocol(NamedTuple):
    """The form in which the model sees photographs, and what is fitted."""

    source: str
    side: int  # shorter side of the photograph, pixels; as the next two, scaled to whole patches
    window: int  # side of the square windows, pixels
    stride: int  # from one window to the next, pixels
    features: str
    head: str
    training: str
    published: tuple[Published, ...]
    # of each photograph, shown and scored
    part: Literal["whole", "middle square", "stretched"] = "whole"


class TrainedProtocol(NamedTuple):
    """The same, of a layer that is trained step by step; the first fields are those above."""

    source: str
    side: int
    window: int
    stride: int
    features: str
    head: str
    training: str
    published: tuple[Published, ...]
    recipe: PixelRecipe
    part: Literal["whole"] = "whole"


def _dinov2(kind: str, side: int, mae: float, dino: float, dinov2: float) -> SegmentationProtocol:
    """Oquab et al. 2023, table 10; sizes are those of the configurations published with it."""
    models = {"MAE ViT-H/14": mae, "DINO ViT-B/8": dino, "DINOv2 ViT-B/14": dinov2}
    return SegmentationProtocol(
        "DINOv2, Oquab et al. 2023", side, 512, 341, "patches, after the final norm",
        "logistic regression on standardised features, shares of regions in a patch",
        "one window of each image and patches in it, drawn by seed 0",
        tuple(Published(f"{name}, linear", kind, value, "Oquab et al. 2023")
              for name, value in models.items()),
    )  # fmt: skip


def _hummingbird(
    kind: str, side: int, published: Mapping[str, float], source: str = ""
) -> SegmentationProtocol:
    """Balažević et al. 2023, with the sizes of `dinov2`; numbers are those of `source`."""
    return SegmentationProtocol(
        "Hummingbird, Balažević et al. 2023", side, 512, 341, "patches, after the final norm",
        f"shares of regions of the {K} nearest patches, weighted by exp(cos / {TEMPERATURE})",
        "a memory of patches of one window of each image, rare regions first, drawn by seed 0",
        tuple(Published(f"{name}, in context,", f"{kind}_in_context", value, source)
              for name, value in published.items()),
    )  # fmt: skip


PROTOCOLS: Mapping[str, SegmentationProtocol] = MappingProxyType(
    {
        "voc": _dinov2("voc", 512, 0.676, 0.664, 0.825),
        "ade20k": _dinov2("ade20k", 512, 0.333, 0.318, 0.473),
        # no configuration was published for this set: photographs at their own size
        "cityscapes": _dinov2("cityscapes", 1024, 0.584, 0.569, 0.694),
    }
)

# the layer of the paper, where the one above is fitted to patches
TRAINED: Mapping[str, TrainedProtocol] = MappingProxyType(
    {
        kind: TrainedProtocol(
            *PROTOCOLS[each][:5], "batch norm and a 1 × 1 convolution, each pixel of a crop",
            "random crops of half to twice the size, mirrored and recoloured, drawn by seed 0",
            PROTOCOLS[each].published if each == kind else (), DINOV2,
        )
        for kind, each in (("voc", "voc"), ("ade20k", "ade20k"), ("cityscapes", "cityscapes"),
                           ("regions", "voc"))
    }
)  # fmt: skip

# its head learns each pixel by gradient descent
VISBENCH = SegmentationProtocol(
    "VisBench leaderboard, 2026", 224, 224, 224, *PROTOCOLS["voc"][4:6],
    "the middle square of each image and patches in it, drawn by seed 0",
    tuple(Published(f"{name}, linear", "voc", value, "VisBench leaderboard, 2026")
          for name, value in (("MAE ViT-B/16", 0.3350), ("DINO ViT-B/16", 0.5063),
                              ("CLIP ViT-B/16", 0.6546), ("DINOv2 ViT-B/14", 0.7533))),
    "middle square",
)  # fmt: skip


def _capi(published: Mapping[str, float]) -> SegmentationProtocol:
    """Darcet et al. 2025, of their eval_segmentation.py; numbers are those of their README."""
    return SegmentationProtocol(
        "CAPI, Darcet et al. 2025", 224, 224, 224, "patches, after the final norm",
        f"commonest region of the nearest patches, standardised; k of {', '.join(map(str, KS))}, "
        f"{' or '.join(DISTANCES)}, best on a tenth of the training images",
        "patches of each image, drawn by seed 0",
        tuple(Published(name, "ade20k_knn", value, "CAPI's README, 2025")
              for name, value in published.items()),
        "stretched",
    )  # fmt: skip


CAPI_ADE20K = MappingProxyType(
    {
        "CAPI ViT-L/14 of Places205,": 0.352,
        "CAPI ViT-L/14 of LVD-142M,": 0.321,
        "CAPI ViT-L/14 of ImageNet-22k,": 0.297,
        "CAPI ViT-L/14 of ImageNet-1k,": 0.292,
    }
)
CAPI: Mapping[str, SegmentationProtocol] = MappingProxyType(
    {kind: _capi(CAPI_ADE20K if kind == "ade20k" else {})
     for kind in ("voc", "ade20k", "cityscapes", "regions")}
)  # fmt: skip
VOC_IN_CONTEXT = MappingProxyType(
    {
        "DINO ViT-B/16, memory of 102,400": 0.449,
        "DINOv2 ViT-B/14, memory of 102,400": 0.691,
        "DINO ViT-B/16, memory of 10,240,000": 0.557,
        "DINOv2 ViT-B/14, memory of 10,240,000": 0.769,
    }
)
# of open-hummingbird-eval; trained at 224 pixels, DINOv2 by the authors of Franca
ADE20K_IN_CONTEXT = MappingProxyType(
    {
        "Franca ViT-B/14 of ImageNet-21k": 0.316,
        "Franca ViT-L/14 of LAION-600M": 0.345,
        "DINOv2 ViT-B/14 of ImageNet-21k": 0.300,
        "DINOv2 ViT-L/14 of ImageNet-21k": 0.335,
    }
)
HUMMINGBIRD: Mapping[str, SegmentationProtocol] = MappingProxyType(
    {
        "voc": _hummingbird(
            "voc", 512, VOC_IN_CONTEXT, "Pariza et al. 2024, open-hummingbird-eval"
        ),
        "ade20k": _hummingbird("ade20k", 512, ADE20K_IN_CONTEXT, "Franca's README, 2025"),
        "cityscapes": _hummingbird("cityscapes", 1024, {}),
        "regions": _hummingbird("regions", 512, {}),
    }
)
