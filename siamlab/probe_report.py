"""The report of `siamlab probe`: scores, profiles by layer, and pictures, for all models at once.

write_probe_report(out, subjects, scores, test)     # out/report.html
"""

import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from siamlab import figure, pictures
from siamlab.data import Images
from siamlab.probe import cka_table, eigenvalues, is_readable
from siamlab.probe.suite import PARTS
from siamlab.probe.suite.bench import chosen
from siamlab.report import Section, comparison_table, score_table, write_report
from siamlab.subject import Subject

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PICTURED = range(4, 40, 6)  # test images that the pictures show: other objects each
MOST = 6  # models whose pictures are shown: the trained ones first
COMPARED = 1000  # test images of the spectra and of CKA, at most
REFERENCE = "untrained"  # the network that a single model is compared with

PLANE = """\
Right: features know what is in the image. Up: they know where. Each score is the mean of its \
parts, scaled from chance (0) to ceiling (1): semantic from k-NN and a linear probe on the mean \
patch feature; spatial from correspondences between two crops of an image and, where the images \
hold pairs of scenes with one object, between these. The mean feature of each position is \
subtracted first, so that a position embedding alone scores nothing."""

SCORES = """\
Brackets are 95 % bootstrap intervals over test images (over pairs of scenes where two show one \
object); numbers without brackets are no sums over images. ↑ higher is better, ↓ lower is better, \
neither: a description. The Parquet table beside this page holds the same numbers in full, with \
the protocol of each."""

COMPARED_BY = """\
The two scores and their parts. Better and worse: the two 95 % intervals share no point; overlap: \
they do."""

PROFILES = """\
Each block's output, through the final norm; attention of each head of each block. Dots are single \
heads, lines all heads together."""

ATTENTION = """\
How strongly the class token attends to each patch (without a class token: the mean over patches), \
head by head, every block. Rows are renormalised without class and register tokens. No head was \
picked, and all models share one colour scale."""

CORRESPONDENCE = """\
Two crops of one test image. Each patch of the left crop is joined to the patch of the right crop \
with the nearest feature; colour is the distance from the true place, known from the boxes. Only \
patches that both crops show are drawn."""

SIMILARITY = """\
Cosine of one patch, the outlined one, to all patches of the image."""

COMPONENTS = """\
The first three principal components of the patch features as red, green and blue. Colours mean \
nothing across models; what matters is which patches share one."""

ATTRIBUTION = """\
Which pixels and patches the model's answer rests on, by three methods (by two where the attention \
of its blocks has no gradient to read). A model without labels has \
no class to explain, so the target is how similar the image's feature is to that of another view."""

PROTOCOL = """\
What all numbers of this page depend on. Numbers that were measured otherwise stand in no table \
with them: each row of the Parquet table has a hash of its whole protocol, and its fields."""

REPRESENTATION = """\
How much of the variance lies along each principal axis of the mean patch features (a model whose \
features do not vary has none), and how alike layers are (unbiased linear CKA: 1 up to rotation \
and scale, 0 unrelated)."""


def write_probe_report(
    out: Path, subjects: Sequence[Subject], scores: pl.DataFrame, test: Images, suite: str
) -> Path:
    """The report's path. Models come in the order of `subjects`."""
    return write_report(
        out / "report.html",
        "Probes: " + ", ".join(s.name for s in subjects),
        list(sections(subjects, scores, test, suite)),
    )


def sections(
    subjects: Sequence[Subject], scores: pl.DataFrame, test: Images, suite: str
) -> Iterator[Section]:
    """Those that the scores and the models allow."""
    whole = scores.filter(pl.col("layer").is_null(), pl.col("head").is_null())
    if both_scores(whole):
        yield Section("The plane", PLANE, [figure.plane(scores)])
    yield Section("Scores", SCORES, [figure.probes_figure(figure.probes_table(scores))],
                  score_table(scores))  # fmt: skip
    told = [p for p in (*PARTS, *chain(*PARTS.values())) if p in whole["probe"]]
    if told and whole["model"].n_unique() > 1:
        yield Section("Who beats whom", COMPARED_BY, table=comparison_table(scores, told))
    if profiled := profiles(scores):
        yield Section("By layer", PROFILES, profiled)
    if suite == "full":
        yield of_features(subjects, test)
    yield from of_images(pictured(subjects), test)
    yield Section("Protocol", protocol(scores))


def pictured(subjects: Sequence[Subject]) -> list[Subject]:
    """At most MOST models in their order: trained ones before untrained ones."""
    untrained = [s for s in subjects if s.name.endswith(REFERENCE)]
    chosen = [*(s for s in subjects if s not in untrained), *untrained][:MOST]
    return [s for s in subjects if s in chosen]


def both_scores(whole: pl.DataFrame) -> bool:
    """Some model has both."""
    rows = whole.filter(pl.col("probe").is_in(["semantic", "spatial"]))
    return bool((rows["model"].value_counts()["count"] == 2).any())


def profiles(scores: pl.DataFrame) -> list["Figure"]:
    """Probes by layer, and the heads of all layers in one plane, where the suite has them."""
    layered = scores.filter(pl.col("layer").is_not_null())
    counts = layered.group_by("probe", maintain_order=True).agg(pl.col("layer").n_unique())
    shown = counts.filter(pl.col("layer") > 1)["probe"].to_list()
    if not shown:
        return []
    shown = [figure.profile_figure(figure.profile_table(scores, shown))]
    if "attention_nmi" in layered["probe"]:
        shown.append(figure.atlas_figure(figure.atlas_table(scores)))
    return shown


def of_images(subjects: Sequence[Subject], test: Images) -> Iterator[Section]:
    """What the models see on single images."""
    index = chosen(test, PICTURED.stop).index
    images = test.pixels[index[[i for i in PICTURED if i < len(index)] or [0]]]
    first = images[0]
    matches = [pictures.match_picture(s, first) for s in subjects]
    yield Section("Correspondences", CORRESPONDENCE, matches)
    yield Section("Similarity", SIMILARITY, pictures.similarity_pictures(subjects, first))
    yield Section("Components", COMPONENTS, [pictures.components_picture(subjects, images)])
    if readable := [s for s in subjects if is_readable(s.model)]:
        yield Section("Attention", ATTENTION, pictures.attention_maps(readable, first))
    if readable and find_spec("captum"):
        trained = [s for s in readable if not s.name.endswith(REFERENCE)] or readable
        attributed = [pictures.attribution_picture(s, first) for s in trained]
        yield Section("Attribution", ATTRIBUTION, attributed)


def of_features(subjects: Sequence[Subject], test: Images) -> Section:
    """Spectra, and how alike the layers of all models are."""
    images = test.pixels[chosen(test, COMPARED).index]
    pooled = {s.name: pictures.pooled_by_layer(s, images) for s in subjects}
    spectra = {name: eigenvalues(layers[-1]) for name, layers in pooled.items()}
    table, alike = figure.spectrum_table(spectra), figure.cka_table(cka_table(pooled))
    shown = [figure.spectrum_figure(table)] if len(table) else []
    return Section("Representation", REPRESENTATION, [*shown, figure.cka_figure(alike)])


def protocol(scores: pl.DataFrame) -> str:
    """What the numbers depend on: the fields that all share, in one list."""
    settings = [json.loads(text) for text in scores["settings"].unique(maintain_order=True)]
    first = settings[0]
    shared = {k: v for k, v in first.items() if all(s.get(k) == v for s in settings)}
    lines = "\n".join(f"- {key}: {value}" for key, value in shared.items())
    return f"{PROTOCOL}\n\n{lines}"
