"""One fact or more about each probe of features, each from a source of its own."""

import numpy
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import jaccard_score
from sklearn.neighbors import KNeighborsClassifier

from siamlab.component import UserError
from siamlab.geometry import Match, View, match_patches, patch_centres
from siamlab.probe.checks import check_labelled
from siamlab.probe.correspondence import correspondence as pck
from siamlab.probe.correspondence import mutual_matches, one_patch, place_error
from siamlab.probe.knn import knn, knn_standardised, knn_votes
from siamlab.probe.linear import linear, softmax_regression, standardise
from siamlab.probe.segmentation import miou, region_shares, segmentation
from siamlab.probe.spectrum import collapse, effective_rank, rank_or_one, rankme, spread


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def blobs(n, seed, noise=1.5):
    labels = torch.randint(5, (n,), generator=rng(seed))
    centres = torch.randn(5, 12, generator=rng(99))
    scales = torch.logspace(0, 1, 12)
    return (centres[labels] + noise * torch.randn(n, 12, generator=rng(seed + 1))) * scales, labels


# k nearest neighbours


def test_knn_finds_itself():
    x, y = blobs(100, 0)
    assert knn(x, y, x, y, k=1).value == 1


@pytest.mark.parametrize("k", [1, 20, 50])
def test_knn_is_scikit_learns_with_its_weights(k):
    x, y, queries, answers = *blobs(400, 0), *blobs(300, 7)
    theirs = KNeighborsClassifier(k, metric="cosine", weights=lambda d: numpy.exp((1 - d) / 0.07))
    expected = theirs.fit(x, y).score(queries, answers)
    assert knn(x, y, queries, answers, k).value == pytest.approx(expected, abs=1e-6)


def test_the_votes_on_an_image_are_those_of_knn_without_it():
    torch.manual_seed(0)
    x, labels = torch.randn(40, 5), torch.randint(3, (40,))
    labels[::7] = -1  # asked about, but without a vote
    votes = knn_votes(x, labels, k=4)
    known = (labels >= 0).nonzero()[:, 0]
    for i in range(40):
        others = known[known != i]
        for label in range(3):
            score = knn(x[others], labels[others], x[[i]], torch.tensor([label]), k=4)
            assert score.value == (votes.label[i] == label)
    assert (1 / 3 <= votes.share).all() and (votes.share <= 1).all()
    with pytest.raises(UserError, match="labelled images less one, 33"):
        knn_votes(x, labels, k=34)


def test_knn_standardised_undoes_a_loud_dimension():
    x, y, queries, answers = *blobs(400, 0, 0.8), *blobs(300, 7, 0.8)
    loud = torch.ones(12)
    loud[3] = 2.0**16
    plain, loudly = (knn(x * s, y, queries * s, answers).value for s in (1, loud))
    assert loudly < plain - 0.1
    one, two = (knn_standardised(x * s, y, queries * s, answers).value for s in (1, loud))
    assert one == two > plain - 0.05


def test_knn_refuses_more_neighbours_than_images():
    x, y = blobs(10, 0)
    with pytest.raises(UserError, match="k=20 must be from 1 to the number of training images, 10"):
        knn(x, y, x, y)


# linear probe


@pytest.mark.parametrize("probe", [knn, knn_standardised, linear])
def test_chance_is_the_share_of_the_commonest_test_class(probe):
    answers = torch.tensor([0, 1, 1, 1, 2, 2])
    x, y = blobs(40, 0)
    score = probe(x, y, x[:6], answers)
    assert score.chance == 0.5 and score.ceiling == 1


def test_separable_blobs_are_told_apart():
    x, y, queries, answers = *blobs(200, 0, 0.05), *blobs(100, 7, 0.05)
    assert linear(x, y, queries, answers).value == 1


def test_linear_is_scikit_learns_logistic_regression():
    x, y, queries, answers = *blobs(400, 0), *blobs(300, 7)
    x, queries = standardise(x.double(), queries.double())
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=10000).fit(x, y)
    head = softmax_regression(x, torch.nn.functional.one_hot(y).double())
    ours = (queries @ head.weight + head.bias).softmax(dim=1)
    numpy.testing.assert_allclose(ours.numpy(), theirs.predict_proba(queries), atol=1e-4)
    assert linear(x, y, queries, answers).value == pytest.approx(theirs.score(queries, answers))


