"""Identity: a hash of everything that decides the features of a model, for the cache of features.

key = identity(model)       # None for a model whose code is not known: it is computed each time

Weights alone do not decide: two networks with equal weights may have another number of heads or
another nonlinearity. So the hash is of weights and buffers, of the class and the plain fields of
every module, and of the versions of the packages that these come from. A module of your own code,
one with a hook, or with a field of another kind, has no identity: its code may change unseen.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache, partial
from importlib import import_module
from inspect import isbuiltin, isclass, isfunction
from typing import Any

import torch
from torch import Tensor, nn

from siamlab.machine.internals import has_hooks

KNOWN = ("siamlab", "timm", "torch", "torchvision", "transformers")  # packages with versions
BUILT_IN = ("builtins", "math", "functools", "itertools", "collections", "operator")
OWN = set(vars(nn.Module())) | {"training"}  # fields of every module; hooks are asked for below


def identity(model: nn.Module) -> str | None:
    """Return 16 hexadecimal digits, equal for models whose features are equal; None if unknown."""
    digest = hashlib.sha256()
    try:
        for line in _lines(model):
            digest.update(repr(line).encode())
    except _Unknown:
        return None
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(content_of(tensor))
    return digest.hexdigest()[:16]


def content_of(tensor: Tensor) -> memoryview:
    """The bytes of a tensor, row by row."""
    plain = tensor.detach().cpu().contiguous()
    return memoryview(plain.reshape(-1).view(torch.uint8).numpy())


class _Unknown(Exception):
    """Something whose behaviour its name and fields do not determine."""


def _lines(model: nn.Module) -> Iterator[Any]:
    """Yield class and fields of every module, in order."""
    numbers = {module: i for i, module in enumerate(model.modules())}
    for name, module in model.named_modules():
        if has_hooks(module):
            raise _Unknown
        own = {key: value for key, value in vars(module).items() if key not in OWN}
        yield name, _origin(type(module)), [(key, _plain(own[key], numbers)) for key in sorted(own)]


def _plain(value: Any, modules: dict[nn.Module, int]) -> Any:
    """Return a value as text and numbers that identify it."""
    again = partial(_plain, modules=modules)
    if value is None or isinstance(value, bool | int | float | str | bytes | Enum):
        return repr(value)
    if isinstance(value, torch.dtype | torch.device):
        return str(value)
    if isinstance(value, Tensor):
        return hashlib.sha256(content_of(value)).hexdigest(), str(value.dtype), tuple(value.shape)
    if isinstance(value, nn.Module) and value in modules:
        return "module", modules[value]
    if isinstance(value, dict):
        return [(again(key), again(part)) for key, part in value.items()]
    if isinstance(value, set | frozenset):
        return sorted(map(repr, map(again, value)))
    if isinstance(value, list | tuple):
        return [again(part) for part in value]
    if isinstance(value, partial):
        return again(value.func), again(value.args), again(value.keywords)
    if is_dataclass(value) and not isclass(value):
        return _origin(type(value)), [again(getattr(value, f.name)) for f in fields(value)]
    if isclass(value) or isfunction(value) or isbuiltin(value):
        return _origin(value)
    raise _Unknown


def _origin(thing: Any) -> str:
    """Return package, version and name of a class or function of a known package."""
    name = getattr(thing, "__qualname__", "<")
    package = (getattr(thing, "__module__", None) or "").split(".")[0]
    if "<" in name or package not in (*KNOWN, *BUILT_IN):  # <lambda>, <locals>
        raise _Unknown
    released = _version(package) if package in KNOWN else ""
    return f"{thing.__module__}.{name} {released}"


@lru_cache
def _version(package: str) -> str:
    return import_module(package).__version__
