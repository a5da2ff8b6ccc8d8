"""NYU Depth v2, read from small files in its layout, and depth predicted by a linear layer."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from shown_at import shown_at
from sklearn.linear_model import Ridge
from torch import nn

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.data.nyu import depths, read_nyu
from siamlab.evaluate.models import open_model
from siamlab.evaluate.standard import Nyu, measure_standard
from siamlab.interop.adapter import TokenGrid
from siamlab.probe.depth import by_patch, depth_errors, fit_depth, predicted

CALM = pytest.mark.filterwarnings("ignore:.*scores are not comparable with published ones")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))


def write_pair(folder, number, reds, size=(64, 48), hole=False):
    """Bands of 16 rows whose depth is exp(red / 128) metres, stored in millimetres."""
    red = np.repeat(np.array(reds, np.uint8), 16)[: size[1], None].repeat(size[0], axis=1)
    pixels = np.stack([red, np.full_like(red, 90), np.full_like(red, 30)], axis=2)
    depth = np.exp(red / 128) * 1000
    if hole:
        depth[4:9, 10:30] = 0
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / f"rgb_{number:05d}.jpg", quality=99, subsampling=0)
    Image.fromarray(depth.astype(np.uint16)).save(folder / f"sync_depth_{number:05d}.png")


def write_nyu(root, size=(64, 48)):
    count = -(-size[1] // 16)
    for i in range(4):
        reds = np.linspace(10 + 20 * i, 250 - 20 * i, count)[:: 1 if i % 2 else -1]
        write_pair(root / "train" / f"kitchen_{i % 2}", i, reds, size)
        write_pair(root / "test" / "bathroom", 45 + i, reds + 5, size, hole=i == 0)
    return root


def colours(patch=8):
    """A network whose feature of a patch is its mean colour."""
    net = nn.Conv2d(3, 3, patch, patch)
    with torch.no_grad():
        net.weight.copy_(torch.eye(3)[:, :, None, None].expand(-1, -1, patch, patch) / patch**2)
        net.bias.fill_(0.0)
    return open_model(TokenGrid(net, 6 * patch, mean=(0.0,) * 3, std=(1.0,) * 3, name="colours"))


# the set


@CALM
def test_photographs_go_with_their_depth_in_metres(tmp_path):
    train, test = read_nyu(str(write_nyu(tmp_path)))
    assert [f.parent.name for f in train.images] == ["kitchen_0"] * 2 + ["kitchen_1"] * 2
    assert [f.name for f in test.depths][:2] == ["sync_depth_00045.png", "sync_depth_00046.png"]
    found = depths(test.depths)
    assert found.shape == (4, 48, 64) and test.size == (48, 64)
    assert found[0, 6, 20] == 0 and found[0, 6, 2].item() == pytest.approx(np.exp(255 / 128), 0.01)
    other = tmp_path / "sync"
    write_pair(other / "office", 0, [10, 20, 30])
    more, _ = read_nyu(str(tmp_path), str(other))
    assert [f.parent.name for f in more.images] == ["office"]
    assert len(read_nyu(str(tmp_path), most=3)[0].images) == 3


def test_a_copy_with_few_pairs_is_said_and_read(tmp_path):
    with pytest.warns(UserWarning, match="has 4 pairs to train and 4 to test on, but NYU Depth v2"):
        read_nyu(str(write_nyu(tmp_path)))


def save(file, array):
    Image.fromarray(array).save(file)


@CALM
@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda r: (r / "train").rename(r / "training"), "must be the official splits of NYU"),
        (lambda r: (r / "test/bathroom/sync_depth_00046.png").unlink(),
         "/test lacks .*sync_depth_00046.png; extract"),
        (lambda r: (r / "test/bathroom").rename(r / "test/.b").rename(r / "b"),
         "/test lacks any SCENE/rgb_00045.jpg"),
        (lambda r: save(r / "test/bathroom/rgb_00046.jpg", np.zeros((24, 32, 3), np.uint8)),
         "rgb_00046.jpg has 32 × 24 pixels and its depth 64 × 48; all must have 64 × 48"),
        (lambda r: save(r / "test/bathroom/sync_depth_00046.png", np.zeros((48, 64), np.uint8)),
         "the depth .*sync_depth_00046.png must be a PNG of 16 bits, in millimetres, but has "),
        (lambda r: [save(f, np.zeros((48, 64), np.uint16)) for f in r.glob("test/*/sync*")],
         "data.path: no test image of NYU Depth v2 has a pixel whose truth is known; unpack"),
        (lambda r: [save(f, np.zeros((48, 64), np.uint16)) for f in r.glob("train/*/sync*")],
         "depth must have a pixel between 0.001 and 10 metres in one training image"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence_each(spoil, message, tmp_path):
    spoil(write_nyu(tmp_path))
    with pytest.raises(UserError, match=message):
        measure_standard([colours()], Nyu(path=str(tmp_path), crop="whole"), "cpu")


@CALM
def test_other_sizes_have_no_eigen_crop_and_no_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="data.crop=eigen .* of 640 × 480 .*have 64 × 48"):
        Nyu(path=str(write_nyu(tmp_path)))()
    with pytest.raises(UserError, match="data.path='' must be the official splits"):
        Nyu()()
    with pytest.raises(UserError, match="data.train_path: .*none must be a folder of scenes"):
        Nyu(path=str(tmp_path), train_path=f"{tmp_path}/none")()


# the head


@pytest.fixture
def rooms():
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(6, 6, 4, generator=rng) * torch.tensor([1.0, 5.0, 0.1, 2.0]) + 3
    depth = (features[..., 1] / 10 + 0.1 * torch.randn(6, 6, generator=rng)).exp()
    return features, depth.view(6, 2, 3).repeat_interleave(8, 1).repeat_interleave(8, 2)


def test_the_fit_is_ridge_on_standardised_features_in_logarithms(rooms):
    features, depth = rooms
    head = fit_depth([(features[:2], depth[:2]), (features[2:], depth[2:])], (2, 3), ridge=0.05)
    x = features.flatten(0, 1).double().numpy()
    y = depth[:, ::8, ::8].flatten().double().log().numpy()
    scaled = (x - x.mean(0)) / x.std(0)
    expected = Ridge(alpha=0.05 * len(x)).fit(scaled, y).predict(scaled)
    found = (features.double() @ head.weight + head.bias).flatten()
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4)
    assert head.constant.item() == pytest.approx(y.mean())
    answer = predicted(head, features, (2, 3), (16, 24))
    np.testing.assert_allclose(answer[:, 0, 0].log(), found.view(6, 6)[:, 0], rtol=1e-4)


def test_a_patch_counts_by_its_measured_pixels(rooms):
    features, depth = rooms
    holes = depth.clone()
    holes[:, :8, :8] = 0  # the first patch of each image, and what is beyond 10 metres, is unknown
    holes[0, :, 8:16] = 12
    logs, share = by_patch(holes, (2, 3))
    assert share[1].tolist() == [0, 1, 1, 1, 1, 1] and share[0].tolist() == [0, 0, 1, 1, 0, 1]
    assert logs[1, 1].item() == pytest.approx(depth[1, 0, 8].log().item(), abs=1e-6)
    left_out = fit_depth([(features[1:, 1:], depth[1:, :8, 8:16].repeat(1, 1, 5))], (1, 5))
    assert left_out.weight.isfinite().all()
    kept = fit_depth([(features[1:], holes[1:])], (2, 3))
    y = depth[1:, ::8, ::8].flatten(1)[:, 1:].double().log()
    assert kept.constant.item() == pytest.approx(y.mean().item())


def test_errors_by_hand():
    depth = torch.tensor([[[2.0, 4.0, 0.0, 11.0]], [[0.0, 0.0, 0.0, 0.0]]])
    answer = torch.tensor([[[2.4, 3.0, 1.0, 1.0]], [[1.0, 1.0, 1.0, 1.0]]])
    found = depth_errors(answer, depth)  # ratios 1.2 and 1.33 of the two measured pixels
    rmse, relative = ((0.4**2 + 1) / 2) ** 0.5, (0.2 + 0.25) / 2
    assert found[0].tolist() == pytest.approx([0.5, rmse, relative, 1])
    assert found[1].tolist() == [0, 0, 0, 0]


# measured


@CALM
def test_colours_tell_depth_where_it_follows_from_them(tmp_path):
    data = Nyu(path=str(write_nyu(tmp_path)), crop="whole")
    scores = measure_standard([colours()], data, "cpu")
    rows = {row["probe"]: row for row in scores.to_dicts()}
    assert list(rows) == ["nyu", "nyu_rmse", "nyu_relative"]
    assert rows["nyu"]["value"] > 0.95 > rows["nyu"]["chance"]
    assert rows["nyu_rmse"]["value"] < 0.6 * rows["nyu_rmse"]["chance"]
    assert rows["nyu_rmse"]["direction"] == "lower"
    train, test = (depths(part.depths).numpy() for part in read_nyu(str(tmp_path)))
    blind, seen = np.exp(np.log(train).mean()), test > 0
    each = [np.sqrt(((blind - d)[s] ** 2).mean()) for d, s in zip(test, seen, strict=True)]
    assert rows["nyu_rmse"]["chance"] == pytest.approx(np.mean(each), rel=1e-4)
    for row in rows.values():
        assert row["low"] <= row["value"] <= row["high"]
        better = row["ceiling"] - row["value"]
        assert better * (1 if row["direction"] == "higher" else -1) > -0.05
    settings = json.loads(rows["nyu"]["settings"])
    assert settings["crop"] == "whole" and settings["train_images"] == 4
    other = measure_standard([colours()], data.replace(images=2), "cpu")
    assert set(other["protocol"]).isdisjoint(scores["protocol"])


@CALM
def test_the_eigen_crop_leaves_the_frame_of_the_photograph_out(tmp_path):
    root = write_nyu(tmp_path, size=(640, 480))
    data = Nyu(path=str(root), images=2)
    before = measure_standard([colours(80)], data, "cpu")
    for file in root.glob("test/*/sync_depth*"):
        depth = np.array(Image.open(file))
        depth[:45], depth[471:], depth[:, :41], depth[:, 601:] = 9000, 9000, 9000, 9000
        Image.fromarray(depth).save(file)
    after = measure_standard([colours(80)], data, "cpu")
    assert before["value"].to_list() == pytest.approx(after["value"].to_list(), abs=1e-6)
    whole = measure_standard([colours(80)], data.replace(crop="whole"), "cpu")
    assert whole["value"][1] > after["value"][1] + 0.5


@CALM
def test_visbench_scores_the_middle_square_of_the_photograph(tmp_path, monkeypatch):
    shown_at(monkeypatch, Nyu, size=(48, 64))
    data = Nyu(path=str(write_nyu(tmp_path)), protocol="visbench")
    scores = measure_standard([colours()], data, "cpu")
    rows = {row["probe"]: row for row in scores.to_dicts()}
    assert rows["nyu"]["value"] > 0.8 > rows["nyu"]["chance"]
    train, test = (depths(part.depths).numpy()[..., 8:56] for part in read_nyu(str(tmp_path)))
    blind, seen = np.exp(np.log(train).mean()), test > 0
    each = [(abs(blind - d)[s] / d[s]).mean() for d, s in zip(test, seen, strict=True)]
    assert rows["nyu_relative"]["chance"] == pytest.approx(np.mean(each), rel=1e-4)
    settings = json.loads(rows["nyu"]["settings"])
    assert settings["crop"] == "whole" and settings["features"] == "patches, after the final norm"
    for file in tmp_path.glob("*/*/sync_depth*"):
        depth = np.array(Image.open(file))
        depth[:, :8], depth[:, 56:] = 9000, 9000
        Image.fromarray(depth).save(file)
    assert measure_standard([colours()], data, "cpu").equals(scores)
    with pytest.raises(UserError, match="data.crop=eigen counts .*protocol=visbench shows their"):
        data.replace(crop="eigen")()


def test_published_numbers_are_those_of_the_protocol():
    found = {p.model: p.value for p in Nyu(protocol="visbench").published() if p.probe == "nyu"}
    assert found["MAE ViT-B/16, linear"] == 0.695 and found["DINO ViT-B/16, linear"] == 0.675
    assert {p.probe for p in Nyu().published()} == {"nyu_rmse"}


@CALM
def test_the_command_prints_published_numbers(tmp_path, capsys, monkeypatch):
    shown_at(monkeypatch, Nyu, size=(48, 64))
    words = ["probe", "zoo:scenes_mae", "--suite", "nyu", f"data.path={write_nyu(tmp_path)}"]
    assert main([*words, "data.crop=whole"]) == 0
    assert "published: MAE ViT-H/14, lin. 1 0.517 nyu_rmse (Oquab" in capsys.readouterr().out
