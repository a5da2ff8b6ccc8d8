"""Arguments: public functions take what their annotations say, and refuse the rest in a sentence.

@typed
def knn(train: Float[Tensor, "n D"], labels: Int[Tensor, " n"], k: int = 20) -> Score: ...

knn(train, labels, k="5")       # UserError: k='5' must be a whole number

Annotations are read at the first call. Of a tensor the kind of numbers and the dimensions are
checked, of a collection each part; what needs more than one argument is left to the function.
"""

import builtins
import collections.abc as abc
import sys
from collections.abc import Callable, Iterator
from functools import cache, wraps
from importlib import import_module
from inspect import Parameter, signature
from itertools import chain, repeat
from numbers import Integral, Real
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from siamlab.machine.fields import flat
from siamlab.machine.messages import UserError
from siamlab.machine.wording import described, kind_of, shown, unusual, way_to, words

F = TypeVar("F", bound=Callable[..., Any])
Fits = Callable[[Any], bool]
INSIDE = ("model", "pixels", "image")  # what is often meant where the whole is given
NUMBERS: dict[Any, type] = {int: Integral, float: Real, None: NoneType}


class Wanted(NamedTuple):
    """What one argument may be."""

    name: str
    annotation: Any
    fits: Fits
    many: bool = False  # one of any number of arguments, as *studies

    def refusal(self, value: Any) -> UserError:
        """Return the sentence for a value that does not fit."""
        if self.many and isinstance(value, list | tuple):
            return UserError(
                f"{self.name} are given one by one, not as a list; write *{self.name} for those of "
                f"a list, and got {shown(value)}"
            )
        for place, annotation, part in _parts(self.annotation, value):
            if not (fits := _fits(annotation))(part):
                return Wanted(self.name + place, annotation, fits).refusal(part)
        text = shown(value)
        if _has_nul(value):
            return UserError(f"{self.name}={text} holds a NUL character; take that out")
        said = f"{self.name}={text} must be {words(self.annotation)}"
        if text == described(value) and value is not None:
            said = f"{self.name} must be {words(self.annotation)}; got {text}"
        for part in INSIDE:
            if hasattr(value, part) and self.fits(getattr(value, part)):
                return UserError(f"{said}: give its .{part}")
        way = way_to(self.annotation)
        return UserError(f"{said}: {way}" if way else said)


class Signature(NamedTuple):
    """What the arguments of one function may be."""

    places: tuple[Wanted, ...]
    rest: tuple[Wanted, ...]  # what any further argument may be: one, or none
    names: dict[str, Wanted]


