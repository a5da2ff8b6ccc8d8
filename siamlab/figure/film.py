"""Film: how features emerge while models train, step by step; any figure of theirs is a frame.

film = training_film({step: components_figure(images, tables[step]) for step in tables})
table = film_table({"siameseim": course("runs/siameseim")}, photograph, query=(3, 4))
film = film_figure(photograph, table, query=(3, 4))      # of the similarity to one patch
write_film(film, "film.mp4")     # or .gif, or .html, a page with a slider
"""

from collections.abc import Mapping
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import plotly.graph_objects as go
import polars as pl
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.figure.similarity import one_scale, similarity_figure, similarity_table
from siamlab.figure.template import BAR
from siamlab.geometry import Count
from siamlab.machine.arguments import typed
from siamlab.machine.files import atomic, check_has_name, with_ending
from siamlab.probe.features import features
from siamlab.probe.table import check_frame
from siamlab.train.access import ELSEWHERE, make_room, written

COLUMNS = ("step", "model", "row", "column", "cosine", "rank")
PAUSE = 500  # milliseconds a frame
HEIGHT = 450  # pixels of a figure that sets none, as plotly draws it
ROOM = 70  # pixels below the panels, for slider and button
STEP = "step {:,}"


@typed
def film_table(
    models: Mapping[str, Mapping[int, nn.Module]],
    image: UInt8[Tensor, "3 H W"],
    query: tuple[int, int],
) -> pl.DataFrame:
    """step, model and the columns of `similarity_table`, at the steps that all models have.

    `models` are the encoders by name and step, as from `evaluate.course`; `query` is the (row,
    column) of the patch. Raises UserError if the models share no step.
    """
    shared = sorted(set.intersection(*(set(steps) for steps in models.values()))) if models else []
    if not shared:
        raise UserError(
            f"models must share steps, but {', '.join(models) or 'none'} have none in common; "
            "train them with the same keep_every"
        )
    parts = [
        _table(steps[step], image, query).with_columns(step=pl.lit(step), model=pl.lit(name))
        for step in shared
        for name, steps in models.items()
    ]
    return pl.concat(parts).select(COLUMNS)


@typed
def film_figure(
    image: UInt8[Tensor, "3 H W"],
    table: pl.DataFrame,
    query: tuple[int, int] | None = None,
    title: str = "Similarity to one patch while training",
) -> go.Figure:
    """One `similarity_figure` per step, on one colour scale, with a slider and a play button.

    All steps must have the same models; the last step is shown first.
    """
    drawn = {step: similarity_figure(image, t, query, title=title) for step, t in _films(table)}
    film = training_film(drawn)
    one_scale(film, [table])
    return film


@typed
def training_film(figures: Mapping[int, go.Figure]) -> go.Figure:
    """One figure by step, with a slider and a play button; the last step is shown first.

    The figures are of one kind, with as many traces each: those that differ between steps move,
    and all else is as in the last one. Raises UserError for other figures, or none.
    """
    counts = {len(figure.data) for figure in figures.values()}
    if len(counts) != 1:
        raise UserError(
            f"figures has {len(figures)} figures with {sorted(counts)} traces; give one or more of "
            "one kind, each of the same models at its step"
        )
    kinds = {tuple(trace.type for trace in figure.data) for figure in figures.values()}
    if len(kinds) != 1:
        raise UserError("figures must have traces of the same kinds; give figures of one function")
    drawn = dict(sorted(figures.items()))
    last = list(drawn.values())[-1]
    film = go.Figure(last)
    moving = [i for i in range(*counts) if any(f.data[i] != last.data[i] for f in drawn.values())]
    film.frames = [
        go.Frame(name=STEP.format(step), data=[each.data[i] for i in moving], traces=moving)
        for step, each in drawn.items()
    ]
    return _with_controls(film)


