"""The report of a study: verdicts in words, the plane with arrows, effects, means, curves.

report_study("studies/loss_form.py", [], out, "", 0.02)     # out/report.html, summary.md, tables
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import optuna
import polars as pl
from rich.console import Console

from siamlab import figure
from siamlab.component import UserError
from siamlab.figure.importances import DECIDED, EXPLAINED
from siamlab.probe_report import both_scores
from siamlab.report import Section, write_report
from siamlab.study.definition import SCORES, Fixed, Search, Study
from siamlab.study.file import load
from siamlab.study.gallery import PAGE, course, write_gallery
from siamlab.study.images import study_images
from siamlab.study.plan import check_same, described
from siamlab.study.results import importances, results, trials
from siamlab.study.statistics import effects, means
from siamlab.study.storage import existing_storage
from siamlab.study.summary import means_table, summary
from siamlab.train import Folder

PLANE = """\
Right: features know what is in the image. Up: they know where. Each point is the mean over seeds, \
its whiskers the 95 % Student-t interval of that mean; arrows are changes of one choice."""

VERDICTS = """\
Each difference is taken seed by seed (same weights' seed, same order of images) and judged by the \
Student-t interval of these differences, widened (Bonferroni) so that all verdicts of this list \
hold together with 95 %. "No difference larger than x" is a finding; "cannot tell" is none. How \
many more seeds would tell takes difference and spread to stay as they are, which is even odds at \
best."""

FRONT = """\
The complete trials that no other beats on every objective at once: what each was given, and what \
it reached. One network each, so a small lead may be chance."""

ONE_EACH = """\
Right: features know what is in the image. Up: they know where. Each point is one trial."""

EFFECTS = """\
Thick whiskers: 95 % interval of one difference. Thin: widened for the number of comparisons, what \
the verdicts rest on."""

MEANS = """\
Mean over seeds and its 95 % Student-t interval. The Parquet tables beside this page have every \
probe, every seed and every difference."""

EXPLAINS = """\
How much of a score's sum of squares over these trials lies between the values of each parameter \
(η²), seed included: how much it moves a score, not in which direction. Chance alone gives a \
parameter of k values about (k − 1) / (trials − 1). Where one axis is changed at a time, axes \
overlap a little, and their shares may add to more than 1."""

DECIDES = """\
How much a parameter decides who is in the best tenth on each score (PED-ANOVA); the shares add to \
1. It does not say in which direction, nor how much of the whole variation is its own."""

CURVES = """\
The first seed of each configuration. Losses of different forms have no order."""

RUNS = """\
Each folder's name leads to the pictures of its run, where the run was on this machine: views, \
correspondences, similarity, components, attention, attribution."""

LIMITS = """\
- The seeds vary initial weights, order of images, views and masks; images of training and test \
are the same, so nothing here speaks of other data.
- A choice was tried with the learning rate and budget of the base: it may do better with its own.
- The intervals assume that differences over seeds are about normal, which few seeds cannot show.
- Scores are normalised means of a few probes, defined in docs/scores.md; the probes themselves \
stand beside them."""


def report_study(file: str, words: Sequence[str], out: Path, url: str, margin: float) -> Path:
    """Write page, tables and summary, and print the verdicts; the page's path."""
    name, definition = load(file, words)
    storage = existing_storage(url, out)
    if name not in {s.study_name for s in storage.get_all_studies()}:
        raise UserError(
            f"there is no study {name!r} here yet; `siamlab study run {file}` starts it"
        )
    study = optuna.load_study(study_name=name, storage=storage)
    check_same(study, described(definition))
    scores = results(study)
    pairs = comparable(definition, scores)
    seeds = getattr(definition, "seeds", 1)
    compared = effects(scores, pairs, margin=margin, seeds=seeds) if pairs else None
    out.mkdir(parents=True, exist_ok=True)
    scores.write_parquet(out / "scores.parquet")
    means(scores).write_parquet(out / "means.parquet")
    trials(study).write_parquet(out / "trials.parquet")
    if compared is not None:
        compared.write_parquet(out / "effects.parquet")
        for sentence in verdicts(compared):
            Console().print(f"- {sentence}", markup=False, highlight=False, soft_wrap=True)
    said = summary(name, definition, study, scores, compared, out)
    (out / "summary.md").write_text(said, encoding="utf-8")
    page = sections(definition, study, scores, compared, out)
    path = write_report(out / "report.html", f"Study: {name}", list(page))
    Console().print(f"Report: {path.resolve()}", soft_wrap=True, highlight=False)
    return path


def comparable(definition: Study, scores: pl.DataFrame) -> list[tuple[str, str]]:
    """The comparisons both of whose points have numbers."""
    if isinstance(definition, Search):
        return []
    here = set(scores["point"])
    return [pair for pair in definition.comparisons() if here.issuperset(pair)]


def verdicts(compared: pl.DataFrame) -> list[str]:
    """The sentences of the two scores."""
    return compared.filter(pl.col("probe").is_in(SCORES))["sentence"].to_list()


def sections(
    definition: Study,
    study: optuna.Study,
    scores: pl.DataFrame,
    compared: pl.DataFrame | None,
    out: Path,
) -> Iterator[Section]:
    """Those that the numbers at hand allow."""
    done = trials(study)
    yield Section("Question", f"{definition.question}\n\n{progress_text(done)}")
    if compared is not None:
        found = "\n".join(f"- {sentence}" for sentence in verdicts(compared))
        yield Section("Verdicts", f"{VERDICTS}\n\n{found}")
    if isinstance(definition, Search):
        yield Section("Pareto front", FRONT, table=front(study))
    arrows = comparable(definition, scores) if definition.kind in ("ablation", "path") else []
    plane = ONE_EACH if isinstance(definition, Search) else PLANE
    if both_scores(means(scores).rename({"point": "model"})):
        yield Section("The plane", plane, [figure.plane_figure(plane_rows(scores), arrows)])
    if compared is not None:
        yield Section("Effects", EFFECTS, [figure.effects_figure(figure.effects_table(compared))])
    yield Section("Means", MEANS, table=means_table(scores, getattr(definition, "seeds", 1)))
    if found := importances(study):
        search = isinstance(definition, Search)
        text, measure = (DECIDES, DECIDED) if search else (EXPLAINS, EXPLAINED)
        drawn = figure.importances_figure(figure.importances_table(found), measure=measure)
        yield Section("Importance", text, [drawn])
    if curves := course(firsts(done, out)):
        yield Section("Learning curves", CURVES, curves)
    yield runs_section(done, galleries(definition, done, out))
    yield Section("What this page cannot show", LIMITS)


def plane_rows(scores: pl.DataFrame) -> pl.DataFrame:
    """The table of `plane_figure` from the means over seeds."""
    rows = means(scores).filter(pl.col("probe").is_in(SCORES))
    ends = dict(chance=pl.lit(0.0), ceiling=pl.lit(1.0))
    rest = dict.fromkeys(("property", "protocol", "settings"), pl.lit(""))
    empty = dict.fromkeys(("layer", "head"), pl.lit(None, pl.Int64))
    named = rows.rename({"point": "model", "mean": "value"})
    return figure.plane_table(named.with_columns(**ends, **rest, **empty))


def front(study: optuna.Study) -> pl.DataFrame:
    """A row a trial of the Pareto front over all objectives: parameters, then objectives."""
    names = study.user_attrs["about"]["objectives"]
    rows = [
        {"trial": t.number} | t.params | dict(zip(names, t.values, strict=True))
        for t in study.best_trials
    ]
    return pl.DataFrame(rows, infer_schema_length=None).sort(names[0], descending=True)


def progress_text(done: pl.DataFrame) -> str:
    """How many trials stand behind the page, and what happened to the others."""
    counts = dict(done["state"].value_counts().iter_rows())
    said = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
    hours = (done["seconds"].sum() or 0) / 3600
    return f"Trials: {said}. Training took {hours:.1f} hours of the processes together."


def runs_section(done: pl.DataFrame, pages: dict[str, str]) -> Section:
    """A row a trial, linked to its pictures, and what failed or collapsed."""
    lines = [f"- {r['point']}, seed {r['seed']}: {r['reason'] or r['collapsed']}"
             for r in done.iter_rows(named=True) if r["reason"] or r["collapsed"]]  # fmt: skip
    told = "\n".join(lines) or "- No run failed or collapsed."
    shown = done.select("folder", pl.exclude("folder", "collapsed", "reason"))
    return Section("Runs", f"{RUNS}\n\n{told}", table=shown, links=pages)


def galleries(definition: Study, done: pl.DataFrame, out: Path) -> dict[str, str]:
    """Links by folder to the pictures of every complete run that is here; makes those missing."""
    here = done.filter(pl.col("state") == "complete")["folder"].drop_nulls().to_list()
    folders = [Folder(out / "runs" / name) for name in here]
    folders = [folder for folder in folders if folder.encoder.exists()]
    if not folders:
        return {}
    base = definition.points()[0].run if isinstance(definition, Fixed) else folders[0].run()
    test = study_images(base.data, definition).test
    with Console(stderr=True).status("pictures") as status:
        for folder in folders:
            page = folder.path / PAGE
            if not page.exists() or page.stat().st_mtime < folder.encoder.stat().st_mtime:
                status.update(f"pictures of {folder.path.name}")
                write_gallery(folder.run(), base, folder, test)
    return {folder.path.name: f"runs/{quote(folder.path.name)}/{PAGE}" for folder in folders}


def firsts(done: pl.DataFrame, out: Path) -> dict[str, Folder]:
    """The folder of the first seed of each configuration, where it is here."""
    first = done.filter(pl.col("seed") == pl.col("seed").min(), pl.col("folder").is_not_null())
    return {r["point"]: Folder(out / "runs" / r["folder"])
            for r in first.head(12).iter_rows(named=True)}  # fmt: skip
