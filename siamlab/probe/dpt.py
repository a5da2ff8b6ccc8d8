"""DPT head: numbers of each pixel from frozen features of four blocks, fused by convolutions.

head = fit_dpt(batches, grid)               # each batch() is (features, target, weight)
head.answers(features)                      # [n, M, K] on finer(grid)
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from siamlab.geometry import Grid
from siamlab.machine.seeding import seeded

BLOCKS = 4
WIDTH = 64
FINER = 4  # cells of the answer along one side of a patch
BATCH = 8  # images
STEPS = 1000  # at least, and one epoch
WARM = 0.1  # of the steps, in which the rate rises
RATE, DECAY = 1e-3, 1e-2  # of AdamW
SEED = 0
Batch = tuple[Float[Tensor, "n 4 N D"], Float[Tensor, "n M K"], Float[Tensor, "n M"]]
ABOUT = (
    f"DPT, width {WIDTH}: AdamW, rate {RATE}, decay {DECAY}, {STEPS} steps of {BATCH} images or "
    f"one epoch, {WARM:.0%} warm-up, cosine, seed {SEED}"
)


class Residual(nn.Module):
    """A residual block of two 3 × 3 convolutions."""

    def __init__(self, width: int):
        super().__init__()
        half = lambda: (nn.ReLU(), nn.Conv2d(width, width, 3, padding=1))  # noqa: E731
        self.layers: nn.Sequential = nn.Sequential(*half(), *half())

    def forward(self, x: Float[Tensor, "n W h w"]) -> Float[Tensor, "n W h w"]:
        return x + self.layers(x)


class Dpt(nn.Module):
    """Blocks are narrowed to one width, added from the last to the first and enlarged twice.

    After Ranftl et al. 2021, whose blocks come at four scales; here, as in Probe3D (El Banani et
    al. 2024), all lie on the model's grid. Enlarging repeats cells, which a GPU does the same way
    each time.
    """

    shift: Tensor
    scale: Tensor
    constant: Tensor  # weighted mean of the targets, the best blind answer

    def __init__(self, channels: int, outputs: int, grid: Grid):
        super().__init__()
        self.grid: Grid = grid
        self.narrow: nn.ModuleList = nn.ModuleList(
            nn.Linear(channels, WIDTH) for _ in range(BLOCKS)
        )
        self.before: nn.ModuleList = nn.ModuleList(Residual(WIDTH) for _ in range(BLOCKS))
        self.after: nn.ModuleList = nn.ModuleList(Residual(WIDTH) for _ in range(BLOCKS))
        self.out: nn.Sequential = nn.Sequential(
            nn.Upsample(scale_factor=2), nn.Conv2d(WIDTH, WIDTH // 2, 3, padding=1), nn.ReLU(),
            nn.Upsample(scale_factor=2), nn.Conv2d(WIDTH // 2, outputs, 3, padding=1),
        )  # fmt: skip
        for name, shape in (("shift", (BLOCKS, 1, channels)), ("scale", (BLOCKS, 1, channels))):
            self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("constant", torch.zeros(outputs))

    def forward(self, features: Float[Tensor, "n 4 N D"]) -> Float[Tensor, "n M K"]:
        x = ((features - self.shift) / self.scale).unbind(dim=1)
        found = None
        for i in reversed(range(BLOCKS)):
            own = self.narrow[i](x[i]).transpose(1, 2).unflatten(2, self.grid)  # [n, W, h, w]
            own = self.before[i](own)
            found = self.after[i](own if found is None else found + own)
        return self.out(found).flatten(2).transpose(1, 2) + self.constant

    @torch.no_grad()
    def answers(self, features: Float[Tensor, "n 4 N D"]) -> Float[Tensor, "n M K"]:
        """The numbers of all cells of `finer(grid)`, row by row."""
        return self(features)


def finer(grid: Grid) -> Grid:
    """Rows and columns of the cells that a head on `grid` answers for."""
    return grid[0] * FINER, grid[1] * FINER


def fit_dpt(batches: Sequence[Callable[[], Batch]], grid: Grid, seed: int = SEED) -> Dpt | None:
    """Train a head on the mean squared error of K numbers per cell; None if no cell has a weight.

    A call of a batch returns features of four blocks, first to last, the numbers of each cell of
    `finer(grid)`, and the weight of each cell. It is called again in every epoch, in a new order,
    so that one batch at a time is in memory. Features are standardised over all batches. AdamW's
    rate rises for a tenth of the steps and falls to 0 in half a cosine. The same seed gives the
    same head on one machine.
    """
    means = _means(batches)
    if means is None:
        return None
    shift, scale, constant = (part.float() for part in means)
    with seeded(seed, shift.device):
        head = Dpt(shift.shape[-1], len(constant), grid).to(shift.device)
    for name, value in (("shift", shift), ("scale", scale), ("constant", constant)):
        setattr(head, name, value)
    steps = max(STEPS, len(batches))
    optimiser = torch.optim.AdamW(head.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, steps))
    exact = dict(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with torch.enable_grad(), torch.backends.cudnn.flags(**exact):
        for index in _order(len(batches), steps, seed):
            features, target, weight = batches[index]()
            off = (head(features) - target).square().mean(dim=2)  # [n, M]
            optimiser.zero_grad()
            ((off * weight).sum() / weight.sum().clamp(min=1e-9)).backward()
            optimiser.step()
            schedule.step()
    return head


def _means(batches: Sequence[Callable[[], Batch]]) -> tuple[Tensor, Tensor, Tensor] | None:
    """Mean and deviation of each channel of each block [4, 1, D], and weighted mean target [K]."""
    sums = [0.0] * 5
    for batch in batches:
        features, target, weight = (part.double() for part in batch())
        parts = (
            features.sum(dim=(0, 2)), features.square().sum(dim=(0, 2)),
            (target * weight[:, :, None]).sum(dim=(0, 1)), weight.sum(),
            len(features) * features.shape[2],
        )  # fmt: skip
        sums = [old + new for old, new in zip(sums, parts, strict=True)]
    first, second, target, weight, count = sums
    if not count or not weight > 0:
        return None
    mean = first / count
    deviation = (second / count - mean.square()).clamp(min=0).sqrt() + 1e-6
    return mean[:, None], deviation[:, None], target / weight


def _rate(step: int, steps: int) -> float:
    """Share of the highest rate at a step, from 0."""
    warm = max(1, round(WARM * steps))
    if step < warm:
        return (step + 1) / warm
    return (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))) / 2


def _order(count: int, steps: int, seed: int) -> Iterator[int]:
    """Yield the numbers of batches, all of them in a new order in each epoch."""
    rng = Generator().manual_seed(seed)
    epochs = -(-steps // count)
    drawn = torch.cat([torch.randperm(count, generator=rng) for _ in range(epochs)])
    yield from drawn[:steps].tolist()
