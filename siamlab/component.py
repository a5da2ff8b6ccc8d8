"""The one base class: a frozen, validated bag of fields that can be called."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    NamedTuple,
    TypeVar,
    get_args,
    get_origin,
)
from unicodedata import category

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

OBEYED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # controls, directions of writing, new lines
C = TypeVar("C", bound="Component")  # not typing.Self: beartype's import hook refuses it


def printable(text: object) -> str:
    r"""Return the text with all that a terminal would obey as \x1b, \n or \u202e."""
    return "".join(
        repr(c)[1:-1] if category(c) in OBEYED else c for c in str(text)
    )  # repr writes them as escapes


class UserError(ValueError):
    """A user's mistake in one sentence: key, value, what is allowed, the way out."""

    def __init__(self, sentence: object = ""):
        super().__init__(printable(sentence))  # it may quote the names of files

    def _render_traceback_(self) -> list[str]:
        """Return what IPython, and so a notebook, shows: the sentence alone."""
        return [f"siamlab: {self}"]


class Sizes(NamedTuple):
    """The sizes that a method is shrunk to for a short run."""

    side: int  # of a view, pixels
    patch: int  # side of a patch, pixels
    width: int  # of encoder and dense predictor
    depth: int  # of the encoder, blocks
    heads: int  # attention heads per block of either
    batch: int
    steps: int
    save_every: int
    warmup: float  # fraction of the steps in which the learning rate rises
    momentum: str  # schedule of the target's momentum


class Allowed(NamedTuple):
    """Beside a field's type: what it takes in words, where a pattern alone would not say it."""

    text: str


if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass as Told
else:

    class Told(type(BaseModel)):
        """Makes components: wrong fields are a UserError, a sentence each, as everywhere."""

        def __call__(cls, *places, **fields):
            try:
                return super().__call__(*places, **fields)
            except ValidationError as error:
                raise told(error, fields, cls) from None


def told(error: ValidationError, fields: dict[str, Any], cls: type[BaseModel]) -> UserError:
    """Return pydantic's error as one of a user, with a sentence for each mistake."""
    from siamlab.fields import sentences  # which is built on this module

    found = sentences(error.errors(), fields, cls, f"{cls.__name__}.", axes=False)
    return UserError(". Also: ".join(found))


class Component(BaseModel, metaclass=Told):
    """Fields are hyperparameters, `__call__` is the behaviour; no other state is kept."""

    # a word that is no kind is this choice's `name`: model=vit_small_patch16_224 is timm's
    by_name: ClassVar[bool] = False

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, fields: Any) -> Any:
        if isinstance(fields, dict):
            for key in [key for key in fields if key not in cls.model_fields]:
                raise ValueError(unknown(f"{cls.__name__} has no field", key, cls.model_fields))
            return {name: cls._no_truth(name, value) for name, value in fields.items()}
        return fields

    @classmethod
    def _no_truth(cls, name: str, value: Any) -> Any:
        """Return true and false as words where a number is due: pydantic takes them for 1 and 0."""
        inside = _types(cls.model_fields[name].annotation)
        number = int in inside or float in inside
        return _as_words(value) if number and bool not in inside else value

    def replace(self: C, **changes: Any) -> C:
        """Return a checked copy. (Pydantic's `model_copy(update=...)` does not check.)

        Raises UserError for fields that are not allowed.
        """
        try:
            return type(self).model_validate(dict(self) | changes)
        except ValidationError as error:
            raise told(error, changes, type(self)) from None

    def shrunk(self: C, to: Sizes) -> "Component":
        """Return the component for a short run of a narrow network.

        Only components among its fields change, unless a class overrides this.
        """
        parts = {name: part for name, part in self if isinstance(part, Component)}
        return self.replace(**{name: part.shrunk(to) for name, part in parts.items()})


def _types(annotation: Any) -> list[Any]:
    """Return the annotation and what it is made of."""
    if get_origin(annotation) is Annotated:
        return _types(get_args(annotation)[0])
    return [annotation, *(part for inner in get_args(annotation) for part in _types(inner))]


def _as_words(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_as_words(part) for part in value]
    return str(value).lower() if isinstance(value, bool) else value


def ascending(pair: tuple[float, float]) -> tuple[float, float]:
    """Return the pair; ValueError if its first number is the larger."""
    if pair[0] > pair[1]:
        raise ValueError(f"{list(pair)} must be [least, largest]; swap the two")
    return pair


def variants(axis: Any) -> tuple[type[Component], ...]:
    """Return the classes of one axis: `variants(Masking) == (NoMasking, RandomMasking, ...)`."""
    return get_args(get_args(axis)[0])


def unknown(what: str, name: str, allowed: Any, near: Sequence[str] = ()) -> str:
    """Return the sentence for an unknown name, with the nearest names and all allowed ones.

    `near` are known to be meant; by default those that are spelt like it.
    """
    name = str(name)  # None, perhaps
    lower = {other.lower(): other for other in allowed}  # MAE means mae
    alike = [lower[n] for n in get_close_matches(name.lower(), lower, n=2, cutoff=0.5)]
    near = near[:2] or alike
    hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ";"
    names = sorted(allowed)
    listed = ", ".join(names) if len(names) <= 40 else f"{len(names)} names, such as {names[-1]!r}"
    return f"{what} {name!r}{hint} allowed: {listed}"
