"""The report of the main job: scores, plane, curves, and what the models see.

write_demo_report(out, runs, subjects, scores, test)       # out/report.html
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from siamlab import figure
from siamlab.data import Images
from siamlab.pictures import attention_pictures, match_picture, views_picture
from siamlab.progress import collapsed
from siamlab.report import Section, beyond, score_table, write_report
from siamlab.run import Run
from siamlab.subject import Subject
from siamlab.train import Folder
from siamlab.train import runs as metrics_of

if TYPE_CHECKING:
    import polars

SHOWN = 4  # which test scene the pictures show
TITLE = "Three recipes on the semantic–spatial plane"

PLANE = """\
Right: features know what is in the image. Up: they know where. Each score is the mean of two \
probes on frozen features, each scaled from chance (0) to its ceiling (1): semantic from k-NN and \
a linear probe on the mean patch feature; spatial from correspondences between two crops of one \
scene and between two scenes of one object, in both of which the mean feature of each position is \
subtracted first, so that a position embedding alone scores nothing. Whiskers are 95 % bootstrap \
intervals over test images (pairs of scenes) of one trained network a recipe; they do not contain \
the chance of another seed."""

LOSS = """\
The three losses are different quantities: the course of each can be read, their order cannot."""

VIEWS = """\
One test scene as each recipe sees it in training: the boxes on the source, the context with its \
hidden patches, the target with the patches that are predicted (none are outlined where the whole \
target is predicted as one vector)."""

ATTENTION = """\
How strongly the class token of the last block attends to each patch, head by head, all models on \
one colour scale. Rows are renormalised without the class token itself. No head was picked."""

CORRESPONDENCE = """\
Two crops of one test scene. Each patch of the left crop is joined to the patch of the right crop \
with the nearest feature; colour is the distance from the true place, known from the boxes. Only \
patches that both crops show are drawn."""


def write_demo_report(
    out: Path,
    runs: list[Run],
    subjects: list[Subject],
    scores: "polars.DataFrame",
    test: Images,
) -> Path:
    """The report's path. `subjects` begins with the untrained network."""
    metrics, image = in_order(metrics_of(out), runs), test.pixels[SHOWN]
    found = "\n".join(f"- {sentence}" for sentence in beyond(scores))
    plane = figure.plane(scores)
    probes = figure.probes_figure(figure.probes_table(scores))
    losses = figure.loss_figure(figure.loss_table(metrics))
    collapses = figure.collapse_figure(figure.collapse_table(metrics))
    sections = [
        Section("Scale", scale_text(out, runs, test)),
        Section("The plane", PLANE, [plane]),
        Section("Scores", "", [probes], score_table(scores)),
        Section("Beyond the interval or not", found),
        Section("Loss", LOSS, [losses]),
        Section("Collapse", collapse_text(out, runs), [collapses]),
        Section("Views", VIEWS, [views_picture(run, image) for run in runs]),
        Section("Attention", ATTENTION, attention_pictures(subjects, image)),
        Section("Correspondences", CORRESPONDENCE, [match_picture(s, image) for s in subjects]),
    ]
    return write_report(out / "report.html", TITLE, sections)


def in_order(metrics: "polars.DataFrame", runs: list[Run]) -> "polars.DataFrame":
    """The metrics of the runs in their order, so that colours are the same in every figure."""
    import polars

    return polars.concat(metrics.filter(metrics["run"] == run.name) for run in runs)


def training_minutes(folder: Folder) -> float:
    """Time in the loop."""
    return folder.seconds() / 60


def scale_text(out: Path, runs: list[Run], test: Images) -> str:
    """What the numbers rest on, so that nobody takes them for more."""
    run = runs[0]
    minutes = ", ".join(f"{training_minutes(Folder(out / r.name)):.1f} ({r.name})" for r in runs)
    where = f"{os.cpu_count()} processor cores"
    if torch.cuda.is_available():
        where = torch.cuda.get_device_name()
    return (
        f"This is a small-scale demonstration, not a reproduction of published results. Each "
        f"recipe trained one network (seed {run.seed}) of width {run.model.width} and depth "
        f"{run.model.depth} on views of {run.size[0]} × {run.size[1]} pixels "
        f"({run.grid[0]} × {run.grid[1]} patches) of {run.data.images:,} scenes of {run.data.side} "
        f"pixels, for {run.steps:,} steps of {run.batch} images ({run.steps * run.batch:,} in "
        f"all). Published results rest on ImageNet, networks 200 times as large and thousands of "
        f"times as many images; what holds there may not show here, and the other way round.\n\n"
        f"Probed on {len(test.pixels):,} test scenes whose objects and photographs training never "
        f"saw. Minutes of training: {minutes}, on {where}."
    )


def collapse_text(out: Path, runs: list[Run]) -> str:
    """What the last logged line of each run says of collapse."""
    said = []
    for run in runs:
        line = Folder(out / run.name).lines()[-1]
        said.append(f"- {run.name}: {collapsed(line) or 'no collapse'}.")
    return (
        "A network collapses when its features are nearly the same for every image. Spread is 1 "
        "for directions as at random and 0 for a single one.\n\n" + "\n".join(said)
    )
