"""Figures over layers and axes: profiles, CKA matrices and spectra."""

import math

import numpy as np
import polars as pl
import pytest
import torch

from siamlab.component import UserError
from siamlab.figure.cka import cka_figure, cka_table
from siamlab.figure.profile import profile_figure, profile_table
from siamlab.figure.spectrum import spectrum_figure, spectrum_table
from siamlab.figure.template import GREY, METHODS

nan = math.nan
LONG = "timm:vit_small_patch14_reg4_dinov2.lvd142m"


def row(probe, model, layer, head, value, low=nan, high=nan, chance=0.1, unit="accuracy"):
    names = dict(probe=probe, title=probe.title(), property="semantic", model=model)
    numbers = dict(value=value, low=low, high=high, chance=chance, ceiling=nan)
    protocol = dict(direction="higher", protocol="p", settings="{}")
    return dict(**names, layer=layer, head=head, **numbers, unit=unit, **protocol)


SCORES = pl.DataFrame(
    [
        row("reach", "mae", 1, 1, 2.0, 1.5, 2.5, nan, "patches"),
        row("reach", "mae", 1, 2, 4.0, 3.5, 4.5, nan, "patches"),
        row("reach", "mae", 2, 1, 6.0, 5.5, 6.5, nan, "patches"),
        row("reach", "mae", 2, 2, 9.0, 8.5, 9.5, nan, "patches"),
        row("reach", "mae", 2, None, 7.0, 6.0, 8.0, nan, "patches"),
        row("knn", "untrained", 2, None, 0.2, 0.1, 0.3),
        row("knn", "mae", 2, None, 0.5, 0.4, 0.7),
        row("knn", "mae", 1, None, 0.3, 0.2, 0.4),
        row("knn", "mae", None, None, 0.9, 0.8, 1.0),
    ]
)


def lines(figure, name):
    return [t for t in figure.data if t.name == name and t.mode == "lines+markers" and t.x[0]]


# profiles


def test_layers_ascend_and_the_last_layer_without_number_is_left_out():
    table = profile_table(SCORES, ["knn"])
    shown = table.select("model", "layer", "head", "value").rows()
    assert shown == [("mae", 1, None, 0.3), ("mae", 2, None, 0.5), ("untrained", 2, None, 0.2)]


def test_heads_are_kept_and_their_mean_stands_in_where_there_is_no_row_of_all():
    table = profile_table(SCORES, ["reach"])
    assert table.select("layer", "head", "value").rows() == [
        (1, None, 3.0),
        (1, 1, 2.0),
        (1, 2, 4.0),
        (2, None, 7.0),
        (2, 1, 6.0),
        (2, 2, 9.0),
    ]
    assert table["low"].to_list() == [None, 1.5, 3.5, 6.0, 5.5, 8.5]
    assert table["unit"].unique().to_list() == ["patches"]


def test_probes_keep_the_order_they_are_asked_in():
    assert profile_table(SCORES)["probe"].unique(maintain_order=True).to_list() == ["reach", "knn"]
    asked = profile_table(SCORES, ["knn", "reach"])
    assert asked["probe"].unique(maintain_order=True).to_list() == ["knn", "reach"]


def test_a_panel_a_probe_and_a_line_a_model():
    figure = profile_figure(profile_table(SCORES))
    assert [note.text for note in figure.layout.annotations] == ["Reach", "Knn"]
    reach, knn = lines(figure, "mae")
    assert (reach.xaxis, reach.x, reach.y) == ("x", (1, 2), (3.0, 7.0))
    assert (knn.xaxis, knn.x, knn.y) == ("x2", (1, 2), (0.3, 0.5))
    assert knn.line.color == METHODS["mae"] and lines(figure, "untrained")[0].line.color == GREY
    titles = [axis.title.text for axis in figure.select_yaxes()]
    assert titles == ["patches · better →", "accuracy · better →"]
    assert figure.layout.xaxis.tickvals == (1, 2)


