"""Wording: what an annotation allows, and what a value is, in words.

words(int | None)                           # "a whole number or None"
words(Float[Tensor, "n D"])                 # "a tensor of floats [n, D]"
shown("5"), shown(torch.zeros(3, 4))        # "'5'", "float32 [3, 4]"
"""

import collections.abc as abc
from functools import cache
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from siamlab.machine.fields import SHOWN, allowed
from siamlab.machine.messages import Allowed

CLASSES = {  # how one comes by what a user passes on; other classes go by their name
    "DataChoice": "a source such as siamlab.data.Scenes()",
    "DataFrame": "a polars DataFrame",
    "Features": "what probe.features returns",
    "Images": "images such as open_images(...).test",
    "Inputs": "what probe.inputs returns",
    "Match": "what siamlab.geometry.match_patches returns",
    "Measured": "what probe_model returns",
    "Module": "a network such as open_model(...).model",
    "NamedModel": "what open_model returns",
    "NoneType": "None",
    "Objects": "objects such as open_images('scenes').test.objects",
    "Path": "a path",
    "PathLike": "a path",
    "Profile": "what probe.attention_profile returns",
    "Run": "a run such as siamlab.mae()",
    "Score": "a score of a probe",
    "View": "a View, as run.views makes two of each image",
}
WAYS = {  # out of another kind of tensor
    "floats": "convert arrays by torch.from_numpy, and whole numbers by .float()",
    "whole numbers": "convert arrays by torch.from_numpy, and floats by .long()",
    "bytes": "take those of open_images, or convert by .byte()",
    "true or false": "compare numbers, as in x > 0, or convert by .bool()",
}
POOL = "pool patches first, and convert arrays by torch.from_numpy"  # of features [n, D]
KINDS = {"float": "floats", "bfloat": "floats", "bool": "true or false", "complex": "complex"}


def words(annotation: Any) -> str:
    """Return what the annotation allows: `a whole number or None`."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _either(parts)
    if origin is Annotated:
        own = [mark.text for mark in parts[1:] if isinstance(mark, Allowed)]
        return own[0] if own else allowed(annotation)
    if hasattr(annotation, "dim_str"):
        return f"a tensor of {_numbers(annotation)} [{', '.join(annotation.dim_str.split())}]"
    if origin is type:
        return f"a class such as {parts[0].__name__}"
    if isinstance(origin, type) and issubclass(origin, abc.Mapping):
        return f"a dictionary by name, each {words(parts[1])}"
    if isinstance(origin, type) and issubclass(origin, tuple) and Ellipsis not in parts:
        return f"{len(parts)} of ({', '.join(map(words, parts))})"
    if isinstance(origin, type) and issubclass(origin, abc.Iterable):
        return f"a list, each {words(parts[0])}"
    kind = annotation if origin in (None, Literal, abc.Callable) else origin
    return CLASSES.get(getattr(kind, "__name__", ""), "") or allowed(kind)


def _either(parts: tuple[Any, ...]) -> str:
    """Return the words of a union, without those that a list of the same would say again."""
    plain = [part for part in parts if not any(inner in parts for inner in get_args(part))]
    said = list(dict.fromkeys(map(words, plain)))
    if len(plain) < len(parts):
        said.insert(-1 if said[-1] == "None" else len(said), "a list of them")
    *others, last = said
    comma = "," if any("," in part for part in said) else ""
    return f"{', '.join(others)}{comma} or {last}" if others else last


def way_to(annotation: Any) -> str:
    """Return how to make the tensor that the annotation asks for; "" if it asks for none."""
    if not hasattr(annotation, "dim_str"):
        return next(filter(None, map(way_to, get_args(annotation))), "")
    return POOL if annotation.dim_str == "n D" else WAYS.get(_numbers(annotation), "")


def shown(value: Any) -> str:
    """Return a small value as it is typed, a long text cut short, and others as `described`."""
    text = repr(value) if _plain(value) else ""
    if isinstance(value, str) and len(text) > SHOWN:
        return f"{text[:SHOWN]}…"
    return text if 0 < len(text) <= SHOWN else described(value)


def described(x: Any) -> str:
    """Describe a tensor as `float32 [3, 4]`, and anything else by its type."""
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        array = unusual(x) if hasattr(x, "is_floating_point") else f"{type(x).__name__} "
        return f"{array}{str(x.dtype).removeprefix('torch.')} {list(x.shape)}"
    return "None" if x is None else type(x).__name__


def unusual(x: Any) -> str:
    """Return `sparse `, or `meta ` for a tensor without numbers; "" for any other."""
    if getattr(x, "is_meta", False):
        return "meta "
    return "" if str(getattr(x, "layout", "torch.strided")) == "torch.strided" else "sparse "


@cache
def kind_of(dtype: Any) -> str:
    """Return the kind of an array's numbers: floats, true or false, or whole numbers."""
    name = str(dtype).removeprefix("torch.")
    return next((kind for start, kind in KINDS.items() if name.startswith(start)), "whole numbers")


def _numbers(annotation: Any) -> str:
    """Return the kind of numbers in a shaped annotation, with bytes apart."""
    return "bytes" if list(annotation.dtypes) == ["uint8"] else kind_of(annotation.dtypes[0])


def _plain(value: Any) -> bool:
    """Tell whether a value prints as a user would type it, in one line."""
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return len(value) <= SHOWN and all(map(_plain, value))
    return isinstance(value, NoneType | bool | int | float | str | bytes | PurePath)
