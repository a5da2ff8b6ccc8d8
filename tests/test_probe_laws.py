"""Laws that every probe of features obeys: a probe is a function of arrays and nothing else."""

import pytest
import torch

from siamlab.geometry import Match, View, correspondence, patch_centres
from siamlab.probe.correspondence import correspondence as pck
from siamlab.probe.correspondence import one_patch, place_error
from siamlab.probe.knn import knn, knn_standardised
from siamlab.probe.linear import linear
from siamlab.probe.segmentation import region_shares, segmentation

GRID, SIZE, CLASSES, WIDTH = (3, 4), (24, 32), 4, 16
N = GRID[0] * GRID[1]


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def labelled(n, signal, seed):
    """Features [n, D] whose first dimensions say the class, as far as `signal` beats the noise."""
    g = rng(seed)
    labels = torch.arange(n) % CLASSES
    return signal * torch.eye(CLASSES, WIDTH)[labels] + torch.randn(n, WIDTH, generator=g), labels


def images(signal, seed=1):
    return *labelled(200, signal, seed), *labelled(400, signal, seed + 1)


def views(signal, n=60, seed=1):
    """Features of two views under a real warp; those of a place agree as `signal` says."""
    g = rng(seed)
    box = torch.rand(2, n, 4, generator=g) * 0.3 + torch.tensor([0, 0, 0.4, 0.4])
    flip = torch.rand(2, n, generator=g) < 0.5
    a, b = (View(torch.zeros(n, 3, *SIZE), box[i], flip[i]) for i in range(2))
    match = correspondence(a, b, GRID)
    there = torch.randn(n, N, WIDTH, generator=g)
    away = (match.points[:, :, None] - patch_centres(GRID)).mul(torch.tensor(SIZE)).norm(dim=-1)
    here = there.gather(1, away.argmin(dim=2)[..., None].expand(-1, -1, WIDTH))
    return signal * here + torch.randn(n, N, WIDTH, generator=g), there, match


def scenes(signal, seed=1, n=250):
    """Patch features that hold the log shares of regions; masks of one rectangle, and void."""
    g = rng(seed)
    size = torch.randint(8, 16, (n, 2), generator=g)
    low = (torch.rand(n, 2, generator=g) * (torch.tensor(SIZE) - size)).long()
    y, x = torch.arange(SIZE[0])[:, None], torch.arange(SIZE[1])[None]
    (top, left), (height, width) = low.T[..., None, None], size.T[..., None, None]
    inside = (y >= top) & (y < top + height) & (x >= left) & (x < left + width)
    masks = (inside * torch.randint(1, CLASSES, (n, 1, 1), generator=g)).byte()
    masks[:, :2] = 255
    shares = (region_shares(masks, GRID, CLASSES) + 0.01).log()
    features = torch.cat([signal * shares, torch.zeros(n, N, WIDTH - CLASSES)], dim=2)
    features = features + (signal < 100) * torch.randn(n, N, WIDTH, generator=g)
    return features[:100], masks[:100], features[100:], masks[100:]


def by_pck(a, b, match, **chunk):
    return pck(a, b, match, GRID, SIZE, one_patch(GRID, SIZE), **chunk)


def by_error(a, b, match, **chunk):
    return place_error(a, b, match, GRID, SIZE, **chunk)


def by_regions(*arrays, **chunk):
    return segmentation(*arrays, GRID, **chunk)


PROBES = {
    "knn": (knn, images),
    "knn_standardised": (knn_standardised, images),
    "linear": (linear, images),
    "pck": (by_pck, views),
    "place_error": (by_error, views),
    "segmentation": (by_regions, scenes),
}
CHUNKED = ["knn", "pck", "place_error", "segmentation"]
EVERY = pytest.mark.parametrize("name", PROBES)
NOISE, SOME, ALL = 0.0, 1.0, 1000.0


def flat(arrays):
    return [t for a in arrays for t in (a if isinstance(a, Match) else (a,))]


def each(function, arrays):
    return [Match(*map(function, a)) if isinstance(a, Match) else function(a) for a in arrays]


@EVERY
def test_the_input_is_left_alone(name):
    probe, draw = PROBES[name]
    arrays = draw(SOME)
    before = [t.clone() for t in flat(arrays)]
    probe(*arrays)
    assert all(torch.equal(x, y) for x, y in zip(before, flat(arrays), strict=True))


@EVERY
def test_the_same_input_gives_the_same_score(name):
    probe, draw = PROBES[name]
    one, two = probe(*draw(SOME)), probe(*draw(SOME))
    assert one[:7] == two[:7] and torch.equal(one.draws, two.draws)


@pytest.mark.parametrize("name", CHUNKED)
@pytest.mark.parametrize("chunk", [1, 7])
def test_in_chunks_as_in_one_piece(name, chunk):
    probe, draw = PROBES[name]
    arrays = draw(SOME)
    assert probe(*arrays, chunk=chunk)[:5] == pytest.approx(probe(*arrays)[:5], abs=1e-6)


@EVERY
def test_the_order_of_the_images_does_not_matter(name):
    probe, draw = PROBES[name]
    arrays = draw(SOME)
    orders = {n: torch.randperm(n, generator=rng(5)) for n in {len(t) for t in flat(arrays)}}
    mixed = probe(*each(lambda t: t[orders[len(t)]], arrays))
    score = probe(*arrays)
    for key in ("value", "chance", "ceiling"):
        assert getattr(mixed, key) == pytest.approx(getattr(score, key), abs=3e-3)


@EVERY
def test_the_scale_of_the_features_does_not_matter(name):
    probe, draw = PROBES[name]
    arrays = draw(SOME)
    larger = each(lambda t: t * 8 if t.dtype == torch.float and t.shape[-1] == WIDTH else t, arrays)
    assert probe(*larger).value == pytest.approx(probe(*arrays).value, abs=3e-3)


@EVERY
def test_the_interval_holds_the_value_and_the_range_holds_both(name):
    probe, draw = PROBES[name]
    score = probe(*draw(SOME))
    worst = 0.0 if (score.direction == "higher") else float("inf")
    least, most = sorted([worst, 1.0 if (score.direction == "higher") else 0.0])
    assert least <= score.low < score.value < score.high <= most
    assert score.draws.shape == (1000,) and score.draws.isfinite().all()


@EVERY
def test_random_features_are_at_chance(name):
    probe, draw = PROBES[name]
    score = probe(*draw(NOISE))
    assert score.low - 0.02 <= score.chance <= score.high + 0.02
    assert abs(score.value - score.chance) < 0.1 * abs(score.ceiling - score.chance)


@EVERY
def test_features_that_tell_reach_the_ceiling(name):
    probe, draw = PROBES[name]
    score = probe(*draw(ALL))
    assert score.value == pytest.approx(score.ceiling, abs=0.1 * abs(score.chance - score.ceiling))


@EVERY
def test_more_signal_scores_better(name):
    probe, draw = PROBES[name]
    weak, strong = (probe(*draw(signal)) for signal in (0.2, 2.0))
    assert (strong.value > weak.value) == (strong.direction == "higher")
