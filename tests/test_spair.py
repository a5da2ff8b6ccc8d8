"""SPair-71k, read from small files in its format, and keypoints found by the nearest feature."""

import json

import numpy as np
import polars
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from shown_at import shown_at
from torch import nn

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.data.frames import cornered, framed, padded, stretched, to_frame, to_image
from siamlab.data.spair import read_spair
from siamlab.evaluate.models import open_model
from siamlab.evaluate.standard import Spair, measure_standard
from siamlab.interop.adapter import TokenGrid
from siamlab.probe.keypoints import Placed, at_points, pck, transfer
from siamlab.probe.score import DRAWS, SEED, resamples

RED, GREEN, BLUE = (220, 20, 20), (20, 220, 20), (20, 20, 220)
WIDE, TALL = (96, 64), (64, 96)  # width, height
CALM = pytest.mark.filterwarnings("ignore:.*are not comparable with published ones")


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    """A cache of each test's own, and protocols at 48 pixels."""
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    shown_at(monkeypatch, Spair, side=48)


def write_image(root, category, name, size, spots):
    """Squares of 8 pixels, each around its point x, y, on grey."""
    pixels = np.full((size[1], size[0], 3), 128, np.uint8)
    for (x, y), colour in spots.items():
        pixels[y - 4 : y + 4, x - 4 : x + 4] = colour
    folder = root / "JPEGImages" / category
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / f"{name}.jpg", quality=98, subsampling=0)


def write_pair(root, number, category, source, target, points, split="test", viewpoint=1):
    """An annotation with the fields of the real ones; points are (source, target) places."""
    (name_a, size_a), (name_b, size_b) = source, target
    fields = {
        "filename": f"{number:06d}-{name_a}-{name_b}:{category}", "pair_id": number,
        "src_imname": f"{name_a}.jpg", "trg_imname": f"{name_b}.jpg",
        "src_imsize": [*size_a, 3], "trg_imsize": [*size_b, 3],
        "src_bndbox": [2, 2, 30, 30], "trg_bndbox": [2, 4, 62, 24],
        "category": category, "src_pose": "Left", "trg_pose": "Right", "mirror": 0,
        "viewpoint_variation": viewpoint, "scale_variation": 0, "truncation": 0, "occlusion": 0,
        "src_kps": [list(a) for a, _ in points], "trg_kps": [list(b) for _, b in points],
        "kps_ids": [str(i) for i in range(len(points))],
    }  # fmt: skip
    folder = root / "PairAnnotation" / split
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{fields['filename']}.json").write_text(json.dumps(fields))
    listing = root / "Layout/large"
    listing.mkdir(parents=True, exist_ok=True)
    with open(listing / f"{split}.txt", "a") as file:
        file.write(fields["filename"] + "\n")


A, B, C = (20, 20), (76, 20), (76, 52)


def write_spair(root):
    """Two cats whose colours agree, one dog whose colours are exchanged; two points or three."""
    write_image(root, "cat", "2008_1", WIDE, {A: RED, B: GREEN, C: BLUE})
    write_image(root, "cat", "2008_2", TALL, {(44, 76): RED, (20, 20): GREEN, (52, 36): BLUE})
    write_image(root, "dog", "2009_1", WIDE, {A: RED, B: GREEN})
    write_image(root, "dog", "2009_2", WIDE, {A: GREEN, B: RED})
    cats = ("2008_1", WIDE), ("2008_2", TALL)
    points = [(A, (44, 76)), (B, (20, 20)), (C, (52, 36))]
    write_pair(root, 1, "cat", *cats, points, viewpoint=0)
    write_pair(root, 2, "cat", *cats[::-1], [(b, a) for a, b in points])
    write_pair(root, 3, "dog", ("2009_1", WIDE), ("2009_2", WIDE), [(A, A), (B, B)])
    return root


def colours():
    """A network whose feature of a patch of 4 pixels is its mean colour."""
    net = nn.Conv2d(3, 3, 4, 4)
    with torch.no_grad():
        net.weight.copy_(torch.eye(3)[:, :, None, None].expand(-1, -1, 4, 4) / 16)
        net.bias.fill_(0.0)
    return open_model(TokenGrid(net, 48, mean=(0.0,) * 3, std=(1.0,) * 3, name="colours"))


# the set


