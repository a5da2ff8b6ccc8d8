"""Whole checkpoints of SiameseIM and MAE: the same numbers, the same tensors back, training on."""

import errno
import shutil
from argparse import Namespace

import official
import pytest
import torch
from official import Sizes, mae_args, mae_weights, siamese_args, siamese_weights

from siamlab import open_model
from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.data.images import plain
from siamlab.explore.eye import EyeExplorer
from siamlab.explore.reconstruction import ReconstructionExplorer
from siamlab.figure.image import to_bytes
from siamlab.geometry import View
from siamlab.masking import Mask
from siamlab.probe import features
from siamlab.recipes import mae, siameseim
from siamlab.train import RunFolder, checkpoint, load_branches, train
from siamlab.train.releases.names import constants, official_names
from siamlab.train.releases.read import import_release, new_state
from siamlab.train.releases.write import write_release
from siamlab.train.step import compare

SMALL = Sizes()
# keys of the file, arguments of its program, sizes, fields of the run
VARIANTS = {
    "as published": ({}, {}, SMALL, {}),
    "LayerNorm in both": (
        dict(projector="ln", predictor="ln"), dict(use_proj_ln=True, use_pred_ln=True), SMALL,
        {"prediction.norm": "layer", "prediction.projector_norm": "same"},
    ),
    "LayerNorm in the projector": (
        dict(projector="ln"), dict(use_proj_ln=True), SMALL,
        {"prediction.norm": "batch", "prediction.projector_norm": "layer"},
    ),
    "no projector": (
        {}, dict(projector_depth=0), SMALL._replace(projector=0),
        {"prediction.projector": 0, "prediction.linear": "projector"},
    ),
    "LayerScale, drop path": (
        dict(scale=True), dict(init_values=0.1, drop_path_rate=0.2), SMALL,
        {"model.layer_scale": 0.1, "model.drop_path": 0.2},
    ),
    "normed, constant, least rate": (
        dict(normed=True),
        dict(online_ln=True, mmschedule="const", mm=0.99, min_lr=1e-7, clip_grad=None), SMALL,
        {"prediction.normalise": "layer", "target.schedule": "constant", "target.start": 0.99,
         "optimiser.least_lr": 1e-7 * 256 / 8, "optimiser.clip": float("inf")},
    ),
    "learned patches": ({}, dict(train_patch_embed=True), SMALL, {"model.stem": "learned"}),
}  # fmt: skip
EVERY = pytest.mark.parametrize("variant", VARIANTS)


def siamese(variant="as published", epoch=1, **more):
    keys, args, sizes, _ = VARIANTS[variant]
    weights, args = siamese_weights(sizes, **keys), siamese_args(**args | more)
    updates, stem = 5 * (epoch + 1), args.train_patch_embed
    return official.checkpoint(weights, args, epoch, updates, stem)


def whole_mae(epoch=1, **more):
    return official.checkpoint(mae_weights(), mae_args(**more), epoch, 5 * (epoch + 1), True)


def saved(content, folder, name="official.pth"):
    torch.save(content, folder / name)
    return folder / name


def imported(content, folder, *words):
    return import_release(saved(content, folder), folder / "run", words)


def at(run, key):
    for part in key.split("."):
        run = getattr(run, part)
    return run


def views(batch=3, side=12):
    rng = torch.Generator().manual_seed(8)
    made = []
    for _ in range(2):
        size = 0.3 + 0.5 * torch.rand(batch, 2, generator=rng)
        corner = (1 - size) * torch.rand(batch, 2, generator=rng)
        image = torch.rand(batch, 3, side, side, generator=rng)
        made.append(View(image, torch.cat([corner, size], 1), torch.tensor([True, False, True])))
    return made[0], made[1]._replace(flip=torch.tensor([True, True, False]))


def seen(count, batch=3, patches=9):
    noise = torch.rand(batch, patches, generator=torch.Generator().manual_seed(9))
    return noise.argsort(1).argsort(1) < count


