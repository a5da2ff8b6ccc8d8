"""The two views of a training step on their source image, with patches and mask.

boxes = box_table(source, context, target)
patches = patch_table(context, target, visible, predict, grid)
views_figure(source, context, target, boxes, patches)
"""

from typing import Any

import plotly.graph_objects as go
import polars as pl
from jaxtyping import Bool, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.figure.image import show, to_bytes
from siamlab.figure.template import OKABE_ITO, finish, panels
from siamlab.geometry import Grid, View
from siamlab.machine.arguments import typed
from siamlab.probe.table import check_frame

ROLES = {"context": OKABE_ITO[0], "target": OKABE_ITO[1]}
SIDES = ("top", "left", "height", "width")
HEIGHT = 320  # pixels, without title and caption


@typed
def box_table(source: UInt8[Tensor, "3 H W"], context: View, target: View) -> pl.DataFrame:
    """role, top, left, height, width (pixels of the source image), flip: one row per view.

    Each view has one image.
    """
    rows, columns = source.shape[1:]
    scale = (rows, columns, rows, columns)
    table = []
    for role, view in (("context", context), ("target", target)):
        _check_single(role, view)
        sides = zip(SIDES, view.box[0].tolist(), scale, strict=True)
        box = {name: side * pixels for name, side, pixels in sides}
        table.append({"role": role, **box, "flip": bool(view.flip[0])})
    return pl.DataFrame(table)


@typed
def patch_table(
    context: View,
    target: View,
    visible: Bool[Tensor, " N"],
    predict: Bool[Tensor, " N"],
    grid: Grid,
) -> pl.DataFrame:
    """role, row, column, top, left, height, width (pixels of the view), hidden, predicted.

    One row per patch and view. Patches of the context are hidden from the encoder, those of the
    target are predicted.
    """
    (rows, columns), count = grid, grid[0] * grid[1]
    for name, mask in (("visible", visible), ("predict", predict)):
        if len(mask) != count:
            raise UserError(f"{name} has {len(mask)} patches; a grid of {grid} has {count}")
    table = []
    for role, view in (("context", context), ("target", target)):
        height, width = view.image.shape[2] / rows, view.image.shape[3] / columns
        for patch in range(count):
            row, column = divmod(patch, columns)
            place = dict(top=row * height, left=column * width, height=height, width=width)
            hidden = role == "context" and not visible[patch]
            scored = role == "target" and bool(predict[patch])
            marks = dict(hidden=hidden, predicted=scored)
            table.append(dict(role=role, row=row, column=column, **place, **marks))
    return pl.DataFrame(table)


@typed
def views_figure(
    source: UInt8[Tensor, "3 H W"],
    context: View,
    target: View,
    boxes: pl.DataFrame,
    patches: pl.DataFrame,
    title: str = "Two views of one image",
) -> go.Figure:
    """The source with both boxes, the context with hidden and the target with predicted patches."""
    boxes = check_frame(boxes, ("role", *SIDES, "flip"), "the table of boxes")
    patches = check_frame(patches, ("role", *SIDES, "hidden", "predicted"), "the table of patches")
    if missing := set(ROLES) - set(boxes["role"]):
        raise UserError(
            f"the table of boxes has no row for {sorted(missing)}; box_table makes both"
        )
    mirrored = {row["role"]: " (mirrored)" if row["flip"] else "" for row in boxes.to_dicts()}
    titles = ["source", *(f"{role}{mirrored[role]}" for role in ROLES)]
    figure = panels(titles, 3, horizontal_spacing=0.07)
    views = (to_bytes(context.image[0]), to_bytes(target.image[0]))
    for col, pixels in enumerate((source, *views), 1):
        show(figure, pixels, row=1, col=col)
        figure.update_xaxes(title_text="pixels", row=1, col=col)
    for row in boxes.iter_rows(named=True):
        _box(figure, row, mirrored[row["role"]])
    for col, role in enumerate(ROLES, 2):
        _grid(figure, patches.filter(pl.col("role") == role), col)
    figure.update_layout(margin=dict(l=36, r=12, b=80), showlegend=True)
    caption = "Left: the source image with the boxes of both views. Middle: the context; hatched "
    caption += "patches are hidden from the encoder. Right: the target; outlined patches are "
    caption += "predicted."
    return finish(figure, title, caption, HEIGHT)


def _check_single(role: str, view: View) -> None:
    if len(view.box) != 1:
        raise UserError(
            f"{role} has {len(view.box)} images; a figure shows one: pass a single view"
        )


def _box(figure: go.Figure, row: dict, mirrored: str) -> None:
    x, y = _outline(row)
    dash = "solid" if row["role"] == "context" else "dash"
    line = dict(color=ROLES[row["role"]], width=3, dash=dash)
    name = f"{row['role']} box{mirrored}"
    figure.add_scatter(x=x, y=y, mode="lines", line=line, name=name, row=1, col=1)


def _grid(figure: go.Figure, patches: pl.DataFrame, col: int) -> None:
    """Draw the patch grid, hatch hidden patches and outline predicted ones."""
    line = dict(color="rgba(255,255,255,0.7)", width=1)
    _patches(figure, patches, col, line=line, showlegend=False, name="grid")
    pattern = dict(shape="/", size=5, solidity=0.3, bgcolor="#B8BCC2", fgcolor="#6E737A")
    fill = dict(fill="toself", fillpattern=pattern, line=dict(color="white", width=1))
    _patches(figure, patches.filter("hidden"), col, name="hidden from the encoder", **fill)
    line = dict(color=ROLES["target"], width=1.5)
    _patches(figure, patches.filter("predicted"), col, inset=0.12, name="predicted", line=line)


def _patches(
    figure: go.Figure, patches: pl.DataFrame, col: int, inset: float = 0.0, **style: Any
) -> None:
    outlines = [_outline(row, inset) for row in patches.iter_rows(named=True)]
    if outlines:
        x = [value for outline in outlines for value in (*outline[0], None)]
        y = [value for outline in outlines for value in (*outline[1], None)]
        figure.add_scatter(x=x, y=y, mode="lines", hoverinfo="skip", row=1, col=col, **style)


def _outline(row: dict, inset: float = 0.0) -> tuple[list[float], list[float]]:
    """Closed path (x, y) around a box, inset by a fraction of its sides."""
    top, bottom = (row["top"] + row["height"] * share for share in (inset, 1 - inset))
    left, right = (row["left"] + row["width"] * share for share in (inset, 1 - inset))
    return [left, right, right, left, left], [top, top, bottom, bottom, top]
