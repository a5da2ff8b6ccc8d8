"""Position decoding: do features encode where in the image a patch lies, and how?

raw, centred, null = position(train, test, grid)        # patch features
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from siamlab.component import UserError
from siamlab.geometry import Grid, patch_centres
from siamlab.machine.arguments import typed
from siamlab.probe.catalogue import Doc, Probe, add_probe
from siamlab.probe.checks import check_patches, check_width
from siamlab.probe.linear import EPS
from siamlab.probe.score import Groups, Reading, Score, bootstrap, ratio

if TYPE_CHECKING:
    from siamlab.probe.suite.bench import Extracted

DECODER = "ridge on standardised features and their absolute values"
RIDGE = 0.01  # penalty on the squared weights, added to the mean squared error
BLOCK = 2**24  # numbers in memory at once


class Position(NamedTuple):
    """R² of the decoded places."""

    raw: Score  # from the features
    centred: Score  # from the features less each position's mean: without position embeddings
    null: Score  # from the features, of places shuffled within each image


class Regressors(NamedTuple):
    """The regressors of a patch: its standardised feature, the absolute values of that, and 1."""

    shift: Float[Tensor, "_ D"]  # one per position, or one for all
    scale: Float[Tensor, " D"]  # to variance 1

    def __call__(self, patches: Float[Tensor, "c N D"]) -> Float[Tensor, "c N F"]:
        x = (patches.double() - self.shift) * self.scale
        return torch.cat([x, x.abs(), torch.ones_like(x[..., :1])], dim=-1)


@typed
def position(
    train: Float[Tensor, "n N D"],
    test: Float[Tensor, "m N D"],
    grid: Grid,
    groups: Groups = None,
    ridge: float = RIDGE,
    seed: int = 0,
) -> Position:
    """R² of row and column, as fractions −½..½, decoded from patch features of test images.

    At most 1, higher is better: 1 exact, 0 no better than the middle (lower if the fit learns
    noise, as `null` shows, which is the chance level of the others). `centred`: the features less
    the training images' mean of each position. What is the same in all images (position embeddings)
    then has no effect; content has if it varies more at some places than at others, and may then
    decode better than before. A linear map could not see that: after centring, all features are
    uncorrelated with places. All three are therefore ridge regressions on the standardised features
    and their absolute values; `seed` draws the shuffles. Unchanged when dimensions are shifted or
    scaled in the same way in both arrays. Cost:
    8 n · N · D² multiplications in float64.
    """
    _check(train, test, grid, ridge)
    rng = Generator().manual_seed(seed)
    overall, within = _regressors(train)
    learned, asked = (_places(len(x), grid, rng).to(x.device) for x in (train, test))  # [_, N, 4]
    raw = _errors(_fitted(overall, train, learned, ridge), overall, test, asked)  # [m, 4]
    own = _fitted(within, train, learned[..., :2], ridge)
    centred = _errors(own, within, test, asked[..., :2])  # [m, 2]
    null = _score(raw[:, 2:], asked, 0.0, groups)
    return Position(
        _score(raw[:, :2], asked, null.value, groups),
        _score(centred, asked, null.value, groups),
        null,
    )


def _measured(x: "Extracted") -> Iterator[Reading]:
    scores = position(x.train.patches, x.test.patches, x.test.grid, x.groups)
    for name, score in scores._asdict().items():
        key = "position" if name == "raw" else f"position_{name}"
        yield x.reading(key, score, classifier=DECODER)


add_probe(
    Probe("position", "Position decoding", "spatial", "R²", "higher", _measured,
          Doc("`position`", "R² of row and column, decoded from a patch's feature", "≤ 1"),
          ceiling=1.0),
    Probe("position_centred", "Position decoding without position means", "spatial", "R²", "higher",
          _measured,
          Doc("`position`", "the same after the mean feature of each position is subtracted: what "
              "content reveals about position beyond the mean, so that only a low value is "
              "conclusive", "≤ 1"), ceiling=1.0),
    Probe("position_null", "Position decoding, shuffled", "spatial", "R²", "higher", _measured,
          Doc("`position`", "the same for places shuffled within each image", "≤ 1"),
          chance=0.0, ceiling=1.0),
)  # fmt: skip


def _regressors(train: Float[Tensor, "n N D"]) -> tuple[Regressors, Regressors]:
    """Regressors standardised over all patches, and about the mean of each position."""
    variance, mean = (t.double() for t in torch.var_mean(train, dim=0, correction=0))  # [N, D]
    within, between = variance.mean(dim=0), mean.var(dim=0, correction=0)
    overall = Regressors(mean.mean(dim=0, keepdim=True), (within + between + EPS).rsqrt())
    return overall, Regressors(mean, (within + EPS).rsqrt())


def _places(n: int, grid: Grid, rng: Generator) -> Float[Tensor, "n N 4"]:
    """Row and column of each patch of n images, and of a random patch of the same image."""
    place = patch_centres(grid).double() - 0.5  # [N, 2]
    order = torch.rand(n, len(place), generator=rng).argsort(dim=1)
    return torch.cat([place.expand(n, -1, -1), place[order]], dim=2)


def _fitted(
    regressors: Regressors,
    train: Float[Tensor, "n N D"],
    targets: Float[Tensor, "n N T"],
    ridge: float,
) -> Float[Tensor, "F T"]:
    """Weights that minimise mean squared error + ridge · ‖weight‖², the constant unpenalised."""
    gram, goal = 0.0, 0.0
    for part, target in _blocks(train, targets):
        x = regressors(part).flatten(0, 1)  # [c N, F]
        gram, goal = gram + x.T @ x, goal + x.T @ target.flatten(0, 1)
    total = train.shape[0] * train.shape[1]
    penalty = torch.full_like(gram[0], ridge)
    penalty[-1] = 0
    return torch.linalg.solve(gram / total + penalty.diag(), goal / total)


def _errors(
    weight: Float[Tensor, "F T"],
    regressors: Regressors,
    test: Float[Tensor, "m N D"],
    targets: Float[Tensor, "m N T"],
) -> Float[Tensor, "m T"]:
    """Sum of squared errors over the patches of each image."""
    parts = (regressors(x) @ weight - y for x, y in _blocks(test, targets))
    return torch.cat([wrong.square().sum(dim=1) for wrong in parts])


def _blocks(patches: Tensor, targets: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield blocks of images with their targets."""
    size = max(1, BLOCK // (2 * patches[0].numel()))
    return zip(patches.split(size), targets.split(size), strict=True)


def _score(
    errors: Float[Tensor, "m 2"], places: Float[Tensor, "m N 4"], chance: float, groups: Groups
) -> Score:
    """1 − squared errors / squared places, whose mean is 0."""
    spread = places[..., :2].square().sum(dim=(1, 2))
    terms = torch.stack([errors.sum(dim=1), spread], dim=1)
    return bootstrap(terms, lambda sums: 1 - ratio(sums), chance, 1.0, "R²", groups=groups)


def _check(train: Tensor, test: Tensor, grid: Grid, ridge: float) -> None:
    for name, x in [("train", train), ("test", test)]:
        check_patches(f"{name} features", x, grid)
    check_width("train", train, "test", test)
    if grid[0] * grid[1] < 2:
        raise UserError(f"grid={grid} must have 2 patches or more: there is only one place")
    if ridge <= 0:
        raise UserError(f"ridge={ridge} must be above 0 (say {RIDGE}): it keeps the fit solvable")
