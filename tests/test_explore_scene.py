"""Scenes as pictures: heat in its colours, marks where they say."""

import io
import math
import re
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image, ImageChops

from siamlab.explore.draw import png, svg
from siamlab.explore.scene import (
    COSINE,
    STOPS,
    SYMBOLS,
    Chart,
    Control,
    Heat,
    Mark,
    Panel,
    Scale,
    Scene,
    levels,
    outline,
    shortened,
)

GAP, TITLE, LINE, WIDTH = 14, 24, 18, 776  # pixels, of sheet.ts
OPACITY = 0.75  # of the strongest heat; that of 0 is 0
FADE = 0.857, 0.143  # slope and offset of the brightness of the grey image below the heat


def drawn(scene, images):
    """The picture of a scene, a pixel for each of the page."""
    return Image.open(io.BytesIO(png(scene, images, zoom=1))).convert("RGB")


def charted(chart):
    """The picture of a chart alone, 748 × 561 pixels."""
    left, top = GAP, GAP + 6 + TITLE
    picture = drawn(Scene([Panel("p", "", "", chart=chart)], 1, ""), {})
    return picture.crop((left, top, WIDTH - GAP, top + 561))


def heated(value, scale=COSINE, image=None):
    """The colour in the middle of a patch of this value, on an image that is black by default."""
    image = torch.zeros(3, 40, 40, dtype=torch.uint8) if image is None else image
    heat = Heat([value] * 4, (2, 2), "s")
    scene = Scene([Panel("p", "", "i", heat=heat)], 1, "", scales={"s": scale})
    return drawn(scene, {"i": image}).getpixel((300, 300))


@pytest.mark.parametrize("value, stop", [(1.0, STOPS[-1]), (-1.0, STOPS[0])])
def test_heat_is_the_more_opaque_the_larger_its_value_is_of_either_sign(value, stop):
    black = 255 * FADE[1]
    full = [OPACITY * int(c) + (1 - OPACITY) * black for c in re.findall(r"\d+", stop)]
    assert heated(value) == pytest.approx(full, abs=3)
    assert heated(2 * value) == heated(value)  # clamped
    away = [sum(abs(c - black) for c in heated(value * part)) for part in (0.0, 0.1, 0.3, 0.6)]
    assert away[0] <= 3 and away == sorted(away) and away[1] > 3


def test_a_photograph_without_heat_stays_visible_in_grey():
    red = torch.tensor([200, 0, 0], dtype=torch.uint8)[:, None, None].expand(3, 40, 40)
    for value in (0.0, math.nan):
        r, g, b = heated(value, image=red)
        assert r == g == b == pytest.approx(FADE[0] * 0.2126 * 200 + FADE[1] * 255, abs=2)
    assert heated(0.4, Scale("", 0.0, 0.4)) == heated(1.0)
    assert levels(Heat([math.nan, 0.0], (1, 2), ""), COSINE) == bytes([0, 128])


def test_no_value_and_its_negative_look_alike_even_to_the_colour_blind():
    """Differ in their sum of blue less red, which the two common kinds of blindness keep."""
    for value in (0.2, 0.5, 1.0):
        warm, cold = heated(value), heated(-value)
        assert (cold[2] - cold[0]) - (warm[2] - warm[0]) > 40 * value


def test_marks_lie_where_they_say():
    image = torch.full((3, 40, 40), 128, dtype=torch.uint8)
    for kind in ("query", "match", "true", "next"):
        scene = Scene([Panel("p", "", "i", (4, 4), marks=[Mark(0.375, 0.625, kind)])], 1, "")
        plain = Scene([Panel("p", "", "i", (4, 4))], 1, "")
        one, other = (drawn(s, {"i": image}) for s in (scene, plain))
        box = Image.eval(_difference(one, other), bool).getbbox()
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        side = 776 - 28
        assert middle == pytest.approx((14 + 0.625 * side, 20 + 24 + 0.375 * side), abs=4)


def test_each_line_is_drawn_in_its_colour_at_its_height_and_named():
    colours, heights = ["#0072B2", "#D55E00"], [0.25, 0.75]
    lines = Chart(
        "lines", [[0.0, 0.5, 1.0]] * 2, [[h] * 3 for h in heights], ["one", "two"], colours,
        "step", "loss", [], [], symbols=["circle", "square"],
    )  # fmt: skip
    picture = charted(lines)
    top, low = (0.03 + 0.05) * 748, 561 - 0.12 * 748  # one row of names above
    for colour, height in zip(colours, heights, strict=True):
        wanted = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
        y = low - height * (low - top)
        column = [picture.getpixel((400, round(y) + d)) for d in (-1, 0, 1)]
        assert wanted in column and wanted not in [picture.getpixel((400, round(y) + 9))]
    two = [lines._replace(names=["one", name]) for name in ("two", "three")]
    where = Image.eval(_difference(*map(charted, two)), bool).getbbox()
    assert where[3] < top and where[0] > 374  # the second name: right, above the lines
    none = lines._replace(x=[], y=[], names=[], colours=[], symbols=[])
    said = [charted(none._replace(note=note)) for note in ("", "no metrics")]
    assert _difference(*said).getbbox() is not None


