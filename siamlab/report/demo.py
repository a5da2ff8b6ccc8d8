"""The report of the demo: scores, plane, curves and pictures of three recipes.

write_demo_report(out, runs, models, scores, test)       # out/report.html

It opens with the encoders that come with siamlab, which were trained on photographs.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from siamlab import figure, zoo
from siamlab.data import Images, Scenes
from siamlab.evaluate.models import NamedModel
from siamlab.report.answers import below, leader
from siamlab.report.page import Section, comparison_table, score_table, write_report
from siamlab.report.pictures import attention_pictures, match_picture, views_picture
from siamlab.run import Run
from siamlab.train import RunFolder, run_of
from siamlab.train import runs as metrics_of
from siamlab.train.collapse import collapse_warning

if TYPE_CHECKING:
    import polars

SHOWN = 4  # index of the test image in the pictures
TITLE = "Three recipes on the semantic–spatial plane"

PLANE = """\
To the right, features show what is in the image; upwards, they show where. Each score is the mean \
of its probes on frozen features, scaled from chance (0) to ceiling (1). The semantic score \
combines k-NN and a linear probe on the mean patch feature. The spatial score is measured by \
correspondences between two crops of one image and, if there are pairs of scenes with a common \
object, between the two scenes; the mean feature of each position is subtracted first, so that a \
position embedding alone scores 0. Whiskers are 95 % bootstrap intervals over test images of one \
trained network per recipe; they exclude seed-to-seed variation."""

WHY_LOWER = """\
The patches of a random network already tell colours and edges apart; a short training may lose \
some of that before it gains more, and a loss that compares whole images does not require it."""

SCENES = """\
Drawn scenes do not show the published order at this scale, nor in runs six times as long: their \
objects are silhouettes over grey texture, and two views of a scene share its background before \
they share its object. The command “siamlab demo --data cifar10” trains on photographs."""

COMPARED = """\
Better, worse: the two 95 % intervals do not overlap; overlap: they do."""

LOSS = """\
The three losses are different quantities: each curve can be read by itself, but their values \
cannot be compared."""

VIEWS = """\
One test image as each recipe sees it in training: the boxes on the source, the context with its \
hidden patches, and the target with the predicted patches (none are outlined if the whole target \
is predicted as one vector)."""

ATTENTION = """\
How strongly the class token of the last block attends to each patch, head by head, all models on \
one colour scale. Rows are renormalised without the class token itself. All heads are shown."""

CORRESPONDENCE = """\
Two crops of one test image. Each patch of the left crop is joined to the patch of the right crop \
with the nearest feature; the colour is its distance from the true place, which the boxes of the \
crops determine. Only patches that both crops show are drawn."""


def write_demo_report(
    out: Path,
    runs: list[Run],
    models: list[NamedModel],
    scores: "polars.DataFrame",
    test: Images,
) -> Path:
    """Write the report and return its path. `models` begins with the untrained network."""
    metrics, image = in_order(metrics_of(out), runs), test.pixels[min(SHOWN, len(test.pixels) - 1)]
    shipped = zoo.scores(
        [f"zoo:{run.name}" for run in runs]
    )  # in the order of the runs: the same colours in both planes
    losses = figure.loss_figure(figure.loss_table(metrics))
    collapses = figure.collapse_figure(figure.collapse_table(metrics))
    probes = figure.probes_figure(figure.probes_table(scores))
    sections = [
        Section("Trained on photographs", opening(shipped, scores, runs[0]),
                [figure.plane(shipped, title="The encoders that come with siamlab")]),
        Section("Trained here", scale_text(out, runs, test), [figure.plane(scores)]),
        Section("Comparison of models", COMPARED, table=comparison_table(scores)),
        Section("Scores", "", [probes], score_table(scores)),
        Section("Loss", LOSS, [losses]),
        Section("Collapse", collapse_text(out, runs), [collapses]),
        Section("Views", VIEWS, [views_picture(run, image) for run in runs]),
        Section("Attention", ATTENTION, attention_pictures(models, image)),
        Section("Correspondences", CORRESPONDENCE, [match_picture(m, image) for m in models]),
    ]  # fmt: skip
    return write_report(out / "report.html", TITLE, sections)


def opening(shipped: "polars.DataFrame", scores: "polars.DataFrame", run: Run) -> str:
    """Return the first text: the scores on photographs, and those of the short runs."""
    known = run_of(zoo.file("siameseim"))
    lower = below(shipped), below(scores)
    parts = (
        f"The encoders that come with siamlab saw {known.steps * known.batch:,} photographs of "
        "CIFAR-10 each.",
        leader(shipped),
        lower[0],
        f"The networks trained here saw {run.steps * run.batch:,} images of {run.data.kind}.",
        leader(scores),
        lower[1],
        WHY_LOWER if any(lower) else "",
    )
    told = [" ".join(filter(None, parts)), SCENES if isinstance(run.data, Scenes) else "", PLANE]
    return "\n\n".join(filter(None, told))


def in_order(metrics: "polars.DataFrame", runs: list[Run]) -> "polars.DataFrame":
    """Return the metrics in the order of the runs, which gives every figure the same colours."""
    import polars

    return polars.concat(metrics.filter(metrics["run"] == run.name) for run in runs)


def training_minutes(folder: RunFolder) -> float:
    """Return the time spent in the training loop, in minutes."""
    return folder.seconds() / 60


def scale_text(out: Path, runs: list[Run], test: Images) -> str:
    """Return the scale of the demo, which limits what its numbers can show."""
    run = runs[0]
    minutes = ", ".join(f"{training_minutes(RunFolder(out / r.name)):.1f} ({r.name})" for r in runs)
    where = f"{os.cpu_count()} processor cores"
    if torch.cuda.is_available():
        where = torch.cuda.get_device_name()
    return (
        f"This is a small-scale demonstration, not a reproduction of published results. Each "
        f"recipe trained one network (seed {run.seed}) of width {run.model.width} and depth "
        f"{run.model.depth} on views of {run.size[0]} × {run.size[1]} pixels "
        f"({run.grid[0]} × {run.grid[1]} patches) of {run.data.kind}, for {run.steps:,} steps of "
        f"{run.batch} images ({run.steps * run.batch:,} in all). Published results rest on "
        f"ImageNet, networks at least 70 times as large and thousands of times as many images; "
        f"what holds there may not show here, and vice versa.\n\n"
        f"All models are probed on {len(test.pixels):,} test images that were not used in "
        f"training. Minutes of training: {minutes}, on {where}."
    )


def collapse_text(out: Path, runs: list[Run]) -> str:
    """List the signs of collapse in the last logged line of each run."""
    lines = []
    for run in runs:
        line = RunFolder(out / run.name).lines()[-1]
        lines.append(f"- {run.name}: {collapse_warning(line) or 'no collapse'}.")
    return (
        "A network collapses when its features are nearly the same for every image. Spread is 1 "
        "for random directions and 0 for a single one.\n\n" + "\n".join(lines)
    )
