"""Devices: the processor or a GPU by name, and models that are lent to one for a while.

with lent(model, device_named("auto")): ...     # on a GPU if there is one, then back
"""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from siamlab.machine.messages import UserError, unknown

DEVICES = ("auto", "cpu", "cuda", "mps")
GPUS = {"cuda": "a GPU", "mps": "a GPU of Apple's"}
VARIABLE = "SIAMLAB_DEVICE"  # what auto means here; `siamlab lab --device` sets it for notebooks
M = TypeVar("M", bound=nn.Module)


def device_named(name: str | torch.device) -> torch.device:
    """Return a device by name, or the device itself; `auto` is a GPU if there is one.

    The variable SIAMLAB_DEVICE gives `auto` another meaning. Apple's GPU is used only if you name
    it, mps: it lacks operations that some models need. Raises UserError for another name, and for a
    GPU that torch does not find.
    """
    if isinstance(name, torch.device):
        return name
    name = meant(name)
    kind = name.partition(":")[0]
    if kind not in DEVICES:
        raise UserError(unknown("--device (in Python: device) does not know", name, DEVICES))
    if kind in GPUS and not available(kind):
        raise UserError(
            f"--device {name} (in Python: device={name!r}) asks for {GPUS[kind]}, but torch "
            "finds none here; leave it out, or install a torch built for your GPU"
        )
    automatic = "cuda" if available("cuda") else "cpu"
    return torch.device(automatic if kind == "auto" else name)


def meant(name: str) -> str:
    """Return the name, or what SIAMLAB_DEVICE says instead of auto; UserError if it is neither."""
    if name != "auto":
        return name
    chosen = os.environ.get(VARIABLE) or "auto"
    kind = chosen.partition(":")[0]
    if kind not in DEVICES:
        raise UserError(unknown(f"the variable {VARIABLE} names no device,", chosen, DEVICES))
    if kind in GPUS and not available(kind):
        raise UserError(
            f"the variable {VARIABLE}={chosen} asks for {GPUS[kind]}, but torch finds none here; "
            "unset it, or set it to auto or cpu"
        )
    return chosen


def numbers_on(device: torch.device) -> torch.device:
    """Return where the numbers of probes are computed from features of a model on the device.

    That is the same device, but for Apple's, which has no float64: there it is the processor.
    """
    return torch.device("cpu") if device.type == "mps" else device


def available(gpu: str) -> bool:
    """Return whether torch finds a GPU of a kind, cuda or mps."""
    return torch.cuda.is_available() if gpu == "cuda" else torch.backends.mps.is_available()


def device_title(name: str | torch.device) -> str:
    """Return the kind of a device and what it is called: `cpu, Intel(R) Xeon(R) …`."""
    device = device_named(name)
    if device.type == "cuda":
        return f"{device.type}, {torch.cuda.get_device_name(device)}"
    return f"{device.type}, {processor()}" if device.type == "cpu" else device.type


def processor() -> str:
    """Return the model of the processor where the system knows it, else the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


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
