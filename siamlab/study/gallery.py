"""The page of pictures of one run of a study: what it was asked, how it went, what it sees.

write_gallery(run, base, folder, test)     # FOLDER/pictures.html
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from siamlab import figure, pictures
from siamlab.data import Images
from siamlab.probe_report import PICTURED, of_images
from siamlab.report import Section, write_report
from siamlab.run import Run
from siamlab.subject import subject
from siamlab.train import Folder

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PAGE = "pictures.html"

VIEWS = """\
One test image as this run sees it in training: the boxes on the source, the context with its \
hidden patches, the target with the patches that are predicted."""

COURSE = """\
Loss and signs of collapse by step. Spread is 1 for directions as at random and 0 for a single \
one; RankMe is about how many directions the features use."""


def write_gallery(run: Run, base: Run, folder: Folder, test: Images) -> Path:
    """The path of the page, in the run's folder; `base` is what the run is compared with."""
    title = f"{run.name}, seed {run.seed}"
    return write_report(folder.path / PAGE, title, list(_sections(run, base, folder, test)))


def course(runs: dict[str, Folder]) -> list["Figure"]:
    """Loss and signs of collapse by step of runs by name; [] if none has begun."""
    rows = [{"run": name} | line for name, folder in runs.items() for line in folder.lines()]
    if not rows:
        return []
    metrics = pl.DataFrame(rows, infer_schema_length=None)
    return [
        figure.loss_figure(figure.loss_table(metrics)),
        figure.collapse_figure(figure.collapse_table(metrics)),
    ]


def _sections(run: Run, base: Run, folder: Folder, test: Images) -> Iterator[Section]:
    changes = run.replace(seed=base.seed).differences(base)
    lines = "\n".join(f"- {change}" for change in changes) or "- nothing"
    yield Section("Configuration", f"Other than in {base.name}:\n\n{lines}")
    yield Section("Views", VIEWS, [pictures.views_picture(run, test.pixels[PICTURED[0]])])
    yield Section("Course", COURSE, course({run.name: folder}))
    yield from of_images([subject(str(folder.path))._replace(name=run.name)], test)
