"""What several training processes share; with one process each call returns what it was given."""

import os

import torch
import torch.distributed as dist
from torch import Tensor


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Which of them this one is; 0 writes the run's folder."""
    return dist.get_rank() if dist.is_initialized() else 0


def local_rank() -> int:
    """Which of the processes of this machine it is: the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", 0))


def wait() -> None:
    """Until every process is here."""
    any_of(False)  # whose answer needs all of them; a barrier would wait for the GPU too


def any_of(flag: bool) -> bool:
    """Whether any process says so. No GPU is waited for, so that every step can ask.

    (Except in a group of the caller's own making that has NCCL alone.)
    """
    if count() == 1:
        return flag
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    said = torch.tensor(float(flag), device=device)
    dist.all_reduce(said)
    return bool(said > 0)


def mean(tensor: Tensor) -> Tensor:
    """Mean over processes. Gradients flow to every process's part."""
    return _Mean.apply(tensor) if count() > 1 else tensor


def gather(tensor: Tensor) -> Tensor:
    """The rows of every process, in order of rank; no gradient."""
    if count() == 1:
        return tensor.detach()
    parts = [torch.empty_like(tensor) for _ in range(count())]
    dist.all_gather(parts, tensor.detach().contiguous())
    return torch.cat(parts)


class _Mean(torch.autograd.Function):
    """Both ways a mean, since the loss that is differentiated is the mean over processes."""

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
