"""DAVIS 2017, read from small files in its format, and objects followed by features."""

import json
import math

import numpy as np
import polars
import pytest
import torch
from PIL import Image
from shown_at import shown_at
from test_spair import colours

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.data.davis import numbers, read_davis
from siamlab.evaluate.standard import Davis, davis, measure_standard
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.probe.propagation import answers, contour_score, overlap, propagate

COLOURS = {1: (220, 20, 20), 2: (20, 20, 220)}
CALM = pytest.mark.filterwarnings("ignore:.*scores are not comparable with published ones")


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    """A cache of each test's own, and a protocol at 32 pixels."""
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    shown_at(monkeypatch, Davis, side=32, multiple=8)


def write_video(root, name, size=(48, 32), frames=5, step=4):
    """A red square that moves to the right, and a blue one that stays; masks have a palette."""
    for t in range(frames):
        numbers = np.zeros((size[1], size[0]), np.uint8)
        numbers[8:16, 4 + step * t : 12 + step * t] = 1
        numbers[20:28, 20:28] = 2
        pixels = np.full((*numbers.shape, 3), 128, np.uint8)
        for number, colour in COLOURS.items():
            pixels[numbers == number] = colour
        mask = Image.fromarray(numbers, "P")
        mask.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
        for kind, image, end in (("JPEGImages", Image.fromarray(pixels), "jpg"),
                                 ("Annotations", mask, "png")):  # fmt: skip
            folder = root / kind / "480p" / name
            folder.mkdir(parents=True, exist_ok=True)
            image.save(folder / f"{t:05d}.{end}", **(dict(quality=98) if end == "jpg" else {}))
    listing = root / "ImageSets/2017"
    listing.mkdir(parents=True, exist_ok=True)
    with open(listing / "val.txt", "a") as file:
        file.write(name + "\n")
    return root


# the set


@CALM
def test_frames_and_masks_go_together_and_palettes_only_colour(tmp_path):
    write_video(write_video(tmp_path, "bear"), "bus", size=(32, 40), frames=3)
    bear, bus = read_davis(str(tmp_path))
    assert (bear.name, bear.size, bear.objects, len(bear.frames)) == ("bear", (32, 48), 2, 5)
    assert [m.name for m in bus.masks] == ["00000.png", "00001.png", "00002.png"]
    mask = numbers(bear.masks[1])
    assert mask[10, 9] == 1 and mask[24, 24] == 2 and mask[0, 0] == 0 and mask.max() == 2
    assert [v.name for v in read_davis(str(tmp_path), most=1)] == ["bear"]


def test_void_pixels_are_background(tmp_path):
    Image.fromarray(np.array([[1, 255], [0, 2]], np.uint8)).save(tmp_path / "m.png")
    assert numbers(tmp_path / "m.png").tolist() == [[1, 0], [0, 2]]


def test_a_copy_with_few_videos_is_said_and_read(tmp_path):
    with pytest.warns(UserWarning, match="has 1 videos, but DAVIS 2017 has 30 in val, so"):
        read_davis(str(write_video(tmp_path, "bear")))


def save(root, name, array):
    Image.fromarray(array).save(root / name)