def test_intervals_are_bands_or_the_whisker_of_a_single_layer():
    figure = profile_figure(profile_table(SCORES, ["knn"]))
    band = [trace for trace in figure.data if trace.name == "band"]
    assert len(band) == 1 and band[0].x == (1, 2, 2, 1)
    assert band[0].y == (0.4, 0.7, 0.4, 0.2) and band[0].opacity < 0.3
    assert band[0].fillcolor == lines(figure, "mae")[0].line.color
    single = lines(figure, "untrained")[0].error_y
    assert single.array[0] == pytest.approx(0.1) and single.arrayminus[0] == pytest.approx(0.1)
    assert lines(figure, "mae")[0].error_y.visible is False
    assert "Bands and whiskers: 95 % intervals" in figure.layout.meta["caption"]
    assert "heads" not in figure.layout.meta["caption"]


def test_heads_are_faint_dots_beside_their_layer():
    both = pl.concat([SCORES, SCORES.with_columns(model=pl.lit("b"))])
    figure = profile_figure(profile_table(both[:-4], ["reach"]))
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    assert [trace.name for trace in dots] == ["mae", "b"]
    for trace in dots:
        assert trace.y == (2.0, 4.0, 6.0, 9.0) and trace.opacity < 0.5
        assert [round(x) for x in trace.x] == [1, 1, 2, 2]
    assert dots[0].x[0] < 1 < dots[1].x[0]
    assert "single heads" in figure.layout.meta["caption"]


def test_chance_is_drawn_once_where_models_share_it():
    copy = SCORES.filter(probe="knn", model="mae").with_columns(model=pl.lit("b"))
    both = pl.concat([SCORES, copy])
    dotted = [t for t in profile_figure(profile_table(both)).data if t.line.dash == "dot"]
    assert sorted((t.xaxis, t.x, t.y) for t in dotted) == [
        ("x2", (1, 2), (0.1, 0.1)),
        ("x2", (1.6, 2.4), (0.1, 0.1)),  # untrained, one layer
    ]
    assert "Dotted line: chance." in profile_figure(profile_table(SCORES)).layout.meta["caption"]
    caption = profile_figure(profile_table(SCORES, ["reach"])).layout.meta["caption"]
    assert "chance" not in caption and "ceiling" not in caption


def test_ticks_are_whole_layers_and_at_most_twelve():
    deep = pl.DataFrame([row("knn", "mae", layer, None, 0.5) for layer in range(1, 41)])
    ticks = profile_figure(profile_table(deep)).layout.xaxis.tickvals
    assert len(ticks) <= 12 and all(isinstance(tick, int) for tick in ticks)
    assert set(np.diff(ticks)) == {4}


def test_the_reference_is_grey_and_open():
    line = lines(profile_figure(profile_table(SCORES, ["knn"]), reference="mae"), "mae")[0]
    assert (line.line.color, line.marker.symbol) == (GREY, "diamond-open")


def test_each_model_stands_in_the_legend_once():
    figure = profile_figure(profile_table(SCORES))
    shown = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert shown == ["mae", "untrained"]


def test_bad_scores_are_refused():
    with pytest.raises(UserError, match=r"no column \['head'\]"):
        profile_table(SCORES.drop("head"))
    with pytest.raises(UserError, match="for the probe 'kn'; did you mean 'knn'"):
        profile_table(SCORES, ["kn"])
    with pytest.raises(UserError, match="'mae', 'knn', 1, None.; keep one protocol"):
        profile_table(pl.concat([SCORES, SCORES[7:8]]))
    with pytest.raises(UserError, match="no row with a layer"):
        profile_table(SCORES[8:])
    with pytest.raises(UserError, match="nothing to draw"):
        profile_figure(profile_table(SCORES).head(0))


# CKA


def pairs(models, layers=2):
    """A row a pair of layers, one way round only; its value names the pair."""
    ends = [(m, n) for m in models for n in range(1, layers + 1)]
    keys = ("model", "layer", "other_model", "other_layer", "cka")
    return [
        dict(zip(keys, (*a, *b, 0.1 * a[1] + 0.01 * b[1] + 0.5 * (a == b)), strict=True))
        for i, a in enumerate(ends)
        for b in ends[i:]
    ]


