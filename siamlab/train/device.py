"""Device: where a run computes, and its networks on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from siamlab.component import UserError
from siamlab.machine import distributed
from siamlab.machine.device import GPUS, available, meant
from siamlab.machine.internals import compile_error, is_fusable, set_fused
from siamlab.machine.memory import keep_freed
from siamlab.machine.shortage import check_free
from siamlab.model.attention import Attention
from siamlab.model.siamese import Siamese
from siamlab.run import Compute, Run
from siamlab.run.rules import batch_divides
from siamlab.train.checkpoint import State
from siamlab.train.precision import choose_precision
from siamlab.train.schedule import make_optimiser
from siamlab.train.seeds import seed_of
from siamlab.train.start import start_from


def choose_device(compute: Compute) -> torch.device:
    """Return the device of a run and set its threads; raises UserError for a missing GPU."""
    if compute.threads:
        torch.set_num_threads(compute.threads)
    if compute.device in GPUS and not available(compute.device):
        raise UserError(
            f"compute.device={compute.device} asks for {GPUS[compute.device]}, but torch finds "
            "none here; set compute.device=auto or cpu, or install a torch built for your GPU"
        )
    wanted = meant(compute.device)
    if wanted == "mps":
        return torch.device("mps")
    if wanted == "cpu" or not torch.cuda.is_available():
        keep_freed()
        return torch.device("cpu")
    device = torch.device("cuda", distributed.local_rank())
    torch.cuda.set_device(device)
    torch.backends.cuda.matmul.allow_tf32 = True
    return device


def build(run: Run, device: torch.device, start: bool = True) -> State:
    """Return the networks and the optimiser of a run before its first step.

    Without `start`, weights that `model.init` names are left out: a checkpoint will replace them.
    """
    if problem := batch_divides(run.batch, run.compute.accumulate, distributed.count()):
        raise UserError(problem)
    check_memory(run, device)
    torch.manual_seed(seed_of(run.seed, "weights"))
    model = Siamese(run, run.target.widths(run))
    if start and run.model.starts_from:
        start_from(model.encoder, run)
    model = model.to(device).train()
    teacher = run.target.build(model, run).to(device).train()
    if device.type == "cpu" and choose_precision(run, device) == torch.bfloat16:
        for network in (model, teacher):
            unfuse(network)
    return State(model, teacher, make_optimiser(model, run.optimiser))


def check_memory(run: Run, device: torch.device) -> None:
    """Raise UserError if just the weights and the views need more memory than is free."""
    parts = [run.model, *(part.head for part in run.prediction.parts)]
    weights = 4 * sum(part.block_weights for part in parts)  # gradients, two means
    images = run.batch // run.compute.accumulate // distributed.count()
    pixels = 2 * images * 3 * run.size[0] * run.size[1]
    what = "the weights, the optimiser and both views of a batch"
    check_free(4 * (weights + pixels), what, less_memory(run), device.type == "cuda")  # float32


def less_memory(run: Run) -> str:
    """Return the way out of too little memory: the keys that need most of it, with their values."""
    settable = "width" in type(run.model).model_fields  # unlike that of a timm model
    size = f"model.width={run.model.width}" if settable else "the model"
    return (
        f"lower batch={run.batch}, size={list(run.size)} or {size}, or cut each batch into parts "
        f"by compute.accumulate={2 * run.compute.accumulate}"
    )


def unfuse(model: nn.Module) -> None:
    """Switch timm's attention to two matrix products; equal up to rounding.

    On a processor torch's fused kernel computes bfloat16 in float32, and its backward pass is half
    as fast.
    """
    for module in model.modules():
        if is_fusable(module) and not isinstance(module, Attention):
            set_fused(module, False)


def parallel(state: State, compute: Compute, device: torch.device) -> nn.Module:
    """Return the model that a step calls; with several processes it averages gradients.

    With `compute.compile` both networks are compiled in place.
    """
    model = state.model
    if compute.compile:
        model.compile()
        state.teacher.compile()
    if distributed.count() == 1:
        return model
    ids = [device.index] if device.type == "cuda" else None
    newer = "forward_sync_buffers" in signature(DistributedDataParallel).parameters
    word = "forward_sync_buffers" if newer else "broadcast_buffers"  # the latter warns since 2.15
    return DistributedDataParallel(model, device_ids=ids, **{word: False})


@contextmanager
def explain_compile_errors(compute: Compute) -> Iterator[None]:
    """Raise UserError where torch.compile fails, most often because there is no C++ compiler."""
    if not compute.compile:
        yield
        return
    try:
        yield
    except compile_error() as error:
        reason = next(line for line in str(error).splitlines() if line)
        raise UserError(
            f"compute.compile=true: torch.compile cannot translate this network here ({reason}); "
            "install a C++ compiler such as g++, or set compute.compile=false"
        ) from error
