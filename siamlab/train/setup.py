"""Setup: device, the networks of a run, and the folder it goes on in."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from inspect import signature
from operator import attrgetter

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from siamlab import processes
from siamlab.component import UserError
from siamlab.memory import keep_freed
from siamlab.model.attention import Attention
from siamlab.model.siamese import Siamese
from siamlab.rules import batch_divides
from siamlab.run import BESIDE, Compute, Run
from siamlab.train import checkpoint
from siamlab.train.checkpoint import State
from siamlab.train.folder import Folder, Line
from siamlab.train.precision import choose_precision
from siamlab.train.schedule import make_optimiser
from siamlab.train.seeds import seed_of


def choose_device(compute: Compute) -> torch.device:
    """The device asked for, with its threads set; UserError for a GPU that is not there."""
    if compute.threads:
        torch.set_num_threads(compute.threads)
    if compute.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "compute.device=cuda asks for a GPU, and torch finds none here; "
            "set compute.device=auto or cpu, or install a torch built for your GPU"
        )
    if compute.device == "cpu" or not torch.cuda.is_available():
        keep_freed()
        return torch.device("cpu")
    device = torch.device("cuda", processes.local_rank())
    torch.cuda.set_device(device)
    torch.backends.cuda.matmul.allow_tf32 = True
    return device


def build(run: Run, device: torch.device) -> State:
    """The networks and optimiser of a run at its start, drawn from its seed alone."""
    if problem := batch_divides(run, processes.count()):
        raise UserError(problem)
    torch.manual_seed(seed_of(run.seed, "weights"))
    model = Siamese(run, run.target.widths(run)).to(device).train()
    teacher = run.target.build(model, run).to(device).train()
    if device.type == "cpu" and choose_precision(run, device) == torch.bfloat16:
        for network in (model, teacher):
            unfuse(network)
    return State(model, teacher, make_optimiser(model, run.optimiser))


def unfuse(model: nn.Module) -> None:
    """timm's own attention by two matrix products from now on, the same to rounding.

    On a processor torch's fused kernel computes bfloat16 in float32, the way back twice as slowly.
    """
    for module in model.modules():
        if hasattr(module, "fused_attn") and not isinstance(module, Attention):
            module.fused_attn = False


def parallel(state: State, compute: Compute, device: torch.device) -> nn.Module:
    """The model as it is called in a step, shared by all processes.

    With `compute.compile` both networks are compiled in place.
    """
    model = state.model
    if compute.compile:
        model.compile()
        state.teacher.compile()
    if processes.count() == 1:
        return model
    ids = [device.index] if device.type == "cuda" else None
    newer = "forward_sync_buffers" in signature(DistributedDataParallel).parameters
    word = "forward_sync_buffers" if newer else "broadcast_buffers"  # the latter warns since 2.15
    return DistributedDataParallel(model, device_ids=ids, **{word: False})


@contextmanager
def told_of_compiling(compute: Compute) -> Iterator[None]:
    """UserError for what torch.compile cannot do here, most often for want of a compiler."""
    if not compute.compile:
        yield
        return
    from torch._dynamo.exc import TorchDynamoException

    try:
        yield
    except TorchDynamoException as error:
        reason = next(line for line in str(error).splitlines() if line)
        raise UserError(
            f"compute.compile=true: torch.compile cannot translate this network here ({reason}); "
            "install a C++ compiler such as g++, or set compute.compile=false"
        ) from error


def claim_folder(run: Run, folder: Folder, resume: bool) -> AbstractContextManager:
    """The folder for this run alone: a new one, or with `resume` the one of the same run.

    Raises UserError for a folder in use, or one that another run was made in.
    """
    if processes.rank() == 0 and not (resume and folder.run_file.exists()):
        folder.create(run)
    processes.wait()
    check_same(run, folder.run(), folder)
    return folder.claim() if processes.rank() == 0 else nullcontext()


def go_on(run: Run, folder: Folder, state: State) -> tuple[int, list[Line]]:
    """The step to start at, from the newest whole checkpoint, and what is to be said about it."""
    path, said = checkpoint.newest(folder.checkpoints)
    if path is None and said:
        raise UserError(
            f"all checkpoints of {folder.path} are damaged; put back a whole one, or give another "
            "--out to start anew"
        )
    first = checkpoint.restore(path, state) if path else 0
    if processes.rank() == 0:
        folder.forget_after(first)
    processes.wait()
    if first:
        said.append(f"goes on after step {first} of {run.steps}")
    return first, [{"said": sentence} for sentence in said]


def check_same(run: Run, kept: Run, folder: Folder) -> None:
    """Raises UserError that names the first field in which the folder's run differs."""
    for name in [*(n for n in Run.model_fields if n not in BESIDE), "compute.accumulate"]:
        mine, theirs = (attrgetter(name)(one) for one in (run, kept))
        if mine != theirs:
            raise UserError(
                f"{folder.path} holds another run: its {name} is {_short(theirs)}, not "
                f"{_short(mine)}; leave the change out, or give another --out"
            )


def finished(run: Run, folder: Folder) -> bool:
    """Whether the folder holds this very run, finished. Raises UserError if it holds another."""
    if folder.run_file.exists():
        check_same(run, folder.run(), folder)
    return folder.encoder.exists()


def start_processes() -> None:
    """Join the processes that torchrun started; nothing where it did not, or they are joined."""
    if dist.is_torchelastic_launched() and not dist.is_initialized():
        gpu = torch.cuda.is_available()  # a run may be on the processor all the same
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo")


def _short(value: object) -> str:
    return str(value).replace("kind=", "") if not isinstance(value, str) else repr(value)
