"""The report of a study: verdicts as sentences, the plane with arrows, effects, means, curves.

report_study("studies/loss_form.py", [], out, "", 0.02)     # out/report.html, summary.md, tables
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import optuna
import polars as pl
import torch

from siamlab import figure
from siamlab.component import UserError
from siamlab.figure.importances import DECIDED, EXPLAINED
from siamlab.machine.device import device_named
from siamlab.machine.files import atomic
from siamlab.machine.terminal import say
from siamlab.report.page import Section, write_report
from siamlab.report.probes import both_scores
from siamlab.study.definition import SCORES, Search, Study
from siamlab.study.description import check_same, describe
from siamlab.study.file import load
from siamlab.study.matches_page import matches_section
from siamlab.study.results import chance_importances, importances, results, trials
from siamlab.study.run_page import curves, labels, write_run_pages
from siamlab.study.statistics import effects, means
from siamlab.study.storage import open_existing
from siamlab.study.summary import means_table, summary
from siamlab.train import RunFolder

PLANE = """\
Right: features know what is in the image. Up: features know where it is. Each point is the mean \
over seeds and its whiskers the 95 % Student-t interval of that mean; arrows are changes of one \
choice."""

VERDICTS = """\
Each difference is computed seed by seed (same initial weights, same order of images) and judged \
by the Student-t interval of these differences, widened (Bonferroni) so that all verdicts of this \
list hold together with 95 %. "No difference larger than x" is a finding; "cannot tell" is not. \
The number of further seeds assumes that difference and spread stay as they are, so the chance \
that they suffice is about one half."""

FRONT = """\
The complete trials that no other trial beats on all objectives at once: parameters, then \
objectives. Each is a single network, so a small lead may be due to chance."""

SEARCH_PLANE = """\
Right: features know what is in the image. Up: features know where it is. Each point is one \
trial."""

EFFECTS = """\
Thick whiskers: 95 % interval of one difference. Thin whiskers: the same, widened for the number \
of comparisons; verdicts rest on these."""

MEANS = """\
Mean over seeds and its 95 % Student-t interval. The Parquet tables next to this page have every \
probe, every seed and every difference."""

EXPLAINS = """\
The share of a score's sum of squares over these trials that lies between the values of each \
parameter (η²), seed included: how much the parameter affects the score, not in which direction. \
By chance alone, a parameter of k values has about (k − 1) / (trials − 1); 95 % of random orders \
of the scores stay below the black lines. Where one axis is changed at a time, axes overlap a \
little, and their shares may add up to more than 1."""

DECIDES = """\
How much each parameter decides which trials are in the best tenth on each score (PED-ANOVA); the \
shares add up to 1, so one is large even if none has an effect: compare each with its black line, \
which 95 % of random orders of the scores stay below. They do not show the direction, nor how much \
of the whole variation a parameter explains."""

CURVES = """\
The first seed of each configuration. Losses of different forms cannot be compared."""

RUNS = """\
The name of a folder links to the pictures of its run, if the run was on this machine: views, \
correspondences, similarity, components, attention, attribution."""

LIMITS = """\
- Seeds vary initial weights, order of images, views and masks. The training and test images are \
always the same, so the intervals do not cover other data.
- Each choice was tried with the learning rate and budget of the base; its own may be better.
- The intervals assume approximately normal differences, which a few seeds cannot confirm.
- Scores are normalised means of a few probes, defined in docs/scores.md; the probes themselves \
are listed with them."""


def report_study(
    file: str, words: Sequence[str], out: Path, url: str, margin: float, device: str = "auto"
) -> Path:
    """Write page, tables and summary, print the verdicts, and return the page's path.

    The pictures of runs are computed on `device`: cpu, cuda, mps, or auto, a GPU if there is one.
    """
    place = device_named(device)
    name, definition = load(file, words)
    storage = open_existing(url, out)
    if name not in {s.study_name for s in storage.get_all_studies()}:
        raise UserError(
            f"there is no study {name!r} here yet; `siamlab study run {file}` starts one"
        )
    study = optuna.load_study(study_name=name, storage=storage)
    check_same(study, describe(definition))
    scores = results(study)
    pairs = comparable(definition, scores)
    compared = effects(scores, pairs, margin=margin, seeds=definition.seeds) if pairs else None
    out.mkdir(parents=True, exist_ok=True)
    tables = {"scores": scores, "means": means(scores), "trials": trials(study)}
    for stem, table in (tables | ({} if compared is None else {"effects": compared})).items():
        with atomic(out / f"{stem}.parquet") as draft, open(draft, "wb") as drafted:
            table.write_parquet(drafted)
    if compared is not None:
        for sentence in verdict_sentences(compared):
            say(f"- {sentence}")
    text = summary(name, definition, study, scores, compared, out)
    with atomic(out / "summary.md") as draft:
        draft.write_text(text, encoding="utf-8")
    page = sections(definition, study, scores, compared, out, place)
    path = write_report(out / "report.html", f"Study: {name}", list(page))
    say(f"Report: {path.resolve()}")
    return path


def comparable(definition: Study, scores: pl.DataFrame) -> list[tuple[str, str]]:
    """Return the comparisons for which both points have values."""
    if isinstance(definition, Search):
        return []
    measured = set(scores["point"])
    return [pair for pair in definition.comparisons() if measured.issuperset(pair)]


