"""Answers in words, made from the numbers: the last cells of the notebooks, and the demo's report.

answer(ranking(scores, "semantic"), below(scores))      # "**Answer.** Semantic score: mae (0.42)…"

A sentence written by hand holds for the models it was written about; these hold for any.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import polars as pl

from siamlab import zoo
from siamlab.component import UserError
from siamlab.figure.scores import SUMMARY, compared, decimals, interval, number, whole_models
from siamlab.probe.spectrum import LEAST_RANK

if TYPE_CHECKING:
    from IPython.display import Markdown

BELOW = "Below the untrained network: {models}."
ALIKE, APART = 0.7, 0.3  # rank correlations above and below which methods agree or do not
TOLD = {  # what the heads of a model do, in the probes of attention that `attention_ranges` reads
    "attention_distance": "look {low:.1f} to {high:.1f} pixels away on average",
    "attention_nmi": "depend on the query with NMI {low:.2f} to {high:.2f}",
}


def answer(*sentences: str) -> "Markdown":
    """Return the sentences as one paragraph that a notebook shows; empty ones are left out."""
    from IPython.display import Markdown

    return Markdown(f"**Answer.** {' '.join(filter(None, sentences))}")


def ranking(scores: pl.DataFrame, probe: str) -> str:
    """Return a sentence that lists the models by a probe, the best first, with their values.

    "Spatial score: a (0.49), then b (0.35) and c (0.34).": a neighbour follows "then" if the two
    intervals share no point, and "and" if they do; without intervals, always "then". Where
    neither side is better, the largest value is first.

    Raises UserError if no model has a value of the probe.
    """
    rows = _valued(whole_models(scores), probe)
    lower = rows["direction"][0] == "lower"
    rows = rows.sort("value", descending=not lower, maintain_order=True)
    places = max(2, decimals(rows))
    groups: list[list[str]] = []
    before = None
    for row in rows.iter_rows(named=True):
        named = f"{row['model']} ({_typeset(row['value'], places)})"
        if before and compared(before, row) == "overlap":
            groups[-1].append(named)
        else:
            groups.append([named])
        before = row
    return f"{rows['title'][0].partition(':')[0]}: {', then '.join(map(listed, groups))}."


def listed(names: Sequence[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def leader(scores: pl.DataFrame) -> str:
    """Return a sentence that names the trained model with the highest value of each score.

    It adds on which scores the interval of that model overlaps that of another trained one.
    """
    best, overlapping = {}, []
    for name in SUMMARY:
        rows = scores.filter(scores["probe"] == name, scores["model"] != zoo.REFERENCE)
        rows = rows.sort("value", descending=True)
        best[name] = rows["model"][0]
        if any(high >= rows["low"][0] for high in rows["high"][1:]):
            overlapping.append(f"the {name} score")
    if len(set(best.values())) == 1:
        parts = [f"{best[SUMMARY[0]]} is the highest on both scores"]
    else:
        parts = [f"{model} is the highest on the {name} score" for name, model in best.items()]
    where = " and ".join(overlapping)
    caution = f", though on {where} its interval overlaps another model's" if where else ""
    return f"{' and '.join(parts)}{caution}."


def below(scores: pl.DataFrame) -> str:
    """Return a sentence that names the models below the untrained network; "" if there are none."""
    lower = []
    for name in SUMMARY:
        value = dict(scores.filter(scores["probe"] == name).select("model", "value").rows())
        start = value.pop(zoo.REFERENCE, float("-inf"))
        if low := [f"{model} ({v:.2f})" for model, v in value.items() if v < start]:
            lower.append(f"{', '.join(low)} on the {name} score (untrained: {start:.2f})")
    return BELOW.format(models=" and ".join(lower)) if lower else ""


def above_chance(scores: pl.DataFrame, probe: str) -> str:
    """Return a sentence for each model: whether its interval lies above the probe's chance level.

    Raises UserError if no model has a value of the probe.
    """
    rows = _valued(whole_models(scores), probe)
    return " ".join(
        f"{row['title'].partition(':')[0]} of {row['model']}: {interval(row, 2)}, {_where(row)} "
        f"chance ({number(row['chance'], 2)})."
        for row in rows.to_dicts()
    )


def attention_ranges(scores: pl.DataFrame) -> str:
    """Return how far the heads of each model look, and how much they depend on the query.

    Each range is from the least head to the largest one of all blocks. Raises UserError if no
    model has rows of single heads.
    """
    heads = scores.filter(pl.col("head").is_not_null(), pl.col("probe").is_in(list(TOLD)))
    if heads.is_empty():
        raise UserError("scores has no rows of single heads; probe with Suite(…, by_layer=True)")
    return " ".join(_of_heads(heads))


def collapsed(scores: pl.DataFrame) -> str:
    """Return which models have collapsed, by their RankMe. Raises UserError if none has one."""
    rows = _valued(whole_models(scores), "rankme")
    if flat := rows.filter(pl.col("value") < LEAST_RANK)["model"].to_list():
        return f"{', '.join(flat)} collapsed (RankMe below {LEAST_RANK:.0f})."
    return f"No model has collapsed: RankMe is {math.floor(rows['value'].min())} or more."


def last_layers(pairs: Sequence[Mapping[str, Any]]) -> str:
    """Return which two models' last layers are most and least alike; `pairs` is of `cka_pairs`.

    "" for a single model.
    """
    last: dict[str, int] = {}
    for pair in pairs:
        last[pair["model"]] = max(last.get(pair["model"], 0), pair["layer"])
    found = [
        pair
        for pair in pairs
        if pair["model"] != pair["other_model"]
        and pair["layer"] == last[pair["model"]]
        and pair["other_layer"] == last[pair["other_model"]]
    ]
    found = sorted(found, key=lambda pair: -pair["cka"])
    if not found:
        return ""
    most, least = (f"{p['model']} and {p['other_model']} (CKA {p['cka']:.2f})" for p in
                   (found[0], found[-1]))  # fmt: skip
    if len(found) == 1:
        return f"Last layers: {most}."
    return f"Of the last layers, those of {most} are most alike and those of {least} least."


def agreement(maps: Mapping[str, Mapping[str, pl.DataFrame]]) -> str:
    """Return how far the attributions of one model agree between methods: their rank correlation.

    `maps` gives each model's tables of patches by method, as `attribution_maps` returns them. Maps
    without variation, which have no ranks, are left out; "" if there are no two maps of a model.
    """
    from scipy import stats

    pairs = [
        stats.spearmanr(a["attribution"], b["attribution"]).statistic
        for tables in maps.values()
        for a, b in combinations(tables.values(), 2)
        if a["attribution"].n_unique() > 1 and b["attribution"].n_unique() > 1
    ]
    if not pairs:
        return ""
    mean = sum(pairs) / len(pairs)
    far = "largely agree" if mean > ALIKE else "agree in part" if mean > APART else "hardly agree"
    shown, low, high = (_typeset(value, 2) for value in (mean, min(pairs), max(pairs)))
    return (
        f"Methods of attribution {far}: the rank correlation over patches between two of them on "
        f"one model is {shown} on average ({low} to {high})."
    )


def _of_heads(heads: pl.DataFrame) -> Iterator[str]:
    for (model,), rows in heads.group_by("model", maintain_order=True):
        told = []
        for probe, words in TOLD.items():
            values = rows.filter(pl.col("probe") == probe)["value"]
            if len(values):
                told.append(words.format(low=values.min(), high=values.max()))
        yield f"The heads of {model} {' and '.join(told)}."


def _where(row: Mapping[str, Any]) -> str:
    """Return the words for where an interval lies from chance."""
    if row["low"] > row["chance"]:
        return "above"
    return "below" if row["high"] < row["chance"] else "not told from"


def _typeset(value: float, places: int) -> str:
    """Return the number with a minus sign, not a hyphen."""
    return number(value, places).replace("-", "−")


def _valued(rows: pl.DataFrame, probe: str) -> pl.DataFrame:
    found = rows.filter(pl.col("probe") == probe, pl.col("value").is_finite())
    if found.is_empty():
        raise UserError(f"scores has no value of {probe}; add this probe to the suite")
    return found
