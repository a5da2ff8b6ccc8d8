"""Effects and importances: the tables by value, the figures by structure."""

import math

import polars as pl
import pytest

from siamlab.component import UserError
from siamlab.figure.effects import effects_figure, effects_table
from siamlab.figure.importances import (
    DECIDED,
    EXPLAINED,
    importances_figure,
    importances_table,
)

NAN = float("nan")


def effect(point, probe="semantic", base="UniGrad", **other):
    row = dict(base=base, point=point, probe=probe, title=f"The {probe} score", unit="accuracy")
    row |= dict(direction="higher", pairs=3, base_mean=0.5, mean=0.6, difference=0.1, low=0.05)
    row |= dict(high=0.15, wide_low=0.02, wide_high=0.18, verdict="raises")
    return row | dict(sentence=f"{point} raises <{probe}>.") | other


LOST = dict(low=NAN, high=NAN, wide_low=NAN, wide_high=NAN, verdict="cannot tell", pairs=1)
EFFECTS = pl.DataFrame(
    [
        effect("mse", "spatial", difference=-0.2, low=-0.3, high=-0.1, verdict="lowers"),
        effect("cosine"),
        effect("mse", **LOST),
        effect("cosine", "spatial", verdict="no difference"),
        effect("cosine", "knn", direction="neither", unit=""),
    ]
)
IMPORTANCES = {"semantic": {"views": 0.3, "loss": 0.5}, "spatial": {"views": 0.6, "loss": 0.1}}


def points(figure):
    return [t for t in figure.data if t.mode == "markers" and t.x[0] is not None]


def lines(figure, panel="x"):
    drawn = [t for t in figure.data if t.mode == "lines" and t.xaxis == panel]
    return {(t.line.width, t.x, t.y) for t in drawn}


def test_rows_go_by_probe_then_by_first_appearance():
    table = effects_table(EFFECTS)
    assert table.select("probe", "comparison", "difference").rows() == [
        ("semantic", "mse", 0.1),
        ("semantic", "cosine", 0.1),
        ("spatial", "mse", -0.2),
        ("spatial", "cosine", 0.1),
    ]
    assert effects_table(EFFECTS, ["knn"])["comparison"].to_list() == ["cosine"]


def test_with_two_bases_a_comparison_names_its_base():
    table = effects_table(pl.DataFrame([effect("cosine"), effect("mse", base="MAE")]), ["semantic"])
    assert table["comparison"].to_list() == ["UniGrad → cosine", "MAE → mse"]


def test_points_stand_in_the_panel_of_their_probe_in_one_order():
    figure = effects_figure(effects_table(EFFECTS))
    assert [(t.xaxis, t.x[0], t.y[0]) for t in points(figure)] == [
        ("x", 0.1, 0),
        ("x", 0.1, 1),
        ("x2", -0.2, 0),
        ("x2", 0.1, 1),
    ]
    axis = figure.layout.yaxis
    assert axis.ticktext == ("mse", "cosine") and axis.range[0] > axis.range[1]


def test_whiskers_are_thick_alone_thin_corrected_and_absent_where_nan():
    assert lines(effects_figure(effects_table(EFFECTS))) == {
        (1.4, (0, 0), (-0.6, 1.6)),
        (1.2, (0.02, 0.18), (1, 1)),
        (4, (0.05, 0.15), (1, 1)),
    }


def test_verdicts_have_colours_symbols_and_entries_of_their_own():
    figure = effects_figure(effects_table(EFFECTS))
    shown = [t for t in figure.data if t.showlegend]
    assert [t.name for t in shown] == ["raises", "lowers", "no difference", "cannot tell"]
    assert len({t.marker.symbol for t in shown}) == len({t.marker.color for t in shown}) == 4
    drawn = [(t.marker.color, t.marker.symbol) for t in points(figure)]
    look = {t.name: (t.marker.color, t.marker.symbol) for t in shown}
    order = ("cannot tell", "raises", "lowers", "no difference")
    assert drawn == [look[verdict] for verdict in order]


def test_axes_say_difference_unit_and_the_better_side():
    figure = effects_figure(effects_table(EFFECTS, ["semantic", "spatial", "knn"]))
    titles = [a.title.text.replace("<br>", " ") for a in figure.select_xaxes() if a.title.text]
    assert titles == [
        "difference (accuracy) better →",
        "difference (accuracy) better →",
        "difference (no unit)",
    ]
    assert figure.layout.yaxis3.domain[1] < figure.layout.yaxis.domain[0]  # the third is below
    assert figure.layout.xaxis4.visible is False


def test_hover_says_the_sentence_as_plain_text():
    hover = points(effects_figure(effects_table(EFFECTS)))[1].hovertext
    assert hover == "cosine raises &lt;semantic&gt;."


