"""The report of `siamlab probe`: scores, profiles by layer and pictures of all models.

write_probe_report(out, models, scores, test)     # out/report.html
"""

import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from siamlab import figure
from siamlab.data import Images
from siamlab.evaluate.models import NamedModel
from siamlab.probe import cka_pairs, eigenvalues, is_readable
from siamlab.probe.cka import LEAST
from siamlab.probe.suite import PARTS
from siamlab.probe.suite.bench import subsample
from siamlab.report import pictures
from siamlab.report.page import Section, comparison_table, score_table, write_report

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

EXAMPLES = range(4, 40, 6)  # test images in the pictures; each shows another object
MOST = 6  # models in the pictures, trained ones first
COMPARED = 1000  # test images for spectra and CKA, at most
REFERENCE = "untrained"  # end of the name of an untrained network

PLANE = """\
To the right, features show what is in the image; upwards, they show where. Each score is the mean \
of its parts, scaled from chance (0) to ceiling (1). The semantic score combines k-NN and a linear \
probe on the mean patch feature. The spatial score is measured by correspondences between two \
crops of an image and, if there are pairs of scenes with a common object, between the two scenes. \
The mean feature of each position is subtracted first, so that a position embedding alone scores \
0."""

SCORES = """\
Brackets are 95 % bootstrap intervals over test images, or over pairs of scenes with a common \
object; numbers without brackets are not sums over images. ↑: higher is better, ↓: lower is \
better, no arrow: a description. The Parquet table next to this page contains the same numbers \
unrounded, with the protocol of each."""

COMPARED_BY = """\
The two scores and their parts. Better, worse: the two 95 % intervals do not overlap; overlap: \
they do."""

PROFILES = """\
Probes on the output of each block after the final norm, and on the attention of each block. Dots \
are single heads, lines are all heads together."""

ATTENTION = """\
How strongly the class token attends to each patch (without a class token: the mean over patches), \
for every head of every block. Rows are renormalised without class and register tokens. All models \
share one colour scale."""

CORRESPONDENCE = """\
Two crops of one test image. Each patch of the left crop is joined to the patch of the right crop \
with the nearest feature; the colour is its distance from the true place, which the boxes of the \
crops determine. Only patches that both crops show are drawn."""

SIMILARITY = """\
Cosine of the outlined patch to all patches of the image."""

COMPONENTS = """\
The first three principal components of the patch features as red, green and blue. Patches of one \
colour have similar features; colours cannot be compared between models."""

ATTRIBUTION = """\
The pixels and patches on which the feature of an image depends, by three methods, or by two for \
models whose attention has no gradient. An encoder has no class to explain, so the target is the \
cosine of the feature to that of another view of the image."""

PROTOCOL = """\
The settings on which all numbers of this page depend. Numbers with another protocol are never in \
the same table: each row of the Parquet table has the fields and a hash of its protocol."""

REPRESENTATION = """\
The variance of the mean patch features along each principal axis (models whose features do not \
vary are left out), and the similarity of layers (unbiased linear CKA: 1 if they are equal up to \
rotation and scale, 0 if they are unrelated)."""


def write_probe_report(
    out: Path, models: Sequence[NamedModel], scores: pl.DataFrame, test: Images, suite: str
) -> Path:
    """Write the report and return its path. Models are in the order of `models`."""
    return write_report(
        out / "report.html",
        "Probes: " + ", ".join(m.name for m in models),
        list(sections(models, scores, test, suite)),
    )


