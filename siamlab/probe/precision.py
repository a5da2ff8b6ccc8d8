"""Average precision of boxes, as COCO counts it (Lin et al. 2014).

matches = match(answers, truth, classes)            # each answer at each overlap, once
scores = precision_scores(matches, levels, n)       # mean, at overlap 0.5, and of each class
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from siamlab.probe.checks import check_groups
from siamlab.probe.score import BLOCK, DRAWS, SEED, Groups, Score, interval, resamples

OVERLAPS = tuple(0.5 + 0.05 * step for step in range(10))  # least intersection over union
RECALLS = 101  # from 0 to 1, at which precision is averaged
MOST = 100  # answers of an image and class, at most
UNIT = "average precision"


class Boxes(NamedTuple):
    """True objects of some images, in any order."""

    image: Int64[Tensor, " M"]  # number of its image, from 0
    label: Int64[Tensor, " M"]  # class, from 0; −1: any, of a skipped box
    box: Float[Tensor, "M 4"]  # top, left, bottom, right; fractions of the image
    skipped: Bool[Tensor, " M"]  # neither sought nor wrong if found: difficult objects, crowds
    crowd: Bool[Tensor, " M"]  # one box for many objects: overlap is the share of the answer


class Answers(NamedTuple):
    """Boxes that were found in some images, in any order."""

    image: Int64[Tensor, " A"]
    label: Int64[Tensor, " A"]
    box: Float[Tensor, "A 4"]  # top, left, bottom, right; fractions of the image
    score: Float[Tensor, " A"]  # the higher, the surer


class Matches(NamedTuple):
    """The answers of one class, the surest first, and how many there were to find."""

    image: Int64[Tensor, " A"]
    hit: Bool[Tensor, "A T"]  # the first answer for a true box, at each overlap
    dropped: Bool[Tensor, "A T"]  # not counted: lies on a skipped box
    truth: Int64[Tensor, " M"]  # image of each true box that counts


class Precision(NamedTuple):
    """Average precision, 0..1, higher is better."""

    mean: Score  # over classes and overlaps 0.5, 0.55 … 0.95: COCO's AP
    half: Score  # over classes, at overlap 0.5: AP50
    classes: tuple[int, ...]  # those that there was to find
    each: tuple[Score, ...]  # of these classes, over overlaps


def match(answers: Answers, truth: Boxes, classes: int) -> list[Matches]:
    """Match the answers of each class with true boxes, at each overlap of OVERLAPS.

    The surest answer comes first, and takes the box that it overlaps most among those that no
    surer one has taken; at most 100 answers of an image and class count. An answer that overlaps
    only a skipped box is dropped (COCO's `iscrowd`, VOC's `difficult`), as many as there are.
    """
    answers = Answers(*(part.cpu() for part in answers))
    truth = Boxes(*(part.cpu() for part in truth))
    return [
        _matches(_of_class(answers, number), _of_class(truth, number)) for number in range(classes)
    ]


def _of_class(rows: Answers | Boxes, number: int) -> Answers | Boxes:
    mine = (rows.label == number) | (rows.label < 0)
    return type(rows)(*(part[mine] for part in rows))


def _matches(answers: Answers, truth: Boxes) -> Matches:
    order = answers.score.argsort(descending=True, stable=True)
    answers = Answers(*(part[order] for part in answers))
    hit, dropped = torch.zeros(2, len(order), len(OVERLAPS), dtype=torch.bool)
    kept = torch.ones(len(order), dtype=torch.bool)
    found, true = _by_image(answers.image), _by_image(truth.image)
    for image, rows in found.items():
        kept[rows[MOST:]] = False
        if image in true:
            hit[rows[:MOST]], dropped[rows[:MOST]] = _match_image(
                answers.box[rows[:MOST]], Boxes(*(part[true[image]] for part in truth))
            )
    return Matches(answers.image[kept], hit[kept], dropped[kept], truth.image[~truth.skipped])


def _by_image(images: Int64[Tensor, " A"]) -> dict[int, Int64[Tensor, " k"]]:
    """The rows of each image, in their order."""
    order = images.argsort(stable=True)
    numbers, counts = images[order].unique_consecutive(return_counts=True)
    return dict(zip(numbers.tolist(), order.split(counts.tolist()), strict=True))


def _match_image(
    boxes: Float[Tensor, "a 4"], truth: Boxes
) -> tuple[Bool[Tensor, "a T"], Bool[Tensor, "a T"]]:
    least = torch.tensor(OVERLAPS, dtype=torch.double) - 1e-9
    shared = overlaps(boxes, truth.box, truth.crowd)  # [a, m]
    hit = torch.zeros(len(boxes), len(least), dtype=torch.bool)
    free = (~truth.skipped).repeat(len(least), 1)  # [T, m]
    every = torch.arange(len(least))
    for row in (shared.amax(dim=1) >= least[0]).nonzero()[:, 0].tolist():
        best, place = shared[row].where(free, -1.0).max(dim=1)  # [T]
        hit[row] = best >= least
        free[every[hit[row]], place[hit[row]]] = False
    on_skipped = shared.where(truth.skipped, -1.0).amax(dim=1)  # [a]
    return hit, ~hit & (on_skipped[:, None] >= least)


def overlaps(
    a: Float[Tensor, "a 4"], b: Float[Tensor, "b 4"], crowd: Bool[Tensor, " b"]
) -> Float[Tensor, "a b"]:
    """Intersection over union of boxes; of a crowd, over the area of `a`."""
    a, b = a.double(), b.double()
    low, high = torch.maximum(a[:, None, :2], b[:, :2]), torch.minimum(a[:, None, 2:], b[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=2)
    own, other = ((part[:, 2:] - part[:, :2]).prod(dim=1) for part in (a, b))
    union = torch.where(crowd, own[:, None], own[:, None] + other - shared)
    return shared / union.clamp(min=1e-12)


def average_precision(matches: Matches, weights: Float[Tensor, "R n"]) -> Float[Tensor, "R T"]:
    """Average precision of one class at each overlap, with each image counted `weights` times.

    The mean over 101 recalls of the best precision at that recall or a higher one. It is that of
    the images repeated as often, exactly: copies of an answer are equally sure, so that they
    stand side by side. nan where there is nothing to find. Cost: R · A for each overlap.
    """
    sought = weights[:, matches.truth].sum(dim=1)  # [R]
    found = [
        _at_overlap(matches.image[kept], matches.hit[kept, t], weights, sought)
        for t, kept in enumerate((~matches.dropped).T)
    ]
    empty = torch.where(sought > 0, 0.0, math.nan)
    return torch.stack(found, dim=1) + empty[:, None]


def _at_overlap(
    image: Int64[Tensor, " A"], hit: Bool[Tensor, " A"], weights: Tensor, sought: Tensor
) -> Float[Tensor, " R"]:
    places = hit.nonzero()[:, 0]
    if not len(places):
        return torch.zeros(len(weights), dtype=torch.double)
    counts = weights[:, image[: places[-1] + 1]]  # [R, A]: what comes later decides nothing
    seen = counts.cumsum(dim=1)[:, places]
    right = counts[:, places].cumsum(dim=1)
    precision = (right / seen.clamp(min=1)).flip(1).cummax(dim=1).values.flip(1)
    recall = right / sought.clamp(min=1)[:, None]
    grid = torch.linspace(0, 1, RECALLS, dtype=torch.double).expand(len(weights), -1).contiguous()
    index = torch.searchsorted(recall.contiguous(), grid)  # first place with that recall
    padded = torch.cat([precision, torch.zeros(len(weights), 1, dtype=torch.double)], dim=1)
    return padded.gather(1, index).mean(dim=1)


def table_of(matches: Sequence[Matches], weights: Float[Tensor, "R n"]) -> Float[Tensor, "R C T"]:
    """Average precision of every class at every overlap, some rows of weights at a time."""
    longest = max(len(m.image) for m in matches)
    parts = weights.split(max(1, BLOCK // max(1, longest)))
    return torch.cat(
        [torch.stack([average_precision(m, part) for m in matches], dim=1) for part in parts]
    )


def precision_scores(
    matches: Sequence[Matches],
    chance: Sequence[Matches],
    ceiling: Sequence[Matches],
    images: int,
    groups: Groups = None,
) -> Precision:
    """Average precision with intervals over images; `chance` and `ceiling` give its levels.

    The interval is the bootstrap of all probes (1,000 resamples): answers are matched once, and
    each resample counts the matches of its images. A class that a resample lacks is left out of
    that resample's mean. Resamples repeat images, which smooths nothing and lets the best precision
    at a recall be luckier, so that with some hundred images the interval lies a little high.
    """
    check_groups(groups, images)
    once = torch.ones(1, images, dtype=torch.double)
    value, low, high = (table_of(part, once)[0] for part in (matches, chance, ceiling))  # [C, T]
    draws = torch.cat([table_of(matches, counts) for counts in _weights(images, groups)])
    alone = images < 2 or groups is not None and len(groups.unique()) < 2
    score = lambda part: _score(*map(part, (value, low, high, draws)), alone)  # noqa: E731
    present = value[:, 0].isfinite().nonzero()[:, 0].tolist()
    return Precision(
        score(lambda x: x.mean(dim=-1).nanmean(dim=-1)),
        score(lambda x: x[..., 0].nanmean(dim=-1)),
        tuple(present),
        tuple(score(lambda x, k=k: x[..., k, :].mean(dim=-1)) for k in present),
    )


def _weights(images: int, groups: Groups) -> Iterator[Float[Tensor, "_ n"]]:
    """Yield how often each image is in each resample of the groups."""
    which = torch.arange(images)
    if groups is not None:
        which = groups.cpu().unique(return_inverse=True)[1]
    for counts in resamples(int(which.max()) + 1, DRAWS, SEED):
        yield counts[:, which]


def _score(value: Tensor, low: Tensor, high: Tensor, draws: Tensor, alone: bool) -> Score:
    ends = (math.nan, math.nan) if alone else interval(draws)
    levels = value.item(), *ends, low.item(), high.item()
    return Score(*levels, UNIT, "higher", draws)
