"""Public sets: where their files are, and fetching them, which happens only on request."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Int64, UInt8
from pydantic import Field
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.cache import cache_root, fingerprint
from siamlab.data.images import Images, plain
from siamlab.data.resize import square
from siamlab.machine.files import expanded

CHUNK = 1000
PATH = Field(
    default="", description="folder that holds the set's folder; empty: SIAMLAB_CACHE/downloads"
)
DOWNLOAD = Field(default=False, description="fetch the files when they are not there")


@runtime_checkable
class PublishedSet(Protocol):
    path: str
    download: bool
    origin: str


def home(data: PublishedSet, folder: str) -> Path:
    """Return the parent of the set's `folder`; `data.path` may name either of the two."""
    path = expanded(data.path).absolute() if data.path else cache_root() / "downloads"
    return path.parent if path.name == folder else path


def published_files(data: PublishedSet, folder: str, name: str, **arguments: Any) -> str:
    """Return a fingerprint of the set's files, which are fetched if they are missing."""
    where = home(data, folder) / folder
    if not where.is_dir():
        read(data, folder, name, **arguments)
    return fingerprint(sorted(f for f in where.rglob("*") if f.is_file()))


def read(data: PublishedSet, folder: str, name: str, **arguments: Any) -> Any:
    """Return the set as torchvision's class `name` reads it, after checking its checksums.

    Raises UserError for missing or changed files, and for a failed download.
    """
    root = home(data, folder)
    try:
        return _open(name, root, download=False, **arguments)
    except (OSError, RuntimeError) as missing:
        if not data.download:
            raise UserError(
                f"the files of {name} are not in {root / folder}, whole and unchanged; add "
                "data.download=true to fetch them, or set data.path to the folder where they are"
            ) from missing
    try:
        root.mkdir(parents=True, exist_ok=True)
        return _open(name, root, download=True, **arguments)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"data.download=true must reach {data.origin}, but fetching {name} into {root} failed "
            f"({error}); fetch it by other means and set data.path"
        ) from error


def _open(name: str, root: Path, **arguments: Any) -> Any:
    from torchvision import datasets

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about arrays pickled by old versions of numpy
        return getattr(datasets, name)(str(root), **arguments)


def pieces(
    pixels: UInt8[Tensor, "n 3 h w"], labels: Int64[Tensor, " n"], classes: Sequence[str], side: int
) -> Iterator[Images]:
    """Yield the images resized, a thousand at a time."""
    for some, theirs in zip(pixels.split(CHUNK), labels.split(CHUNK), strict=True):
        yield plain(square(some, side), theirs, classes)