def verdict_sentences(compared: pl.DataFrame) -> list[str]:
    """Return the sentences on the two scores."""
    return compared.filter(pl.col("probe").is_in(SCORES))["sentence"].to_list()


def verdict_links(compared: pl.DataFrame, matches: Sequence[Section]) -> dict[str, str]:
    """Return the page of matches of each sentence on the two scores, where there is one."""
    pages = {name: page for section in matches for name, page in section.links.items()}
    rows = compared.filter(pl.col("probe").is_in(SCORES)).iter_rows(named=True)
    named = {row["sentence"]: f"{row['point']} against {row['base']}" for row in rows}
    return {sentence: pages[name] for sentence, name in named.items() if name in pages}


def sections(
    definition: Study,
    study: optuna.Study,
    scores: pl.DataFrame,
    compared: pl.DataFrame | None,
    out: Path,
    device: torch.device,
) -> Iterator[Section]:
    """Yield the sections for which there are values."""
    done = trials(study)
    yield Section("Question", f"{definition.question}\n\n{progress_text(done)}")
    if compared is not None:
        folders = first_seed_folders(done, out)
        matches = list(matches_section(definition, compared, folders, out, device))
        lines = "\n".join(f"- {sentence}" for sentence in verdict_sentences(compared))
        links = verdict_links(compared, matches)
        yield Section("Verdicts", f"{VERDICTS}\n\n{lines}", links=links)
        yield from matches
    if isinstance(definition, Search):
        yield Section("Pareto front", FRONT, table=pareto_front(study))
    arrows = comparable(definition, scores) if definition.kind in ("ablation", "path") else []
    plane = SEARCH_PLANE if isinstance(definition, Search) else PLANE
    if both_scores(means(scores).rename({"point": "model"})):
        drawn = [figure.plane_figure(plane_rows(scores), arrows, among=labels(definition))]
        yield Section("The plane", plane, drawn)
    if compared is not None:
        yield Section("Effects", EFFECTS, [figure.effects_figure(figure.effects_table(compared))])
    yield Section("Means", MEANS, table=means_table(scores, definition.seeds))
    if shares := importances(study):
        search = isinstance(definition, Search)
        text, measure = (DECIDES, DECIDED) if search else (EXPLAINS, EXPLAINED)
        table = figure.importances_table(shares, chance_importances(study))
        bars = figure.importances_figure(table, measure=measure)
        yield Section("Importance", text, [bars])
    if figures := curves(first_seed_folders(done, out), labels(definition)):
        yield Section("Learning curves", CURVES, figures)
    yield runs_section(done, write_run_pages(definition, done, out, device))
    yield Section("What this page cannot show", LIMITS)


def plane_rows(scores: pl.DataFrame) -> pl.DataFrame:
    """Return the table for `plane_figure`, from the means over seeds."""
    rows = means(scores).filter(pl.col("probe").is_in(SCORES))
    ends = dict(chance=pl.lit(0.0), ceiling=pl.lit(1.0))
    rest = dict.fromkeys(("property", "protocol", "settings"), pl.lit(""))
    empty = dict.fromkeys(("layer", "head"), pl.lit(None, pl.Int64))
    named = rows.rename({"point": "model", "mean": "value"})
    return figure.plane_table(named.with_columns(**ends, **rest, **empty))


def pareto_front(study: optuna.Study) -> pl.DataFrame:
    """Return one row per trial of the Pareto front: parameters, then objectives."""
    names = study.user_attrs["about"]["objectives"]
    rows = [
        {"trial": t.number} | t.params | dict(zip(names, t.values, strict=True))
        for t in study.best_trials
    ]
    return pl.DataFrame(rows, infer_schema_length=None).sort(names[0], descending=True)


def progress_text(done: pl.DataFrame) -> str:
    """Count the trials by state and add up their training time."""
    counts = dict(done["state"].value_counts().iter_rows())
    states = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
    hours = (done["seconds"].sum() or 0) / 3600
    return f"Trials: {states}. Training took {hours:.1f} hours, summed over trials."


def runs_section(done: pl.DataFrame, pages: dict[str, str]) -> Section:
    """Return one row per trial, linked to its pictures, and a list of failures and collapses."""
    lines = [f"- {r['point']}, seed {r['seed']}: {r['reason'] or r['collapsed']}"
             for r in done.iter_rows(named=True) if r["reason"] or r["collapsed"]]  # fmt: skip
    problems = "\n".join(lines) or "- No run failed or collapsed."
    shown = done.select("folder", pl.exclude("folder", "collapsed", "reason"))
    return Section("Runs", f"{RUNS}\n\n{problems}", table=shown, links=pages)


def first_seed_folders(done: pl.DataFrame, out: Path) -> dict[str, RunFolder]:
    """Return the folder of the first seed of each configuration, where it is on this machine."""
    first = done.filter(pl.col("seed") == pl.col("seed").min(), pl.col("folder").is_not_null())
    return {r["point"]: RunFolder(out / "runs" / r["folder"])
            for r in first.head(12).iter_rows(named=True)}  # fmt: skip
