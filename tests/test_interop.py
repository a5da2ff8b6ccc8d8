"""Checkpoints of other projects: the same features as the networks that they were written from."""

import json
import os
import pickle
import sys
from types import ModuleType
from zipfile import ZipFile

import numpy as np
import pytest
import timm
import torch
from checkpoints import (
    DINO_HEAD,
    HUGGING_FACE,
    RELEASES,
    SIDE,
    beit,
    some,
    state,
    vit,
    with_sines,
    write,
    write_hugging_face,
)
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from safetensors.torch import load_file, save_file
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn

from siamlab import zoo
from siamlab.cli import probe
from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.evaluate.evaluate import with_untrained
from siamlab.evaluate.models import before_training, open_model
from siamlab.evaluate.share import write_folder
from siamlab.interop.vit import TABLE
from siamlab.probe import features, inputs
from siamlab.train.export import load_encoder

EVERY = pytest.mark.parametrize("release", RELEASES)


def images(n=3):
    rng = torch.Generator().manual_seed(1)
    return torch.rand(n, 3, SIDE, SIDE, generator=rng)


def same_features(opened, network):
    x = images()
    with torch.no_grad():
        features = [model.forward_features(x) for model in (opened, network)]
    return torch.allclose(*features, atol=1e-5)  # a sum of two tokens is rounded


@EVERY
def test_a_release_gives_the_features_of_its_network(release, tmp_path):
    path, network = write(release, tmp_path)
    named = open_model(path)
    assert same_features(named.model, network)
    assert not named.model.training and named.run is None
    assert inputs(named.model).size == (SIDE, SIDE)
    assert features(named.model, images()).patches.shape == (3, 9, 128)


NETWORK = "ViT 128×2/16 with 2 heads"
ABOUT = {
    "SiameseIM": (
        "SiameseIM {}, encoder, momentum branch, decoder, projector and predictor; 0 keys unused"
    ),
    "MAE": "MAE {}, encoder; 0 keys unused",
    "MAE, full": "MAE {}, encoder and decoder; 0 keys unused",
    "MoCo-v3": "MoCo-v3 {}, encoder, momentum branch, predictor and head; 0 keys unused",
    "DINO": "{} in timm's names, encoder; 0 keys unused",
    "DINO, full": "DINO {}, encoder and head; 0 keys unused",
    "DINOv2": "{} in DINOv2's format, encoder; 0 keys unused",
    "DINOv2, registers": "{} in DINOv2's format, encoder; 0 keys unused",
    "DINOv2, giant": "{} in DINOv2's format, encoder; 0 keys unused",
    "I-JEPA": "I-JEPA {}, encoder; 0 keys unused",
    "BEiT": "BEiT {}, encoder and head; 0 keys unused",
    "BEiT, fine-tuned": (
        "BEiT or SimMIM {}, images standardised as BEiT's (BEiT v2's and SimMIM's: "
        "timm:beitv2_*@FILE), encoder and head; 0 keys unused"
    ),
    "SimMIM": "SimMIM {}, encoder and decoder; 0 keys unused",
    "CLIP": (
        "CLIP {}, QuickGELU (LAION's and DataComp's weights need plain GELU: "
        "timm:vit_*_clip_224@FILE), encoder, text tower and head; 0 keys unused"
    ),
}


@EVERY
def test_a_release_is_told_in_one_line(release, tmp_path):
    assert open_model(write(release, tmp_path)[0]).about == ABOUT[release].format(NETWORK)


def relative(prefix="", **more):
    return state(beit(use_rel_pos_bias=True, use_abs_pos_emb=False), prefix) | more


IBOT = DINO_HEAD | some("head.last_layer2.weight_v")
SCALED = dict(init_values=1e-5)
TOKEN = some("mask_token", shape=(1, 128))
# files whose keys are those of several methods, and what may be said of them
CONFUSABLE = {
    "a plain transformer": (lambda: {"model": state(vit())}, ""),
    "one with sines, rows first": (lambda: {"model": state(with_sines(vit(), False))}, ""),
    "MAE's sines elsewhere": (lambda: {"net": state(with_sines(vit()))}, ""),
    "MAE's, trained on with a head": (
        lambda: {"model": state(with_sines(vit())) | some("head.weight")}, "",
    ),
    "a momentum copy": (lambda: {"teacher": state(vit(), "backbone.")}, ""),
    "iBOT": (lambda: {"teacher": state(vit(), "backbone.") | IBOT}, ""),
    "a plain state_dict": (lambda: {"state_dict": state(vit())}, ""),
    "a class token below target_encoder": (lambda: {"target_encoder": state(vit())}, ""),
    "no class token": (lambda: state(vit(class_token=False, global_pool="avg", fc_norm=False)), ""),
    "LayerScale": (lambda: state(vit(**SCALED)), ""),
    "LayerScale and registers, in timm's names": (
        lambda: state(vit(**SCALED, reg_tokens=4, no_embed_class=True)), "",
    ),
    "a mask token without LayerScale": (lambda: state(vit()) | TOKEN, ""),
    "a norm before the blocks": (lambda: state(vit(pre_norm=True)), "CLIP"),
    "DINOv2's training": (
        lambda: {"teacher": state(vit(**SCALED), "backbone.") | {"backbone.mask_token": TOKEN[
            "mask_token"]} | some("dino_head.last_layer.weight_g")}, "DINOv2",
    ),
    "relative places": (lambda: {"model": relative()}, "BEiT or SimMIM"),
    "relative places below encoder.": (lambda: {"model": relative("encoder.")}, "BEiT or SimMIM"),
    "BEiT below encoder.": (lambda: relative("encoder.", **some("lm_head.weight")), "BEiT"),
    "BEiT v2": (lambda: {"model": relative(**some("lm_head.weight", "cls_pt_layers.0.x"))}, "BEiT"),
}  # fmt: skip


