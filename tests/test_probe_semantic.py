"""Facts about few labels, long tails, retrieval, clusters and corruption, each from elsewhere."""

import math
from functools import partial

import numpy
import pytest
import torch
from probe_case import Case
from scipy.special import hyp0f1
from scipy.stats import bootstrap as resampled
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.metrics.pairwise import cosine_distances
from sklearn.preprocessing import StandardScaler

from siamlab.component import UserError
from siamlab.probe.clusters import alignment, class_separation, uniformity
from siamlab.probe.fewshot import (
    directions,
    draw_per_class,
    few_shot_per_class,
    few_shot_share,
    regression,
)
from siamlab.probe.linear import linear
from siamlab.probe.longtail import imbalanced, long_tail
from siamlab.probe.retrieval import average_precision, retrieval
from siamlab.probe.robustness import linear_answers, robustness

CLASSES, WIDTH = 4, 16


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed))


def labelled(n, signal, seed, classes=CLASSES):
    """Features [n, D] whose first dimensions say the class, as far as `signal` beats the noise."""
    labels = torch.arange(n) % classes
    return signal * torch.eye(classes, WIDTH)[labels] + noise(n, WIDTH, seed=seed), labels


def images(signal, seed=1, classes=CLASSES):
    return *labelled(240, signal, seed, classes), *labelled(420, signal, seed + 1, classes)


def one_set(signal):
    return labelled(400, signal, 1)


def two_views(signal):
    common = signal * noise(400, WIDTH)
    return common + noise(400, WIDTH, seed=1), common + noise(400, WIDTH, seed=2)


def spread_out(signal):
    return (1 + signal * noise(400, WIDTH),)  # from all alike to all directions


def versions(signal):
    """Clean test features [m, D] that show the class, and a share `signal` of them, [m, c, D]."""
    x, y, clean, answers = images(8.0)
    return (
        x,
        y,
        clean,
        signal * clean[:, None] + 8 * noise(3, 420, WIDTH, seed=5).transpose(0, 1),
        answers,
    )


def few_five(*arrays, draws=20):
    return few_shot_per_class(*arrays, draws=draws).accuracy


def few_share(*arrays):
    return few_shot_share(*arrays, share=0.1, draws=20).accuracy


def tail(*arrays):
    return long_tail(*arrays, imbalance=10.0).overall


def robust(part, x, y, clean, bad, answers):
    return getattr(robustness(x, y, clean, bad.transpose(0, 1), answers), part)


six = partial(images, classes=6)
SCALE, SHIFT, BOTH = ("scale",), ("scale", "shift"), ("scale", "rotation")
ROUGH = 0.05  # which images are labelled is drawn by their place
CASES: dict[str, Case] = {
    "few_shot_per_class": Case(few_five, images, unchanged=SCALE, tolerance=ROUGH),
    "few_shot_share": Case(few_share, images, unchanged=SCALE, tolerance=ROUGH),
    "long_tail": Case(tail, six, unchanged=SHIFT, tolerance=ROUGH),
    "retrieval": Case(retrieval, one_set, chunked=True, unchanged=BOTH),
    "alignment": Case(alignment, two_views, most=4.0, unchanged=BOTH),
    "uniformity": Case(
        uniformity, spread_out, True, -8.0, 0.0, unchanged=BOTH, chance=False, ceiling=False
    ),
    "class_separation": Case(class_separation, one_set, unchanged=BOTH),
    "robustness": Case(partial(robust, "accuracy"), versions, unchanged=SHIFT),
    "robustness_drop": Case(
        partial(robust, "drop"), versions, False, -math.inf, 1.0, SHIFT, False, False
    ),
}


# few labels


@pytest.mark.parametrize("n", [1, 7])
def test_the_few_shot_head_is_scikit_learns(n):
    x, y = labelled(4 * n, 1.0, 3)
    centred = x.double().numpy() - x.double().numpy().mean(axis=1, keepdims=True)
    unit = centred / numpy.linalg.norm(centred, axis=1, keepdims=True)
    numpy.testing.assert_allclose(directions(x).numpy(), unit, atol=1e-12)
    theirs = LogisticRegression(C=10.0, fit_intercept=False, tol=1e-10, max_iter=10000)  # λ = .1/n
    ours = (directions(x) @ regression(directions(x), y, CLASSES)).softmax(dim=1)
    numpy.testing.assert_allclose(ours.numpy(), theirs.fit(unit, y).predict_proba(unit), atol=1e-5)


