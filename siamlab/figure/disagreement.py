"""Disagreements: the places of two views on whose match models differ most, with the truth.

found = {"mae": (features(mae, a.image), features(mae, b.image)), ...}      # a, b: View
table = disagreement_table(found, a, b)
disagreement_figure(a, b, table)
"""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from siamlab.component import UserError
from siamlab.figure.image import show, to_bytes
from siamlab.figure.template import (
    INK,
    broken,
    colours,
    finish,
    hide_rest,
    legend,
    panels,
    plain,
)
from siamlab.geometry import Count, Match, View, match_patches, patch_centres
from siamlab.machine.arguments import typed
from siamlab.probe import Features
from siamlab.probe.checks import check_patches
from siamlab.probe.table import check_frame

KEYS = ("rank", "pair", "y", "x", "true_y", "true_x", "gap")
COLUMNS = (*KEYS, "model", "found_y", "found_x", "error", "patches")
ACROSS = 4  # panels in a row: two pairs
PANEL, LINE, BELOW = 208, 14, 64  # pixels: a panel, a line of its title, below all panels
LETTERS = 30  # in a line of a title
EDGE = dict(color="white", width=1)
QUERY = dict(symbol="square-open", size=12, color=INK, line=dict(width=2.5))
UNDER = QUERY | dict(color="white", line=dict(width=5))
TRUE = dict(symbol="cross", size=10, color="white", line=dict(color=INK, width=1.2))


@typed
def disagreement_table(
    models: Mapping[str, tuple[Features, Features]],
    a: View,
    b: View,
    each: Count | None = 1,
    match: Match | None = None,
) -> pl.DataFrame:
    """One row per place and model; rank 1 is the place on which errors differ most.

    `models` are the features of both views, each of B images, by the name of the model.
    A place is the centre of a patch of `a` (of the first model's grid) that `b` shows; a model's
    match is the patch of `b` that is most similar, by cosine, to its own patch there. `y`, `x`,
    `true_…` and `found_…` are fractions of `a` and of `b`; `error` is in pixels of `b`, `patches`
    the same in the model's own patches, and `gap` the largest less the smallest error. `each` is
    the most places of one pair, None for all. `match` says where the patches of `a` lie in `b`, as
    `probe.object_match` does of two scenes; None: as the boxes of the views do. Raises UserError
    for fewer than two models, and for views that share nothing.
    """
    _check(models, a)
    grid = next(iter(models.values()))[0].grid
    match = match or match_patches(a, b, grid)
    pair, place = match.inside.nonzero(as_tuple=True)
    if len(pair) == 0:
        raise UserError("the views of no pair overlap; give views that overlap")
    queries, true = patch_centres(grid)[place], match.points[pair, place]
    parts = {name: _matches(found, pair, queries, true, b) for name, found in models.items()}
    errors = torch.stack([part["error"] for part in parts.values()])
    gap = errors.amax(dim=0) - errors.amin(dim=0)
    order = _ranked(gap, pair, each)
    shared = dict(zip(KEYS[1:], (pair, *queries.T, *true.T, gap), strict=True))
    rows = [
        {"rank": rank, **{key: value[i].item() for key, value in shared.items()}, "model": name}
        | {key: value[i].item() for key, value in part.items()}
        for rank, i in enumerate(order, 1)
        for name, part in parts.items()
    ]
    return pl.DataFrame(rows).select(COLUMNS)


