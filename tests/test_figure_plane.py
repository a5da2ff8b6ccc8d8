"""The plane's table by value, its Pareto front against a plain loop, and labels that stay apart."""

import numpy as np
import polars as pl
import pytest

from siamlab.component import UserError
from siamlab.figure.labels import covered, place_labels
from siamlab.figure.plane import MARGIN, WIDTHS, plane_figure, plane_table
from siamlab.figure.template import LETTER


def scores(points):
    """The long table of models {name: (semantic, spatial)}, each with an interval of ± 0.02."""
    rows = [
        dict(model=model, probe=probe, property=probe, value=value, low=value - 0.02,
             high=value + 0.02, chance=0.0, ceiling=1.0, unit="score", direction="higher",
             layer=None, head=None, title=probe, protocol="p", settings="{}")
        for model, place in points.items()
        for probe, value in zip(("semantic", "spatial"), place, strict=True)
    ]  # fmt: skip
    return pl.DataFrame(rows)


MODELS = {"mae": (0.3, 0.6), "moco": (0.5, 0.4), "mixed": (0.4, 0.5), "untrained": (0.1, 0.45)}


def test_a_row_holds_both_scores_with_their_intervals():
    table = plane_table(scores(MODELS))
    assert table.columns == ["model", "semantic", "semantic_low", "semantic_high", "spatial",
                             "spatial_low", "spatial_high", "front"]  # fmt: skip
    assert table.row(1) == pytest.approx(("moco", 0.5, 0.48, 0.52, 0.4, 0.38, 0.42, True))
    assert dict(zip(table["model"], table["front"], strict=True)) == {
        "mae": True, "moco": True, "mixed": True, "untrained": False}  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_what_no_other_model_beats(seed):
    places = np.random.default_rng(seed).integers(0, 6, (12, 2)) / 10  # with ties
    table = plane_table(scores({f"m{i}": tuple(place) for i, place in enumerate(places)}))
    for (x, y), front in zip(places, table["front"], strict=True):
        beaten = any(a >= x and b >= y and (a > x or b > y) for a, b in places)
        assert front == (not beaten)


def test_other_probes_and_models_without_both_scores_are_left_out():
    half = scores({"half": (0.2, 0.2)}).filter(pl.col("probe") == "semantic")
    other = scores({"mae": (0.9, 0.9)}).with_columns(probe=pl.lit("kNN") + pl.col("probe"))
    broken = scores({"broken": (float("nan"), 0.5)})
    table = plane_table(pl.concat([scores(MODELS), half, other, broken]))
    assert table["model"].to_list() == list(MODELS)
    with pytest.raises(UserError, match="no model with both"):
        plane_table(half)


def test_the_front_is_drawn_as_steps_through_its_points():
    figure = plane_figure(plane_table(scores(MODELS)))
    steps = next(trace for trace in figure.data if trace.line.dash == "dash")
    assert steps.x[1:] == (0.3, 0.3, 0.4, 0.4, 0.5, 0.5)
    assert steps.y[:-1] == (0.6, 0.6, 0.5, 0.5, 0.4, 0.4)
    assert steps.x[0] == figure.layout.xaxis.range[0]
    assert steps.y[-1] == figure.layout.yaxis.range[0]


def test_whiskers_reach_the_ends_of_the_interval():
    row = {"semantic": (0.3, 0.25, 0.45), "spatial": (0.6, 0.58, 0.61)}
    ends = ("value", "low", "high")
    table = scores({"mae": (0.3, 0.6)}).with_columns(
        pl.col("probe").replace_strict({p: v[i] for p, v in row.items()}).alias(end)
        for i, end in enumerate(ends)
    )
    point = next(trace for trace in plane_figure(plane_table(table)).data if trace.name == "mae")
    assert (point.x, point.y) == ((0.3,), (0.6,))
    assert point.error_x.array[0] == pytest.approx(0.15)
    assert point.error_x.arrayminus[0] == pytest.approx(0.05)
    assert point.error_y.array[0] == pytest.approx(0.01)
    assert point.error_y.arrayminus[0] == pytest.approx(0.02)


def test_the_untrained_network_has_its_own_marker():
    figure = plane_figure(plane_table(scores(MODELS)))
    marker = {trace.name: trace.marker for trace in figure.data}
    assert marker["untrained"].symbol == "diamond-open"
    assert {marker[name].symbol for name in ("mae", "moco", "mixed")} == {"circle"}
    assert len({marker[name].color for name in MODELS}) == 4


def test_an_arrow_leads_from_one_model_to_another():
    figure = plane_figure(plane_table(scores(MODELS)), arrows=[("mae", "mixed")])
    arrow = next(note for note in figure.layout.annotations if note.axref == "x")
    assert (arrow.ax, arrow.ay, arrow.x, arrow.y) == (0.3, 0.6, 0.4, 0.5)
    with pytest.raises(UserError, match="no model 'mea'; did you mean 'mae'"):
        plane_figure(plane_table(scores(MODELS)), arrows=[("mea", "mixed")])


def test_a_name_is_shown_as_it_is():
    figure = plane_figure(plane_table(scores({"<b>x</b>": (0.1, 0.2)})))
    assert "&lt;b&gt;x&lt;/b&gt;" in [note.text for note in figure.layout.annotations]


@pytest.mark.parametrize("seed", [0, 3])
def test_no_name_stands_on_the_line_of_chance(seed):
    places = np.random.default_rng(seed).uniform((0.02, 0.4), (0.3, 0.6), (6, 2)).round(2)
    found = {f"a long name, number {i}": (x, y) for i, (x, y) in enumerate(places)}
    figure = plane_figure(plane_table(scores(found | {"best": (0.9, 0.7)})))
    names = [note for note in figure.layout.annotations if note.text in found]
    low, high = figure.layout.xaxis.range
    assert len(names) == 6 and low < 0
    for width in WIDTHS:
        scale = (width - MARGIN["l"] - MARGIN["r"]) / (high - low)  # pixels per unit
        for note in names:
            assert abs(note.x * scale + note.ax) > LETTER * len(note.text) / 2, note.text


@pytest.mark.parametrize("spread", [0, 20, 200])
@pytest.mark.parametrize("seed", range(3))
def test_no_label_covers_another_at_any_width(seed, spread):
    rng = np.random.default_rng(seed)
    base, sizes = rng.uniform(0, 1, (8, 2)) * spread + 150, rng.uniform((30, 16), (140, 48), (8, 2))
    points = np.stack([base * (stretch, 1) for stretch in (1, 1.4, 2)])
    areas = np.array([[0, 0, 520 * stretch, 400] for stretch in (1, 1.4, 2)])
    dots = np.concatenate([points - 7, points + 7], axis=2)
    centres = points + place_labels(points, sizes, dots, areas)
    boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=2)
    for width, area in zip(boxes, areas, strict=True):
        for i in range(8):
            assert covered(width[i], np.delete(width, i, axis=0)).max() == 0
            assert covered(width[i : i + 1], area).sum() == pytest.approx(sizes[i].prod())
