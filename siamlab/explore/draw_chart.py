"""A chart of a scene as a picture, the twin of what the browser draws."""

from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFont

from siamlab.explore.scene import Chart

RATIO = 0.75  # height of a chart over its width
LEFT, RIGHT, TOP, BOTTOM = 0.17, 0.03, 0.03, 0.12  # margins, shares of the width
INK, LINE, BLUE, BAR, CHOSEN = "#1F2328", "#9AA0A6", "#0072B2", "#56B4E9", "#D55E00"
Place = Callable[[float], float]


def charted(chart: Chart, size: tuple[int, int]) -> Image.Image:
    """Axes with their ticks and titles, then points with names, bars, or a line."""
    picture = Image.new("RGB", size, "#FFFFFF")
    pen = ImageDraw.Draw(picture)
    width = size[0]
    across, down = (1 - LEFT - RIGHT) * width, size[1] - (TOP + BOTTOM) * width
    px: Place = lambda x: LEFT * width + x * across  # noqa: E731
    py: Place = lambda y: TOP * width + (1 - y) * down  # noqa: E731
    letters = ImageFont.load_default(max(9, round(width * 0.034)))
    pen.line([px(0), py(1), px(0), py(0), px(1), py(0)], LINE)
    for x, words in chart.x_ticks:
        pen.text((px(x), py(0) + 4), words, INK, letters, "mt")
    for y, words in chart.y_ticks:
        pen.text((px(0) - 4, py(y)), words, INK, letters, "rm")
    pen.text((px(0.5), size[1] - 2), chart.x_title, INK, letters, "mb")
    _sideways(picture, chart.y_title, letters, py(0.5))
    {"points": _points, "bars": _bars, "line": _line}[chart.kind](pen, chart, px, py, letters)
    return picture


def _points(pen: ImageDraw.ImageDraw, chart: Chart, px: Place, py: Place, letters) -> None:
    places = zip(chart.x, chart.y, chart.names, chart.colours, strict=True)
    for i, (x, y, name, colour) in enumerate(places):
        r = 7 if i == chart.chosen else 5
        pen.ellipse([px(x) - r, py(y) - r, px(x) + r, py(y) + r], colour, "#FFFFFF")
        pen.text((px(x), py(y) - 9), name, INK, letters, "mb")


def _bars(pen: ImageDraw.ImageDraw, chart: Chart, px: Place, py: Place, letters) -> None:
    for i, y in enumerate(chart.y):
        corners = [px(chart.x[i]), py(y), px(chart.x[i + 1]), py(0)]
        pen.rectangle(corners, CHOSEN if i == chart.chosen else BAR, "#FFFFFF")


def _line(pen: ImageDraw.ImageDraw, chart: Chart, px: Place, py: Place, letters) -> None:
    pen.line([(px(x), py(y)) for x, y in zip(chart.x, chart.y, strict=True)], BLUE, 2)


def _sideways(picture: Image.Image, words: str, letters, middle: float) -> None:
    left, top, right, bottom = (round(v) for v in letters.getbbox(words))
    label = Image.new("RGB", (right + 2, bottom + 2), "#FFFFFF")
    ImageDraw.Draw(label).text((0, 0), words, INK, letters)
    label = label.rotate(90, expand=True)
    picture.paste(label, (0, round(middle - label.height / 2)))
