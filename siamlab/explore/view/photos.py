"""Photographs of a page: those it opened with and those that were added, only in memory.

album = Album(shipped());  album.add("cat.jpg", data);  album["3f2a…"].pixels
"""

import hashlib
import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from siamlab.component import UserError
from siamlab.data import Photographs
from siamlab.data.decode import SUFFIXES, square_pixels, upright
from siamlab.data.photographs import NAMES
from siamlab.machine.files import check_file, expanded, legible

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MOST_BYTES = 32 * 2**20  # of one file
MOST_PIXELS = 40_000_000  # of one photograph, before it is made smaller
# of a JPEG, of which only a reduced image is ever in memory (not of a progressive one)
MOST_IN_JPEG = 170_000_000
HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # after "ftyp"
MOST_PHOTOS = 64
SIDE = 448  # pixels of the stored square, at most
LONGEST = 60  # letters of a name


class Refused(UserError):
    """A request that is answered with one sentence and the status of HTTP."""

    def __init__(self, sentence: object, status: int = 400):
        super().__init__(sentence)
        self.status = status


class Crop(NamedTuple):
    pair: int  # its two crops are of one image
    box: tuple[float, ...]  # top, left, height, width; fractions of the image
    flip: bool  # mirrored left-right after the cut
    on: tuple[str, ...] = ()  # rows of pixels: "1" where the true match is known; (): everywhere


class Photo(NamedTuple):
    id: str  # of the pixels: the same photograph has the same link
    name: str
    pixels: UInt8[Tensor, "3 S S"]
    crop: Crop | None = None  # where it was cut, if that is known


class Album:
    """Photographs by their id, at most MOST_PHOTOS."""

    def __init__(self, photos: Iterable[Photo] = ()):
        self._photos: dict[str, Photo] = {photo.id: photo for photo in photos}
        self._lock = Lock()

    def __iter__(self) -> Iterator[Photo]:
        return iter(list(self._photos.values()))

    def __getitem__(self, id: str) -> Photo:
        """Return a photograph. Raises Refused (404) if this page has none of that id."""
        if id not in self._photos:
            raise Refused(f"this page has no photograph {id}; add it again", 404)
        return self._photos[id]

    def add(self, name: str, data: bytes) -> Photo:
        """Decode a file and keep its pixels. Raises Refused if it is not a photograph."""
        with self._lock:  # one at a time: each may need 120 MB
            photo = decoded(name, data)
        return self.keep(photo)

    def keep(self, photo: Photo) -> Photo:
        """Keep a photograph. Raises Refused (409) beyond MOST_PHOTOS."""
        with self._lock:
            if photo.id not in self._photos and len(self._photos) >= MOST_PHOTOS:
                raise Refused(
                    f"this page holds {MOST_PHOTOS} photographs at most; open another one with "
                    "those that you want to look at",
                    409,
                )
            return self._photos.setdefault(photo.id, photo)


def decoded(name: str, data: bytes) -> Photo:
    """Return the centre square of an encoded image. Raises Refused for what cannot be read."""
    name = name.strip()[:LONGEST] or "photograph"
    if len(data) > MOST_BYTES:
        raise too_large(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd but readable files
        try:
            with Image.open(io.BytesIO(data), formats=_formats()) as image:
                _check_size(name, image)
                side = min(SIDE, *image.size)
                pixels = square_pixels(upright(image, side), side)
        except UserError:
            raise
        except Image.DecompressionBombError as bomb:
            raise _too_many(name) from bomb
        except Exception as error:  # Pillow raises a dozen kinds for files that are not whole
            if data[4:8] == b"ftyp" and data[8:12] in HEIC:
                raise Refused(
                    f"{name} is a HEIC photograph, which is not read; save it as JPEG, as phones "
                    "do when they export a photograph or take them in the most compatible format",
                    415,
                ) from error
            raise Refused(
                f"{name} is not a photograph that can be read: it is of another format, cut short "
                f"or damaged; save it as JPEG or PNG ({', '.join(FORMATS[2:])} are read too)",
                415,
            ) from error
    return photograph(name, pixels)


def photograph(name: str, pixels: UInt8[Tensor, "3 S S"]) -> Photo:
    """Return a photograph with the id of its pixels."""
    return Photo(hashlib.sha256(pixels.numpy().tobytes()).hexdigest()[:12], name, pixels)


def too_large(name: str) -> Refused:
    """The sentence for a file of more than MOST_BYTES."""
    most = MOST_BYTES // 2**20
    return Refused(f"{name} is larger than {most} MB; save it smaller and add it again", 413)


def encoded(photo: Photo) -> bytes:
    """Return a photograph's pixels as PNG, without the file's metadata."""
    image = Image.fromarray(np.ascontiguousarray(photo.pixels.permute(1, 2, 0).numpy()))
    image.save(file := io.BytesIO(), format="PNG", compress_level=1)
    return file.getvalue()


def shipped() -> list[Photo]:
    """Return the photographs that come with siamlab."""
    pixels = Photographs()("test").pixels
    names = (name.replace("_", " ") for name in NAMES)
    return [photograph(n, torch.clone(p)) for n, p in zip(names, pixels, strict=True)]


def opened(paths: Sequence[str | Path]) -> list[Photo]:
    """Return the photographs of files and of folders, sorted, at most MOST_PHOTOS.

    Raises UserError for a file that cannot be read and for a folder without any.
    """
    files = [file for path in paths for file in _files(expanded(path))]
    return [_from_file(file) for file in files[:MOST_PHOTOS]]


def has_photographs(folder: Path) -> bool:
    """Tell whether a folder holds files of images, not looking into those below it."""
    return any(file.suffix.lower() in SUFFIXES for file in folder.iterdir())


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if not found:
        raise UserError(f"{path} holds no photographs ({' '.join(SUFFIXES)}); name another folder")
    return found


def _from_file(file: Path) -> Photo:
    try:
        check_file(file)
        if file.stat().st_size > MOST_BYTES:
            raise too_large(str(file))
        return decoded(legible(file.name), file.read_bytes())
    except OSError as error:
        raise UserError(
            f"{file} cannot be read ({error.strerror or error}); name another photograph"
        ) from error


def _check_size(name: str, image: Image.Image) -> None:
    reduced = image.format == "JPEG" and "progressive" not in image.info
    most = MOST_IN_JPEG if reduced else MOST_PIXELS
    if image.size[0] * image.size[1] > most:
        raise _too_many(name, most)


def _too_many(name: str, most: int = MOST_PIXELS) -> Refused:
    return Refused(
        f"{name} has more than {most // 10**6} megapixels; save it smaller and add it again", 413
    )


def _formats() -> list[str]:
    """Those of FORMATS that this Pillow was built with; it fails at others."""
    known = set(Image.registered_extensions().values())
    return [name for name in FORMATS if name in known]
