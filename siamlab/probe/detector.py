"""A light detector on frozen patches, after FCOS (Tian et al. 2019).

head = fit_detector(features, truth, grid, classes)
answers = detected(head, features, grid)
"""

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn

from siamlab.component import UserError
from siamlab.geometry import Grid, patch_centres
from siamlab.machine.seeding import seeded
from siamlab.probe.linear import EPS
from siamlab.probe.patch_boxes import Goals, as_boxes, centerness, goals
from siamlab.probe.precision import MOST, Answers, Boxes

HIDDEN = 128  # channels
EPOCHS, BATCH = 12, 32
RATE, DECAY = 1e-3, 0.05  # of AdamW; the rate falls to 0 in half a cosine
RARE = 0.01  # probability of each class before training, as in RetinaNet
CANDIDATES = 1000  # surest answers of an image that are compared with each other
LEAST, SAME = 0.05, 0.6  # least score of an answer; overlap above which two of a class are one
RECIPE = {
    "detector": f"1×1, 3×3 and 1×1 convolution, {HIDDEN} channels, after FCOS",
    "loss": "focal, GIoU, centerness",
    "optimiser": f"AdamW {RATE}, weight decay {DECAY}, half a cosine, {EPOCHS} epochs of {BATCH}",
    "answers": f"score at least {LEAST}, NMS at {SAME}, at most {MOST} an image",
}


class Detector(nn.Module):
    """Per patch: logits of the classes, logarithms of the four distances, logit of centerness."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.classes: int = classes
        self.mix: nn.Conv2d = nn.Conv2d(width, HIDDEN, 1)
        self.near: nn.Conv2d = nn.Conv2d(HIDDEN, HIDDEN, 3, padding=1)
        self.out: nn.Conv2d = nn.Conv2d(HIDDEN, classes + 5, 1)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def forward(self, x: Float[Tensor, "b N D"], grid: Grid) -> Float[Tensor, "b N K"]:
        x = (x.float() - self.mean) * self.scale
        x = self.mix(x.transpose(1, 2).unflatten(2, grid)).relu()
        return self.out(self.near(x).relu()).flatten(2).transpose(1, 2)


def fit_detector(
    features: Float[Tensor, "n N D"],
    truth: Boxes,
    grid: Grid,
    classes: int,
    epochs: int = EPOCHS,
    seed: int = 0,
) -> Detector:
    """Train the head on frozen patches, which are standardised in each dimension.

    Focal loss of the classes, GIoU of the boxes weighted by centerness, and cross entropy of
    centerness, as in FCOS; one grid, without a pyramid. The same seed gives the same head on one
    machine; the global random generators are left as they were. Raises UserError if no patch of
    the training images lies on an object.
    """
    device = features.device
    aims = goals(Boxes(*(part.cpu() for part in truth)), len(features), grid)
    if not (aims.label >= 0).any():
        raise UserError(
            "train_boxes must have an object that is not skipped and that the centre of a patch "
            f"lies in; none of {len(truth.label)} does: give more images, or larger ones"
        )
    aims = Goals(*(part.to(device) for part in aims))
    with seeded(seed, device):
        head = Detector(features.shape[2], classes).to(device)
    _prepare(head, features, aims)
    optimiser = torch.optim.AdamW(head.parameters(), RATE, weight_decay=DECAY)
    batches = list(_batches(len(features), epochs, seed))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, len(batches))
    for index in batches:
        index = index.to(device)
        optimiser.zero_grad()
        _loss(head(features[index], grid), Goals(*(part[index] for part in aims)), grid).backward()
        optimiser.step()
        schedule.step()
    return head.eval()


@torch.no_grad()
def _prepare(head: Detector, features: Tensor, aims: Goals) -> None:
    """Standardise the features, and begin at rare classes and the mean logarithm of distances."""
    total = square = 0.0
    for part in features.split(BATCH):
        x = part.flatten(0, 1).double()
        total, square = total + x.sum(dim=0), square + x.square().sum(dim=0)
    count = features.shape[0] * features.shape[1]
    mean = total / count
    head.mean.copy_(mean)
    head.scale.copy_((square / count - mean.square()).clamp(min=0).add(EPS).rsqrt())
    head.out.bias[: head.classes] = math.log(RARE / (1 - RARE))
    head.out.bias[head.classes : -1] = aims.sides[aims.label >= 0].log().mean(dim=0)


def _batches(n: int, epochs: int, seed: int) -> Iterator[Int64[Tensor, " b"]]:
    rng = Generator().manual_seed(seed)
    for _ in range(epochs):
        yield from torch.randperm(n, generator=rng).split(BATCH)


def _loss(out: Float[Tensor, "b N K"], aims: Goals, grid: Grid) -> Float[Tensor, ""]:
    from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

    logits, sides, middle = _parts(out)
    on, learned = aims.label >= 0, aims.label > -2
    kinds = F.one_hot(aims.label.clamp(min=0), logits.shape[2]) * on[..., None]
    loss = sigmoid_focal_loss(logits[learned], kinds[learned].float(), reduction="sum")
    loss = loss / on.sum().clamp(min=1)
    if not on.any():
        return loss
    true, central = aims.sides[on], centerness(aims.sides[on])
    centres = patch_centres(grid, out.device).expand(len(out), -1, -1)[on]
    apart = generalized_box_iou_loss(as_boxes(centres, sides[on]), as_boxes(centres, true))
    loss = loss + (apart * central).sum() / central.sum()
    return loss + F.binary_cross_entropy_with_logits(middle[on], central)


def _parts(out: Float[Tensor, "b N K"]) -> tuple[Tensor, Tensor, Tensor]:
    return out[..., :-5], out[..., -5:-1].clamp(max=1.0).exp(), out[..., -1]


@torch.no_grad()
def detected(
    head: Detector,
    features: Float[Tensor, "n N D"],
    grid: Grid,
    shown: Float[Tensor, "n 4"] | None = None,
) -> Answers:
    """Boxes found in each image, cut to what is `shown` (top, left, bottom, right; default all).

    A score is √(probability of the class · centerness).
    """
    found = []
    for start, part in _parted(features):
        logits, sides, middle = _parts(head(part, grid))
        scores = (logits.sigmoid() * middle.sigmoid()[..., None]).sqrt().cpu()
        boxes = as_boxes(patch_centres(grid), sides.cpu())
        found.append(chosen(scores, boxes, _rows(shown, start, len(part))))
    return joined(found, BATCH)


def _parted(rows: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield some images at a time, with the number of the first."""
    return ((start, rows[start : start + BATCH]) for start in range(0, len(rows), BATCH))


