"""Laws that every probe obeys, whatever it measures: a function of arrays and nothing else."""

import pytest
import test_fourier
import test_probe_attention
import test_probe_semantic
import test_probe_spatial
import torch
from probe_case import Case

from siamlab.geometry import View, match_patches, patch_centres
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
    match = match_patches(a, b, GRID)
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


ROTATED = ("scale", "rotation")
CASES: dict[str, Case] = {
    "knn": Case(knn, images, chunked=True, unchanged=ROTATED),
    "knn_standardised": Case(knn_standardised, images, unchanged=("scale", "shift")),
    "linear": Case(linear, images, unchanged=("scale", "shift")),
    "correspondence": Case(by_pck, views, chunked=True, unchanged=ROTATED),
    "place_error": Case(by_error, views, chunked=True, most=40.0, unchanged=ROTATED),
    "segmentation": Case(by_regions, scenes, chunked=True, unchanged=("scale", "shift")),
    **test_probe_semantic.CASES,
    **test_probe_spatial.CASES,
    **test_probe_attention.CASES,
    **test_fourier.CASES,
}
EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
CHUNKED = [name for name, case in CASES.items() if case.chunked]
SAME = [(name, change) for name, case in CASES.items() for change in case.unchanged]
NOISE, SOME, ALL = 0.0, 1.0, 1000.0


def flat(arrays):
    """The tensors among the arguments, those of a Match too."""
    parts = (a if isinstance(a, tuple) else (a,) for a in arrays)
    return [t for part in parts for t in part if isinstance(t, torch.Tensor)]


def each(function, arrays):
    def one(a):
        if isinstance(a, tuple):
            return type(a)(*map(one, a)) if hasattr(a, "_fields") else a
        return function(a) if isinstance(a, torch.Tensor) else a

    return [one(a) for a in arrays]


def features(t, case):
    """The array is one of features, not of places, shares or labels."""
    return t.is_floating_point() and t.shape[-1] == case.width and t.ndim > 1


@EVERY
def test_the_input_is_left_alone(case):
    arrays = case.draw(SOME)
    before = [t.clone() for t in flat(arrays)]
    case.probe(*arrays)
    assert all(torch.equal(x, y) for x, y in zip(before, flat(arrays), strict=True))


@EVERY
def test_the_same_input_gives_the_same_score(case):
    one, two = case.probe(*case.draw(SOME)), case.probe(*case.draw(SOME))
    assert one[:3] == two[:3] and torch.equal(one.draws, two.draws)


@pytest.mark.parametrize("name", CHUNKED)
@pytest.mark.parametrize("chunk", [1, 7])
def test_in_chunks_as_in_one_piece(name, chunk):
    case = CASES[name]
    arrays = case.draw(SOME)
    found, whole = case.probe(*arrays, chunk=chunk), case.probe(*arrays)
    assert found[:5] == pytest.approx(whole[:5], abs=1e-6, nan_ok=True)


@EVERY
def test_the_order_of_the_images_does_not_matter(case):
    arrays = case.draw(SOME)
    orders = {n: torch.randperm(n, generator=rng(5)) for n in {len(t) for t in flat(arrays)}}
    mixed = case.probe(*each(lambda t: t[orders[len(t)]], arrays))
    score = case.probe(*arrays)
    for key in ("value", "chance", "ceiling"):
        wanted = pytest.approx(getattr(score, key), abs=case.tolerance, nan_ok=True)
        assert getattr(mixed, key) == wanted, key


@pytest.mark.parametrize("name, change", SAME)
def test_what_is_said_to_change_nothing_changes_nothing(name, change):
    case = CASES[name]
    arrays = case.draw(SOME)
    turn = torch.linalg.qr(torch.randn(case.width, case.width, generator=rng(3)))[0]
    away = 5 * torch.randn(case.width, generator=rng(4))
    changed = {
        "scale": lambda t: t * 8,
        "rotation": lambda t: t @ turn,
        "shift": lambda t: t + away,
    }
    other = each(lambda t: changed[change](t) if features(t, case) else t, arrays)
    assert any(features(t, case) for t in flat(arrays))
    assert case.probe(*other).value == pytest.approx(case.probe(*arrays).value, abs=case.tolerance)


@EVERY
@pytest.mark.parametrize("signal", [NOISE, SOME, ALL])
def test_the_value_is_in_its_range_and_in_its_interval(case, signal):
    score = case.probe(*case.draw(signal))
    rounding = 1e-6 * max(1.0, abs(score.value))
    assert case.least - rounding <= score.value <= case.most + rounding
    assert score.low - rounding <= score.value <= score.high + rounding
    assert score.draws.shape == (1000,) and score.draws.isfinite().all()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.chance])
def test_noise_is_at_chance(name):
    score = CASES[name].probe(*CASES[name].draw(NOISE))
    room = 0.02 if score.ceiling != score.ceiling else 0.03 * abs(score.ceiling - score.chance)
    assert score.low - room <= score.chance <= score.high + room


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.ceiling])
def test_features_that_tell_reach_the_ceiling(name):
    score = CASES[name].probe(*CASES[name].draw(ALL))
    span = abs(score.ceiling - (score.chance if score.chance == score.chance else 1.0))
    assert score.value == pytest.approx(score.ceiling, abs=0.1 * span)
