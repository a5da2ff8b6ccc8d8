"""Settings: dotted keys into nested tables, and mistakes into one sentence.

fields = settings(run.model_dump(), ["loss.weight=0.05", "data=folder"], Run)
"""

import json
import tomllib
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from siamlab.component import UserError, unknown


def settings(fields: dict[str, Any], assignments: Any, model: type[BaseModel]) -> dict[str, Any]:
    """A copy of the tables with each `key.subkey=value` put in its place.

    A value for a whole axis names its choice, `loss=cosine`, and its fields start at their
    defaults. Raises UserError for a key that is not there.
    """
    fields = _copied(fields)
    for assignment in sorted(assignments, key=_depth):
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise UserError(f"{assignment!r} is not key=value; an example: loss.weight=0.05")
        _put(fields, key, key.split("."), literal(value), model)
    return fields


def differences(mine: BaseModel, base: BaseModel | None, prefix: str = "") -> Iterator[str]:
    """What turns `base` into `mine`, as assignments; without a base, what is not as by default."""
    for name, field in type(mine).model_fields.items():
        own = getattr(mine, name)
        other = getattr(base, name) if base else field.get_default(call_default_factory=True)
        if own == other or name == "kind":
            continue
        if not isinstance(own, BaseModel):
            yield f"{prefix}{name}={_text(own)}"
            continue
        alike = type(own) is type(other)
        if not alike:
            yield f"{prefix}{name}={own.kind}"
        yield from differences(own, other if alike else None, f"{prefix}{name}.")


def literal(text: str) -> Any:
    """A value as TOML writes it (0.05, true, [1, 2]); anything else is the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def choices(annotation: Any) -> dict[str, type[BaseModel]]:
    """The components that may stand in a field, by kind ("" for the only one); {} for a value."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else [annotation]
    found = [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
    return {m.model_fields["kind"].default if "kind" in m.model_fields else "": m for m in found}


def choice_of(name: str, value: Any, model: type[BaseModel]) -> Any:
    """What stands for `value` in a field: for a word where a component is asked, that choice."""
    inside = choices(model.model_fields[name].annotation) if name in model.model_fields else {}
    return _choice(value, inside) if inside and isinstance(value, str) else value


def explain(error: ValidationError, fields: dict[str, Any]) -> str:
    """The first mistake as one sentence: key, value, what is allowed."""
    first = error.errors()[0]
    key = ".".join(_keys(first["loc"], fields))
    if first["type"] == "value_error":
        message = str(first["ctx"]["error"])
        return f"{key}: {message}" if key else message
    if first["type"] == "union_tag_invalid":
        allowed = [tag.strip(" '") for tag in first["ctx"]["expected_tags"].split(",")]
        return unknown(f"{key} has no choice", first["ctx"]["tag"], allowed)
    if first["type"] == "union_tag_not_found":
        return f"{key} needs a `kind`; `siamlab axes` lists the choices"
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    message = message[0].lower() + message[1:]
    return f"{key}={first['input']!r} is not allowed: it {message}; `siamlab axes` explains {key}"


def _text(value: Any) -> str:
    """A value so that `literal` reads it back."""
    if isinstance(value, str):
        return value if literal(value) == value else json.dumps(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_text, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _depth(assignment: str) -> int:
    """Dots before the value; an axis is chosen before its fields, `loss.kind=` like `loss=`."""
    return assignment.partition("=")[0].removesuffix(".kind").count(".")


def _put(table: dict, key: str, path: list[str], value: Any, model: type[BaseModel]) -> None:
    name, *rest = path
    if name not in model.model_fields:
        where = key.removesuffix(".".join(path)).rstrip(".")
        kind = f"{where}={table['kind']}" if "kind" in table else where
        raise UserError(unknown(f"{kind or 'a run'} has no key", name, model.model_fields))
    field = model.model_fields[name]
    inside = choices(field.annotation)
    if not rest:
        table[name] = choice_of(name, value, model)
        return
    if not inside:
        raise UserError(f"{key} goes too deep: {'.'.join(key.split('.')[: -len(rest)])} is a value")
    if not isinstance(table.get(name), dict):
        table[name] = {}
    kind = table[name].get("kind", "") if len(inside) > 1 else next(iter(inside))
    if rest == ["kind"]:
        table[name] = {"kind": value}
    elif kind in inside:
        _put(table[name], key, rest, value, inside[kind])
    else:
        raise UserError(unknown(f"{name} has no choice", str(kind), inside))


def _choice(value: str, inside: dict[str, type[BaseModel]]) -> dict[str, str]:
    """`loss=cosine`; and `model=vit_small_patch16_224`, the one axis whose names are timm's."""
    if value not in inside and "timm" in inside:
        return {"kind": "timm", "name": value}
    return {"kind": value}


def _keys(location: tuple, fields: Any) -> list[str]:
    """The keys of an error without the tags that pydantic puts in for the choices."""
    keys = []
    for step in location:
        if isinstance(fields, dict) and step == fields.get("kind") and step not in fields:
            continue
        keys.append(str(step))
        fields = fields.get(step) if isinstance(fields, dict) else None
    return keys


def _copied(fields: Any) -> Any:
    if isinstance(fields, BaseModel):
        return fields.model_dump()
    return {k: _copied(v) for k, v in fields.items()} if isinstance(fields, dict) else fields
