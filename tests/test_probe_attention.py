"""Measures of attention and outlier tokens: closed forms, scipy's lines, published values."""

import math

import numpy
import pytest
import torch
from probe_case import Case
from scipy.spatial.distance import cdist, jensenshannon
from scipy.special import rel_entr
from scipy.stats import entropy as scipy_entropy
from scipy.stats import median_abs_deviation
from sklearn.metrics import jaccard_score

from siamlab.component import UserError
from siamlab.probe.attention import (
    Profile,
    as_scores,
    distance,
    entropy,
    even_distance,
    head_similarity,
    nmi,
    over_patches,
    rollout_step,
)
from siamlab.probe.outliers import outlier_tokens
from siamlab.probe.saliency import saliency

GRID, WIDE = (14, 14), (3, 4)
N = WIDE[0] * WIDE[1]


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def random_attention(n, heads=3, patches=N, spread=1.0, seed=0):
    return (spread * torch.randn(n, heads, patches, patches, generator=rng(seed))).softmax(dim=-1)


def places(grid):
    return torch.cartesian_prod(*(torch.arange(n).double() for n in grid))


def gaussian(sigma, grid=GRID):
    """Each query looks at its own neighbourhood, [1, 1, N, N]."""
    squares = torch.cdist(places(grid), places(grid)).square()
    return (-squares / (2 * sigma**2)).softmax(dim=-1)[None, None]


def uniform(patches):
    return torch.full((1, 1, patches, patches), 1 / patches)


# cases for tests/test_probe_laws.py


def scored(name):
    """One head's score of a measure of each image's attention."""

    def probe(a):
        measures = distance(a, WIDE), entropy(a), nmi(a)
        profile = Profile(*(m[:, None] for m in measures), head_similarity(a)[:, None])
        found = getattr(as_scores(profile, WIDE, patch=1.0), name)
        return found[0] if name == "js" else found[0][0]

    return probe


def attentions(signal, n=80):
    return (random_attention(n, spread=0.5 + min(signal, 10.0)),)


def looks(signal, n=120, side=4):
    """Attention [n, heads, N] of which head 1 knows the object, as far as `signal` says; masks."""
    g = rng(1)
    size = torch.randint(4, 8, (n, 2), generator=g)
    low = (torch.rand(n, 2, generator=g) * (torch.tensor(WIDE) * side + 1 - size)).long()
    y, x = torch.arange(WIDE[0] * side)[:, None], torch.arange(WIDE[1] * side)[None]
    (top, left), (height, width) = low.T[..., None, None], size.T[..., None, None]
    inside = (y >= top) & (y < top + height) & (x >= left) & (x < left + width)
    cover = inside.double().unflatten(2, (-1, side)).unflatten(1, (-1, side)).mean(dim=(2, 4))
    best = best_choice(cover.flatten(1).numpy())  # [n, N]
    there = 0.61 * best / best.sum(1, keepdims=True) + 0.39 * ~best / (~best).sum(1, keepdims=True)
    noise = torch.randn(n, 3, N, generator=g).softmax(dim=-1)
    share = signal / (1 + signal) if signal < 100 else 1.0
    aware = (1 - share) * noise + share * torch.tensor(there).float()[:, None]
    aware[:, [0, 2]] = noise[:, [0, 2]]
    return aware, inside.byte() * torch.randint(1, 4, (n, 1, 1), generator=g).byte()


def best_choice(cover):
    """The patches of the best Jaccard index, of all 2^N choices among the largest covers."""
    order = numpy.argsort(-cover, axis=1)
    ranks = numpy.argsort(order, axis=1)
    options = numpy.stack([ranks < k for k in range(1, N + 1)])
    hit = (options * cover).sum(-1)
    union = cover.sum(-1) + (options * (1 - cover)).sum(-1)
    return options[(hit / union).argmax(axis=0), numpy.arange(len(cover))]


def by_mean(a, masks, **chunk):
    """Score of the one head that knows: a mean over heads has no ceiling that noise can reach."""
    return saliency(a[:, 1:2], masks, WIDE, **chunk).mean


