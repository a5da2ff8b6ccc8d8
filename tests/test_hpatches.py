"""HPatches, read from small files in its format, and patches matched by homographies."""

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image
from shown_at import shown_at
from torch import nn

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.data.hpatches import read_hpatches
from siamlab.evaluate.models import open_model
from siamlab.evaluate.standard import Hpatches, measure_standard
from siamlab.interop.adapter import TokenGrid
from siamlab.probe.matching import matched, mutual, project

CALM = pytest.mark.filterwarnings("ignore:.*scores are not comparable with published ones")
SHIFT = 8  # pixels from each image to the next: two patches


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    """A cache of each test's own, and a protocol at 48 pixels."""
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    shown_at(monkeypatch, Hpatches, side=48)


def write_scene(root, name, shift=SHIFT, size=(48, 32)):
    """Six windows of one wall of coloured tiles of 4 pixels, each shifted further to the right."""
    tiles = np.random.default_rng(len(name)).integers(0, 256, (12, 40, 3), dtype=np.uint8)
    wall = tiles.repeat(4, axis=0).repeat(4, axis=1)
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(6):
        window = wall[: size[1], k * shift : k * shift + size[0]]
        Image.fromarray(window).save(folder / f"{k + 1}.ppm")
        if k:
            numbers = f"1 0 {-k * shift}\n0 1 0\n0 0 1\n"
            (folder / f"H_1_{k + 1}").write_text(numbers)
    return root


def colours():
    """A network whose feature of a patch of 4 pixels is its mean colour, about grey."""
    net = nn.Conv2d(3, 3, 4, 4)
    with torch.no_grad():
        net.weight.copy_(torch.eye(3)[:, :, None, None].expand(-1, -1, 4, 4) / 16)
        net.bias.fill_(0.0)
    return open_model(TokenGrid(net, 48, mean=(0.5,) * 3, std=(0.5,) * 3, name="colours"))


# the set


@CALM
def test_sequences_have_six_images_and_the_maps_from_the_first(tmp_path):
    write_scene(write_scene(tmp_path, "v_wall"), "i_dome", shift=0)
    write_scene(tmp_path, "i_dc")
    dome, wall = read_hpatches(str(tmp_path), leave_out=["i_dc"])
    assert (dome.name, dome.change, wall.change) == ("i_dome", "illumination", "viewpoint")
    assert [file.name for file in wall.images] == [f"{k}.ppm" for k in range(1, 7)]
    assert wall.sizes.tolist() == [[32, 48]] * 6 and wall.homographies.shape == (5, 3, 3)
    assert wall.homographies[3, 0].tolist() == [1, 0, -4 * SHIFT]
    assert [s.name for s in read_hpatches(str(tmp_path), most=1)] == ["i_dc", "v_wall"]


def test_a_copy_with_few_sequences_is_said_and_read(tmp_path):
    with pytest.warns(UserWarning, match="has 1 of 116 sequences, so the scores are not"):
        read_hpatches(str(write_scene(tmp_path, "v_wall")))


@CALM
def test_a_homography_may_have_any_scale_and_sign(tmp_path):
    write_scene(tmp_path, "v_wall")
    (tmp_path / "v_wall/H_1_3").write_text("-2 0 32 0 -2 0 0 0 -2")
    assert read_hpatches(str(tmp_path))[0].homographies[1, 2, 2] == -2