def _parts(annotation: Any, value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the place, the annotation and the value of each part of a collection."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if not _of_parts(origin) or not _collection(origin, (Any,) * len(parts))(value):
        return
    if issubclass(origin, abc.Mapping):
        yield from ((f"[{key!r}]", parts[1], part) for key, part in value.items())
    elif isinstance(value, abc.Sized):
        each = parts if origin is tuple and Ellipsis not in parts else repeat(parts[0])
        yield from ((f"[{i}]", *pair) for i, pair in enumerate(zip(each, value, strict=False)))


def typed(function: F) -> F:
    """Return the function with a check before it: UserError for an argument of a wrong type.

    Tensors of half precision become float32, floats of several precisions the widest of them, and
    whole numbers int64, as products and indices need them. Arguments that are missing or unknown
    stay Python's TypeError, which names them.
    """
    wanted = cache(lambda: _signature(function))

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        places, rest, names = wanted()
        all_places = chain(places, repeat(*rest)) if rest else places
        for want, value in zip(all_places, args, strict=False):
            if not want.fits(value):
                raise want.refusal(value)
        for name, value in kwargs.items():
            if name in names and not names[name].fits(value):
                raise names[name].refusal(value)
        alike = _alike([*args, *kwargs.values()])
        return function(*map(alike, args), **{name: alike(value) for name, value in kwargs.items()})

    return checked  # pyright: ignore[reportReturnType]


def _alike(values: list[Any]) -> Callable[[Any], Any]:
    """Return what gives all tensors of these arguments numbers of one precision."""
    tensors = [value for value in values if hasattr(value, "is_floating_point")]
    if not tensors:
        return lambda value: value
    import torch

    kinds = [tensor.dtype for tensor in tensors if tensor.is_floating_point()]
    widest = torch.float64 if torch.float64 in kinds else torch.float32

    def converted(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or value.dtype in (torch.bool, torch.uint8):
            return value
        return value.to(widest if value.is_floating_point() else torch.int64)

    return converted


class _Names(dict[str, Any]):
    """The names of a module, and the packages that it imports for type checkers only."""

    def __missing__(self, name: str) -> Any:
        return import_module(name)


def _signature(function: Callable[..., Any]) -> Signature:
    names = _Names(vars(builtins) | vars(sys.modules[function.__module__]))
    places, rest, by_name = [], [], {}
    for name, parameter in signature(function).parameters.items():
        annotation = parameter.annotation
        if isinstance(annotation, str):
            annotation = eval(annotation, {}, names)  # noqa: S307 - our own source
        want = Wanted(name, annotation, _fits(annotation))
        if parameter.kind is Parameter.VAR_POSITIONAL:
            rest.append(want._replace(many=True))
        elif parameter.kind is not Parameter.VAR_KEYWORD:
            places += [want] if parameter.kind is not Parameter.KEYWORD_ONLY else []
            by_name[name] = want
    return Signature(tuple(places), tuple(rest), by_name)


def _fits(annotation: Any) -> Fits:
    """Return a test of values: are they what the annotation says?"""
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation in (Any, object, Parameter.empty) or isinstance(annotation, TypeVar):
        return lambda value: True
    if hasattr(annotation, "dim_str"):
        return _tensor(annotation)
    if origin is Annotated:
        return _bounded(_fits(parts[0]), parts[1:])
    if origin in (Union, UnionType):
        tests = [_fits(part) for part in parts]
        return lambda value: any(test(value) for test in tests)
    if origin is Literal:
        return lambda value: any(type(value) is type(part) and value == part for part in parts)
    if origin is type:
        return lambda value: isinstance(value, type) and issubclass(value, parts)
    if _of_parts(origin):
        return _collection(origin, parts)
    kind = NUMBERS.get(annotation, origin or annotation)
    if annotation in (int, float):  # true and false are numbers to Python
        return lambda value: isinstance(value, kind) and not isinstance(value, bool)
    return lambda value: isinstance(value, kind) and not _has_nul(value)


def _has_nul(value: Any) -> bool:
    """Tell whether a text or a path holds a character that no system takes in a path."""
    if isinstance(value, list | tuple):
        return any(map(_has_nul, value))
    return isinstance(value, str | PurePath) and "\0" in str(value)


def _of_parts(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, abc.Iterable)


def _bounded(fits: Fits, marks: tuple[Any, ...]) -> Fits:
    """Test the bounds of a number as well, from 1 for instance."""
    low, high = (
        [getattr(mark, end) for mark in flat(marks) if hasattr(mark, end)] for end in ("ge", "le")
    )
    return lambda value: (
        fits(value) and all(value >= end for end in low) and all(value <= end for end in high)
    )


def _tensor(annotation: Any) -> Fits:
    """Test the kind and the dimensions of a tensor, and sizes that are numbers."""
    sizes = annotation.dim_str.split()
    any_count = any(size.startswith(("*", "...")) for size in sizes)
    fixed = [(i, int(size)) for i, size in enumerate(sizes) if size.isdigit() and not any_count]
    array, kind = annotation.array_type, kind_of(annotation.dtypes[0])
    return lambda value: (
        isinstance(value, array)
        and kind_of(value.dtype) == kind
        and not unusual(value)
        and (any_count or value.ndim == len(sizes))
        and all(value.shape[i] == size for i, size in fixed)
    )


def _collection(origin: type, parts: tuple[Any, ...]) -> Fits:
    """Test a list, tuple or dictionary and what is in it; what can be read only once stays so."""
    tests = [_fits(part) for part in parts if part is not Ellipsis]
    if issubclass(origin, abc.Mapping):
        return lambda value: (
            isinstance(value, abc.Mapping)
            and all(tests[0](key) and tests[1](part) for key, part in value.items())
        )
    if origin is tuple and Ellipsis not in parts:
        return lambda value: (
            isinstance(value, tuple | list)
            and len(value) == len(tests)
            and all(test(part) for test, part in zip(tests, value, strict=True))
        )
    once = not issubclass(origin, abc.Sequence)
    return lambda value: (
        isinstance(value, abc.Iterable)
        and not isinstance(value, str | bytes | abc.Mapping)
        and (all(map(tests[0], value)) if isinstance(value, abc.Sized) else once)
    )
