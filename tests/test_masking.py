"""Laws that every masking obeys, then facts about each."""

from math import log, sqrt

import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import label

from siamlab.component import UserError, variants
from siamlab.masking import (
    BlockwiseMasking,
    GridMasking,
    Masking,
    MultiBlockMasking,
    NoMasking,
    RandomMasking,
    _grown,
    _highest,
)
from siamlab.run import Run

GRID = (8, 8)
EVERY = pytest.mark.parametrize("cls", variants(Masking))
HIDING = pytest.mark.parametrize("cls", [c for c in variants(Masking) if c is not NoMasking])
GRIDS = pytest.mark.parametrize("grid", [(8, 8), (4, 6), (14, 3), (1, 7)])


def draw(masking, seed=0, batch=64, grid=GRID):
    return masking(batch, grid, torch.Generator().manual_seed(seed))


def hidden_at_14(masking, batch):
    return (~draw(masking, batch=batch, grid=(14, 14)).visible).view(-1, 14, 14)


@HIDING
@GRIDS
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_every_image_hides_the_same_number_of_patches(cls, ratio, grid):
    visible = draw(cls(ratio=ratio), grid=grid).visible
    assert visible.shape == (64, grid[0] * grid[1])
    assert (~visible).sum(dim=1).unique().tolist() == [round(ratio * grid[0] * grid[1])]


@EVERY
@GRIDS
def test_every_image_predicts_as_many_patches(cls, grid):
    predict = draw(cls(), grid=grid).predict
    assert len(predict.sum(dim=1).unique()) == 1 and predict.any()


@HIDING
def test_the_seed_decides_the_mask(cls):
    assert torch.equal(draw(cls(), seed=1).visible, draw(cls(), seed=1).visible)
    assert not torch.equal(draw(cls(), seed=1).visible, draw(cls(), seed=2).visible)


@HIDING
def test_images_have_masks_of_their_own(cls):
    assert len(draw(cls(ratio=0.5)).visible.unique(dim=0)) > (3 if cls is GridMasking else 60)


@HIDING
def test_predict_says_which_patches_are_scored(cls):
    assert draw(cls(predict="all")).predict.all()
    mask = draw(cls(predict="hidden"))
    assert not (mask.predict & mask.visible).any()
    if cls is not MultiBlockMasking:
        assert torch.equal(mask.predict, ~mask.visible)


@HIDING
@pytest.mark.parametrize("ratio", [0.3, 0.75])
def test_no_side_of_the_image_is_favoured(cls, ratio):
    rate = (~draw(cls(ratio=ratio), batch=4000).visible).float().mean(dim=0).view(GRID)
    for turned in (rate.rot90(), rate.rot90(2), rate.flip(1), rate.T):
        torch.testing.assert_close(rate, turned, atol=0.05, rtol=0)


@HIDING
def test_a_grid_on_its_side_is_hidden_alike(cls):
    wide, tall = (
        (~draw(cls(), batch=4000, grid=g).visible).float().mean(dim=0).view(g)
        for g in ((4, 7), (7, 4))
    )
    torch.testing.assert_close(wide, tall.T, atol=0.05, rtol=0)


def test_none_hides_nothing_and_predicts_all():
    mask = draw(NoMasking(), grid=(3, 5))
    assert mask.visible.all() and mask.predict.all() and mask.visible.shape == (64, 15)


def test_random_hides_each_patch_equally_often_and_independently():
    hidden = (~draw(RandomMasking(ratio=0.5), batch=4000).visible).float()  # [B, N]
    rate = hidden.mean(dim=0)
    torch.testing.assert_close(rate, torch.full_like(rate, 0.5), atol=0.04, rtol=0)
    between = torch.corrcoef(hidden.T) - torch.eye(64)
    assert between.abs().max() < 0.1


def test_blockwise_hides_118_of_196_in_about_one_and_a_half_regions():
    hidden = hidden_at_14(BlockwiseMasking(), 1000)
    assert hidden.sum(dim=(1, 2)).unique().tolist() == [118]
    assert regions(hidden) == pytest.approx(1.45, abs=0.12)


def test_random_hides_118_of_196_in_about_ten_regions():
    hidden = hidden_at_14(RandomMasking(ratio=0.6), 1000)
    assert regions(hidden) == pytest.approx(9.9, abs=0.4)


