"""Lists of a public set: text files that come with it, such as the names of a split's images.

names = names_in(root / "ImageSets/2017/val.txt", "unpack DAVIS 2017 again")
"""

from pathlib import Path

from siamlab.component import UserError
from siamlab.machine.files import text_in
from siamlab.machine.wording import shown

COPY = "set data.path to a whole copy"
LONGEST = 250  # bytes of a name, so that it may have an ending: systems take 255


def text_of(file: Path, way: str = COPY) -> str:
    """Return the text of a list. Raises UserError for a file that cannot be read."""
    try:
        return text_in(file)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UserError(
            f"data.path: {file}, which lists images or regions, cannot be read ({why}); {way}"
        ) from None


def names_in(file: Path, way: str = COPY) -> list[str]:
    """Return the names in a list, in order.

    Raises UserError for a file that cannot be read or is empty, a path among the names, which could
    lead out of the set, and a name that is there twice, which would count twice.
    """
    names, seen = text_of(file, way).split(), set()
    if not names:
        raise UserError(f"data.path: {file} must list names, but is empty; {way}")
    for name in names:
        if not is_name(name) or name in seen:
            what = "more than once" if name in seen else "and must list names without a folder"
            raise UserError(f"data.path: {file} lists {shown(name)} {what}; {way}")
        seen.add(name)
    return names


def listed_in(file: Path, folder: Path, way: str = COPY) -> list[Path]:
    """Return the photographs, in JPEG, that a list names, in order.

    Raises UserError as `names_in`, and for a photograph that is not in the folder.
    """
    found = [folder / f"{name}.jpg" for name in names_in(file, way)]
    missing = [photograph for photograph in found if not photograph.exists()]
    if missing:
        raise UserError(
            f"data.path: {file} lists {missing[0].stem!r}, but {missing[0]} is not there "
            f"({len(missing):,} of {len(found):,} are missing); {way}"
        )
    return found


def is_name(name: object) -> bool:
    """Return whether this can only be the name of a file or folder, and no path."""
    short = isinstance(name, str) and len(name.encode(errors="replace")) <= LONGEST
    return short and Path(name).name == name and "\0" not in name
