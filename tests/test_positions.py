"""Places against the formulas of the paper, in its own variables, for every flip and shape."""

import math

import pytest
import torch

from siamlab.component import variants
from siamlab.geometry import View
from siamlab.positions import (
    FixedPlace,
    LearnedPlace,
    LearnedPositions,
    LinearPlace,
    NoPlace,
    NoPositions,
    OwnFrame,
    Positions,
    RelativeOffset,
    RelativeScale,
    own_places,
    relative_places,
    sincos,
)

EVERY = pytest.mark.parametrize("cls", variants(Positions))
GRIDS = pytest.mark.parametrize("grid", [(6, 6), (4, 7), (1, 3)])
SOURCE = (60, 90)  # height and width of the source image, pixels


def view(box, flip):
    return View(torch.zeros(1, 3, 4, 4), torch.tensor([box]), torch.tensor([flip]))


def random_view(seed, batch=8):
    rng = torch.Generator().manual_seed(seed)
    extent = 0.2 + 0.6 * torch.rand(batch, 2, generator=rng)
    corner = (1 - extent) * torch.rand(batch, 2, generator=rng)
    flip = torch.rand(batch, generator=rng) < 0.5
    return View(torch.zeros(batch, 3, 4, 4), torch.cat([corner, extent], 1), flip)


def flipped_box(box, flip):
    """(i, j, h, w) in pixels of the flipped image, as the paper has them."""
    (top, height), (left, width) = ((SOURCE[k] * box[k], SOURCE[k] * box[k + 2]) for k in (0, 1))
    return top, (SOURCE[1] - left - width if flip else left), height, width


def paper(first, second, flips, grid):
    """The relative place of every cell of view 2 in view 1, from methods.md."""
    (i1, j1, h1, w1), (i2, j2, h2, w2) = map(flipped_box, (first, second), flips)
    rows, columns = grid
    di, dj, dh, dw = (i2 - i1) / h1, (j2 - j1) / w1, h2 / h1, w2 / w1
    phi = (SOURCE[1] - j1 - j2) / w1
    places = []
    for r in range(rows):
        for c in range(columns):
            y = dh * (r + 0.5) + rows * di - 0.5
            if flips[0] == flips[1]:
                x = dw * (c + 0.5) + columns * dj - 0.5
            else:
                x = -dw * (c + 0.5) + columns * phi - 0.5
            places.append([y, x, 10 * math.log(dh), 10 * math.log(dw)])
    return torch.tensor(places)


@GRIDS
@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True), (True, True)])
def test_relative_places_are_the_papers(flips, grid):
    first, second = (0.1, 0.2, 0.5, 0.3), (0.3, 0.05, 0.25, 0.9)
    found = relative_places(view(first, flips[0]), view(second, flips[1]), grid)
    torch.testing.assert_close(found[0], paper(first, second, flips, grid), atol=1e-4, rtol=1e-5)


@GRIDS
def test_own_places_are_row_and_column(grid):
    expected = [[float(r), float(c), 0, 0] for r in range(grid[0]) for c in range(grid[1])]
    torch.testing.assert_close(own_places(grid)[0], torch.tensor(expected))


@EVERY
@GRIDS
def test_equal_views_are_asked_for_in_their_own_frame(cls, grid):
    same = random_view(0)
    places = cls()(same, same, grid)
    torch.testing.assert_close(
        places.query.expand(8, -1, -1), places.own.expand(8, -1, -1), atol=1e-5, rtol=1e-5
    )


@EVERY
def test_own_places_do_not_depend_on_the_views(cls):
    places = cls()(random_view(1), random_view(2), (4, 7))
    torch.testing.assert_close(places.own, own_places((4, 7)))


@EVERY
def test_only_relative_queries_depend_on_the_views(cls):
    one, other = (cls()(random_view(1), random_view(k), (4, 7)).query for k in (2, 3))
    depends = cls in (RelativeOffset, RelativeScale, LearnedPositions)
    assert torch.equal(one, other) != depends


