"""NYU Depth v2's surface normals, read from small files in their format, and predicted."""

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from shown_at import shown_at
from test_nyu import colours
from torch import tensor

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.data.nyu_normals import normals, read_normals
from siamlab.evaluate.standard import Normals, measure_standard
from siamlab.evaluate.standard import normals as module
from siamlab.probe.linear_map import fit_map
from siamlab.probe.normals import angles, facing, fit_normals, normal_errors, normals_by_patch

CALM = pytest.mark.filterwarnings("ignore:.*scores are not comparable with published ones")


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    shown_at(monkeypatch, Normals, side=48)


def save(file, array):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array).round().astype(np.uint8)).save(file)


def write_pair(folder, number, tilts, size=(64, 48), hole=False):
    """Bands of 16 rows that look up by some degrees; red and green follow sine and cosine."""
    tilt = np.deg2rad(np.repeat(np.array(tilts, float), 16)[: size[1]])
    facing = np.stack([0 * tilt, -np.sin(tilt), np.cos(tilt)], axis=1)  # right, down, front
    wide = lambda rows: rows[:, None].repeat(size[0], axis=1)  # noqa: E731
    stored = wide((facing + 1) / 2 * 255)
    if hole:
        stored[4:9, 10:30] = 0
    colour = np.stack([np.sin(tilt) * 100 + 127, np.cos(tilt) * 100 + 127, 0 * tilt], axis=1)
    save(folder / f"{number:06d}_img.png", wide(colour))
    save(folder / f"{number:06d}_normal.png", stored)


