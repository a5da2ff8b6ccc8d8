"""Similarity to one patch: the table by value, one colour scale and one query for all models."""

import base64
import io

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from siamlab.component import UserError
from siamlab.figure.image import to_grey
from siamlab.figure.similarity import similarity_figure, similarity_table

GRID = (2, 3)
RNG = torch.Generator().manual_seed(0)
IMAGE, OTHER = (torch.randint(0, 256, (3, 40, 60), generator=RNG).byte() for _ in range(2))
PATCHES = {name: torch.randn(6, 8, generator=RNG) for name in ("mae", "a<b>")}


def tables(query=5, patches=PATCHES, grid=GRID):
    return {name: similarity_table(f[query], f, grid) for name, f in patches.items()}


def heats(figure):
    return [trace for trace in figure.data if trace.type == "heatmap"]


def marks(figure, name):
    return [trace for trace in figure.data if trace.name == name and trace.x[0] is not None]


def test_cosines_of_known_angles_row_by_row():
    angle = torch.tensor([0, 60, 90, 120, 180, 60]).deg2rad()
    patches = torch.stack([angle.cos(), angle.sin()], dim=1) * torch.arange(1.0, 7)[:, None]
    table = similarity_table(torch.tensor([3.0, 0]), patches, GRID)
    assert table["row"].to_list() == [0, 0, 0, 1, 1, 1]
    assert table["column"].to_list() == [0, 1, 2, 0, 1, 2]
    assert table["cosine"].to_list() == pytest.approx([1, 0.5, 0, -0.5, -1, 0.5], abs=1e-6)
    assert table["rank"].to_list()[:1] + table["rank"].to_list()[2:5] == [1, 4, 5, 6]


def test_ranks_are_numpy_s_order_and_ties_go_to_the_earlier():
    cosine = tables()["mae"]["cosine"].to_numpy()
    assert tables()["mae"].sort("rank")["cosine"].to_list() == sorted(cosine, reverse=True)
    tied = similarity_table(torch.ones(4), torch.ones(6, 4), GRID)
    assert tied["rank"].to_list() == [1, 2, 3, 4, 5, 6]


def test_cosine_is_numpy_s_and_ignores_lengths():
    f = PATCHES["mae"].double().numpy()
    expected = f @ f[5] / np.linalg.norm(f, axis=1) / np.linalg.norm(f[5])
    assert np.allclose(tables()["mae"]["cosine"], expected)
    long = similarity_table(7 * PATCHES["mae"][5], 0.1 * PATCHES["mae"], GRID)
    assert np.allclose(long["cosine"], expected)


def test_a_panel_a_model_over_the_grey_image_patch_by_patch():
    figure = similarity_figure(IMAGE, tables(), (1, 2))
    assert [note.text for note in figure.layout.annotations] == ["image", "mae", "a&lt;b&gt;"]
    assert len(figure.layout.images) == 3
    uri = figure.layout.images[1].source.split(",")[1]
    shown = np.array(Image.open(io.BytesIO(base64.b64decode(uri))).convert("RGB"))
    assert np.array_equal(shown[2::5, 2::5], to_grey(IMAGE).permute(1, 2, 0))
    assert [heat.name for heat in heats(figure)] == ["mae", "a&lt;b&gt;"]
    heat = heats(figure)[0]
    assert np.allclose(heat.z, tables()["mae"]["cosine"].to_numpy().reshape(GRID))
    assert (heat.x0 - heat.dx / 2, heat.x0 + 2.5 * heat.dx) == (0, 60)
    assert (heat.y0 - heat.dy / 2, heat.y0 + 1.5 * heat.dy) == (0, 40)


