"""About a source of images: where it comes from, how large it is, and its fields.

describe(Scenes())      # {"kind": "scenes", "licence": ..., "side": 48, "train": 20000, ...}
"""

from typing import Any

from siamlab.data.images import DataChoice
from siamlab.machine.arguments import typed

# fields that came after numbers had been published, such as `objects.kind`, with what was done
# before; protocols leave them out at that value, so that old and new numbers fit in one table
LATER: dict[str, Any] = {"mask_side": 0, "crop": 1.0}


def about_source(source: type[DataChoice]) -> dict[str, str]:
    """Return kind, about (a sentence), licence and origin of a source."""
    return {
        "kind": source.model_fields["kind"].default,
        "about": (source.__doc__ or "").strip().partition("\n")[0],
        "licence": source.licence,
        "origin": source.origin,
    }


@typed
def describe(data: DataChoice) -> dict[str, Any]:
    """Return a table about a source, which is decoded if it is not in the cache yet.

    Keys: those of `about_source`, side, train and test (images), labelled (of the training images),
    classes, regions (of the masks; empty without), objects (in each scene), bytes (in the cache).
    """
    train, test = data("train"), data("test")
    arrays = [*train[:3], *train.objects, *test[:3], *test.objects]
    return about_source(type(data)) | {
        "side": train.pixels.shape[-1],
        "train": len(train.labels),
        "test": len(test.labels),
        "labelled": int((train.labels >= 0).sum()),
        "classes": train.classes,
        "regions": train.regions,
        "objects": train.objects.instance.shape[1],
        "bytes": sum(array.nbytes for array in arrays),
    }


def about_data(data: DataChoice) -> dict[str, Any]:
    """Return the fields of a source by dotted key: `objects.kind`, `side`, ...; see LATER."""
    fields = dict(_flat(data.model_dump(mode="json")))
    return {key: value for key, value in fields.items() if (key, value) not in LATER.items()}


def _flat(fields: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs = []
    for key, value in fields.items():
        inside = isinstance(value, dict)
        pairs += _flat(value, f"{prefix}{key}.") if inside else [(prefix + key, value)]
    return pairs