def test_standardised_features_have_mean_0_and_variance_1():
    x, test = blobs(400, 0)[0], blobs(30, 1)[0]
    a, b = standardise(x, test)
    torch.testing.assert_close(a.mean(dim=0), torch.zeros(12), atol=1e-5, rtol=0)
    torch.testing.assert_close(a.var(dim=0, correction=0), torch.ones(12))
    norm = torch.nn.BatchNorm1d(12, affine=False, momentum=None)
    norm(x)
    torch.testing.assert_close(b, norm.eval()(test), atol=0.02, rtol=0.01)


def test_unlabelled_images_are_refused():
    x, y = blobs(10, 0)
    with pytest.raises(UserError, match="test_labels must .* drop those without"):
        linear(x, y, x, torch.where(y > 0, y, -1))


X, Y = torch.ones(3, 4), torch.arange(3)
MISFITS = {
    "train must be a tensor of floats .n, D.*got ndarray.*from_numpy": (X.numpy(), Y, X, Y),
    "test must be a tensor of floats.*got float32 .2, 3, 4.: pool": (X, Y, torch.ones(2, 3, 4), Y),
    "test must be a tensor of floats.*got int64 .3, 4.": (X, Y, X.long(), Y),
    "train must be finite, but has nan or inf": (X / 0, Y, X, Y),
    "train_labels must be a tensor of 3 whole numbers.*got int64 .2.": (X, Y[:2], X, Y),
    "test_labels must be .* got float32 .3.": (X, Y, X, Y.float()),
    "test_labels must be .* got list": (X, Y, X, [0, 1, 2]),
    "features of 4 numbers and test of 2: take both from one layer": (X, Y, X[:, :2], Y),
    "train_labels must .* drop those without a label": (X, Y - 1, X, Y),
}


@pytest.mark.parametrize("said", MISFITS)
def test_what_does_not_fit_together_is_refused_in_words(said):
    with pytest.raises(UserError, match=said):
        check_labelled(*MISFITS[said])


@pytest.mark.parametrize("probe", [knn, knn_standardised, linear])
def test_features_that_are_not_finite_have_no_score(probe):
    with pytest.raises(UserError, match="finite"):
        probe(X / 0, Y, X, Y)


# correspondence


def identity(n, size):
    return View(torch.zeros(n, 3, *size), torch.tensor([[0.0, 0, 1, 1]] * n), torch.zeros(n) > 0)


@pytest.mark.parametrize("alpha, chance", [(0.05, 0.0051), (0.1, 0.0241)])
def test_the_identity_warp_has_no_error_and_the_known_chance(alpha, chance):
    grid, size, view = (14, 14), (224, 224), identity(2, (224, 224))
    features = torch.randn(2, 196, 32, generator=rng())
    match = match_patches(view, view, grid)
    score = pck(features, features, match, grid, size, alpha)
    assert score.value == score.ceiling == 1 and score.chance == pytest.approx(chance, abs=5e-5)
    error = place_error(features, features, match, grid, size)
    assert error.value == error.ceiling == 0
    assert error.chance == pytest.approx(116.49, abs=0.01)  # as uniform attention's mean distance


def test_one_patch_takes_in_the_four_neighbours_and_no_diagonal():
    grid, size = (4, 6), (32, 48)
    match = match_patches(identity(1, size), identity(1, size), grid)
    score = pck(*torch.randn(2, 1, 24, 8), match, grid, size, one_patch(grid, size))
    pairs = 24 + 2 * (3 * 6 + 4 * 5)  # itself, and both ways across each inner edge
    assert score.chance == pytest.approx(pairs / 24**2)


