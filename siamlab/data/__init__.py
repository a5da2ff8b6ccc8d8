"""Data: sources of images, each decoded or drawn once and then memory-mapped.

images = Scenes()("train")   # Images; the fields of a source are in its class
"""

from typing import Annotated, Any

from pydantic import Field

from siamlab.component import variants
from siamlab.data.cifar import Cifar10, Cifar100
from siamlab.data.content import by_content, has_content_order
from siamlab.data.fashion import Fashion
from siamlab.data.folder import Folder
from siamlab.data.imagenette import Imagenette
from siamlab.data.images import Images, Objects, across, is_paired, pairs, subset, take, windows
from siamlab.data.pets import Pets
from siamlab.data.photographs import Photographs
from siamlab.data.scenes import Scenes
from siamlab.data.stl import Stl10

Data = Annotated[
    Scenes | Fashion | Folder | Cifar10 | Cifar100 | Stl10 | Imagenette | Pets | Photographs,
    Field(discriminator="kind"),
]

__all__ = [
    "Cifar10",
    "Cifar100",
    "Data",
    "Fashion",
    "Folder",
    "Imagenette",
    "Images",
    "Objects",
    "Pets",
    "Photographs",
    "Scenes",
    "Stl10",
    "across",
    "by_content",
    "describe",
    "has_content_order",
    "is_paired",
    "pairs",
    "subset",
    "summary",
    "take",
    "windows",
]


def summary() -> list[dict[str, str]]:
    """A row for each source: kind, about, licence, origin."""
    return [
        {
            "kind": source.model_fields["kind"].default,
            "about": (source.__doc__ or "").splitlines()[0],
            "licence": source.licence,
            "origin": source.origin,
        }
        for source in variants(Data)
    ]


def describe(data: Any) -> dict[str, Any]:
    """What there is to know about a source; decodes it if it is not in the cache yet.

    Keys: those of `summary`, side, train and test (images), labelled (of the training images),
    classes, regions (of the masks; empty without), objects (in each scene), bytes (in the cache).
    """
    train, test = data("train"), data("test")
    row = next(row for row in summary() if row["kind"] == data.kind)
    arrays = [*train[:3], *train.objects, *test[:3], *test.objects]
    return row | {
        "side": train.pixels.shape[-1],
        "train": len(train.labels),
        "test": len(test.labels),
        "labelled": int((train.labels >= 0).sum()),
        "classes": train.classes,
        "regions": train.regions,
        "objects": train.objects.instance.shape[1],
        "bytes": sum(array.nbytes for array in arrays),
    }
