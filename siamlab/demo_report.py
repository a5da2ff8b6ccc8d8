"""The report of the main job: scores, plane, curves, and what the models see.

write_demo_report(out, runs, subjects, scores, test)       # out/report.html
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Generator

from siamlab import figure, probe
from siamlab.data import Images
from siamlab.figure.image import to_bytes
from siamlab.geometry import View, correspondence, patch_centres
from siamlab.probe.pairs import pairs
from siamlab.progress import collapsed
from siamlab.report import Section, beyond, score_table, write_report
from siamlab.run import Run
from siamlab.subject import Subject
from siamlab.train import Folder
from siamlab.train import runs as metrics_of

if TYPE_CHECKING:
    import polars
    from plotly.graph_objects import Figure

SHOWN = 4  # which test scene the pictures show
TITLE = "Three recipes on the semantic–spatial plane"

PLANE = """\
Right: features know what is in the image. Up: they know where. Each score is the mean of two \
probes on frozen features, each scaled from chance (0) to its ceiling (1): semantic from k-NN and \
a linear probe on the mean patch feature, spatial from correspondence between two crops and linear \
segmentation. Whiskers are 95 % bootstrap intervals over test images of one trained network a \
recipe; they do not contain the chance of another seed, and are a little too narrow, since test \
scenes come in pairs that share an object."""

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
    metrics = in_order(metrics_of(out), runs)
    found = "\n".join(f"- {sentence}" for sentence in beyond(scores))
    plane = figure.plane_figure(figure.plane_table(scores))
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
        Section("Views", VIEWS, [views_picture(run, test) for run in runs]),
        Section("Attention", ATTENTION, attention_pictures(subjects, test)),
        Section("Correspondences", CORRESPONDENCE, [match_picture(s, test) for s in subjects]),
    ]
    return write_report(out / "report.html", TITLE, sections)


def in_order(metrics: "polars.DataFrame", runs: list[Run]) -> "polars.DataFrame":
    """The metrics of the runs in their order, so that colours are the same in every figure."""
    import polars

    return polars.concat(metrics.filter(metrics["run"] == run.name) for run in runs)


def training_minutes(folder: Folder) -> float:
    """Time in the loop, over all its starts: the clock of a resumed run begins anew."""
    clock = [line["seconds"] for line in folder.lines()]
    ends = [now for now, then in zip(clock, clock[1:], strict=False) if then < now]
    return sum([*ends, *clock[-1:]]) / 60


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


def views_picture(run: Run, test: Images) -> "Figure":
    """The boxes, patches and mask of one training draw."""
    source, rng = test.pixels[SHOWN], Generator().manual_seed(run.seed)
    context, target = run.views(source[None], run.size, run.colour, rng)
    mask = run.masking(1, run.grid, rng)
    boxes = figure.box_table(source, context, target)
    of_patches = run.prediction.kind != "global"  # else one vector of the whole target
    patches = figure.patch_table(
        context, target, mask.visible[0], mask.predict[0] & of_patches, run.grid
    )
    return figure.views_figure(source, context, target, boxes, patches, f"{run.name}: two views")


def attention_pictures(subjects: list[Subject], test: Images) -> list["Figure"]:
    """A picture a model, all on one colour scale."""
    image = test.pixels[SHOWN : SHOWN + 1]
    tables = []
    for s in subjects:
        weights = probe.class_attention(s.model, image, *probe.inputs(s.model))[0]  # [heads, N]
        tables.append(figure.attention_table(weights, tuple(s.model.patch_embed.grid_size)))
    highest = max(table["attention"].max() for table in tables)
    return [
        figure.attention_figure(image[0], table, s.name, highest)
        for s, table in zip(subjects, tables, strict=True)
    ]


def match_picture(s: Subject, test: Images) -> "Figure":
    """Each patch of one crop and the patch of the other whose feature is nearest."""
    want = probe.inputs(s.model)
    a, b = next(pairs(test.pixels[SHOWN : SHOWN + 1], want.size, Generator().manual_seed(1)))
    first, second = (_unit_patches(s, view) for view in (a, b))  # [N, D]
    grid = tuple(s.model.patch_embed.grid_size)
    match, centres = correspondence(a, b, grid), patch_centres(grid)
    found, shown = centres[(first @ second.T).argmax(dim=1)], match.inside[0]
    table = figure.correspondence_table(
        centres[shown], match.points[0, shown], found[shown], want.size, want.size
    )
    images = (to_bytes(view.image[0]) for view in (a, b))
    return figure.correspondence_figure(*images, table, title=f"{s.name}: correspondences")


def _unit_patches(s: Subject, view: View) -> torch.Tensor:
    want = probe.inputs(s.model)
    return F.normalize(probe.view_features(s.model, view, want.mean, want.std).patches[0], dim=1)
