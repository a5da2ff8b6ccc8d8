"""Laws over all public figures: a table that cannot be drawn is refused in one sentence."""

import math
from itertools import cycle, islice

import plotly.graph_objects as go
import polars as pl
import pytest
import timm
import torch
from test_figure_attention import scores as heads
from test_figure_curves import METRICS, PROBED
from test_figure_disagreement import GAPS, HALVES, OTHER, knowing, random
from test_figure_effects import EFFECTS, IMPORTANCES
from test_figure_pictures import CONTEXT, GRID, PREDICT, SOURCE, TARGET, VISIBLE
from test_figure_profile import SCORES as LAYERS
from test_figure_profile import pairs
from test_figure_scores import SCORES
from test_leaderboard import rows as board
from wrong import parameters, raw

from siamlab import figure as F
from siamlab.component import UserError
from siamlab.probe import concat_scores
from siamlab.probe.table import OPTIONAL, WHOLE

POINTS = torch.rand(6, 2, generator=torch.Generator().manual_seed(0))
IMAGES = SOURCE[None]
BOXES = F.box_table(SOURCE, CONTEXT, TARGET)
PATCHES = F.patch_table(CONTEXT, TARGET, VISIBLE, PREDICT, GRID)
TOKENS = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
FILM = F.similarity_table(TOKENS[0], TOKENS, GRID).with_columns(step=pl.lit(1), model=pl.lit("m"))
BOARD = board({"mae": (0.3, 0.6), "moco": (0.5, 0.4)})
MODEL = timm.create_model("test_vit", img_size=32, num_classes=0)
ATTENTION = torch.rand(2, 6, generator=torch.Generator().manual_seed(2))

CASES = {  # of each function of a table: the function, and a table that it takes
    "atlas_table": (F.atlas_table, heads()),
    "atlas_figure": (F.atlas_figure, F.atlas_table(heads())),
    "attention_figure": (
        lambda t: F.attention_figure(SOURCE, t, "m"),
        F.attention_table(ATTENTION, GRID),
    ),
    "attention_maps_figure": (
        lambda t: F.attention_maps_figure(SOURCE, t, "m"),
        F.attention_maps_table(ATTENTION[None], GRID),
    ),
    "attribution_figure": (
        lambda t: F.attribution_figure(SOURCE, {"ig": t}, "a", "m"),
        F.attribution_table(torch.rand(4, 6), GRID),
    ),
    "cka_table": (F.cka_table, pl.DataFrame(pairs(["a", "b"]))),
    "cka_figure": (F.cka_figure, F.cka_table(pairs(["a", "b"]))),
    "collapse_table": (F.collapse_table, METRICS),
    "collapse_figure": (F.collapse_figure, F.collapse_table(METRICS)),
    "comparison_table": (lambda t: F.comparison_table(t, ["kNN"]), SCORES),
    "components_figure": (
        lambda t: F.components_figure(IMAGES, {"m": t}),
        F.components_table(TOKENS[None], GRID),
    ),
    "correspondence_figure": (
        lambda t: F.correspondence_figure(SOURCE, SOURCE, t),
        F.correspondence_table(POINTS, POINTS, POINTS.flip(0), (40, 80), (40, 80)),
    ),
    "disagreement_figure": (lambda t: F.disagreement_figure(HALVES, OTHER, t), GAPS),
    "effects_table": (F.effects_table, EFFECTS),
    "effects_figure": (F.effects_figure, F.effects_table(EFFECTS)),
    "film_figure": (lambda t: F.film_figure(SOURCE, t), FILM),
    "importances_figure": (F.importances_figure, F.importances_table(IMPORTANCES)),
    "concat_scores": (concat_scores, SCORES),
    "leaderboard_table": (F.leaderboard_table, BOARD),
    "leaderboard_figure": (F.leaderboard_figure, F.leaderboard_table(BOARD)),
    "learning_table": (F.learning_table, PROBED),
    "learning_figure": (F.learning_figure, F.learning_table(PROBED)),
    "loss_table": (F.loss_table, METRICS),
    "loss_figure": (F.loss_figure, F.loss_table(METRICS)),
    "plane": (F.plane, SCORES),
    "plane_figure": (F.plane_figure, F.plane_table(SCORES)),
    "plane_table": (F.plane_table, SCORES),
    "probes_table": (F.probes_table, SCORES),
    "probes_figure": (F.probes_figure, F.probes_table(SCORES)),
    "profile_table": (F.profile_table, LAYERS),
    "profile_figure": (F.profile_figure, F.profile_table(LAYERS)),
    "score_table": (F.score_table, SCORES),
    "similarity_figure": (
        lambda t: F.similarity_figure(SOURCE, {"m": t}),
        F.similarity_table(TOKENS[0], TOKENS, GRID),
    ),
    "spectrum_figure": (F.spectrum_figure, F.spectrum_table({"m": torch.rand(5) + 0.1})),
    "terminal_table": (F.terminal_table, SCORES),
    "views_figure: boxes": (
        lambda t: F.views_figure(SOURCE, CONTEXT, TARGET, t, PATCHES),
        BOXES,
    ),
    "views_figure: patches": (
        lambda t: F.views_figure(SOURCE, CONTEXT, TARGET, BOXES, t),
        PATCHES,
    ),
}
# of arrays or mappings, not of tables: `arguments` has them
OTHERS = {
    "attention_maps_table",
    "attention_table",
    "attribution_table",
    "box_table",
    "components_table",
    "correspondence_table",
    "disagreement_table",
    "film_table",
    "importances_table",
    "patch_table",
    "similarity_table",
    "spectrum_table",
    "training_film",
}