@CALM
@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda r: (r / "ImageSets/2017/val.txt").unlink(), "must be a copy of DAVIS 2017, with"),
        (lambda r: (r / "ImageSets/2017/val.txt").write_text("\n"),
         "val.txt must list names, but is empty; unpack DAVIS 2017 again"),
        (lambda r: (r / "ImageSets/2017/val.txt").write_bytes(b"be\xe9ar"),
         "val.txt, which lists .*, cannot be read .it is not text.; unpack DAVIS 2017 again"),
        (lambda r: (r / "ImageSets/2017/val.txt").write_text("../480p/bear"),
         "val.txt lists '../480p/bear' and must list names without a folder"),
        (lambda r: (r / "ImageSets/2017/val.txt").write_text("bear bear"),
         "val.txt lists 'bear' more than once; unpack DAVIS 2017 again"),
        (lambda r: (r / "ImageSets/2017/val.txt").write_text("bear dog"),
         "val.txt names a video that is not there, .dog.: the list or the set is incomplete"),
        (lambda r: [f.unlink() for f in sorted((r / "JPEGImages/480p/bear").iterdir())[2:]],
         "the video bear of .* lacks three frames in bear"),
        (lambda r: (r / "JPEGImages/480p/bear/00002.jpg").unlink(),
         "the video bear of .* lacks the frame of .*bear/00002.png; unpack"),
        (lambda r: (r / "Annotations/480p/bear/00002.png").unlink(),
         "the video bear of .* lacks the mask .*00002.png; unpack"),
        (lambda r: (r / "Annotations/480p/bear/00000.png").write_bytes(b"x"),
         "00000.png must be a PNG with a palette, one number for each pixel"),
        (lambda r: save(r, "Annotations/480p/bear/00000.png", np.zeros((32, 48, 3), np.uint8)),
         "00000.png must be a PNG with a palette"),
        (lambda r: save(r, "Annotations/480p/bear/00000.png", np.zeros((32, 48), np.uint8)),
         "00000.png shows no object to follow"),
        (lambda r: save(r, "JPEGImages/480p/bear/00003.jpg", np.zeros((16, 24, 3), np.uint8)),
         "00003.jpg has 24 × 16 pixels and the masks of its video 48 × 32"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence_each(spoil, message, tmp_path):
    spoil(write_video(tmp_path, "bear"))
    with pytest.raises(UserError, match=message):
        read_davis(str(tmp_path))


@CALM
@pytest.mark.parametrize("size", [(1, 1), (48, 15)])
def test_a_video_of_a_few_pixels_is_refused(tmp_path, size):
    write_video(tmp_path, "bear", size=size)
    for mask in (tmp_path / "Annotations/480p/bear").iterdir():
        Image.fromarray(np.ones(size[::-1], np.uint8), "L").save(mask)
    with pytest.raises(UserError, match="00000.png has .* pixels, too few .* have 16 or more"):
        read_davis(str(tmp_path))


@CALM
def test_a_later_mask_of_another_size_is_named(tmp_path):
    write_video(tmp_path, "bear")
    save(tmp_path, "Annotations/480p/bear/00003.png", np.zeros((16, 24), np.uint8))
    with pytest.raises(UserError, match="00003.png has 24 × 16 pixels and the first mask of its"):
        measure_standard([colours()], Davis(path=str(tmp_path)), "cpu")


# following


def plainly(features, first, grid, context, k, radius, temperature, around):
    """The rule of the protocol, one patch at a time."""
    unit = torch.nn.functional.normalize(features, dim=2)
    found = [first]
    for t in range(1, len(features)):
        rows = []
        for n in range(len(first)):
            near = [
                (torch.dot(unit[t, n], unit[s, m]).item(), found[s][m])
                for s in [0, *range(max(1, t - context), t)]
                for m in range(len(first))
                if math.hypot(m // grid[1] - n // grid[1], m % grid[1] - n % grid[1]) <= radius
                or around == "square"
                and abs(m // grid[1] - n // grid[1]) <= radius
                and abs(m % grid[1] - n % grid[1]) <= radius
            ]
            best = sorted(near, key=lambda pair: -pair[0])[:k]
            weight = torch.tensor([cosine / temperature for cosine, _ in best]).exp()
            rows.append(sum(w * v for w, (_, v) in zip(weight, best, strict=True)) / weight.sum())
        found.append(torch.stack(rows))
    return torch.stack(found)


@pytest.mark.parametrize("around", ["square", "circle"])
@pytest.mark.parametrize("context, k, radius", [(1, 3, 1), (2, 5, 9), (7, 2, 2)])
def test_shares_are_those_of_the_nearest_patches_one_by_one(
    context, k, radius, around, monkeypatch
):
    rng = torch.Generator().manual_seed(0)
    features, first = torch.randn(5, 12, 6, generator=rng), torch.rand(12, 3, generator=rng)
    how = (3, 4), context, k, radius, 0.1, around
    expected = plainly(features, first, *how)
    torch.testing.assert_close(propagate(features, first, *how), expected)
    monkeypatch.setattr("siamlab.probe.propagation.BLOCK", 50)  # a few patches at a time
    torch.testing.assert_close(propagate(features, first, *how), expected)


def test_each_object_is_stretched_before_the_largest_is_taken():
    shares = torch.tensor([[[0.9, 0.1, 0.0], [0.7, 0.3, 0.0]]])  # 2 patches, 3 objects
    found = answers(shares, (1, 2), (2, 4), (4, 8))
    assert found.shape == (1, 4, 8)
    assert found[0, 0].tolist() == [0] * 4 + [1] * 4  # 0.9 → 1 and 0.7 → 0; the third has none


def test_overlap_by_hand():
    a, b = torch.zeros(3, 4, 4) > 0, torch.zeros(3, 4, 4) > 0
    a[0, :2], b[0, 1:3] = True, True  # rows 0, 1 and rows 1, 2
    a[1, 0, 0] = True
    assert overlap(a, b).tolist() == pytest.approx([1 / 3, 0.0, 1.0])


def test_contours_within_the_tolerance_agree():
    """On 60 × 80 pixels the tolerance is 0.8, so 1 pixel; a square that moves by 1 has F 1."""
    masks = torch.zeros(4, 60, 80) > 0
    for i, shift in enumerate((0, 1, 20)):
        masks[i, 10:30, 10 + shift : 30 + shift] = True
    truth = masks[:1].expand(4, -1, -1)
    found = contour_score(masks, truth)
    assert found[:2].tolist() == [1.0, 1.0] and 0 < found[2] < 0.3 and found[3] == 0
    assert contour_score(masks[3:], masks[3:]).tolist() == [1.0]


def test_the_contour_is_that_of_the_benchmark():
    """Its own rule, in plain words: a pixel differs from the next to the right, below, or both."""
    from siamlab.probe.propagation import _contour

    seg = torch.rand(7, 9, generator=torch.Generator().manual_seed(2)) < 0.5
    expected = torch.zeros(7, 9) > 0
    for y in range(7):
        for x in range(9):
            others = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
            inside = [(r, c) for r, c in others if r < 7 and c < 9]
            expected[y, x] = any(seg[place] != seg[y, x] for place in inside)
    assert torch.equal(_contour(seg[None])[0], expected)


# measured


def test_near_is_within_a_disk():
    """On 300 × 400 pixels the tolerance is 4; the contour of a dot is 2 × 2 pixels.

    Of those, one of four is not near where dots are (3, 3) apart, and two where they are (0, 5).
    """
    dots = torch.zeros(5, 300, 400) > 0
    for i, (dy, dx) in enumerate([(0, 0), (0, 4), (2, 3), (3, 3), (0, 5)]):
        dots[i, 100 + dy, 200 + dx] = True
    found = contour_score(dots, dots[:1].expand(5, -1, -1))
    assert found.tolist() == [1, 1, 1, 0.75, 0.5]


@CALM
def test_colours_follow_what_moves_and_outlines_alone_do_not(tmp_path):
    root = write_video(write_video(tmp_path, "bear"), "bus", step=2)
    scores = measure_standard([colours()], Davis(path=str(root)), "cpu")
    rows = {row["probe"]: row for row in scores.to_dicts()}
    assert list(rows) == ["davis", "davis_j", "davis_f"]
    assert rows["davis_j"]["value"] > 0.85 > 0.75 > rows["davis_j"]["chance"]
    for row in rows.values():
        assert row["chance"] < row["value"] <= row["ceiling"] + 0.02 and row["ceiling"] > 0.85
        assert row["low"] <= row["value"] <= row["high"]
    mean = (rows["davis_j"]["value"] + rows["davis_f"]["value"]) / 2
    assert rows["davis"]["value"] == pytest.approx(mean)
    settings = json.loads(rows["davis"]["settings"])
    assert (settings["context"], settings["k"], settings["radius"]) == (7, 5, 12)
    other = measure_standard([colours()], Davis(path=str(root), protocol="dinov3"), "cpu")
    settings = json.loads(other["settings"][0])
    assert (settings["around"], settings["temperature"], settings["k"]) == ("circle", 0.2, 5)
    assert other["protocol"][0] != scores["protocol"][0] and other["value"][1] > 0.85
    # the still object of "bear" stays where it was: it alone is right by chance
    alone = measure_standard([colours()], Davis(path=str(root), videos=1), "cpu")
    row = alone.filter(probe="davis_j").row(0, named=True)
    moved = np.mean([1 / 3, 0.0, 0.0])  # of frames 1, 2, 3: a square of 8 moves by 4, 8, 12
    assert row["chance"] == pytest.approx((1 + moved) / 2) and row["low"] != row["low"]


@CALM
def test_dinov3s_numbers_are_those_of_its_released_notebook_and_reach_the_rule(
    tmp_path, monkeypatch
):
    """960 pixels, 7 frames, 5 patches, 12 patches in a circle, temperature 0.2."""
    real = davis.PROTOCOLS["dinov3"]
    eye = AnySize(colours(), torch.device("cpu"))  # patches of 4 pixels
    assert davis._frame((480, 854), real, eye) == (960, 1708)  # 960 · 854 / 480, not cut down
    assert davis._frame((854, 480), real, eye) == (1708, 960)
    given = []
    propagated = lambda *args: given.append(args[3:]) or propagate(*args)  # noqa: E731
    monkeypatch.setattr(davis, "propagate", propagated)
    [video] = read_davis(str(write_video(tmp_path, "bear")))
    davis._video(video, real._replace(side=32), eye)
    assert given == [(7, 5, 12, 0.2, "circle")]


@pytest.mark.parametrize(
    "size, frame", [((480, 854), (480, 832)), ((854, 480), (832, 480)), ((480, 910), (480, 896))]
)
def test_frames_are_shown_as_dino_shows_them(size, frame):
    """480 pixels and a longer side cut down to a multiple of 64, of a model with patches of 4."""
    eye = AnySize(colours(), torch.device("cpu"))
    chosen = davis.PROTOCOLS["dino"]._replace(side=480, multiple=64)
    assert davis._frame(size, chosen, eye) == frame


@CALM
def test_the_command_prints_and_writes_them(tmp_path, capsys):
    write_video(tmp_path, "bear")
    words = ["probe", "zoo:scenes_mae", "--suite", "davis", f"data.path={tmp_path}"]
    assert main([*words, f"--out={tmp_path}/found.parquet"]) == 0
    assert "published: DINO ViT-B/8 0.714 davis (Caron et al. 2021)" in capsys.readouterr().out
    table = polars.read_parquet(tmp_path / "found.parquet")
    assert len(table) == 6 and set(table["probe"]) == {"davis", "davis_j", "davis_f"}