SHARED = ("DINOv2's training", "a norm before the blocks")  # keys of which others have all


@pytest.mark.parametrize("kind", CONFUSABLE)
def test_a_method_is_named_only_where_keys_prove_it(kind, tmp_path):
    content, title = CONFUSABLE[kind]
    torch.save(content(), tmp_path / "file.pth")
    about = open_model(tmp_path / "file.pth").about.partition(",")[0]
    named = f"{title} {NETWORK}".strip() + " in timm's names" * (not title)
    assert about in (named, f"{NETWORK} in {title}'s format")
    assert ("format" in about) == (kind in SHARED)


def test_a_module_of_its_own_is_no_momentum_branch(tmp_path):
    torch.save({"model": state(vit()) | some("mm_projector.weight")}, tmp_path / "file.pth")
    with pytest.raises(UserError, match="mm_projector.weight is .* must be missing"):
        open_model(tmp_path / "file.pth")


@pytest.mark.parametrize("release", ["DINOv2, registers", "DINOv2, giant", "CLIP", "I-JEPA"])
def test_names_are_those_of_timms_own_conversion(release, tmp_path):
    path, _ = write(release, tmp_path)
    model = open_model(path).model
    content = torch.load(path, weights_only=True)
    content = {"encoder": content["target_encoder"]} if release == "I-JEPA" else content
    theirs = checkpoint_filter_fn(content, model)
    theirs = {key: value for key, value in theirs.items() if not key.startswith("head.")}
    assert theirs.keys() == model.state_dict().keys()
    assert all(torch.equal(theirs[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    "release, mean", [("MAE", 0.485), ("BEiT", 0.5), ("SimMIM", 0.485), ("CLIP", 0.48145466)]
)
def test_images_are_standardised_as_the_release_does(release, mean, tmp_path):
    assert inputs(open_model(write(release, tmp_path)[0]).model).mean[0] == mean


@pytest.mark.parametrize("release", ["MAE", "DINOv2, registers", "SimMIM"])
def test_the_untrained_network_has_other_weights_and_the_same_inputs(release, tmp_path):
    named = open_model(write(release, tmp_path)[0], size=32)
    start = before_training(named)
    assert inputs(start.model) == inputs(named.model)
    weights = [m.blocks[1].mlp.fc1.weight for m in (start.model, named.model)]
    assert not torch.equal(*weights) and weights[0].std() < 0.05 < weights[1].std()
    again = before_training(named)
    assert torch.equal(again.model.blocks[1].mlp.fc1.weight, weights[0])
    assert [m.name for m in with_untrained([named])] == ["untrained", named.name]


def test_an_untrained_mae_keeps_its_fixed_table_and_an_untrained_dino_does_not(tmp_path):
    for release, fixed in (("MAE", True), ("DINO", False)):
        named = open_model(write(release, tmp_path)[0])
        table = before_training(named).model.pos_embed
        assert torch.equal(table, named.model.pos_embed) is fixed


@pytest.mark.parametrize("kind", HUGGING_FACE)
def test_a_hugging_face_folder_gives_the_features_of_its_network(kind, tmp_path):
    network = write_hugging_face(kind, tmp_path / kind)
    named = open_model(tmp_path / kind)
    assert same_features(named.model, network)
    assert inputs(named.model) == ((SIDE, SIDE), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    parts = {"vit_mae": "encoder and decoder", "clip": "encoder, text tower and head"}
    parts = "QuickGELU, " * ("clip" in kind) + parts.get(kind, "encoder")
    assert named.about.endswith(f" ViT 128×2/16 with 4 heads, {parts}; 0 keys unused")


def test_the_weights_of_a_folder_tell_their_format_without_its_settings(tmp_path):
    write_hugging_face("dinov2", tmp_path / "folder")
    about = open_model(tmp_path / "folder" / "model.safetensors").about
    assert about == f"{NETWORK} in DINOv2's format, encoder; 0 keys unused"


def test_keys_that_nothing_is_known_of_are_named(tmp_path):
    path, _ = write("MAE", tmp_path)
    content = torch.load(path, weights_only=True)
    content["model"] |= {"colour_bias": torch.zeros(3), "gate.weight": torch.zeros(3)}
    torch.save(content, path)
    with pytest.raises(UserError, match="another architecture.*colour_bias is .3. there, but"):
        open_model(path)
    content["model"] = {f"net.{key}": value for key, value in content["model"].items()}
    content["model"]["other.weight"] = content["model"].pop("net.colour_bias")
    content["model"].pop("net.gate.weight")
    torch.save(content, path)
    assert open_model(path).about.endswith("; 1 key unused (other.weight)")


def test_files_from_before_torch_1_6(tmp_path):
    path, network = write("MAE, full", tmp_path)
    torch.save(torch.load(path, weights_only=False), path, **OLD)
    assert same_features(open_model(path).model, network)


def test_half_precision_becomes_float32(tmp_path):
    path, network = write("DINO", tmp_path)
    content = torch.load(path, weights_only=True)
    torch.save({key: value.half() for key, value in content.items()}, path)
    model = open_model(path).model
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    torch.testing.assert_close(model.pos_embed, network.pos_embed, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["rows first", "columns first"])
def test_a_table_of_sines_is_one_at_another_size_too(order, kind, tmp_path):
    """Rows first as in MoCo-v3, columns first as in MAE; numpy's meshgrid is theirs."""
    path, network = write("MAE", tmp_path)
    content = torch.load(path, weights_only=True)
    content["model"]["pos_embed"][0, 1:] = torch.tensor(meshgrid_table(3, 128, order)).float()
    content["model"] = {key: value.to(kind) for key, value in content["model"].items()}
    torch.save(content, path)
    assert_sines(open_model(path, size=96).model, 6, order)
    assert_sines(open_model(open_model(path).model, size=96).model, 6, order)  # handed over


@pytest.mark.parametrize("name", zoo.names())
def test_a_run_has_a_table_of_sines_at_every_size(name):
    side = 4 * open_model(f"zoo:{name}").model.patch_embed.patch_size[0]
    assert_sines(open_model(f"zoo:{name}", size=side).model, 4, (0, 1))


def test_a_table_that_was_trained_is_resampled(tmp_path):
    path, network = write("MAE", tmp_path)
    content = torch.load(path, weights_only=True)
    table = torch.tensor(meshgrid_table(3, 128, (1, 0))).float()
    content["model"]["pos_embed"][0, 1:] = table + 0.01 * torch.randn_like(table)
    torch.save(content, path)
    network.pos_embed = torch.nn.Parameter(content["model"]["pos_embed"])
    network.set_input_size((96, 96))
    torch.testing.assert_close(open_model(path, size=96).model.pos_embed, network.pos_embed)


def assert_sines(vit, side, order):
    expected = torch.tensor(meshgrid_table(side, vit.embed_dim, order)).float()
    torch.testing.assert_close(vit.pos_embed[0, -(side**2) :], expected, atol=1e-5, rtol=0)


def meshgrid_table(side, width, order):
    columns, rows = np.meshgrid(np.arange(side), np.arange(side))
    rate = 1.0 / 10000 ** (np.arange(width // 4) / (width / 4.0))
    angles = [np.einsum("m,d->md", (rows, columns)[axis].reshape(-1), rate) for axis in order]
    return np.concatenate([f(a) for a in angles for f in (np.sin, np.cos)], axis=1)


def test_learned_places_are_resampled_by_timm(tmp_path):
    path, network = write("DINO", tmp_path)
    network.set_input_size((96, 96))
    assert torch.equal(open_model(path, size=96).model.pos_embed, network.pos_embed)


class Evil:
    """A pickle that would run a command."""

    def __reduce__(self):
        return os.system, ("echo gotcha",)


OLD = dict(_use_new_zipfile_serialization=False)


def half(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def edited(change):
    def edit(path):
        content = torch.load(path, weights_only=True)
        change(content["model"])
        torch.save(content, path)

    return edit


def video(weights):
    weights["patch_embed.proj.weight"] = torch.zeros(128, 3, 2, 16, 16)


def rename(old, new):
    def change(weights):
        for key in [key for key in weights if old in key]:
            weights[key.replace(old, new)] = weights.pop(key)

    return change


def swin(weights):
    rename("blocks", "layers.0.blocks")(weights)
    weights["layers.0.blocks.0.attn.relative_position_bias_table"] = torch.zeros(169, 2)


def resnet(path):
    torch.save({"state_dict": {f"{k}.weight": torch.zeros(3) for k in ("conv1", "bn1")}}, path)


def deeper(weights):
    weights.update({k.replace("blocks.1", "blocks.3"): v for k, v in weights.items()})


def stored(form):
    def change(weights):
        weights["blocks.1.attn.qkv.weight"] = form(weights["blocks.1.attn.qkv.weight"])

    return change


def mixed(weights):
    weights["blocks.1.mlp.fc2.weight"] = torch.zeros(96, 512)


def half_prefixed(weights):
    for key in [key for key in weights if "pos_embed" in key or "blocks.1" in key]:
        weights["module." + key] = weights.pop(key)


def shaped(key, *shape):
    return edited(lambda weights: weights.update({key: torch.zeros(shape)}))


def exported(path):
    with ZipFile(path, "a") as archive:
        archive.writestr("archive/models/model.json", b"{}")


BAD = {
    "places without a shape": (shaped("pos_embed"), r"pos_embed as float32 \[\]; expected \[1, p"),
    "places in a row": (shaped("pos_embed", 1280), r"pos_embed as float32 \[1280\]; expected \["),
    "narrow places": (
        shaped("pos_embed", 1, 10, 64),
        "pos_embed as .*; expected the width of patch.*, 128, last",
    ),
    "a flat stem": (
        shaped("patch_embed.proj.weight", 9),
        r"proj.weight as float32 \[9\]; expected",
    ),
    "a stem without a shape": (shaped("patch_embed.proj.weight"), "expected .width, 3, rows, col"),
    "a flat layer": (shaped("blocks.0.mlp.fc1.weight", 9), r"fc1.weight as .*; expected \[outputs"),
    "a layer that the next cannot read": (
        shaped("blocks.0.mlp.fc1.weight", 513, 128),
        r"fc1.weight as float32 \[513, 128\]; expected 512 outputs, which fc2 reads, or twice",
    ),
    "a program": (
        exported,
        r"is a program of torch.export \(.pt2\), made to be run elsewhere; exp",
    ),
    "two prefixes": (
        edited(half_prefixed),
        "under two prefixes: expected pos_embed beside .*, and found module.pos_embed; save one",
    ),
    "complex": (edited(stored(lambda w: w.cfloat())), "blocks.1.attn.qkv.weight as complex64 "),
    "whole numbers": (edited(stored(lambda w: w.char())), "as int8 .*, but weights are floats"),
    "sparse": (edited(stored(lambda w: w.to_sparse())), "as sparse float32 .*, but weights are"),
    "no numbers": (edited(stored(lambda w: w.to("meta"))), "as meta float32 .*, but weights are"),
    "no rows": (
        edited(stored(lambda w: w[:0])),
        "as float32 .0, 128., but weights are floats",
    ),
    "empty": (lambda path: path.write_bytes(b""), "is empty; expected a PyTorch or safetensors"),
    "text": (lambda path: path.write_text("my weights\n" * 9), "is a text file; expected a"),
    "web page": (lambda path: path.write_text("<!DOCTYPE html><p>404"), "is a web page; expected"),
    "pointer": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0"),
        "is the pointer that git keeps in place of a large file; expected a",
    ),
    "half": (half, "is cut short or damaged .*; expected a .* copy it again"),
    "bytes": (
        lambda path: path.write_bytes(bytes(200)),
        "is a file of an unknown format; expected",
    ),
    "pickle": (
        lambda path: path.write_bytes(pickle.dumps({"w": 1})),
        "is a pickle that torch.save did not write; expected a PyTorch or safetensors",
    ),
    "old and cut": (
        lambda path: (torch.save({"w": torch.zeros(9)}, path, **OLD), half(path)),
        "is cut short or damaged.*copy it again",
    ),
    "code": (
        lambda path: torch.save({"model": Evil()}, path),
        r"holds \w+.system, and .*any code",
    ),
    "module": (
        lambda path: torch.save(torch.nn.Linear(2, 2), path),
        r"holds torch.nn.modules.linear.Linear, .*save model.state_dict\(\) instead",
    ),
    "script": (
        lambda path: ZipFile(path, "a").writestr("MAE/constants.pkl", b""),
        r"is a TorchScript program that is cut .* \(it holds a dict, not a module\)",
    ),
    "list": (lambda path: torch.save([torch.zeros(2)], path), "holds a list; expected a .* dict"),
    "unknown wrappers": (
        lambda path: torch.save({"one": {"w": torch.zeros(2)}, "two": {"w": torch.zeros(2)}}, path),
        r"holds tensors under one, two, none of which siamlab knows \(it reads target_encoder, te",
    ),
    "no tensors": (lambda path: torch.save({"epoch": 3}, path), r"no tensors \(its keys: epoch\)"),
    "ResNet": (resnet, "no vision transformer: it has no patch_embed.*begin with conv1, bn1"),
    "video": (edited(video), r"embeds patches of shape \(3, 2, 16, 16\); expected 3 colours"),
    "Swin": (
        edited(swin),
        "like a Swin.*begin with layers. and have relative_position_bias_",
    ),
    "half a Swin": (
        edited(rename("blocks", "layers.0.blocks")),
        r"looks like a Swin transformer \(its keys begin with layers\.\)",
    ),
    "no blocks": (
        edited(rename("blocks", "stages")),
        "blocks.0.attn.qkv.weight is missing; expected qkv",
    ),
    "gap": (edited(deeper), "blocks.2.attn.qkv.weight is missing; expected qkv, fc1 and fc2"),
    "mixture": (
        edited(mixed),
        r"another arch.*fc2.weight is \[96, 512\] there, but .*128",
    ),
    "no norm of a block": (
        edited(lambda w: w.pop("blocks.1.norm2.bias")),
        r"another architecture, or a mixture of two: blocks.1.norm2.bias is missing there",
    ),
    "no places": (edited(lambda w: w.pop("pos_embed")), "has no pos_embed, so the size of its im"),
    "oblong": (
        edited(lambda w: w.update(pos_embed=torch.zeros(1, 7, 128))),
        "has positions for 6 patches, which is not a square number; .*timm:NAME@FILE",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_refused_in_one_sentence(fault, tmp_path, capfd):
    path, _ = write("MAE", tmp_path)
    damage, sentence = BAD[fault]
    damage(path)
    with pytest.raises(UserError, match=f"{path.name} .*{sentence}") as error:
        open_model(path)
    assert "\n" not in str(error.value) and "gotcha" not in capfd.readouterr().out


COMPLEX = (
    "pos_embed",
    "cls_token",
    "patch_embed.proj.weight",
    "blocks.0.norm1.bias",
    "norm.weight",
)


@pytest.mark.parametrize("key", COMPLEX)
@pytest.mark.parametrize("ending", ["pth", "safetensors", "timm"])
def test_complex_numbers_are_refused_wherever_they_stand(ending, key, tmp_path):
    weights = state(vit(heads=2)) | {key: state(vit(heads=2))[key].cfloat()}
    path = tmp_path / ("ck.pth" if ending == "timm" else f"ck.{ending}")
    (save_file if ending == "safetensors" else torch.save)(weights, path)
    name = f"timm:vit_tiny_patch16_224@{path}" if ending == "timm" else path
    with pytest.raises(UserError, match=f"holds {key} as complex64 .*, but weights are floats"):
        open_model(name)


def test_complex_numbers_beside_the_encoder_do_not_matter(tmp_path):
    weights = state(vit()) | {"decoder_embed.weight": torch.zeros(4, 4).cfloat()}
    torch.save({"model": weights}, tmp_path / "ck.pth")
    assert "encoder and decoder" in open_model(tmp_path / "ck.pth").about


@pytest.mark.parametrize(
    "release, key, shape, sentence",
    [
        (
            "DINOv2, registers",
            "register_tokens",
            (4,),
            r"as float32 \[4\]; expected \[1, registers",
        ),
        ("DINOv2, registers", "cls_token", (1, 1, 9), "cls_token .* the width of .*, 128, last"),
        ("BEiT", f"rel_pos_bias.{TABLE}", (2, 2), "has 2 relative positions in .*, which are thos"),
        ("BEiT", f"rel_pos_bias.{TABLE}", (19, 2), "has 19 relative positions in .* no square"),
        ("BEiT", f"rel_pos_bias.{TABLE}", (28,), r"as float32 \[28\]; expected \[places, heads\]"),
    ],
)
def test_a_shape_that_no_release_has_is_named(release, key, shape, sentence, tmp_path):
    path, _ = write(release, tmp_path)
    content = torch.load(path, weights_only=True)
    content.get("model", content)[key] = torch.zeros(shape)
    torch.save(content, path)
    with pytest.raises(UserError, match=f"{path.name} .*{sentence}"):
        open_model(path)


def test_a_graph_for_onnx_is_told_as_such(tmp_path):
    (tmp_path / "mine.onnx").write_bytes(b"\x08\n\x12\x07pytorch" + bytes(90))
    with pytest.raises(UserError, match="mine.onnx is a graph for ONNX .*: name what it was exp"):
        open_model(tmp_path / "mine.onnx")


def test_a_width_that_does_not_tell_the_heads_is_named(tmp_path):
    network = VisionTransformer(img_size=32, embed_dim=96, depth=1, num_heads=3, num_classes=0)
    torch.save(network.state_dict(), tmp_path / "own.pt")
    with pytest.raises(UserError, match="its number of heads, and its width 96 is not .*timm:NAME"):
        open_model(tmp_path / "own.pt")


@pytest.mark.parametrize("width, prefix, heads", [(384, "module.base_encoder.", 12), (384, "", 6),
                                                  (1280, "", 16)])  # fmt: skip
def test_heads_are_those_of_the_release(width, prefix, heads, tmp_path):
    """MoCo-v3's ViT-S has twice the usual number, and a ViT-H heads of 80 dimensions."""
    sizes = dict(img_size=32, embed_dim=width, depth=1, num_heads=heads, mlp_ratio=0.1)
    network = VisionTransformer(**sizes, num_classes=0)
    weights = {prefix + key: value for key, value in network.state_dict().items()}
    torch.save({"state_dict": weights}, tmp_path / "own.pt")
    assert open_model(tmp_path / "own.pt").model.blocks[0].attn.num_heads == heads


@pytest.mark.parametrize("run", ["my run, no. 3", "", "lr = 3e-4", "[model"])
def test_a_run_that_another_project_wrote_into_the_header(run, tmp_path):
    path, network = tmp_path / "own.safetensors", write("DINO", tmp_path)[1]
    save_file(network.state_dict(), path, {"run": run})
    assert same_features(open_model(path).model, network)
    with pytest.raises(UserError, match="does not say which run made it"):
        load_encoder(path)


def test_a_safetensors_file_that_is_cut_short(tmp_path):
    path, network = tmp_path / "own.safetensors", write("DINO", tmp_path)[1]
    save_file(network.state_dict(), path)
    assert same_features(open_model(path).model, network)
    half(path)
    with pytest.raises(UserError, match="own.safetensors is not a whole safetensors file"):
        open_model(path)


def test_settings_of_a_release_are_read_without_its_classes(tmp_path):
    """SimMIM's files hold a yacs.config.CfgNode, MAE's an argparse.Namespace."""
    path, network = write("SimMIM", tmp_path)
    yacs = ModuleType("yacs.config")
    node = type("CfgNode", (dict,), {"__module__": "yacs.config", "__qualname__": "CfgNode"})
    yacs.CfgNode = node
    sys.modules |= {"yacs": ModuleType("yacs"), "yacs.config": yacs}
    try:
        config = node(MODEL=node(TYPE="vit"))
        config.frozen = True
        torch.save(torch.load(path, weights_only=True) | {"config": config}, path)
    finally:
        del sys.modules["yacs"], sys.modules["yacs.config"]
    assert same_features(open_model(path).model, network)


@pytest.mark.parametrize(
    "config, sentence",
    [
        ('{"model_type": "swin"}', "config.json is of model_type='swin'; siamlab reads vit, vit_m"),
        ('{"model_type": ["vit"]}', r"config.json is of model_type=\['vit'\]; siamlab reads vit,"),
        ("[" * 100_000, "config.json is incomplete"),
        ("{", "config.json is incomplete"),
        ("[]", "config.json is not a JSON object of settings"),
        ('{"model_type": "vit"}', "has no model.safetensors and no pytorch_model.bin"),
    ],
)
def test_a_hugging_face_folder_that_cannot_be_read(config, sentence, tmp_path):
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(UserError, match=sentence):
        open_model(tmp_path)


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"num_hidden_layers": 4}, "num_hidden_layers is 4 there and 2 in the weights; copy both"),
        ({"hidden_size": 96}, "hidden_size is 96 there and 128 in the weights"),
        ({"patch_size": 14}, "patch_size is 14 there and 16 in the weights"),
        ({"num_attention_heads": 5}, "num_attention_heads=5 must be a whole number that divides"),
        ({"num_attention_heads": "4"}, "num_attention_heads=4 must be a whole number"),
        ({"num_attention_heads": True}, "num_attention_heads=True must be a whole number"),
        ({"layer_norm_eps": "x"}, "config.json: layer_norm_eps='x' must be a number between 0 and"),
        ({"layer_norm_eps": -1}, "layer_norm_eps=-1 must be a number between 0 and 1"),
        ({"hidden_act": "softplus"}, "hidden_act='softplus' is none of gelu, .*, which siamlab kn"),
        ({"hidden_act": ["gelu"]}, r"hidden_act=\['gelu'\] is none of gelu"),
    ],
)
def test_settings_of_another_model_than_the_weights_are_refused(change, sentence, tmp_path):
    write_hugging_face("vit", tmp_path / "hf")
    path = tmp_path / "hf" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match=sentence):
        open_model(tmp_path / "hf")


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"image_mean": ["x", 0, 0]}, r"image_mean=\['x', 0, 0\] must be three numbers, of red"),
        ({"image_mean": None}, "image_mean=None must be three numbers"),
        ({"image_std": 0.5}, "image_std=0.5 must be three numbers above 0, of red, green and blue"),
        ({"image_std": [0.5, 0.5, 0]}, "must be three numbers above 0"),
        ({"image_std": [0.5, 0.5]}, "must be three numbers above 0"),
    ],
)
def test_colours_that_are_none_are_refused(settings, sentence, tmp_path):
    write_hugging_face("vit", tmp_path / "hf")
    path = tmp_path / "hf" / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    with pytest.raises(UserError, match=f"{path.name}: .*{sentence}"):
        open_model(tmp_path / "hf")


