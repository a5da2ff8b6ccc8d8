"""Write the tables of docs/results.md from studies/results; `make docs` runs it.

The plane is drawn by docs/pictures.py.
"""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import polars as pl

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

from siamlab.explore.scene import decimal  # noqa: E402
from siamlab.figure.scores import SUMMARY, undominated  # noqa: E402
from siamlab.study.statistics import effects, means  # noqa: E402
from siamlab.study.trials_file import read_trials  # noqa: E402

RESULTS = HERE.parent / "studies" / "results"
NAMES = {
    "siameseim": "SiameseIM",
    "mae": "MAE",
    "moco_v3": "MoCo-v3",
    "simmim": "SimMIM",
    "byol": "BYOL",
    "ijepa": "I-JEPA",
    "dense_byol": "dense BYOL",
}
PAIRS = (("MAE", "SiameseIM"), ("MoCo-v3", "SiameseIM"), ("MAE", "MoCo-v3"))  # the paper's order
FEWEST = 3  # seeds from which on a difference is judged and a method is in the plane
SHOWN = {
    "semantic": "semantic score",
    "spatial": "spatial score",
    "knn": "k-NN %",
    "linear": "linear %",
    "few_shot_5": "5 labels per class %",
    "long_tail": "long tail %",
    "robustness": "corrupted %",
    "correspondence_centred": "correspondence %",
}
QUICK = ("semantic", "spatial", "knn", "linear", "correspondence_centred")  # those of a path
HARD = {"few_shot_5": "few labels", "long_tail": "a long tail", "robustness": "corruption"}


def scores(study: str = "headline") -> pl.DataFrame:
    """Return point, seed and probes of a study's finished trials, in the order of its points."""
    trials = read_trials(RESULTS / f"{study}.jsonl")
    points = (
        NAMES if study == "headline" else {label: label for label in trials.header.about["points"]}
    )
    rows = [
        {"point": points.get(record.point, record.point), "seed": record.seed} | value.model_dump()
        for record in trials.records
        for value in record.scores
    ]
    order = {name: i for i, name in enumerate(points.values())}
    place = pl.col("point").replace_strict(order, default=len(order), return_dtype=pl.Int64)
    return pl.DataFrame(rows, infer_schema_length=None).sort(place, "seed", maintain_order=True)


def seeds(table: pl.DataFrame) -> dict[str, int]:
    """Return the number of seeds of each point."""
    return dict(table.group_by("point").agg(pl.col("seed").n_unique()).iter_rows())