def test_blockwise_hides_the_centre_and_spares_the_corners():
    rate = hidden_at_14(BlockwiseMasking(), 3000).float().mean(dim=0)
    assert rate[6:8, 6:8].mean().item() == pytest.approx(0.94, abs=0.02)
    corners = (rate[0, 0] + rate[0, -1] + rate[-1, 0] + rate[-1, -1]) / 4
    assert corners.item() == pytest.approx(0.09, abs=0.02)


def test_blockwise_on_a_line_of_patches_is_random():
    """No rectangle is strictly smaller than the grid there, so the rest is drawn at random."""
    rate = (~draw(BlockwiseMasking(ratio=0.5), batch=4000, grid=(1, 8)).visible).float().mean(0)
    torch.testing.assert_close(rate, torch.full_like(rate, 0.5), atol=0.04, rtol=0)


def one_at_a_time(masking, batch, grid, seed):
    """BEiT's sampler as a plain loop over patches, on the draws that a batch takes."""
    rng = torch.Generator().manual_seed(seed)
    rounds = torch.rand(500, 4, batch, generator=rng).tolist()
    patches = [(y, x) for y in range(grid[0]) for x in range(grid[1])]
    found, used = [], 0
    for image in range(batch):
        hidden, failures, left = set(), 0, round(masking.ratio * len(patches))
        for turn, draws in enumerate(rounds):
            if left == 0 or failures == masking.tries:
                break
            size, shape, *places = (draw[image] for draw in draws)
            least = masking.smallest * len(patches)
            area = max(1, least + (left - least) * size)
            shape = masking.aspect ** (2 * shape - 1)
            sides = [max(1, round(sqrt(area * shape))), max(1, round(sqrt(area / shape)))]
            sides = [side if side < n else 0 for side, n in zip(sides, grid, strict=True)]
            first = [int(p * (n - s + 1)) for p, n, s in zip(places, grid, sides, strict=True)]
            rows, columns = (range(f, f + s) for f, s in zip(first, sides, strict=True))
            new = {(y, x) for y, x in patches if y in rows and x in columns} - hidden
            fits = 0 < len(new) <= left
            hidden, left = (hidden | new, left - len(new)) if fits else (hidden, left)
            failures, used = 0 if fits else failures + 1, max(used, turn + 1)
        found.append([patch in hidden for patch in patches])
    rng.manual_seed(seed)
    torch.rand(used, 4, batch, generator=rng)
    rest = torch.rand(batch, len(patches), generator=rng)
    order = (torch.tensor(found) + rest).argsort(dim=1, descending=True)
    return order[:, : round(masking.ratio * len(patches))].sort(dim=1).values


@GRIDS
@pytest.mark.parametrize("ratio", [0.3, 0.6])
def test_blockwise_is_beits_sampler(ratio, grid):
    masking = BlockwiseMasking(ratio=ratio)
    hidden = ~draw(masking, seed=3, grid=grid).visible
    expected = one_at_a_time(masking, 64, grid, seed=3)
    assert torch.equal(hidden.nonzero()[:, 1].view(64, -1), expected)


@pytest.mark.parametrize("aspect", [1.0, 4.0])
def test_a_block_is_as_large_and_long_as_told(aspect):
    masking = MultiBlockMasking(blocks=1, aspect=aspect, scale=(0.09, 0.09))
    block = masking._targets(400, (60, 60), torch.Generator().manual_seed(0)).view(-1, 60, 60)
    rows, columns = block.any(dim=2).sum(dim=1), block.any(dim=1).sum(dim=1)  # [B]
    assert (rows * columns / 3600 - 0.09).abs().max() < 0.006  # sides are rounded
    turn = (rows / columns).log() / max(log(aspect), 0.1)
    if aspect == 1:
        assert not turn.any()
    else:  # log-uniform either way
        quarters = torch.histc(turn.clamp(-1, 1), 4, -1, 1) / len(turn)
        torch.testing.assert_close(quarters, torch.full((4,), 0.25), atol=0.08, rtol=0)


def test_multiblock_predicts_hidden_patches_of_blocks():
    masking = MultiBlockMasking(blocks=1, aspect=1.0, scale=(0.25, 0.25), context=(1.0, 1.0))
    mask = draw(masking, batch=200)
    asked = mask.predict.view(-1, 8, 8)
    assert not (mask.predict & mask.visible).any()  # the context is disjoint
    assert asked.any(2).sum(1).unique().tolist() == asked.any(1).sum(1).unique().tolist() == [4]
    assert asked.sum(dim=(1, 2)).unique().tolist() == [16]  # one 4 × 4 square