def test_a_subset_has_as_many_of_each_class_as_wanted():
    labels = torch.randint(3, (60,), generator=rng())
    wanted = torch.tensor([4, 0, 11])
    kept = draw_per_class(labels, wanted, rng(1))
    assert len(kept.unique()) == 15 and labels[kept].bincount(minlength=3).tolist() == [4, 0, 11]
    assert torch.equal(kept, draw_per_class(labels, wanted, rng(1)))
    assert not torch.equal(kept, draw_per_class(labels, wanted, rng(2)))


def test_every_image_of_a_class_is_as_likely_to_be_labelled():
    labels = torch.arange(20) % 2
    g, seen = rng(), torch.zeros(20)
    for _ in range(2000):
        seen[draw_per_class(labels, torch.tensor([1, 3]), g)] += 1
    expected = torch.tensor([0.1, 0.3]).repeat(10)
    torch.testing.assert_close(seen / 2000, expected, atol=0.04, rtol=0)


def sklearn_hits(x, y, queries, answers, wanted, draws, seed):
    """Correct answers [draws, m] of scikit-learn's heads for the same subsets."""
    g, hits = rng(seed), []
    for _ in range(draws):
        kept = draw_per_class(y, torch.tensor(wanted), g)
        head = LogisticRegression(C=10.0, fit_intercept=False, tol=1e-10, max_iter=10000)
        head.fit(directions(x[kept]), y[kept])
        hits.append(head.predict(directions(queries)) == answers.numpy())
    return numpy.array(hits)


def test_few_shot_is_the_mean_of_its_draws_and_deviation_their_spread():
    few = few_shot_per_class(*images(1.0), per_class=2, seed=3)
    each = sklearn_hits(*images(1.0), [2] * CLASSES, 5, seed=3).mean(axis=1)
    assert few.accuracy.value == pytest.approx(each.mean(), abs=1e-9)
    assert few.deviation == pytest.approx(each.std(ddof=1), abs=1e-9)


def test_the_few_shot_interval_resamples_both_images_and_draws():
    few = few_shot_per_class(*images(1.0), per_class=1, draws=10)
    hits = sklearn_hits(*images(1.0), [1] * CLASSES, 10, seed=0)
    g = numpy.random.default_rng(0)
    picks = [(g.integers(10, size=10), g.integers(420, size=420)) for _ in range(2000)]
    both = [hits[numpy.ix_(*pick)].mean() for pick in picks]
    images_alone = [hits[:, pick].mean() for _, pick in picks]
    assert few.accuracy.draws.std().item() == pytest.approx(numpy.std(both), rel=0.1)
    assert numpy.std(images_alone) < 0.8 * numpy.std(both)


def test_one_draw_leaves_the_images_alone_in_the_interval():
    x, y, queries, answers = images(1.0)
    few = few_shot_per_class(x, y, queries, answers, draws=1)
    p = few.accuracy.value
    half = (few.accuracy.high - few.accuracy.low) / 2
    assert half == pytest.approx(1.96 * (p * (1 - p) / 420) ** 0.5, rel=0.1)
    assert math.isnan(few.deviation)


def test_a_share_is_of_each_class_and_one_image_at_the_least():
    x, y, queries, answers = images(1.0)
    y = torch.where(torch.arange(240) < 200, 0, 1 + torch.arange(240) % 3)  # 200 and 13 or 14 each
    few = few_shot_share(x, y, queries, answers, share=0.012)
    hits = sklearn_hits(x, y, queries, answers, [2, 1, 1, 1], 5, seed=0)
    assert few.accuracy.value == pytest.approx(hits.mean(), abs=1e-9)
    every = few_shot_share(x, y, queries, answers, share=1.0)
    assert every.deviation == pytest.approx(0, abs=1e-9)


