"""A study in one Markdown file, to be committed beside its tables: what was done, where, and found.

(out / "summary.md").write_text(summary("loss_form", definition, study, scores, compared, out))
"""

from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import optuna
import polars as pl
from optuna.trial import FrozenTrial, TrialState

from siamlab.figure.scores import interval
from siamlab.probe.suite import PARTS
from siamlab.study.definition import SCORES, Fixed, Study
from siamlab.study.plan import released
from siamlab.study.statistics import counted, means
from siamlab.study.storage import latest
from siamlab.study.trial import environment_of
from siamlab.train import Folder

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
    told = [environment(trial, out) for trial in done]
    dates = sorted({finished(trial) for trial in done})
    lines = [
        f"{len(done)} of {len(latest(study))} trials are complete; probes: the {definition.suite} "
        f"suite, {definition.images:,} training images{held_out(definition)}.",
        *([sizes(definition)] if isinstance(definition, Fixed) else []),
        ", ".join(f"{package} {number}" for package, number in versions.items())
        + f"{other_versions(told, versions)}; {machine(told)}; "
        + f"{' to '.join(dict.fromkeys([dates[0], dates[-1]]))}.",
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


def environment(trial: FrozenTrial, out: Path) -> dict[str, Any]:
    """Where a trial ran, from its record or, of older ones, its folder; {} if neither tells."""
    kept, folder = (trial.user_attrs.get(key) for key in ("environment", "folder"))
    return kept or environment_of(Folder(out / "runs" / (folder or "-")))


def finished(trial: FrozenTrial) -> str:
    """The date, as 2026-11-28; of one that was taken in, that of its own machine."""
    return trial.user_attrs.get("environment", {}).get("finished") or str(
        trial.datetime_complete.date()
    )


def other_versions(told: list[dict[str, Any]], versions: dict[str, str]) -> str:
    """How many trials ran by other versions than those that the study was made by."""
    found, mine = Counter(), released(versions)
    for about in told:
        packages = about.get("packages", {}) | {"siamlab": about.get("siamlab")}
        theirs = released({name: packages.get(name) or versions[name] for name in versions})
        others = [f"{name} {theirs[name]}" for name in versions if theirs[name] != mine[name]]
        found[", ".join(others)] += 1
    named = [(name, many) for name, many in sorted(found.items()) if name]
    return "".join(f" ({many} trial{'s' * (many > 1)} by {name})" for name, many in named)


def machine(told: list[dict[str, Any]]) -> str:
    """The processors and GPUs of the trials that say so, and what they computed in."""
    found = {}
    for about in [about for about in told if "processor" in about]:
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
