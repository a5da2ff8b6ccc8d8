"""The linear layer of papers on segmentation: loss, schedule and crops, against plain oracles."""

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from shown_at import shown_at
from test_standard_segmentation import CALM, EVERY, SETS, SIDE, colours, measured, save, write_voc

from siamlab.component import UserError
from siamlab.data.random_crops import drawn_place, random_crop, recoloured, scaled
from siamlab.evaluate.standard import Ade20k, Voc
from siamlab.evaluate.standard.trained import ahead, drawn
from siamlab.probe.pixel_head import DINOV2, PixelHead, fit_pixels, pixel_loss

WHITE = (1.0, 1.0, 1.0)


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    for cls in SETS:
        shown_at(monkeypatch, cls, side=SIDE, window=SIDE, stride=11)


# the recipe


def test_the_recipe_is_that_of_the_published_configurations():
    """AdamW 0.001, decay 0.0001, betas 0.9 and 0.999; poly of power 1 to 0 after 1,500 steps."""
    assert DINOV2._asdict() == {
        "steps": 40_000, "batch": 16, "rate": 0.001, "decay": 0.0001, "warm": 1500, "first": 1e-6,
        "betas": (0.9, 0.999),
    }  # fmt: skip
    expected = {0: 1e-6, 750: (1 - 750 / 40_000) * (1 - 0.5 * (1 - 1e-6)), 1500: 0.9625,
                20_000: 0.5, 39_999: 1 / 40_000}  # fmt: skip
    assert {step: DINOV2.share(step) for step in expected} == pytest.approx(expected, rel=1e-9)


def test_the_head_is_a_batch_norm_with_weights_and_a_small_random_layer():
    torch.manual_seed(0)
    head = PixelHead(400, 50)
    assert head.norm.affine and head.norm.eps == 1e-5 and head.norm.momentum == 0.1
    assert head.out.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not head.out.bias.any()


def test_the_loss_is_the_mean_over_all_pixels_in_which_void_ones_are_zero():
    torch.manual_seed(0)
    logits, truth = torch.randn(2, 6, 3), torch.randint(0, 3, (2, 8, 12), dtype=torch.uint8)
    truth[:, :4] = 255
    total = 0.0
    for own, regions in zip(logits, truth, strict=True):
        maps = F.interpolate(own.T.reshape(1, 3, 2, 3), (8, 12), mode="bilinear")[0]
        for y, x in np.argwhere(regions.numpy() != 255):
            scores = maps[:, y, x].double().numpy()
            total += math.log(np.exp(scores).sum()) - scores[regions[y, x]]
    assert pixel_loss(logits, truth, (2, 3)).item() == pytest.approx(total / (2 * 8 * 12), rel=1e-5)


def batches(n=4, shift=0.0):
    """One-hot features of each patch's region, a grid of 4 × 4 and pixels twice as many."""
    rng = torch.Generator().manual_seed(1)
    while True:
        regions = torch.randint(0, 3, (n, 4, 4), generator=rng)
        pixels = regions.repeat_interleave(2, 1).repeat_interleave(2, 2).to(torch.uint8)
        yield F.one_hot(regions.flatten(1), 3).float() * 7 + shift, pixels, (4, 4)