def by_best(a, masks, **chunk):
    return saliency(a, masks, WIDE, **chunk).best


def tokens(signal, n=100, width=16):
    """Gaussian tokens, 2 % of which (as `signal` is above 0) have eight times the norm."""
    patches = torch.randn(n, 25, width, generator=rng(2))
    planted = torch.rand(n, 25, generator=rng(3)) < 0.02
    return (patches * torch.where(planted, 1 + 7 * min(signal, 1.0), 1.0)[..., None],)


def by_outliers(patches):
    return outlier_tokens(patches).share


DESCRIPTION = dict(chance=False, ceiling=False)
CASES: dict[str, Case] = {
    "attention_distance": Case(
        scored("distance"), attentions, most=math.hypot(2, 3), ceiling=False
    ),
    "attention_entropy": Case(scored("entropy"), attentions, most=math.log(N), **DESCRIPTION),
    "attention_nmi": Case(scored("nmi"), attentions, **DESCRIPTION),
    "head_similarity": Case(scored("js"), attentions, most=math.log(2), **DESCRIPTION),
    "saliency": Case(by_mean, looks, chunked=True),
    "saliency_best": Case(by_best, looks, chunked=True),
    "outlier_tokens": Case(
        by_outliers, tokens, most=0.5, unchanged=("scale", "rotation"), **DESCRIPTION
    ),
}


# distance, entropy, information


@pytest.mark.parametrize(
    "sigma, far, nats, shared",
    [(1.0, 1.152, 2.640, 0.4993), (2.0, 2.292, 3.819, 0.2752), (4.0, 4.197, 4.783, 0.0905)],
)
def test_gaussian_rows_have_the_published_values(sigma, far, nats, shared):
    a = gaussian(sigma)
    assert distance(a, GRID).item() == pytest.approx(far, abs=5e-4)
    assert entropy(a).item() == pytest.approx(nats, abs=5e-4)
    assert nmi(a).item() == pytest.approx(shared, abs=5e-5)


def test_uniform_attention():
    a = uniform(196)
    assert distance(a, GRID).item() == pytest.approx(7.2808, abs=5e-5)
    assert 16 * even_distance(GRID) == pytest.approx(116.49, abs=5e-3)
    assert entropy(a).item() == pytest.approx(math.log(196), abs=1e-4)
    assert nmi(a).item() == pytest.approx(0, abs=1e-5)


def test_each_patch_at_itself():
    a = torch.eye(196)[None, None]
    assert distance(a, GRID).item() == entropy(a).item() == 0
    assert nmi(a).item() == pytest.approx(1, abs=1e-6)


def test_all_queries_at_one_patch_share_nothing():
    a = torch.eye(N)[:1].expand(1, 1, N, N)
    assert nmi(a).item() == entropy(a).item() == 0
    assert nmi(torch.ones(1, 1, 1, 1)).item() == 0


def test_distance_on_a_grid_that_is_not_square():
    a = random_attention(2)
    apart = cdist(places(WIDE), places(WIDE))
    expected = (a.numpy() * apart).sum(-1).mean(-1)
    assert distance(a, WIDE).numpy() == pytest.approx(expected, abs=1e-5)
    assert even_distance(WIDE) == pytest.approx(apart.mean(), abs=1e-6)


def test_information_is_the_divergence_from_independence():
    a = random_attention(1, heads=2, spread=2.0)
    for head, found in zip(a[0].double().numpy(), nmi(a)[0], strict=True):
        joint, keys = head / N, head.mean(axis=0)
        shared = rel_entr(joint, numpy.outer(joint.sum(axis=1), keys)).sum()
        assert found.item() == pytest.approx(shared / (math.log(N) * scipy_entropy(keys)) ** 0.5)


def test_prefix_tokens_are_dropped_and_rows_are_whole():
    matrix = random_attention(2, patches=N + 5)
    a = over_patches(matrix, 5)
    expected = matrix[..., 5:, 5:] / matrix[..., 5:, 5:].sum(dim=-1, keepdim=True)
    torch.testing.assert_close(a, expected)
    assert torch.equal(
        over_patches(torch.eye(4)[None, None].roll(1, -1), 1)[0, 0, 2], torch.zeros(3)
    )