def test_symbols_differ_and_lie_around_their_middle():
    shapes = {name: torch.tensor(outline(name)) for name in SYMBOLS}
    for corners in shapes.values():
        assert corners.mean(dim=0).norm() < 1e-5 and corners.norm(dim=1).max() <= 1 + 1e-6
    square = shapes["square"].sort(dim=0).values[:, 0].tolist()
    assert square == pytest.approx([-(0.5**0.5)] * 2 + [0.5**0.5] * 2)
    assert shapes["triangle-up"][0].tolist() == pytest.approx([0.0, -1.0])


def test_a_title_that_is_too_long_keeps_its_ends():
    image = torch.zeros(3, 40, 40, dtype=torch.uint8)
    name = "a_run_of_a_name_that_has_no_room_at_all_seed"
    title = lambda text: drawn(Scene([Panel("p", text, "i")], 6, ""), {"i": image})  # noqa: E731
    ends = [title(f"{name}{seed}") for seed in (1, 2)]
    assert _difference(*ends).getbbox() is not None and _difference(ends[0], title("")).getbbox()
    assert shortened("run-of-mine-seed0", 11) == "run-o…seed0" == shortened("run-o…seed0", 11)


def test_a_picture_tells_how_its_controls_stand():
    image = torch.zeros(3, 40, 40, dtype=torch.uint8)
    control = Control("layer", "layer", 3, 1, 4)
    scenes = [Scene([Panel("p", "", "i")], 1, "Words.", [c]) for c in
              (control, control._replace(value=4))]  # fmt: skip
    bare = Scene([Panel("p", "", "i")], 1, "Words.")
    one, other, none = (drawn(scene, {"i": image}) for scene in [*scenes, bare])
    assert one.height == none.height + LINE  # a line more, in which they differ
    top, bottom = Image.eval(_difference(one, other), bool).getbbox()[1::2]
    assert GAP + LINE <= top < bottom <= GAP + 2 * LINE


def test_a_picture_that_begins_with_a_chart_has_its_text_below_it_as_a_page_has():
    chart = Chart("bars", [0.0, 1.0], [0.5], ["half"], [], "value", "share", [], [])
    control = Control("measure", "measure", "cosine", options=["cosine"])
    panels = [Panel("bars", "Bars", "", chart=chart), Panel("i", "An image", "i")]
    image = {"i": torch.zeros(3, 40, 40, dtype=torch.uint8)}
    heights = lambda shown: {  # noqa: E731
        text: y for text, (y, _) in texts(Scene(shown, 2, "Words.", [control]), image)
    }
    first, last = heights(panels), heights(panels[::-1])
    assert first["measure: cosine"] < first["Bars"] < first["Words."]
    assert last["Words."] < last["measure: cosine"] < last["Bars"]


def _difference(a, b):
    return ImageChops.difference(a, b).convert("L")


def texts(scene, images):
    """The words of a picture with their places (y, x)."""
    found = ElementTree.fromstring(svg(scene, images)).iter("{http://www.w3.org/2000/svg}text")
    return [(each.text, (float(each.get("y")), float(each.get("x")))) for each in found]


def test_long_titles_of_a_snapshot_are_broken_and_none_is_cut():
    image = {"i": torch.zeros(3, 40, 40, dtype=torch.uint8)}
    long = "zoo:scenes_siameseim: cosine of every patch to the one that is selected"
    panels = [Panel(name, title, "i") for name, title in (("a", long), ("b", "b"), ("c", "c"))]
    written = texts(Scene(panels, 3, ""), image)
    words = " ".join(text for text, _ in sorted(written, key=lambda one: one[1]))
    assert all(word in words.split() for word in long.split()) and "…" not in words
    lines = [place[0] for text, place in written if text in long and len(text) > 1]
    assert len(lines) == 2 and sorted(lines) == sorted(set(lines))
    (beside,) = [place[0] for text, place in written if text == "b"]
    assert beside == max(lines)  # all titles of a row end at their pictures
    short = Scene([p._replace(title="t") for p in panels], 3, "")
    assert drawn(Scene(panels, 3, ""), image).height - drawn(short, image).height == LINE


@pytest.mark.parametrize("sign", "×−→≥±·₁²")
def test_a_picture_has_the_signs_of_its_texts(sign):
    image = {"i": torch.zeros(3, 40, 40, dtype=torch.uint8)}
    picture, missing, none = (
        drawn(Scene([Panel("p", title, "i")], 1, ""), image) for title in (sign, "\u0378", "")
    )
    assert _difference(picture, none).getbbox() and _difference(picture, missing).getbbox()


def test_a_name_with_any_letters_can_be_drawn():
    image = {"i": torch.zeros(3, 40, 40, dtype=torch.uint8)}
    name = "".join(map(chr, range(32))) + "</text>&\uffff\"'\U0001f600"
    written = texts(Scene([Panel("p", name, "i")], 1, name), image)
    assert any("</text>&\ufffd\"'\U0001f600" in text for text, _ in written)
    assert drawn(Scene([Panel("p", name, "i")], 1, name), image).width == WIDTH
