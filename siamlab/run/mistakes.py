"""Mistakes: fields that are not allowed, each in a sentence with key, value and what is allowed.

run = changed(Run, base.model_dump(), ["loss.weight=0.05"])     # UserError lists every mistake
"""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from siamlab.component import UserError, unknown
from siamlab.machine.fields import choices, sentences
from siamlab.run.assignments import also, copied, put

M = TypeVar("M", bound=BaseModel)


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
    if not isinstance(fields, dict):
        raise UserError(f"{model.__name__} is made of a table of fields, not of {fields!r}")
    fields = copied(fields)
    problems = [*problems, *_strangers(fields, model, prefix)]
    try:
        component = model.model_validate(fields)
    except ValidationError as error:
        lines = [line for line in error.errors() if line["loc"] or not problems]
        problems += sentences(lines, fields, model, prefix)
    if problems:
        raise UserError(also(problems))
    return component


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
            if isinstance(kind, str) and kind in inside:
                yield from _strangers(table[key], inside[kind], f"{where}{key}.")