def test_distance_is_in_pixels_of_an_oblong_view():
    grid, size = (2, 4), (20, 80)
    match = match_patches(identity(1, size), identity(1, size), grid)
    one_hot = torch.eye(8)[None]
    right, down = (one_hot.unflatten(1, grid).roll(1, dims=d).flatten(1, 2) for d in (2, 1))
    assert place_error(one_hot, down, match, grid, size).value == pytest.approx(10)
    assert place_error(one_hot, right, match, grid, size).value == pytest.approx((3 * 20 + 60) / 4)
    assert pck(one_hot, down, match, grid, size, 0.125).value == 1
    assert pck(one_hot, down, match, grid, size, 0.12).value == 0


def test_a_mirrored_view_matches_its_mirror_image():
    grid, size, view = (3, 5), (24, 40), identity(1, (24, 40))
    features = torch.randn(1, 15, 8, generator=rng())
    mirror = features.unflatten(1, grid).flip(2).flatten(1, 2)
    match = match_patches(view, view._replace(flip=~view.flip), grid)
    assert place_error(features, mirror, match, grid, size).value == pytest.approx(0, abs=1e-4)


def test_only_points_that_the_other_view_shows_count():
    grid, size = (1, 4), (8, 32)
    match = Match(patch_centres(grid)[None], torch.tensor([[True, True, False, False]]))
    wrong_outside = torch.eye(4)[[0, 1, 3, 2]][None]
    assert pck(torch.eye(4)[None], wrong_outside, match, grid, size, 0.1).value == 1
    with pytest.raises(UserError, match="no point.*overlap"):
        nowhere = Match(match.points, torch.zeros(1, 4) > 0)
        pck(torch.eye(4)[None], wrong_outside, nowhere, grid, size, 0.1)
    with pytest.raises(UserError, match="5 patches.*grid=.1, 4. has 4"):
        pck(torch.eye(5)[None], torch.eye(5)[None], match, grid, size, 0.1)


def test_matches_are_mutual_best_first_with_errors_in_pixels():
    grid, size = (1, 3), (8, 24)
    a = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0.9, 0.1, 0]])
    b = torch.tensor([[0, 0, 1.0], [1, 0, 0], [0.3, 1, 0]])
    match = match_patches(identity(1, size), identity(1, size), grid)
    found = mutual_matches(a, b, match, grid, size)
    assert found.a.tolist() == [0, 1] and found.b.tolist() == [1, 2]
    assert found.error.tolist() == pytest.approx([8, 8])
    hidden = Match(match.points, torch.tensor([[False, True, True]]))
    assert mutual_matches(a, b, hidden, grid, size).error.isnan().tolist() == [True, False]


# segmentation


def test_region_shares_are_areas():
    masks = torch.randint(3, (2, 12, 18), generator=rng(), dtype=torch.uint8)
    masks[0, 0, 0] = 255
    shares = region_shares(masks, (3, 2), 3)
    part = masks[0, :4, :9]
    expected = [(part == c).float().mean().item() for c in range(3)]
    assert shares[0, 0].tolist() == pytest.approx(expected)
    assert shares[0, 0].sum() == pytest.approx(35 / 36) and shares[1].sum() == pytest.approx(6)


def test_region_shares_are_exact_where_a_patch_cuts_a_pixel():
    masks = torch.tensor([[[0, 1, 1]]], dtype=torch.uint8)
    shares = region_shares(masks, (1, 2), 2)  # patches of one and a half pixels
    torch.testing.assert_close(shares[0], torch.tensor([[2 / 3, 1 / 3], [0, 1]]))


def test_miou_is_scikit_learns():
    g = rng()
    truth, answer = torch.randint(5, (2, 1000), generator=g)
    truth[truth == 4] = 0
    counts = [(truth == answer) & (truth == c) for c in range(6)]
    counts += [truth == c for c in range(6)] + [answer == c for c in range(6)]
    ours = miou(torch.stack(counts).sum(dim=1).double())
    assert ours.item() == pytest.approx(jaccard_score(truth, answer, average="macro"))


def test_one_hot_features_of_whole_patches_give_every_pixel():
    halves = torch.zeros(40, 16, 16, dtype=torch.uint8)
    halves[:20, 8:] = 1  # the border lies between two patches
    halves[20:, :, 8:] = 1
    features = region_shares(halves, (4, 4), 2)
    score = segmentation(features, halves, features, halves, (4, 4))
    assert score.value == pytest.approx(score.ceiling, abs=0.01) and score.ceiling == 1


