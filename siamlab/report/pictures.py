"""Figures of models on single images, for the reports of the demo, of probes and of studies.

views_picture(run, image)      attention_pictures(models, image)      match_picture(named, image)
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import UInt8
from torch import Generator, Tensor

from siamlab import figure, probe
from siamlab.crop import finest
from siamlab.evaluate.models import NamedModel
from siamlab.figure.image import SHARP, to_bytes
from siamlab.geometry import View, match_patches, patch_centres
from siamlab.probe import attribution
from siamlab.probe.pairs import crop_pairs
from siamlab.run import Run

if TYPE_CHECKING:
    from plotly.graph_objects import Figure
    from polars import DataFrame

Image = UInt8[Tensor, "3 H W"]
CROPS_SEED = 1  # of the two crops on which correspondences are shown


def views_picture(run: Run, image: Image) -> "Figure":
    """The boxes, patches and mask of one training step."""
    rng = Generator().manual_seed(run.seed)
    context, target = run.views(image[None], run.size, run.colour, rng)
    mask = run.masking(1, run.grid, rng)
    boxes = figure.box_table(image, context, target)
    of_patches = any(part.head.per == "patch" for part in run.prediction.parts)
    patches = figure.patch_table(
        context, target, mask.visible[0], mask.predict[0] & of_patches, run.grid
    )
    return figure.views_figure(image, context, target, boxes, patches, f"{run.name}: two views")


def attention_pictures(models: Sequence[NamedModel], image: Image) -> list["Figure"]:
    """Attention of the class token in the last block, one figure per model, on one colour scale."""
    tables = []
    for named in models:
        weights = probe.class_attention(named.model, image[None])[0]
        tables.append(figure.attention_table(weights, grid_of(named)))
    highest = max(table["attention"].max() for table in tables)
    return [
        figure.attention_figure(image, table, named.name, highest)
        for named, table in zip(models, tables, strict=True)
    ]


def attention_maps(models: Sequence[NamedModel], image: Image) -> list["Figure"]:
    """Attention of the class token in all heads and blocks, on one colour scale for all models."""
    tables = [
        figure.attention_maps_table(
            probe.class_attentions(named.model, image[None])[0], grid_of(named)
        )
        for named in models
    ]
    highest = max(table["attention"].quantile(0.99) for table in tables)
    return [
        figure.attention_maps_figure(image, table, named.name, highest=highest)
        for named, table in zip(models, tables, strict=True)
    ]


def match_picture(named: NamedModel, image: Image) -> "Figure":
    """Each patch of one crop, joined to the patch of the other with the nearest feature."""
    a, b = crops(named, image)
    first, second = (_patches(named, view) for view in (a, b))  # [N, D]
    first, second = (torch.nn.functional.normalize(x, dim=1) for x in (first, second))
    match, centres = match_patches(a, b, grid_of(named)), patch_centres(grid_of(named))
    nearest, shown = centres[(first @ second.T).argmax(dim=1)], match.inside[0]
    size = tuple(a.image.shape[2:])
    table = figure.correspondence_table(
        centres[shown], match.points[0, shown], nearest[shown], size, size
    )
    title = f"{named.name}: correspondences"
    images = (to_show(image, view) for view in (a, b))
    return figure.correspondence_figure(*images, table, title=title, sizes=(size, size))


def grid_of(named: NamedModel) -> tuple[int, int]:
    """Rows and columns of the patches of the model."""
    return tuple(named.model.patch_embed.grid_size)


def crops(named: NamedModel, image: Image) -> tuple[View, View]:
    """Two crops of an image at the input size of the model, the same for all models of one size."""
    size = probe.inputs(named.model).size
    return next(crop_pairs(image[None], size, Generator().manual_seed(CROPS_SEED)))


def to_show(image: Image, view: View) -> UInt8[Tensor, "3 h w"]:
    """A crop of an image as it is drawn: finer than the model sees it where the image is."""
    return to_bytes(finest(image[None], view, SHARP))


def _patches(named: NamedModel, view: View) -> Tensor:
    return probe.view_features(named.model, view).patches[0].cpu()


def attribution_picture(
    named: NamedModel, image: Image, maps: "Mapping[str, DataFrame] | None" = None
) -> "Figure":
    """Attribution of the cosine between the features of two crops, by up to three methods.

    `maps` are those of `attribution_maps`, which are computed if they are not given.
    """
    (a, _), tables = crops(named, image), maps or attribution_maps(named, image)
    return figure.attribution_figure(
        to_show(image, a), tables, "the feature of another crop of the image", named.name
    )


def attribution_maps(named: NamedModel, image: Image) -> "dict[str, DataFrame]":
    """Row, column and attribution of each patch, by method: what `attribution_picture` draws."""
    a, b = crops(named, image)
    other = probe.features(named.model, b.image).pooled[0]
    inputs = named.model, a.image, attribution.ToView(other)
    tables = {
        "integrated gradients": figure.attribution_table(
            attribution.integrated_gradients(*inputs).map[0], grid_of(named)
        ),
        "Grad-CAM": figure.attribution_table(attribution.grad_cam(*inputs)[0]),
    }
    if attribution.has_attention(named.model):
        weighted = attribution.attention_gradient(*inputs)[0]
        tables["attention × gradient"] = figure.attribution_table(weighted)
    return tables


def similarity_pictures(models: Sequence[NamedModel], image: Image) -> list["Figure"]:
    """Cosine of the central patch to all patches, one figure per patch grid."""
    grids = dict.fromkeys(grid_of(named) for named in models)
    return [
        _similarity([named for named in models if grid_of(named) == grid], image, grid)
        for grid in grids
    ]


def components_picture(models: Sequence[NamedModel], images: UInt8[Tensor, "n 3 H W"]) -> "Figure":
    """Patch features in the colours of their first three principal components."""
    tables = {
        named.name: figure.components_table(patches_of(named, images), grid_of(named))
        for named in models
    }
    return figure.components_figure(images, tables)


def patches_of(named: NamedModel, images: UInt8[Tensor, "n 3 H W"]) -> Tensor:
    """Patch features of whole images, [n, N, D]."""
    return probe.features(named.model, images).patches.cpu()


def pooled_by_layer(named: NamedModel, images: UInt8[Tensor, "n 3 H W"]) -> list[Tensor]:
    """Mean patch features of whole images after each block, [n, D] each."""
    layers = probe.by_layer(named.model, images, "pooled")
    return [layer.cpu() for layer in layers]


def _similarity(models: list[NamedModel], image: Image, grid: tuple[int, int]) -> "Figure":
    query = grid[0] // 2, grid[1] // 2
    tables = {}
    for named in models:
        patches = patches_of(named, image[None])[0]
        central = patches[query[0] * grid[1] + query[1]]
        tables[named.name] = figure.similarity_table(central, patches, grid)
    return figure.similarity_figure(image, tables, query)