def same(mine, theirs, where="file"):
    """Equal in type, order and every bit, tensors and all."""
    if isinstance(theirs, torch.Tensor):
        assert mine.dtype == theirs.dtype and torch.equal(mine, theirs), where
    elif isinstance(theirs, dict):
        assert list(mine) == list(theirs), where
        for key in theirs:
            same(mine[key], theirs[key], f"{where}.{key}")
    else:
        assert mine == theirs, where


@EVERY
@torch.no_grad()
def test_a_run_of_siameseims_release_computes_its_numbers(variant, tmp_path):
    """Prediction, target and loss of the formulas, with statistics of the batch."""
    keys, _, sizes, fields = VARIANTS[variant]
    content = siamese(variant)
    folder = imported(content, tmp_path).folder
    run, model, teacher = load_branches(folder.path)
    for key, value in fields.items():
        expected = pytest.approx(value) if isinstance(value, float) else value
        assert at(run, key) == expected, key
    for name, block in model.train().named_modules():
        if name.endswith("drop_path1") or name.endswith("drop_path2"):
            block.eval()
    (context, target), visible = views(), seen(4)
    mask = Mask(visible, torch.ones_like(visible))
    places = run.positions(context, target, run.grid)
    pred = model(context.image, places, mask)
    goal = teacher.train()(target, places.own, mask.predict)
    loss = sum(compare(run, pred, goal).values())
    expected = official.siamese_pass(
        content["model"], context, target, visible, sizes, normed="normed" in keys
    )
    for mine, theirs in zip((pred[0], goal[0], loss), expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_run_of_maes_release_computes_its_numbers(tmp_path):
    content = whole_mae()
    folder = imported(content, tmp_path).folder
    run, model, teacher = load_branches(folder.path)
    assert run.positions.first == "column" and run.target.normalise == "patch"
    (view, _), visible = views(), seen(3)
    mask, places = Mask(visible, ~visible), run.positions(view, view, run.grid)
    pred, goal = model(view.image, places, mask), teacher(view, places.own, mask.predict)
    loss = sum(compare(run, pred, goal).values())
    expected = official.mae_pass(content["model"], view.image, visible, SMALL)
    for mine, theirs in zip((pred[0], goal[0], loss), expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)
    found = ReconstructionExplorer(folder.path, to_bytes(view.image[0])[None]).reconstructed()
    assert found.lost.isfinite().sum() == run.masking.hidden(run.grid)


@pytest.mark.parametrize("variant", [*VARIANTS, "MAE"])
def test_what_is_read_is_written_back_bit_for_bit(variant, tmp_path):
    content = whole_mae() if variant == "MAE" else siamese(variant)
    folder = imported(content, tmp_path).folder
    write_release(folder.path, tmp_path / "again.pth")
    again = read(tmp_path / "again.pth")
    assert vars(again.pop("args")) == vars(content["args"])
    same(again, {key: value for key, value in content.items() if key != "args"})


def read(path):
    with torch.serialization.safe_globals([Namespace]):
        return torch.load(path, weights_only=True)


def test_the_files_settings_are_the_runs(tmp_path):
    """The arguments of the release's own command, at 196 patches."""
    args = dict(
        batch_size=64, world_size=64, epochs=1600, warmup_epochs=40, lr=1e-3, seed=0,
        blockwise_num_masking_patches=118, input_size=224,
    )  # fmt: skip
    sizes = Sizes(width=32, depth=1, decoder=16, projector=2, predictor=4, patch=2, grid=14)
    content = official.checkpoint(siamese_weights(sizes), siamese_args(**args), 1599, 499_200)
    made = imported(content, tmp_path, "data=scenes")
    networks = (
        "size=28", "model.width=32", "model.depth=1", "model.heads=1", "model.patch=2",
        "prediction.width=16",
    )  # fmt: skip
    expected = siameseim().change(*networks, "steps=499200")
    assert made.folder.run().differences(expected) == []
    assert made.about == (
        "SiameseIM ViT 32×1/2 with 1 heads after step 499,200 of 499,200: encoder, projector, "
        "predictor, momentum branch and moments of AdamW; 186 keys used, 0 unused"
    )


def test_where_nothing_tells_the_settings_they_are_the_recipes(tmp_path):
    content = {"model": mae_weights() | {"head.weight": torch.zeros(2, 2)}}
    made = imported(content, tmp_path)
    sizes = (
        "size=12", "model.width=64", "model.depth=2", "model.heads=1", "model.patch=4",
        "prediction.width=32", "prediction.depth=2",
    )  # fmt: skip
    assert made.folder.run().differences(mae().change(*sizes)) == []
    assert made.about.endswith("; AdamW starts from scratch; 62 keys used, 1 unused (head.weight)")
    write_release(made.folder.path, tmp_path / "again.pth")
    again = read(tmp_path / "again.pth")
    assert list(again) == ["model", "args"]
    same(again["model"], content["model"])


@pytest.mark.parametrize("content", [siamese, whole_mae], ids=["SiameseIM", "MAE"])
def test_an_imported_run_is_measured_and_goes_on(content, tmp_path, images):
    """Its encoder is that of the file; two more epochs end as training on from the moments."""
    told = content(epoch=1)
    folder = imported(told, tmp_path, "compute.precision=float32").folder
    file, run = open_model(tmp_path / "official.pth"), folder.run()
    assert (run.steps, folder.encoder.exists()) == (20, False)
    own, theirs = (features(m.model, views()[0].image) for m in (open_model(folder.path), file))
    torch.testing.assert_close(own.patches, theirs.patches, atol=1e-5, rtol=1e-5)
    train(run, folder.path, images, resume=True)
    assert [line["step"] for line in folder.lines()] == [20]
    write_release(folder.path, tmp_path / "later.pth")
    later = read(tmp_path / "later.pth")
    assert list(later["model"]) == list(told["model"]) and later["epoch"] == 3
    assert {float(v["step"]) for v in later["optimizer"]["state"].values()} == {20.0}
    stays = {k for k, v in told["model"].items() if torch.equal(later["model"][k], v)}
    stem = {"patch_embed.proj.weight", "patch_embed.proj.bias"} if content is siamese else set()
    assert stays == {"pos_embed", "decoder_pos_embed"} | stem


@pytest.fixture(scope="module")
def images():
    pixels = torch.randint(0, 256, (16, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    return plain(pixels.to(torch.uint8), torch.zeros(16, dtype=torch.long), ["thing"])


NAMES = {
    "cls_token": "encoder.vit.cls_token",
    "blocks.1.mlp.fc2.bias": "encoder.vit.blocks.1.mlp.fc2.bias",
    "decoder_embed.weight": "projectors.0.layers.0.weight",
    "projector_decoder_blocks.0.norm1.bn.bias": "projectors.0.layers.1.0.norm1.bias",
    "predictor_decoder_blocks.1.attn.qkv.weight": "predictors.0.blocks.1.attn.qkv.weight",
    "decoder_pred.bias": "predictors.0.out.bias",
    "mask_token": "predictors.0.mask_token",
    "decoder_pos_mlp.weight": "predictors.0.query.linear.weight",
}


def test_moments_belong_to_their_weights(tmp_path):
    content = siamese(epoch=2)
    folder = imported(content, tmp_path).folder
    state = new_state(folder.run())
    assert checkpoint.restore(checkpoint.newest(folder.checkpoints)[0], state) == 15
    own = dict(state.model.named_parameters())
    free, decaying = official.numbered(content["model"])
    order = [*free, *decaying]
    assert len(state.optimiser.state) == len(order)
    for key, name in NAMES.items():
        saved, kept = content["optimizer"]["state"][order.index(key)], state.optimiser.state
        for part in ("exp_avg", "exp_avg_sq"):
            mine = kept[own[name]][part]
            assert torch.equal(mine, saved[part].reshape(mine.shape)), key
    decays = {id(p) for p in state.optimiser.param_groups[0]["params"]}
    assert {name for name, p in own.items() if id(p) in decays} >= {NAMES["mask_token"]}
    assert [len(g["params"]) for g in state.optimiser.param_groups] == [len(decaying), len(free)]


def test_siameseims_release_has_450_keys():
    run = siameseim()
    with torch.device("meta"):
        names = official_names("SiameseIM", new_state(run))
    assert len([*names, *constants("SiameseIM", run), "mm_mask_token"]) == 450


def test_the_eye_and_the_probe_take_a_finished_run(tmp_path, images, capsys):
    path, out = saved(siamese(epoch=3), tmp_path), tmp_path / "runs" / "sim"
    assert main(["import", str(path), "--out", str(out), "data=scenes", "data.images=20"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("SiameseIM ViT 64×2/4 with 1 heads after step 20 of 20: encoder,")
    assert f"The run is in {out}" in said
    assert RunFolder(out).encoder.exists() and open_model(out).run == RunFolder(out).run()
    eye = EyeExplorer(out, images.pixels)
    assert eye.expected().prediction.shape == (9, 32)
    assert "expected at random" in eye.scene().text


@pytest.mark.parametrize("recipe", [siameseim, mae])
def test_a_run_of_ones_own_becomes_a_release_and_the_same_run_again(recipe, tmp_path, images):
    """Also in the middle of it."""
    small = (
        "size=12", "model.width=64", "model.depth=1", "model.heads=1", "model.patch=4", "batch=4",
        "steps=3", "prediction.width=32", "prediction.depth=1", "seed=5", "save_every=1",
    )  # fmt: skip
    theirs = ["masking.smallest=1.0"] if recipe is siameseim else ["positions.first=row"]
    run = recipe().change(*small, *theirs)
    folder = train(run, tmp_path / "mine", images)
    for steps in (3, 2):
        out = tmp_path / f"{steps}.pth"
        assert main(["export", str(folder.path), "--to", str(out)]) == 0
        again = import_release(out, tmp_path / f"again {steps}")
        assert again.folder.run().differences(run) == ["save_every=1000"]
        assert f"after step {steps} of 3:" in again.about
        for mine, theirs in zip(*map(branches, (folder.path, again.folder.path)), strict=True):
            same(mine, theirs)
        shutil.rmtree(checkpoint.found(folder.checkpoints)[-1])


SMALL_RUN = (
    "size=12", "model.width=64", "model.depth=1", "model.heads=1", "model.patch=4", "batch=4",
    "steps=2", "prediction.width=32", "prediction.depth=1", "model.class_std=0.02",
)  # fmt: skip


@pytest.mark.parametrize("recipe", [siameseim, mae])
def test_a_run_that_began_from_weights_becomes_a_release_and_a_run_again(recipe, tmp_path, images):
    """Continued pre-training: the networks are those of a run with random weights."""
    theirs = "masking.smallest=1.0" if recipe is siameseim else "positions.first=column"
    run = recipe().change(*SMALL_RUN, theirs)
    first = train(run, tmp_path / "first", images)
    later = run.change(f"model.init={first.path}", "seed=6")
    folder, out = train(later, tmp_path / "later", images), tmp_path / "later.pth"
    assert main(["export", str(folder.path), "--to", str(out)]) == 0
    again = import_release(out, tmp_path / "again").folder
    pixels = views()[0].image
    mine, back = (features(open_model(f.path).model, pixels) for f in (folder, again))
    torch.testing.assert_close(back.patches, mine.patches, atol=1e-5, rtol=1e-5)
    for mine, theirs in zip(*map(branches, (folder.path, again.path)), strict=True):
        same({k: v for k, v in mine.items() if not k.endswith("kept")}, theirs)
    keys = [list(read(p)["model"]) for p in (out, exported(first, tmp_path))]
    assert keys[0] == keys[1]


def exported(folder, tmp_path):
    write_release(folder.path, tmp_path / "first.pth")
    return tmp_path / "first.pth"


def test_the_places_of_other_weights_are_in_the_releases_table(tmp_path, images):
    """A SiameseIM that began from an MAE, the column first, by the formulas of the release."""
    weights = saved({"model": mae_weights()}, tmp_path, "mae.pth")
    words = ("model.depth=2", "model.norm=layer", "prediction.depth=1", "steps=1")
    run = siameseim().change(*SMALL_RUN, "masking.smallest=1.0", *words, f"model.init={weights}")
    with pytest.raises(UserError, match="networks have model.norm=none"):
        write_release(train(run, tmp_path / "normed", images).path, tmp_path / "out.pth")
    plain_weights = {k: v for k, v in mae_weights().items() if not k.startswith("norm.")}
    saved({"model": plain_weights}, tmp_path, "mae.pth")
    folder = train(run.change("model.norm=none"), tmp_path / "run", images)
    write_release(folder.path, tmp_path / "out.pth")
    written = read(tmp_path / "out.pth")["model"]
    assert torch.allclose(written["pos_embed"], plain_weights["pos_embed"], atol=1e-5)
    _, model, _ = load_branches(folder.path)
    (context, target), visible = views(), seen(4)
    mask = Mask(visible, torch.ones_like(visible))
    places = run.positions(context, target, run.grid)
    with torch.no_grad():
        pred = model.train()(context.image, places, mask)
    expected = official.siamese_pass(written, context, target, visible, SMALL)
    torch.testing.assert_close(pred[0], expected[0], atol=1e-5, rtol=1e-5)
    with pytest.raises(UserError, match="row first in one table of sines"):
        import_release(tmp_path / "out.pth", tmp_path / "again")


def branches(path):
    return [dict(network.state_dict()) for network in load_branches(path)[1:]]


def without(content, *starts):
    kept = {k: v for k, v in content["model"].items() if not k.startswith(starts)}
    return content | {"model": kept}


def changed(content, **tensors):
    return content | {"model": content["model"] | tensors}


def fewer(content):
    first, *rest = content["optimizer"]["param_groups"]
    groups = [first | {"params": first["params"][1:]}, *rest]
    return content | {"optimizer": content["optimizer"] | {"param_groups": groups}}


LEARNED = torch.full((1, 10, 64), 0.5)
COLUMNS = official.table(32, 3, column_first=True)
BAD = {
    "encoder alone": (
        lambda: without(whole_mae(), "decoder", "mask_token"),
        "holds MAE's encoder, but not all networks .*measure it as it is by `siamlab probe .*pth`",
    ),
    "no momentum branch": (
        lambda: without(siamese(), "mm_"), "without its momentum branch .*model.init=.*official",
    ),
    "no predictor": (
        lambda: without(siamese(), "decoder_pos_mlp"), "without its predictor .decoder_pos_mlp.",
    ),
    "another depth": (
        lambda: without(siamese(), "mm_blocks.1"),
        "two different networks: blocks has 2 blocks and its momentum copy mm_blocks has 1; .* "
        "take the file as its program wrote it, or only its encoder: model.init=",
    ),
    "a key less": (
        lambda: without(siamese(), "blocks.1.mlp.fc1.bias"),
        "a mixture of two files, or .*: blocks.1.mlp.fc1.bias is missing there and .256. in",
    ),
    "a key more": (
        lambda: changed(siamese(), **{"blocks.0.attn.relative": torch.zeros(3)}),
        "blocks.0.attn.relative is .3. there and missing in the run",
    ),
    "another shape": (
        lambda: changed(whole_mae(), **{"decoder_pred.weight": torch.zeros(12, 32)}),
        "decoder_pred.weight is .12, 32. there and .48, 32. in the run",
    ),
    "no decoder's width": (
        lambda: without(siamese(), "decoder_embed.weight"),
        "is incomplete: its 'decoder_embed.weight' is missing",
    ),
    "learned places": (
        lambda: changed(whole_mae(), pos_embed=LEARNED), "a pos_embed that is not a table of sines",
    ),
    "two orders": (
        lambda: changed(siamese(), decoder_pos_embed=COLUMNS), "the row first in one table",
    ),
    "columns": (
        lambda: changed(
            siamese(), decoder_pos_embed=COLUMNS, pos_embed=official.table(64, 3, True)
        ),
        "with the column first, but those of SiameseIM have the row first",
    ),
    "a norm that was trained": (
        lambda: changed(
            siamese("normed, constant, least rate"), **{"student_norm.bias": torch.ones(32)}
        ),
        "another student_norm.bias than SiameseIM's program",
    ),
    "another optimiser": (lambda: fewer(siamese()), "optimiser of other weights .* are trained"),
    "a word for a number": (
        lambda: siamese(mm="fast"), "records settings that a run cannot have: target.start=fast",
    ),
    "no number": (lambda: siamese(batch_size=None), "settings that are not numbers"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_is_no_whole_checkpoint_is_refused(case, tmp_path):
    """In one sentence, and no folder is left."""
    make, sentence = BAD[case]
    path = saved(make(), tmp_path)
    with pytest.raises(UserError, match=sentence) as error:
        import_release(path, tmp_path / "run")
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    assert not (tmp_path / "run").exists()


def test_words_places_and_damaged_files_are_refused(tmp_path, capsys):
    path, out = saved(siamese(), tmp_path), tmp_path / "run"
    for words, sentence in (
        (["model.depth=3"], "blocks.2.norm1.weight is missing there and [64] in the run"),
        (["target=online"], "its networks have target=momentum, and the run has target=online"),
        (["modl.depth=3"], "a run has no key 'modl'"),
        (["model.init=zoo:mae"], f"continues the weights of {path}; leave model.init out"),
    ):
        assert main(["import", str(path), "--out", str(out), *words]) == 2
        assert sentence in capsys.readouterr().err and not out.exists()
    half = tmp_path / "half.pth"
    half.write_bytes(path.read_bytes()[:20_000])
    assert main(["import", str(half)]) == 2 and "cut short or damaged" in capsys.readouterr().err
    out.mkdir()
    (out / "other.txt").write_text("mine")
    assert main(["import", str(path), "--out", str(out)]) == 2
    assert "exists and is not empty" in capsys.readouterr().err


def test_a_full_disk_leaves_no_part_of_a_run(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    path, runs = saved(siamese(), tmp_path), tmp_path / "runs"
    monkeypatch.setattr("siamlab.train.checkpoint.write_weights", full)
    with pytest.raises(UserError, match="run cannot be written .No space left on device.; free"):
        import_release(path, runs / "run")
    assert not any(runs.iterdir())


@pytest.mark.parametrize(
    "changes, sentence",
    [
        (["target=online"], "SiameseIM's release: its networks have target=momentum, and the run"),
        (["positions=offset"], "have positions=relative, and the run has positions=offset"),
        (["prediction.projector=0"], "have prediction.projector=1, and the run has .*projector=0"),
        (["model.registers=2"], "have model.registers=none, and the run has model.registers=2"),
        (["size=[12, 16]"], "its views are square, and the run has size=.12, 16."),
        (["target=pixels", "positions=own"], "MAE's release: its networks have prediction.end=lay"),
    ],
)
def test_a_run_of_another_method_is_not_written(changes, sentence, tmp_path):
    run = siameseim().change(
        "size=12", "model.patch=4", "model.width=8", "model.depth=1", "model.heads=1",
        "prediction.width=32", *changes,
    )  # fmt: skip
    folder = RunFolder(tmp_path / "run")
    folder.create(run)
    with pytest.raises(UserError, match=sentence):
        write_release(folder.path, tmp_path / "out.pth")
    assert not (tmp_path / "out.pth").exists()


def test_only_runs_at_their_own_size_are_written_as_releases(tmp_path, capsys):
    out = str(tmp_path / "out.pth")
    assert main(["export", "zoo:scenes_mae", "--to", out]) == 2
    assert "scenes_mae is not a run's folder" in capsys.readouterr().err
    assert main(["export", "zoo:scenes_mae", "--to", out, "--size", "80"]) == 2
    assert "leave out --size 80" in capsys.readouterr().err
    assert not (tmp_path / "out.pth").exists()
