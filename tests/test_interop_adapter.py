"""Other networks as models to probe: the same numbers as their own features by hand."""

import pytest
import timm
import torch
from torch import nn

from siamlab import TokenGrid
from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.evaluate.models import open_model, open_models
from siamlab.probe import QUICK, by_layer, features, inputs, probe_model, residual_features
from siamlab.probe.batches import standardised


class Small(nn.Module):
    """A convolutional network of two stages."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 4, stride=4)
        self.stage = nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 2, stride=2))

    def forward(self, x):
        return self.stage(self.stem(x))


@pytest.fixture(scope="module")
def scenes():
    return Scenes(images=60, test_images=20, side=32)


def test_a_map_is_a_grid_of_tokens_row_by_row(scenes):
    network = Small()
    named = open_model(TokenGrid(network, size=32, mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 4.0)))
    assert named.name == "Small" and inputs(named.model)[1:] == ((0.1, 0.2, 0.3), (1.0, 2.0, 4.0))
    pixels = scenes("test").pixels
    found = features(named.model, pixels)
    with torch.no_grad():
        scale = torch.tensor([1.0, 2.0, 4.0]).view(3, 1, 1)
        x = (pixels / 255 - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / scale
        maps = network.eval()(x)  # [n, 16, 4, 4]
    assert found.grid == (4, 4)
    torch.testing.assert_close(found.patches[:, 6], maps[:, :, 1, 2])
    torch.testing.assert_close(found.pooled, maps.mean(dim=(2, 3)))
    torch.testing.assert_close(found.cls, found.pooled)


def test_layers_are_averaged_to_the_last_grid(scenes):
    model = TokenGrid(Small(), size=32, blocks=("stem", "stage"))
    pixels = scenes("test").pixels
    stem, stage = by_layer(model, pixels, "patches")
    assert torch.equal(stage, features(model, pixels).patches)
    assert torch.equal(stage, residual_features(model, pixels).patches)
    with torch.no_grad():
        x = next(standardised(model, pixels, inputs(model), 64))
        by_hand = model.network.stem(x)[:, :, 2:4, 4:6].mean(dim=(2, 3))  # row 1, column 2 of 4
    torch.testing.assert_close(stem[:, 6], by_hand)


def test_a_vision_transformer_in_the_adapter_is_itself(scenes):
    vit = timm.create_model("test_vit", img_size=32, num_classes=0, global_pool="")
    model = TokenGrid(vit, size=32, prefix=1, blocks=("blocks.0", "blocks.1"))
    pixels = scenes("test").pixels
    for mine, own in zip(features(model, pixels), features(vit.eval(), pixels), strict=True):
        assert torch.equal(mine, own) if isinstance(own, torch.Tensor) else mine == own
    assert len(by_layer(model, pixels, "cls")) == 2


def test_the_quick_suite_measures_a_convolutional_network(scenes):
    model = open_model(TokenGrid(Small(), size=32)).model
    found = probe_model(model, scenes("train"), scenes("test"), QUICK)
    assert {"knn", "correspondence"} <= {number.probe.key for number in found}


def test_another_size_and_two_of_a_kind():
    nets = [TokenGrid(Small(), size=32, name="a"), TokenGrid(Small(), size=64, name="b")]
    models = open_models(nets, size=48)
    assert [m.name for m in models] == ["a", "b"]
    assert {inputs(m.model).size for m in models} == {(48, 48)}
    assert inputs(nets[0]).size == (32, 32)


class Sequence(nn.Module):
    """Small, but its map is a sequence of tokens after a class token, as transformers have it."""

    def __init__(self):
        super().__init__()
        self.map = Small()

    def forward(self, x):
        tokens = self.map(x).flatten(2).mT
        return torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)


def test_tokens_of_a_grid_that_is_not_square(scenes):
    """The same numbers as the map that the tokens were made of."""
    tall = scenes("test").pixels[..., :16]  # 32 × 16 pixels, patches of 8
    model = TokenGrid(Sequence(), size=(32, 16), prefix=1, grid=(4, 2), blocks=("map.stem", "map"))
    found, expected = features(model, tall), features(TokenGrid(Small(), size=(32, 16)), tall)
    assert found.grid == expected.grid == (4, 2) and model.patch_embed.patch_size == (8, 8)
    torch.testing.assert_close(found.patches, expected.patches)
    whole = TokenGrid(Sequence(), size=(32, 16), prefix=1, grid=(4, 2))
    assert torch.equal(by_layer(whole, tall, "patches")[0], found.patches)
    model.set_input_size((48, 64))  # the grid grows with the size
    assert model.patch_embed.grid_size == (6, 8)
    square = TokenGrid(Sequence(), size=32, prefix=1)  # what its patches are is known from then on
    square.set_input_size((32, 16))
    assert torch.equal(features(square, tall).patches, found.patches)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({}, r"returns \[2, 9, 16\]; .* square number of .* grid=\(rows, columns\)"),
        ({"grid": (2, 2)}, r"returns \[2, 9, 16\]; expected prefix=1 and 2 × 2 tokens"),
        ({"grid": (4, 2), "prefix": 0}, "expected prefix=0 and 4 × 2 tokens"),
        ({"grid": (4, 0)}, r"grid=\(4, 0\) must be two whole numbers from 1, \(rows, columns\)"),
        ({"grid": (33, 2)}, r"grid=\(33, 2\) .* than pixels"),
    ],
)
def test_a_grid_that_does_not_fit_the_tokens_is_refused(options, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        TokenGrid(Sequence(), size=(32, 16), **{"prefix": 1} | options)
    assert "\n" not in str(error.value)


def test_a_grid_is_for_tokens_and_for_sizes_of_whole_patches():
    with pytest.raises(UserError, match="returns a map of 4 × 2; leave out grid=.2, 4., which is"):
        TokenGrid(Small(), size=(32, 16), grid=(2, 4))
    model = TokenGrid(Sequence(), size=(32, 16), prefix=1, grid=(4, 2))
    with pytest.raises(UserError, match="takes sides that are multiples of 8 and 8 pixels"):
        model.set_input_size((36, 16))
    assert model.patch_embed.img_size == (32, 16)


class Output:
    last_hidden_state = torch.zeros(2, 5, 8)


@pytest.mark.parametrize("out", [Output(), (torch.zeros(2, 5, 8), None)])
def test_outputs_of_other_libraries(out):
    class Other(nn.Module):
        def forward(self, x):
            return out

    model = TokenGrid(Other(), size=32, prefix=1)
    assert model.patch_embed.grid_size == (2, 2) and model.num_features == 8


@pytest.mark.parametrize(
    "network, options, sentence",
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(3072, 4)), {}, r"returns \[2, 4\]; expected a"),
        (nn.Flatten(2), {}, r"returns \[2, 3, 1024\]; .* prefix=0 and a square number"),
        (Small(), {"blocks": ("layer4",)}, "has no module 'layer4' for blocks; it has stem, stage"),
        (nn.Linear(5, 5), {}, r"Linear takes no images of 32 × 32 pixels \(.*mat1 and mat2"),
    ],
)
def test_a_network_without_a_grid_is_refused(network, options, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        TokenGrid(network, size=32, **options)
    assert "\n" not in str(error.value)