@CALM
def test_pairs_are_those_of_the_list_with_points_and_boxes_in_pixels(tmp_path):
    found = read_spair(str(write_spair(tmp_path)))
    assert found.categories == ("cat", "dog") and found.category.tolist() == [0, 0, 1]
    names = [[found.images[i].name for i in pair] for pair in found.pairs.tolist()]
    assert names[1] == ["2008_2.jpg", "2008_1.jpg"] and len(found.images) == 4
    assert found.source[0, 0].tolist() == [20, 20] and found.source[0, 1].tolist() == [20, 76]
    assert found.target[0, 0].tolist() == [76, 44]  # y, x of x = 44, y = 76
    assert found.known.sum(dim=1).tolist() == [3, 3, 2] and found.box.tolist() == [60.0] * 3
    assert found.sizes[found.pairs[0]].tolist() == [[64, 96], [96, 64]]
    assert found.viewpoint.tolist() == [0, 1, 1]


@CALM
def test_a_list_leaves_pairs_out_and_a_limit_draws_the_same_ones(tmp_path):
    root = write_spair(tmp_path)
    listing = root / "Layout/large/test.txt"
    assert len(read_spair(str(root), most=1).pairs) == 2  # of each category
    assert torch.equal(read_spair(str(root), most=1).target, read_spair(str(root), most=1).target)
    listing.write_text(listing.read_text().splitlines()[2] + "\n")
    assert read_spair(str(root)).categories == ("dog",)
    listing.unlink()
    assert len(read_spair(str(root)).pairs) == 3


def test_a_half_downloaded_set_is_said_and_read(tmp_path):
    with pytest.warns(UserWarning, match="has 3 pairs in test, but SPair-71k has 12,234, so"):
        read_spair(str(write_spair(tmp_path)))


def damage(root, change):
    file = next((root / "PairAnnotation/test").glob("000001*"))
    fields = json.loads(file.read_text())
    change(fields)
    file.write_text(json.dumps(fields))


@CALM
@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda r: (r / "JPEGImages").rename(r / "Images"), "must be a copy of SPair-71k, with"),
        (lambda r: next((r / "PairAnnotation/test").glob("000002*")).unlink(),
         r"lacks 000002-2008_2-2008_1:cat.json of .*test.txt \(1 of 3 pairs are missing\)"),
        (lambda r: next((r / "PairAnnotation/test").glob("000002*")).write_text("{"),
         "annotation .*000002.* is damaged or lacks"),
        (lambda r: damage(r, lambda f: f.pop("trg_bndbox")), "lacks one of .*trg_bndbox"),
        (lambda r: damage(r, lambda f: f.update(viewpoint_variation=3)), r"_variation \(0, 1 or 2"),
        (lambda r: damage(r, lambda f: f["trg_kps"].pop()), "with as many points in both images"),
        (lambda r: damage(r, lambda f: f.update(trg_bndbox=[5, 5, 5, 5])), "is damaged or lacks"),
        (lambda r: damage(r, lambda f: f.update(src_imsize=[48, 32, 3])),
         "2008_1.jpg has 96 × 64 pixels and 48 × 32 in 000001.*without resizing them"),
        (lambda r: (r / "Layout/large/test.txt").write_bytes(b"\xff"),
         "test.txt, which lists .*, cannot be read .it is not text.; unpack SPair-71k"),
        (lambda r: damage(r, lambda f: f.update(category=5)), "is damaged or lacks"),
        (lambda r: damage(r, lambda f: f.update(category="../cat")), "is damaged or lacks"),
        (lambda r: damage(r, lambda f: f.update(src_imname=None)), "is damaged or lacks"),
        (lambda r: damage(r, lambda f: f.update(src_imsize=48)), "is damaged or lacks"),
        (lambda r: damage(r, lambda f: f.update(src_kps=None)), "is damaged or lacks"),
        (lambda r: damage(r, lambda f: f["src_kps"].__setitem__(0, {})), "is damaged or lacks"),
        (lambda r: damage(r, lambda f: f.update(src_imsize=[48])), "is damaged or lacks"),
        (lambda r: damage(r, lambda f: f["src_kps"][0].__setitem__(0, float("nan"))), "is damaged"),
        (lambda r: damage(r, lambda f: f.update(trg_bndbox=[0, 0, float("inf"), 1])), "is damaged"),
        (lambda r: next((r / "PairAnnotation/test").glob("000002*")).write_text("[" * 100_000),
         "annotation .*000002.* is damaged or lacks"),
        (lambda r: (r / "JPEGImages/cat/2008_2.jpg").unlink(),
         "the image .*2008_2.jpg is not there or cannot be read"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence_each(spoil, message, tmp_path):
    spoil(write_spair(tmp_path))
    with pytest.raises(UserError, match=message):
        read_spair(str(tmp_path))


def test_no_folder_is_named_as_such():
    with pytest.raises(UserError, match="data.path='' must be a copy of SPair-71k"):
        read_spair("")


# frames


def test_a_padded_image_keeps_its_aspect_and_lies_in_the_middle(tmp_path):
    write_image(tmp_path, "cat", "a", WIDE, {A: RED})
    file, sizes = tmp_path / "JPEGImages/cat/a.jpg", torch.tensor([[64, 96]])
    boxes = padded(sizes, 48)
    assert boxes.tolist() == [[8, 0, 32, 48]]
    pixels = framed([file], boxes, (48, 48))[0].float()
    assert pixels[:, :8].max() == 0 == pixels[:, 40:].max() and pixels[:, 8:40].min() > 0
    y, x = to_frame(torch.tensor([[20.0, 20.0]]), sizes, boxes)[0].int().tolist()
    assert (y, x) == (8 + 10, 10) and pixels[0, y, x] > 200 > 60 > pixels[1, y, x]


def test_a_cornered_image_lies_in_the_upper_left_of_white(tmp_path):
    write_image(tmp_path, "cat", "a", TALL, {A: RED})
    file, sizes = tmp_path / "JPEGImages/cat/a.jpg", torch.tensor([[96, 64]])
    boxes = cornered(sizes, 48)
    assert boxes.tolist() == [[0, 0, 48, 32]]
    pixels = framed([file], boxes, (48, 48), 255)[0].int()
    assert pixels[:, :, 32:].min() == 255 and pixels[:, :, :32].max() < 240
    assert pixels[0, 10, 10] > 200 > 60 > pixels[1, 10, 10]


@pytest.mark.parametrize(
    "fit",
    [lambda s: padded(s, 50), lambda s: stretched(s, (40, 30)), lambda s: cornered(s, 50)],
)
def test_points_come_back_from_the_frame(fit):
    sizes = torch.tensor([[333, 500], [500, 281], [7, 7]])
    points, boxes = torch.rand(3, 2) * sizes, fit(sizes)
    torch.testing.assert_close(to_image(to_frame(points, sizes, boxes), sizes, boxes), points)
    ends = to_frame(sizes - 0.5, sizes, boxes)  # the lower right corner of the last pixel
    torch.testing.assert_close(ends, (boxes[:, :2] + boxes[:, 2:]).float())


def test_a_file_that_was_cut_off_is_named(tmp_path):
    write_image(tmp_path, "cat", "a", WIDE, {})
    file = tmp_path / "JPEGImages/cat/a.jpg"
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"a.jpg cannot be read \(1 of 1 images cannot\)"):
        framed([file], padded(torch.tensor([[64, 96]]), 16), (16, 16))


