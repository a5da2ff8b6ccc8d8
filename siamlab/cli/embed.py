"""The command `siamlab embed`: a model by name in, the features of images in a file.

embed_images("zoo:mae", ["data=scenes"], Options(out="features.parquet"))
"""

from collections.abc import Sequence
from typing import NamedTuple

from siamlab.cli.probe import folder_or_source, print_about
from siamlab.evaluate.embed import check_embeddings, embed_source, write_embeddings
from siamlab.evaluate.models import NamedModel, open_model
from siamlab.machine.console import Console
from siamlab.machine.device import device_named
from siamlab.machine.shortage import explain_shortage
from siamlab.machine.terminal import say
from siamlab.probe import inputs
from siamlab.probe.suite.passes import Precision


class Options(NamedTuple):
    out: str
    split: str = "all"  # train, test, or all
    images: int | None = None  # of each split, at most; None: all
    patches: bool = False  # a row per patch instead of one per image
    size: int | None = None  # side of the model's input, pixels
    data: str | None = None  # a folder, or a source by name
    device: str = "auto"  # cpu, cuda, or auto: a GPU if there is one
    precision: Precision = "float32"  # of the model's products


@explain_shortage("lower --size or --images")
def embed_images(name: str, words: Sequence[str], options: Options) -> None:
    """Write the features of images under one model, and print what the file has."""
    import polars

    path, device = check_embeddings(options.out), device_named(options.device)
    named = open_model(name, size=options.size)
    print_about([named])
    named.model.to(device)
    source = folder_or_source(options.data, [named], words)
    how = options.images, options.patches, options.precision
    splits = ("train", "test") if options.split == "all" else (options.split,)
    with Console(stderr=True).status("embedding"):
        table = polars.concat(embed_source(named, source, split, *how) for split in splits)
        about = {"model": named.name, "precision": options.precision}
        write_embeddings(table, path, about | {"size": _size(named)})
    kind, vectors = ("patches", "patch") if options.patches else ("images", "pooled")
    lower = "" if options.precision == "float32" else f", computed in {options.precision}"
    numbers = table.schema[vectors].size
    say(f"{len(table):,} {kind}, {numbers} numbers each{lower}: {path.resolve()}")


def _size(named: NamedModel) -> str:
    """Return rows and columns of pixels of the model's input."""
    return " × ".join(map(str, inputs(named.model).size))
