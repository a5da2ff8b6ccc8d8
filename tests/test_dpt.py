"""The DPT head: on arrays, and as `data.head=dpt` of the sets that predict numbers of pixels."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from pretend_device import pretended
from shown_at import shown_at
from test_normals import write_normals
from test_nyu import write_nyu
from test_spair import colours
from torch import Generator

from siamlab.component import UserError
from siamlab.evaluate.models import open_model
from siamlab.evaluate.standard import Normals, Nyu, measure_standard
from siamlab.probe import dpt, inputs
from siamlab.probe.dpt import Dpt, Residual, finer, fit_dpt
from siamlab.probe.layers import block_patches, by_layer

GRID = (2, 3)
CELLS = 6 * 16
MODEL = "zoo:scenes_mae"
DARK, BLACK = np.zeros((48, 64), np.uint16), np.zeros((48, 64, 3), np.uint8)

pytestmark = pytest.mark.filterwarnings("ignore:.*are not comparable with published ones")


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    fewer(monkeypatch, STEPS=2, WIDTH=8)
    shown_at(monkeypatch, Nyu, size=(48, 64))
    shown_at(monkeypatch, Normals, side=48)


def fewer(monkeypatch, **numbers):
    """A head that is trained in a second."""
    for name, value in numbers.items():
        monkeypatch.setattr(dpt, name, value)


def drawn(images=4, seed=0):
    """Features of four blocks, two numbers of each cell and weights, unrelated to each other."""
    rng = Generator().manual_seed(seed)
    features = torch.randn(images, 4, 6, 5, generator=rng) * 3 + 2
    by_patch = torch.randn(images, 2, *GRID, generator=rng)
    target = by_patch.repeat_interleave(4, 2).repeat_interleave(4, 3).flatten(2).transpose(1, 2)
    return features, target + 1, torch.ones(images, CELLS)


def halves(features, target, weight):
    return [
        lambda some=some: (features[some], target[some], weight[some])
        for some in (slice(0, 2), slice(2, 4))
    ]


# on arrays


def test_a_head_learns_four_images_by_heart(monkeypatch):
    fewer(monkeypatch, STEPS=80, WIDTH=32, RATE=5e-3)
    features, target, weight = drawn()
    head = fit_dpt([lambda: (features, target, weight)], GRID)
    answer = head.answers(features)
    assert answer.shape == (4, CELLS, 2) and finer(GRID) == (8, 12)
    assert (answer - target).square().mean() < 0.05 * target.var()
    assert not answer.requires_grad


def test_the_same_seed_gives_the_same_head():
    data = drawn()
    before = torch.random.get_rng_state()
    first, again, other = (fit_dpt(halves(*data), GRID, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    answers = [head.answers(data[0]) for head in (first, again, other)]
    assert torch.equal(answers[0], answers[1]) and not torch.allclose(answers[0], answers[2])


def test_features_are_standardised_over_all_batches_and_the_constant_is_the_weighted_mean():
    features, target, weight = drawn()
    weight[0], weight[1, :7] = 0.25, 0
    head = fit_dpt(halves(features, target, weight), GRID)
    x = features.double().transpose(1, 2).flatten(0, 1)  # [n N, 4, D]
    assert torch.allclose(head.shift[:, 0].double(), x.mean(dim=0), atol=1e-5)
    assert torch.allclose(head.scale[:, 0].double(), x.std(dim=0, correction=0), atol=1e-4)
    expected = (target * weight[:, :, None]).sum(dim=(0, 1)) / weight.sum()
    assert torch.allclose(head.constant, expected, atol=1e-5)


def test_numbers_without_weight_decide_nothing():
    features, target, weight = drawn()
    weight[:, ::5] = 0
    head = fit_dpt(halves(features, target, weight), GRID)
    target[:, ::5] = 1000
    other = fit_dpt(halves(features, target, weight), GRID)
    assert torch.equal(head.answers(features), other.answers(features))
    assert fit_dpt(halves(features, target, 0 * weight), GRID) is None


def test_every_batch_is_read_once_for_means_and_once_an_epoch(monkeypatch):
    fewer(monkeypatch, STEPS=4)
    calls, data = [], drawn()
    batches = [lambda i=i, b=b: calls.append(i) or b() for i, b in enumerate(halves(*data))]
    fit_dpt(batches, GRID)
    assert [sorted(calls[i : i + 2]) for i in (0, 2, 4)] == [[0, 1]] * 3 and len(calls) == 6
    many = [lambda i=i: calls.append(i) or data for i in range(7)]
    calls.clear()
    fit_dpt(many, GRID)
    assert len(calls) == 14  # an epoch, where that is more than the steps


def test_the_rate_rises_and_falls_to_nothing():
    rates = [dpt._rate(step, 1000) for step in range(1000)]
    assert rates[0] == 0.01 and max(rates) == rates[99] == rates[100] == 1
    assert rates[550] == pytest.approx(0.5) and 0 < rates[-1] < 1e-4
    assert rates[:100] == sorted(rates[:100]) and rates[100:] == sorted(rates[100:])[::-1]


def test_patches_of_some_blocks_are_those_of_all_blocks():
    model = open_model(MODEL).model
    images = torch.randint(0, 256, (3, 3, 40, 40), dtype=torch.uint8)
    found = block_patches(model, images, inputs(model), [1, 3, 4], batch=2)
    layers = by_layer(model, images, "patches", batch=2)
    assert torch.equal(found, torch.stack([layers[i] for i in (0, 2, 3)], dim=1))


def double(grid, outputs=2):
    """A head of random weights, in float64, so that small changes are seen."""
    torch.manual_seed(0)
    head = Dpt(5, outputs, grid).double()
    head.scale.fill_(1.0)
    return head


@pytest.mark.parametrize("block, reach", [(0, 4), (1, 6), (2, 8), (3, 10)])
def test_a_later_block_passes_more_convolutions_and_cells_lie_where_their_patches_do(block, reach):
    """Two of `before`, two of each `after` on the way, and one of each half of `out`, in cells."""
    grid, at = (2, 30), 3  # the patch of the first row and fourth column
    head, x = double(grid), torch.randn(1, 4, 60, 5, dtype=torch.double)
    other = x.clone()
    other[0, block, at] += 1e4
    moved = (head.answers(x) != head.answers(other)).any(dim=2).view(8, 120).any(dim=0)
    last = moved.nonzero()[-1].item()
    # the last column of the patch, `reach` patches on, and 2 + 1 cells of `out`
    assert last == 4 * (at + reach + 1) - 1 + 3


def test_an_answer_is_the_constant_where_the_head_says_nothing():
    head, x = double((2, 3)), torch.randn(2, 4, 6, 5, dtype=torch.double)
    head.constant.copy_(torch.tensor([3.0, -2.0]))
    with torch.no_grad():
        head.out[-1].weight.zero_()
        head.out[-1].bias.zero_()
    assert torch.equal(head.answers(x), torch.tensor([3.0, -2.0]).double().expand(2, CELLS, 2))


def test_blocks_are_standardised_before_anything_else():
    head, x = double((2, 3)), torch.randn(2, 4, 6, 5, dtype=torch.double)
    expected = head.answers(x)
    head.shift.fill_(2.0)
    head.scale.fill_(4.0)
    torch.testing.assert_close(head.answers(4 * x + 2), expected)


def test_a_residual_block_without_weights_changes_nothing():
    block, x = Residual(3), torch.randn(1, 3, 4, 5)
    for part in block.parameters():
        torch.nn.init.zeros_(part)
    assert torch.equal(block(x), x)


def test_only_shares_of_the_weights_of_a_batch_count():
    features, target, weight = drawn()
    one, other = (fit_dpt(halves(features, target, w), GRID) for w in (weight, 4 * weight))
    assert torch.equal(one.answers(features), other.answers(features))


def test_equal_features_are_given_the_mean_of_their_numbers(monkeypatch):
    """Of 0, 0 and 3 it is 1, where the median is 0."""
    fewer(monkeypatch, STEPS=150, RATE=1e-2)
    target = torch.tensor([0.0, 0.0, 3.0]).view(3, 1, 1).expand(3, CELLS, 1)
    head = fit_dpt([lambda: (torch.ones(3, 4, 6, 5), target, torch.ones(3, CELLS))], GRID)
    with torch.no_grad():
        answer = head.answers(torch.ones(1, 4, 6, 5))
    assert answer.mean().item() == pytest.approx(1.0, abs=0.1)


# of the standard sets


def sets(root):
    return (
        Nyu(path=str(write_nyu(root / "nyu")), crop="whole", head="dpt"),
        Normals(path=str(write_normals(root / "normals")), head="dpt"),
    )


def test_it_is_measured_as_the_linear_layer_is_and_named_in_the_settings(tmp_path, monkeypatch):
    fewer(monkeypatch, STEPS=25, RATE=1e-2)
    for data in sets(tmp_path):
        found, linear = (
            measure_standard([open_model(MODEL)], data.replace(head=head), "cpu")
            for head in ("dpt", "linear")
        )
        assert found["probe"].to_list() == linear["probe"].to_list()
        assert found["ceiling"].to_list() == linear["ceiling"].to_list()
        assert found["chance"].to_list() == pytest.approx(linear["chance"].to_list(), rel=1e-3)
        assert set(found["protocol"]).isdisjoint(linear["protocol"])
        for row in found.to_dicts():
            better = 1 if row["direction"] == "higher" else -1
            assert better * (row["value"] - row["chance"]) > 0
        assert "AdamW" in json.loads(found["settings"][0])["head"]
        assert not data.published() and data.replace(head="linear").published()


def test_a_device_and_kept_features_give_the_same_numbers(tmp_path, monkeypatch):
    for data in sets(tmp_path):
        expected = measure_standard([open_model(MODEL)], data, "cpu")
        with pretended() as device:
            found = measure_standard([open_model(MODEL)], data, device, cache=False)
        assert found["value"].to_list() == pytest.approx(expected["value"].to_list(), rel=1e-3)
        with monkeypatch.context() as patch:
            patch.setattr("siamlab.probe.suite.passes.block_patches", lambda *a: 1 / 0)
            assert measure_standard([open_model(MODEL)], data, "cpu").equals(expected)


def test_a_model_without_four_blocks_is_one_sentence(tmp_path):
    for data in sets(tmp_path):
        with pytest.raises(UserError, match="^data.head=dpt needs the features of 4 blocks, and "):
            measure_standard([colours()], data, "cpu")


def test_training_images_without_truth_are_one_sentence(tmp_path):
    depth, facing = sets(tmp_path)
    for pattern, array in (("nyu/train/*/sync*", DARK), ("normals/train/*_normal.png", BLACK)):
        for file in tmp_path.glob(pattern):
            Image.fromarray(array).save(file)
    with pytest.raises(UserError, match="depth must have a pixel between"):
        measure_standard([open_model(MODEL)], depth, "cpu")
    with pytest.raises(UserError, match="normals must be known in a pixel"):
        measure_standard([open_model(MODEL)], facing, "cpu")
