"""The report of the main job: scores, plane, curves, and what the models see.

write_demo_report(out, runs, subjects, scores, test)       # out/report.html

It opens with the encoders that come with siamlab, which were trained on photographs.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from siamlab import figure, zoo
from siamlab.data import Images
from siamlab.figure.scores import SUMMARY
from siamlab.pictures import attention_pictures, match_picture, views_picture
from siamlab.progress import collapsed
from siamlab.report import Section, comparison_table, score_table, write_report
from siamlab.run import Run
from siamlab.subject import Subject
from siamlab.train import Folder, run_of
from siamlab.train import runs as metrics_of

if TYPE_CHECKING:
    import polars

SHOWN = 4  # which test image the pictures show
TITLE = "Three recipes on the semantic–spatial plane"

PLANE = """\
Right: features know what is in the image. Up: they know where. Each score is the mean of its \
probes on frozen features, each scaled from chance (0) to its ceiling (1): semantic from k-NN and \
a linear probe on the mean patch feature; spatial from correspondences between two crops of one \
image and, where there are pairs of scenes of one object, between these, in both of which the mean \
feature of each position is subtracted first, so that a position embedding alone scores nothing. \
Whiskers are 95 % bootstrap intervals over test images of one trained network per recipe; they \
exclude seed-to-seed variation."""

BELOW = """\
Below the untrained network end {models}. That is what so short a training does here: the patches \
of a random network already tell colours and edges apart, and training first gives up what its \
loss does not ask for before it gains anything on top of it."""

SHIPPED_BELOW = """\
Below the untrained network lie {models}: a loss that compares images as wholes does not ask their \
patches to be told apart, which those of a random network can be by colours and edges alone."""

COMPARED = """\
Better and worse: the two 95 % intervals share no point; overlap: they do."""

LOSS = """\
The three losses are different quantities: the course of each can be read, their order cannot."""

VIEWS = """\
One test image as each recipe sees it in training: the boxes on the source, the context with its \
hidden patches, the target with the patches that are predicted (none are outlined where the whole \
target is predicted as one vector)."""

ATTENTION = """\
How strongly the class token of the last block attends to each patch, head by head, all models on \
one colour scale. Rows are renormalised without the class token itself. No head was picked."""

CORRESPONDENCE = """\
Two crops of one test image. Each patch of the left crop is joined to the patch of the right crop \
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
    metrics, image = in_order(metrics_of(out), runs), test.pixels[min(SHOWN, len(test.pixels) - 1)]
    shipped = zoo.scores([f"zoo:{run.name}" for run in runs])  # in one order, so in one colour
    losses = figure.loss_figure(figure.loss_table(metrics))
    collapses = figure.collapse_figure(figure.collapse_table(metrics))
    probes = figure.probes_figure(figure.probes_table(scores))
    sections = [
        Section("Trained on photographs", opening(shipped, scores, runs[0]),
                [figure.plane(shipped, title="The encoders that come with siamlab")]),
        Section("Trained here", scale_text(out, runs, test), [figure.plane(scores)]),
        Section("Who beats whom", COMPARED, table=comparison_table(scores)),
        Section("Scores", "", [probes], score_table(scores)),
        Section("Loss", LOSS, [losses]),
        Section("Collapse", collapse_text(out, runs), [collapses]),
        Section("Views", VIEWS, [views_picture(run, image) for run in runs]),
        Section("Attention", ATTENTION, attention_pictures(subjects, image)),
        Section("Correspondences", CORRESPONDENCE, [match_picture(s, image) for s in subjects]),
    ]  # fmt: skip
    return write_report(out / "report.html", TITLE, sections)


def opening(shipped: "polars.DataFrame", scores: "polars.DataFrame", run: Run) -> str:
    """What the page shows first: the order on photographs, and what the short runs made of it."""
    known = run_of(zoo.file("siameseim"))
    parts = (
        f"The encoders that come with siamlab saw {known.steps * known.batch:,} photographs of "
        "CIFAR-10 each.",
        leader(shipped),
        below(shipped, SHIPPED_BELOW),
        f"The networks trained here saw {run.steps * run.batch:,} images of {run.data.kind}.",
        leader(scores),
        below(scores),
    )
    return f"{' '.join(filter(None, parts))}\n\n{PLANE}"


def leader(scores: "polars.DataFrame") -> str:
    """Which trained model is the highest on each score, in a sentence."""
    best = {}
    for name in SUMMARY:
        rows = scores.filter(scores["probe"] == name, scores["model"] != zoo.REFERENCE)
        best[name] = rows.sort("value", descending=True)["model"][0]
    if len(set(best.values())) == 1:
        return f"{best[SUMMARY[0]]} is the highest on both scores."
    parts = [f"{model} is the highest on the {name}" for name, model in best.items()]
    return f"{' and '.join(parts)} score."


def below(scores: "polars.DataFrame", why: str = BELOW) -> str:
    """Which models end below the untrained network, in the words of `why`; "" if none does."""
    found = []
    for name in SUMMARY:
        value = dict(scores.filter(scores["probe"] == name).select("model", "value").rows())
        start = value.pop(zoo.REFERENCE, float("-inf"))
        if low := [f"{model} ({v:.2f})" for model, v in value.items() if v < start]:
            found.append(f"on the {name} score ({start:.2f}) {', '.join(low)}")
    return why.format(models=" and ".join(found)) if found else ""


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
        f"({run.grid[0]} × {run.grid[1]} patches) of {run.data.kind}, for {run.steps:,} steps of "
        f"{run.batch} images ({run.steps * run.batch:,} in all). Published results rest on "
        f"ImageNet, networks at least 70 times as large and thousands of times as many images; "
        f"what holds there may not show here, and the other way round.\n\n"
        f"Probed on {len(test.pixels):,} test images that training never saw. Minutes of training: "
        f"{minutes}, on {where}."
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