@typed
def disagreement_figure(
    a: View,
    b: View,
    table: pl.DataFrame,
    most: Count = 6,
    title: str = "Whose match is right?",
    among: Sequence[str] = (),
) -> go.Figure:
    """Both views of the first `most` ranks of a `disagreement_table`, with truth and matches.

    Colours are chosen among the names `among`, then those of the table.
    """
    table = check_frame(table, COLUMNS, "the table of disagreements")
    _check_pairs(table, min(len(a.image), len(b.image)))
    shown = table.filter(pl.col("rank") <= most).partition_by("rank", maintain_order=True)
    names = table["model"].unique(maintain_order=True).to_list()
    colour = colours([*among, *names])
    figure, lines = _panels(shown)
    for i, part in enumerate(shown):
        row, col = 2 * i // ACROSS + 1, 2 * i % ACROSS + 1
        pair = part["pair"][0]
        show(figure, to_bytes(a.image[pair]), row=row, col=col)
        show(figure, to_bytes(b.image[pair]), row=row, col=col + 1)
        sizes = a.image.shape[2:], b.image.shape[2:]
        _draw(figure, part, colour, sizes, dict(row=row, col=col))
    hide_rest(figure, 2 * len(shown), min(ACROSS, 2 * len(shown)))
    figure.update_xaxes(showticklabels=False, ticks="").update_yaxes(showticklabels=False, ticks="")
    marks = {"place in view a": QUERY, "its true place in view b": TRUE}
    marks |= {f"match of {name}": _dot(colour[name]) for name in names}
    legend(figure, {name: dict(mode="markers", marker=mark) for name, mark in marks.items()})
    figure.update_layout(margin=dict(l=12, r=12, b=64), showlegend=True)
    caption = "A place in view a (left), and in view b (right) its true place and the most similar "
    caption += (
        "patch under each model. Ranked by the difference of the errors, which are in pixels of "
        "view b and in patches of each model."
    )
    height = -(-2 * len(shown) // ACROSS) * (PANEL + LINE * lines) + BELOW
    finish(figure, title, caption, height)
    return figure.update_layout(margin_t=figure.layout.margin.t + LINE * (lines - 2))


def _check_pairs(table: pl.DataFrame, count: int) -> None:
    if (last := table["pair"].max()) >= count:
        raise UserError(
            f"the table of disagreements has a pair {last}, from 0, but the views have {count}: "
            "give the views that it was made of"
        )


def _check(models: Mapping[str, tuple[Features, Features]], a: View) -> None:
    if len(models) < 2:
        raise UserError(
            f"models has {list(models)}, but only two or more can disagree; add another"
        )
    for name, found in models.items():
        for side, features in zip("ab", found, strict=True):
            check_patches(f"{side} of {name}", features.patches, found[0].grid)
            if len(features.patches) != len(a.box):
                raise UserError(
                    f"{side} of {name} has {len(features.patches)} images, but the views have "
                    f"{len(a.box)}: give the features of these views"
                )


def _matches(
    found: tuple[Features, Features], pair: Tensor, queries: Tensor, true: Tensor, b: View
) -> dict[str, Tensor]:
    """found_y, found_x (fractions), error (pixels) and patches, for each query."""
    grid = found[0].grid
    counts = torch.tensor(grid)
    row, column = (queries * counts).long().clamp(max=counts - 1).T  # the patch that has the query
    own = row * grid[1] + column
    unit = [F.normalize(features.patches.cpu().float(), dim=2) for features in found]
    best = torch.empty_like(own)
    for i in pair.unique().tolist():
        rows = (pair == i).nonzero()[:, 0]
        best[rows] = (unit[0][i, own[rows]] @ unit[1][i].T).argmax(dim=1)
    place = patch_centres(grid)[best]
    pixels = torch.tensor(b.image.shape[2:])
    error, patches = (((place - true) * scale).norm(dim=1) for scale in (pixels, counts))
    return dict(found_y=place[:, 0], found_x=place[:, 1], error=error, patches=patches)


def _ranked(gap: Tensor, pair: Tensor, each: int | None) -> list[int]:
    """Queries from the largest gap to the smallest, the first `each` of every pair."""
    taken: dict[int, int] = {}
    order = []
    for i in gap.argsort(descending=True, stable=True).tolist():
        number = taken[int(pair[i])] = taken.get(int(pair[i]), 0) + 1
        if each is None or number <= each:
            order.append(i)
    return order


def _panels(shown: list[pl.DataFrame]) -> tuple[go.Figure, int]:
    """Empty panels, those of view b with the errors above, and the lines of the longest title."""
    titles: list[list[str]] = []
    for part in shown:
        errors = [
            f"{row['model']} {row['error']:.0f} px, {row['patches']:.1f} patches"
            for row in part.to_dicts()
        ]
        titles += [[f"{part['rank'][0]}: pair {part['pair'][0] + 1}"]]
        titles += [[line for error in errors for line in broken(error, LETTERS)]]
    lines = max(map(len, titles), default=1)
    rows = max(1, -(-len(titles) // ACROSS))  # without a title `panels` refuses the table
    between = (LINE * lines + 14) / (rows * (PANEL + LINE * lines))
    gaps = dict(horizontal_spacing=0.02, vertical_spacing=between)
    figure = panels([str(i) for i in range(len(titles))], ACROSS, **gaps)
    for note, text in zip(figure.layout.annotations, titles, strict=True):
        note.update(text="<br>".join(map(plain, text)), font_size=11)
    return figure, lines


def _dot(colour: str) -> dict[str, Any]:
    return dict(symbol="circle", size=10, color=colour, line=EDGE)


def _draw(
    figure: go.Figure, part: pl.DataFrame, colour: dict[str, str], sizes: tuple, place: dict
) -> None:
    """Draw the query in view a; the truth, the matches and their distances in view b."""
    still = dict(mode="markers", showlegend=False)
    right = place | dict(col=place["col"] + 1)
    (high, wide), (height, width) = sizes
    first = part.row(0, named=True)
    query = dict(x=[first["x"] * wide], y=[first["y"] * high], hoverinfo="skip")
    for marker in (UNDER, QUERY):
        figure.add_scatter(marker=marker, name="place", **query, **still, **place)
    true = first["true_x"] * width, first["true_y"] * height
    for row in part.iter_rows(named=True):
        x, y = row["found_x"] * width, row["found_y"] * height
        line = dict(color=colour[row["model"]], width=2)
        figure.add_scatter(x=[x, true[0]], y=[y, true[1]], mode="lines", line=line,
                           showlegend=False, hoverinfo="skip", **right)  # fmt: skip
        said = f"{row['model']}: {row['error']:.1f} pixels, {row['patches']:.1f} patches"
        named = dict(name=plain(row["model"]), text=[plain(said)], hoverinfo="text")
        figure.add_scatter(
            x=[x], y=[y], marker=_dot(colour[row["model"]]), **named, **still, **right
        )
    figure.add_scatter(x=[true[0]], y=[true[1]], marker=TRUE, name="true place",
                       hoverinfo="skip", **still, **right)  # fmt: skip