def test_multiblock_asks_for_as_much_as_its_blocks_cover():
    """Four targets of .15 to .2 of 14 × 14 that may overlap: more than one, less than four."""
    mask = draw(MultiBlockMasking(), batch=200, grid=(14, 14))
    share = mask.predict.float().mean(dim=1)
    assert 0.2 < share[0] < 0.65
    assert (~mask.visible).float().mean().item() == pytest.approx(0.65, abs=0.003)
    assert regions(mask.predict.view(-1, 14, 14)) < 3  # blocks, not specks


@pytest.mark.parametrize("grid", [(14, 14), (5, 5), (4, 16)])
def test_multiblock_asks_for_as_many_whatever_the_batch(grid):
    """The share is the one that four rectangles cover on average."""
    masking = MultiBlockMasking()
    asked = [int(draw(masking, batch=b, grid=grid).predict.sum(dim=1)[0]) for b in (2, 64, 512)]
    blocks = masking._targets(2000, grid, torch.Generator().manual_seed(5))
    assert len(set(asked)) == 1
    assert asked[0] == pytest.approx(blocks.sum(dim=1).float().mean().item(), abs=1)


def test_blocks_are_cut_where_they_are_too_many_and_grown_where_too_few():
    grid, count, rng = (14, 14), 94, torch.Generator().manual_seed(6)
    blocks = MultiBlockMasking()._targets(500, grid, rng)
    chosen, few = _highest(_grown(blocks, grid, rng), count), blocks.sum(dim=1) <= count
    assert 100 < few.sum() < 400
    assert (chosen & blocks)[few].equal(blocks[few])  # none is left out where there is room
    assert (chosen & ~blocks)[~few].sum() == 0  # none is added where there is none
    beside = F.max_pool2d(blocks.float().unflatten(1, grid), 3, 1, 1).flatten(1).bool()
    assert (chosen & ~beside).sum() < 0.1 * (chosen & ~blocks).sum()  # what is added touches them


@pytest.mark.parametrize("grid", [(14, 14), (4, 16), (16, 4)])
def test_the_context_is_as_large_as_told_on_any_grid(grid):
    """One target of a patch, hidden with all outside: what is seen is the context block."""
    size = grid[0] * grid[1]
    masking = MultiBlockMasking(blocks=1, scale=(1 / size, 1 / size), context=(0.5, 0.5), ratio=0.5)
    seen = draw(masking, batch=300, grid=grid).visible.view(-1, *grid)
    rows, columns = seen.any(dim=2).sum(dim=1), seen.any(dim=1).sum(dim=1)
    assert (rows * columns / size).median() == pytest.approx(0.5, abs=0.13)


def test_multiblock_hides_outside_the_context_before_the_inside():
    masking = MultiBlockMasking(ratio=0.75, context=(0.25, 0.25), blocks=1, scale=(0.02, 0.02))
    seen = draw(masking, batch=200).visible.view(-1, 8, 8)
    square = (seen.any(dim=2).sum(dim=1) == 4) & (seen.any(dim=1).sum(dim=1) == 4)
    assert square.float().mean() > 0.6  # the rest has its target inside the 4 × 4 square


@pytest.mark.parametrize("ratio, stride", [(0.75, 2), (8 / 9, 3)])
def test_grid_keeps_a_regular_lattice(ratio, stride):
    seen = draw(GridMasking(ratio=ratio), grid=(6, 12)).visible.view(-1, 6, 12)
    for image in seen:
        rows, columns = (image.any(dim=d).nonzero().flatten() for d in (1, 0))
        assert (rows.diff() == stride).all() and (columns.diff() == stride).all()
        assert image.sum() == len(rows) * len(columns) == 72 // stride**2
    assert len(seen.unique(dim=0)) == stride**2  # every shift occurs


@pytest.mark.parametrize(
    "wrong", [{"scale": (0.2, 0.1)}, {"context": (0.5, 3)}, {"scale": (-1, 1)}]
)
def test_impossible_blocks_are_refused(wrong):
    with pytest.raises(UserError):
        MultiBlockMasking(**wrong)


def test_unknown_masking_is_refused_by_name():
    with pytest.raises(UserError, match="no choice 'blok'; .*: blockwise, .*, random$"):
        Run(masking={"kind": "blok"})


def regions(hidden):
    """Mean number of 4-connected regions of hidden patches."""
    return sum(label(image.numpy())[1] for image in hidden) / len(hidden)
