"""Scores in words: the table, who beats whom by intervals worked out by hand, the dot plot."""

import io

import polars as pl
import pytest
from rich.console import Console

from siamlab.component import UserError
from siamlab.figure.probes import probes_figure, probes_table
from siamlab.figure.scores import comparison_table, score_table, terminal_table


def row(model, probe, value, low, high, **changes):
    fields = dict(chance=0.1, ceiling=0.9, unit="accuracy", direction="higher")
    fields |= dict(property="semantic", model=model, probe=probe, value=value, low=low, high=high)
    fields |= dict(layer=None, head=None, title=probe, protocol="p", settings="{}")
    return fields | changes


DOWN = dict(property="spatial", unit="pixels", direction="lower", chance=30.0, ceiling=1.0)
SCORES = pl.DataFrame(
    [
        row("mae", "kNN", 0.42, 0.39, 0.45),
        row("moco", "kNN", 0.20, 0.17, 0.23),
        row("untrained", "kNN", 0.15, 0.12, 0.18),
        row("mae", "error", 12.0, 10.0, 14.5, **DOWN),
        row("untrained", "error", 21.0, 18.0, 24.0, **DOWN),
        row("mae", "semantic", 0.30, 0.28, 0.32, unit=""),
        row("moco", "semantic", 0.31, 0.29, 0.33, unit=""),
        row("untrained", "semantic", 0.30, 0.27, 0.33, unit=""),
        row("mae", "spatial", 0.50, 0.48, 0.52, unit=""),
        row("moco", "spatial", 0.40, 0.38, 0.42, unit=""),
        row("untrained", "spatial", 0.60, 0.58, 0.62, unit=""),
    ]
)


def test_the_score_table_has_intervals_chance_and_ceiling():
    table = score_table(SCORES)
    assert table.columns == ["probe", "mae", "moco", "untrained", "chance", "ceiling"]
    assert table["probe"].to_list() == [
        "kNN (accuracy) ↑", "error (pixels) ↓", "semantic ↑", "spatial ↑"]  # fmt: skip
    assert table.row(0) == (
        "kNN (accuracy) ↑", "0.42 [0.39, 0.45]", "0.20 [0.17, 0.23]", "0.15 [0.12, 0.18]",
        "0.10", "0.90")  # fmt: skip
    assert table.row(1)[1:] == ("12 [10, 14]", "–", "21 [18, 24]", "30", "1")


def said(scores, probe, model, other, probes=("kNN", "error", "semantic", "spatial")):
    table = comparison_table(scores, probes)
    (found,) = table.filter(pl.col("probe") == probe, pl.col("model") == model).to_dicts()
    return found[f"against {other}"]


def test_a_missing_interval_is_a_dash_and_cannot_be_judged():
    scores = SCORES.with_columns(
        pl.when(pl.col("model") == "moco").then(float("nan")).otherwise("low").alias("low")
    )
    assert score_table(scores)["moco"][0] == "0.20 [–, 0.23]"
    assert said(scores, "kNN", "moco", "untrained") == "–"


def test_rows_of_layers_and_heads_are_no_scores_of_a_model():
    layer, head = (
        SCORES.head(1).with_columns(value=pl.lit(9.0), **{key: pl.lit(1)})
        for key in ("layer", "head")
    )
    scores = pl.concat([SCORES, layer, head], how="vertical_relaxed")
    assert score_table(scores).equals(score_table(SCORES))
    assert comparison_table(scores).equals(comparison_table(SCORES))
    assert len(probes_table(scores)) == len(SCORES)
    with pytest.raises(UserError, match="only rows of single layers and heads"):
        score_table(layer)


def test_what_was_not_measured_alike_is_no_table():
    other = pl.when(pl.col("model") == "moco").then(pl.lit('{"k": 10}')).otherwise("settings")
    scores = SCORES.with_columns(settings=other, protocol=other)
    with pytest.raises(UserError, match="mae and moco were not measured alike.* kNN, k: none and"):
        score_table(scores)


@pytest.mark.parametrize(
    "probe, model, other, word",
    [
        ("kNN", "mae", "untrained", "better"),
        ("kNN", "untrained", "mae", "worse"),
        ("kNN", "moco", "untrained", "overlap"),
        ("error", "mae", "untrained", "better"),  # lower is
        ("spatial", "mae", "untrained", "worse"),
        ("semantic", "mae", "moco", "overlap"),
        ("spatial", "mae", "moco", "better"),
        ("kNN", "mae", "mae", "–"),
        ("error", "mae", "moco", "–"),  # which has none
    ],
)
def test_who_beats_whom(probe, model, other, word):
    assert said(SCORES, probe, model, other) == word


def test_a_description_is_more_or_less():
    scores = SCORES.with_columns(direction=pl.lit("neither"))
    assert said(scores, "kNN", "mae", "untrained") == "more"
    assert said(scores, "kNN", "untrained", "mae") == "less"


