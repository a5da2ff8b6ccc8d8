"""Fields: the types of a run's name and of the size of its views.

class Run(Component): name: Name; size: Size
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from siamlab.component import Allowed

MOST_BYTES = 200  # of a name: file systems take 255, and files named after it have endings
Side = Annotated[int, Field(ge=1, le=4096)]


def _two_sides(size: Any) -> Any:
    return (size, size) if isinstance(size, int) else size


def _short(name: str) -> str:
    """Return the name. Refuses one that no file system takes: they count bytes."""
    if len(name.encode(errors="replace")) > MOST_BYTES:
        raise ValueError  # without words: what is allowed says it
    return name


Name = Annotated[
    str,
    AfterValidator(_short),
    Allowed(
        f"text that can name a folder: at most {MOST_BYTES} letters (bytes in UTF-8, where é takes "
        "2), without / and \\ and line breaks, and with more than dots"
    ),
]
Size = Annotated[
    tuple[Side, Side],
    BeforeValidator(_two_sides, json_schema_input_type=Side | tuple[Side, Side]),
    Allowed("one or two whole numbers from 1 to 4,096, such as 224 or [224, 160]"),
    Field(
        description="height and width of a view, pixels (one number: both); 65,536 patches at most"
    ),
]