def test_pairs_are_completed_both_ways_and_sorted():
    table = cka_table(pairs(["b", "a"])[::-1], ["b", "a"])
    ends = [(m, n) for m in ("b", "a") for n in (1, 2)]
    assert table.select("model", "layer", "other_model", "other_layer").rows() == [
        (*one, *other) for one in ends for other in ends
    ]
    matrix = table["cka"].to_numpy().reshape(4, 4)
    assert np.array_equal(matrix, matrix.T) and matrix[0, 3] == pytest.approx(0.12)
    assert cka_table(table).equals(table)
    assert cka_table(pl.DataFrame(pairs(["b", "a"]))).equals(table)


def test_a_choice_of_models_keeps_their_order():
    table = cka_table(pairs(["a", "b", "c"]), ["c", "a"])
    assert table["model"].unique(maintain_order=True).to_list() == ["c", "a"]
    assert set(table["other_model"]) == {"c", "a"} and len(table) == 16


def test_the_matrix_holds_each_pair_at_its_place_on_a_scale_from_0_to_1():
    figure = cka_figure(cka_table(pairs(["b", "a"])))
    matrix = np.array(figure.data[0].z)
    assert matrix.shape == (4, 4)
    assert matrix[1, 2] == pytest.approx(0.21)  # layer 2 of b, layer 1 of a
    assert figure.data[0].hovertext[1][2] == "b 2, a 1: 0.210"
    axis = figure.layout.coloraxis
    assert (axis.cmin, axis.cmax) == (0, 1)
    assert figure.layout.yaxis.range == (3.5, -0.5) and figure.layout.xaxis.range == (-0.5, 3.5)
    assert figure.layout.xaxis.ticktext == figure.layout.yaxis.ticktext == ("1", "2", "1", "2")
    names = [(note.text, note.x, note.y) for note in figure.layout.annotations]
    assert names == [
        ("layer of b", 0, 0.5),
        ("layer of a", 0, 2.5),
        ("layer of b", 0.5, 0),
        ("layer of a", 2.5, 0),
    ]
    assert [(line.x0, line.y0) for line in figure.layout.shapes] == [(1.5, 0), (0, 1.5)]


def test_a_pair_that_is_missing_stays_empty():
    rows = [pair for pair in pairs(["a", "b"]) if pair["model"] == pair["other_model"]]
    matrix = np.array(cka_figure(cka_table(rows)).data[0].z)
    assert np.isnan(matrix[:2, 2:]).all() and np.isfinite(matrix[:2, :2]).all()


def test_one_block_alone_can_be_drawn():
    table = cka_table(pairs(["a", "b"], 3)).filter(model="a", other_model="b")
    figure = cka_figure(table.filter(pl.col("layer") > 1))
    assert np.array(figure.data[0].z).shape == (2, 3)
    assert figure.layout.yaxis.ticktext == ("2", "3") and not figure.layout.shapes


@pytest.mark.parametrize("layers, models, written", [(8, 2, True), (4, 3, True), (9, 2, False)])
def test_values_are_written_while_there_is_room(layers, models, written):
    names = [f"m{i}" for i in range(models)]
    heat = cka_figure(cka_table(pairs(names, layers))).data[0]
    assert (heat.texttemplate == "%{z:.2f}") == written


def test_many_long_names_are_turned_and_their_numbers_keep_apart():
    names = [f"{LONG}_{i}" for i in range(8)]
    figure = cka_figure(cka_table(pairs(names, 12)))
    angles = [note.textangle for note in figure.layout.annotations]
    assert angles == [None] * 8 + [-90] * 8
    plot = 600 - figure.layout.margin.l - figure.layout.margin.r
    apart = np.diff([*figure.layout.xaxis.tickvals]) * plot / 96
    assert apart.min() >= 18 - 1e-9 and figure.layout.xaxis.ticktext[0] == "1"
    few = cka_figure(cka_table(pairs(names[:2], 12)))
    assert {note.textangle for note in few.layout.annotations[2:]} == {0}


def test_bad_rows_are_refused():
    with pytest.raises(UserError, match=r"no column \['cka'\]"):
        cka_table([dict(model="a", layer=1, other_model="a", other_layer=1)])
    with pytest.raises(UserError, match="no model 'mea'; did you mean 'mae'"):
        cka_table(pairs(["mae"]), ["mea"])
    with pytest.raises(UserError, match="nothing to draw"):
        cka_figure(cka_table(pairs(["a"])).head(0))


