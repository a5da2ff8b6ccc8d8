"""Linear probe trained step by step, as MAE and SiameseIM train it, on features of plain images.

score = linear_lars(train, train_labels, test, test_labels)     # pooled features
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from siamlab.component import UserError
from siamlab.geometry import Count
from siamlab.machine.arguments import typed
from siamlab.machine.seeding import seeded
from siamlab.probe.checks import check_labelled
from siamlab.probe.finetune_model import linear_head
from siamlab.probe.finetune_recipe import RECIPES, FineTune, optimising, scheduling
from siamlab.probe.linear import accuracy
from siamlab.probe.score import Groups, Score

RECIPE = RECIPES["linear"]  # LARS: He et al. 2022, table 10
STEPS = 90 * (1_281_167 // 16_384)  # of its 90 epochs of ImageNet-1k


@typed
def linear_lars(
    train: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    test: Float[Tensor, "m D"],
    test_labels: Int[Tensor, " m"],
    epochs: Count = RECIPE.epochs,
    batch: Count = RECIPE.batch,
    steps: Count = STEPS,
    seed: int = 0,
    groups: Groups = None,
) -> Score:
    """Test accuracy of BatchNorm without weights and a linear layer, trained by LARS.

    0..1, higher is better; chance is the share of the commonest test class, ceiling 1. Unchanged
    when dimensions are shifted or scaled. Rate 0.1 · batch / 256, without weight decay, rising over
    a ninth of the steps, then half a cosine to 0 (MAE: He et al. 2022; SiameseIM: Tao et al. 2023).
    A batch is all training images where these are fewer; images that do not fill one are left out
    of an epoch. `epochs` become more until there are `steps` of them: LARS changes weights in
    proportion to themselves, so that 90 epochs of a small set would leave them near their random
    start. The same seed gives the same score on one machine. Cost: two products of batch · D ·
    classes a step.
    """
    classes = check_labelled(train, train_labels, test, test_labels)
    if batch < 2:
        raise UserError(f"batch={batch} must be 2 or more: features are standardised over a batch")
    batch = min(batch, len(train))
    epochs = max(epochs, math.ceil(steps / (len(train) // batch)))
    recipe = RECIPE.model_copy(update={"epochs": epochs, "batch": batch})
    head = _fitted(train.float(), train_labels, classes, recipe, seed)
    return accuracy(head.eval()(test.float()).argmax(dim=1), test_labels, groups)


def _fitted(
    x: Float[Tensor, "n D"], labels: Int[Tensor, " n"], classes: int, recipe: FineTune, seed: int
) -> nn.Sequential:
    """Train the layer; the global random generators are left as they were."""
    with seeded(seed, x.device):
        head = linear_head(x.shape[1], classes).to(x.device).train()
    optimiser = optimising(head, recipe)
    schedule = scheduling(optimiser, recipe, recipe.epochs * (len(x) // recipe.batch))
    for step, index in enumerate(_batches(len(x), recipe, seed, x.device)):
        schedule.step_update(step)
        optimiser.zero_grad()
        F.cross_entropy(head(x[index]), labels[index]).backward()
        optimiser.step()
    return head.requires_grad_(False)


def _batches(
    n: int, recipe: FineTune, seed: int, device: torch.device
) -> Iterator[Int[Tensor, " b"]]:
    """Yield full batches of all images, in a new order in each epoch."""
    rng, full = Generator().manual_seed(seed), n // recipe.batch * recipe.batch
    for _ in range(recipe.epochs):
        order = torch.randperm(n, generator=rng)[:full]  # drawn here: the same on any device
        order = order.pin_memory() if device.type == "cuda" else order
        yield from order.to(device, non_blocking=True).split(recipe.batch)