def test_one_row_a_model_and_score():
    table = comparison_table(SCORES)
    assert table["probe"].to_list() == ["semantic"] * 3 + ["spatial"] * 3
    assert table["value"][0] == "0.30 [0.28, 0.32]"
    models = ["mae", "moco", "untrained"]
    assert table.columns == ["probe", "model", "value", *(f"against {name}" for name in models)]


def test_intervals_that_touch_overlap():
    scores = pl.DataFrame([row("a", "kNN", 0.3, 0.2, 0.4), row("untrained", "kNN", 0.1, 0.0, 0.2)])
    assert said(scores, "kNN", "a", "untrained") == "overlap"


def test_bad_tables_are_refused():
    with pytest.raises(UserError, match=r"no column \['chance'\]"):
        score_table(SCORES.drop("chance"))
    with pytest.raises(UserError, match="no rows"):
        score_table(SCORES.head(0))
    with pytest.raises(UserError, match=r"more than one row for \('mae', 'kNN', None, None\)"):
        score_table(pl.concat([SCORES, SCORES.head(1)]))
    with pytest.raises(UserError, match=r"no row of \['knn'\]; name probes that it has"):
        comparison_table(SCORES, ["knn"])


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_terminal_shows_all_models_at_any_width(width):
    console = Console(width=width, file=io.StringIO())
    console.print(terminal_table(SCORES.with_columns(pl.col("unit") + "[x]")))
    text = console.file.getvalue()
    for shown in ("mae", "moco", "untrained", "0.42", "[0.39, 0.45]", "chance 0.10", "[x]"):
        assert shown in text
    assert max(map(len, text.splitlines())) <= width


def test_probes_are_sorted_by_property_and_say_the_better_side():
    scores = pl.concat([SCORES.filter(pl.col("probe") == p) for p in ("error", "kNN")])
    late = SCORES.head(1).with_columns(probe=pl.lit("x"), property=pl.lit("spatial"))
    table = probes_table(pl.concat([scores, late]))
    assert table["probe"].unique(maintain_order=True).to_list() == ["error", "x", "kNN"]
    arrow = dict(table.select("probe", "arrow").iter_rows())
    assert arrow == {"error": "← better", "x": "better →", "kNN": "better →"}
    assert table.filter(probe="kNN", model="mae").select("value", "low", "high").row(0) == (
        0.42, 0.39, 0.45)  # fmt: skip


def test_probes_figure_marks_chance_and_ceiling_in_every_panel():
    figure = probes_figure(probes_table(SCORES))
    lines = [(t.xaxis, t.line.dash, t.x[0]) for t in figure.data if t.mode == "lines"]
    assert lines[:2] == [("x", "dot", 0.1), ("x", "solid", 0.9)] and len(lines) == 8
    dot = next(t for t in figure.data if t.name == "moco" and t.xaxis == "x")
    assert dot.x == (0.2,) and figure.layout.yaxis.ticktext[dot.y[0]] == "moco"
    assert figure.layout.xaxis.title.text == "accuracy · better →"


def test_a_limit_that_is_not_known_is_not_drawn():
    figure = probes_figure(probes_table(SCORES.with_columns(ceiling=float("nan"), chance=None)))
    assert not [trace for trace in figure.data if trace.mode == "lines"]


def test_limits_that_differ_between_models_are_all_shown():
    ceiling = pl.when(pl.col("model") == "moco").then(0.7).otherwise("ceiling").alias("ceiling")
    scores = SCORES.filter(pl.col("probe") == "kNN").with_columns(ceiling)
    assert score_table(scores)["ceiling"].to_list() == ["0.70 to 0.90"]
    lines = [t for t in probes_figure(probes_table(scores)).data if t.mode == "lines"]
    assert [t.x[0] for t in lines] == [0.1, 0.9, 0.7]


def test_one_value_alone_is_inside_its_panel():
    alone = row("mae", "RankMe", 5.0, None, None, chance=None, ceiling=None)
    figure = probes_figure(probes_table(pl.DataFrame([alone])))
    low, high = figure.layout.xaxis.range
    assert low < 5 < high


def test_names_of_four_models_are_broken_between_their_words():
    names = [f"zoo:scenes_{name}" for name in ("siameseim", "moco_v3", "mae")] + ["untrained"]
    rows = pl.concat([SCORES.filter(model="mae").with_columns(model=pl.lit(n)) for n in names])
    console = Console(width=80, file=io.StringIO())
    console.print(terminal_table(rows))
    head = console.file.getvalue().splitlines()[:2]
    assert head[0].split() == ["zoo:scenes_", "zoo:scenes_"]
    assert head[1].split() == ["probe", "siameseim", "moco_v3", "zoo:scenes_mae", "untrained"]