# spectra


def test_shares_are_sorted_and_sum_to_one():
    table = spectrum_table({"b": torch.tensor([1.0, 5, 2]), "a": torch.tensor([3.0, 1])})
    assert table["model"].to_list() == ["b"] * 3 + ["a"] * 2
    assert table["index"].to_list() == [1, 2, 3, 1, 2]
    assert table["share"].to_list() == pytest.approx([5 / 8, 2 / 8, 1 / 8, 3 / 4, 1 / 4])


def test_a_line_a_model_and_a_guide_of_slope_minus_one():
    values = {"untrained": torch.ones(10), "mae": torch.arange(1, 11.0) ** -2}
    figure = spectrum_figure(spectrum_table(values))
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert figure.layout.xaxis.title.text == "principal axis (index)"
    assert figure.layout.yaxis.title.text == "share of variance"
    drawn = {t.name: t for t in figure.data if t.x[0] is not None}
    assert drawn["mae"].line.color == METHODS["mae"] and drawn["untrained"].line.color == GREY
    assert np.allclose(drawn["untrained"].y, 0.1) and drawn["mae"].x == tuple(range(1, 11))
    slope = np.diff(np.log(drawn["mae"].y)) / np.diff(np.log(drawn["mae"].x))
    assert np.allclose(slope, -2)
    (start, end), (high, low) = drawn[None].x, drawn[None].y
    assert (start, end, high) == (1, 10, max(drawn["mae"].y))
    assert math.log10(low / high) == pytest.approx(-1)  # over one decade
    shown = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert shown == ["untrained", "mae", "slope −1 (1 / index)"]


def test_the_reference_is_grey_and_takes_no_dash_from_the_models():
    names = ["random", *(f"m{i}" for i in range(7))]
    figure = spectrum_figure(spectrum_table({n: torch.ones(3) for n in names}), "random")
    line = {trace.name: trace.line for trace in figure.data}
    assert line["random"].color == GREY
    assert {line[f"m{i}"].dash for i in range(7)} == {"solid"}


def test_rounding_is_not_drawn():
    values = {"mae": torch.tensor([1.0, 0.1, 1e-9, 0.0])}
    assert len(spectrum_table(values)) == 4
    drawn = next(t for t in spectrum_figure(spectrum_table(values)).data if t.name == "mae")
    assert drawn.x == (1, 2)


def test_ticks_say_their_number():
    wide = spectrum_figure(spectrum_table({"m": torch.arange(1, 400.0) ** -2})).layout
    assert "10<sup>−5</sup>" in wide.yaxis.ticktext and "0.01" in wide.yaxis.ticktext
    assert "0.02" not in wide.yaxis.ticktext
    assert {"1", "2", "50", "200"} < set(wide.xaxis.ticktext)
    flat = spectrum_figure(spectrum_table({"m": torch.ones(5000)})).layout.yaxis
    marks = dict(zip(flat.ticktext, flat.tickvals, strict=True))
    assert marks["2 · 10<sup>−4</sup>"] == pytest.approx(2e-4)
    assert len(marks) == len(flat.tickvals)


def test_more_models_than_colours_differ_in_their_dash():
    figure = spectrum_figure(spectrum_table({f"m{i}": torch.ones(3) for i in range(20)}))
    looks = {(t.line.color, t.line.dash) for t in figure.data if (t.name or "").startswith("m")}
    assert len(looks) == 20


def test_spectra_that_are_not_finite_are_refused():
    with pytest.raises(UserError, match="eigenvalues of 'm' must be finite"):
        spectrum_table({"m": torch.tensor([1.0, math.inf])})


def test_features_that_do_not_vary_have_no_spectrum():
    flat, other = torch.zeros(3), torch.tensor([3.0, 1])
    found = spectrum_table({"flat": flat, "m": other, "none": torch.empty(0)})
    assert found.equals(spectrum_table({"m": other}))
    assert spectrum_table({"flat": flat}).is_empty()


def test_an_empty_spectrum_is_refused():
    with pytest.raises(UserError, match="at least one model"):
        spectrum_table({})
    with pytest.raises(UserError, match="nothing to draw"):
        spectrum_figure(spectrum_table({"m": torch.ones(3)}).head(0))
