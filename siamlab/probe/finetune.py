"""Fine-tuning probe: how well does the encoder predict classes once all its weights train?

score = fine_tune(model, data("train"), data("test"), FineTune(epochs=20, batch=128))
"""

import math
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.data.images import Images
from siamlab.machine.arguments import typed
from siamlab.machine.seeding import seeded
from siamlab.probe.batches import Inputs, evaluating, in_passes
from siamlab.probe.checks import class_count
from siamlab.probe.finetune_model import Classifier
from siamlab.probe.finetune_recipe import FineTune, augmenting, mixing, optimising, scheduling
from siamlab.probe.linear import accuracy
from siamlab.probe.score import Groups, Score


class Epoch(NamedTuple):
    """The progress that is reported after each epoch."""

    number: int  # 1 .. recipe.epochs
    loss: float  # mean over its steps, nats
    rate: float  # images per second


@typed
def fine_tune(
    model: nn.Module,
    train: Images,
    test: Images,
    recipe: FineTune | None = None,
    inputs: Inputs | None = None,
    seed: int = 0,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    groups: Groups = None,
) -> Score:
    """Test accuracy of a copy of the model, all of it trained with a new head on labelled images.

    0..1, higher is better; chance is the share of the commonest test class, ceiling 1. The head
    is a norm and a linear layer on the mean patch token; `RECIPES["linear"]` trains only these.
    Test images are resized as in `features`. `inputs` are the model's own unless given. The same
    seed gives the same score on one machine; the model and the global random generators are left
    unchanged. Cost: a training pass for epochs · images, which are augmented one by one.
    """
    recipe, inputs = recipe or FineTune(), inputs or Inputs.of(model)
    classes = _check(train, test, recipe)
    with seeded(seed, next(model.parameters()).device):
        shape = recipe.drop_path, recipe.head, recipe.frozen
        classifier = Classifier(model, classes, *shape)
        for epoch in _epochs(classifier, train, recipe, inputs, classes):
            on_epoch(epoch)
    with evaluating(classifier):
        passes = in_passes(classifier, classifier.encoder, test.pixels, inputs)
        guess = torch.cat([found.argmax(dim=1).cpu() for found in passes])
    return accuracy(guess, test.labels, groups)


def _epochs(
    classifier: Classifier, train: Images, recipe: FineTune, inputs: Inputs, classes: int
) -> Iterator[Epoch]:
    """Train, and yield the progress after each epoch."""
    from timm.loss import SoftTargetCrossEntropy

    device, each = next(classifier.parameters()).device, len(train.labels) // recipe.batch
    optimiser = optimising(classifier, recipe)
    schedule = scheduling(optimiser, recipe, recipe.epochs * each)
    mix, loss_of = mixing(recipe, classes), SoftTargetCrossEntropy()
    classifier.train()
    for epoch in range(recipe.epochs):
        total, start = 0.0, perf_counter()
        for step, (images, labels) in enumerate(_batches(train, recipe, inputs), epoch * each):
            schedule.step_update(step)
            x, goal = mix(images.to(device), labels.to(device))  # [b, 3, h, w], [b, C]
            loss = loss_of(classifier(x), goal)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += _finite(loss.item(), step + 1, recipe)
        yield Epoch(epoch + 1, total / each, each * recipe.batch / (perf_counter() - start))


def _batches(
    train: Images, recipe: FineTune, inputs: Inputs
) -> Iterator[tuple[Float[Tensor, "b 3 h w"], Int[Tensor, " b"]]]:
    """Yield images in random order, augmented and standardised, with labels; full batches only."""
    from torchvision.transforms.functional import to_pil_image

    augment, order = augmenting(recipe, inputs), torch.randperm(len(train.labels))
    for index in order.split(recipe.batch):
        if len(index) == recipe.batch:
            pictures = (to_pil_image(image) for image in train.pixels[index])
            yield torch.stack([augment(picture) for picture in pictures]), train.labels[index]


def _finite(loss: float, step: int, recipe: FineTune) -> float:
    if not math.isfinite(loss):
        raise UserError(
            f"fine-tuning is no longer finite at step {step} (loss={loss}): lower "
            f"FineTune.lr={recipe.lr:g}, or set FineTune.warmup={recipe.warmup:g} higher"
        )
    return loss


def _check(train: Images, test: Images, recipe: FineTune) -> int:
    """Number of classes. Raises UserError for images that cannot be learned from."""
    classes, count = class_count(train.labels, test.labels), len(train.labels)
    if (present := len(train.labels.unique())) < 2:
        raise UserError(
            f"the training images have {present} class; fine-tuning needs 2 or more: "
            "give images of other classes too"
        )
    if recipe.batch > count:
        raise UserError(
            f"FineTune.batch={recipe.batch} must be at most {count}, the number of training "
            f"images: set FineTune(batch={count // 2 * 2}); the learning rate follows it"
        )
    return classes