def arguments():
    """Of each public figure: arguments that it takes."""
    picture, table = dict(image=SOURCE), lambda name: dict(table=CASES[name][1])
    found = {
        name: {("table" if name.endswith("_figure") else "scores"): CASES[name][1]}
        for name in set(F.__all__) & set(CASES)
    }
    seen = {"knows": knowing(HALVES, OTHER, (4, 6)), "mae": random((4, 6))}
    views = dict(context=CONTEXT, target=TARGET)
    return found | {
        "attention_figure": picture | table("attention_figure") | dict(model="m"),
        "attention_maps_figure": picture | table("attention_maps_figure") | dict(model="m"),
        "attention_maps_table": dict(attention=ATTENTION[None], grid=GRID),
        "attention_table": dict(attention=ATTENTION, grid=GRID),
        "attribution_figure": picture
        | dict(tables={"ig": CASES["attribution_figure"][1]}, target="a", model="m"),
        "attribution_table": dict(attribution=torch.rand(4, 6), grid=GRID),
        "box_table": dict(source=SOURCE) | views,
        "cka_table": dict(rows=CASES["cka_table"][1]),
        "collapse_table": dict(metrics=METRICS),
        "comparison_table": dict(scores=SCORES, probes=["kNN"]),
        "components_figure": dict(images=IMAGES, tables={"m": CASES["components_figure"][1]}),
        "components_table": dict(patches=TOKENS[None], grid=GRID),
        "correspondence_figure": dict(a=SOURCE, b=SOURCE) | table("correspondence_figure"),
        "correspondence_table": dict(
            points=POINTS, true=POINTS, predicted=POINTS.flip(0), a_size=(40, 80), b_size=(40, 80)
        ),
        "disagreement_figure": dict(a=HALVES, b=OTHER, table=GAPS),
        "disagreement_table": dict(models=seen, a=HALVES, b=OTHER),
        "effects_table": dict(effects=EFFECTS),
        "film_figure": picture | dict(table=FILM),
        "film_table": dict(models={"m": {1: MODEL}}, image=SOURCE, query=(1, 1)),
        "importances_table": dict(importances=IMPORTANCES),
        "leaderboard_table": dict(rows=BOARD),
        "learning_table": dict(metrics=PROBED),
        "loss_table": dict(metrics=METRICS),
        "patch_table": views | dict(visible=VISIBLE, predict=PREDICT, grid=GRID),
        "similarity_figure": picture | dict(tables={"m": CASES["similarity_figure"][1]}),
        "similarity_table": dict(query=TOKENS[0], patches=TOKENS, grid=GRID),
        "spectrum_table": dict(eigenvalues={"m": torch.rand(5) + 0.1}),
        "training_film": dict(figures={1: F.film_figure(SOURCE, FILM)}),
        "views_figure": dict(source=SOURCE, boxes=BOXES, patches=PATCHES) | views,
    }


