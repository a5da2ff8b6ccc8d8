"""Runs that start from weights, or are taught by them: the same features, bound to their hash."""

import json
from functools import partial
from shutil import copyfile

import pytest
import timm
import torch
from checkpoints import write, write_hugging_face
from safetensors.torch import save_file

from siamlab import Run, ijepa, mae, open_model, siameseim, zoo
from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.data.images import plain
from siamlab.evaluate.evaluate import with_untrained
from siamlab.interop.weights import weights_hash
from siamlab.model.timm_names import timm_sizes
from siamlab.probe.batches import Inputs
from siamlab.study.definition import Ablation, Axis, Choice
from siamlab.study.description import describe, differences
from siamlab.target import Frozen
from siamlab.train import train
from siamlab.train.device import build
from siamlab.train.export import open_by_name, untrained

SIZES = "size=48", "model.width=128", "model.depth=2", "model.heads=2"
SMALL = (*SIZES, "batch=4", "steps=2", "prediction.width=32", "prediction.depth=1",
         "prediction.heads=1", "log_every=1", "save_every=1")  # fmt: skip


def started(path, *changes):
    """The encoder of a run before its first step, as a plain model."""
    run = mae().change(*SIZES, f"model.init={path}", *changes)
    return build(run, torch.device("cpu")).model.encoder.plain().eval()


def far(model, other, size=48):
    """The largest difference of the features of images that both standardise as they want."""
    from siamlab.probe import features

    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    return (features(model, images).patches - features(other, images).patches).abs().max().item()


@pytest.fixture(scope="module")
def images():
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (8, 3, 56, 56), dtype=torch.uint8, generator=rng)
    return plain(pixels, torch.zeros(8).long(), ("a",))