def test_one_colour_scale_for_all_models_with_zero_clear():
    figure = similarity_figure(IMAGE, tables())
    axis = figure.layout.coloraxis
    cosine = pl.concat(tables().values())["cosine"]
    assert {heat.coloraxis for heat in heats(figure)} == {"coloraxis"}
    assert (axis.cmin, axis.cmax) == (cosine.min(), cosine.max()) and axis.cmin < 0
    shades = [[float(v) for v in colour[5:-1].split(",")] for _, colour in axis.colorscale]
    at = axis.cmin + (axis.cmax - axis.cmin) * np.array([place for place, _ in axis.colorscale])
    opacity = [shade[3] for shade in shades]
    assert at[np.argmin(opacity)] == pytest.approx(0, abs=1e-9)
    below, above = np.split(np.array(opacity), [np.argmin(opacity)])
    assert (np.diff(below) <= 0).all() and (np.diff(above) >= 0).all()
    assert shades[0][2] > shades[0][0] and shades[-1][0] > shades[-1][2]  # blue, red


def test_without_negative_cosines_the_scale_starts_at_zero():
    ones = {"mae": similarity_table(torch.ones(4), torch.rand(6, 4, generator=RNG), GRID)}
    axis = similarity_figure(IMAGE, ones).layout.coloraxis
    assert axis.cmin == 0 and axis.colorscale[0][1].endswith(",0.000)")


def test_the_colours_reach_their_end_at_the_highest_cosine():
    whole = similarity_figure(IMAGE, tables()).layout.coloraxis
    faint = {name: table.with_columns(pl.col("cosine") / 4) for name, table in tables().items()}
    axis = similarity_figure(IMAGE, faint, other=OTHER).layout.coloraxis
    assert axis.cmax == whole.cmax / 4
    for (place, colour), (wanted, same) in zip(axis.colorscale, whole.colorscale, strict=True):
        assert place == pytest.approx(wanted) and colour == same


def test_the_query_is_outlined_in_its_own_image():
    same = similarity_figure(IMAGE, tables(), (1, 2))
    assert {mark.xaxis for mark in marks(same, "query")} == {"x", "x2", "x3"}
    two = similarity_figure(IMAGE, tables(), (1, 2), OTHER)
    assert {mark.xaxis for mark in marks(two, "query")} == {"x"}
    for figure in (same, two):
        assert all(mark.x == (40, 60, 60, 40, 40) for mark in marks(figure, "query"))
        assert all(mark.y == (20, 20, 40, 40, 20) for mark in marks(figure, "query"))
    assert not marks(similarity_figure(IMAGE, tables()), "query")


def test_the_best_match_is_another_patch_of_the_same_image_or_any_of_the_other():
    table = tables()["mae"].sort("rank")
    same, two = (similarity_figure(IMAGE, tables(), (1, 2), other) for other in (None, OTHER))
    assert table.row(0)[:2] == (1, 2)  # the query itself
    for figure, row in ((same, table.row(1)), (two, table.row(0))):
        mark = marks(figure, "most similar")[0]
        assert (mark.x[0], mark.y[0]) == ((row[1] + 0.5) * 20, (row[0] + 0.5) * 20)


def test_titles_of_long_names_have_room_above():
    long = {"timm:vit_small_patch14_reg4_dinov2.lvd142m" * 2: tables()["mae"]}
    figure, short = similarity_figure(IMAGE, long), similarity_figure(IMAGE, tables())
    lines = max(note.text.count("<br>") + 1 for note in figure.layout.annotations)
    assert lines > 2
    assert figure.layout.margin.t - short.layout.margin.t == 15 * (lines - 2)


def test_bad_input_is_refused():
    with pytest.raises(UserError, match="7 patches, but grid=.2, 3. has 6: drop class"):
        similarity_table(torch.ones(4), torch.ones(7, 4), GRID)
    with pytest.raises(UserError, match="at least one model"):
        similarity_figure(IMAGE, {})
    with pytest.raises(UserError, match="query=.2, 0. must be a .row, column. of the grid .2, 3."):
        similarity_figure(IMAGE, tables(), (2, 0))
    mixed = tables() | {"b": similarity_table(PATCHES["mae"][0], PATCHES["mae"], (3, 2))}
    with pytest.raises(UserError, match="grids .*2, 3.*3, 2.*draw one figure per grid"):
        similarity_figure(IMAGE, mixed, (0, 0))
    assert len(heats(similarity_figure(IMAGE, mixed))) == 3