def test_a_folder_where_a_file_of_settings_should_be_is_refused(tmp_path):
    write_hugging_face("vit", tmp_path / "hf")
    path = tmp_path / "hf" / "preprocessor_config.json"
    path.unlink(), path.mkdir()
    with pytest.raises(UserError, match="preprocessor_config.json is incomplete .*Is a directory"):
        open_model(tmp_path / "hf")
    (tmp_path / "hf" / "config.json").unlink()
    with pytest.raises(UserError, match="hf has model.safetensors, but no config.json, which a fo"):
        open_model(tmp_path / "hf")


def test_gelu_by_tanh_of_a_folder_is_kept(tmp_path):
    write_hugging_face("vit", tmp_path / "hf")
    path = tmp_path / "hf" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hidden_act": "gelu_pytorch_tanh"}))
    act = open_model(tmp_path / "hf").model.blocks[0].mlp.act
    x = torch.linspace(-2, 2, 9)
    assert torch.allclose(act(x), torch.nn.functional.gelu(x, approximate="tanh"))


@pytest.mark.parametrize(
    "change, sentence",
    [
        (
            lambda c: c.update(model_args=3),
            "config.json: timm makes no .* of these settings .*copy",
        ),
        (lambda c: c["model_args"].update(img_size="x"), "timm makes no vit_base_patch16_224"),
        (
            lambda c: c["pretrained_cfg"].update(mean="x"),
            "config.json: mean='x' must be three numb",
        ),
        (lambda c: c["pretrained_cfg"].update(std=[0, 1, 1]), "must be three numbers above 0"),
    ],
)
def test_a_folder_of_timm_with_other_settings_is_refused(change, sentence, tmp_path):
    write_folder(open_model("zoo:scenes_mae"), tmp_path / "mine")
    path = tmp_path / "mine" / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))
    with pytest.raises(UserError, match=sentence):
        open_model(tmp_path / "mine")


