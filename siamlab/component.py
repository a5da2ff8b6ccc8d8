"""The one base class: a frozen, validated bag of fields that can be called."""

from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, model_validator

C = TypeVar("C", bound="Component")  # not typing.Self: beartype's import hook refuses it


class UserError(ValueError):
    """A user's mistake, said in one sentence: key, value, what is allowed, the way out."""

    def _render_traceback_(self) -> list[str]:
        """What IPython, and so a notebook, shows: the sentence alone."""
        return [f"siamlab: {self}"]


class Component(BaseModel):
    """Fields are hyperparameters, `__call__` is the behaviour; nothing else is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, fields: Any) -> Any:
        if isinstance(fields, dict):
            for key in fields.keys() - cls.model_fields.keys():
                raise ValueError(unknown(f"{cls.__name__} has no field", key, cls.model_fields))
        return fields

    def replace(self: C, **changes: Any) -> C:
        """A checked copy. (Pydantic's `model_copy(update=...)` does not check.)"""
        return type(self).model_validate(dict(self) | changes)


def ascending(pair: tuple[float, float]) -> tuple[float, float]:
    """The pair, whose first number is at most its second."""
    if pair[0] > pair[1]:
        raise ValueError(f"{list(pair)} must be [least, largest]; swap the two")
    return pair


def variants(axis: Any) -> tuple[type[Component], ...]:
    """The classes of one axis: `variants(Masking) == (NoMasking, RandomMasking, ...)`."""
    return get_args(get_args(axis)[0])


def unknown(what: str, name: str, allowed: Any) -> str:
    """The sentence for a name that is not there: what was asked, the nearest, all there are."""
    near = get_close_matches(name, list(allowed), n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ";"
    names = sorted(allowed)
    listed = ", ".join(names) if len(names) <= 40 else f"{len(names)} names, such as {names[-1]!r}"
    return f"{what} {name!r}{hint} allowed: {listed}"