def sections(
    models: Sequence[NamedModel], scores: pl.DataFrame, test: Images, suite: str
) -> Iterator[Section]:
    """Yield the sections for which there are scores and models."""
    whole = scores.filter(pl.col("layer").is_null(), pl.col("head").is_null())
    if both_scores(whole):
        yield Section("The plane", PLANE, [figure.plane(scores)])
    yield Section("Scores", SCORES, [figure.probes_figure(figure.probes_table(scores))],
                  score_table(scores))  # fmt: skip
    parts = [p for p in (*PARTS, *chain(*PARTS.values())) if p in whole["probe"]]
    if parts and whole["model"].n_unique() > 1:
        yield Section("Comparison of models", COMPARED_BY, table=comparison_table(scores, parts))
    if profiled := profiles(scores):
        yield Section("By layer", PROFILES, profiled)
    if suite == "full":
        yield representation_section(models, test)
    yield from image_sections(most_important(models), test)
    yield Section("Protocol", protocol(scores))


def most_important(models: Sequence[NamedModel]) -> list[NamedModel]:
    """Return at most MOST models in their order; untrained ones are left out first."""
    untrained = [m for m in models if m.name.endswith(REFERENCE)]
    first = [*(m for m in models if m not in untrained), *untrained][:MOST]
    return [m for m in models if m in first]


def both_scores(whole: pl.DataFrame) -> bool:
    """Return whether any model has both scores."""
    rows = whole.filter(pl.col("probe").is_in(["semantic", "spatial"]))
    return bool((rows["model"].value_counts()["count"] == 2).any())


def profiles(scores: pl.DataFrame) -> list["Figure"]:
    """Return profiles of probes by layer and the atlas of heads, if the suite has them."""
    layered = scores.filter(pl.col("layer").is_not_null())
    counts = layered.group_by("probe", maintain_order=True).agg(pl.col("layer").n_unique())
    shown = counts.filter(pl.col("layer") > 1)["probe"].to_list()
    if not shown:
        return []
    shown = [figure.profile_figure(figure.profile_table(scores, shown))]
    if "attention_nmi" in layered["probe"]:
        shown.append(figure.atlas_figure(figure.atlas_table(scores)))
    return shown


def image_sections(models: Sequence[NamedModel], test: Images) -> Iterator[Section]:
    """Yield the sections that show the models on single images."""
    index = subsample(test, EXAMPLES.stop).index
    images = test.pixels[index[[i for i in EXAMPLES if i < len(index)] or [0]]]
    first = images[0]
    matches = [pictures.match_picture(m, first) for m in models]
    yield Section("Correspondences", CORRESPONDENCE, matches)
    yield Section("Similarity", SIMILARITY, pictures.similarity_pictures(models, first))
    yield Section("Components", COMPONENTS, [pictures.components_picture(models, images)])
    if readable := [m for m in models if is_readable(m.model)]:
        yield Section("Attention", ATTENTION, pictures.attention_maps(readable, first))
    if readable and find_spec("captum"):
        trained = [m for m in readable if not m.name.endswith(REFERENCE)] or readable
        attributed = [pictures.attribution_picture(m, first) for m in trained]
        yield Section("Attribution", ATTRIBUTION, attributed)


def representation_section(models: Sequence[NamedModel], test: Images) -> Section:
    """Return spectra of all models, and the similarity of their layers."""
    images = test.pixels[subsample(test, COMPARED).index]
    pooled = {m.name: pictures.pooled_by_layer(m, images) for m in models}
    spectra = {name: eigenvalues(layers[-1]) for name, layers in pooled.items()}
    table = figure.spectrum_table(spectra)
    shown = [figure.spectrum_figure(table)] if len(table) else []
    if len(images) >= LEAST:
        shown.append(figure.cka_figure(figure.cka_table(cka_pairs(pooled))))
    return Section("Representation", REPRESENTATION, shown)


def protocol(scores: pl.DataFrame) -> str:
    """List the fields of the protocol that all scores share."""
    settings = [json.loads(text) for text in scores["settings"].unique(maintain_order=True)]
    first = settings[0]
    shared = {k: v for k, v in first.items() if all(s.get(k) == v for s in settings)}
    lines = "\n".join(f"- {key}: {value}" for key, value in shared.items())
    return f"{PROTOCOL}\n\n{lines}"