pytestmark = pytest.mark.usefixtures("untyped")
EVERY = pytest.mark.parametrize("name", CASES)


def test_every_public_function_of_a_table_is_here():
    assert {name.partition(":")[0] for name in CASES} - {"concat_scores"} == set(F.__all__) - OTHERS


@EVERY
def test_its_own_table_is_taken(name):
    function, table = CASES[name]
    function(table)


@EVERY
@pytest.mark.parametrize("rows", ["none", "no rows", "no columns", "a list", "a dictionary"])
def test_what_is_no_table_with_rows_is_refused(name, rows):
    function, table = CASES[name]
    spoilt = {
        "none": None,
        "no rows": table.head(0),
        "no columns": pl.DataFrame(),
        "a list": [1, 2],
        "a dictionary": {"model": 3},
    }[rows]
    with pytest.raises(UserError, match="table|scores|metrics|effects|rows|boxes|patches"):
        drawn = function(spoilt)
        if name in ("loss_table", "collapse_table", "learning_table"):  # their figures say it
            getattr(F, name.replace("table", "figure"))(drawn)


@EVERY
def test_a_missing_column_is_named_or_not_needed(name):
    function, table = CASES[name]
    for column in table.columns:
        try:
            function(table.drop(column))
        except UserError as error:
            assert f"'{column}'" in str(error) or name == "learning_table"


SPOILT = {
    "text": pl.lit("x"),
    "a list": pl.lit([1, 2]),
    "nothing": pl.lit(None, pl.String),
    "fractions": pl.lit(2.5),
    "negative": pl.lit(-3),
}


@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("column", sorted(WHOLE | {"model", "probe", "unit", "value", "cosine"}))
def test_a_column_of_another_kind_is_named(column, spoilt):
    """Of all figures that have it; `layer` and `head` may be empty."""
    for name, (function, table) in CASES.items():
        if column not in table.columns or name in ("concat_scores", "leaderboard_table"):
            continue
        kind = table[column].dtype
        fine = {"text": kind == pl.String, "nothing": column in OPTIONAL, "fractions":
                kind.is_float(), "negative": kind.is_float()}  # fmt: skip
        if not fine.get(spoilt):
            try:
                function(table.with_columns(SPOILT[spoilt].alias(column)))
            except UserError as error:
                assert column in str(error) and "\n" not in str(error)


HELD = {
    "lists": lambda own: pl.Series([[1, 2]] * len(own)),
    "a gap at the start": lambda own: pl.Series([None, *own[1:]], dtype=own.dtype),
    "a list of names": lambda own: own.cast(pl.Enum(own.drop_nulls().unique().to_list())),
    "decimals": lambda own: own.cast(pl.Decimal(20, 4), strict=False),
    "the largest": lambda own: pl.Series([2**64 - 1] * len(own), dtype=pl.UInt64),
    "infinite": lambda own: pl.Series([float("inf"), *own[1:]]),
    "another": lambda own: pl.Series([own.max() + 7 if own.dtype.is_integer() else "z", *own[1:]]),
}


@EVERY
@pytest.mark.parametrize("held", HELD)
def test_a_table_is_drawn_or_refused_whatever_a_column_holds(name, held):
    function, table = CASES[name]
    for column in table.columns:
        own, text = table[column], table[column].dtype == pl.String
        if text != (held == "a list of names") and held not in ("lists", "another"):
            continue
        if own.dtype in (pl.Boolean, pl.Date) or (held == "another" and own.dtype.is_float()):
            continue
        try:
            function(table.with_columns(HELD[held](own).alias(column)))
        except UserError as error:
            assert "\n" not in str(error)
            assert held != "a list of names", error


