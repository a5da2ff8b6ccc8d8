"""Assignments: put dotted keys into nested tables.

fields = assign(run.model_dump(), ["loss.weight=0.05", "data=folder"], Run)
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from siamlab.component import UserError, unknown
from siamlab.machine.fields import choices, literal, no_choice, text_of
from siamlab.machine.wording import shown


def assign(fields: dict[str, Any], assignments: Any, model: type[BaseModel]) -> dict[str, Any]:
    """Return a copy of the tables with each `key.subkey=value` put in its place.

    A value for a whole axis names its choice, `loss=cosine`, and its fields start at their
    defaults. Raises UserError for an unknown key.
    """
    fields, problems = put(fields, assignments, model)
    if problems:
        raise UserError(also(problems))
    return fields


def put(
    fields: dict[str, Any], assignments: Iterable[str], model: type[BaseModel], prefix: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """Return what `assign` returns, and a sentence for each assignment that has no place there.

    `prefix` stands before the keys in these sentences.
    """
    fields, problems = copied(fields), []
    words = [*assignments]
    problems += [_no_text(word) for word in words if not isinstance(word, str)]
    for assignment in sorted((word for word in words if isinstance(word, str)), key=_depth):
        key, equals, value = assignment.partition("=")
        try:
            if not equals or not key:
                raise UserError(f"{assignment!r} is not key=value; an example: loss.weight=0.05")
            _put(fields, prefix + key, key.split("."), value, model)
        except UserError as mistake:
            problems.append(str(mistake))
    return fields, problems


def _no_text(word: Any) -> str:
    if isinstance(word, list | tuple):
        return f"assignments are given one by one, not as a list; write *{shown(word)}"
    return f"{str(word)!r} is not key=value, which is text; an example: 'loss.weight=0.05'"


def also(problems: Iterable[str]) -> str:
    """Join the sentences of several mistakes, each once."""
    return ". Also: ".join(dict.fromkeys(problems))


def differences(mine: BaseModel, base: BaseModel | None, prefix: str = "") -> Iterator[str]:
    """Yield the assignments that turn `base`, or the defaults without one, into `mine`."""
    for name, field in type(mine).model_fields.items():
        own = getattr(mine, name)
        other = getattr(base, name) if base else field.get_default(call_default_factory=True)
        if own == other or name == "kind":
            continue
        if not isinstance(own, BaseModel):
            yield f"{prefix}{name}={text_of(own)}"
            continue
        same_choice = type(own) is type(other)
        if not same_choice:
            yield f"{prefix}{name}={own.kind}"
        yield from differences(own, other if same_choice else None, f"{prefix}{name}.")


def choice_of(name: str, value: Any, model: type[BaseModel]) -> Any:
    """Return a field's value, where a word for a component becomes the table of that choice."""
    inside = choices(model.model_fields[name].annotation) if name in model.model_fields else {}
    return _choice(value, inside) if inside and isinstance(value, str) else value


def _depth(assignment: str) -> int:
    """Return the number of dots in the key, so that a choice is made before its fields are set."""
    return assignment.partition("=")[0].removesuffix(".kind").count(".")


def _put(table: dict, key: str, path: list[str], text: str, model: type[BaseModel]) -> None:
    name, *rest = path
    if name not in model.model_fields:
        where = key.removesuffix(".".join(path)).rstrip(".")
        kind = f"{where}={table['kind']}" if "kind" in table else where
        inner = list(_inner(table, name)) if len(path) == 1 else []
        raise UserError(unknown(f"{kind or 'a run'} has no key", name, model.model_fields, inner))
    field = model.model_fields[name]
    inside = choices(field.annotation)
    if not rest:
        table[name] = _value(text, key, field.annotation, inside)
        return
    if not inside:
        raise UserError(f"{key} goes too deep: {'.'.join(key.split('.')[: -len(rest)])} is a value")
    if not isinstance(table.get(name), dict):
        table[name] = {}
    kind = table[name].get("kind", "") if len(inside) > 1 else next(iter(inside))
    if rest == ["kind"]:
        table[name] = {"kind": literal(text)}
    elif kind in inside:
        _put(table[name], key, rest, text, inside[kind])
    else:
        raise UserError(no_choice(name, str(kind), inside))


def _inner(table: dict, name: str, prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of the tables inside that have this name: lr is optimiser.lr."""
    for key, value in table.items():
        if isinstance(value, dict):
            if name in value:
                yield f"{prefix}{key}.{name}"
            yield from _inner(value, name, f"{prefix}{key}.")


def _value(text: str, key: str, annotation: Any, inside: dict[str, type[BaseModel]]) -> Any:
    """Return the value of a word: for a field of text, text that looks like a number too."""
    value = literal(text)
    if annotation is str and not isinstance(value, str):
        return text
    if "" in inside and not isinstance(value, dict):
        one = next(iter(inside[""].model_fields))
        raise UserError(
            f"{key}={text} must be set key by key, as in {key}.{one}=...; `siamlab axes {key}` "
            "lists the keys"
        )
    return _choice(value, inside) if inside and isinstance(value, str) else value


def _choice(value: str, inside: dict[str, type[BaseModel]]) -> dict[str, str]:
    """Return the table of a choice, or of one that takes other words as its `name`."""
    named = [kind for kind, choice in inside.items() if getattr(choice, "by_name", False)]
    if named and value not in inside:
        return {"kind": named[0], "name": value}
    return {"kind": value}


def copied(fields: Any) -> Any:
    """Return nested tables of their own, of components too."""
    if isinstance(fields, BaseModel):
        return fields.model_dump()
    return {k: copied(v) for k, v in fields.items()} if isinstance(fields, dict) else fields