def test_very_wide_whiskers_do_not_squeeze_the_points():
    wide = pl.DataFrame([effect("cosine", wide_low=-50.0, wide_high=50.0)])
    figure = effects_figure(effects_table(wide, ["semantic"]))
    low, high = figure.layout.xaxis.range
    assert low < 0 and 0.15 < high and high - low < 0.4
    assert "extend beyond" in figure.layout.meta["caption"]
    kept = effects_figure(effects_table(EFFECTS))
    assert "extend beyond" not in kept.layout.meta["caption"]


@pytest.mark.parametrize(
    "effects, probes, message",
    [
        (EFFECTS.head(0), ["semantic"], "nothing to draw"),
        (EFFECTS, [], "nothing to draw"),
        (EFFECTS.drop("low"), ["semantic"], r"no column \['low'\]"),
        (EFFECTS, ["semantics"], "'semantics'; did you mean 'semantic'"),
        (EFFECTS.with_columns(verdict=pl.lit("rises")), ["knn"], "did you mean 'raises'"),
        (pl.concat([EFFECTS, EFFECTS]), ["knn"], "two rows"),
    ],
)
def test_bad_effects_are_refused(effects, probes, message):
    with pytest.raises(UserError, match=message):
        effects_table(effects, probes)


def test_an_empty_table_is_refused():
    with pytest.raises(UserError, match="nothing to draw"):
        effects_figure(effects_table(EFFECTS).head(0))
    with pytest.raises(UserError, match="nothing to draw"):
        importances_figure(importances_table(IMPORTANCES).head(0))


def test_importances_go_by_their_mean():
    assert importances_table(IMPORTANCES).drop("chance").rows() == [
        ("semantic", "views", 0.3),
        ("spatial", "views", 0.6),
        ("semantic", "loss", 0.5),
        ("spatial", "loss", 0.1),
    ]


def test_equal_means_keep_their_order_and_lacking_rows_stay_lacking():
    table = importances_table({"a": {"z": 0.5, "b": 0.5}, "c": {"b": 0.5}})
    assert table.drop("chance").rows() == [("a", "z", 0.5), ("a", "b", 0.5), ("c", "b", 0.5)]


def test_bars_are_horizontal_and_one_trace_an_objective():
    figure = importances_figure(importances_table(IMPORTANCES))
    bars = {t.name: (t.x, t.y, t.orientation) for t in figure.data}
    assert bars == {"semantic": ((0.3, 0.5), (0, 1), "h"), "spatial": ((0.6, 0.1), (0, 1), "h")}
    assert figure.layout.barmode == "group" and figure.layout.yaxis.ticktext == ("views", "loss")
    assert figure.layout.xaxis.title.text == "share of the variance explained (0–1)"
    assert all(t.showlegend for t in figure.data)


@pytest.mark.parametrize("measure, words", [(EXPLAINED, "variance"), (DECIDED, "best tenth")])
def test_axis_and_caption_say_what_an_importance_is_of(measure, words):
    figure = importances_figure(importances_table(IMPORTANCES), measure=measure)
    assert words in figure.layout.xaxis.title.text and words in figure.layout.meta["caption"]


@pytest.mark.parametrize("bad", [{}, {"semantic": {}}, {"semantic": {"loss": math.nan}}])
def test_bad_importances_are_refused(bad):
    with pytest.raises(UserError, match="importances"):
        importances_table(bad)


def test_the_level_of_chance_is_drawn_across_each_bar():
    chance = {"semantic": {"views": 0.4, "loss": 0.45}, "spatial": {"loss": 0.2}}
    table = importances_table(IMPORTANCES, chance)
    assert dict(table.select("objective", "chance").rows()[:1]) == {"semantic": 0.4}
    figure = importances_figure(table)
    (line,) = [t for t in figure.data if t.type == "scatter"]
    assert sorted(v for v in line.x[::3]) == [0.2, 0.4, 0.45] and set(line.x[2::3]) == {None}
    names = table["parameter"].unique(maintain_order=True).to_list()
    at = {
        value: (start + end) / 2
        for value, start, end in zip(line.x[::3], line.y[::3], line.y[1::3], strict=True)
    }
    middle = {0.4: ("views", -1), 0.45: ("loss", -1), 0.2: ("loss", 1)}
    for value, (parameter, side) in middle.items():
        assert at[value] == pytest.approx(names.index(parameter) + side * 0.75 / 4)
    assert "level of chance" in figure.layout.meta["caption"]
    assert not any(
        t.type == "scatter" for t in importances_figure(importances_table(IMPORTANCES)).data
    )
