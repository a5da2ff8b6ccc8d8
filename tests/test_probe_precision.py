"""Features whose products were computed in 16 bits: where they are, and that all rows say so."""

import json
from copy import deepcopy

import polars
import pytest
import test_hpatches
import torch
from shown_at import shown_at
from test_probe_suite import WANT, network, squares
from torch import nn

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.evaluate.standard import Hpatches, measure_standard
from siamlab.machine.shelf import Shelf, files
from siamlab.probe import PROBES, Suite, probe_model, table
from siamlab.probe.suite.passes import Kept, Passes

HALF = pytest.mark.parametrize("precision", ["bfloat16", "float16"])
PARTS = {
    "features": lambda x, pixels: x.features(pixels).patches,
    "pooled": lambda x, pixels: x.pooled(pixels),
    "residual": lambda x, pixels: x.residual(pixels).patches,
    "by_layer": lambda x, pixels: torch.stack(x.by_layer(pixels, "patches")),
    "blocks": lambda x, pixels: x.blocks(pixels, [1]),
}


def outputs(model):
    """The kinds of numbers that the model's layers return from now on."""
    found = set()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(lambda layer, given, out: found.add(out.dtype))
    return found


@HALF
@pytest.mark.parametrize("part", PARTS)
def test_a_pass_computes_in_it_and_features_come_back_in_float32(part, precision):
    model, pixels = network().eval(), squares(6, 0).pixels
    exact = PARTS[part](Passes(model, WANT), pixels)
    seen = outputs(model)
    found = PARTS[part](Passes(model, WANT, precision=precision), pixels)
    assert seen == {getattr(torch, precision)} and found.dtype == torch.float32
    apart = (found - exact).norm() / exact.norm()
    assert 1e-5 < apart < (2e-2 if precision == "bfloat16" else 2e-3)


def test_attention_is_computed_in_float32():
    model, pixels = network().eval(), squares(4, 0).pixels
    seen = outputs(model)
    Passes(model, WANT, precision="bfloat16").class_attention(pixels)
    assert seen == {torch.float32}


def test_features_of_each_precision_are_kept_apart(tmp_path):
    model, pixels = network().eval(), squares(6, 0).pixels
    for _ in range(2):
        for precision in ("float32", "bfloat16", "float16"):
            kept = Kept(Shelf(tmp_path, 10**9))
            Passes(model, WANT, kept=kept, precision=precision).features(pixels)
    assert len(files(tmp_path)) == 3


@HALF
def test_protocols_say_it_and_tables_do_not_mix_it(precision):
    images, suite = squares(20, 0), Suite((PROBES["knn"],))
    ways = {
        way: probe_model(network(), images, images, suite, WANT, precision=way)
        for way in ("float32", precision)
    }
    assert {m.settings.get("precision") for m in ways["float32"]} == {None}
    assert {m.settings["precision"] for m in ways[precision]} == {precision}
    with pytest.raises(UserError, match="precision"):
        table(ways)


def test_what_float16_cannot_hold_is_told(monkeypatch):
    model = network().eval()
    with torch.no_grad():
        model.patch_embed.proj.bias.fill_(1e5)  # its largest number is 65,504
    images, suite = squares(20, 0), Suite((PROBES["knn"],))
    with pytest.raises(UserError, match="exceed float16; choose --precision bfloat16"):
        probe_model(model, images, images, suite, WANT, precision="float16")
    assert probe_model(model, images, images, suite, WANT, precision="bfloat16")


@pytest.mark.parametrize("part", PARTS)
def test_a_pass_keeps_nothing_that_is_not_finite(part, tmp_path):
    model, pixels = network().eval(), squares(4, 0).pixels
    torch.nn.init.constant_(model.patch_embed.proj.bias, torch.nan)
    passes = Passes(model, WANT, kept=Kept(Shelf(tmp_path, 10**9)))
    with pytest.raises(UserError, match="VisionTransformer are not finite"):
        PARTS[part](passes, pixels)
    assert not files(tmp_path)


@pytest.mark.filterwarnings("ignore:.*scores are not comparable with published ones")
def test_standard_sets_say_it_too(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    shown_at(monkeypatch, Hpatches, side=48)
    data = Hpatches(path=str(test_hpatches.write_scene(tmp_path / "set", "v_wall")))
    model, how = test_hpatches.colours(), dict(cache=False, precision="bfloat16")
    found = measure_standard([model], data, "cpu", **how)
    assert {json.loads(row)["precision"] for row in found["settings"]} == {"bfloat16"}
    assert found["value"][0] > found["chance"][0]
    broken = model._replace(model=deepcopy(model.model))
    torch.nn.init.constant_(next(broken.model.parameters()), torch.nan)
    with pytest.raises(UserError, match="are not finite"):
        measure_standard([broken], data, "cpu", cache=False)


def test_the_command_takes_it(tmp_path, capsys):
    words = ["probe", "zoo:scenes_mae", "data=scenes", "data.images=16", "data.test_images=12"]
    out = tmp_path / "scores.csv"
    assert main([*words, "data.side=40", "--precision", "bfloat16", "--out", str(out)]) == 0
    told = {json.loads(row)["precision"] for row in polars.read_csv(out)["settings"]}
    assert told == {"bfloat16"}
    assert main([*words, "--precision", "half"]) == 2
    assert "half" in capsys.readouterr().err