@pytest.mark.parametrize("before", ["", "hf:"])
@pytest.mark.parametrize("kind", ["vit", "vit_mae", "dinov2"])
def test_a_run_starts_with_the_features_of_a_hugging_face_folder(kind, before, tmp_path):
    network = write_hugging_face(kind, tmp_path / kind)
    encoder = started(f"{before}{tmp_path / kind}", "model.heads=4")
    x = torch.rand(2, 3, 48, 48)
    found = Inputs.of(encoder), Inputs((48, 48), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    mine, theirs = (
        model.forward_features((x - torch.tensor(i.mean)[:, None, None])
                               / torch.tensor(i.std)[:, None, None])
        for model, i in zip((encoder, network), found, strict=True)
    )  # fmt: skip
    assert torch.allclose(mine, theirs, atol=1e-4)


def test_a_run_of_a_hugging_face_folder_is_bound_to_its_weights(images, tmp_path):
    write_hugging_face("dinov2", tmp_path / "dinov2")
    name = f"hf:{tmp_path / 'dinov2'}"
    run = mae().change(*SMALL, "model.heads=4", f"model.init={name}")
    folder = train(run, tmp_path / "run", images)
    kept = json.loads(folder.environment.read_text())["weights"]
    assert kept == {"model.init": weights_hash(open_model(name).model)}


def test_i_jepa_goes_on_in_timms_transformer_without_a_class_token(tmp_path, monkeypatch, request):
    """The release's ViT-H/14 by its keys, of one block."""
    timm_sizes.cache_clear()
    request.addfinalizer(timm_sizes.cache_clear)
    create = timm.create_model
    small = partial(create, depth=1)
    monkeypatch.setattr(timm, "create_model", small)
    network = small("vit_huge_patch14_gap_224", img_size=28, num_classes=0).eval()
    target = {f"module.{key}": value for key, value in network.state_dict().items()}
    others = {"encoder": {}, "predictor": {}, "opt": {}, "epoch": 300}
    torch.save(others | {"target_encoder": target}, tmp_path / "IN1K-vit.h.14-300e.pth.tar")
    run = ijepa().change("model=vit_huge_patch14_gap_224", "model.norm=layer", "size=28")
    run = run.change(f"model.init={tmp_path}/IN1K-vit.h.14-300e.pth.tar")
    assert far(build(run, torch.device("cpu")).model.encoder.plain().eval(), network, 28) < 2e-5


@pytest.mark.parametrize(
    "release, changes",
    [
        ("MAE, full", ()),
        ("SiameseIM", ("model.norm=none",)),
        ("MoCo-v3", ("positions=learned",)),
        ("DINO", ()),
        ("DINOv2", ()),
        ("DINOv2, registers", ("model.registers=4",)),
    ],
)
def test_a_run_starts_with_the_features_of_its_weights(release, changes, tmp_path):
    path, _ = write(release, tmp_path)
    assert far(started(path, *changes), open_model(path).model) < 2e-5


def test_weights_that_shipped_are_a_start_too():
    run = open_model("zoo:scenes_mae").run.change("model.init=zoo:scenes_mae")
    model = build(run, torch.device("cpu")).model.encoder.plain().eval()
    assert far(model, open_model("zoo:scenes_mae").model, size=40) < 1e-5


def test_weights_in_the_home_folder_are_found_by_both_doors(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    copyfile(zoo.file("scenes_mae"), tmp_path / "mine.safetensors")
    opened = open_by_name("~/mine.safetensors")
    assert opened.own == tmp_path / "mine.safetensors"
    for other in (open_model("~/mine.safetensors"), open_model("zoo:scenes_mae"), opened):
        assert weights_hash(other.model) == weights_hash(opened.model)
    before = weights_hash(opened.start())  # of the run at its first step
    assert before == weights_hash(untrained(open_model("zoo:scenes_mae").run))


@pytest.mark.parametrize("bias", [True, False], ids=["with bias", "without"])
def test_other_colours_go_into_the_weights(bias, tmp_path):
    """CLIP's patch embedding has no bias: the shift goes to the places."""
    name = "vit_base_patch16_clip_quickgelu_224" if not bias else "vit_base_patch16_224"
    network = timm.create_model(name, img_size=32, num_classes=0, **TINY)
    encoder = build(
        mae().change("size=32", "model.width=64", "model.depth=1", "model.heads=1"),
        torch.device("cpu"),
    ).model.encoder
    from siamlab.model.standard import standardise
    from siamlab.train.start import _recoloured

    inputs = open_model(network).model.pretrained_cfg
    assert inputs["mean"] != (0.485, 0.456, 0.406)
    image, weights = torch.rand(1, 3, 32, 32), dict(network.state_dict())
    before = network.patch_embed(standardise(image, inputs["mean"], inputs["std"]))
    from siamlab.probe.batches import Inputs

    added = _recoloured(weights, Inputs.of(network))
    network.load_state_dict(weights)
    after = network.patch_embed((image - encoder.shift) / encoder.scale) + added
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-5)
    assert isinstance(added, torch.Tensor) is not bias


TINY = dict(embed_dim=64, depth=1, num_heads=1)


@pytest.mark.parametrize(
    "release, changes, sentence",
    [
        ("MAE", ("model.depth=3", "model.heads=4"), "set model.depth=2 model.heads=2$"),
        ("DINOv2, registers", (), "another size .* set model.registers=4$"),
        ("MAE", ("model.norm=none",), "has a norm after the last block; set model.norm=layer"),
        ("SiameseIM", (), "has no norm after the last block; set model.norm=none"),
        (
            "I-JEPA",
            (),
            "cls_token is missing there and .*timm's name.*vit_huge_patch14_gap_224, which",
        ),
        (
            "CLIP",
            (),
            "has QuickGELU in its blocks, and the run's encoder GELU; set model",
        ),
    ],
)
def test_weights_of_another_architecture_are_refused(release, changes, sentence, tmp_path):
    path, _ = write(release, tmp_path)
    with pytest.raises(UserError, match=sentence) as error:
        started(path, *changes)
    assert "\n" not in str(error.value)


def test_an_architecture_by_name_is_not_told_to_set_sizes_that_it_has_no_keys_for(tmp_path):
    path, _ = write("I-JEPA", tmp_path)
    run = mae().change("size=48", "model=vit_tiny_patch16_224", f"model.init={path}")
    apart = "width 128, not 192, depth 2, not 12, heads 2, not 3"
    with pytest.raises(UserError, match=rf"encoder \({apart}\); set model to timm's name of that"):
        build(run, torch.device("cpu"))


def test_show_tells_of_other_sizes_too_and_of_weights_that_are_not_there(tmp_path, capsys):
    path, _ = write("MAE", tmp_path)
    assert main(["show", "mae", *SIZES, f"model.init={path}"]) == 0
    fits = capsys.readouterr()
    assert 'init = "' in fits.out and fits.err == ""
    other = [size.replace("depth=2", "depth=3") for size in SIZES]
    assert main(["show", "mae", *other, f"model.init={path}"]) == 2
    refused = capsys.readouterr()
    assert refused.out == "" and "set model.depth=2" in refused.err
    assert main(["show", "mae", f"model.init={tmp_path}/later.pth"]) == 0
    later = capsys.readouterr()
    assert 'init = "' in later.out and "there is no run's folder or encoder file" in later.err


def test_a_run_without_weights_is_written_as_before():
    for run in (mae(), siameseim(), mae().change("model=vit_small_patch16_224")):
        assert "init" not in run.toml() and Run.parse(run.toml()) == run
        assert not any("kept" in key for key in dict(run.model))
    started = mae().change("model.init=zoo:mae")
    assert 'init = "zoo:mae"' in started.toml() and Run.parse(started.toml()) == started
    assert started.differences(mae()) == ["model.init=zoo:mae"]


def test_training_goes_on_from_the_weights_and_is_bound_to_them(images, tmp_path):
    path, _ = write("DINO", tmp_path)
    run = mae().change(*SMALL, f"model.init={path}")
    folder = train(run, tmp_path / "run", images)
    trained = open_model(folder.path)
    close, apart = far(trained.model, open_model(path).model), far(trained.model, started(path))
    assert 0 < close < 0.5 and abs(close - apart) < 1e-4
    noted = json.loads(folder.environment.read_text())["weights"]
    assert list(noted) == ["model.init"] and len(noted["model.init"]) == 64
    assert [m.name for m in with_untrained([trained])] == ["untrained", "run"]
    path.unlink()  # a run that has started needs them no more
    train(run, folder.path, images, resume=True)
    assert far(open_model(folder.path).model, trained.model) == 0


def test_other_weights_under_the_name_are_refused(images, tmp_path):
    path, network = write("DINO", tmp_path)
    run = mae().change(*SMALL, f"model.init={path}")
    folder = train(run, tmp_path / "run", images)
    for checkpoint in folder.checkpoints.iterdir():  # as if it had been killed before the first
        for file in checkpoint.iterdir():
            file.unlink()
        checkpoint.rmdir()
    other = {key: value + 1 for key, value in network.state_dict().items()}
    torch.save(other, path)
    with pytest.raises(UserError, match="model.init=.* holds other weights than when the run in"):
        train(run, folder.path, images, resume=True)


def test_a_checkpoint_teaches_as_timms_models_do(images, tmp_path):
    path, network = write("MAE", tmp_path)
    folder = tmp_path / "taught"
    run = mae().change(*SMALL, "target=frozen", f"target.name={path}")
    teacher = build(run, torch.device("cpu")).teacher
    assert torch.equal(teacher.vit.blocks[1].mlp.fc1.weight, network.blocks[1].mlp.fc1.weight)
    train(run, folder, images)
    assert list(json.loads((folder / "environment.json").read_text())["weights"]) == ["target.name"]
    again = run.change(f"target.name={folder}", "target.normalise=none")
    teacher = build(again, torch.device("cpu")).teacher
    assert far(teacher.vit, open_model(folder).model) < 1e-5


def test_names_of_weights_are_not_looked_up_in_timms_list():
    assert Frozen(name="gone/away.pth").name == "gone/away.pth"
    with pytest.raises(ValueError, match="timm has no vision transformer 'vit_base_patch16_22'"):
        Frozen(name="vit_base_patch16_22")
    with pytest.raises(UserError, match="there is no file gone/away.pth"):
        build(mae().change("target=frozen", "target.name=gone/away.pth"), torch.device("cpu"))


def test_a_study_is_bound_to_the_weights_that_its_runs_name(tmp_path):
    scenes = Scenes(images=20, test_images=10, side=48)
    base = mae().change(*SMALL).replace(data=scenes)
    study = partial(Ablation, question="?", seeds=1, images=10, test_images=10)
    random = study(base=base, axes=(Axis("target", Choice("pixels"), Choice("online", "steps=3")),))
    assert "weights" not in describe(random)
    path, network = write("DINO", tmp_path)
    begun = Axis("start", Choice("random"), Choice("DINO", f"model.init={path}"))
    definition = study(base=base, axes=(begun,))
    before = describe(definition)
    assert list(before["weights"]) == [str(path)] and not list(differences(before, before))
    torch.save({key: value + 1 for key, value in network.state_dict().items()}, path)
    (found,) = differences(describe(definition), before)
    assert found.key == "weights"


def test_safetensors_and_names_of_timm_are_a_start(tmp_path):
    network = timm.create_model("test_vit", num_classes=0)
    save_file(network.state_dict(), tmp_path / "own.safetensors")
    run = mae().change("model=test_vit", "size=160", "model.norm=layer")
    run = run.change(f"model.init=timm:test_vit@{tmp_path}/own.safetensors")
    model = build(run, torch.device("cpu")).model.encoder.plain().eval()
    assert far(model, network.eval(), size=160) < 1e-5