@CALM
@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda r: (r / "v_wall").rename(r / "wall"), "must be a copy of HPatches' sequences"),
        (lambda r: (r / "v_wall/4.ppm").unlink(), "must have the images .* but 4.ppm is not there"),
        (lambda r: (r / "v_wall/4.ppm").write_bytes(b"P6"), "4.ppm is not there or cannot be read"),
        (lambda r: (r / "v_wall/H_1_3").unlink(), "H_1_3 is not there; unpack HPatches"),
        (lambda r: ((r / "v_wall/H_1_3").unlink(), os.mkfifo(r / "v_wall/H_1_3")),
         "H_1_3 must hold the 3 × 3"),
        (lambda r: (r / "v_wall/H_1_3").write_text("1 0 0 0 1 0"), "H_1_3 must hold the 3 × 3"),
        (lambda r: (r / "v_wall/H_1_3").write_text("0 " * 9), "H_1_3 must hold the 3 × 3"),
        (lambda r: (r / "v_wall/H_1_3").write_text("nan " * 9), "H_1_3 must hold the 3 × 3"),
        (lambda r: (r / "v_wall/H_1_3").write_text("1 0 900 0 1 0 0 0 1"),
         "H_1_3 takes no place of image 1 into image 3, so there is nothing to match"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence_each(spoil, message, tmp_path):
    spoil(write_scene(tmp_path, "v_wall"))
    with pytest.raises(UserError, match=message):
        read_hpatches(str(tmp_path))


def test_no_folder_is_named_as_such():
    with pytest.raises(UserError, match="data.path='' must be a copy of HPatches"):
        read_hpatches("")


# matches


def test_matches_are_each_others_nearest():
    a = torch.tensor([[1.0, 0.0], [0.9, 0.2], [0.0, 3.0]])
    b = torch.tensor([[0.0, 0.5], [5.0, 0.0]])
    rows, there = mutual(a, b)
    assert rows.tolist() == [0, 2] and there.tolist() == [1, 0]  # row 1 has a better rival


def test_a_homography_takes_x_before_y_and_divides():
    homography = torch.tensor([[2.0, 0.0, 3.0], [0.0, 1.0, -1.0], [0.0, 0.0, 2.0]])
    y, x = 5.0, 7.0
    found = project(torch.tensor([[y, x]]), homography)
    assert found.tolist() == [[(y - 1) / 2, (2 * x + 3) / 2]]


def test_right_possible_and_random_matches_by_hand():
    places = torch.tensor([[0.0, 0.0], [0.0, 10.0], [0.0, 13.0], [40.0, 0.0]])
    points = torch.tensor([[0.0, 10.0], [0.0, 0.0]])
    index, limits = torch.tensor([2, 0]), torch.tensor([1.0, 3.0])
    found = matched(points, places, index, torch.eye(3), limits)
    assert found.hit.tolist() == [[False, True], [True, True]]
    assert found.random.tolist() == [[0.25, 0.5], [0.25, 0.25]] and found.possible.all()
    outside = torch.eye(3)
    outside[0, 2] = 500
    lost = matched(points, places, index, outside, limits)
    assert not lost.possible.any() and lost.hit.sum() == lost.random.sum() == 0


# measured


@CALM
def test_colours_match_a_wall_that_shifts(tmp_path):
    root = write_scene(write_scene(tmp_path, "v_wall"), "i_dome", shift=0)
    scores = measure_standard([colours()], Hpatches(path=str(root)), "cpu")
    rows = {row["probe"]: row for row in scores.to_dicts()}
    limits = [f"hpatches_{limit}" for limit in (1, 3, 5, 10)]
    assert list(rows) == [*limits, "hpatches_illumination", "hpatches_viewpoint"]
    assert rows["hpatches_illumination"]["value"] == pytest.approx(1.0)  # the same image
    view = rows["hpatches_viewpoint"]
    assert 0.5 < view["value"] <= view["ceiling"] < 1  # some patches are shifted out of sight
    assert view["low"] != view["low"]  # of a single sequence
    for name, row in rows.items():
        assert row["chance"] < row["value"] <= row["ceiling"]
        settings = json.loads(row["settings"])
        assert settings["sequences"] == 2 and "i_dc" in settings["leave_out"]
        assert settings["pixels"] == int(name.split("_")[1]) if name in limits else 5
    values = [rows[name]["value"] for name in limits]
    assert values == sorted(values) and rows["hpatches_1"]["low"] < rows["hpatches_1"]["high"]
    mean = (rows["hpatches_illumination"]["value"] + view["value"]) / 2
    assert rows["hpatches_5"]["value"] == pytest.approx(mean)


@CALM
def test_black_around_a_photograph_is_not_matched(tmp_path):
    """With a wide image, 4 of 12 rows of patches are black, and alike in all images."""
    root = write_scene(tmp_path, "i_dome", shift=0)
    row = measure_standard([colours()], Hpatches(path=str(root)), "cpu").row(0, named=True)
    assert row["chance"] == pytest.approx(1 / (8 * 12))  # of the 96 patches of the photograph


@CALM
def test_the_command_prints_published_numbers(tmp_path, capsys):
    write_scene(tmp_path, "v_wall")
    assert main(["probe", "zoo:scenes_mae", "--suite", "hpatches", f"data.path={tmp_path}"]) == 0
    shown = capsys.readouterr().out
    assert "published: R2D2, at keypoints of its own 0.686 hpatches_3 (Revaud" in shown
