"""One training step: every object made once, named once and passed forward."""

from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from siamlab import processes
from siamlab.geometry import View
from siamlab.loss import Terms
from siamlab.masking import Mask
from siamlab.model.blocks import index_of
from siamlab.model.siamese import Predictions, parts
from siamlab.run import Run
from siamlab.train.seeds import generator, seed_of


class Stepped(NamedTuple):
    terms: Terms  # mean over the parts of the batch, not yet over processes
    context: View  # the last part's views
    target: View


def gradients(
    run: Run,
    model: nn.Module,
    teacher: nn.Module,
    batch: UInt8[Tensor, "B 3 H W"],
    step: int,
    precision: torch.dtype,
) -> Stepped:
    """The loss of one batch and its gradients, in the order of the algorithm.

    Each part of the batch has its own stream of draws: two processes draw what one process with
    twice the parts draws.
    """
    total: Terms = {}
    parts_each = run.compute.accumulate
    for i, part in enumerate(batch.chunk(parts_each)):
        stream = (run.seed, step, processes.rank() * parts_each + i)
        torch.manual_seed(seed_of("dropout", *stream))
        rng, draws = generator("views", *stream, device=part.device), generator("masks", *stream)
        first, second = run.views(part, run.size, run.colour, rng)  # View × 2
        for context, target in run.directions(first, second):
            mask = _to(run.masking(len(part), run.grid, draws), part.device)  # [b, N]
            places = run.positions(context, target, run.grid)  # [b, N, 4]
            with torch.autocast(part.device.type, precision, precision != torch.float32):
                pred = model(context.image, places, mask)  # a head: [b, P, D] or [b, 1, D]
                goal = teacher(target, places.own, mask.predict)  # the same, no gradient
            terms = compare(run, pred, goal)  # {name: []}
            (sum(terms.values()) / parts_each).backward()
            for name, value in terms.items():
                total[name] = total.get(name, 0) + value.detach() / parts_each
    return Stepped(total, context, target)


def compare(run: Run, pred: Predictions, goal: Predictions) -> Terms:
    """The loss terms of every head, weighted; their sum is the loss."""
    return {
        part.name + term: part.weight * value
        for part, p, g in zip(parts(run.prediction), pred, goal, strict=True)
        for term, value in run.loss(p.float(), g.float()).items()
    }


def clip(model: nn.Module, largest: float) -> Float[Tensor, ""]:
    """The norm of the gradient, which is cut to `largest`."""
    return nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], largest)


def _to(mask: Mask, device: torch.device) -> Mask:
    """The mask by index, where the views are; through pinned memory, so that nobody waits."""
    found = [index_of(m) for m in mask]
    if device.type == "cpu":
        return Mask(*found)
    return Mask(*(m.pin_memory().to(device, non_blocking=True) for m in found))
