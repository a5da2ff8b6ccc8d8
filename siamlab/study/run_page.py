"""The page of one run of a study: its configuration, learning curves and pictures.

write_run_page(run, base, folder, test, library, device)     # FOLDER/pictures.html
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import polars as pl
import torch

from siamlab import figure
from siamlab.data import Images
from siamlab.evaluate.models import open_model
from siamlab.machine.console import Console
from siamlab.machine.terminal import cell
from siamlab.report import pictures
from siamlab.report.page import Section, write_report
from siamlab.report.probes import EXAMPLES, image_sections
from siamlab.run import Run
from siamlab.study.definition import FixedStudy, Study
from siamlab.study.images import study_images
from siamlab.train import RunFolder

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PAGE = "pictures.html"
LIBRARY = "plotly.min.js"  # in the folder of the study

VIEWS = """\
One test image as in the training of this run: the crops on the source, the context with its \
hidden patches, and the target with its predicted patches."""

CURVES = """\
Loss and signs of collapse by step. Spread is 1 for random directions and 0 for a single one; \
RankMe is about the number of directions that the features use."""


def write_run_pages(
    definition: Study, done: pl.DataFrame, out: Path, device: torch.device
) -> dict[str, str]:
    """Write missing and outdated pages of complete runs; return all links by folder."""
    here = done.filter(pl.col("state") == "complete")["folder"].drop_nulls().to_list()
    folders = [RunFolder(out / "runs" / name) for name in here]
    folders = [folder for folder in folders if folder.encoder.exists()]
    if not folders:
        return {}
    base = definition.points()[0].run if isinstance(definition, FixedStudy) else folders[0].run()
    test, among = study_images(base.data, definition).test, labels(definition)
    with Console(stderr=True).status("pictures") as status:
        for folder in folders:
            page = folder.path / PAGE
            if not page.exists() or page.stat().st_mtime < folder.encoder.stat().st_mtime:
                status.update(cell(f"pictures of {folder.path.name}"))
                write_run_page(folder.run(), base, folder, test, out / LIBRARY, device, among)
    return {folder.path.name: f"runs/{quote(folder.path.name)}/{PAGE}" for folder in folders}


def write_run_page(
    run: Run,
    base: Run,
    folder: RunFolder,
    test: Images,
    library: Path,
    device: torch.device,
    among: Sequence[str] = (),
) -> Path:
    """Write the page into the run's folder and return its path; `base` is the run to compare.

    The pages of a study share plotly.js, the file `library`, and choose colours among the
    configurations `among`.
    """
    title = f"{run.name}, seed {run.seed}"
    parts = list(_sections(run, base, folder, test, device, among))
    return write_report(folder.path / PAGE, title, parts, library)


def labels(definition: Study) -> list[str]:
    """Return the configurations in the order of the definition, which all pages colour alike."""
    fixed = isinstance(definition, FixedStudy)
    return [point.label for point in definition.points()] if fixed else []


def curves(runs: dict[str, RunFolder], among: Sequence[str]) -> list["Figure"]:
    """Return figures of loss and signs of collapse by step; [] if no run has begun."""
    rows = [{"run": name} | line for name, folder in runs.items() for line in folder.lines()]
    if not rows:
        return []
    metrics = pl.DataFrame(rows, infer_schema_length=None)
    return [
        figure.loss_figure(figure.loss_table(metrics), among=among),
        figure.collapse_figure(figure.collapse_table(metrics), among=among),
    ]


def _sections(
    run: Run,
    base: Run,
    folder: RunFolder,
    test: Images,
    device: torch.device,
    among: Sequence[str],
) -> Iterator[Section]:
    changes = run.replace(seed=base.seed).differences(base)
    lines = "\n".join(f"- {change}" for change in changes) or "- nothing"
    yield Section("Configuration", f"Differences from {base.name}:\n\n{lines}")
    yield Section("Views", VIEWS, [pictures.views_picture(run, test.pixels[EXAMPLES[0]])])
    yield Section("Learning curves", CURVES, curves({run.name: folder}, among))
    named = open_model(folder.path, device=device)._replace(name=run.name)
    yield from image_sections([named], test)