# the nearest feature

GRID = (5, 6)
SIZE = torch.tensor([33, 50])


@pytest.fixture
def maps():
    rng = torch.Generator().manual_seed(3)
    return torch.randn(2, 30, 7, generator=rng), torch.rand(9, 2, generator=rng) * (SIZE - 1)


def test_pixels_are_found_as_in_maps_upsampled_whole(maps):
    """The plain way: both maps enlarged to their images, then the cosine of all pixels."""
    (a, b), points = maps
    placed = Placed(SIZE, torch.tensor([0, 0, 40, 48]), (40, 48))
    points = points.round()
    whole = [
        F.interpolate(m.T.unflatten(1, GRID)[None], tuple(SIZE.tolist()), mode="bilinear")[0]
        for m in (a, b)
    ]
    y, x = points.long().T
    queries = at_points(a, points, GRID, placed, "pixel")
    torch.testing.assert_close(queries, whole[0][:, y, x].T, atol=1e-5, rtol=1e-4)
    unit = F.normalize(whole[1].flatten(1), dim=0)
    best = (F.normalize(queries, dim=1) @ unit).argmax(dim=1)
    place = torch.stack([best // 50, best % 50], dim=1).float()
    far = (place - points.flip(0)).norm(dim=1)
    limits = torch.tensor([5.0, 20.0]).expand(9, 2)
    found = transfer(queries, b, GRID, placed, points.flip(0), limits, "pixel")
    assert torch.equal(found.hit, far[:, None] <= limits)
    assert found.hit.any() and not found.hit.all()
    rows, columns = torch.meshgrid(torch.arange(33), torch.arange(50), indexing="ij")
    y, x = points.flip(0)[4]
    inside = ((rows - y) ** 2 + (columns - x) ** 2 <= 400).float().mean()
    assert found.random[4, 1].item() == pytest.approx(inside.item(), abs=1e-3)


def test_patches_are_found_at_their_centres(maps):
    (a, _), _ = maps
    placed = Placed(SIZE, torch.tensor([4, 0, 32, 48]), (40, 48))  # patches of 8 pixels
    b = torch.zeros(30, 7).index_fill_(0, torch.tensor([0]), 1.0)
    b[2 * 6 + 3] = 2 * a[1 * 6 + 1]  # row 2, column 3 looks like row 1, column 1
    source = to_image(torch.tensor([[9.0, 15.0]]), SIZE, placed.box)
    query = at_points(a, source, GRID, placed, "patch")
    assert torch.equal(query[0], a[7])
    centre = to_image(torch.tensor([[20.0, 28.0]]), SIZE, placed.box)
    limits = torch.tensor([[0.5, 0.0]])
    found = transfer(query, b, GRID, placed, centre, limits, "patch")
    assert found.hit.tolist() == [[True, True]] and found.possible.all()
    assert found.random[0].tolist() == pytest.approx([1 / 30, 1 / 30])
    off = transfer(query, b, GRID, placed, centre + 1, limits, "patch")
    assert not off.hit.any() and not off.possible.any()


def test_points_per_image_and_groups_by_hand():
    """Pairs with 1 of 4 and 2 of 2 points right: 3 / 6 of points, (1/4 + 1) / 2 of images."""
    sums = torch.tensor([[[1.0], [0.5], [4.0]], [[2.0], [1.0], [2.0]]])
    counted, images = torch.tensor([[4.0], [2.0]]), torch.tensor([[0, 1], [2, 0]])
    score = pck(sums, counted, images, "share of points")
    assert (score.value, score.chance, score.ceiling) == pytest.approx((0.5, 0.25, 1.0))
    shares = pck(sums / counted[..., None], torch.ones(2, 1), images, "share")
    assert shares.value == pytest.approx(0.625)
    each = torch.eye(2)
    assert pck(sums * each[:, None], counted * each, images, "x").value == pytest.approx(0.625)


def test_an_image_that_is_drawn_twice_counts_twice_in_its_pairs():
    rng = torch.Generator().manual_seed(1)
    images = torch.randint(5, (12, 2), generator=rng)
    images = images[images[:, 0] != images[:, 1]]
    right = torch.rand(len(images), 3, 1, generator=rng)
    counted = torch.ones(len(images), 1)
    score = pck(right, counted, images, "share", draws=20)
    draws = next(resamples(5, 20, SEED))
    for counts, value in zip(draws.tolist(), score.draws.tolist(), strict=True):
        weight = [counts[a] * counts[b] for a, b in images.tolist()]
        if not sum(weight):
            assert value != value
            continue
        expected = sum(w * r for w, r in zip(weight, right[:, 0, 0].tolist(), strict=True))
        assert value == pytest.approx(expected / sum(weight))
    one = pck(right[:1], counted[:1], images[:1], "share")
    assert one.low != one.low and len(one.draws) == DRAWS  # a single pair has no interval


# measured


def write_noise(root):
    """Two smooth pictures of pale colours that differ a little, 96 × 72 pixels, and 40 points."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(150, 256, (9, 12, 3)).astype(np.uint8)
    other = np.clip(coarse + rng.normal(0, 3, coarse.shape), 0, 255).astype(np.uint8)
    (root / "JPEGImages/cat").mkdir(parents=True)
    for name, pixels in (("a", coarse), ("b", other)):
        image = Image.fromarray(pixels).resize((96, 72), Image.Resampling.BICUBIC)
        image.save(root / f"JPEGImages/cat/{name}.jpg", quality=98, subsampling=0)
    points = [(p, p) for p in zip(*rng.integers(4, 68, (2, 40)).tolist(), strict=True)]
    write_pair(root, 1, "cat", ("a", (96, 72)), ("b", (96, 72)), points)
    return [p for p, _ in points]


def probe3d_by_hand(root, points):
    """Share of points within 0.1 · 60 pixels, in plain numpy: 48 pixels, patches of 4."""
    maps = []
    for name in "ab":
        canvas = Image.new("RGB", (48, 48), "white")
        image = Image.open(root / f"JPEGImages/cat/{name}.jpg")
        canvas.paste(image.resize((48, 36), Image.Resampling.BICUBIC), (0, 0))
        patches = np.asarray(canvas, float).reshape(12, 4, 12, 4, 3)
        maps.append(patches.mean(axis=(1, 3)))  # [12, 12, 3]
    unit = maps[1] / np.linalg.norm(maps[1], axis=2, keepdims=True)
    right = 0
    for x, y in points:
        v, u = (y + 0.5) / 8 - 0.5, (x + 0.5) / 8 - 0.5  # in patches; half size
        i, j = int(v // 1), int(u // 1)
        a, b = v - i, u - j
        i, j, k, m = max(i, 0), max(j, 0), min(i + 1, 11), min(j + 1, 11)
        query = (1 - a) * ((1 - b) * maps[0][i, j] + b * maps[0][i, m]) + a * (
            (1 - b) * maps[0][k, j] + b * maps[0][k, m]
        )
        row, column = divmod(int((unit @ query).argmax()), 12)
        found = np.array([8 * row + 3.5, 8 * column + 3.5])
        right += np.linalg.norm(found - (y, x)) <= 6
    return right / len(points)


@CALM
def test_probe3d_is_what_a_plain_loop_finds(tmp_path):
    points = write_noise(tmp_path)
    data = Spair(path=str(tmp_path), protocol="probe3d")
    scores = measure_standard([colours()], data, "cpu")
    found = dict(scores.select("probe", "value").iter_rows())
    expected = probe3d_by_hand(tmp_path, points)
    assert 0.1 < expected < 0.9 and found["spair"] == pytest.approx(expected)


@CALM
@pytest.mark.parametrize("protocol", ["sd-dino", "dift", "probe3d"])
def test_a_network_that_sees_colours_finds_those_that_agree(protocol, tmp_path):
    data = Spair(path=str(write_spair(tmp_path)), protocol=protocol)
    scores = measure_standard([colours()], data, "cpu")
    value = dict(scores.select("probe", "value").iter_rows())
    assert value["spair_cat"] == 1 and value["spair_dog"] == 0
    assert value["spair"] == pytest.approx(6 / 8) and value["spair_image"] == pytest.approx(2 / 3)
    assert value["spair_categories"] == pytest.approx(1 / 2)
    assert value["spair_viewpoint_0"] == 1 and "spair_viewpoint_2" not in value
    assert value["spair_viewpoint_1"] == pytest.approx(1 / 2)  # of categories; 3 / 5 of points
    for row in scores.filter(polars.col("probe").is_in(["spair", "spair_image"])).to_dicts():
        assert 0 < row["chance"] < 0.1 and row["ceiling"] == 1
        settings = json.loads(row["settings"])
        assert settings["protocol"] == protocol and settings["alpha"] == 0.1
        assert settings["side"] == 48 and settings["split"] == "test" and settings["pairs"] == 3
    tight = scores.filter(probe="spair_05").row(0, named=True)
    assert tight["chance"] <= row["chance"] + 1e-6 and tight["value"] <= value["spair"]


@CALM
def test_protocols_do_not_mix_and_what_was_passed_is_kept(tmp_path, monkeypatch):
    data = Spair(path=str(write_spair(tmp_path)))
    first = measure_standard([open_model("zoo:scenes_mae")], data, "cpu")
    other = measure_standard([open_model("zoo:scenes_mae")], data.replace(protocol="dift"), "cpu")
    assert set(first["protocol"]).isdisjoint(other["protocol"])
    monkeypatch.setattr("siamlab.probe.suite.passes.residual_tokens", lambda *a: 1 / 0)
    again = measure_standard([open_model("zoo:scenes_mae")], data, "cpu")
    assert again.equals(first)


@CALM
def test_the_command_prints_and_writes_them_beside_published_ones(tmp_path, capsys):
    write_spair(tmp_path)
    words = ["probe", "zoo:scenes_mae", "--suite", "spair", f"data.path={tmp_path}"]
    assert main([*words, f"--out={tmp_path}/pck.csv", "data.pairs=1"]) == 0
    shown = capsys.readouterr().out
    assert "spair_image_05 (mean share of points) ↑" in shown and "untrained" in shown
    assert "published: DINOv2 ViT-B/14 0.556 spair (Zhang et al." in shown
    table = polars.read_csv(tmp_path / "pck.csv")
    assert set(table["model"]) == {"untrained", "zoo:scenes_mae"} and len(table) == 2 * 9


@pytest.mark.parametrize(
    "more, message",
    [
        (["data=scenes"], "--suite spair reads its own images, so data=scenes does not apply"),
        (["fine_tune.epochs=1"], "so fine_tune.epochs=1 does not apply"),
        (["--size=96"], "--suite spair shows images at the size of its protocol; leave --size out"),
        (["data.protocol=dino"], "data.protocol=dino must be 'sd-dino', 'dift' or"),
        (["data.folder=x"], "data=spair has no key 'folder'; allowed"),
        ([], "data.path='' must be a copy of SPair-71k"),
    ],
)
def test_wrong_words_are_told_before_anything_is_measured(more, message, capsys):
    assert main(["probe", "zoo:scenes_mae", "--suite", "spair", *more]) == 2
    assert message in capsys.readouterr().err
