"""Mistakes: fields that are not allowed, each in a sentence with key, value and what is allowed.

run = changed(Run, base.model_dump(), ["loss.weight=0.05"])     # or a UserError that tells them all
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from siamlab.component import Allowed, UserError, unknown
from siamlab.run.assignments import also, choices, copied, put, text_of

M = TypeVar("M", bound=BaseModel)
NUMBERS = ("no", "one", "two", "three", "four")
SHOWN = 60  # letters of a wrong value


class Place(NamedTuple):
    """A field of a component, found by its dotted key."""

    key: str
    annotation: Any
    metadata: tuple[Any, ...]
    value: Any  # what the tables hold there


def changed(model: type[M], fields: dict[str, Any], words: Iterable[str], prefix: str = "") -> M:
    """Return the component that the tables and each `key.subkey=value` make.

    Raises UserError, with a sentence for each mistake. `prefix` stands before keys, `fine_tune.`.
    """
    fields, problems = put(fields, words, model, prefix)
    return made(model, fields, prefix, problems)


def made(
    model: type[M], fields: dict[str, Any], prefix: str = "", problems: Iterable[str] = ()
) -> M:
    """Return the component that the tables make.

    Raises UserError, with `problems` that are known already and a sentence for each other one.
    """
    fields = copied(fields)
    problems = [*problems, *_strangers(fields, model, prefix)]
    try:
        component = model.model_validate(fields)
    except ValidationError as error:
        lines = [line for line in error.errors() if line["loc"] or not problems]
        problems += dict.fromkeys(_sentence(line, fields, model, prefix) for line in lines)
    if problems:
        raise UserError(also(problems))
    return component


def allowed(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """Return what a field takes, in words: `a whole number, 1 or more`."""
    if get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        return allowed(annotation, (*more, *metadata))
    metadata = [*_flat(metadata)]
    for mark in metadata:
        if isinstance(mark, Allowed):
            return mark.text
    if inside := choices(annotation):
        return "a table" if "" in inside else f"one of {', '.join(inside)}"
    if get_origin(annotation) is Literal:
        *others, last = map(repr, get_args(annotation))
        return f"{', '.join(others)} or {last}" if others else last
    if get_origin(annotation) is tuple:
        return _several(get_args(annotation))
    plain = {bool: "true or false", str: "text", int: "a whole number", float: "a number"}
    word = plain.get(annotation, f"a {getattr(annotation, '__name__', annotation)}")
    return word + _limits(metadata)


def _several(parts: tuple[Any, ...]) -> str:
    """Describe what a list takes."""
    if parts[-1] is Ellipsis:
        return f"a list, each {allowed(parts[0])}"
    count = NUMBERS[len(parts)] if len(parts) < len(NUMBERS) else str(len(parts))
    return f"a list of {count}, each {allowed(parts[0])}"


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


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for mark in metadata:
        yield from mark.metadata if isinstance(mark, FieldInfo) else [mark]


def _strangers(table: dict[str, Any], model: type[BaseModel], where: str) -> Iterator[str]:
    """Remove the keys that the component does not have; yield a sentence for each."""
    for key in [*table]:
        field = model.model_fields.get(key)
        if field is None:
            del table[key]
            kind = f"={table['kind']}" if "kind" in table else ""
            name = where.rstrip(".") + kind if where else "a run"
            yield unknown(f"{name} has no key", str(key), model.model_fields)
        elif isinstance(table[key], dict) and (inside := choices(field.annotation)):
            kind = table[key].get("kind", "") if len(inside) > 1 else next(iter(inside))
            if kind in inside:
                yield from _strangers(table[key], inside[kind], f"{where}{key}.")


def _sentence(line: Any, fields: dict[str, Any], model: type[BaseModel], prefix: str) -> str:
    """Return one of pydantic's errors as a sentence."""
    place = _place(line["loc"], fields, model)
    key = prefix + place.key if place.key else ""
    if line["type"] == "value_error":
        message = str(line["ctx"]["error"])
        return f"{key}: {message}" if key else message
    if line["type"] == "union_tag_invalid":
        kinds = choices(place.annotation)
        return unknown(f"{key} has no choice", str(line["ctx"]["tag"]), kinds)
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
            continue  # a tag, by which pydantic tells the choices apart
        keys.append(str(step))
        field = part.model_fields[step]
        annotation, metadata = field.annotation, tuple(field.metadata)
        fields = _inside(fields, step)
        inside = choices(annotation)
        part = inside.get(_inside(fields, "kind") or "", next(iter(inside.values()), None))
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
