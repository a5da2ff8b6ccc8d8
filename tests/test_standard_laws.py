"""No standard set mixes up images and truths: laws of every reader with its probe.

In the small sets the colour of a patch tells its truth. Features that are colours must come near
the ceiling, constant ones near chance, and colours must fall to chance once the test photographs
of a set are exchanged while the truths stay where they are.
"""

from functools import partial

import numpy as np
import pytest
import test_davis
import test_hpatches
import test_spair
import torch
from PIL import Image
from shown_at import shown_at
from test_standard import FIELDS, SMALLER, WRITERS
from torch import nn

from siamlab.evaluate.models import open_model
from siamlab.evaluate.standard import SETS, boxes, measure_standard
from siamlab.interop.adapter import TokenGrid
from siamlab.probe.detection import fit_detector

SPOTS = (test_spair.RED, test_spair.GREEN, test_spair.BLUE)
SIZE = (64, 64)
# the test photographs of a set that may be exchanged: those that one pattern finds
EXCHANGED = {
    "spair": ["JPEGImages/cat/*.jpg"],
    "davis": [f"JPEGImages/480p/*/{t:05d}.jpg" for t in range(5)],
    "nyu": ["test/bathroom/*.jpg"],
    "normals": ["test/*_img.png"],
    "hpatches": [f"*/{k}.ppm" for k in range(2, 7)],
    "voc": ["JPEGImages/2007_0001*.jpg"],
    "ade20k": ["images/validation/*.jpg"],
    "cityscapes": ["leftImg8bit/val/ulm/*.png"],
    "regions": ["val/images/*.jpg"],
    "voc_boxes": ["JPEGImages/00000[4-7].jpg"],
    "coco_boxes": ["val2017/*.jpg"],
}  # `warps` makes its truths from each image itself
CASES = [
    pytest.param(kind, protocol, marks=[pytest.mark.slow] * kind.endswith("_boxes"))
    for kind, chosen in SETS.items()
    for protocol in chosen.model_fields["protocol"].annotation.__args__
]

pytestmark = pytest.mark.filterwarnings("ignore:.*are not comparable with")


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(boxes, "fit_detector", partial(fit_detector, epochs=150))
    for kind, chosen in SETS.items():
        shown_at(monkeypatch, chosen, **SMALLER[kind])


def write_pairs(root):
    """Six cats with three spots each at places of their own, each compared with the next."""
    draw = np.random.default_rng(0)
    cells = [draw.permutation(16)[:3] for _ in range(6)]
    places = [[(8 + 16 * int(c % 4), 8 + 16 * int(c // 4)) for c in own] for own in cells]
    for i, own in enumerate(places):
        test_spair.write_image(root, "cat", f"c{i}", SIZE, dict(zip(own, SPOTS, strict=True)))
    for i, own in enumerate(places):
        j = (i + 1) % len(places)
        points = list(zip(own, places[j], strict=True))
        test_spair.write_pair(root, i + 1, "cat", (f"c{i}", SIZE), (f"c{j}", SIZE), points)
    return root


def write_videos(root):
    """Two videos, one of them the other upside down and backwards."""
    for name in ("bear", "bike"):
        test_davis.write_video(root, name)
    for file in sorted(root.glob("*/480p/bike/*")):
        with Image.open(file) as image:
            turned = image.transpose(Image.Transpose.ROTATE_180)
        turned.save(file, quality=98)
    return root


def write_scenes(root):
    for name, shift in (("v_wall", 8), ("v_ceiling", 4)):
        test_hpatches.write_scene(root, name, shift)
    return root


def write_ramps(root):
    """Pictures whose red tells the column and whose green the row, both to and fro."""
    root.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(20, 235, 48)
    for i, (x, y) in enumerate([(ramp, ramp), (ramp[::-1], ramp), (ramp, ramp[::-1])]):
        red, green = np.meshgrid(x, y)
        pixels = np.stack([red, green, np.full_like(red, 128)], axis=2)
        Image.fromarray(pixels.round().astype(np.uint8)).save(root / f"{i}.png")
    return root


OWN = {
    "spair": write_pairs,
    "davis": write_videos,
    "hpatches": write_scenes,
    "warps": write_ramps,
}
# rows in which features of a patch of 4 pixels can come near the ceiling; others: the first
ROW = {"warps": "warps_5", "voc_boxes": "voc_boxes_50", "coco_boxes": "coco_boxes_50"}


def exchange(root, kind):
    """Give each test photograph the name of the next one of its size."""
    for pattern in EXCHANGED[kind]:
        groups = {}
        for file in sorted(root.glob(pattern)):
            with Image.open(file) as image:
                groups.setdefault(image.size, []).append(file)
        for files in groups.values():
            assert len(files) > 1, f"{kind}: nothing to exchange {files[0]} with"
            contents = [file.read_bytes() for file in files]
            for file, other in zip(files, contents[1:] + contents[:1], strict=True):
                file.write_bytes(other)
    return root


def colours(gain=1.0):
    """A network whose feature of a patch of 4 pixels is its mean colour, or constant."""
    net = nn.Conv2d(3, 3, 4, 4)
    with torch.no_grad():
        net.weight.copy_(gain * torch.eye(3)[:, :, None, None].expand(-1, -1, 4, 4) / 16)
        net.bias.fill_(1 - gain)
    name = "colours" if gain else "constant"
    return open_model(TokenGrid(net, 48, mean=(0.0,) * 3, std=(1.0,) * 3, name=name))


def gain(kind, protocol, root, model):
    """The number of a set as a gain over chance, and the gain that the ceiling is."""
    data = SETS[kind](path=str(root), protocol=protocol, **FIELDS.get(kind, {}))
    scores = measure_standard([model], data, "cpu", cache=False)
    row = scores.filter(scores["probe"] == ROW.get(kind, scores["probe"][0])).row(0, named=True)
    better = 1 if row["direction"] == "higher" else -1
    return better * (row["value"] - row["chance"]), better * (row["ceiling"] - row["chance"])


@pytest.mark.parametrize("kind, protocol", CASES)
def test_colours_that_tell_the_truth_come_near_the_ceiling_and_constant_ones_to_chance(
    kind, protocol, tmp_path
):
    root = OWN.get(kind, WRITERS[kind])(tmp_path)
    own, most = gain(kind, protocol, root, colours())
    assert own > (0.5 if kind.endswith("_boxes") else 0.7) * most > 0
    own, most = gain(kind, protocol, root, colours(gain=0.0))
    assert own < 0.1 * most + 1e-6 or (kind == "warps" and own != own)  # nothing is matched


@pytest.mark.parametrize("kind, protocol", [case for case in CASES if case.values[0] in EXCHANGED])
def test_exchanged_photographs_fall_to_chance(kind, protocol, tmp_path):
    root = exchange(OWN.get(kind, WRITERS[kind])(tmp_path), kind)
    own, most = gain(kind, protocol, root, colours())
    assert own < 0.2 * most


def test_every_set_has_its_laws():
    assert set(EXCHANGED) == set(SETS) - {"warps"}