def test_the_ceiling_interpolates_between_patch_centres_and_leaves_void_out():
    steps = torch.rand(90, 2, 1, 1, generator=rng()).mul(12).sort(dim=1).values
    rows = (steps < torch.arange(12)).sum(dim=1).byte()  # regions 0, 1, 2 from left to right
    rows[:, :, 5] = 255
    logits = (region_shares(rows, (1, 4), 3) + 0.01).log().numpy()  # [90, 4, 3]
    centres, pixels = numpy.arange(4) * 3 + 1.5, numpy.arange(12) + 0.5
    fine = [[numpy.interp(pixels, centres, region) for region in image.T] for image in logits]
    truth, answer = rows.flatten().numpy(), numpy.argmax(fine, axis=1).ravel()
    expected = jaccard_score(truth[truth < 255], answer[truth < 255], average="macro")
    features = torch.randn(90, 4, 3, generator=rng())
    score = segmentation(features, rows, features, rows, (1, 4))
    assert score.ceiling == pytest.approx(expected, abs=5e-4)  # but for ties


def test_masks_are_scored_at_their_own_size_without_void():
    g = rng()
    masks = torch.randint(2, (30, 4, 4), generator=g, dtype=torch.uint8)
    masks[:, 0] = 255
    features = torch.randn(30, 1, 3, generator=g)
    score = segmentation(features, masks, features, masks, (1, 1))
    common = masks[:, 1:].float().mean().item()
    assert score.chance == pytest.approx(max(common, 1 - common) / 2)
    with pytest.raises(UserError, match="train masks have only void"):
        segmentation(features, torch.full_like(masks, 255), features, masks, (1, 1))


# spectrum


def test_rankme_counts_directions():
    q = torch.linalg.qr(torch.randn(64, 16, generator=rng(), dtype=torch.double))[0]
    assert rankme(q) == pytest.approx(16, rel=1e-4)
    assert rankme(q[:, :1] @ torch.randn(1, 16, dtype=torch.double)) == pytest.approx(1, abs=1e-4)
    assert rank_or_one(q) == rankme(q)


def test_zeros_have_no_rank_but_a_collapsed_network_is_measured():
    with pytest.raises(UserError, match="features are all 0"):
        rankme(torch.zeros(8, 4))
    assert rank_or_one(torch.zeros(8, 4)) == 1


def test_rankme_is_its_formula():
    x = torch.randn(50, 6, generator=rng()) * torch.tensor([9.0, 5, 3, 1, 0.5, 0.1]) + 2
    p = numpy.linalg.svd(x.double().numpy(), compute_uv=False)
    p = p / p.sum() + 1e-7
    assert rankme(x) == pytest.approx(numpy.exp(-(p * numpy.log(p)).sum()), rel=1e-10)


def test_effective_rank_ignores_the_mean():
    x = torch.randn(500, 6, generator=rng()) + 100
    v = numpy.linalg.eigvalsh(numpy.cov(x.double().numpy().T))
    v = v / v.sum()
    assert effective_rank(x) == pytest.approx(numpy.exp(-(v * numpy.log(v)).sum()), rel=1e-6)
    assert rankme(x) < 1.5


def test_spread_is_1_for_random_directions_and_0_for_one():
    x = torch.randn(4000, 32, generator=rng())
    assert spread(x) == pytest.approx(1, abs=0.01)
    assert spread(x[:1].expand(50, -1)) == pytest.approx(0, abs=1e-6)
    scaled = x * torch.rand(4000, 1, generator=rng(1)).add(0.1)
    assert spread(scaled) == pytest.approx(spread(x), rel=1e-5)


def test_collapse_is_said_in_words():
    x = torch.randn(200, 32, generator=rng())
    assert collapse(x) == ""
    assert "nearly the same for every image" in collapse(100 + x)
    line = x[:, :1] * torch.randn(32, generator=rng(1))
    assert "one direction" in collapse(line)
    assert "not finite" in collapse(x / 0)
