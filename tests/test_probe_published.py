"""Probes by the protocols of papers: a chosen penalty, the attentive probe, a sampled memory."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from test_probe_suite import WANT, network
from timm.models.vision_transformer import VisionTransformer

from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.probe import (
    PROBES,
    PUBLISHED,
    Suite,
    attentive,
    features,
    in_context,
    linear,
    linear_tuned,
    named,
    probe_model,
    rare_patches,
)
from siamlab.probe.attentive import Attentive
from siamlab.probe.linear import Head, softmax_regression
from siamlab.probe.linear_tuned import PENALTIES, held_out


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def faint(n, seed, width=150, classes=3):
    """Wide features of few images, of which three dimensions say a little about the class."""
    labels = torch.arange(n) % classes
    return torch.randn(n, width, generator=rng(seed)) + torch.eye(classes, width)[labels], labels


# the chosen penalty


def test_the_penalty_is_the_one_that_scikit_learn_finds_best():
    x, y, queries, answers = *faint(150, 0), *faint(300, 1)
    values, held = (1e-4, 1e-2, 1.0), held_out(150, 0)
    scaler = StandardScaler().fit(x)
    x, queries = torch.tensor(scaler.transform(x)), torch.tensor(scaler.transform(queries))

    def fitted(c, at):
        return LogisticRegression(C=c, tol=1e-9, max_iter=5000).fit(x[at], y[at])

    rights = [fitted(c, ~held).score(x[held], y[held]) for c in values]
    best = values[rights.index(max(rights))]
    assert best != values[0]  # otherwise only ties would decide
    found = linear_tuned(x, y, queries, answers, values)
    expected = fitted(best, torch.ones(150, dtype=torch.bool)).score(queries, answers)
    assert found.c == best and found.accuracy.value == pytest.approx(expected)


def test_the_penalties_are_those_of_dinov2_and_dinov3():
    """10 to each of torch.linspace(-6, 5, 45), in the eval/log_regression.py of both."""
    assert len(PENALTIES) == 45 and PENALTIES[::4] == pytest.approx(
        [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1e3, 1e4, 1e5], rel=1e-12
    )
    between = [PENALTIES[i] for i in (25, 26, 27)]  # from 1 to 10
    assert between == pytest.approx([1.7782794, 3.1622777, 5.6234133], rel=1e-7)
    assert PENALTIES == pytest.approx((10 ** torch.linspace(-6, 5, 45).double()).tolist(), rel=1e-5)


def mixed(n, seed, width=120):
    """Six directions, three of which say the class, in wide features with noise of their own."""
    labels, g = torch.arange(n) % 3, rng(seed)
    latent = torch.randn(n, 6, generator=g) + 2 * torch.eye(3, 6)[labels]
    axes = torch.randn(6, width, generator=rng(9))
    return latent @ axes + 3 * torch.randn(n, width, generator=g), labels


def test_a_penalty_saves_wide_features_of_few_images():
    x, y, queries, answers = *mixed(150, 0), *mixed(600, 1)
    tuned = linear_tuned(x, y, queries, answers)
    assert tuned.c < 1 and tuned.accuracy.value > linear(x, y, queries, answers).value + 0.04


def test_the_order_of_the_penalties_says_nothing():
    x, y, queries, answers = *faint(150, 0), *faint(100, 1)
    one, two = (linear_tuned(x, y, queries, answers, c) for c in ((0.01, 1.0), (1.0, 0.01)))
    assert one.c == two.c and one.accuracy.value == two.accuracy.value


def test_another_start_ends_at_the_same_layer():
    x, y = faint(90, 0, width=10)
    goal = torch.nn.functional.one_hot(y).double()
    start = Head(torch.ones(10, 3).double(), torch.zeros(3).double())
    a, b = (softmax_regression(x.double(), goal, c=0.1, start=s) for s in (None, start))
    torch.testing.assert_close(a.weight, b.weight, atol=1e-4, rtol=0)
    assert not start.weight.requires_grad and (start.weight == 1).all()


@pytest.mark.parametrize(
    "said, n, values",
    [("penalties", 9, ()), ("penalties", 9, (0.0, 1.0)), ("two classes", 1, (1.0,))],
)
def test_a_penalty_that_cannot_be_chosen_is_refused(said, n, values):
    x, y = faint(n, 0)
    with pytest.raises(UserError, match=said):
        linear_tuned(x, y, x, y, values)


# the attentive probe


def flagged(n, seed, patches=12, classes=3):
    """One patch of each image is flagged and shows its class; the others show any class."""
    g = rng(seed)
    shown = torch.randint(classes, (n, patches), generator=g)
    place = torch.randint(patches, (n,), generator=g)
    x = torch.zeros(n, patches, 16)
    x[..., :classes] = torch.eye(classes)[shown]
    x[torch.arange(n), place, classes] = 1  # the flag
    return x + 0.1 * torch.randn(x.shape, generator=g), shown[torch.arange(n), place]


def test_it_finds_the_patch_that_a_mean_over_patches_hides():
    x, y, queries, answers = *flagged(600, 0), *flagged(300, 1)
    looking = attentive(x, y, queries, answers)
    pooled = linear(x.mean(dim=1), y, queries.mean(dim=1), answers)
    assert looking.value > 0.95 > 0.7 > pooled.value
    assert looking.chance == pooled.chance and looking.ceiling == 1


def test_the_order_of_patches_says_nothing_and_the_seed_everything():
    x, y, queries, answers = *flagged(90, 0), *flagged(60, 1)
    order = torch.randperm(12, generator=rng())
    state = torch.random.get_rng_state()
    one = attentive(x, y, queries, answers, epochs=2)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert attentive(x, y, queries, answers, epochs=2).value == one.value
    assert attentive(x, y, queries[:, order], answers, epochs=2).value == one.value


def test_before_training_it_looks_at_the_mean():
    x = torch.randn(5, 12, 16, generator=rng())
    model = Attentive(16, 3, 4)
    expected = model.head(model.values(x.mean(dim=1)))
    torch.testing.assert_close(model(x), expected)


def test_queries_that_do_not_divide_the_width_become_fewer():
    x, y = flagged(30, 0)
    assert attentive(x[..., :7], y, x[..., :7], y, queries=5, epochs=1).value <= 1


@pytest.mark.parametrize(
    "said, change",
    {
        "queries=0 must be a whole number, 1 or more": dict(queries=0),
        "epochs=0 must be a whole number, 1 or more": dict(epochs=0),
        "train must be finite": dict(train=torch.ones(9, 2, 4) / 0),
        "train_labels must .* drop those without": dict(train_labels=torch.arange(9) - 1),
        "2 images or more": dict(train=torch.ones(1, 2, 4), train_labels=torch.zeros(1).long()),
    }.items(),
)
def test_what_it_cannot_learn_from_is_refused(said, change):
    both = {"train": torch.ones(9, 2, 4), "test": torch.ones(9, 2, 4)}
    labels = {f"{name}_labels": torch.arange(9) % 2 for name in both}
    with pytest.raises(UserError, match=said):
        attentive(**both | labels | change)


# the sampled memory


def quarters():
    """Three quarters of the image are region 0, one patch of sixteen is region 1, four are void."""
    masks = torch.zeros(1, 8, 8, dtype=torch.uint8)
    masks[:, :2, :2], masks[:, 6:] = 1, 255
    return masks


def test_the_rarest_region_is_kept_and_void_comes_last():
    masks = quarters().expand(200, 8, 8)
    kept = rare_patches(masks, (4, 4), 3)
    assert (kept[:, 0] == 0).double().mean() > 0.9  # of sixteen patches; 3 of 16 at random
    everything = rare_patches(masks, (4, 4), 16)
    assert torch.equal(everything, torch.arange(16).expand(200, 16))
    most = rare_patches(masks, (4, 4), 12)
    assert torch.equal(most, torch.arange(12).expand(200, 12))  # the last row is void


def test_patches_of_one_region_are_drawn_evenly_and_by_the_seed():
    masks = torch.zeros(4000, 4, 4, dtype=torch.uint8)
    kept = rare_patches(masks, (2, 2), 2)
    shares = kept.flatten().bincount() / kept.numel()
    torch.testing.assert_close(shares, torch.full((4,), 0.25), atol=0.02, rtol=0)
    assert torch.equal(kept, rare_patches(masks, (2, 2), 2))
    assert not torch.equal(kept, rare_patches(masks, (2, 2), 2, seed=1))


def test_a_memory_of_all_patches_is_the_whole_memory_and_a_part_is_that_part():
    g = rng()
    masks = torch.randint(3, (20, 8, 8), generator=g, dtype=torch.uint8)
    memory, queries = torch.randn(20, 4, 6, generator=g), torch.randn(20, 4, 6, generator=g)
    whole = in_context(memory, masks, queries, masks, (2, 2), k=5)
    every = torch.arange(4).expand(20, 4)
    assert in_context(memory, masks, queries, masks, (2, 2), k=5, keep=every).value == whole.value
    with pytest.raises(UserError, match="k=21 must be from 1 to .* 20"):
        in_context(memory, masks, queries, masks, (2, 2), k=21, keep=every[:, :1])


def test_a_count_of_patches_that_are_not_there_is_refused():
    for count in (0, 17):
        with pytest.raises(UserError, match="from 1 to the patches of an image, 16"):
            rare_patches(quarters(), (4, 4), count)
    with pytest.raises(UserError, match="only void"):
        rare_patches(torch.full((1, 8, 8), 255, dtype=torch.uint8), (4, 4), 1)


# the suite


def test_class_tokens_vote_with_each_k_of_dino():
    """10, 20, 100 and 200 neighbours (Caron et al. 2021; DINOv2's and DINOv3's eval/knn.py)."""
    data = Scenes(images=120, test_images=40, side=40)
    model, train, test = network(), data("train"), data("test")
    probes = [p for p in PROBES.values() if p.key.startswith("knn_class_token")]
    found = {m.probe.key: m for m in probe_model(model, train, test, Suite(tuple(probes)), WANT)}
    tokens = [features(model, part.pixels, WANT).cls for part in (train, test)]
    vote = KNeighborsClassifier(100, metric="cosine", weights=lambda d: np.exp((1 - d) / 0.07))
    expected = vote.fit(tokens[0], train.labels).score(tokens[1], test.labels)
    assert found["knn_class_token_100"].score.value == pytest.approx(expected)
    asked = {key: m.settings["k"] for key, m in found.items()}  # 200 are more than there are
    assert asked == {"knn_class_token": 20, "knn_class_token_10": 10, "knn_class_token_100": 100}
    assert {m.settings["pooling"] for m in found.values()} == {"class token"}
    assert {p.key for p in PUBLISHED.probes} >= {p.key for p in probes}


def unit(x):
    """As MSN's evaluation: each row less its mean, at unit length."""
    x = x.double().numpy()
    x = x - x.mean(axis=1, keepdims=True)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_class_tokens_are_what_papers_regress_on(monkeypatch):
    """With all labels of a list, MSN's head is scikit-learn's with C = 1 / 0.1."""
    given = []

    def few_penalties(*arrays, **how):
        given.append(arrays)
        return linear_tuned(*arrays, penalties=(0.01, 1.0), **how)

    monkeypatch.setattr("siamlab.probe.suite.papers.linear_tuned", few_penalties)
    data = Scenes(images=90, test_images=40, side=40)
    model, train, test = network(), data("train"), data("test")
    suite = Suite(tuple(PROBES[key] for key in ("linear_tuned_class_token", "few_shot_listed")))
    assert set(suite.probes) < set(PUBLISHED.probes)
    measure = lambda about, model=model: probe_model(model, train, test, suite, WANT, about)  # noqa: E731
    found = {m.probe.key: m for m in measure({"subset": "1percent.txt"})}
    tokens = [features(model, part.pixels, WANT).cls for part in (train, test)]
    asked = zip(given[0], (tokens[0], train.labels, tokens[1], test.labels), strict=True)
    assert all(torch.allclose(a, b) for a, b in asked)
    head = LogisticRegression(C=10, fit_intercept=False, tol=1e-8, max_iter=10_000)
    expected = head.fit(unit(tokens[0]), train.labels).score(unit(tokens[1]), test.labels)
    assert found["few_shot_listed"].score.value == pytest.approx(expected)
    assert {m.settings["pooling"] for m in found.values()} == {"class token"}
    assert [m.probe.key for m in measure({"subset": ""})] == ["linear_tuned_class_token"]
    bare = dict(class_token=False, global_pool="avg", embed_dim=24, depth=1, num_heads=3)
    without = VisionTransformer(img_size=WANT.size, patch_size=6, num_classes=0, **bare)
    assert measure({"subset": "1percent.txt"}, without) == []


def test_the_suite_of_published_protocols():
    data = Scenes(images=60, test_images=20, side=40)
    scores = named(probe_model(network(), data("train"), data("test"), "published", WANT))
    for key in (
        "knn", "few_shot_share", "linear_tuned", "linear_tuned_class_token", "linear_lars",
        "attentive", "in_context_sampled",
    ):  # fmt: skip
        assert scores[key].low <= scores[key].value <= scores[key].high, key
