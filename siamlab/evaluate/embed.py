"""Embed: the features of images under a model as a table, and as a file.

table = embed(open_model("zoo:mae"), images)        # a row per image
write_embeddings(table, Path("features.parquet"), {"model": "zoo:mae"})
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Int64
from torch import Tensor

from siamlab.component import UserError
from siamlab.data import DataChoice, Images
from siamlab.data.images import sample_index, take
from siamlab.evaluate.files import check_new_file, write_table
from siamlab.evaluate.models import NamedModel, check_opened
from siamlab.machine.files import check_has_name, with_ending

if TYPE_CHECKING:
    import polars

    from siamlab.probe.suite.passes import Precision


def embed_source(
    named: NamedModel,
    source: DataChoice,
    split: Literal["train", "test"],
    count: int | None = None,
    patches: bool = False,
    precision: "Precision" = "float32",
) -> "polars.DataFrame":
    """Return the table of `embed` for at most `count` images of a source, with their places in it.

    Columns before those of `embed`: split, image (its number in the split), and file, for a folder
    whose files could all be read.
    """
    import polars

    images = source(split)
    index = sample_index(images, count)
    index = torch.arange(len(images.labels)) if index is None else index
    about = {
        "split": [split] * len(index),
        "image": index.tolist(),
        "file": _files(source, split, images, index),
    }
    kinds = {"split": polars.String, "image": polars.UInt32, "file": polars.String}
    table = embed(named, source.evaluated(take(images, index), split), patches, precision)
    places = polars.DataFrame(about, schema=kinds)
    if patches:
        each = len(table) // len(index)
        places = places.select(polars.all().repeat_by(each).explode())
    return polars.concat([places, table], how="horizontal")


def embed(
    named: NamedModel, images: Images, patches: bool = False, precision: "Precision" = "float32"
) -> "polars.DataFrame":
    """Return label, class, pooled [D] and cls [D] of each image; or, with `patches`, each patch.

    A row per patch has label, class, row, column (from 0) and patch [D]. Features are those that
    probes see: of the last block, after the final norm, in float32 (`precision` bfloat16 or
    float16: of products in 16 bits). Label and class are null where they are unknown. Raises
    UserError for features that are not finite.
    """
    import polars

    from siamlab.probe import inputs
    from siamlab.probe.suite.passes import Passes

    check_opened("embed", named)
    if not isinstance(images, Images):
        kind = type(images).__name__
        raise UserError(f"embed expects the images that open_images returns, not {kind}")
    passes = Passes(named.model, inputs(named.model), precision=precision)
    found = (passes.features if patches else passes.features_without_patches)(images.pixels)
    vectors = polars.Array(polars.Float32, found.pooled.shape[1])
    labels = [label if label >= 0 else None for label in images.labels.tolist()]
    classes = [None if label is None else images.classes[label] for label in labels]
    known = {"label": polars.Int64, "class": polars.String}
    table = polars.DataFrame({"label": labels, "class": classes}, schema=known)
    if not patches:
        own = {"pooled": found.pooled, "cls": found.cls}
        return table.with_columns(
            polars.Series(name, part.cpu().numpy(), dtype=vectors) for name, part in own.items()
        )
    rows, columns = found.grid
    table = table.select(polars.all().repeat_by(rows * columns).explode())
    row = torch.arange(rows).repeat_interleave(columns).repeat(len(labels)).numpy()
    column = torch.arange(columns).repeat(rows * len(labels)).numpy()
    return table.with_columns(
        polars.Series("row", row, dtype=polars.UInt16),
        polars.Series("column", column, dtype=polars.UInt16),
        polars.Series("patch", found.patches.flatten(0, 1).cpu().numpy(), dtype=vectors),
    )


def check_embeddings(out: str) -> Path:
    """Return the path of a file to write; raises UserError for one that cannot be."""
    path = Path(out)
    check_has_name(path, f"--out {out}", "features", [".parquet"])
    if path.suffix != ".parquet":
        raise UserError(f"--out {out} must end in .parquet; try {with_ending(path, '.parquet')}")
    check_new_file(path, "--out")
    return path


def write_embeddings(
    table: "polars.DataFrame", path: Path, about: Mapping[str, str] | None = None
) -> None:
    """Write the table as parquet; a crash leaves the old file or none.

    `about` becomes metadata of the file, such as the model and the precision.
    """
    write_table(table, path, metadata=dict(about or {}))


def _files(
    source: DataChoice,
    split: Literal["train", "test"],
    images: Images,
    index: Int64[Tensor, " k"],
) -> list[str | None]:
    """Return the file of each image, below its folder; None where that is not known."""
    names = source.file_names(split)
    if names is None or len(names) != len(images.labels):  # some could not be read
        return [None] * len(index)
    return [names[i] for i in index.tolist()]
