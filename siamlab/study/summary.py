"""A summary of a study in one Markdown file, to be committed with its tables of results.

text = summary("loss_form", definition, study, scores, compared, out)     # summary.md
"""

import re
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import optuna
import polars as pl
from optuna.trial import FrozenTrial, TrialState

from siamlab.figure.scores import interval
from siamlab.probe.suite import PARTS
from siamlab.study.claims import latest_attempts
from siamlab.study.definition import SCORES, FixedStudy, Study
from siamlab.study.description import release_numbers
from siamlab.study.statistics import means
from siamlab.study.trial import environment_of
from siamlab.study.verdicts import of_seeds
from siamlab.train import RunFolder

# probes of the table of means: the scores, their parts, and the further ones of a full suite
SHOWN = (*SCORES, *chain(*PARTS.values()), "few_shot_5", "long_tail", "robustness", "segmentation")

# signs that mean something to Markdown where they stand
SIGNS = re.compile(r"[`*|$~]|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[:])|^[#>+=-]|^\d+(?=[.)])")


def summary(
    name: str,
    definition: Study,
    study: optuna.Study,
    scores: pl.DataFrame,
    compared: pl.DataFrame | None,
    out: Path,
) -> str:
    """Return question, setup, verdicts, and the means with their intervals, as Markdown."""
    question = verbatim(definition.question)
    parts = [f"# {verbatim(name)}", question, setup(definition, study, out)]
    if compared is not None:
        sentences = compared.filter(pl.col("probe").is_in(SCORES))["sentence"]
        parts += ["## Verdicts", "\n".join(f"- {verbatim(sentence)}" for sentence in sentences)]
    about = "Mean over seeds [95 % Student-t interval]; every probe is in `means.parquet`."
    parts += ["## Means", about, markdown(means_table(scores, definition.seeds))]
    return "\n\n".join(parts) + "\n"


def setup(definition: Study, study: optuna.Study, out: Path) -> str:
    """Return the numbers of trials and images, sizes, versions, machines and dates."""
    trials = latest_attempts(study)
    done = [t for t in trials if t.state == TrialState.COMPLETE]
    versions = study.user_attrs["about"]["versions"]
    environments = [environment(trial, out) for trial in done]
    dates = sorted({finished(trial) for trial in done})
    lines = [
        f"{len(done)} of {len(trials)} trials are complete; probes: the {definition.suite} "
        f"suite, {definition.images:,} training images{held_out(definition)}"
        f"{lowered(definition)}.",
        *([sizes(definition)] if isinstance(definition, FixedStudy) else []),
        ", ".join(f"{package} {number}" for package, number in versions.items())
        + f"{other_versions(environments, versions)}; {machines(environments)}; "
        + f"{' to '.join(dict.fromkeys([dates[0], dates[-1]]))}.",
    ]
    return "\n\n".join(lines)


def held_out(definition: Study) -> str:
    """Say which images the probes test on, where these are not the test images."""
    share = definition.held_out
    return f", tested on {share:.1%} of the training images, held out" if share else ""


def lowered(definition: Study) -> str:
    """Say in what the networks are computed for the probes, where that is not float32."""
    precision = definition.precision
    return "" if precision == "float32" else f", features computed in {precision}"


def sizes(definition: FixedStudy) -> str:
    """Return steps, images, view size and seeds, read from the first run."""
    run = definition.points()[0].run
    images = run.steps * run.batch
    return (
        f"Each run: {run.steps:,} steps of {run.batch} images ({images:,}) of `{run.data.kind}`, "
        f"views of {run.size[0]} × {run.size[1]} pixels, {run.grid[0]} × {run.grid[1]} patches, "
        f"{definition.seeds} seeds."
    )


def environment(trial: FrozenTrial, out: Path) -> dict[str, Any]:
    """Return where a trial ran, from its record or else its folder; {} if neither has it."""
    recorded, folder = (trial.user_attrs.get(key) for key in ("environment", "folder"))
    return recorded or environment_of(RunFolder(out / "runs" / (folder or "-")))


def finished(trial: FrozenTrial) -> str:
    """Return the date, such as 2026-11-28; for an imported trial, the date on its own machine."""
    return trial.user_attrs.get("environment", {}).get("finished") or str(
        trial.datetime_complete.date()
    )


def other_versions(environments: list[dict[str, Any]], versions: dict[str, str]) -> str:
    """Count the trials that ran with other versions than those the study was created with."""
    counts, mine = Counter(), release_numbers(versions)
    for about in environments:
        packages = about.get("packages", {}) | {"siamlab": about.get("siamlab")}
        theirs = release_numbers({name: packages.get(name) or versions[name] for name in versions})
        others = [f"{name} {theirs[name]}" for name in versions if theirs[name] != mine[name]]
        counts[", ".join(others)] += 1
    named = [(name, count) for name, count in sorted(counts.items()) if name]
    return "".join(f" ({count} trial{'s' * (count > 1)} with {name})" for name, count in named)


def machines(environments: list[dict[str, Any]]) -> str:
    """Return each recorded processor and GPU once, with the precisions used."""
    descriptions = {}
    for about in [about for about in environments if "processor" in about]:
        cores = f", {about['cores']} cores" if "cores" in about else ""
        gpu = "no GPU" if about["gpu"] == "none" else about["gpu"]
        used = dict.fromkeys(about.get("precision", {}).values())
        precision = f", {' and '.join(used)}" if used else ""
        descriptions[f"{about['processor']}{cores}, {gpu}{precision}"] = None
    return "; ".join(descriptions) or "machine unknown"


def means_table(scores: pl.DataFrame, seeds: int = 0) -> pl.DataFrame:
    """Return one row per configuration: seeds, then scores and their parts with intervals.

    Numbers over fewer than `seeds` seeds mention it; 0 stands for the most of any configuration.
    """
    rows = means(scores).filter(pl.col("probe").is_in(SHOWN))
    most = pl.col("seeds").max().over("point")
    table = rows.with_columns(most=most, title=pl.col("title").str.split(":").list[0])
    cells = [_cell(row) for row in table.iter_rows(named=True)]
    counts = [of_seeds(n, seeds or table["most"].max()) for n in table["most"]]
    table = table.with_columns(text=pl.Series(cells), seeds=pl.Series(counts))
    return table.pivot("title", index=["point", "seeds"], values="text")


def _cell(row: dict[str, Any]) -> str:
    """Return mean and interval, with the seeds where other probes of the point have more."""
    text = interval(row | {"value": row["mean"]}, 3)
    return f"{text} ({row['seeds']} seeds)" if row["seeds"] < row["most"] else text


def verbatim(text: str) -> str:
    """Return Markdown of one line that shows the text as it is, whatever signs it has.

    Brackets of intervals need no escape, and neither do underscores inside words.
    """
    text = " ".join(text.split()).replace("\\", "\\\\")
    text = SIGNS.sub(_escape, text)
    return re.sub(r"&(?=#?\w+;)", "&amp;", text).replace("<", "&lt;")


def _escape(match: re.Match[str]) -> str:
    """Escape a character; a leading number, which would begin a list, cannot be escaped."""
    return match[0] + "\\" if match[0].isdigit() else "\\" + match[0]


def markdown(table: pl.DataFrame) -> str:
    """Format a table as Markdown."""
    rows = [
        table.columns,
        ["---"] * table.width,
        *([verbatim(str(cell)) for cell in r] for r in table.rows()),
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
