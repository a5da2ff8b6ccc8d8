"""Scenes as pictures: heat in its colours, marks where they say."""

import re

import pytest
import torch
from PIL import Image, ImageChops

from siamlab.explore.draw import GAP, LINE, OPACITY, drawn
from siamlab.explore.draw_chart import charted
from siamlab.explore.scene import (
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


def test_heat_is_painted_in_its_colour():
    image = torch.zeros(3, 40, 40, dtype=torch.uint8)
    for value, stop in ((0.0, STOPS[0]), (1.0, STOPS[-1]), (0.5, STOPS[4])):
        heat = Heat([value] * 4, (2, 2), "s")
        scene = Scene([Panel("p", "", "i", heat=heat)], 1, "", scales={"s": Scale("", 0.0, 1.0)})
        middle = drawn(scene, {"i": image}).getpixel((300, 300))
        wanted = [OPACITY * int(c) for c in re.findall(r"\d+", stop)]
        assert middle == pytest.approx(wanted, abs=3)
    nothing = Heat([float("nan")] * 4, (2, 2), "s")
    assert levels(nothing, Scale("", 0.0, 1.0)) == bytes(4)
    scene = Scene([Panel("p", "", "i", heat=nothing)], 1, "", scales={"s": Scale("", 0.0, 1.0)})
    assert drawn(scene, {"i": image}).getpixel((300, 300)) == (0, 0, 0)


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
    picture = charted(lines, (400, 300))
    top, low = (0.03 + 0.05) * 400, 300 - 0.12 * 400  # one row of names above
    for colour, height in zip(colours, heights, strict=True):
        wanted = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
        y = low - height * (low - top)
        column = [picture.getpixel((200, round(y) + d)) for d in (-1, 0, 1)]
        assert wanted in column and wanted not in [picture.getpixel((200, round(y) + 9))]
    two = [lines._replace(names=["one", name]) for name in ("two", "three")]
    where = Image.eval(_difference(*(charted(c, (400, 300)) for c in two)), bool).getbbox()
    assert where[3] < top and where[0] > 200  # the second name: right, above the lines
    none = lines._replace(x=[], y=[], names=[], colours=[], symbols=[])
    said = [charted(none._replace(note=note), (400, 300)) for note in ("", "no metrics")]
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


def _difference(a, b):
    return ImageChops.difference(a, b).convert("L")
