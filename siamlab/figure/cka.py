"""Linear CKA between the layers of models, as a matrix with one block per pair of models.

cka_figure(cka_table(rows))     # rows: model, layer, other_model, other_layer, cka
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
import polars as pl

from siamlab.component import UserError, unknown
from siamlab.figure.template import LETTER, TOP, WIDTH, broken, finish, plain
from siamlab.machine.arguments import typed
from siamlab.probe.table import check_frame

COLUMNS = ("model", "layer", "other_model", "other_layer", "cka")
LAYERS = ("layer", "other_layer")
SCALE = "Viridis_r"  # darker is more similar
WRITTEN = 16  # values are written into the cells of rows of at most this many
NAME, FEWEST = 22, 12  # characters in a line of a name, at most; a name with less room is turned
LINE = 14  # pixels: height of a line of text
TICK = 18  # pixels between layer numbers, at least
NUMBERS = 24  # pixels for the layer numbers
RIGHT = 84  # pixels, for the colour bar


class Block(NamedTuple):
    """The layers of one model on an axis of the matrix."""

    model: str
    start: int  # index of the first layer
    layers: list[int]


@typed
def cka_table(
    rows: pl.DataFrame | Sequence[Mapping[str, Any]], models: Sequence[str] | None = None
) -> pl.DataFrame:
    """model, layer, other_model, other_layer, cka: each pair of layers once in either order.

    Models are in the order of `models`, by default all in order of appearance; layers ascend.
    """
    table = pl.DataFrame(rows)
    table = check_frame(table, COLUMNS, "rows", "cka_pairs makes them", needed=LAYERS)
    here, there = COLUMNS[:2], COLUMNS[2:4]
    table = table.select(COLUMNS)
    mirrored = table.rename(dict(zip(here + there, there + here, strict=True))).select(COLUMNS)
    table = pl.concat([table, mirrored]).unique(here + there, keep="first", maintain_order=True)
    known = table["model"].unique(maintain_order=True).to_list()
    models = known if models is None else list(models)
    for name in models:
        if name not in known:
            raise UserError(unknown("models: no model", name, known))
    table = table.filter(pl.col("model").is_in(models), pl.col("other_model").is_in(models))
    order = {name: i for i, name in enumerate(models)}
    model, other = (
        pl.col(name).replace_strict(order, return_dtype=pl.Int64)
        for name in ("model", "other_model")
    )
    return table.sort(model, "layer", other, "other_layer")


@typed
def cka_figure(table: pl.DataFrame, title: str = "Similarity of layers (CKA)") -> go.Figure:
    """A heat map of a `cka_table`, one block per pair of models; missing pairs are white."""
    table = check_frame(table, COLUMNS, needed=LAYERS)
    down, across = _blocks(table, "model", "layer"), _blocks(table, "other_model", "other_layer")
    left = NUMBERS + 12 + _wide(down, NAME)
    cell = (WIDTH - left - RIGHT) / _count(across)  # pixels
    fits = min(NAME, int(cell * min(len(block.layers) for block in across) / LETTER) - 2)
    bottom = NUMBERS + 12 + (_tall(across, fits) if fits >= FEWEST else _wide(across, NAME))
    figure = go.Figure()
    _heat(figure, table, down, across)
    _axes(figure, down, across, cell)
    _names(figure, down, across, fits)
    bar = dict(title=dict(text="CKA (no unit)", side="right"), tickformat=".1f")
    figure.update_layout(
        coloraxis=dict(cmin=0, cmax=1, colorscale=SCALE, colorbar=bar),
        margin=dict(l=left, r=RIGHT, b=bottom),
    )
    caption = "Linear CKA between the features of two layers: 1 if they are equal up to rotation "
    caption += "and scale, 0 if they are unrelated. White lines separate the models."
    return finish(figure, title, caption, int(cell * _count(down) + TOP + bottom))


def _blocks(table: pl.DataFrame, model: str, layer: str) -> list[Block]:
    """The models of one axis with their layers, in the order of the table."""
    blocks = []
    for (name,), rows in table.group_by(model, maintain_order=True):
        blocks.append(Block(name, _count(blocks), rows[layer].unique().sort().to_list()))
    return blocks


def _count(blocks: list[Block]) -> int:
    return sum(len(block.layers) for block in blocks)


def _label(block: Block, characters: int) -> list[str]:
    return broken(f"layer of {block.model}", characters)


def _wide(blocks: list[Block], characters: int) -> float:
    """Width in pixels of the longest line of the names."""
    return LETTER * max(len(line) for block in blocks for line in _label(block, characters))


def _tall(blocks: list[Block], characters: int) -> int:
    """Height in pixels of the tallest name."""
    return LINE * max(len(_label(block, characters)) for block in blocks)


def _heat(figure: go.Figure, table: pl.DataFrame, down: list[Block], across: list[Block]) -> None:
    """Draw all cells except those of missing pairs."""
    row, column = ({(b.model, n): b.start + i for b in blocks for i, n in enumerate(b.layers)}
                   for blocks in (down, across))  # fmt: skip
    cka = np.full((len(row), len(column)), np.nan)
    hover = np.full(cka.shape, "", dtype=object)
    for model, layer, other, other_layer, value in table.select(COLUMNS).iter_rows():
        at = row[model, layer], column[other, other_layer]
        cka[at] = value
        hover[at] = plain(f"{model} {layer}, {other} {other_layer}: {value:.3f}")
    text = "%{z:.2f}" if max(cka.shape) <= WRITTEN else None
    style = dict(texttemplate=text, textfont=dict(size=10), coloraxis="coloraxis")
    figure.add_heatmap(z=cka, hovertext=hover, hoverinfo="text", hoverongaps=False, **style)


def _axes(figure: go.Figure, down: list[Block], across: list[Block], cell: float) -> None:
    """Add as many layer numbers as fit, and lines between the models."""
    step = math.ceil(TICK / cell)
    small = dict(tickfont=dict(size=10), tickangle=0, showgrid=False, automargin=False)
    figure.update_xaxes(range=[-0.5, _count(across) - 0.5], **_ticks(across, step), **small)
    figure.update_yaxes(range=[_count(down) - 0.5, -0.5], **_ticks(down, step), **small)
    line = dict(color="white", width=2.5)
    for block in across[1:]:
        figure.add_vline(block.start - 0.5, line=line)
    for block in down[1:]:
        figure.add_hline(block.start - 0.5, line=line)


def _ticks(blocks: list[Block], step: int) -> dict[str, list]:
    """Every `step`-th layer of each model, clear of the first of the next model."""
    marks = [
        (block.start + i, str(block.layers[i]))
        for block in blocks
        for i in range(0, max(1, len(block.layers) - step + 1), step)
    ]
    return dict(tickvals=[place for place, _ in marks], ticktext=[text for _, text in marks])


def _names(figure: go.Figure, down: list[Block], across: list[Block], fits: int) -> None:
    """Write `layer of …` beside each block of rows and below each block of columns."""
    style = dict(showarrow=False, font=dict(size=11))
    beside = dict(x=0, xref="x domain", xanchor="right", xshift=-NUMBERS, align="right")
    below = dict(y=0, yref="y domain", yanchor="top", yshift=-NUMBERS)
    lines = fits if fits >= FEWEST else NAME
    below |= dict(textangle=0 if fits >= FEWEST else -90)
    for block in down:
        text = "<br>".join(map(plain, _label(block, NAME)))
        figure.add_annotation(y=_middle(block), text=text, **beside, **style)
    for block in across:
        text = "<br>".join(map(plain, _label(block, lines)))
        figure.add_annotation(x=_middle(block), text=text, **below, **style)


def _middle(block: Block) -> float:
    return block.start + (len(block.layers) - 1) / 2
