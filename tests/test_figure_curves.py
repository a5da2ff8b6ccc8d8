"""Curves: the tables by value, the panels by structure."""

import polars as pl
import pytest

from siamlab.component import UserError
from siamlab.figure.curves import (
    collapse_figure,
    collapse_table,
    learning_figure,
    learning_table,
    loss_figure,
    loss_table,
)

METRICS = pl.DataFrame(
    {
        "run": ["mae", "mae", "moco", "moco", "moco"],
        "images": [0, 100, 0, 100, 100],
        "loss": [1.0, 0.5, 5.0, 4.0, 3.0],
        "loss/mse": [1.0, 0.5, None, None, None],
        "loss/infonce": [None, None, 5.0, 4.0, float("nan")],
        "context/rankme": [9, 12, 20, 30, 31],
        "context/patch_spread": [0.5, 0.6, 0.7, 0.8, 0.9],
        "target/rankme": [None, None, 21, 33, 34],
    }
)


def test_a_row_a_finite_number_of_a_term():
    assert loss_table(METRICS).rows() == [
        ("mae", 0, "mse", 1.0),
        ("mae", 100, "mse", 0.5),
        ("moco", 0, "infonce", 5.0),
        ("moco", 100, "infonce", 4.0),
    ]


def test_the_sum_stands_for_terms_that_are_not_named():
    table = loss_table(METRICS.select("run", "images", "loss"))
    assert table["term"].unique().to_list() == ["loss"]
    assert table.filter(run="mae")["value"].to_list() == [1.0, 0.5]


def test_of_a_step_logged_twice_the_last_counts():
    table = loss_table(METRICS.select("run", "images", "loss"))
    assert table.filter(run="moco").rows() == [("moco", 0, "loss", 5.0), ("moco", 100, "loss", 3.0)]


def test_collapse_rows_say_side_measure_and_what_of():
    rows = collapse_table(METRICS).rows()
    assert ("mae", 100, "context", "rankme", "image", 12.0) in rows
    assert ("moco", 0, "context", "spread", "patch", 0.7) in rows
    assert ("moco", 100, "target", "rankme", "image", 34.0) in rows
    assert len(rows) == 4 + 4 + 2


def test_a_panel_a_term_and_a_line_a_run():
    figure = loss_figure(loss_table(METRICS))
    titles = [note.text for note in figure.layout.annotations]
    assert titles == ["loss: mse", "loss: infonce"]
    lines = {trace.name: trace for trace in figure.data if trace.x[0] is not None}
    assert lines["mae"].xaxis == "x" and lines["moco"].xaxis == "x2"
    assert lines["moco"].x == (0, 100) and lines["moco"].y == (5.0, 4.0)


def test_each_run_stands_in_the_legend_once_and_keeps_its_colour():
    figures = loss_figure(loss_table(METRICS)), collapse_figure(collapse_table(METRICS))
    for figure in figures:
        shown = [trace.name for trace in figure.data if trace.showlegend is not False]
        assert shown == ["mae", "moco"]
    colour = [{t.name: t.line.color for t in figure.data} for figure in figures]
    assert colour[0] == colour[1] and colour[0]["mae"] != colour[0]["moco"]


def test_collapse_panels_are_measures_by_sides():
    figure = collapse_figure(collapse_table(METRICS))
    titles = [note.text for note in figure.layout.annotations]
    assert titles == ["RankMe · context", "RankMe · target", "spread · context", "spread · target"]
    dash = {(trace.xaxis, trace.line.dash) for trace in figure.data if trace.x[0] is not None}
    assert dash == {("x", "solid"), ("x2", "solid"), ("x3", "dot")}


def test_runs_of_one_colour_have_other_dashes():
    runs, measures = [f"run {i}" for i in range(16)], ("rankme", "patch_rankme")
    numbers = {f"context/{measure}": [1.0] * 16 for measure in measures}
    table = pl.DataFrame({"run": runs, "images": [1] * 16, "loss": [1.0] * 16} | numbers)
    learned = table.with_columns(pl.lit(0.5).alias("probe/knn"))
    figures = [
        loss_figure(loss_table(table)),
        collapse_figure(collapse_table(table)),
        learning_figure(learning_table(learned)),
    ]
    for figure, kinds in zip(figures, (1, 2, 1), strict=True):
        drawn = [t for t in figure.data if t.x[0] is not None]
        assert len({(t.line.color, t.line.dash) for t in drawn}) == 16 * kinds
        entries = [t.line for t in figure.data if t.x[0] is None]
        assert {(line.color, line.dash) for line in entries} == {
            (t.line.color, t.line.dash) for t in drawn[:16]
        }


def test_bad_metrics_are_refused():
    with pytest.raises(UserError, match=r"no column \['run'\]"):
        loss_table(METRICS.drop("run"))
    with pytest.raises(UserError, match="nothing to draw"):
        loss_figure(loss_table(METRICS.head(0)))
    with pytest.raises(UserError, match="nothing to draw"):
        collapse_figure(collapse_table(METRICS.select("run", "images", "loss")))


PROBED = METRICS.with_columns(
    pl.Series("probe/linear", [None, 0.5, None, None, 0.4]),
    pl.Series("probe/semantic", [0.0, 0.3, None, None, 0.2]),
    pl.Series("probe/knn_standardised", [0.1, 0.2, None, None, 0.3]),
)


def test_learning_rows_are_scores_as_they_are_and_all_else_in_percent():
    assert learning_table(PROBED).rows() == [
        ("mae", 0, "semantic", 0.0),
        ("mae", 100, "semantic", 0.3),
        ("mae", 100, "linear", 50.0),
        ("moco", 100, "semantic", 0.2),
        ("moco", 100, "linear", 40.0),
    ]
    other = learning_table(PROBED, ["knn_standardised"])
    assert other["value"].to_list() == pytest.approx([10.0, 20.0, 30.0])


def test_runs_that_were_not_probed_have_no_learning_curve():
    with pytest.raises(UserError, match="no run of these metrics was probed.*probe_every=100"):
        learning_table(METRICS)


def test_a_panel_a_probe_with_its_unit():
    figure = learning_figure(learning_table(PROBED))
    titles = [note.text for note in figure.layout.annotations][:2]
    assert titles == ["Semantic score", "Linear probe accuracy"]
    assert figure.layout.yaxis.title.text == "score (0 chance, 1 ceiling)"
    assert figure.layout.yaxis2.title.text == "%"
    lines = [(trace.name, trace.xaxis, trace.y) for trace in figure.data if trace.x[0] is not None]
    assert lines[:2] == [("mae", "x", (0.0, 0.3)), ("moco", "x", (0.2,))]