NASTY = {  # what all rows of a column may hold; and, one after the other, its rows
    pl.Float64: ([math.nan], [-math.inf, 1e308, 5e-324, None]),
    pl.Int64: ([2**62, 0], [-1, None]),
    pl.String: (["n" * 3000, "<q>x</q>"], ["", "%{x}<br>\n\x1b[2J", None]),
}


@EVERY
def test_a_table_of_nasty_values_is_drawn_or_refused_in_a_sentence(name):
    """And names are never taken for markup."""
    function, table = CASES[name]
    for column, kind in table.schema.items():
        alone, mixed = NASTY.get(kind, ([], [None]))
        for values in (*([value] for value in alone), mixed):
            held = list(islice(cycle(values), len(table)))
            try:
                drawn = function(table.with_columns(pl.Series(column, held, kind)))
            except UserError as error:
                assert "\n" not in str(error) and len(str(error)) < 800
                continue
            if isinstance(drawn, go.Figure) and "<q>x</q>" in values:
                drawn.update_layout(meta=None)  # title and caption as text, for pages
                assert "<q" not in drawn.to_json().replace("\\u003c", "<"), column


@EVERY
@pytest.mark.parametrize("changed", ["twice", "without its first row", "backwards"])
def test_a_table_of_other_rows_is_drawn_or_refused(name, changed):
    function, table = CASES[name]
    rows = {"twice": pl.concat([table, table]), "without its first row": table[1:]}
    try:
        function(rows.get(changed, table.reverse()))
    except UserError as error:
        assert changed != "backwards" and "\n" not in str(error)


def test_protocols_that_were_changed_are_refused():
    changed = SCORES.with_columns(protocol=pl.Series(["z", *SCORES["protocol"][1:]]))
    with pytest.raises(UserError, match="different protocols of .* with the same settings"):
        F.score_table(changed)


@EVERY
def test_one_row_is_drawn_or_refused(name):
    function, table = CASES[name]
    try:
        function(table.head(1))
    except UserError:
        pass


@pytest.mark.parametrize("tables", [(), (SCORES, None), (SCORES, SCORES.drop("unit"))])
def test_tables_that_cannot_be_joined_are_refused(tables):
    with pytest.raises(UserError, match="scores|tables"):
        concat_scores(*tables)


@pytest.mark.parametrize("name", F.__all__)
def test_a_value_of_another_type_is_taken_or_refused_in_one_line(name):
    function, taken = getattr(F, name), arguments()[name]
    function(**taken)
    assert {
        key: found for key in parameters(function) if (found := raw(function, taken, key))
    } == {}


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(
    "name, key",
    [("attention_table", "attention"), ("attention_maps_table", "attention"),
     ("attribution_table", "attribution"), ("components_table", "patches"),
     ("correspondence_table", "points"), ("correspondence_table", "predicted"),
     ("similarity_table", "query"), ("similarity_table", "patches"),
     ("spectrum_table", "eigenvalues")],
)  # fmt: skip
def test_numbers_that_are_not_finite_are_refused(name, key, value):
    function, taken = getattr(F, name), arguments()[name]
    own = taken[key]
    whole = {"m": torch.full((5,), value)} if isinstance(own, dict) else torch.full_like(own, value)
    with pytest.raises(UserError, match=f"{key} .*must be finite|{key} must be finite"):
        function(**taken | {key: whole})


def test_variances_below_zero_are_refused():
    with pytest.raises(UserError, match="eigenvalues of 'm' must be 0 or more, .* one is -1"):
        F.spectrum_table({"m": torch.tensor([-1.0, 2.0])})
    assert len(F.spectrum_table({"m": torch.tensor([-1e-7, 2.0])})) == 2


def test_places_that_do_not_belong_together_are_refused():
    with pytest.raises(UserError, match="rows: give all three for the same patches"):
        F.correspondence_table(POINTS, POINTS[:2], POINTS, (4, 6), (4, 6))
    with pytest.raises(UserError, match="query has 3 numbers and patches have 8"):
        F.similarity_table(TOKENS[0, :3], TOKENS, GRID)