def test_regions_that_features_tell_are_learned_and_the_seed_gives_the_same_layer():
    recipe = DINOV2._replace(steps=200, rate=0.05, warm=10)
    state = torch.get_rng_state()
    heads = [fit_pixels(batches(), 3, recipe) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(heads[0].out.weight, heads[1].out.weight) and not heads[0].training
    features, pixels, _ = next(batches(64, 0.0))
    answer = heads[0](features).argmax(dim=2).view(-1, 4, 4)
    assert (answer == pixels[:, ::2, ::2]).float().mean() == 1
    moved = fit_pixels(batches(shift=50.0), 3, recipe)  # the batch norm takes a shift away
    answer = moved(features + 50).argmax(dim=2).view(-1, 4, 4)
    assert (answer == pixels[:, ::2, ::2]).float().mean() == 1


def test_all_weights_decay_and_the_rate_follows_the_recipe(monkeypatch):
    seen = []
    step = torch.optim.AdamW.step

    def told(self, *args):
        (group,) = self.param_groups
        seen.append((group["lr"], group["weight_decay"], group["betas"], len(group["params"])))
        return step(self, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", told)
    recipe = DINOV2._replace(steps=8, warm=4)
    fit_pixels(batches(), 3, recipe)
    assert seen == [(1e-3 * recipe.share(i), 1e-4, (0.9, 0.999), 4) for i in range(8)]


def test_masks_without_a_known_pixel_are_one_sentence():
    void = ((x, torch.full_like(y, 255), grid) for x, y, grid in batches())
    with pytest.raises(UserError, match="training masks have only void"):
        fit_pixels(void, 3, DINOV2._replace(steps=2))


# the crops


def test_photographs_are_scaled_with_their_aspect_and_no_side_is_longer_than_four_shorter_ones():
    assert scaled((375, 500), 512.0) == (512, 683)
    assert scaled((500, 375), 256.0) == (341, 256)
    assert scaled((100, 1000), 512.0) == (205, 2048)


def test_a_crop_shows_the_same_place_of_photograph_and_mask():
    """Each column of a photograph has a grey of its own, which its mask numbers."""
    column = np.arange(40, dtype=np.uint8)
    mask = torch.from_numpy(np.broadcast_to(column, (30, 40)).copy())
    picture = Image.fromarray(np.broadcast_to(column[None, :, None], (30, 40, 3)).copy())
    mirrored = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("siamlab.data.random_crops.recoloured", lambda pixels, _: pixels)
            pixels, regions = random_crop(picture, mask, 30, 24, WHITE, rng)
        known = regions != 255
        assert pixels.shape == (3, 24, 24) and regions.shape == (24, 24)
        assert ((255 * pixels[0] - regions).abs()[known] <= 2).all()  # bilinear, nearest
        assert (pixels[:, ~known] == 1).all()
        steps = regions[0][known[0]].int().diff()
        assert (steps >= 0).all() or (steps <= 0).all()
        mirrored += int(steps.sum() < 0)
    assert 4 <= mirrored <= 16


def test_what_a_small_photograph_does_not_fill_is_void_and_of_the_fill():
    picture, mask = Image.new("RGB", (20, 20), "black"), torch.zeros(20, 20, dtype=torch.uint8)
    sizes = set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        _, regions = random_crop(picture, mask, 20, 24, WHITE, rng)
        side = int((regions[0] != 255).sum())
        assert (regions[:side, :side] == 0).all() and (regions[side:] == 255).all()
        sizes.add(side)
    assert min(sizes) >= 10 and max(sizes) == 24 and len(sizes) > 5


def test_a_cut_that_one_region_fills_is_drawn_again():
    mask = torch.zeros(40, 400, dtype=torch.uint8)
    mask[:, 360:] = 1
    shares = []
    for seed in range(60):
        rows, columns = drawn_place(mask, 40, np.random.default_rng(seed))
        assert (rows.stop - rows.start, columns.stop - columns.start) == (40, 40)
        shares.append((mask[rows, columns] == 1).float().mean().item())
    often = np.mean([0.25 < share < 0.75 for share in shares])
    assert 0.25 < often < 0.65  # 19 of 361 places: 5 % of one draw, 45 % of eleven


def test_colours_change_within_their_ranges_and_grey_stays_grey():
    grey = np.full((8, 8, 3), 100, np.uint8)
    greys = [recoloured(grey, np.random.default_rng(i)) for i in range(200)]
    assert all((g == g[0, 0, 0]).all() for g in greys)
    levels = [int(g[0, 0, 0]) for g in greys]
    assert min(levels) >= 34 and max(levels) <= 198 and len(set(levels)) > 50
    assert 0.1 < np.mean([level == 100 for level in levels]) < 0.45  # a quarter
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200
    hues = []
    for seed in range(200):
        pixel = Image.fromarray(recoloured(red, np.random.default_rng(seed)))
        hues.append(pixel.convert("HSV").getpixel((0, 0))[0])
    turns = [(h + 128) % 256 - 128 for h in hues]
    assert -40 < min(turns) < -15 and 15 < max(turns) < 40  # 26, or more where red is full
    assert 0.35 < np.mean([t == 0 for t in turns]) < 0.7


def test_each_epoch_shows_all_images_once_and_no_seed_twice():
    jobs = [job for step in drawn(10, 4, 5) for job in step]
    images, seeds = zip(*jobs, strict=True)
    assert sorted(images[:10]) == sorted(images[10:]) == list(range(10))
    assert images[:10] != images[10:] and len(set(seeds)) == 20


def test_work_ahead_keeps_the_order():
    assert list(ahead(lambda n: n * n, [[1, 2], [3], [4, 5]])) == [[1, 4], [9], [16, 25]]
    assert list(ahead(str, [])) == []


# the sets


@CALM
@EVERY
def test_the_layer_of_the_paper_reaches_the_ceiling_on_regions_that_colours_tell(cls, tmp_path):
    data = cls(path=str(SETS[cls](tmp_path)), protocol="dinov2-40k")
    row, other = measured(data), measured(data.replace(protocol="dinov2"))
    assert row["value"] > 0.8 * row["ceiling"] > row["chance"] + 0.3
    assert row["probe"] == other["probe"] and row["protocol"] != other["protocol"]
    assert (row["chance"], row["ceiling"]) == (other["chance"], other["ceiling"])
    settings = json.loads(row["settings"])
    assert settings["recipe"]["decay"] == 1e-4 and "patches" not in settings


def test_published_numbers_are_those_of_the_paper_and_of_its_sets():
    for cls in (Voc, Ade20k):
        assert cls(protocol="dinov2-40k").published() == cls().published() != ()


@CALM
def test_mistakes_are_one_sentence_each(tmp_path):
    root = write_voc(tmp_path)
    data = Voc(path=str(root), protocol="dinov2-40k")
    with pytest.raises(UserError, match="data.patches=9 does not go with data.protocol=dinov2-40k"):
        data.replace(patches=9)()
    mask = root / "SegmentationClass/2007_000001.png"
    kept = mask.read_bytes()
    save(mask, np.full((16, 24), 21, np.uint8))
    with pytest.raises(UserError, match="000001.png has the value 21, but with 21 regions it must"):
        measured(data)
    mask.write_bytes(kept[:50])
    with pytest.raises(UserError, match=r"data.path: .*2007_000001.png cannot be read; unpack the"):
        measured(data)


@CALM
def test_features_of_crops_are_not_kept(tmp_path, monkeypatch):
    from siamlab.evaluate.standard import measure_standard

    data = Voc(path=str(write_voc(tmp_path)), protocol="dinov2-40k")
    measure_standard([colours()], data, "cpu")
    kept = sum(1 for file in (tmp_path / "cache").rglob("*") if file.is_file())
    assert kept < 20  # of the test windows