def _rows(shown: Tensor | None, start: int, count: int) -> Tensor | None:
    return None if shown is None else shown[start : start + count]


def attainable(
    truth: Boxes,
    images: int,
    grid: Grid,
    classes: int,
    shown: Float[Tensor, "n 4"] | None = None,
) -> Answers:
    """The answers of a head that says the truth in each patch."""
    aims = goals(Boxes(*(part.cpu() for part in truth)), images, grid)
    boxes = as_boxes(patch_centres(grid), aims.sides)
    found = []
    for start, labels in _parted(aims.label):
        scores = F.one_hot(labels.clamp(min=0), classes) * (labels >= 0)[..., None]
        rows = boxes[start : start + BATCH], _rows(shown, start, len(labels))
        found.append(chosen(scores.float(), *rows))
    return joined(found, BATCH)


def joined(parts: Sequence[Answers], size: int) -> Answers:
    """Answers of `size` images at a time as one table."""
    moved = [part._replace(image=part.image + number * size) for number, part in enumerate(parts)]
    return Answers(*(torch.cat(column) for column in zip(*moved, strict=True)))


def chosen(
    scores: Float[Tensor, "n N C"],
    boxes: Float[Tensor, "n N 4"],
    shown: Float[Tensor, "n 4"] | None = None,
) -> Answers:
    """The answers of each image: the surest of those that overlap, at most 100."""
    if shown is None:
        shown = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(len(boxes), 4)
    low, high = shown[:, None, :2], shown[:, None, 2:]
    boxes = torch.cat([boxes[..., :2].clamp(low, high), boxes[..., 2:].clamp(low, high)], dim=2)
    found = [_of_image(*pair) for pair in zip(scores, boxes, strict=True)]
    return joined(found, 1)


def _of_image(scores: Float[Tensor, "N C"], boxes: Float[Tensor, "N 4"]) -> Answers:
    from torchvision.ops import batched_nms

    place, label = (scores >= LEAST).nonzero().unbind(dim=1)
    best = scores[place, label].argsort(descending=True, stable=True)[:CANDIDATES]
    place, label = place[best], label[best]
    kept = batched_nms(boxes[place], scores[place, label], label, SAME)[:MOST]
    place, label = place[kept], label[kept]
    return Answers(torch.zeros_like(label), label, boxes[place], scores[place, label])
