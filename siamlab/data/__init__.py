"""Data: sources of images, each decoded or drawn once and then memory-mapped.

images = Scenes()("train")   # Images; the fields of a source are in its class
"""

from typing import Annotated

from pydantic import Field

from siamlab.component import variants
from siamlab.data.about import about_source, describe
from siamlab.data.cifar import Cifar10, Cifar100
from siamlab.data.content import by_content, has_content_order
from siamlab.data.fashion import Fashion
from siamlab.data.folder import Folder
from siamlab.data.imagenet import ImageNet
from siamlab.data.imagenette import Imagenette
from siamlab.data.images import (
    DataChoice,
    Images,
    Objects,
    across,
    is_paired,
    pairs,
    sample,
    take,
    windows,
)
from siamlab.data.pets import Pets
from siamlab.data.photographs import Photographs
from siamlab.data.scenes import Scenes
from siamlab.data.segmentation import Segmentation
from siamlab.data.stl import Stl10

Data = Annotated[
    Scenes
    | Fashion
    | Folder
    | Segmentation
    | Cifar10
    | Cifar100
    | Stl10
    | Imagenette
    | ImageNet
    | Pets
    | Photographs,
    Field(discriminator="kind"),
]

__all__ = [
    "Cifar10",
    "Cifar100",
    "Data",
    "DataChoice",
    "Fashion",
    "Folder",
    "ImageNet",
    "Imagenette",
    "Images",
    "Objects",
    "Pets",
    "Photographs",
    "Scenes",
    "Segmentation",
    "Stl10",
    "across",
    "by_content",
    "describe",
    "has_content_order",
    "is_paired",
    "pairs",
    "sample",
    "summary",
    "take",
    "windows",
]


def summary() -> list[dict[str, str]]:
    """Return one row per source: kind, about, licence, origin."""
    return [about_source(source) for source in variants(Data)]
