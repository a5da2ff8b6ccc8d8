"""Answers in words: they follow the numbers, whatever models these are of."""

import polars as pl
import pytest
from test_demo import scored

from siamlab.component import UserError
from siamlab.figure.scores import COLUMNS
from siamlab.report import answers


def table(probe="spatial", direction="higher", title="Spatial score: correspondence", **values):
    """Scores of whole models: a value, or value, low and high."""
    rows = []
    for model, value in values.items():
        value, low, high = value if isinstance(value, tuple) else (value, value, value)
        row = dict.fromkeys(COLUMNS) | {"model": model, "probe": probe, "title": title}
        row |= {"value": value, "low": low, "high": high, "direction": direction}
        row |= {"property": "spatial", "protocol": "0"}
        rows.append(row | {"chance": 0.1, "ceiling": 1.0, "unit": "", "settings": ""})
    return pl.DataFrame(rows, infer_schema_length=None)


def heads(**values):
    """Rows of single heads: model and probe, joined by two underscores, to the values."""
    frames = []
    for key, row in values.items():
        model, _, probe = key.partition("__")
        for head, value in enumerate(row):
            one = table(probe, **{model: value})
            frames.append(one.with_columns(layer=pl.lit(1), head=pl.lit(head)))
    return pl.concat(frames, how="vertical_relaxed")


def test_a_ranking_says_then_only_where_intervals_are_apart():
    spans = {"mae": 0.35, "best": 0.5, "close": 0.36, "closer": 0.355}
    scores = table(**{name: (v, v - 0.02, v + 0.02) for name, v in spans.items()})
    assert answers.ranking(scores, "spatial") == (
        "Spatial score: best (0.50), then close (0.36), closer (0.35) and mae (0.35)."
    )
    assert (
        answers.ranking(scores.head(2), "spatial") == "Spatial score: best (0.50), then mae (0.35)."
    )
    assert answers.ranking(scores.head(1), "spatial") == "Spatial score: mae (0.35)."


def test_a_ranking_begins_with_the_lowest_where_low_is_good():
    scores = table("rmse", "lower", "Depth error", a=(2.0, 1.9, 2.1), b=(1.0, 0.9, 1.1))
    assert answers.ranking(scores, "rmse") == "Depth error: b (1.00), then a (2.00)."


def test_a_negative_value_has_a_minus_sign():
    scores = table("fourier", "neither", "Fourier", a=-2.5, b=-1.5)
    assert answers.ranking(scores, "fourier") == "Fourier: b (−1.50), then a (−2.50)."


def test_a_ranking_of_no_value_is_refused():
    for scores in (table(), table(mae=float("nan"))):
        with pytest.raises(UserError, match="no value of knn; add this probe|scores"):
            answers.ranking(scores if len(scores) else table(mae=1.0), "knn")


def test_a_model_is_said_to_be_above_chance_only_with_its_whole_interval():
    scores = table(up=(0.3, 0.2, 0.4), level=(0.12, 0.08, 0.16), down=(0.02, 0.01, 0.03))
    told = answers.above_chance(scores, "spatial")
    assert "of up: 0.30 [0.20, 0.40], above chance (0.10)." in told
    assert "of level: 0.12 [0.08, 0.16], not told from chance (0.10)." in told
    assert "of down: 0.02 [0.01, 0.03], below chance (0.10)." in told


def test_the_heads_of_a_model_are_told_from_the_least_to_the_largest():
    scores = heads(
        mae__attention_distance=(14.0, 8.0), mae__attention_nmi=(0.1, 0.48),
        far__attention_distance=(17.0, 16.0),
    )  # fmt: skip
    assert answers.attention_ranges(scores) == (
        "The heads of mae look 8.0 to 14.0 pixels away on average and depend on the query with "
        "NMI 0.10 to 0.48. The heads of far look 16.0 to 17.0 pixels away on average."
    )
    with pytest.raises(UserError, match="no rows of single heads"):
        answers.attention_ranges(table(mae=0.1))


def test_a_collapsed_model_is_named():
    flat = table("rankme", "higher", "RankMe", a=12.9, b=1.4)
    assert answers.collapsed(flat) == "b collapsed (RankMe below 2)."
    whole = table("rankme", "higher", "RankMe", a=12.9, b=19.0)
    assert answers.collapsed(whole) == "No model has collapsed: RankMe is 12 or more."


def pair(model, layer, other, other_layer, cka):
    return dict(model=model, layer=layer, other_model=other, other_layer=other_layer, cka=cka)


def test_only_last_layers_of_different_models_are_compared():
    own = [pair(m, i, m, i, 1.0) for m in "abc" for i in (1, 2)]
    across = [
        pair("a", 2, "b", 2, 0.8), pair("a", 2, "c", 2, 0.3), pair("b", 2, "c", 2, 0.5),
        pair("a", 1, "b", 1, 0.99), pair("a", 1, "b", 2, 0.01),
    ]  # fmt: skip
    assert answers.last_layers([*own, *across]) == (
        "Of the last layers, those of a and b (CKA 0.80) are most alike and those of a and c "
        "(CKA 0.30) least."
    )
    assert answers.last_layers([*own, pair("a", 2, "b", 2, 0.8)]) == (
        "Last layers: a and b (CKA 0.80)."
    )
    assert answers.last_layers(own[:2]) == ""


def patches(*values):
    return pl.DataFrame({"attribution": list(map(float, values))})


def test_the_agreement_of_methods_is_a_rank_correlation():
    maps = {"a": {"x": patches(1, 2, 3), "y": patches(10, 20, 90), "z": patches(3, 2, 1)}}
    assert answers.agreement(maps) == (
        "Methods of attribution hardly agree: the rank correlation over patches between two of "
        "them on one model is −0.33 on average (−1.00 to 1.00)."
    )
    same = {"a": {name: patches(1, 2, 3) for name in "xy"}}
    assert "largely agree" in answers.agreement(same)
    assert answers.agreement({"a": {"x": patches(1, 2), "y": patches(4, 4)}}) == ""


def test_an_answer_is_one_paragraph_without_what_there_is_nothing_to_say_about():
    shown = answers.answer("First.", answers.below(scored(untrained=0.1, mae=0.2)), "Last.")
    assert shown.data == "**Answer.** First. Last."