def write_normals(root, size=(64, 48)):
    for i in range(4):
        tilts = [-60 + 30 * i, 10 * i, 70 - 20 * i][: -(-size[1] // 16)]
        write_pair(root / "train", i, tilts, size)
        write_pair(root / "test", 700 + i, [t + 4 for t in tilts], size, hole=i == 0)
    return root


# the set


@CALM
def test_photographs_go_with_unit_vectors_and_black_is_unknown(tmp_path):
    train, test = read_normals(str(write_normals(tmp_path)))
    assert [f.name for f in train.images] == [f"{i:06d}_img.png" for i in range(4)]
    assert test.normals[3].name == "000703_normal.png" and test.size == (48, 64)
    found = normals(test.normals)
    assert found.shape == (4, 3, 48, 64)
    assert not found[0, :, 6, 20].any()
    expected = [0, math.sin(math.radians(56)), math.cos(math.radians(56))]  # looks down by 56°
    assert found[0, :, 0, 0].tolist() == pytest.approx(expected, abs=0.01)
    assert found[1].norm(dim=0).tolist() == [pytest.approx([1] * 64)] * 48
    assert len(read_normals(str(tmp_path), most=3)[0].images) == 3


def test_grey_is_unknown_as_well(tmp_path):
    save(tmp_path / "a.png", np.full((4, 4, 3), 128))
    assert not normals([tmp_path / "a.png"]).any()


def test_a_copy_with_few_pairs_is_said_and_read(tmp_path):
    with pytest.warns(UserWarning, match="has 4 pairs to train and 4 to test on, but NYU Depth v2"):
        read_normals(str(write_normals(tmp_path)))


@CALM
@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda r: (r / "train").rename(r / "training"), "must be NYU Depth v2 with normals"),
        (lambda r: (r / "test/000701_normal.png").unlink(), "test lacks 000701_normal.png; unpack"),
        (lambda r: [f.unlink() for f in r.glob("test/*_img.png")],
         "test lacks any 000002_img.png; unpack"),
        (lambda r: save(r / "test/000701_normal.png", np.zeros((24, 32, 3))),
         "000701_img.png has 64 × 48 pixels and its normals 32 × 24; all must have 64 × 48"),
        (lambda r: save(r / "test/000701_normal.png", np.zeros((48, 64))),
         "000701_normal.png has the mode L, and normals are RGB of 8 bits; unpack"),
        (lambda r: (r / "test/000701_normal.png").write_bytes(b"no"),
         "the image .*000701_normal.png is not there or cannot be read; unpack"),
        (lambda r: [save(f, np.zeros((48, 64, 3))) for f in r.glob("train/*_normal.png")],
         "normals must be known in a pixel of one training image or more, but all are black"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence_each(spoil, message, tmp_path):
    spoil(write_normals(tmp_path))
    with pytest.raises(UserError, match=message):
        measure_standard([colours()], Normals(path=str(tmp_path)), "cpu")


@CALM
def test_a_file_that_is_cut_short_is_named(tmp_path):
    file = write_normals(tmp_path) / "test/000701_normal.png"
    file.write_bytes(file.read_bytes()[:-60])
    with pytest.raises(UserError, match=r"000701_normal.png cannot be read \(1 of 4 images"):
        measure_standard([colours()], Normals(path=str(tmp_path)), "cpu")


# angles


def test_equal_normals_have_no_error():
    truth = F.normalize(torch.randn(2, 3, 5, 7), dim=1)
    assert (
        normal_errors(3 * truth, truth).tolist()
        == [pytest.approx([0, 0, 1, 1, 1, 1], abs=1e-5)] * 2
    )


def test_the_angle_is_that_of_the_rotation():
    axis = F.normalize(tensor([0.3, -0.5, 0.8]), dim=0)
    across = F.normalize(torch.linalg.cross(axis, tensor([1.0, 0, 0])), dim=0)
    for degrees in (0.01, 11.2, 11.3, 22.4, 22.6, 29.9, 30.1, 90.0, 179.0):
        turn = math.radians(degrees)
        turned = across * math.cos(turn) + torch.linalg.cross(axis, across) * math.sin(turn)
        pair = [v.view(1, 3, 1, 1).expand(1, 3, 2, 2) for v in (turned, across)]
        assert angles(*pair).mean().item() == pytest.approx(degrees, abs=1e-4)
        close = [float(degrees < limit) for limit in (11.25, 22.5, 30)]
        found = normal_errors(*pair)[0].tolist()
        assert found == pytest.approx([degrees, degrees, *close, 1], abs=1e-4)


def test_only_known_pixels_of_an_image_count():
    truth = torch.zeros(2, 3, 1, 4)
    truth[0, 2, 0, :3] = 1  # faces the front in three of four pixels
    turn = torch.deg2rad(tensor([0.0, 12.0, 60.0, 90.0]))
    answer = torch.stack([0 * turn, turn.sin(), turn.cos()])[None, :, None].expand(2, 3, 1, 4)
    found = normal_errors(answer, truth)
    assert found[0].tolist() == pytest.approx([24, 12, 1 / 3, 2 / 3, 2 / 3, 1], abs=1e-4)
    assert found[1].tolist() == [0] * 6


def test_a_patch_has_the_mean_of_its_known_pixels():
    truth = torch.zeros(1, 3, 4, 4)
    truth[0, 2, :2, :2] = 1
    truth[0, 0, 0, 0], truth[0, 2, 0, 0] = 1, 0
    truth[0, 1, 3, 3] = -1
    mean, share = normals_by_patch(truth, (2, 2))
    assert share.tolist() == [[1, 0, 0, 0.25]]
    assert mean[0, 0].tolist() == [0.25, 0, 0.75] and mean[0, 3].tolist() == [0, -1, 0]
    assert mean[0, 1].tolist() == pytest.approx([0.2, -0.2, 0.6])
    up = facing(mean, (2, 2), (4, 4))
    assert torch.allclose(up.norm(dim=1), torch.ones(1, 4, 4))
    assert up[0, :, 3, 3].tolist() == [0, -1, 0]


def test_the_fit_is_exact_where_normals_follow_from_features():
    rng = torch.Generator().manual_seed(0)
    features, truth = torch.randn(5, 6, 4, generator=rng), torch.zeros(5, 3, 4, 6)
    true = torch.randn(4, 3, generator=rng) * 0.1
    target = features @ true + tensor([0.0, 0.0, 1.0])
    found = fit_map([(features, target, torch.ones(5, 6))], ridge=0.0)
    assert torch.allclose(found.of(features), target, atol=1e-5)
    assert found.constant.tolist() == pytest.approx(target.mean(dim=(0, 1)).tolist())
    with pytest.raises(UserError, match="normals must be known"):
        fit_normals([(features, truth)], (2, 3))


def test_a_patch_counts_by_the_share_of_its_pixels_that_are_known():
    """As NumPy's least squares has it, with rows weighted by their roots."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(6, 4, 2, generator=g)
    normals = F.normalize(torch.randn(6, 3, 4, 4, generator=g), dim=1)
    normals *= torch.rand(6, 1, 4, 4, generator=g) < 0.6
    known = (normals != 0).any(dim=1).double()

    def cells(maps):
        return maps.unflatten(1, (2, 2)).unflatten(3, (2, 2)).mean(dim=(2, 4)).flatten(1)

    share = cells(known).flatten().numpy()
    mean = np.stack([cells(n).flatten().numpy() for n in normals.double().unbind(1)], axis=1)
    mean = mean / np.maximum(share, 1e-9)[:, None]
    rows = np.concatenate([x.double().flatten(0, 1).numpy(), np.ones((24, 1))], axis=1)
    root = np.sqrt(share)[:, None]
    expected = np.linalg.lstsq(rows * root, mean * root, rcond=None)[0]
    found = fit_normals([(x[:2], normals[:2]), (x[2:], normals[2:])], (2, 2), ridge=0.0)
    np.testing.assert_allclose(torch.cat([found.weight, found.bias[None]]), expected, atol=1e-5)


def test_numbers_of_patches_are_joined_in_straight_lines_and_made_of_length_1():
    """Between the middles of two patches of 4 pixels, 1/8, 3/8, 5/8 and 7/8 of the way."""
    found = facing(torch.eye(3)[None, :2], (1, 2), (4, 8))[0, :, 1]
    for share, column in zip((0, 0, 1 / 8, 3 / 8, 5 / 8, 7 / 8, 1, 1), found.T, strict=True):
        expected = np.array([1 - share, share, 0]) / np.hypot(1 - share, share)
        np.testing.assert_allclose(column, expected, atol=1e-6)


# measured


@CALM
def test_colours_tell_the_tilt_where_it_follows_from_them(tmp_path):
    data = Normals(path=str(write_normals(tmp_path)))
    scores = measure_standard([colours()], data, "cpu")
    rows = {row["probe"]: row for row in scores.to_dicts()}
    assert list(rows) == list(module.NUMBERS)
    mean = rows["normals"]
    assert mean["unit"] == "degrees" and mean["direction"] == "lower"
    assert mean["value"] < 0.5 * mean["chance"] and mean["value"] < mean["ceiling"] + 1
    assert rows["normals_30"]["value"] > rows["normals_30"]["chance"] + 0.2
    assert rows["normals_11"]["value"] <= rows["normals_22"]["value"] <= rows["normals_30"]["value"]
    train, test = read_normals(str(tmp_path))
    blind = normals(train.normals)[..., 8:56].mean(dim=(0, 2, 3)).view(1, 3, 1, 1)
    truth = normals(test.normals)[..., 8:56]  # the middle square
    each = normal_errors(blind.expand_as(truth), truth)[:, :5].mean(dim=0)
    assert [row["chance"] for row in rows.values()] == pytest.approx(each.tolist(), rel=1e-5)
    for row in rows.values():
        assert row["low"] <= row["value"] <= row["high"]
    assert json.loads(mean["settings"])["train_images"] == 4
    other = measure_standard([colours()], data.replace(images=2), "cpu")
    assert set(other["protocol"]).isdisjoint(scores["protocol"])


@CALM
def test_one_direction_everywhere_is_found_without_error(tmp_path):
    for split in ("train", "test"):
        for i in range(2):
            write_pair(tmp_path / split, i, [20, 20, 20])
    scores = measure_standard([colours()], Normals(path=str(tmp_path)), "cpu")
    assert scores["value"].to_list() == pytest.approx([0, 0, 1, 1, 1], abs=1e-3)
    assert scores["chance"].to_list() == pytest.approx([0, 0, 1, 1, 1], abs=1e-3)


@CALM
def test_what_lies_beside_the_middle_square_does_not_count(tmp_path):
    data = Normals(path=str(write_normals(tmp_path)))
    before = measure_standard([colours()], data, "cpu")
    for file in tmp_path.glob("*/*_normal.png"):
        stored = np.array(Image.open(file))
        stored[:, :8], stored[:, 56:] = (255, 128, 128), (255, 128, 128)
        save(file, stored)
    assert measure_standard([colours()], data, "cpu").equals(before)


@CALM
def test_the_command_prints_published_numbers(tmp_path, capsys):
    words = [
        "probe",
        "zoo:scenes_mae",
        "--suite",
        "normals",
        f"data.path={write_normals(tmp_path)}",
    ]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "published: MAE ViT-B/16, linear 27.522 normals (VisBench leaderboard, 2026)" in out
