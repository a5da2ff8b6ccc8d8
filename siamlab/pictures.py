"""Pictures of what models see on single images: for the demo's report and that of a probe.

views_picture(run, image)      attention_pictures(subjects, image)      match_picture(s, image)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import UInt8
from torch import Generator, Tensor

from siamlab import figure, probe
from siamlab.figure.image import to_bytes
from siamlab.geometry import View, correspondence, patch_centres
from siamlab.probe import attribution
from siamlab.probe.pairs import pairs
from siamlab.run import Run
from siamlab.subject import Subject

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Image = UInt8[Tensor, "3 H W"]
CROPS_SEED = 1  # of the two crops that correspondences are shown on


def views_picture(run: Run, image: Image) -> "Figure":
    """The boxes, patches and mask of one training draw."""
    rng = Generator().manual_seed(run.seed)
    context, target = run.views(image[None], run.size, run.colour, rng)
    mask = run.masking(1, run.grid, rng)
    boxes = figure.box_table(image, context, target)
    of_patches = run.prediction.kind != "global"  # else one vector of the whole target
    patches = figure.patch_table(
        context, target, mask.visible[0], mask.predict[0] & of_patches, run.grid
    )
    return figure.views_figure(image, context, target, boxes, patches, f"{run.name}: two views")


def attention_pictures(subjects: Sequence[Subject], image: Image) -> list["Figure"]:
    """The class token's attention in the last block, a picture a model, on one colour scale."""
    tables = []
    for s in subjects:
        weights = probe.class_attention(s.model, image[None], *probe.inputs(s.model))[0]
        tables.append(figure.attention_table(weights, grid_of(s)))
    highest = max(table["attention"].max() for table in tables)
    return [
        figure.attention_figure(image, table, s.name, highest)
        for s, table in zip(subjects, tables, strict=True)
    ]


def attention_maps(subjects: Sequence[Subject], image: Image) -> list["Figure"]:
    """The class token's attention in every head of every block, on one colour scale."""
    tables = [
        figure.attention_maps_table(
            probe.class_attentions(s.model, image[None], *probe.inputs(s.model))[0], grid_of(s)
        )
        for s in subjects
    ]
    highest = max(table["attention"].quantile(0.99) for table in tables)
    return [
        figure.attention_maps_figure(image, table, s.name, highest=highest)
        for s, table in zip(subjects, tables, strict=True)
    ]


def match_picture(s: Subject, image: Image) -> "Figure":
    """Each patch of one crop and the patch of the other whose feature is nearest."""
    a, b = crops(s, image)
    first, second = (_patches(s, view) for view in (a, b))  # [N, D]
    first, second = (torch.nn.functional.normalize(x, dim=1) for x in (first, second))
    match, centres = correspondence(a, b, grid_of(s)), patch_centres(grid_of(s))
    found, shown = centres[(first @ second.T).argmax(dim=1)], match.inside[0]
    size = tuple(a.image.shape[2:])
    table = figure.correspondence_table(
        centres[shown], match.points[0, shown], found[shown], size, size
    )
    images = (to_bytes(view.image[0]) for view in (a, b))
    return figure.correspondence_figure(*images, table, title=f"{s.name}: correspondences")


def grid_of(s: Subject) -> tuple[int, int]:
    """Rows and columns of the model's patches."""
    return tuple(s.model.patch_embed.grid_size)


def crops(s: Subject, image: Image) -> tuple[View, View]:
    """The two crops of an image, at the model's size, that pictures of pairs are made of."""
    size = probe.inputs(s.model).size
    return next(pairs(image[None], size, Generator().manual_seed(CROPS_SEED)))


def _patches(s: Subject, view: View) -> Tensor:
    want = probe.inputs(s.model)
    return probe.view_features(s.model, view, want.mean, want.std).patches[0].cpu()


def attribution_picture(s: Subject, image: Image) -> "Figure":
    """Three methods, or two, on what makes one crop of the image like the other."""
    want, (a, b) = probe.inputs(s.model), crops(s, image)
    other = probe.features(s.model, b.image, *want).pooled[0]
    given = s.model, a.image, *want, attribution.ToView(other)
    tables = {
        "integrated gradients": figure.attribution_table(
            attribution.integrated_gradients(*given).map[0], grid_of(s)
        ),
        "Grad-CAM": figure.attribution_table(attribution.grad_cam(*given)[0]),
    }
    if attribution.has_attention(s.model):
        found = attribution.attention_gradient(*given)[0]
        tables["attention × gradient"] = figure.attribution_table(found)
    return figure.attribution_figure(
        to_bytes(a.image[0]), tables, "the feature of another crop of the image", s.name
    )


def similarity_pictures(subjects: Sequence[Subject], image: Image) -> list["Figure"]:
    """Cosine of the central patch to all others, one picture for all models of one grid."""
    grids = dict.fromkeys(grid_of(s) for s in subjects)
    return [_similarity([s for s in subjects if grid_of(s) == grid], image, grid) for grid in grids]


def components_picture(subjects: Sequence[Subject], images: UInt8[Tensor, "n 3 H W"]) -> "Figure":
    """Patch features of some images in the colours of their first three components."""
    tables = {s.name: figure.components_table(patches_of(s, images), grid_of(s)) for s in subjects}
    return figure.components_figure(images, tables)


def patches_of(s: Subject, images: UInt8[Tensor, "n 3 H W"]) -> Tensor:
    """Patch features of whole images, [n, N, D]."""
    return probe.features(s.model, images, *probe.inputs(s.model)).patches.cpu()


def pooled_by_layer(s: Subject, images: UInt8[Tensor, "n 3 H W"]) -> list[Tensor]:
    """Mean patch features of whole images after each block, [n, D] each."""
    layers = probe.by_layer(s.model, images, *probe.inputs(s.model), "pooled")
    return [layer.cpu() for layer in layers]


def _similarity(subjects: list[Subject], image: Image, grid: tuple[int, int]) -> "Figure":
    query = grid[0] // 2, grid[1] // 2
    tables = {}
    for s in subjects:
        patches = patches_of(s, image[None])[0]
        chosen = patches[query[0] * grid[1] + query[1]]
        tables[s.name] = figure.similarity_table(chosen, patches, grid)
    return figure.similarity_figure(image, tables, query)
