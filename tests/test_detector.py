"""The light detector part by part: its loss, how it begins, and how answers are read from it."""

import math

import numpy as np
import pytest
import torch
from test_detection import GRID, objects

from siamlab.probe.detector import (
    Detector,
    _batches,
    _loss,
    _prepare,
    attainable,
    chosen,
    detected,
    joined,
)
from siamlab.probe.patch_boxes import Goals, goals


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_an_answer_is_read_from_the_heads_numbers():
    """One patch: score √(σ(3) σ(1)), and sides e^-2, e^-3, e^-1, and e, since 2 is cut to 1."""
    head = Detector(4, 2)
    with torch.no_grad():
        head.out.weight.zero_()
        head.out.bias.copy_(torch.tensor([-9.0, 3.0, -2.0, -3.0, -1.0, 2.0, 1.0]))
    wide = torch.tensor([[-9.0, -9.0, 9.0, 9.0]])
    found = detected(head, torch.randn(1, 1, 4), (1, 1), wide)
    assert found.label.tolist() == [1]
    assert found.score.item() == pytest.approx((sigmoid(3) * sigmoid(1)) ** 0.5, abs=1e-6)
    sides = [math.exp(x) for x in (-2, -3, -1, 1)]
    expected = [0.5 - sides[0], 0.5 - sides[1], 0.5 + sides[2], 0.5 + sides[3]]
    assert found.box[0].tolist() == pytest.approx(expected, abs=1e-5)


def test_images_are_answered_one_by_one_each_cut_to_what_is_shown_of_it():
    g = torch.Generator().manual_seed(0)
    x, low = torch.randn(40, 16, 8, generator=g), 0.3 * torch.rand(40, 2, generator=g)
    shown, head, (truth, *_) = torch.cat([low, 1 - low], dim=1), Detector(8, 3), objects(40, 0)
    with torch.no_grad():
        head.out.bias.fill_(-1.0)

    def each(i):
        mine = type(truth)(*(part[i : i + 1] for part in truth))._replace(
            image=torch.zeros(1).long()
        )
        yield detected(head, x[i : i + 1], GRID, shown[i : i + 1])
        yield attainable(mine, 1, GRID, 3, shown[i : i + 1])

    ways = detected(head, x, GRID, shown), attainable(truth, 40, GRID, 3, shown)
    for found, parts in zip(ways, zip(*map(each, range(40)), strict=True), strict=True):
        expected = joined(parts, 1)
        assert torch.equal(found.image, expected.image) and len(found.image.unique()) == 40
        torch.testing.assert_close(found.box, expected.box)
        low, high = shown[found.image].split(2, dim=1)
        assert (found.box[:, :2] >= low).all() and (found.box[:, 2:] <= high).all()


def test_the_loss_is_that_of_fcos_patch_by_patch():
    """Focal loss of what is learned, GIoU weighted by centerness, cross entropy of centerness."""
    g = torch.Generator().manual_seed(1)
    out, grid = torch.randn(2, 4, 7, generator=g), (2, 2)
    label = torch.tensor([[0, -1, 1, -2], [1, -1, -1, 0]])
    aims = Goals(label, 0.1 + torch.rand(2, 4, 4, generator=g))
    focal, apart, middle, central = 0.0, [], [], []
    for image, patch in np.ndindex(2, 4):
        row, own = out[image, patch].tolist(), label[image, patch].item()
        for kind in range(2) if own > -2 else ():
            p = sigmoid(row[kind])
            hit, alpha = (p, 0.25) if kind == own else (1 - p, 0.75)
            focal -= alpha * (1 - hit) ** 2 * math.log(hit)
        if own >= 0:
            true = aims.sides[image, patch].tolist()
            share = [min(true[i], true[i + 2]) / max(true[i], true[i + 2]) for i in (0, 1)]
            central.append(math.sqrt(share[0] * share[1]))
            apart.append(1 - giou([math.exp(min(x, 1)) for x in row[2:6]], true))
            c, m = central[-1], sigmoid(row[6])
            middle.append(-c * math.log(m) - (1 - c) * math.log(1 - m))
    expected = focal / 4 + np.average(apart, weights=central) + np.mean(middle)
    assert _loss(out, aims, grid).item() == pytest.approx(expected, rel=1e-4)


def giou(a, b):
    """Of two boxes around one point, from their distances up, left, down, right."""
    area = lambda s: (s[0] + s[2]) * (s[1] + s[3])  # noqa: E731
    shared, hull = area(list(map(min, a, b))), area(list(map(max, a, b)))
    union = area(a) + area(b) - shared
    return shared / union - (hull - union) / hull


def test_the_head_begins_at_standardised_features_rare_classes_and_the_mean_sides():
    truth, x, _ = objects(40, 0)
    head, aims = Detector(8, 3), goals(truth, 40, GRID)
    x = 3 * x + 2
    _prepare(head, x, aims)
    flat = x.flatten(0, 1)
    torch.testing.assert_close(head.mean, flat.mean(dim=0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(head.scale, 1 / flat.std(dim=0, correction=0), rtol=1e-3, atol=1e-4)
    assert head.out.bias[:3].sigmoid().tolist() == pytest.approx([0.01] * 3, rel=1e-4)
    mean = aims.sides[aims.label >= 0].log().mean(dim=0)
    torch.testing.assert_close(head.out.bias[3:7], mean)


def test_the_head_sees_standardised_features():
    """One that begins at mean and scale answers x as a plain one answers (x - mean) · scale."""
    head, x = Detector(8, 3), torch.randn(2, 16, 8)
    mean, scale = torch.randn(8), 0.5 + torch.rand(8)
    plain = head((x - mean) * scale, GRID)
    head.mean.copy_(mean), head.scale.copy_(scale)
    torch.testing.assert_close(head(x, GRID), plain)


def test_each_epoch_has_every_image_once_in_another_order():
    one, two = halves(_batches(70, 2, 0))
    assert sorted(one) == sorted(two) == list(range(70)) and one != two != list(range(70)) != one


def halves(batches):
    batches = list(batches)
    assert [len(b) for b in batches] == [32, 32, 6] * 2
    drawn = torch.cat(batches).tolist()
    return drawn[:70], drawn[70:]


def test_answers_below_the_least_score_or_over_the_same_object_are_left_out():
    """Boxes of overlap 0.55 are two, of 0.65 one; a score of 0.04 is none and of 0.06 one."""
    wide = [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.55], [0.0, 0.0, 0.65, 1.0]]
    found = chosen(torch.tensor([[[0.9], [0.06], [0.5]]]), torch.tensor([wide]))
    assert found.score.tolist() == pytest.approx([0.9, 0.06])
    assert not len(chosen(torch.tensor([[[0.04]]]), torch.tensor([wide[:1]])).score)
    corner = torch.cartesian_prod(torch.arange(11), torch.arange(10)) / 11
    many = torch.cat([corner, corner + 0.05], dim=1)
    score = torch.linspace(0.1, 0.9, 110)[None, :, None]
    assert chosen(score, many[None]).score.tolist() == pytest.approx(
        sorted(score.flatten().tolist())[:9:-1]
    )
