"""Models for other programs: what they compute there is what they compute here."""

import json
import subprocess
import sys
import warnings
from functools import partial

import pytest
import timm
import torch
from checkpoints import SIDE, vit, write
from safetensors.torch import load_file, save_file
from timm.layers import LayerNorm

from siamlab import TokenGrid, zoo
from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.evaluate import export, share
from siamlab.evaluate.export import Packaged, compare, export_model
from siamlab.evaluate.models import NamedModel, before_training, open_model
from siamlab.probe import features, inputs


def images(n, side=SIDE):
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(2))


@pytest.mark.slow
def test_a_torch_export_takes_images_as_they_are(tmp_path):
    """RGB of 0..1 in any number; BEiT has relative positions and its own mean and deviation."""
    named = open_model(write("BEiT", tmp_path)[0])
    path = export_model(named, str(tmp_path / "beit.pt2"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = torch.export.load(path).module()
    found = features(named.model, images(5))
    for mine, own in zip(graph(images(5)), found[:3], strict=True):
        torch.testing.assert_close(mine, own, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_onnx_gives_the_numbers_of_torch(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    named = open_model(write("MAE", tmp_path)[0])
    path = export_model(named, str(tmp_path / "mae.onnx"))
    session = onnxruntime.InferenceSession(path.read_bytes())
    assert [output.name for output in session.get_outputs()] == ["pooled", "cls", "patches"]
    found = features(named.model, images(3))
    for mine, own in zip(session.run(None, {"image": images(3).numpy()}), found[:3], strict=True):
        torch.testing.assert_close(torch.from_numpy(mine), own, atol=1e-4, rtol=0)


ELSEWHERE = """
import sys, warnings, torch
warnings.simplefilter("ignore")
folder = sys.argv[1]
images = torch.load(f"{folder}/images.pt")
if "pt2" in sys.argv[2]:
    graph = torch.export.load(f"{folder}/mine.pt2").module()
else:
    import onnxruntime
    session = onnxruntime.InferenceSession(f"{folder}/mine.onnx")
    graph = lambda x: [torch.from_numpy(y) for y in session.run(None, {"image": x.numpy()})]
found = [list(graph(part)) for part in images]
torch.save(found, f"{folder}/found.pt")
assert not any(name.startswith(("siamlab", "timm")) for name in sys.modules)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pt2", "onnx"])
@pytest.mark.parametrize("release", ["SiameseIM", "DINOv2, registers"])
def test_a_graph_needs_no_siamlab_and_gives_torchs_numbers_of_one_image_and_of_five(
    kind, release, tmp_path
):
    if kind == "onnx":
        pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
        pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    named = open_model(write(release, tmp_path)[0])
    export_model(named, str(tmp_path / f"mine.{kind}"))
    batches = [torch.rand(n, 3, SIDE, SIDE) for n in (1, 5)]
    torch.save(batches, tmp_path / "images.pt")
    subprocess.run([sys.executable, "-c", ELSEWHERE, tmp_path, kind], check=True, cwd=tmp_path)
    for part, found in zip(batches, torch.load(tmp_path / "found.pt"), strict=True):
        for mine, own in zip(found, features(named.model, part)[:3], strict=True):
            torch.testing.assert_close(mine, own, atol=1e-4, rtol=0)


def test_a_graph_that_computes_something_else_is_refused(tmp_path):
    named = open_model(write("MAE", tmp_path)[0])
    packaged = Packaged(named.model)
    compare(named, packaged, packaged)
    with pytest.raises(UserError, match="differs from torch by 1.0e-03.*nothing was written"):
        compare(named, packaged, lambda x: [part + 1e-3 for part in packaged(x)])
    for broken in range(3):
        with pytest.raises(UserError, match="differs from torch by nan"):
            compare(named, packaged, partial(spoilt, packaged, broken))


def spoilt(graph, which, x):
    """The outputs of a graph, of which one is NaN."""
    return [part * torch.nan if i == which else part for i, part in enumerate(graph(x))]


def test_a_folder_that_is_read_differently_is_not_written(tmp_path, monkeypatch):
    named = open_model(write("MAE", tmp_path)[0])
    monkeypatch.setattr(share, "CLOSE", -1.0)
    with pytest.raises(UserError, match="tokens differ by .*nothing was written"):
        export_model(named, str(tmp_path / "mae"))
    assert [p.name for p in tmp_path.iterdir()] == ["MAE.pth"]


def test_a_plain_timm_file_has_its_run_inside(tmp_path):
    named = open_model("zoo:scenes_mae")
    path = export_model(named, str(tmp_path / "mine.safetensors"))
    again = open_model(path)
    assert again.run == named.run
    assert torch.equal(again.model.pos_embed, named.model.pos_embed)
    assert load_file(path).keys() == load_file(zoo.file("scenes_mae")).keys()


@pytest.mark.parametrize("release", ["MAE", "SiameseIM", "DINOv2, registers", "I-JEPA", "CLIP"])
def test_a_folder_is_read_by_timm_as_the_same_model(release, tmp_path):
    named = open_model(write(release, tmp_path)[0])
    folder = export_model(named, str(tmp_path / "shared"))
    theirs = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    own = features(named.model, images(2))
    torch.testing.assert_close(features(theirs, images(2)).patches, own.patches, atol=1e-5, rtol=0)
    again = open_model(folder)
    assert inputs(again.model) == inputs(named.model) == inputs(theirs)
    torch.testing.assert_close(features(again.model, images(2)).cls, own.cls, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "release, told",
    [
        ("SiameseIM", "SiameseIM ViT 128×2/16 with 2 heads, encoder; 0 keys unused"),
        ("CLIP", "CLIP ViT 128×2/16 with 2 heads, QuickGELU, encoder; 0 keys unused"),
        ("DINO", "ViT 128×2/16 with 2 heads in timm's names, encoder; 0 keys unused"),
    ],
)
def test_a_folder_keeps_method_size_and_kind_of_positions(release, told, tmp_path):
    named = open_model(write(release, tmp_path)[0])
    again = open_model(export_model(named, str(tmp_path / "shared")))
    assert again.about == told
    start = before_training(again).model
    fixed = release == "SiameseIM"
    assert torch.equal(start.pos_embed, named.model.pos_embed) is fixed
    assert not torch.equal(start.blocks[0].attn.qkv.weight, named.model.blocks[0].attn.qkv.weight)


def test_a_folder_of_a_run_has_its_name_size_and_sines(tmp_path):
    named = open_model("zoo:scenes_mae")
    again = open_model(export_model(named, str(tmp_path / "shared")))
    assert again.about == "mae ViT 96×4/8 with 4 heads, encoder; 0 keys unused"
    assert torch.equal(before_training(again).model.pos_embed, named.model.pos_embed)


def test_a_folder_that_timm_wrote_itself_is_told_by_its_real_size(tmp_path):
    named = open_model(write("DINO", tmp_path)[0])
    settings = export_model(named, str(tmp_path / "shared")) / "config.json"
    config = json.loads(settings.read_text())
    config.pop("siamlab")
    settings.write_text(json.dumps(config))
    assert open_model(tmp_path / "shared").about == (
        "ViT 128×2/16 with 2 heads of timm, vit_base_patch16_224, encoder; 0 keys unused"
    )


def test_the_card_says_what_the_model_is_and_its_run(tmp_path):
    folder = export_model(open_model("zoo:scenes_mae"), str(tmp_path / "shared"))
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: timm\n") and "# scenes_mae\n" in card
    assert "5 × 5 patches |\n" in card and "width 96, depth 4, patches of 8 pixels" in card
    run = (folder / "run.toml").read_text()
    assert run in card and 'kind = "random"' in run


def test_a_model_that_no_options_describe_is_refused(tmp_path):
    gated = open_model(write("DINOv2, giant", tmp_path)[0])
    net = NamedModel("net", TokenGrid(torch.nn.Conv2d(3, 4, 8, stride=8), size=16), None)
    for named in (gated, net):
        with pytest.raises(UserError, match="is not a plain vision transformer, as a Hugging Face"):
            export_model(named, str(tmp_path / "shared"))
    with pytest.raises(UserError, match="net is not a timm model; export it as .onnx or .pt2"):
        export_model(net, str(tmp_path / "net.safetensors"))
    assert export_model(net, str(tmp_path / "net.pt2")).is_file()


def test_norms_with_another_epsilon_are_not_lost(tmp_path):
    network = vit(norm_layer=lambda dim, **options: LayerNorm(dim, eps=0.1))
    with pytest.raises(UserError, match="timm reads the folder of mine as another model"):
        export_model(NamedModel("mine", network, None), str(tmp_path / "shared"))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "to, sentence",
    [
        ("mae.h5", "--to mae.h5 must end in .onnx, .pt2, .safetensors, .pth, or be a new folder"),
        ("none/mae.pt2", "--to none/mae.pt2: the folder none does not exist; create it"),
        ("there", "--to there exists; choose another name, or remove it"),
    ],
)
def test_a_place_that_cannot_be_written(to, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    assert main(["export", "zoo:scenes_mae", "--to", to]) == 2
    assert sentence in capsys.readouterr().err


def test_without_the_extra_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs onnx; pip install 'siamlab\[onnx\]' adds it"):
        export_model(open_model("zoo:scenes_mae"), str(tmp_path / "mae.onnx"))


def test_the_command_says_where_the_file_is(tmp_path, capsys):
    path, network = write("DINO", tmp_path)
    save_file(network.state_dict(), tmp_path / "dino.safetensors")
    out = tmp_path / "out.safetensors"
    assert main(["export", str(tmp_path / "dino.safetensors"), "--to", str(out)]) == 0
    assert (
        capsys.readouterr().out.splitlines()[-1] == f"{out}: 48 × 48 pixels in, tokens of 128 out"
    )
    assert (
        open_model(out).about == "ViT 128×2/16 with 2 heads in timm's names, encoder; 0 keys unused"
    )