def test_numbers_that_are_no_weights_are_refused_by_timms_name_too(tmp_path):
    weights = timm.create_model("test_vit", num_classes=0).state_dict()
    save_file(weights | {"blocks.0.norm1.bias": torch.zeros(64, dtype=torch.int64)},
              tmp_path / "own.safetensors")  # fmt: skip
    with pytest.raises(UserError, match="blocks.0.norm1.bias as int64 .*, but weights are floats"):
        open_model(f"timm:test_vit@{tmp_path}/own.safetensors")
    torch.save(weights | {"pos_embed": torch.zeros(9)}, tmp_path / "own.pth")
    with pytest.raises(UserError, match="own.pth does not hold the weights of timm:test_vit"):
        open_model(f"timm:test_vit@{tmp_path}/own.pth")


def test_a_local_file_in_timms_names(tmp_path):
    network = timm.create_model("test_vit", num_classes=10)
    save_file(network.state_dict(), tmp_path / "own.safetensors")
    named = open_model(f"timm:test_vit@{tmp_path}/own.safetensors")
    assert named.about == "test_vit, encoder and head; 0 keys unused"
    x = torch.rand(1, 3, 160, 160)
    with torch.no_grad():
        assert torch.equal(named.model.forward_features(x), network.eval().forward_features(x))
    assert not torch.equal(before_training(named).model.pos_embed, network.pos_embed)


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("timm:test_vit@{}/none.pth", "there is no file .*none.pth in /"),
        (
            "timm:test_vit2@{}/MAE.pth",
            "another architecture than timm:test_vit2: its tokens have 128 dimensions, and those "
            "of timm:test_vit2 64; choose an architecture of this width, or drop timm:test_vit2@",
        ),
        (
            "timm:vit_tiny_patch16_224@{}/deeper.pth",
            "is .* there, but must be .*; choose another architecture than timm:vit_tiny",
        ),
        ("timm:test_vot@{}/MAE.pth", "timm has no vision transformer 'test_vot'; nearest are"),
    ],
)
def test_a_local_file_that_is_not_timms(name, sentence, tmp_path):
    write("MAE", tmp_path)
    deeper = VisionTransformer(embed_dim=192, depth=1, num_heads=3, num_classes=0)
    torch.save(deeper.state_dict(), tmp_path / "deeper.pth")
    with pytest.raises(UserError, match=sentence):
        open_model(name.format(tmp_path))


