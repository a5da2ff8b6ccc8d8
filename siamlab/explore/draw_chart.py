"""Draw a chart of a scene as an image, as the browser draws it."""

from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFont

from siamlab.explore.scene import Chart, outline

RATIO = 0.75  # height of a chart / its width
LEFT, RIGHT, TOP, BOTTOM = 0.17, 0.03, 0.03, 0.12  # margins, fractions of the width
ROW = 0.05  # height of a row of two names above the lines, a fraction of the width
INK, LINE, BAR, CHOSEN, WHITE = "#1F2328", "#9AA0A6", "#56B4E9", "#D55E00", "#FFFFFF"
SMALL, LARGE = 0.013, 0.02  # radius of a point, fractions of the width
FAR = 0.03  # a name further from its point is joined to it by a line; fraction of the width
EDGE = 0.02  # labels this close to an end of the axis move inwards; fraction of the axis
Place = Callable[[float], float]


def charted(chart: Chart, size: tuple[int, int]) -> Image.Image:
    """Draw axes with ticks and titles, then points with names, bars, or lines."""
    picture = Image.new("RGB", size, WHITE)
    pen = ImageDraw.Draw(picture)
    width = size[0]
    top = TOP + ROW * names_rows(chart)
    across, down = (1 - LEFT - RIGHT) * width, size[1] - (top + BOTTOM) * width
    px: Place = lambda x: LEFT * width + x * across  # noqa: E731
    py: Place = lambda y: top * width + (1 - y) * down  # noqa: E731
    letters = ImageFont.load_default(max(9, round(width * 0.034)))
    pen.line([px(0), py(1), px(0), py(0), px(1), py(0)], LINE)
    for x, words in chart.x_ticks:
        anchor = "lt" if x < EDGE else "rt" if x > 1 - EDGE else "mt"  # clear of axis and margin
        pen.text((px(x), py(0) + 4), words, INK, letters, anchor)
    for y, words in chart.y_ticks:
        pen.text((px(0) - 4, py(y)), words, INK, letters, "rm")
    pen.text((px(0.5), size[1] - 2), chart.x_title, INK, letters, "mb")
    middle = (py(0) + py(1)) / 2
    _sideways(picture, chart.y_title, letters, middle)
    pen.multiline_text((px(0.5), middle), chart.note, INK, letters, "mm", align="center")
    {"points": _points, "bars": _bars, "lines": _lines}[chart.kind](pen, chart, px, py, letters)
    return picture


def names_rows(chart: Chart) -> int:
    """Return the number of rows that the names of lines take."""
    return -(-len(chart.names) // 2) if chart.kind == "lines" else 0


def _points(pen: ImageDraw.ImageDraw, chart: Chart, px: Place, py: Place, letters) -> None:
    width = px(1) - px(0)
    for i, place in enumerate(chart.places):
        start = px(chart.x[i]), py(chart.y[i])
        if place and abs(start[1] - py(place[1])) > 2 * FAR * width:
            pen.line([*start, px(place[0]), py(place[1])], LINE)
    places = [(px(x), py(y)) for x, y in zip(chart.x, chart.y, strict=True)]
    if chart.joined:
        pen.line(places, LINE, 2)
    for (x, y), colour, ends in zip(places, chart.colours, chart.whiskers, strict=False):
        if ends:
            pen.line([px(ends[0]), y, px(ends[1]), y], colour)
            pen.line([x, py(ends[2]), x, py(ends[3])], colour)
    for i in sorted(range(len(chart.x)), key=lambda i: i in chart.chosen):
        chosen = i in chart.chosen
        style = chart.symbols[i], chart.colours[i], INK if chosen else WHITE
        _symbol(pen, px(chart.x[i]), py(chart.y[i]), width * (LARGE if chosen else SMALL), *style)
    for name, place in zip(chart.names, chart.places, strict=True):
        if place:
            at = px(place[0]), py(place[1])
            pen.text(at, name, INK, letters, "mm", stroke_width=2, stroke_fill=WHITE)


def _bars(pen: ImageDraw.ImageDraw, chart: Chart, px: Place, py: Place, letters) -> None:
    for i, y in enumerate(chart.y):
        corners = [px(chart.x[i]), py(y), px(chart.x[i + 1]), py(0)]
        pen.rectangle(corners, CHOSEN if i in chart.chosen else BAR, WHITE)


def _lines(pen: ImageDraw.ImageDraw, chart: Chart, px: Place, py: Place, letters) -> None:
    width = (px(1) - px(0)) / (1 - LEFT - RIGHT)
    for i, (x, y) in enumerate(zip(chart.x, chart.y, strict=True)):
        style = chart.symbols[i], chart.colours[i], WHITE
        places = [(px(a), py(b)) for a, b in zip(x, y, strict=True)]
        pen.line(places, chart.colours[i], 2)
        _symbol(pen, *places[-1], width * SMALL, *style)
        left, top = width * (0.03 + 0.49 * (i % 2)), width * (TOP + ROW * (i // 2))
        _symbol(pen, left, top, width * SMALL, *style)
        pen.text((left + 0.025 * width, top), chart.names[i], INK, letters, "lm")


def _symbol(
    pen: ImageDraw.ImageDraw, x: float, y: float, r: float, symbol: str, colour: str, edge: str
) -> None:
    """Draw a symbol; an open one is white inside."""
    corners = [(x + r * right, y + r * down) for right, down in outline(symbol)]
    hollow = symbol.endswith("open")
    pen.polygon(corners, WHITE if hollow else colour, colour if hollow else edge)


def _sideways(picture: Image.Image, words: str, letters, middle: float) -> None:
    left, top, right, bottom = (round(v) for v in letters.getbbox(words))
    label = Image.new("RGB", (right + 2, bottom + 2), "#FFFFFF")
    ImageDraw.Draw(label).text((0, 0), words, INK, letters)
    label = label.rotate(90, expand=True)
    picture.paste(label, (0, round(middle - label.height / 2)))
