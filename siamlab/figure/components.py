"""Principal components of patch features as colours (Oquab et al. 2023).

tables = {"mae": components_table(patches, grid), ...}
components_figure(images, tables)
"""

from collections.abc import Mapping
from math import sqrt

import plotly.graph_objects as go
import polars as pl
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from plotly.subplots import make_subplots
from torch import Tensor

from siamlab.component import UserError
from siamlab.figure.image import frame, show
from siamlab.figure.template import TOP, WIDTH, finish, plain
from siamlab.geometry import Grid
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_floats
from siamlab.probe.table import check_patches

COLOURS = ("red", "green", "blue")  # first, second, third component
ENDS = (0.01, 0.99)  # quantiles that become 0 and 1; values beyond them are clipped
FLAT = 1e-10  # share of the first variance below which a component is rounding: mid grey
TAIL = 0.2  # weight of the skewness of values against their correlation with a distance
GAP, LABEL = 6, 28  # pixels between images, and above each row for the name of the model
TALLEST = 180  # pixels: height of one image, at most


@typed
def components_table(patches: Float[Tensor, "n N D"], grid: Grid) -> pl.DataFrame:
    """image, row, column, red, green, blue: the first three principal components of each patch.

    The components are those of all patches of these images together. Each is scaled so that its
    1st and 99th percentiles are 0 and 1, clipped, and signed so that it grows with the distance
    from the lower left corner or, if it hardly does, has its longer tail bright. Invariant to
    rotation, shift and scaling of the features by a scalar. Cost: n · N · D² multiplications and
    one eigendecomposition, in float64.
    """
    check_floats("patches", patches, "n N D")
    images, count, width = patches.shape
    rows, columns = grid
    if count != rows * columns:
        raise UserError(
            f"features have {count} patches, but grid={grid} has {rows * columns}: "
            "drop class and register tokens first"
        )
    if width < len(COLOURS):
        raise UserError(f"features have {width} dimensions; three components need at least 3")
    values = _components(patches.detach().double().flatten(0, 1))  # [n N, 3]
    shares = _scaled(values * _signs(values, _corner_distance(grid, images).to(values)))
    index = range(images * count)
    places = {
        "image": [i // count for i in index],
        "row": [i % count // columns for i in index],
        "column": [i % columns for i in index],
    }
    channels = zip(COLOURS, shares.cpu().unbind(dim=1), strict=True)
    return pl.DataFrame(places | {name: channel.tolist() for name, channel in channels})


@typed
def components_figure(
    images: UInt8[Tensor, "n 3 H W"],
    tables: Mapping[str, pl.DataFrame],
    title: str = "Principal components of patches",
) -> go.Figure:
    """The images in a row, and a row of coloured patches below for the table of each model."""
    if not tables or not len(images):
        raise UserError(
            f"{len(images)} images and {len(tables)} tables must be at least one of each; "
            "pass images and the components_table of a model"
        )
    tables = {
        model: check_patches(table, COLOURS, f"the table of {model!r}", by=["image"])
        for model, table in tables.items()
    }
    names, count = ["image", *tables], len(images)
    width = (WIDTH - 24 - (count - 1) * GAP) / count
    tall = min(TALLEST, width * images.shape[2] / images.shape[3])
    height = len(names) * tall + (len(names) - 1) * LABEL
    gaps = dict(horizontal_spacing=GAP / (WIDTH - 24), vertical_spacing=LABEL / height)
    figure = make_subplots(len(names), count, **gaps)
    for col, image in enumerate(images, 1):
        show(figure, image, row=1, col=col)
    for row, (name, table) in enumerate(tables.items(), 2):
        for col in range(1, count + 1):
            _patches(figure, table.filter(pl.col("image") == col - 1), name, images, row, col)
    for i, name in enumerate(names):
        place = dict(x=0, xref="paper", y=1 - i * (tall + LABEL) / height, yref="paper")
        align = dict(xanchor="left", yanchor="bottom", showarrow=False, font=dict(size=13))
        figure.add_annotation(text=plain(name), **place, **align)
    figure.update_xaxes(constraintoward="left")  # keeps images below their labels on a wide page
    figure.update_xaxes(showticklabels=False, ticks="").update_yaxes(showticklabels=False, ticks="")
    figure.update_layout(margin=dict(l=12, r=12, b=12))
    caption = "Red, green and blue: the first three principal components of the patch features of "
    caption += "all these images, computed for each model separately. Patches of one colour have "
    caption += "similar features; colours cannot be compared between models."
    return finish(figure, title, caption, int(height) + TOP + 12)


def _components(features: Float[Tensor, "m D"]) -> Float[Tensor, "m 3"]:
    """Values along the three axes of largest variance; 0 along axes without variance."""
    centred = features - features.mean(dim=0)
    variance, axes = torch.linalg.eigh(centred.T @ centred)  # ascending
    values = centred @ axes[:, -3:].flip(1)
    return values * (variance[-3:].flip(0) > FLAT * variance[-1])


def _signs(values: Float[Tensor, "m 3"], reference: Float[Tensor, " m"]) -> Float[Tensor, "3"]:
    """1 or -1 for each axis, whose ends are arbitrary.

    Every rule turns an axis somewhere as features change. This one does so rarely: the reference
    stays the same from layer to layer and from step to step. Of the same axes in consecutive
    layers of the zoo's models, on the photographs of the package, 5 % are turned; 17 % would be if
    only the longer tail decided. As in explore/web/src/components.ts.
    """
    unit = F.normalize(values, dim=0)
    along = F.normalize(reference - reference.mean(), dim=0) @ unit  # correlations
    tail = TAIL * sqrt(len(unit)) * unit.pow(3).sum(dim=0)
    return torch.where(torch.where(along.abs() >= tail.abs(), along, tail) < 0, -1.0, 1.0)


def _corner_distance(grid: Grid, images: int) -> Float[Tensor, " m"]:
    """How far each patch is from the lower left corner of its image, in patches."""
    rows, columns = grid
    up, across = torch.arange(rows).flip(0), torch.arange(columns)
    return torch.hypot(up[:, None].double(), across.double()).flatten().repeat(images)


def _scaled(values: Float[Tensor, "m 3"]) -> Float[Tensor, "m 3"]:
    """Each column scaled to 0 at its 1st and 1 at its 99th percentile; ½ if all are equal."""
    low, high = values.quantile(values.new_tensor(ENDS), dim=0)
    span = high - low
    return torch.where(span > 0, ((values - low) / span).clamp(0, 1), 0.5)


def _patches(
    figure: go.Figure, table: pl.DataFrame, name: str, images: Tensor, row: int, col: int
) -> None:
    """Draw the patches of one image in their colours."""
    if table.is_empty():
        raise UserError(
            f"the table of {name!r} has no image {col - 1}; it must have all {len(images)}"
        )
    rows, columns = table["row"].max() + 1, table["column"].max() + 1
    shares = table.sort("row", "column").select(COLOURS).to_numpy().reshape(rows, columns, 3)
    height, width = images.shape[2] / rows, images.shape[3] / columns
    place = dict(x0=width / 2, dx=width, y0=height / 2, dy=height)
    style = dict(name=plain(name), hoverinfo="skip")
    figure.add_image(z=(255 * shares).round(), **place, **style, row=row, col=col)
    frame(figure, *images.shape[2:], row=row, col=col)