def test_a_class_without_training_images_is_never_right():
    x, y, queries, answers = images(1000.0)
    y = y * 2  # classes 0, 2, 4, 6
    assert few_shot_per_class(x, y, queries, answers * 2).accuracy.value == 1
    assert few_shot_per_class(x, y, queries, answers * 2 + 1).accuracy.value == 0


def test_few_shot_refuses_what_it_cannot_do():
    x, y, queries, answers = images(1.0)
    y[:8] = 1  # two of the 60 of each class were of this one before
    with pytest.raises(UserError, match="per_class=59 must be from 1 to 58.*smallest"):
        few_shot_per_class(x, y, queries, answers, per_class=59)
    with pytest.raises(UserError, match="share=2.0 must be above 0 and at most 1"):
        few_shot_share(x, y, queries, answers, share=2.0)
    with pytest.raises(UserError, match="draws=0 must be a whole number, 1 or more"):
        few_shot_share(x, y, queries, answers, draws=0)


# long tail


def test_the_tail_is_exponential():
    order, wanted = imbalanced(torch.full((10,), 500), 100.0, rng())
    assert sorted(order.tolist()) == list(range(10)) != order.tolist()
    # CIFAR-10-LT of imbalance 100 has 5000, ..., 50 images a class: 5000 · 100^(−c / 9).
    expected = numpy.round(500 * 100.0 ** (-numpy.arange(10) / 9))
    assert wanted[order].tolist() == expected.tolist()
    assert expected[0] == 500 and expected[-1] == 5


def test_the_tail_fits_into_classes_of_any_size():
    counts = torch.tensor([30, 0, 200, 7, 90])
    for seed in range(20):
        order, wanted = imbalanced(counts, 9.0, rng(seed))
        assert (wanted <= counts).all() and (wanted[order] >= 1).all() and wanted[1] == 0
        kept = wanted[order].double()
        assert (wanted[order] == counts[order]).any()  # no image is left out without need
        torch.testing.assert_close(
            kept / kept[0], 9.0 ** (-torch.arange(4.0).double() / 3), atol=0.5 / kept[0], rtol=0.08
        )


def test_long_tail_is_scikit_learns_on_the_same_images():
    x, y, queries, answers = images(1.5, classes=6)
    g = rng(4)
    order, wanted = imbalanced(y.bincount(), 20.0, g)
    kept = draw_per_class(y, wanted, g)
    scaler = StandardScaler().fit(x[kept].double())
    model = LogisticRegression(C=1.0, tol=1e-10, max_iter=10000)
    model.fit(scaler.transform(x[kept].double()), y[kept])
    right = model.predict(scaler.transform(queries.double())) == answers.numpy()
    found = long_tail(x, y, queries, answers, 20.0, seed=4)
    assert found.overall.value == pytest.approx(right.mean())
    for part, third in zip(found[1:], order.view(3, 2).tolist(), strict=True):
        assert part.value == pytest.approx(right[numpy.isin(answers, third)].mean())
    assert found.many.value > found.few.value
    assert [s.chance for s in found] == pytest.approx([1 / 6, 1 / 2, 0, 0])


def test_thirds_of_two_classes_leave_one_empty():
    x, y, queries, answers = images(1.0, classes=2)
    found = long_tail(x, y, queries, answers)
    assert math.isnan(found.few.value) and not math.isnan(found.medium.value)


def test_the_rare_classes_of_noise_are_not_found():
    found = long_tail(*images(0.0, classes=6))
    assert found.few.value < 0.1 and found.many.value > 0.3
    assert found.overall.value == pytest.approx(found.overall.chance, abs=0.05)


def test_long_tail_refuses_what_is_no_tail():
    x, y, queries, answers = images(1.0)
    with pytest.raises(UserError, match="imbalance=0.5 must be 1 or more"):
        long_tail(x, y, queries, answers, 0.5)
    with pytest.raises(UserError, match="two classes or more"):
        long_tail(x, y * 0, queries, answers)


# retrieval


