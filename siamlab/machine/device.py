"""Devices: the processor or a GPU by name, and models that are lent to one for a while.

with lent(model, device_named("auto")): ...     # on a GPU if there is one, then back
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn

from siamlab.component import UserError, unknown

DEVICES = ("auto", "cpu", "cuda")
M = TypeVar("M", bound=nn.Module)


def device_named(name: str | torch.device) -> torch.device:
    """Return a device by name, or the device itself; `auto` is a GPU if there is one.

    Raises UserError for another name, and for a GPU that torch does not find.
    """
    if isinstance(name, torch.device):
        return name
    kind = name.partition(":")[0]
    if kind not in DEVICES:
        raise UserError(unknown("--device (in Python: device) does not know", name, DEVICES))
    found = torch.cuda.is_available()
    if kind == "cuda" and not found:
        raise UserError(
            f"--device {name} (in Python: device={name!r}) asks for a GPU, but torch finds none "
            "here; leave it out, or install a torch built for your GPU"
        )
    return torch.device("cuda" if found else "cpu") if kind == "auto" else torch.device(name)


def on_device(module: M, name: str | torch.device) -> M:
    """Return the module on a device: itself if it lies there, else a copy.

    A module that was handed over stays where its owner put it.
    """
    device = device_named(name)
    here = next(module.parameters()).device
    same = here.type == device.type and device.index in (None, here.index)
    return module if same else deepcopy(module).to(device)


@contextmanager
def lent(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Move the model to the device, and back at the end.

    A GPU multiplies in full float32 meanwhile, not in the TF32 that training may have switched on:
    scores of a GPU and of a processor stand in one table.
    """
    home = next(model.parameters()).device
    product, exact = torch.backends.cuda.matmul, torch.backends.cudnn.flags(allow_tf32=False)
    before = product.allow_tf32
    model.to(device)
    product.allow_tf32 = False
    try:
        with exact:
            yield
    finally:
        product.allow_tf32 = before
        model.to(home)
