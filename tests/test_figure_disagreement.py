"""Places on which models disagree: against errors counted by hand, and as a figure."""

import polars as pl
import pytest
import torch

from siamlab.component import UserError
from siamlab.figure import disagreement_figure, disagreement_table
from siamlab.geometry import Match, View, match_patches, patch_centres, to_source
from siamlab.probe import Features, place_error

SEED = torch.Generator().manual_seed(0)
HALVES = View(  # the left and the right three quarters of four images, two of them mirrored
    torch.rand(4, 3, 20, 30, generator=SEED), torch.tensor([[0.0, 0.0, 1.0, 0.75]] * 4),
    torch.tensor([False, False, True, True]),
)  # fmt: skip
OTHER = HALVES._replace(box=torch.tensor([[0.0, 0.25, 1.0, 0.75]] * 4))


def features(patches, grid):
    pooled = patches.mean(dim=1)
    return Features(pooled, pooled, patches, grid)


def random(grid, count=4):
    rows, columns = grid
    made = [torch.randn(count, rows * columns, 6, generator=SEED) for _ in range(2)]
    return tuple(features(patches, grid) for patches in made)


def knowing(a, b, grid):
    """Features that say where in the source a patch lies: the nearest match is right."""
    places = [to_source(patch_centres(grid).expand(len(a.box), -1, -1), view) for view in (a, b)]
    waves = torch.arange(1, 4) * torch.pi / 2
    return tuple(
        features(torch.cat([f(p[..., None] * waves).flatten(2) for f in (torch.sin, torch.cos)], 2),
                 grid)
        for p in places
    )  # fmt: skip


GAPS = disagreement_table(
    {"knows": knowing(HALVES, OTHER, (4, 6)), "mae": random((4, 6))}, HALVES, OTHER, each=None
)


def test_errors_are_those_of_the_probe_and_the_largest_difference_comes_first():
    models = {"a": random((4, 6)), "b": random((4, 6)), "c": random((4, 6))}
    table = disagreement_table(models, HALVES, OTHER, each=None)
    match = match_patches(HALVES, OTHER, (4, 6))
    assert table["rank"].max() == int(match.inside.sum())
    for name, (a, b) in models.items():
        score = place_error(a.patches, b.patches, match, (4, 6), (20, 30))
        rows = table.filter(model=name)
        assert rows["error"].mean() == pytest.approx(score.value, rel=1e-5)
        square = rows.select(((pl.col("found_y") - pl.col("true_y")) * 4) ** 2
                             + ((pl.col("found_x") - pl.col("true_x")) * 6) ** 2)  # fmt: skip
        assert rows["patches"].to_list() == pytest.approx(square.to_series().sqrt().to_list())
    gaps = table.group_by("rank", maintain_order=True).agg(
        (pl.col("error").max() - pl.col("error").min()).alias("by hand"), pl.col("gap").first()
    )
    assert gaps["gap"].to_list() == pytest.approx(gaps["by hand"].to_list(), abs=1e-5)
    assert gaps["gap"].is_sorted(descending=True)


def test_true_places_show_the_same_source_and_a_model_that_knows_it_is_right():
    models = {"knows": knowing(HALVES, OTHER, (4, 6)), "guesses": random((4, 6))}
    table = disagreement_table(models, HALVES, OTHER)
    assert sorted(table.filter(model="knows")["pair"]) == [0, 1, 2, 3]  # one place of each pair
    for row in table.filter(model="knows").iter_rows(named=True):
        sources = []
        for view, (y, x) in (
            (HALVES, (row["y"], row["x"])), (OTHER, (row["true_y"], row["true_x"])),
        ):  # fmt: skip
            one = View(*(part[[row["pair"]]] for part in view))
            sources.append(to_source(torch.tensor([[[y, x]]]), one))
        torch.testing.assert_close(*sources)
        assert row["patches"] < 1
    assert (table.filter(model="guesses")["error"] > table.filter(model="knows")["error"]).all()


def test_models_of_other_grids_are_asked_about_the_same_places():
    models = {"fine": knowing(HALVES, OTHER, (4, 6)), "coarse": knowing(HALVES, OTHER, (2, 3))}
    table = disagreement_table(models, HALVES, OTHER, each=None)
    coarse = table.filter(model="coarse")
    centres = {tuple(place) for place in patch_centres((2, 3)).tolist()}
    found = set(coarse.select("found_y", "found_x").rows())
    assert {tuple(round(v, 5) for v in p) for p in found} <= {
        tuple(round(v, 5) for v in p) for p in centres
    }
    assert (coarse["patches"] < 1.5).all()


def test_places_are_those_of_a_match_that_is_given():
    models = {"a": random((4, 6)), "b": random((4, 6))}
    inside = torch.zeros(4, 24, dtype=torch.bool)
    inside[2, 7] = True
    match = Match(torch.full((4, 24, 2), 0.25), inside)
    table = disagreement_table(models, HALVES, OTHER, each=None, match=match)
    assert table["pair"].to_list() == [2, 2]
    assert table.row(0, named=True)["y"] == pytest.approx(1.5 / 4)
    assert table["true_y"].to_list() == table["true_x"].to_list() == [0.25, 0.25]


def test_what_cannot_disagree_is_refused():
    one = random((4, 6))
    with pytest.raises(UserError, match="two or more can disagree"):
        disagreement_table({"a": one}, HALVES, OTHER)
    with pytest.raises(UserError, match="b has 3 images, but the views have 4"):
        few = features(one[1].patches[:3], (4, 6))
        disagreement_table({"a": one, "b": (one[0], few)}, HALVES, OTHER)
    left = HALVES._replace(box=torch.tensor([[0.0, 0.0, 0.2, 0.2]] * 4))
    away = HALVES._replace(box=torch.tensor([[0.7, 0.7, 0.2, 0.2]] * 4))
    with pytest.raises(UserError, match="views of no pair overlap"):
        disagreement_table({"a": one, "b": random((4, 6))}, left, away)


def test_the_figure_marks_place_truth_and_matches_in_pixels():
    drawn = disagreement_figure(HALVES, OTHER, GAPS, most=1)
    first = GAPS.filter(rank=1)
    height, width = OTHER.image.shape[2:]
    marks = {t.name: (t.x[0], t.y[0]) for t in drawn.data if t.x[0] is not None}
    row = first.row(0, named=True)
    assert marks["true place"] == pytest.approx((row["true_x"] * width, row["true_y"] * height))
    for row in first.iter_rows(named=True):
        assert marks[row["model"]] == pytest.approx(
            (row["found_x"] * width, row["found_y"] * height)
        )
    texts = [note.text for note in drawn.layout.annotations]
    pair, errors = (
        first["pair"][0] + 1,
        [
            f"{error:.0f} px, {patches:.1f} patches"
            for error, patches in zip(first["error"], first["patches"], strict=True)
        ],
    )
    assert texts == [f"1: pair {pair}", f"knows {errors[0]}<br>mae {errors[1]}"]
    assert len(drawn.layout.images) == 2
    assert len(disagreement_figure(HALVES, OTHER, GAPS).layout.images) == 12
