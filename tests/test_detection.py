"""Average precision against closed forms and pycocotools; a light detector on frozen patches."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.geometry import patch_centres
from siamlab.probe import PROBES, Answers, Boxes, Suite, detection, probe_model
from siamlab.probe.detection import blind, object_boxes
from siamlab.probe.detector import attainable, chosen, detected, fit_detector
from siamlab.probe.patch_boxes import as_boxes, centerness, goals
from siamlab.probe.precision import OVERLAPS, match, overlaps, precision_scores, table_of
from siamlab.probe.score import resamples

GRID = (4, 4)
PYCOCOTOOLS = [
    [0.0823403483248812, 0.07171282424153194, 0.07092288473993445],
    [0.10241936923892751, 0.06738824047857797, 0.0515039251609094],
]


def boxes(*rows, skipped=(), crowd=()):
    """True boxes from rows of image, label, top, left, bottom, right."""
    table, number = torch.tensor(rows, dtype=torch.float), torch.arange(len(rows))
    skip, many = (torch.isin(number, torch.tensor(list(w), dtype=torch.long)) for w in (
        {*skipped, *crowd}, crowd))  # fmt: skip
    return Boxes(table[:, 0].long(), table[:, 1].long(), table[:, 2:], skip, many)


def answers(*rows):
    """Answers from rows of image, label, top, left, bottom, right, score."""
    table = torch.tensor(rows, dtype=torch.float)
    return Answers(table[:, 0].long(), table[:, 1].long(), table[:, 2:6], table[:, 6])


def precision(found, truth, images=2, classes=2):
    """Average precision [C, T]."""
    return table_of(match(found, truth, classes), torch.ones(1, images).double())[0]


# average precision

BOX = (0.0, 0.0, 0.5, 0.5)
SIXTY = (0.0, 0.0, 0.5, 0.3)  # inside BOX, with 0.6 of its area


def test_one_perfect_box_is_1_and_one_of_another_class_or_image_0():
    truth = boxes((0, 1, *BOX))
    for row, expected in ((0, 1), 1.0), ((0, 0), 0.0), ((1, 1), 0.0):
        found = precision(answers((*row, *BOX, 0.9)), truth)
        assert (found[1] == expected).all() and found[0].isnan().all()  # nothing of class 0


def test_a_box_at_overlap_0_6_is_right_at_three_overlaps_of_ten():
    found = precision(answers((0, 0, *SIXTY, 0.9)), boxes((0, 0, *BOX)))
    assert found[0].tolist() == [1.0] * 3 + [0.0] * 7


def test_half_of_the_boxes_found_are_51_of_101_recalls():
    """Recall ends at 0.5, and 0, 0.01 … 0.5 are 51 numbers; a worse answer after it changes 0."""
    truth = boxes((0, 0, *BOX), (1, 0, *BOX))
    for later in ([], [(1, 0, 0.5, 0.5, 1.0, 1.0, 0.1)]):
        found = precision(answers((0, 0, *BOX, 0.9), *later), truth)
        assert found[0].tolist() == pytest.approx([51 / 101] * 10)


def test_a_surer_wrong_answer_halves_precision_and_a_second_box_for_one_object_is_wrong():
    truth, right = boxes((0, 0, *BOX)), (0, 0, *BOX, 0.5)
    assert precision(answers((1, 0, *BOX, 0.9), right), truth)[0, 0] == 0.5
    truth = boxes((0, 0, *BOX), (1, 0, *BOX))
    twice = precision(answers((0, 0, *BOX, 0.9), (0, 0, *BOX, 0.8), (1, 0, *BOX, 0.7)), truth)
    assert twice[0, 0].item() == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_what_is_skipped_is_neither_sought_nor_wrong_and_a_crowd_holds_many():
    right, other = (0, 0, *BOX, 0.5), (0.6, 0.6, 1.0, 1.0)
    found = answers(right, (0, 0, *other, 0.9), (0, 0, *other, 0.8))
    truth = (0, 0, *BOX), (0, 0, *other)
    assert precision(found, boxes(*truth), 1)[0, 0] < 1
    assert precision(found, boxes(*truth, skipped=[1]), 1)[0, 0] == 1
    small = answers(right, (0, 0, 0.6, 0.6, 0.7, 0.7, 0.9))  # a sixteenth of the crowd
    assert precision(small, boxes(*truth, skipped=[1]), 1)[0, 0] == 0.5
    assert precision(small, boxes(*truth, crowd=[1]), 1)[0, 0] == 1
    unknown = boxes((0, 0, *BOX), (0, -1, *other), skipped=[1])  # of any class
    assert precision(found, unknown, 1)[0, 0] == 1


def drawn(n=40, classes=3):
    """Boxes near true ones, some of another class, and crowds."""
    g = np.random.default_rng(0)
    count = 4 * n
    low = 0.6 * g.random((count, 2))
    truth = np.concatenate([low, low + 0.1 + 0.3 * g.random((count, 2))], axis=1)
    image, label = g.integers(n, size=count), g.integers(classes, size=count)
    crowd = torch.from_numpy(g.random(count) < 0.1)
    which = g.integers(count, size=3 * count)
    move = 0.06 * g.standard_normal((3 * count, 4))
    found = truth[which] + move
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 0.02)
    other = np.where(g.random(3 * count) < 0.8, label[which], g.integers(classes, size=3 * count))
    score = g.random(3 * count) - np.abs(move).sum(axis=1)
    arrays = (torch.from_numpy(x) for x in (image[which], other, found, score))
    image, label, truth = map(torch.from_numpy, (image, label, truth))
    return Answers(*arrays), Boxes(image, label, truth, crowd, crowd)


def test_it_is_that_of_pycocotools():
    """Version 2.0.11, one range of areas, crowds by `iscrowd`; each class, then a resample."""
    matches = match(*drawn(), 3)
    counts = torch.stack([torch.ones(40).double(), torch.arange(40).double() % 3])
    found = table_of(matches, counts)
    assert found.mean(dim=2).numpy() == pytest.approx(np.array(PYCOCOTOOLS), abs=1e-9)


def test_resamples_count_each_image_as_often_as_it_is_drawn():
    found, truth = drawn()
    [counts] = resamples(40, 3, 0)
    weighed = table_of(match(found, truth, 3), counts)
    for row, count in zip(weighed, counts.long(), strict=True):
        copies = torch.arange(40).repeat_interleave(count)
        again = [_copied(part, copies) for part in (found, truth)]
        plain = precision(*again, images=40, classes=3)
        torch.testing.assert_close(row, plain)


def _copied(rows, copies):
    index = torch.cat([(rows.image == i).nonzero()[:, 0] for i in copies.tolist()])
    image = torch.cat([torch.full((int((rows.image == i).sum()),), new)
                       for new, i in enumerate(copies.tolist())])  # fmt: skip
    return type(rows)(*(part[index] for part in rows))._replace(image=image)


def test_scores_have_levels_of_their_own_and_one_group_has_no_interval():
    found, truth = drawn()
    matches, best = match(found, truth, 3), match(Answers(*truth[:3], truth.box[:, 0]), truth, 3)
    score = precision_scores(matches, matches, best, 40)
    assert score.classes == (0, 1, 2) and score.mean.ceiling == 1
    assert score.mean.chance == score.mean.value == pytest.approx(np.mean(PYCOCOTOOLS[0]))
    assert score.mean.value == pytest.approx(sum(s.value for s in score.each) / 3)
    assert score.half.value > score.mean.value and len(score.mean.draws) == 1000
    assert score.mean.low < score.mean.value < score.mean.high
    alone = precision_scores(matches, matches, best, 40, groups=torch.zeros(40).long())
    assert alone.mean.low != alone.mean.low and alone.mean.value == score.mean.value


def test_overlaps_are_those_of_torchvision():
    from torchvision.ops import box_iou

    found, truth = drawn()
    none = torch.zeros_like(truth.crowd)
    expected = box_iou(found.box, truth.box)
    torch.testing.assert_close(overlaps(found.box, truth.box, none), expected)


# the head


def test_a_patch_belongs_to_the_smallest_box_around_its_centre():
    truth = boxes((0, 1, 0, 0, 1, 1), (0, 0, 0, 0, 0.5, 0.5), (0, 0, 0.5, 0.5, 1, 1),
                  (1, 0, 0.26, 0.26, 0.3, 0.3), skipped=[2])  # fmt: skip
    aims = goals(truth, 2, GRID)
    expected = torch.full((4, 4), 1)
    expected[:2, :2] = 0  # the third, which is skipped, never hides one that counts
    assert aims.label[0].view(4, 4).tolist() == expected.tolist()
    assert (aims.label[1] == -1).all()  # no centre in it
    assert goals(truth._replace(skipped=torch.arange(4) == 0), 2, GRID).label[0, 2] == -2
    on = aims.label[0] >= 0
    again = as_boxes(patch_centres(GRID), aims.sides[0])[on]
    own = torch.where(aims.label[0][on] == 0, 1, 0)
    torch.testing.assert_close(again, truth.box[own])


def test_centerness_is_1_in_the_middle():
    sides = torch.tensor([[1.0, 2.0, 1.0, 2.0], [1.0, 2.0, 4.0, 2.0], [1.0, 1.0, 4.0, 9.0]])
    assert centerness(sides).tolist() == pytest.approx([1.0, 0.5, 1 / 6])


def test_answers_are_the_surest_of_those_that_overlap_cut_to_what_is_shown():
    box = torch.tensor([[[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.45], [-1.0, 0.5, 1.0, 2.0]]])
    score = torch.tensor([[[0.9, 0.0], [0.8, 0.7], [0.01, 0.3]]])
    found = chosen(score, box, torch.tensor([[0.1, 0.0, 0.9, 0.8]]))
    assert found.label.tolist() == [0, 1, 1]
    assert found.score.tolist() == pytest.approx([0.9, 0.7, 0.3])
    torch.testing.assert_close(found.box[2], torch.tensor([0.1, 0.5, 0.9, 0.8]))


def objects(n, seed):
    """One object an image, of three kinds; features say the class and distances of each patch."""
    g = torch.Generator().manual_seed(seed)
    extent = 0.3 + 0.4 * torch.rand(n, 2, generator=g)
    corner = torch.rand(n, 2, generator=g) * (1 - extent)
    none = torch.zeros(n, dtype=torch.bool)
    label, image = torch.randint(3, (n,), generator=g), torch.arange(n)
    truth = Boxes(image, label, torch.cat([corner, corner + extent], dim=1), none, none)
    aims = goals(truth, n, GRID)
    on = (aims.label >= 0)[..., None]
    kinds = F.one_hot(aims.label.clamp(min=0), 3)
    told = torch.cat([kinds * on, aims.sides.clamp(min=0.01).log() * on, 1.0 * on], dim=2)
    noise = torch.randn(n, 16, 8, generator=g)
    return truth, told, noise


def test_features_that_tell_reach_the_ceiling_and_noise_stays_at_chance():
    (truth, told, noise), (asked, test_told, test_noise) = objects(400, 0), objects(100, 1)
    best = detection(told, truth, test_told, asked, GRID, 3)
    assert best.half.value > 0.95 and best.mean.value > 0.7 * best.mean.ceiling
    assert best.mean.ceiling == 1
    blind = detection(noise, truth, test_noise, asked, GRID, 3, epochs=2)
    assert blind.mean.value < 0.03 and blind.half.value < blind.half.chance + 0.05
    assert blind.mean.chance == best.mean.chance < 0.1


def test_a_few_scenes_are_learned_by_heart():
    images = Scenes(images=4, test_images=2, per_scene=2, size=(0.5, 0.7))("train")
    truth = object_boxes(images)
    x = F.avg_pool2d(images.pixels.float(), 6).flatten(2).transpose(1, 2)  # [n, 64, 3]
    head = fit_detector(x, truth, (8, 8), 10, epochs=150)
    found = match(detected(head, x, (8, 8)), truth, 10)
    best = match(attainable(truth, 4, (8, 8), 10), truth, 10)
    value, ceiling = (
        table_of(m, torch.ones(1, 4).double())[0, :, 0].nanmean() for m in (found, best)
    )
    assert value > 0.9 * ceiling > 0.5


def test_the_seed_decides_the_head_and_nothing_else_is_drawn():
    truth, told, _ = objects(40, 0)
    state = torch.random.get_rng_state()
    one, two, other = (fit_detector(told, truth, GRID, 3, epochs=1, seed=s) for s in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one.out.weight, two.out.weight)
    assert not torch.equal(one.out.weight, other.out.weight)


def test_the_blind_answer_is_the_mean_box_as_sure_as_its_class_is_common():
    truth = boxes((0, 2, 0, 0, 0.5, 0.5), (1, 2, 0.5, 0, 1, 0.5), (1, 2, 0, 0, 0, 0), skipped=[2])
    found = blind(truth, 4, 3)
    assert found.image.tolist() == [0, 1, 2] and found.label.tolist() == [2] * 3
    assert found.box.tolist() == [[0.25, 0.0, 0.75, 0.5]] * 3 and found.score.tolist() == [0.5] * 3


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(box=torch.tensor([[0.5, 0.0, 0.4, 1.0]])), "train_boxes.box must be top < bottom"),
        (dict(box=torch.tensor([[0.5, 0.0, 1.4, 1.0]])), r"row 0 is \[0.5, 0.0, 1.4, 1.0\]"),
        (dict(label=torch.tensor([3])), "train_boxes.label must be from 0 to 2, got 3 to 3"),
        (dict(image=torch.tensor([9])), "train_boxes.image must be from 0 to 3, got 9 to 9"),
        (dict(image=torch.arange(2)), r"one row or more in all its parts, got \[\[2\], \[1\]"),
        (dict(box=torch.tensor([[0.0, 0.0, 0.1, 0.1]])), "that the centre of a patch lies in"),
        (dict(skipped=torch.tensor([True])), "train_boxes must have one that is not skipped"),
    ],
)  # fmt: skip
def test_boxes_that_cannot_be_learned_are_one_sentence_each(change, message):
    x, truth = torch.randn(4, 16, 8), boxes((0, 0, *BOX))
    with pytest.raises(UserError, match=message):
        detection(x, truth._replace(**change), x, truth, GRID, 3)


# in a suite


def test_scenes_are_measured_and_the_class_of_smaller_objects_is_read_from_other_scenes():
    from test_probe_suite import WANT, network

    data = Scenes(images=60, test_images=20, per_scene=2)
    train, test = data("train"), data("test")
    truth = object_boxes(train)
    instance = train.objects.instance
    assert truth.label.view(60, 2)[:, 0].tolist() == train.labels.tolist()
    assert torch.equal(truth.skipped, truth.label < 0)
    assert (
        truth.skipped.view(60, 2)[:, 1].any() == (~torch.isin(instance[:, 1], instance[:, 0])).any()
    )
    corner, extent = train.objects.box[7, 1].split(2)
    torch.testing.assert_close(truth.box[15], torch.cat([corner, corner + extent]))
    suite = Suite((PROBES["detection"], PROBES["detection_50"]))
    whole, half = probe_model(network(), train, test, suite, WANT)
    assert whole.probe.key == "detection" and half.probe.key == "detection_50"
    assert 0 <= whole.score.value <= half.score.value <= half.score.ceiling <= 1
    assert "FCOS" in whole.settings["detector"] and len(OVERLAPS) == 10