def test_average_precision_is_scikit_learns():
    g = rng()
    similarity = torch.randn(30, 50, generator=g)
    similarity[15:] = similarity[15:].round()  # many ties
    relevant = torch.rand(30, 50, generator=g) < 0.2
    ours, _ = average_precision(similarity, relevant)
    theirs = [average_precision_score(r, s) for r, s in zip(relevant, similarity, strict=True)]
    numpy.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-6)


def test_the_slope_of_average_precision_is_scikit_learns_by_the_weight_of_an_item():
    g, step = rng(), 1e-4
    similarity = torch.randn(2, 12, generator=g)
    similarity[1] = similarity[1].round()
    relevant = torch.rand(2, 12, generator=g) < 0.4
    _, ours = average_precision(similarity, relevant)
    for row, (r, s) in enumerate(zip(relevant, similarity, strict=True)):
        for item in range(12):
            up, down = numpy.ones(12), numpy.ones(12)
            up[item], down[item] = 1 + step, 1 - step
            ends = [average_precision_score(r, s, sample_weight=w) for w in (up, down)]
            assert ours[row, item] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-6)
    assert ours.sum(dim=1).abs().max() < 1e-12


def test_the_interval_of_retrieval_is_as_wide_as_values_of_other_images_vary():
    """An image is in the rankings of all others: by queries alone it would be half as wide."""
    found = [retrieval(*labelled(80, 1.0, seed)) for seed in range(80)]
    value = torch.tensor([score.value for score in found], dtype=torch.double)
    width = torch.stack([score.draws.std() for score in found]).mean()
    assert width / value.std() == pytest.approx(1, abs=0.2)
    inside = [score.low < value.mean() < score.high for score in found]
    assert sum(inside) >= 70  # of 76 that are expected


@pytest.mark.parametrize("chunk", [None, 7])
def test_retrieval_ranks_all_other_images(chunk):
    x, y = labelled(90, 1.0, 3)
    y[5] = 9  # alone in its class: no query, but it is among the others
    cosine = 1 - cosine_distances(x)
    each = []
    for i in set(range(90)) - {5}:
        others = numpy.arange(90) != i
        each.append(average_precision_score((y == y[i])[others], cosine[i][others]))
    assert retrieval(x, y, chunk=chunk).value == pytest.approx(numpy.mean(each), abs=1e-5)


def test_the_chance_of_retrieval_is_that_of_random_rankings():
    y = torch.tensor([0] * 12 + [1] * 3 + [2] * 2 + [3])
    g, each = numpy.random.default_rng(0), []
    for i in range(17):
        others = numpy.arange(18) != i
        relevant = (y == y[i]).numpy()[others]
        order = g.permuted(numpy.tile(relevant, (2000, 1)), axis=1)
        precision = order.cumsum(axis=1) / numpy.arange(1, 18)
        each.append(((order * precision).sum(axis=1) / relevant.sum()).mean())
    assert retrieval(noise(18, WIDTH), y).chance == pytest.approx(numpy.mean(each), abs=0.003)
    with pytest.raises(UserError, match="labels must have two classes or more"):
        retrieval(noise(2, WIDTH), torch.zeros(2, dtype=torch.long))


def test_collapsed_features_retrieve_the_share_of_the_class():
    y = torch.arange(40) % 4
    assert retrieval(torch.zeros(40, 3), y).value == pytest.approx(9 / 39)


def test_retrieval_refuses_what_has_no_pairs():
    with pytest.raises(UserError, match="two images of one class"):
        retrieval(noise(4, 3), torch.arange(4))
    with pytest.raises(UserError, match="no unknown"):
        retrieval(noise(4, 3), torch.tensor([0, 0, 1, -1]))


# clusters


def test_alignment_is_two_less_two_cosines():
    a, b = two_views(1.0)
    cosine = 1 - numpy.diag(cosine_distances(a, b))
    assert alignment(a, b).value == pytest.approx((2 - 2 * cosine).mean(), abs=1e-6)
    assert alignment(a, 3 * a).value == pytest.approx(0, abs=1e-12)
    assert alignment(a, -a).value == pytest.approx(4)


