"""The page of one run of a study: its configuration, learning curves and pictures.

write_run_page(run, base, folder, test, library)     # FOLDER/pictures.html
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from siamlab import figure
from siamlab.data import Images
from siamlab.evaluate.models import open_model
from siamlab.report import pictures
from siamlab.report.page import Section, write_report
from siamlab.report.probes import EXAMPLES, image_sections
from siamlab.run import Run
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


def write_run_page(
    run: Run,
    base: Run,
    folder: RunFolder,
    test: Images,
    library: Path,
    among: Sequence[str] = (),
) -> Path:
    """Write the page into the run's folder and return its path; `base` is the run to compare.

    The pages of a study share plotly.js, the file `library`, and choose colours among the
    configurations `among`.
    """
    title = f"{run.name}, seed {run.seed}"
    parts = list(_sections(run, base, folder, test, among))
    return write_report(folder.path / PAGE, title, parts, library)


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
    run: Run, base: Run, folder: RunFolder, test: Images, among: Sequence[str]
) -> Iterator[Section]:
    changes = run.replace(seed=base.seed).differences(base)
    lines = "\n".join(f"- {change}" for change in changes) or "- nothing"
    yield Section("Configuration", f"Differences from {base.name}:\n\n{lines}")
    yield Section("Views", VIEWS, [pictures.views_picture(run, test.pixels[EXAMPLES[0]])])
    yield Section("Learning curves", CURVES, curves({run.name: folder}, among))
    yield from image_sections([open_model(folder.path)._replace(name=run.name)], test)
