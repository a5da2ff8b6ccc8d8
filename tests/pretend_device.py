"""A device that only pretends to be one: its tensors hold numbers in ordinary memory.

with pretended() as device:
    model.to(device)

It refuses what a GPU refuses, tensors of two devices in one operation, so that code for one is
tested on any machine, down to its numbers. `returned()` lists what came back from it. torch has no
kernels for "mps" on most machines and starts nothing when the name is used, which is why this one
claims to be that.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("lazy")
aten = torch.ops.aten
COPIES = {aten.copy_.default, aten._to_copy.default}
READING = {aten._local_scalar_dense.default, aten.equal.default}  # a number for Python
COUNTING = {aten.nonzero.default, aten.masked_select.default}  # a shape that the numbers decide
INDEXING = {aten.index.Tensor, aten.index_put_.default}  # also by an index on the processor
LOGS: list[list[tuple[str, int]]] = []  # of what returns, each since `returned` was called


class OnDevice(Tensor):
    """A tensor of the device; `held` has its numbers."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "OnDevice":
        about = dict(strides=held.stride(), dtype=held.dtype, device=DEVICE)
        made = Tensor._make_wrapper_subclass(cls, held.size(), **about)
        made.held = held
        return made

    def tolist(self):
        note("tolist", self)
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return run(function, args, kwargs or {})


class Pretending(TorchDispatchMode):
    """Sees the operations that make tensors of the device from nothing or from others."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return run(function, args, kwargs or {})


def run(function, args, kwargs):
    """Run the operation on the numbers; the result lies where a real device would put it."""
    tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, Tensor)]
    ours = [t for t in tensors if isinstance(t, OnDevice)]
    others = [t for t in tensors if t.dim() and not isinstance(t, OnDevice)]
    mixed = ours and others and function not in COPIES
    if mixed and not (function in INDEXING and isinstance(args[0], OnDevice)):
        raise RuntimeError(f"{function} was given tensors on {DEVICE} and on the processor")
    asked = kwargs.get("device")
    there = torch.device(asked).type == DEVICE.type if asked is not None else is_ours(args, ours)
    if ours and (function in READING | COUNTING or comes_back(function, args, there)):
        note(function.name(), ours[0])
    if asked is not None:
        kwargs = kwargs | {"device": torch.device("cpu")}
    held, options = tree_map(lambda t: t.held if isinstance(t, OnDevice) else t, (args, kwargs))
    found = function(*held, **options)
    same = {id(t.held): t for t in ours}
    return tree_map(lambda t: placed(t, there, same), found)


def comes_back(function, args, there: bool) -> bool:
    """Return whether numbers are copied from the device, or decide how many are indexed."""
    if function is aten.copy_.default:
        return isinstance(args[1], OnDevice) and not isinstance(args[0], OnDevice)
    if function is aten.index.Tensor:
        return any(isinstance(i, OnDevice) and i.dtype == torch.bool for i in args[1])
    return function is aten._to_copy.default and isinstance(args[0], OnDevice) and not there


def note(name: str, tensor: Tensor) -> None:
    for log in LOGS:
        log.append((name, tensor.numel()))


@contextmanager
def returned() -> Iterator[list[tuple[str, int]]]:
    """The operations that bring numbers back from the device, or wait for them, and how many."""
    log: list[tuple[str, int]] = []
    LOGS.append(log)
    try:
        yield log
    finally:
        LOGS.remove(log)


def is_ours(args, ours) -> bool:
    """Return whether the result is on the device: that of the first tensor, in a list or not."""
    first = next((t for t in tree_flatten(args)[0] if isinstance(t, Tensor)), None)
    return isinstance(first, OnDevice) or (bool(ours) and first is not None and not first.dim())


def placed(found, there: bool, same: dict[int, "OnDevice"]):
    if not isinstance(found, Tensor):
        return found
    known = same.get(id(found))
    return OnDevice(found) if there and known is None else found if known is None else known


@contextmanager
def pretended() -> Iterator[torch.device]:
    """The device, while its tensors can be made."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device=) is made, then moved
    try:
        with Pretending():
            yield DEVICE
    finally:
        torch._C._set_only_lift_cpu_tensors(False)
        torch.__future__.set_overwrite_module_params_on_conversion(before)
