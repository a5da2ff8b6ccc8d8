"""Several training processes: who they are, and what they share; one process needs no group."""

import os

import torch
import torch.distributed as dist
from torch import Tensor

from siamlab.machine.messages import UserError


def start() -> None:
    """Connect to the other processes if torchrun started this one and it has not yet.

    Raises UserError where its environment is only in part torchrun's.
    """
    if dist.is_torchelastic_launched() and not dist.is_initialized():
        gpu = torch.cuda.is_available()  # a run may be on the processor all the same
        try:
            dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo")
        except ValueError as error:
            raise UserError(
                f"TORCHELASTIC_RUN_ID is set, as torchrun does, but the rest of its environment is "
                f"not right ({str(error).rpartition(': ')[2]}); start with torchrun, or unset it"
            ) from None


def count() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_main() -> bool:
    """Return whether this is the one process that writes files, draws bars and prints."""
    return rank() == 0


def local_rank() -> int:
    """Return the number of this process on its machine, which is also that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", 0)) if dist.is_initialized() else 0


def wait() -> None:
    """Wait until every process is here."""
    any_of(False)  # needs all of them; a barrier would wait for the GPU too


def any_of(flag: bool) -> bool:
    """Return whether the flag is set in any process.

    No GPU is waited for, so that every step can ask (except in a group with NCCL only).
    """
    if count() == 1:
        return flag
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    flags = torch.tensor(float(flag), device=device)
    dist.all_reduce(flags)
    return bool(flags > 0)


def mean(tensor: Tensor) -> Tensor:
    """Return the mean over processes; gradients flow to the tensor of every process."""
    return _Mean.apply(tensor) if count() > 1 else tensor


def gather(tensor: Tensor) -> Tensor:
    """Return the rows of every process, in order of rank, without gradient."""
    if count() == 1:
        return tensor.detach()
    parts = [torch.empty_like(tensor) for _ in range(count())]
    dist.all_gather(parts, tensor.detach().contiguous())
    return torch.cat(parts)


class _Mean(torch.autograd.Function):
    """A mean forward and backward, since the loss is the mean over processes."""

    @staticmethod
    def forward(ctx, tensor: Tensor) -> Tensor:
        return _all_mean(tensor)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _all_mean(gradient)


def _all_mean(tensor: Tensor) -> Tensor:
    total = tensor.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total / count()