def test_uniformity_is_its_formula_over_pairs():
    x = noise(60, 5) + 0.5
    unit = (x / x.norm(dim=1, keepdim=True)).double()
    expected = torch.pdist(unit).square().mul(-2).exp().mean().log().item()
    assert uniformity(x).value == pytest.approx(expected, abs=1e-6)
    assert uniformity(x, chunk=7).value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("width", [1, 2, 8, 384])
def test_the_ceiling_of_uniformity_is_the_uniform_distribution(width):
    score = uniformity(noise(1500, width))
    expected = numpy.log(hyp0f1(width / 2, 4.0)) - 4  # mean of exp(4 cos − 4) on the sphere
    assert score.ceiling == pytest.approx(expected, abs=1e-12)
    assert score.value == pytest.approx(expected, abs=0.02)


def test_the_uniformity_of_collapsed_and_of_opposite_features():
    assert uniformity(torch.ones(20, 3)).value == pytest.approx(0, abs=1e-12)
    assert uniformity(torch.zeros(20, 3)).value == pytest.approx(0, abs=1e-12)
    assert uniformity(torch.tensor([[1.0, 0], [-1, 0]])).value == pytest.approx(-8)
    with pytest.raises(UserError, match="at least 2 images, since .*; got 1"):
        uniformity(torch.ones(1, 3))


def kornblith(x, y):
    """Equation by equation, with all pairs in sight."""
    distance, kinds = cosine_distances(x), numpy.unique(y)
    within = [distance[numpy.ix_(y == k, y == k)].mean() for k in kinds]
    total = [[distance[numpy.ix_(y == k, y == j)].mean() for k in kinds] for j in kinds]
    return 1 - numpy.mean(within) / numpy.mean(total)


def test_class_separation_is_kornbliths():
    x, y = labelled(50, 1.0, 0)
    y[:20] = 7  # classes of different sizes, numbers left out
    expected = kornblith(x.double().numpy(), y.numpy())
    assert class_separation(x, y).value == pytest.approx(expected, abs=1e-7)


def test_the_chance_of_class_separation_is_that_of_labels_dealt_at_random():
    x, y = noise(30, 5).double().numpy() + 0.5, numpy.repeat([0, 1, 2], [20, 7, 3])
    g = numpy.random.default_rng(0)
    dealt = [kornblith(x, g.permutation(y)) for _ in range(400)]
    score = class_separation(torch.from_numpy(x).float(), torch.from_numpy(y))
    assert score.chance == pytest.approx(numpy.mean(dealt), abs=0.01) and score.chance > 0.05


def test_collapsed_features_separate_nothing():
    y = torch.arange(20) % 3 % 2
    for seed in range(5):  # one direction, but for rounding, and many lengths
        line = noise(1, 7, seed=seed) * (1 + torch.arange(20.0))[:, None]
        assert class_separation(line, y).value == pytest.approx(0, abs=1e-4)
    assert class_separation(torch.eye(2)[y], y).value == pytest.approx(1, abs=1e-6)
    with pytest.raises(UserError, match="two classes or more"):
        class_separation(noise(4, 3), torch.ones(4, dtype=torch.long))


def spread_of_values(statistic, draw, times=200):
    return numpy.std([statistic(*draw(seed)).value for seed in range(times)])


@pytest.mark.parametrize("shift", [0.3, 1.0])
def test_the_interval_of_uniformity_is_as_wide_as_the_value_varies(shift):
    def draw(seed):
        return (noise(80, 4, seed=seed) + shift,)

    score = uniformity(*draw(0))
    wide = (score.high - score.low) / (2 * 1.96)
    assert wide == pytest.approx(spread_of_values(uniformity, draw), rel=0.3)


