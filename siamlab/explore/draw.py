"""Draw a scene as an image without a browser, for notebooks where no script runs.

drawn(scene, images).save("explorer.png")
"""

import textwrap
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont
from plotly.colors import unlabel_rgb
from torch import Tensor

from siamlab.explore.draw_chart import RATIO, charted
from siamlab.explore.scene import (
    FADE,
    OPACITY,
    STOPS,
    Heat,
    Mark,
    Panel,
    Scale,
    Scene,
    levels,
)
from siamlab.figure.template import broken

WIDTH = 776  # pixels
GAP, TITLE, LINE = 14, 24, 18
INK, WHITE = "#1F2328", "#FFFFFF"
COLOURS = {"query": "#000000", "match": "#D55E00", "true": "#0072B2", "next": INK}
ARROW = INK
Pictures = dict[str, UInt8[Tensor, "3 H W"]]


def drawn(scene: Scene, images: Pictures) -> Image.Image:
    """Draw the text, the panels in columns below it, then legend and colour scales."""
    settings = " · ".join(f"{control.label}: {control.value}" for control in scene.controls)
    paragraphs = [*scene.text.splitlines(), settings]
    text = [line for part in paragraphs for line in textwrap.wrap(part, WIDTH // 7)]
    foot = _entries(scene)
    top = GAP + len(text) * LINE + 6
    places = list(_places(scene, images, top))
    end = max(place.top + place.height for place in places) + GAP
    canvas = Image.new("RGB", (WIDTH, end + len(foot) * (LINE + 6) + GAP), WHITE)
    pen = ImageDraw.Draw(canvas)
    for i, line in enumerate(text):
        pen.text((GAP, GAP + i * LINE), line, INK, _font(14))
    for panel, lines, x, y, *size in places:
        for i, line in enumerate(reversed(lines)):  # the last one stands on the picture
            pen.text((x, y - TITLE - i * LINE), line, INK, _font(13))
        if panel.chart:
            canvas.paste(charted(panel.chart, (size[0], size[1])), (x, y))
        else:
            picture = _panel(panel, images[panel.image], (size[0], size[1]), scene.scales)
            canvas.paste(picture, (x, y))
    for i, entries in enumerate(foot):
        _foot(pen, canvas, entries, end + i * (LINE + 6))
    return canvas


class _Place(NamedTuple):
    panel: Panel
    lines: list[str]  # of its title
    left: int  # of its picture, in pixels, as the rest
    top: int
    width: int
    height: int


def _places(scene: Scene, images: Pictures, top: int) -> Iterator[_Place]:
    """Yield each panel where CSS grid places it; titles of a row are as tall as its longest."""
    unit = (WIDTH - GAP) // scene.columns
    for row in _rows(scene):
        widths = [unit * panel.span - GAP for panel in row]
        titles = [broken(p.title, w // 7) for p, w in zip(row, widths, strict=True)]
        heights = [round(w * _ratio(p, images)) for p, w in zip(row, widths, strict=True)]
        left, picture = GAP, top + TITLE + LINE * (max(map(len, titles)) - 1)
        for panel, lines, width, height in zip(row, titles, widths, heights, strict=True):
            yield _Place(panel, lines, left, picture, width, height)
            left += width + GAP
        top = picture + max(heights) + GAP


def _rows(scene: Scene) -> Iterator[list[Panel]]:
    row: list[Panel] = []
    for panel in scene.panels:
        if sum(each.span for each in row) + panel.span > scene.columns:
            yield row
            row = []
        row.append(panel)
    yield row


def _ratio(panel: Panel, images: Pictures) -> float:
    if panel.chart:
        return RATIO
    _, height, width = images[panel.image].shape
    return height / width


def _panel(
    panel: Panel, pixels: UInt8[Tensor, "3 H W"], size: tuple[int, int], scales: dict[str, Scale]
) -> Image.Image:
    picture = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    picture = picture.resize(size, Image.Resampling.NEAREST)
    if panel.heat:
        picture = _heated(picture, panel.heat, scales[panel.heat.scale])
    pen = ImageDraw.Draw(picture)
    for i, box in enumerate(panel.boxes):
        corners = [box.left, box.top, box.left + box.width, box.top + box.height]
        _outline(pen, _pixels(corners, size), box.colour)
        x, y, right, _ = _pixels(corners, size)  # the first name at the left, as in the browser
        place, anchor = ((right - 5.0, y + 5.0), "ra") if i else ((x + 5.0, y + 5.0), "la")
        pen.text(place, box.name, WHITE, _font(12), anchor, stroke_width=2, stroke_fill="#000000")
    for y, x, to_y, to_x in panel.arrows:
        ends = _pixels([x, y, to_x, to_y], size)
        pen.line(ends, WHITE, 5)
        pen.line(ends, ARROW, 2)
    grid = panel.grid or (panel.heat and panel.heat.grid) or (14, 14)
    for mark in reversed(panel.marks):
        _mark(pen, mark, *_pixels([mark.x, mark.y], size), size[0] / grid[1], size[1] / grid[0])
    if panel.chosen:
        pen.rectangle([0, 0, size[0] - 1, size[1] - 1], None, COLOURS["true"], 4)
    return picture


def _heated(picture: Image.Image, heat: Heat, scale: Scale) -> Image.Image:
    """Return the picture in grey under heat, which is the more opaque the larger its value is."""
    shades = torch.tensor([unlabel_rgb(stop) for stop in STOPS])  # [stops, 3]
    level = torch.tensor(list(levels(heat, scale))).view(heat.grid)
    at = (level - 1).clamp(min=0) / 254 * (len(STOPS) - 1)
    low = at.long().clamp(max=len(STOPS) - 2)
    colour = torch.lerp(shades[low], shades[low + 1], (at - low)[..., None])
    over = Image.fromarray(colour.round().to(torch.uint8).numpy())
    opaque = (level > 0) * (level - 128).abs() * (255 * OPACITY / 127)
    mask = Image.fromarray(opaque.round().to(torch.uint8).numpy())
    size, nearest = picture.size, Image.Resampling.NEAREST
    grey = picture.convert("L").point(lambda v: FADE[0] * v + 255 * FADE[1]).convert("RGB")
    grey.paste(over.resize(size, nearest), (0, 0), mask.resize(size, nearest))
    return grey


def _mark(pen: ImageDraw.ImageDraw, mark: Mark, x: float, y: float, w: float, h: float) -> None:
    colour = COLOURS[mark.kind]
    if mark.kind in ("query", "match"):
        _outline(pen, [x - w / 2, y - h / 2, x + w / 2, y + h / 2], colour)
    elif mark.kind == "true":
        for line in ([x - 7, y, x + 7, y], [x, y - 7, x, y + 7]):
            pen.line(line, WHITE, 6)
        for line in ([x - 7, y, x + 7, y], [x, y - 7, x, y + 7]):
            pen.line(line, colour, 3)
    else:
        pen.ellipse([x - 8, y - 8, x + 8, y + 8], WHITE, colour)
        pen.text((x, y), mark.text, colour, _font(11), "mm")


def _outline(pen: ImageDraw.ImageDraw, corners: list[float], colour: str) -> None:
    pen.rectangle(corners, None, WHITE, 5)
    x, y, right, bottom = corners
    pen.rectangle([x + 1, y + 1, right - 1, bottom - 1], None, colour, 3)


def _entries(scene: Scene) -> list[list[tuple]]:
    """Arrange legend and scales in lines: entries are (kind or None, text, scale or None)."""
    entries = [(kind, text, None) for kind, text in scene.legend]
    entries += [(None, scale.title, scale) for scale in scene.scales.values()]
    lines: list[list[tuple]] = [[]]
    used = GAP
    for entry in entries:
        room = _room(entry)
        if used + room > WIDTH and lines[-1]:
            lines.append([])
            used = GAP
        lines[-1].append(entry)
        used += room
    return lines if entries else []


def _room(entry: tuple) -> int:
    _, text, scale = entry
    words = text + (_high(scale) if scale else "")
    return round(_font(13).getlength(words)) + (165 if scale else 44)


def _high(scale: Scale) -> str:
    return f"{scale.high:.2g}" + " or more" * scale.open


def _foot(pen: ImageDraw.ImageDraw, canvas: Image.Image, entries: list[tuple], top: int) -> None:
    left = GAP
    for kind, text, scale in entries:
        if kind:
            _mark(pen, Mark(0.0, 0.0, kind, "2"), left + 9.0, top + 9.0, 16.0, 16.0)
            pen.text((left + 24, top), text, INK, _font(13))
        else:
            low = f"{scale.low:.2g}"
            pen.text((left, top), f"{text}: {low}", INK, _font(13))
            start = left + round(_font(13).getlength(f"{text}: {low}")) + 6
            values = torch.linspace(scale.low, scale.high, 80).tolist()
            strip = _heated(Image.new("RGB", (80, 12), WHITE), Heat(values, (1, 80), ""), scale)
            canvas.paste(strip, (start, top + 3))
            pen.text((start + 86, top), _high(scale), INK, _font(13))
        left += _room((kind, text, scale))


def _pixels(shares: list[float], size: tuple[int, int]) -> list[float]:
    """Convert x, y, x, y, … from fractions to pixels."""
    return [share * size[i % 2] for i, share in enumerate(shares)]


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which captum's matplotlib brings; Pillow's own has no ×, −, → or ≥.

    Of the same width: a line holds as many letters of both.
    """
    found = find_spec("matplotlib")
    for home in found.submodule_search_locations or () if found else ():
        path = Path(home, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
        if path.is_file():
            return ImageFont.truetype(path, 0.88 * size)
    return ImageFont.load_default(size)
