"""One training step: every object made once, named once and passed forward."""

from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from siamlab.geometry import View
from siamlab.loss import Terms
from siamlab.machine import distributed
from siamlab.mask import Mask, MaskIndex
from siamlab.model.blocks import index_of
from siamlab.model.siamese import Predictions
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
    """Compute the loss of one batch and its gradients, in the order of the algorithm.

    Each part of the batch has its own stream of draws, so that two processes draw the same as one
    process with twice the parts.
    """
    total: Terms = {}
    parts_each = run.compute.accumulate
    for i, part in enumerate(batch.chunk(parts_each)):
        stream = (run.seed, step, distributed.rank() * parts_each + i)
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
    """Return the loss terms of every head, weighted; their sum is the loss."""
    return {
        part.prefix + term: part.weight * value
        for part, p, g in zip(run.prediction.parts, pred, goal, strict=True)
        for term, value in run.loss(p.float(), g.float()).items()
    }


def clip(model: nn.Module, largest: float) -> Float[Tensor, ""]:
    """Clip the gradient to the norm `largest`; return its norm before."""
    return nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], largest)


def _to(mask: Mask, device: torch.device) -> MaskIndex:
    """Return the mask's indices on the device, pinned so that the host does not wait for a GPU."""
    indices = [index_of(m) for m in mask]
    if device.type != "cuda":
        return MaskIndex(*(m.to(device) for m in indices))
    return MaskIndex(*(m.pin_memory().to(device, non_blocking=True) for m in indices))