def test_the_interval_of_class_separation_is_the_bootstraps_within_classes():
    """Classes are as they are: images are drawn again within them, which needs all the sums."""
    x, y = labelled(160, 3.0, 0)
    parts = [x[y == k].double().numpy() for k in range(CLASSES)]

    def value(*index):
        picked = [p[i.astype(int)] for p, i in zip(parts, index, strict=True)]
        means = [(p / numpy.linalg.norm(p, axis=1, keepdims=True)).mean(axis=0) for p in picked]
        within = 1 - numpy.mean([m @ m for m in means])
        return 1 - within / (1 - numpy.mean(means, axis=0) @ numpy.mean(means, axis=0))

    rows = [numpy.arange(40.0)] * CLASSES
    theirs = resampled(rows, value, n_resamples=400, vectorized=False, method="percentile", rng=0)
    score = class_separation(x, y)
    expected = numpy.std(theirs.bootstrap_distribution)
    assert score.draws.std().item() == pytest.approx(expected, rel=0.2)


# corrupted images


def test_no_corruption_loses_nothing():
    x, y, clean, answers = images(1.0)
    found = robustness(x, y, clean, torch.stack([clean, clean]), answers)
    same = linear(x, y, clean, answers)
    assert found.drop.value == found.drop.low == found.drop.high == 0
    for score in (found.accuracy, *found.each):
        assert score[:5] == pytest.approx(same[:5])


def test_the_drop_is_relative_to_clean_images():
    x, y, clean, answers = images(2.0)
    bad = torch.stack([clean, torch.zeros_like(clean), clean + noise(420, WIDTH)])
    found = robustness(x, y, clean, bad, answers)
    alone = [linear(x, y, version, answers).value for version in bad]  # its own fit each time
    assert [s.value for s in found.each] == pytest.approx(alone)
    assert alone[1] == pytest.approx(0.25)  # one answer for all
    assert found.accuracy.value == pytest.approx(numpy.mean(alone))
    assert found.drop.value == pytest.approx(1 - numpy.mean(alone) / alone[0])
    assert found.drop.low < found.drop.value < found.drop.high and found.drop.direction == "lower"
    assert math.isnan(found.drop.chance) and found.accuracy.chance == 0.25


X, Y = labelled(240, 1.0, 1)
GROUPED = {
    "few_shot": lambda x, y, g: few_shot_per_class(X, Y, x, y, draws=1, groups=g).accuracy,
    "few_shot_share": lambda x, y, g: few_shot_share(X, Y, x, y, draws=1, groups=g).accuracy,
    "long_tail": lambda x, y, g: long_tail(X, Y, x, y, groups=g).overall,
    "long_tail_many": lambda x, y, g: long_tail(X, Y, x, y, groups=g).many,
    "retrieval": lambda x, y, g: retrieval(x, y, g),
    "alignment": lambda x, y, g: alignment(x, x + y[:, None], g),
    "uniformity": lambda x, y, g: uniformity(x, g),
    "class_separation": lambda x, y, g: class_separation(x, y, g),
    "robustness": lambda x, y, g: robustness(X, Y, x, x[None] ** 2, y, g).accuracy,
    "robustness_drop": lambda x, y, g: robustness(X, Y, x, x[None] ** 2, y, g).drop,
    "robustness_each": lambda x, y, g: robustness(X, Y, x, x[None] ** 2, y, g).each[0],
}


@pytest.mark.parametrize("name", GROUPED)
def test_two_copies_of_an_image_are_drawn_together(name):
    """They hold no more information than one: the interval is √2 as wide as that of two images."""
    x, y = (t.repeat_interleave(2, dim=0) for t in labelled(200, 1.0, 0))
    grouped, apart = (GROUPED[name](x, y, g) for g in (torch.arange(400) // 2, None))
    assert grouped.value == pytest.approx(apart.value, abs=1e-9)
    assert grouped.draws.std() / apart.draws.std() == pytest.approx(2**0.5, rel=0.1)


def test_robustness_refuses_no_versions():
    with pytest.raises(UserError, match="corrupted must have 1 or more"):
        robustness(X, Y, X, X[None][:0], Y)


def test_linear_answers_are_the_linear_probes():
    x, y, queries, answers = images(1.0)
    one, two = linear_answers(x, y, [queries, queries[:3]], CLASSES)
    right = (one == answers).double().mean().item()
    assert linear(x, y, queries, answers).value == pytest.approx(right) and len(two) == 3