def several(table: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of points with enough seeds to be judged."""
    return table.filter(pl.col("seed").n_unique().over("point") >= FEWEST)


def plane_rows() -> pl.DataFrame:
    """Return the means over seeds with their intervals, as `figure.plane_figure` takes them."""
    found = means(several(scores()))
    sides = [
        found.filter(pl.col("probe") == name).select(
            pl.col("point").alias("model"),
            *(pl.col(a).alias(b) for a, b in zip(
                ("mean", "low", "high"), (name, f"{name}_low", f"{name}_high"), strict=True
            )),
        )
        for name in SUMMARY
    ]  # fmt: skip
    table = sides[0].join(sides[1], on="model", maintain_order="left")
    return table.with_columns(front=pl.Series(undominated(table.select(SUMMARY).to_numpy())))


def plane_title() -> str:
    counts = sorted(seeds(several(scores())).values())
    of = f"{counts[0]} seeds" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]} seeds"
    return f"{len(counts)} methods on photographs, mean of {of}"


def gains() -> pl.DataFrame:
    """Return what SiameseIM gains over each other method, by seed: each task is a point."""
    wide = scores().pivot("point", index=["probe", "seed"], values="value")
    about = {"unit": "share of images", "direction": "higher"}
    rows = [
        {"point": row["probe"], "seed": row["seed"], "probe": other, "title": f"gain over {other}",
         "value": row["SiameseIM"] - row[other]} | about
        for row in wide.filter(pl.col("probe").is_in(["linear", *HARD])).iter_rows(named=True)
        for other in ("MAE", "MoCo-v3")
        if row["SiameseIM"] is not None and row[other] is not None
    ]  # fmt: skip
    return pl.DataFrame(rows)


def extra_gains() -> pl.DataFrame:
    """Return how much more SiameseIM gains on each hard task than by a linear probe on all labels.

    The rows of `effects`; intervals are corrected for all tasks and both other methods.
    """
    pairs = [("linear", task) for task in HARD]
    return effects(gains(), pairs, family=("MAE", "MoCo-v3"))


def headline_section() -> str:
    """Return the tables of the headline study as Markdown."""
    table = scores()
    whole = several(table)["point"].unique(maintain_order=True)
    others = [(name, "SiameseIM") for name in whole if name not in sum(PAIRS, ())]
    head = ["", "semantic score", "spatial score"]
    parts = [
        "Mean over seeds and its 95 % Student-t interval:\n",
        mean_table("", table, SHOWN),
        "Differences of the paper's three methods, seed by seed, with intervals that hold together "
        "(Bonferroni):\n",
        markdown(head, difference_rows(table, PAIRS)),
    ]
    if others:
        parts += ["SiameseIM against the other methods, likewise:\n",
                  markdown(head, difference_rows(table, others))]  # fmt: skip
    parts += [
        "What SiameseIM gains, in percentage points: on all labels by the linear probe, and how "
        "much more than that on each harder task (intervals hold together):\n",
        markdown(["", "linear", *HARD.values()], gain_rows()),
    ]
    return "\n".join(parts)


def configurations_section(study: str) -> str:
    """Return the tables of a study's finished configurations as Markdown."""
    table = scores(study)
    word = "step" if kind(study) == "path" else "choice"
    parts = [
        f"Mean over seeds and its 95 % Student-t interval, {word} by {word}:\n",
        mean_table(word, table, QUICK),
        f"What each {word} changes, seed by seed, with intervals that hold together "
        "(Bonferroni):\n",
        markdown(["", "semantic score", "spatial score"], difference_rows(table, pairs(study))),
    ]
    return "\n".join(parts)


def pairs(study: str) -> list[tuple[str, str]]:
    """Return what is compared: steps of a path with the one before, choices with the first."""
    points = scores(study)["point"].unique(maintain_order=True).to_list()
    if kind(study) == "path":
        return list(pairwise(points))
    return [(points[0], other) for other in points[1:]]


def kind(study: str) -> str:
    return read_trials(RESULTS / f"{study}.jsonl").header.about["kind"]


def mean_table(head: str, table: pl.DataFrame, probes: Iterable[str]) -> str:
    """Return number of seeds, means and intervals of each point as Markdown."""
    counts = seeds(table)
    rows = ([point, str(counts[point]), *rest] for point, *rest in mean_rows(table, probes))
    return markdown([head, "seeds", *(SHOWN[probe] for probe in probes)], rows)


def mean_rows(table: pl.DataFrame, probes: Iterable[str]) -> Iterator[list[str]]:
    found = {(row["point"], row["probe"]): row for row in means(table).iter_rows(named=True)}
    for point in table["point"].unique(maintain_order=True):
        rows = [found[point, probe] for probe in probes]
        scales = [1 if probe in SUMMARY else 100 for probe in probes]
        yield [
            point,
            *(spread(row["mean"], row["low"], row["high"], scale)
              for row, scale in zip(rows, scales, strict=True)),
        ]  # fmt: skip


def difference_rows(
    table: pl.DataFrame, compared: Sequence[tuple[str, str]]
) -> Iterator[list[str]]:
    found = effects(table, compared)
    for base, point in compared:
        both = found.filter(pl.col("base") == base, pl.col("point") == point)
        rows = [both.row(by_predicate=pl.col("probe") == name, named=True) for name in SUMMARY]
        yield [f"{point} against {base}", *map(verdict, rows)]


def gain_rows() -> Iterator[list[str]]:
    plain, extra = means(gains()), extra_gains()
    for other in ("MAE", "MoCo-v3"):
        linear = plain.row(
            by_predicate=(pl.col("point") == "linear") & (pl.col("probe") == other), named=True
        )
        rows = extra.filter(pl.col("probe") == other).iter_rows(named=True)
        yield [
            f"over {other}",
            spread(linear["mean"], linear["low"], linear["high"], 100),
            *(verdict(row, 100) for row in rows),
        ]


def verdict(row: dict, scale: float = 1) -> str:
    """Return a difference with its interval and verdict."""
    return f"{difference(row, scale)} {row['verdict']}"


def difference(row: dict, scale: float = 1) -> str:
    """Return a difference with its interval."""
    return spread(row["difference"], row["wide_low"], row["wide_high"], scale, sign="+")


def spread(value: float, low: float, high: float, scale: float = 1, sign: str = "") -> str:
    """Return a value with its interval, of which one seed has none."""
    digits = 1 if scale > 1 else 3
    shown, low_shown, high_shown = (
        decimal(scale * n, f"{sign}.{digits}f") for n in (value, low, high)
    )
    return shown if math.isnan(low) else f"{shown} [{low_shown}, {high_shown}]"


def markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    """Return a table as Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


SECTIONS: dict[str, Callable[[], str]] = {
    "headline": headline_section,
    "id_to_siameseim": partial(configurations_section, "id_to_siameseim"),
    "mim_to_siameseim": partial(configurations_section, "mim_to_siameseim"),
    "positional_embedding": partial(configurations_section, "positional_embedding"),
}


def with_results(page: str) -> str:
    """Return the page with each study's tables between its marks."""
    for study, section in SECTIONS.items():
        page = between(page, f"{study}: {{}} docs/build_results.py", section())
    return page


def between(page: str, mark: str, text: str) -> str:
    """Return the page with text between the comments that `mark` makes of two words."""
    first, last = (f"<!-- {mark.format(what)} -->\n" for what in ("written by", "end of"))
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {first.strip()} and {last.strip()}")
    return f"{before}{begin}\n{text}\n{end}{after}"


if __name__ == "__main__":
    path = HERE / "results.md"
    path.write_text(with_results(path.read_text("utf-8")), "utf-8")