def test_the_command_line_tells_what_it_recognised(tmp_path, capsys, monkeypatch):
    path, _ = write("MAE, full", tmp_path)
    path.rename(tmp_path / "mae.pth")

    def stopped(*args, **how):  # what follows has tests of its own
        raise KeyboardInterrupt

    monkeypatch.setattr(probe, "evaluate", stopped)
    assert main(["probe", f"{tmp_path}/mae.pth", "--data", "scenes"]) == 130
    printed = capsys.readouterr().out
    assert "mae.pth: MAE ViT 128×2/16 with 2 heads, encoder and decoder; 0 keys unused\n" in printed


@pytest.mark.parametrize("counter", [{}, {"step": torch.tensor(3)}], ids=["alone", "a counter"])
def test_the_only_dictionary_of_tensors_is_taken_whatever_its_name(counter, tmp_path):
    path, network = write("DINO", tmp_path)
    weights = torch.load(path, weights_only=True)
    torch.save({"teacher_backbone": weights, "epoch": 3, "args": {"lr": 1.0}} | counter, path)
    assert same_features(open_model(path).model, network)


def test_a_folder_that_is_here_is_opened_with_hf_before_it_too(tmp_path, monkeypatch):
    network = write_hugging_face("dinov2", tmp_path / "ck")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", None)
    assert same_features(open_model(f"hf:{tmp_path}/ck").model, network)


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("", "hf: must be hf:OWNER/NAME, as in hf:facebook/dinov2-small"),
        ("a/b/c", "hf:a/b/c must be hf:OWNER/NAME"),
        (
            "mine",
            "hf:mine is here, but is no folder with a config.json; .* as in mine",
        ),
    ],
)
def test_a_name_that_no_hub_can_have_never_reaches_the_network(
    name, sentence, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    monkeypatch.setattr("huggingface_hub.hf_hub_download", None)
    with pytest.raises(UserError, match=sentence):
        open_model(f"hf:{name}")


def test_a_hub_that_is_out_of_reach_is_told_in_a_whole_sentence(monkeypatch):
    def download(name, file):
        raise LocalEntryNotFoundError("An error happened while trying to locate (")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    told = r"cannot be downloaded \(the hub is out of reach, and no copy is kept here\); connect"
    with pytest.raises(UserError, match=told):
        open_model("hf:someone/model")


def in_shards(folder, change=lambda index: None):
    """The folder with its weights in two files and an index, as transformers writes large ones."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {}
    for number, keys in enumerate((sorted(weights)[::2], sorted(weights)[1::2]), 1):
        name = f"model-{number:05d}-of-00002.safetensors"
        save_file({key: weights[key] for key in keys}, folder / name)
        places |= dict.fromkeys(keys, name)
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    change(index)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def with_key(place):
    return lambda index: index["weight_map"].update(a=place)


def test_a_hugging_face_folder_in_several_files_is_the_same_model(tmp_path):
    network = write_hugging_face("dinov2", tmp_path / "model")
    in_shards(tmp_path / "model")
    assert same_features(open_model(tmp_path / "model").model, network)


@pytest.mark.parametrize(
    "change, sentence",
    [
        (with_key("model-00003.safetensors"), "is not there; copy"),
        (with_key("../model.safetensors"), "names no files of this folder"),
        (with_key("model-00001-of-00002.safetensors"), "has no a, which"),
        (lambda index: index.pop("weight_map"), "names no files of this folder"),
    ],
)
def test_an_index_that_does_not_fit_its_files_is_refused(change, sentence, tmp_path):
    write_hugging_face("dinov2", tmp_path / "model")
    in_shards(tmp_path / "model", change)
    with pytest.raises(UserError, match=sentence):
        open_model(tmp_path / "model")


@pytest.mark.parametrize("sharded", [False, True])
def test_a_model_of_the_hub_is_fetched_whole_and_once(sharded, tmp_path, monkeypatch):
    network = write_hugging_face("dinov2", tmp_path / "hub")
    if sharded:
        in_shards(tmp_path / "hub")
    asked = []

    def download(name, file):
        asked.append(file)
        if not (tmp_path / "hub" / file).exists():
            raise EntryNotFoundError("missing") if sharded else AssertionError(file)
        return str(tmp_path / "hub" / file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert same_features(open_model("hf:someone/model").model, network)
    assert len(asked) == len(set(asked)) == (6 if sharded else 3)
