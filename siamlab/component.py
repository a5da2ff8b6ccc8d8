"""The one base class: a frozen, validated bag of fields that can be called."""

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

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from siamlab.machine.fields import sentences
from siamlab.machine.messages import Allowed as Allowed  # these are part of what a component needs
from siamlab.machine.messages import UserError as UserError
from siamlab.machine.messages import printable as printable
from siamlab.machine.messages import unknown as unknown
from siamlab.machine.wording import shown

C = TypeVar("C", bound="Component")  # not typing.Self: beartype's import hook refuses it


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


if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass as _ComponentMeta
else:

    class _ComponentMeta(type(BaseModel)):
        """Metaclass that turns pydantic's errors into a UserError, one sentence per mistake."""

        def __call__(cls, *places, **fields):
            if places and cls.__init__ is BaseModel.__init__:
                names = [f"{name}=..." for name in cls.model_fields if name != "kind"]
                raise UserError(
                    f"{cls.__name__} takes its fields by name, as {cls.__name__}"
                    f"({''.join(names[:1])}); got {shown(places[0])} without a name"
                )
            try:
                return super().__call__(*places, **fields)
            except ValidationError as error:
                raise as_user_error(error, fields, cls) from None


def as_user_error(
    error: ValidationError, fields: dict[str, Any], cls: type[BaseModel]
) -> UserError:
    """Return a pydantic error as a UserError, with a sentence for each mistake."""
    found = sentences(error.errors(), fields, cls, f"{cls.__name__}.", axes=False)
    return UserError(". Also: ".join(found))


class Component(BaseModel, metaclass=_ComponentMeta):
    """Fields are hyperparameters, `__call__` is the behaviour; no other state is kept."""

    # a word that is not a kind is this choice's `name`: model=vit_small_patch16_224 is timm's
    by_name: ClassVar[bool] = False
    by_path: ClassVar[bool] = False  # the choice that is meant where a path is given instead

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, fields: Any) -> Any:
        if isinstance(fields, dict):
            for key in [key for key in fields if key not in cls.model_fields]:
                raise ValueError(unknown(f"{cls.__name__} has no field", key, cls.model_fields))
            for key, value in fields.items():
                if isinstance(value, str) and "\0" in value:
                    raise ValueError(f"{key}={value!r} holds a NUL character; take that out")
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
            raise as_user_error(error, changes, type(self)) from None

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