@typed
def write_film(film: go.Figure, path: str | Path, width: Count = 800) -> Path:
    """Write a film in the format of its suffix, .gif, .mp4 or .html, and return its path.

    A GIF or MP4 is `width` pixels wide and is drawn with kaleido, which needs Chrome or Chromium;
    MP4 (H.264) also needs PyAV. The page has a slider and needs neither. Raises UserError for
    another suffix, for a figure without frames, and for MP4 without PyAV.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    check_has_name(path, f"path={str(path)!r}", "film", (*WRITERS, ".html"))
    if suffix not in (*WRITERS, ".html"):
        raise UserError(
            "a film is .gif, .mp4 or .html; name its file "
            f"{with_ending(path, *WRITERS, '.html')}, not {str(path)!r}"
        )
    if suffix == ".mp4":
        _pyav()  # before the pictures take their time
    make_room(path)
    with written(path, ELSEWHERE), atomic(path) as draft:
        if suffix == ".html":
            film.write_html(draft)
        else:
            WRITERS[suffix](_pictures(film, width), draft)
    return path


def _pictures(film: go.Figure, width: int) -> list[Image.Image]:
    import plotly.io as pio

    if not film.frames:
        raise UserError("film has no frames; give what film_figure or training_film returns")
    with TemporaryDirectory() as folder:
        paths = [Path(folder, f"{i}.png") for i in range(len(film.frames))]
        pio.write_images([_still(film, frame) for frame in film.frames], paths, width=width)
        return [Image.open(file).convert("RGB") for file in paths]


def _write_gif(pictures: list[Image.Image], path: Path) -> None:
    first, *others = pictures
    first.save(path, "GIF", save_all=True, append_images=others, duration=PAUSE, loop=0)


def _write_mp4(pictures: list[Image.Image], path: Path) -> None:
    """H.264 with half as many colours as pixels, which every player reads; so sides are even."""
    av = _pyav()
    width, height = (side // 2 * 2 for side in pictures[0].size)
    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=Fraction(1000, PAUSE), options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            frame = av.VideoFrame.from_image(picture.crop((0, 0, width, height)))
            file.mux(stream.encode(frame))
        file.mux(stream.encode())  # what the encoder still holds


WRITERS = {".gif": _write_gif, ".mp4": _write_mp4}  # by suffix


def _pyav() -> Any:
    try:
        return import_module("av")
    except ImportError as error:
        raise UserError(
            "an MP4 needs PyAV, which is not installed: pip install 'siamlab[film]' adds it; .gif "
            "and .html do without it"
        ) from error


def _still(film: go.Figure, frame: go.Frame) -> go.Figure:
    """One frame without the controls, its step in the title."""
    still = go.Figure(film.data, film.layout)
    for i, trace in zip(frame.traces, frame.data, strict=True):
        still.data[i].update(trace)
    height, below = still.layout.height - ROOM, still.layout.margin.b - ROOM
    title = f"{still.layout.title.text}: {frame.name}"
    return still.update_layout(
        sliders=[], updatemenus=[], height=height, margin_b=below, title_text=title
    )


def _table(model: nn.Module, image: Tensor, query: tuple[int, int]) -> pl.DataFrame:
    found = features(model, image[None])
    patches = found.patches[0].cpu()
    if not all(0 <= at < count for at, count in zip(query, found.grid, strict=True)):
        raise UserError(f"query={query} must be a (row, column) of the grid {found.grid}, from 0")
    return similarity_table(patches[query[0] * found.grid[1] + query[1]], patches, found.grid)


def _films(table: pl.DataFrame) -> list[tuple[int, dict[str, pl.DataFrame]]]:
    """The steps in order, each with the `similarity_table` of every model."""
    table = check_frame(table, COLUMNS, "the table of a film")
    steps = [
        (step, {name: part.drop("step", "model")
                for (name,), part in of_step.partition_by("model", as_dict=True).items()})
        for (step,), of_step in table.sort("step", maintain_order=True)
        .partition_by("step", as_dict=True).items()
    ]  # fmt: skip
    if len({tuple(models) for _, models in steps}) > 1:
        raise UserError("the table of a film must have the same models at all steps")
    return steps


def _with_controls(figure: go.Figure) -> go.Figure:
    names = [frame.name for frame in figure.frames]
    still = dict(mode="immediate", frame=dict(duration=0, redraw=True), transition_duration=0)
    steps = [dict(label=name, method="animate", args=[[name], still]) for name in names]
    play = dict(frame=dict(duration=PAUSE, redraw=True), transition_duration=0, fromcurrent=True)
    button = dict(label="Play", method="animate", args=[None, play])
    below = figure.layout.margin.b or 0
    bar = BAR if figure.layout.coloraxis.colorbar.orientation == "h" else 0  # between both
    figure.update_layout(
        sliders=[dict(steps=steps, active=len(steps) - 1, x=0.12, len=0.88, y=0,
                      pad=dict(t=30 + bar))],
        updatemenus=[dict(type="buttons", buttons=[button], x=0, xanchor="left", y=0,
                          yanchor="top", pad=dict(t=34 + bar), showactive=False)],
        height=(figure.layout.height or HEIGHT) + ROOM,
        margin_b=below + ROOM,
    )  # fmt: skip
    return figure