def test_rows_that_are_not_whole_are_refused():
    matrix = random_attention(2, patches=N + 1)
    for measure in (entropy, nmi, head_similarity, lambda a: distance(a, WIDE)):
        with pytest.raises(
            UserError, match="rows must sum to 1, but one is off by .* over_patches"
        ):
            measure(matrix[..., 1:, 1:])
    with pytest.raises(UserError, match="over 13 patches, but grid=.3, 4. has 12"):
        distance(matrix, WIDE)


# between heads


def test_divergence_of_heads_is_scipys():
    a = random_attention(2, heads=4, spread=2.0)
    pairs = [(i, j) for i in range(4) for j in range(i)]
    each = [jensenshannon(a[:, i].double(), a[:, j].double(), axis=-1) ** 2 for i, j in pairs]
    assert head_similarity(a).numpy() == pytest.approx(numpy.mean(each, axis=(0, 2)), abs=1e-5)


def test_ends_of_the_divergence_of_heads():
    same = random_attention(1, heads=1).expand(-1, 5, -1, -1)
    assert head_similarity(same).item() == pytest.approx(0, abs=1e-6)
    assert head_similarity(same[:, :1]).item() == 0
    apart = torch.stack([torch.eye(N), torch.eye(N).roll(1, 0)])[None]
    assert head_similarity(apart).item() == pytest.approx(math.log(2), abs=1e-6)


# rollout


def test_rollout_of_the_identity_is_the_identity():
    eye = torch.eye(6).expand(2, -1, -1)
    assert torch.equal(rollout_step(rollout_step(eye, eye), eye), eye)


def test_rollout_is_a_product_from_the_left_of_normalised_rows():
    first, second = random_attention(2, heads=2, spread=3.0).unbind(dim=1)
    found = rollout_step(rollout_step(torch.eye(N).expand_as(first), first), second)
    one, two = (0.5 * (a.double().numpy() + numpy.eye(N)) for a in (first, second))
    assert found.numpy() == pytest.approx(two @ one, abs=1e-6)
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(2, N))
    assert (found.sum(dim=-2) - 1).abs().max() > 0.1  # rows, not columns


# scores


def test_scores_are_means_over_images_in_pixels():
    a = torch.stack([random_attention(30, seed=s) for s in range(2)], dim=1)  # [n, L, heads, N, N]
    by_layer = [a[:, i] for i in range(2)]
    measures = [
        torch.stack([m(x) for x in by_layer], dim=1)
        for m in (lambda x: distance(x, WIDE), entropy, nmi, head_similarity)
    ]
    found = as_scores(Profile(*measures), WIDE, patch=8.0)
    apart = cdist(places(WIDE), places(WIDE))
    expected = 8 * (a[:, 1, 2].numpy() * apart).sum(-1).mean()
    score = found.distance[1][2]
    assert score.value == pytest.approx(expected, rel=1e-5)
    assert score.chance == pytest.approx(8 * apart.mean(), rel=1e-6)
    assert (score.unit, score.direction) == ("pixels", "neither")
    error = measures[0][:, 1, 2].std().item() * 8 / 30**0.5  # the interval of a mean
    assert score.high - score.low == pytest.approx(2 * 1.96 * error, rel=0.15)
    units = [score.unit for score in (found.entropy[0][0], found.nmi[0][0], found.js[0])]
    assert units == ["nats", "share", "nats"]
    assert found.entropy[0][0].chance == pytest.approx(math.log(N))
    assert found.js[1].value == pytest.approx(measures[3][:, 1].mean().item())
    assert [len(heads) for heads in found.nmi] == [3, 3] and math.isnan(found.nmi[0][0].ceiling)


def test_scores_draw_groups_together():
    values = torch.randn(20, 1, 1, generator=rng()).repeat_interleave(4, dim=0).abs()
    profile = Profile(values, values, values, values[..., 0])
    pairs = torch.arange(20).repeat_interleave(4)
    loose, together = (as_scores(profile, WIDE, 1.0, g).js[0] for g in (None, pairs))
    assert together.high - together.low > 1.5 * (loose.high - loose.low)


