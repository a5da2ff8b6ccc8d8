"""Detection probe: can a light head on frozen patches tell which objects there are, and where?

found = detection(train, train_boxes, test, test_boxes, grid, classes)      # found.mean: COCO's AP
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.images import Images
from siamlab.geometry import Count, Grid
from siamlab.machine.arguments import typed
from siamlab.probe.catalogue import Doc, Probe, add_probe
from siamlab.probe.checks import check_patches, check_width
from siamlab.probe.detector import EPOCHS, RECIPE, attainable, detected, fit_detector
from siamlab.probe.patch_boxes import goals
from siamlab.probe.precision import UNIT, Answers, Boxes, Precision, match, precision_scores
from siamlab.probe.score import Groups, Reading

if TYPE_CHECKING:
    from siamlab.probe.suite.bench import Extracted


@typed
def detection(
    train: Float[Tensor, "n N D"],
    train_boxes: Boxes,
    test: Float[Tensor, "m N D"],
    test_boxes: Boxes,
    grid: Grid,
    classes: Count,
    groups: Groups = None,
    epochs: Count = EPOCHS,
    seed: int = 0,
) -> Precision:
    """COCO's average precision of boxes found by a head after FCOS on frozen patches.

    0..1, higher is better: the mean over classes and over overlaps 0.5, 0.55 … 0.95, at overlap
    0.5 alone, and of each class. The head (Tian et al. 2019, without a pyramid) sees standardised
    features: a 1×1 and a 3×3 convolution of 128 channels, then class, centerness and distances to
    the four sides of each patch; AdamW for 12 epochs. Chance: the mean training box of each class,
    as sure as the class is common. Ceiling: the true boxes through the grid, where a patch can hold
    one object, the smallest. The same seed gives the same score on one machine. Cost: epochs ·
    n · N · (128 D + 9 · 128²) multiplications, three times.
    """
    for name, x, boxes in (("train", train, train_boxes), ("test", test, test_boxes)):
        check_patches(name, x, grid)
        check_boxes(f"{name}_boxes", boxes, len(x), classes)
    check_width("train", train, "test", test)
    head = fit_detector(train, train_boxes, grid, classes, epochs, seed)
    answers = detected(head, test, grid)
    return scored(answers, train_boxes, test_boxes, len(train), len(test), grid, classes, groups)


def _measured(x: "Extracted") -> Iterator[Reading]:
    """Only where images have objects whose boxes are known, some of them on a patch."""
    sets = x.bench.train, x.bench.test
    if not all(images.objects.instance.shape[1] for images in sets):
        return
    boxes, asked = map(object_boxes, sets)
    if not (goals(boxes, len(sets[0].labels), x.train.grid).label >= 0).any():
        return
    if asked.skipped.all():
        return
    classes = int(max(boxes.label.max(), asked.label.max())) + 1
    arrays = x.train.patches, boxes, x.test.patches, asked, x.test.grid, classes
    found = detection(*arrays, groups=x.groups, seed=x.bench.seed)
    yield x.reading("detection", found.mean, **RECIPE)
    yield x.reading("detection_50", found.half, **RECIPE)


add_probe(
    *(Probe(key, f"Detection by a light head, {title}", "spatial", UNIT, "higher", _measured,
            Doc("`detection`", "average precision of boxes and their classes by a head after FCOS "
                "on frozen patches, as COCO counts it: mean over overlaps 0.5 to 0.95, or at 0.5; "
                "for scenes", "0–1"))
      for key, title in {"detection": "AP", "detection_50": "AP50"}.items())
)  # fmt: skip


def scored(
    answers: Answers,
    train_boxes: Boxes,
    test_boxes: Boxes,
    trained: int,
    images: int,
    grid: Grid,
    classes: int,
    groups: Groups = None,
    shown: Float[Tensor, "m 4"] | None = None,
) -> Precision:
    """The score of answers, with its chance level and its ceiling."""
    found = (
        answers,
        blind(train_boxes, trained, images),
        attainable(test_boxes, images, grid, classes, shown),
    )
    matches = (match(each, test_boxes, classes) for each in found)
    return precision_scores(*matches, images, groups)


def blind(truth: Boxes, trained: int, images: int) -> Answers:
    """The best guess without looking: the mean box of each class, as sure as the class is common.

    The same for each of the `images`; a class is as common as the share of training images with it.
    """
    kept = ~truth.skipped
    labels, which = truth.label[kept].unique(return_inverse=True)
    boxes = torch.zeros(len(labels), 4).index_add_(0, which.cpu(), truth.box[kept].cpu().float())
    boxes = boxes / which.bincount(minlength=len(labels)).cpu()[:, None]
    pairs = torch.stack([truth.image[kept], which], dim=1).unique(dim=0)
    share = pairs[:, 1].bincount(minlength=len(labels)).cpu() / trained
    image = torch.arange(images).repeat_interleave(len(labels))
    return Answers(
        image, labels.cpu().repeat(images), boxes.repeat(images, 1), share.repeat(images)
    )


def object_boxes(images: Images) -> Boxes:
    """The boxes of scenes, of which all count whose class is known.

    That of a scene's largest object is the scene's label, and that of another one is known where
    one of the `images` has it as its largest.
    """
    instance = images.objects.instance
    known = dict(zip(instance[:, 0].tolist(), images.labels.tolist(), strict=True))
    label = torch.tensor([known.get(number, -1) for number in instance.flatten().tolist()])
    corner, extent = images.objects.box.flatten(0, 1).split(2, dim=1)
    image = torch.arange(len(instance)).repeat_interleave(instance.shape[1])
    box = torch.cat([corner, corner + extent], dim=1)
    return Boxes(image, label, box, label < 0, torch.zeros(len(label), dtype=torch.bool))


def check_boxes(name: str, boxes: Boxes, images: int, classes: int) -> None:
    """Refuse boxes of other images or classes, outside their image, without area, and none."""
    count = len(boxes.image)
    if not count or any(len(part) != count for part in boxes) or boxes.box.shape != (count, 4):
        raise UserError(
            f"{name} must have one row or more in all its parts, got "
            f"{[list(part.shape) for part in boxes]}: there is nothing to find; give boxes"
        )
    if boxes.skipped.all():
        raise UserError(f"{name} must have one that is not skipped; all {count} are")
    for part, most in (("image", images), ("label", classes)):
        values = getattr(boxes, part).where(~boxes.skipped | (getattr(boxes, part) >= 0), 0)
        if not 0 <= values.min() <= values.max() < most:
            raise UserError(
                f"{name}.{part} must be from 0 to {most - 1}, got {values.min()} to {values.max()}"
            )
    low, high = boxes.box[:, :2], boxes.box[:, 2:]
    wrong = ~((low >= -1e-4) & (high <= 1 + 1e-4) & (low < high)).all(dim=1)
    if wrong.any():
        row = wrong.nonzero()[0, 0].item()
        raise UserError(
            f"{name}.box must be top < bottom and left < right in 0..1, fractions of the image; "
            f"row {row} is {[round(x, 4) for x in boxes.box[row].tolist()]}"
        )
