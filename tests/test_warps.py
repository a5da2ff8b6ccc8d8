"""Images and homographies of them: the maps, the pixels, and patches matched between the two."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from shown_at import shown_at
from test_hpatches import colours

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.data.warps import homographies, warped
from siamlab.evaluate.standard import Warps, measure_standard
from siamlab.probe.matching import distinct, project

SIDE = 48


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    """A cache of each test's own, and a protocol at 48 pixels."""
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    shown_at(monkeypatch, Warps, side=SIDE)


def write_images(root, n=3):
    """Squares of tiles of 12 pixels in colours of their own."""
    root.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        tiles = np.random.default_rng(i).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(tiles.repeat(12, axis=0).repeat(12, axis=1)).save(root / f"{i}.png")
    return root


def test_images_of_one_colour_are_said_and_a_set_of_them_is_refused(tmp_path):
    for name, side in (("y", 1), ("z", 30)):  # of one pixel, which is enlarged, and blank
        (tmp_path / "set").mkdir(exist_ok=True)
        Image.new("RGB", (side, side), "red").save(tmp_path / f"set/{name}.png")
    with pytest.raises(UserError, match=r"all 2 images are of one colour throughout .y.png., so"):
        measure_standard([colours()], Warps(path=f"{tmp_path}/set"), "cpu")
    write_images(tmp_path / "set")
    with pytest.warns(UserWarning, match="2 of 5 images are of one colour .*the first: y.png"):
        measure_standard([colours()], Warps(path=f"{tmp_path}/set"), "cpu")


def test_a_link_to_nothing_is_named(tmp_path):
    (write_images(tmp_path / "set") / "9.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(
        UserError, match="data.path: the image .*9.png cannot be read .No such file"
    ):
        Warps(path=f"{tmp_path}/set")()


# the maps and the pixels


def test_corners_move_by_up_to_a_share_of_the_side():
    maps, corners = homographies(400, 100, 0.2).float(), [[0, 0], [0, 100], [100, 100], [100, 0]]
    ends = torch.stack([project(torch.tensor(corners).float(), m) for m in maps])  # y, x
    moved = ends - torch.tensor(corners)
    assert 19 < moved.abs().max() <= 20.001
    torch.testing.assert_close(moved.mean(dim=0), torch.zeros(4, 2), atol=2.5, rtol=0)
    torch.testing.assert_close(moved.std(dim=0), torch.full((4, 2), 40 / 12**0.5), atol=1, rtol=0)
    assert torch.equal(homographies(3, 100, 0.2).float(), maps[:3])
    assert not torch.equal(homographies(3, 100, 0.2, seed=1).float(), maps[:3])


def test_a_pixel_is_seen_where_its_map_takes_it():
    """Red is the column and green the row, so that colours tell where each pixel comes from."""
    row, column = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    pixels = torch.stack([2 * column, 2 * row, torch.full_like(row, 90)])[None].byte()
    there = homographies(1, 64, 0.2)
    seen = warped(pixels, there)[0]
    points = torch.cartesian_prod(torch.arange(16, 48, 4), torch.arange(16, 48, 4)) + 0.5
    ends = project(points, there[0].float())
    colour = torch.stack([seen[:, int(y), int(x)] for y, x in ends.tolist()]).float()
    back = project(ends.floor() + 0.5, torch.linalg.inv(there[0]).float())  # of pixels' middles
    torch.testing.assert_close(colour[:, :2], 2 * (back.flip(1) - 0.5), atol=1.5, rtol=0)
    assert (colour[:, 2] - 90).abs().max() <= 1
    assert seen[:, :1].min() == 0 or seen[:, -1:].min() == 0  # black comes in at a corner


# matches


def test_a_match_is_clearly_nearest():
    """At angles of 10 and 30 degrees; at 20 and 20; at 1 and 80, the surest."""
    turn = lambda *degrees: torch.stack([torch.tensor(degrees).deg2rad().cos(),  # noqa: E731
                                         torch.tensor(degrees).deg2rad().sin()], dim=1)  # fmt: skip
    a, b = turn(10.0, 20.0, 91.0), 3 * turn(0.0, 40.0, 90.0)
    rows, index = distinct(a, b)
    assert rows.tolist() == [2, 0] and index.tolist() == [2, 0]
    assert distinct(a, b, most=1)[0].tolist() == [2]
    assert distinct(a, b, most_ratio=0.3)[0].tolist() == [2]  # 10 / 30 is more than 0.3
    with pytest.raises(UserError, match="two rows or more"):
        distinct(a, b[:1])


def test_colours_match_a_warped_image(tmp_path):
    data = Warps(path=str(write_images(tmp_path / "set")))
    scores = measure_standard([colours()], data, "cpu")
    rows = {row["probe"]: row for row in scores.to_dicts()}
    assert list(rows) == [f"warps_{limit}" for limit in (1, 2, 5, 10)]
    values = [row["value"] for row in rows.values()]
    assert values == sorted(values)
    for limit, row in zip((1, 2, 5, 10), rows.values(), strict=True):
        assert row["chance"] < row["value"] <= row["ceiling"] <= 1
        assert row["low"] <= row["value"] <= row["high"]
        assert json.loads(row["settings"])["pixels"] == limit
    assert rows["warps_10"]["value"] > rows["warps_10"]["chance"] + 0.3
    few = measure_standard([colours()], data.replace(images=2), "cpu")
    assert set(few["protocol"]).isdisjoint(scores["protocol"])


def test_an_image_that_is_not_warped_matches_itself(tmp_path, monkeypatch):
    shown_at(monkeypatch, Warps, side=SIDE, warp=0.0)
    tiles = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    (tmp_path / "set").mkdir()
    Image.fromarray(tiles.repeat(4, axis=0).repeat(4, axis=1)).save(tmp_path / "set/0.png")
    scores = measure_standard([colours()], Warps(path=f"{tmp_path}/set"), "cpu")
    assert scores["value"].to_list() == scores["ceiling"].to_list() == [1.0] * 4
    assert scores["chance"][0] == pytest.approx(1 / 144)
    some = torch.arange(5)
    monkeypatch.setattr("siamlab.evaluate.standard.warps.distinct", lambda *given: (some, some))
    fewer = measure_standard([colours()], Warps(path=f"{tmp_path}/set"), "cpu")
    assert fewer["value"].to_list() == [1.0] * 4  # of the five that are matched


def test_the_command_prints_published_numbers(tmp_path, capsys):
    words = [f"data.path={write_images(tmp_path / 'set')}"]
    assert main(["probe", "zoo:scenes_mae", "--suite", "warps", *words]) == 0
    shown = capsys.readouterr().out
    assert "published: DINO ViT-B/16 0.357 warps_5 (VisBench leaderboard, 2026)" in shown