@EVERY
def test_places_are_embedded_at_any_width(cls):
    places = cls()(random_view(1), random_view(2), (4, 7))
    assert cls().own_embedding(24)(places.own).shape == (1, 28, 24)
    assert cls().query_embedding(24)(places.query).shape == (len(places.query), 28, 24)


def test_offset_tells_where_but_not_how_large():
    first, second = random_view(1), random_view(2)
    offset, scale = (c()(first, second, (4, 7)).query for c in (RelativeOffset, RelativeScale))
    assert torch.equal(offset[..., :2], scale[..., :2])
    assert not offset[..., 2:].any() and scale[..., 2:].any()


@pytest.mark.parametrize("width", [8, 64])
def test_sincos_is_the_loop_of_the_paper(width):
    """Sines then cosines of y, of x, of s_h, of s_w; frequencies 10000^(−k / (width / 4))."""
    places = torch.tensor([[1.5, -2.0, 3.0, -0.5], [0.0, 4.0, 0.25, 10.0]])
    quarter = width // 4
    expected = []
    for place in places.tolist():
        row = []
        for value in place:
            angles = [value * 10000 ** (-k / quarter) for k in range(quarter)]
            row += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
        expected.append(row)
    torch.testing.assert_close(sincos(places, width), torch.tensor(expected))


def test_identical_views_have_the_absolute_embedding_in_the_first_numbers():
    same = random_view(3)
    relative = sincos(relative_places(same, same, (5, 3)), 32)  # [B, N, 2 D]
    absolute = FixedPlace(32)(own_places((5, 3)))
    torch.testing.assert_close(relative[..., :32], absolute.expand(8, -1, -1), atol=1e-4, rtol=1e-4)
    sizes = torch.cat([torch.zeros(8), torch.ones(8)]).repeat(2)  # sine and cosine of 0, twice
    torch.testing.assert_close(relative[..., 32:], sizes.expand(8, 15, -1), atol=1e-5, rtol=0)


def test_the_query_is_a_linear_layer_on_twice_the_width():
    place = LinearPlace(16)
    assert place.linear.weight.shape == (16, 32)
    places = relative_places(random_view(1), random_view(2), (2, 2))
    torch.testing.assert_close(place(places), place.linear(sincos(places, 16)))


@pytest.mark.parametrize(
    "cls, own, query",
    [
        (NoPositions, FixedPlace, NoPlace),
        (OwnFrame, FixedPlace, FixedPlace),
        (RelativeOffset, FixedPlace, LinearPlace),
        (RelativeScale, FixedPlace, LinearPlace),
        (LearnedPositions, LearnedPlace, LearnedPlace),
    ],
)
def test_what_embeds_the_places(cls, own, query):
    assert isinstance(cls().own_embedding(8), own) and isinstance(cls().query_embedding(8), query)
    learned = sum(p.numel() for p in cls().own_embedding(8).parameters())
    assert learned == (4 * 64 + 64 + 64 * 8 + 8 if cls is LearnedPositions else 0)


def test_none_tells_the_predictor_nothing():
    places = NoPositions()(random_view(1), random_view(2), (2, 3))
    assert not NoPositions().query_embedding(8)(places.query).any()
    assert NoPositions().own_embedding(8)(places.own).any()


def test_learned_places_are_told_in_float32_whatever_the_network_computes_in():
    place, places = LearnedPlace(16, 32), torch.rand(2, 5, 4) * 30
    with torch.autocast("cpu", torch.bfloat16):
        told = place(places)
    assert torch.equal(told, place.layers(places / 10))


def test_the_column_may_come_first():
    """The two halves of the table change places, as in the release of MAE."""
    rows, columns = (OwnFrame(first=f).own_embedding(16)(own_places((2, 3))) for f in ORDERS)
    torch.testing.assert_close(columns, torch.cat([rows[..., 8:], rows[..., :8]], dim=-1))
    assert not torch.equal(rows, columns)
    query = OwnFrame(first="column").query_embedding(16)
    torch.testing.assert_close(query(own_places((2, 3))), columns)


ORDERS = ("row", "column")