# saliency


def pixels(picked):
    """A choice of patches [N] at 4 × 4 pixels a patch."""
    return picked.view(WIDE).repeat_interleave(4, 0).repeat_interleave(4, 1)


def test_saliency_is_scikit_learns_jaccard_at_mask_size():
    a, masks = looks(1.0, n=10)
    found = saliency(a, masks, WIDE)
    each = []
    for row, mask in zip(a[:, 0], masks, strict=True):
        picked, held = torch.zeros(N, dtype=torch.bool), 0.0
        while held < 0.6:
            best = row.where(~picked, -1).argmax()
            picked[best], held = True, held + row[best].item()
        each.append(jaccard_score((mask > 0).flatten(), pixels(picked).flatten()))
    assert found.each[0].value == pytest.approx(numpy.mean(each), abs=1e-6)
    heads = [score.value for score in found.each]
    assert found.mean.value == pytest.approx(numpy.mean(heads)) and len(heads) == 3
    assert found.best.value == pytest.approx(max(heads)) == heads[1]


def test_saliency_takes_attention_of_any_precision():
    a, masks = looks(1.0, n=10)
    found = [saliency(a.to(kind), masks, WIDE).mean.value for kind in (torch.float, torch.double)]
    assert found[0] == pytest.approx(found[1])


def test_even_attention_takes_just_enough_patches():
    even = torch.full((2, 1, 10), 0.1)
    masks = torch.zeros(2, 4, 10, dtype=torch.uint8)
    masks[:, :, :6] = 1
    assert saliency(even, masks, (1, 10), mass=0.6).mean.value == 1  # six of ten, not seven
    assert saliency(even, masks, (1, 10), mass=0.61).mean.value == pytest.approx(6 / 7)
    assert saliency(even, masks, (1, 10), mass=1.0).mean.value == pytest.approx(0.6)


def test_ceiling_is_the_best_of_all_choices_of_patches():
    masks = looks(0.0, n=2)[1]
    masks[:, :2, :7] = 255
    choices = (torch.arange(2**N)[:, None] >> torch.arange(N)) % 2 == 1  # [2^N, N]
    best = []
    for mask in masks:
        cut = [mask.eq(0), mask.gt(0) & mask.lt(255)]
        ground, thing = (
            part.double().view(WIDE[0], 4, WIDE[1], 4).sum(dim=(1, 3)).flatten() for part in cut
        )
        hit, extra = choices.double() @ thing, choices.double() @ ground
        best.append((hit / (thing.sum() + extra)).max().item())
    even = torch.full((2, 1, N), 1 / N)
    assert saliency(even, masks, WIDE).mean.ceiling == pytest.approx(numpy.mean(best), abs=1e-6)


def test_chance_is_that_of_as_many_random_patches():
    a, masks = looks(1000.0, n=6)
    found, g = saliency(a, masks, WIDE), numpy.random.default_rng(0)
    each = []
    for row, mask in zip(a[:, 1], masks, strict=True):
        ranked = row.sort(descending=True).values.cumsum(0)
        count = int((ranked < 0.6).sum()) + 1
        cover = (mask > 0).double().view(WIDE[0], 4, WIDE[1], 4).sum(dim=(1, 3)).flatten().numpy()
        hits = numpy.array([g.permutation(cover)[:count].sum() for _ in range(4000)])
        each.append((hits / (cover.sum() + 16 * count - hits)).mean())
    assert found.each[1].chance == pytest.approx(numpy.mean(each), abs=0.02)
    assert found.each[1].value > 0.4  # far from chance: the shuffle matters


