"""A study in one Markdown file, to be committed beside its tables: what was done, where, and found.

(out / "summary.md").write_text(summary("loss_form", definition, study, scores, compared, out))
"""

import json
from itertools import chain
from pathlib import Path
from typing import Any

import optuna
import polars as pl
from optuna.trial import TrialState

from siamlab.figure.scores import interval
from siamlab.probe.suite import PARTS
from siamlab.study.definition import SCORES, Fixed, Study
from siamlab.study.statistics import counted, means
from siamlab.study.storage import latest

# probes of the table of means: the scores, their parts, and what a full suite has besides
SHOWN = (*SCORES, *chain(*PARTS.values()), "few_shot_5", "long_tail", "robustness", "segmentation")


def summary(
    name: str,
    definition: Study,
    study: optuna.Study,
    scores: pl.DataFrame,
    compared: pl.DataFrame | None,
    out: Path,
) -> str:
    """Question, circumstances, verdicts, and the means with their intervals."""
    parts = [f"# {name}", definition.question, circumstances(definition, study, out)]
    if compared is not None:
        found = compared.filter(pl.col("probe").is_in(SCORES))["sentence"]
        parts += ["## Verdicts", "\n".join(f"- {sentence}" for sentence in found)]
    about = "Mean over seeds [95 % Student-t interval]; every probe is in `means.parquet`."
    parts += ["## Means", about, markdown(means_table(scores, getattr(definition, "seeds", 1)))]
    return "\n\n".join(parts) + "\n"


def circumstances(definition: Study, study: optuna.Study, out: Path) -> str:
    """Runs, sizes, versions, machine and dates."""
    done = [t for t in latest(study) if t.state == TrialState.COMPLETE]
    versions = study.user_attrs["about"]["versions"]
    dates = sorted({str(t.datetime_complete.date()) for t in done})
    lines = [
        f"{len(done)} of {len(latest(study))} trials are complete; probes: the {definition.suite} "
        f"suite, {definition.images:,} training images{held_out(definition)}.",
        *([sizes(definition)] if isinstance(definition, Fixed) else []),
        ", ".join(f"{package} {number}" for package, number in versions.items())
        + f"; {machine(out)}; {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}.",
    ]
    return "\n\n".join(lines)


def held_out(definition: Study) -> str:
    """Which images the probes test on, where these are not the test images."""
    share = definition.held_out
    return f", tested on {share:.1%} of the training images, held out" if share else ""


def sizes(definition: Fixed) -> str:
    """What a run is made of, from the first."""
    run = definition.points()[0].run
    images = run.steps * run.batch
    return (
        f"Each run: {run.steps:,} steps of {run.batch} images ({images:,}) of `{run.data.kind}`, "
        f"views of {run.size[0]} × {run.size[1]} pixels, {run.grid[0]} × {run.grid[1]} patches, "
        f"{definition.seeds} seeds."
    )


def machine(out: Path) -> str:
    """The processors and GPUs of the runs that are here, and what they computed in."""
    found = {}
    for file in sorted(out.glob("runs/*/environment.json")):
        about = json.loads(file.read_text())
        cores = f", {about['cores']} cores" if "cores" in about else ""
        gpu = "no GPU" if about["gpu"] == "none" else about["gpu"]
        used = dict.fromkeys(about.get("precision", {}).values())
        precision = f", {' and '.join(used)}" if used else ""
        found[f"{about['processor']}{cores}, {gpu}{precision}"] = None
    return "; ".join(found) or "machine unknown"


def means_table(scores: pl.DataFrame, seeds: int = 0) -> pl.DataFrame:
    """A row a configuration: seeds, then each score and its parts with its interval.

    A number from fewer seeds than the study has says so; 0: as many as any configuration has.
    """
    rows = means(scores).filter(pl.col("probe").is_in(SHOWN))
    most = pl.col("seeds").max().over("point")
    table = rows.with_columns(most=most, title=pl.col("title").str.split(":").list[0])
    cells = [_cell(row) for row in table.iter_rows(named=True)]
    said = [counted(n, seeds or table["most"].max()) for n in table["most"]]
    table = table.with_columns(text=pl.Series(cells), seeds=pl.Series(said))
    return table.pivot("title", index=["point", "seeds"], values="text")


def _cell(row: dict[str, Any]) -> str:
    """A mean and its interval, and its seeds where the configuration has more for other probes."""
    text = interval(row | {"value": row["mean"]}, 3)
    return f"{text} ({row['seeds']} seeds)" if row["seeds"] < row["most"] else text


def markdown(table: pl.DataFrame) -> str:
    """A table of text in Markdown."""
    rows = [
        table.columns,
        ["---"] * table.width,
        *([str(cell) for cell in r] for r in table.rows()),
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
