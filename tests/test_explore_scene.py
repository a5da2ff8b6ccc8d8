"""Scenes as pictures: heat in its colours, marks where they say."""

import re

import pytest
import torch
from PIL import Image, ImageChops

from siamlab.explore.draw import OPACITY, drawn
from siamlab.explore.scene import STOPS, Heat, Mark, Panel, Scale, Scene, levels


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


def _difference(a, b):
    return ImageChops.difference(a, b).convert("L")