def test_pixels_that_are_void_and_images_without_an_object_do_not_count():
    a, masks = looks(1.0, n=20)
    part = saliency(a[:12], masks[:12], WIDE).each[1]
    masks[12:] = 0
    masks[15:, 2:] = 255
    whole = saliency(a, masks, WIDE).each[1]
    assert whole.value == pytest.approx(part.value) and whole.ceiling == pytest.approx(part.ceiling)
    half = torch.zeros(2, 4, 10, dtype=torch.uint8)
    half[:, :, :6], half[:, :, 6:] = 1, 255
    assert saliency(torch.full((2, 1, 10), 0.1), half, (1, 10), mass=0.9).mean.value == 1


def test_the_best_head_of_noise_is_not_flattered():
    a = torch.randn(300, 40, N, generator=rng()).softmax(dim=-1)
    masks = looks(0.0, n=300)[1]
    found = saliency(a, masks, WIDE)
    assert found.best.low < found.best.chance < found.best.high
    assert max(score.value for score in found.each) > found.best.high  # the flattered one


def test_the_best_head_is_picked_on_other_groups():
    """Two copies of each image: picked on one copy, the best head would know the other."""
    a = torch.randn(15, 60, N, generator=rng()).softmax(dim=-1).repeat_interleave(2, dim=0)
    masks = looks(0.0, n=15)[1].repeat_interleave(2, dim=0)
    groups = torch.arange(15).repeat_interleave(2)
    alone, together = (saliency(a, masks, WIDE, groups=g).best.value for g in (None, groups))
    assert alone > together + 0.03


def test_saliency_says_what_it_needs():
    a, masks = looks(1.0, n=4)
    with pytest.raises(UserError, match="over 12 patches, but grid=.3, 5. has 15"):
        saliency(a, masks, (3, 5))
    with pytest.raises(UserError, match="mass=1.5 must be above 0, at most 1"):
        saliency(a, masks, WIDE, mass=1.5)
    with pytest.raises(UserError, match="object in 0 images .* must in 2 or more"):
        saliency(a, masks * 0, WIDE)
    with pytest.raises(UserError, match="object in 1 images"):
        saliency(a, masks, WIDE, groups=torch.zeros(4, dtype=torch.long))


# outliers


@pytest.mark.parametrize("width", [16, 192, 768])
def test_a_cloud_with_one_mode_has_no_outliers(width):
    found = outlier_tokens(torch.randn(200, 49, width, generator=rng()))
    assert found.share.value == 0 and (found.norms < found.threshold).all()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
def test_planted_outliers_are_found_exactly(scale):
    patches = torch.randn(100, 50, 64, generator=rng())
    planted = torch.zeros(5000, dtype=torch.bool)
    planted[torch.randperm(5000, generator=rng(1))[:100]] = True  # 2 %
    planted = planted.view(100, 50)
    found = outlier_tokens(scale * patches * torch.where(planted, 5.0, 1.0)[..., None])
    assert torch.equal(found.norms > found.threshold, planted)
    assert found.share.value == pytest.approx(0.02) and found.share.direction == "lower"
    assert found.share.low < 0.02 < found.share.high


def test_norms_that_hardly_vary_have_no_outliers():
    patches = torch.nn.functional.normalize(torch.randn(50, 20, 8, generator=rng()), dim=-1)
    assert outlier_tokens(patches).share.value == 0
    patches[0, 0] *= 1.9
    assert outlier_tokens(patches).share.value == 0
    patches[0, 0] *= 2
    assert outlier_tokens(patches).share.value == pytest.approx(1 / 1000)


def test_threshold_is_five_deviations_above_the_median_log_norm():
    patches = torch.randn(33, 25, 3, generator=rng()).double()
    logs = numpy.log(numpy.linalg.norm(patches.numpy(), axis=-1).ravel())
    limit = numpy.median(logs) + 5 * median_abs_deviation(logs, scale="normal")
    assert outlier_tokens(patches).threshold == pytest.approx(math.exp(limit), rel=1e-4)


def test_norms_are_numpys():
    patches = torch.randn(3, 5, 7, generator=rng())
    found = outlier_tokens(patches)
    assert found.norms.numpy() == pytest.approx(numpy.linalg.norm(patches.numpy(), axis=-1))
    nothing = outlier_tokens(torch.zeros(3, 5, 7))
    assert nothing.share.value == 0 and math.isfinite(nothing.threshold)
