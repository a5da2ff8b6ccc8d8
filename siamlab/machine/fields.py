"""Fields: the values that each accepts, in words, and a sentence for each value it rejects.

allowed(int, [Ge(1)])                      # "a whole number, 1 or more"
sentences(error.errors(), {"steps": 0}, Run)     # ["steps=0 must be a whole number from ..."]
"""

import collections.abc
import json
import os
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from siamlab.machine.messages import Allowed, unknown

NUMBERS = ("no", "one", "two", "three", "four")
SHOWN = 60  # letters of a wrong value


class Place(NamedTuple):
    """A field of a component, found by its dotted key."""

    key: str
    annotation: Any
    metadata: tuple[Any, ...]
    value: Any  # what the tables hold there


def literal(text: str) -> Any:
    """Return the value of TOML text (0.05, true, [1, 2]); any other text is returned unchanged."""
    try:
        found = tomllib.loads(f"table = {{value = {text}}}")["table"]
    except (ValueError, RecursionError):  # also for a number of too many digits
        return text
    return found["value"] if len(found) == 1 else text


def choices(annotation: Any) -> dict[str, type[BaseModel]]:
    """Return the components allowed in a field, by kind ("" for a single one); {} for values."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else [annotation]
    parts = [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
    return {m.model_fields["kind"].default if "kind" in m.model_fields else "": m for m in parts}


def text_of(value: Any) -> str:
    """Return the text that `literal` reads back as the value."""
    if isinstance(value, str):
        return value if literal(value) == value else json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(text_of, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def sentences(
    lines: Iterable[Any],
    fields: dict[str, Any],
    model: type[BaseModel],
    prefix: str = "",
    axes: bool = True,
) -> list[str]:
    """Return pydantic's errors, `error.errors()`, as one sentence for each mistake in the fields.

    `prefix` stands before keys. `axes`: whether `siamlab axes` knows the keys.
    """
    found = [_sentence(line, fields, model, prefix) for line in lines]
    plain = [text if axes else text.partition("; `siamlab axes")[0] for text in found]
    return list(dict.fromkeys(plain))


def allowed(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """Return what a field takes, in words: `a whole number, 1 or more`."""
    if get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        return allowed(annotation, (*more, *metadata))
    metadata = [*flat(metadata)]
    for mark in metadata:
        if isinstance(mark, Allowed):
            return mark.text
    if inside := choices(annotation):
        return "a table" if "" in inside else f"one of {', '.join(inside)}"
    if get_origin(annotation) is Literal:
        *others, last = map(repr, get_args(annotation))
        return f"{', '.join(others)} or {last}" if others else last
    if get_origin(annotation) is tuple:
        return _several(get_args(annotation), _least(metadata))
    if get_origin(annotation) is collections.abc.Callable:
        return "a function"
    plain = {bool: "true or false", str: "text", int: "a whole number", float: "a number"}
    word = plain.get(annotation, f"a {getattr(annotation, '__name__', annotation)}")
    filled = ", not empty" if annotation is str and _least(metadata) else ""
    return word + filled + _limits(metadata)


def _several(parts: tuple[Any, ...], least: int) -> str:
    """Describe what a list takes."""
    if parts[-1] is Ellipsis:
        how_many = f" of {least} or more" if least else ""
        one = f"of class {parts[0].__name__}" if choices(parts[0]) else allowed(parts[0])
        return f"a list{how_many}, each {one}"
    count = NUMBERS[len(parts)] if len(parts) < len(NUMBERS) else str(len(parts))
    return f"a list of {count}, each {allowed(parts[0])}"


def _least(metadata: Iterable[Any]) -> int:
    """Return the least length of a list or text."""
    return max((getattr(mark, "min_length", None) or 0 for mark in metadata), default=0)


def _limits(metadata: Iterable[Any]) -> str:
    """Describe the bounds of a number: `, above 0 and below 1`."""
    found = {}
    for mark in metadata:
        for name in ("gt", "ge", "lt", "le", "multiple_of", "allow_inf_nan"):
            if (value := getattr(mark, name, None)) is not None:
                found[name] = value
    low = f"above {found['gt']:,}" if "gt" in found else ""
    if "ge" in found:
        both = "lt" in found or "le" in found
        low = f"from {found['ge']:,}" if both else f"{found['ge']:,} or more"
    high = f"below {found['lt']:,}" if "lt" in found else ""
    high = f"at most {found['le']:,}" if "le" in found else high
    if low.startswith("from"):
        high = f"to {high.removeprefix('at most ')}"
    ends = " ".join(filter(None, (low, "and" if "gt" in found and high else "", high)))
    step = found.get("multiple_of")
    even = f", {'even' if step == 2 else f'a multiple of {step}'}" if step else ""
    comma = "," if ends[:1].isdigit() else ""
    inf = ", or inf" if found.get("allow_inf_nan") else ""
    return (f"{comma} {ends}" if ends else "") + even + inf


def no_choice(key: str, name: str, kinds: Mapping[str, type[BaseModel]]) -> str:
    """Return the sentence for a choice that does not exist; for a path also how to give it."""
    sentence = unknown(f"{key} has no choice", name, kinds)
    takers = [kind for kind, choice in kinds.items() if getattr(choice, "by_path", False)]
    if takers and ("/" in name or os.path.isdir(name)):
        sentence += f"; a path is given as {key}={takers[0]} {key}.path={shlex.quote(name)}"
    return sentence


def flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for mark in metadata:
        yield from mark.metadata if isinstance(mark, FieldInfo) else [mark]


def _sentence(line: Any, fields: dict[str, Any], model: type[BaseModel], prefix: str) -> str:
    """Return one of pydantic's errors as a sentence."""
    place = _place(line["loc"], fields, model)
    key = prefix + place.key if place.key else ""
    if line["type"] == "value_error" and (message := str(line["ctx"]["error"])):
        return f"{key}: {message}" if key else message
    if line["type"] == "union_tag_invalid":
        return no_choice(key, str(line["ctx"]["tag"]), choices(place.annotation))
    if line["type"] == "union_tag_not_found" and isinstance(place.value, dict):
        return f"{key} needs a `kind`; `siamlab axes {key}` lists the choices"
    what = allowed(place.annotation, place.metadata)
    if line["type"] == "missing" and place.value is None:
        return f"{key} must be given, {what}; `siamlab axes {key}` explains it"
    value = line["input"] if place.value is None else place.value  # None: a default is wrong
    return f"{key}={_shown(value)} must be {what}; `siamlab axes {key}` explains it"


def _place(location: tuple, fields: Any, model: type[BaseModel]) -> Place:
    """Return the field that an error is about: of a list the whole, without pydantic's tags."""
    keys: list[str] = []
    part: type[BaseModel] | None = model
    annotation, metadata = model, ()
    for step in location:
        if part is None:
            break  # a place in a list
        if step not in part.model_fields:
            continue  # a tag, by which pydantic distinguishes the choices
        keys.append(str(step))
        field = part.model_fields[step]
        annotation, metadata = field.annotation, tuple(field.metadata)
        fields = _inside(fields, step)
        inside = choices(annotation)
        kind = _inside(fields, "kind")
        named = inside.get(kind) if isinstance(kind, str) else None
        part = named or next(iter(inside.values()), None)
    return Place(".".join(keys), annotation, metadata, fields)


def _inside(fields: Any, name: str) -> Any:
    return fields.get(name) if isinstance(fields, dict) else getattr(fields, name, None)


def _shown(value: Any) -> str:
    """Return a wrong value as it is typed on the command line, cut short."""
    if isinstance(value, float):
        return f"{value:.15g}"
    text = repr(value) if isinstance(value, dict) else text_of(value)
    text = text if text and text.isprintable() else repr(text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
