"""Features in a file: the numbers that probes see, with the images that they belong to."""

import os
import re

import polars
import pytest
import torch
from PIL import Image

from siamlab.cli.main import main
from siamlab.cli.probe import folder_or_source
from siamlab.component import UserError
from siamlab.data import Folder, Scenes
from siamlab.evaluate.embed import check_embeddings, embed, embed_source
from siamlab.evaluate.models import open_model
from siamlab.probe import features, inputs
from siamlab.probe.suite.passes import Passes

MODEL = "zoo:scenes_mae"


@pytest.fixture(scope="module")
def scenes():
    return Scenes(images=12, test_images=6, side=40)


@pytest.fixture(scope="module")
def photos(tmp_path_factory, scenes):
    """Twelve files in two class folders, and their pixels by name."""
    root, found = tmp_path_factory.mktemp("photos"), {}
    for i, pixels in enumerate(scenes("train").pixels):
        name = f"{'ab'[i % 2]}/{i}.png"
        (root / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(root / name)
        found[name] = pixels
    return root, found


def test_a_row_per_image_has_the_features_of_probes(scenes):
    named, images = open_model(MODEL), scenes("test")
    table, found = embed(named, images), features(named.model, images.pixels)
    assert table.columns == ["label", "class", "pooled", "cls"]
    assert torch.equal(table["pooled"].to_torch(), found.pooled)
    assert torch.equal(table["cls"].to_torch(), found.cls)
    assert table["class"].to_list() == [images.classes[i] for i in images.labels]


def test_a_row_per_patch_goes_row_by_row(scenes):
    named, images = open_model(MODEL), scenes("test")
    table, found = embed(named, images, patches=True), features(named.model, images.pixels)
    assert len(table) == 6 * 25 and table["label"].to_list()[:26] == [
        *[images.labels[0]] * 25,
        images.labels[1],
    ]
    seven = table.filter(row=1, column=2)
    assert torch.equal(seven["patch"].to_torch(), found.patches[:, 7])


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("patches", [False, True])
def test_16_bits_change_the_features_as_in_probes(patches, precision, scenes):
    named, images = open_model(MODEL), scenes("test")
    table = embed(named, images, patches, precision)
    exact = embed(named, images, patches)
    found = Passes(named.model, inputs(named.model), precision=precision).features(images.pixels)
    own = found.patches.flatten(0, 1) if patches else found.pooled
    column = "patch" if patches else "pooled"
    assert torch.equal(table[column].to_torch(), own) and table.schema == exact.schema
    apart = (own - exact[column].to_torch()).norm() / own.norm()
    assert 1e-5 < apart < (2e-2 if precision == "bfloat16" else 2e-3)


def test_the_command_and_its_file_tell_the_precision(photos, tmp_path, capsys):
    words = ["embed", MODEL, "--data", str(photos[0])]
    for precision, told in (("float32", ""), ("bfloat16", ", computed in bfloat16")):
        out = tmp_path / f"{precision}.parquet"
        assert main([*words, "--precision", precision, "--out", str(out)]) == 0
        assert f" numbers each{told}: {out}" in capsys.readouterr().out
        about = polars.read_parquet_metadata(out)
        assert about["precision"] == precision and about["model"] == MODEL
        assert about["size"] == "40 × 40"


def test_features_that_are_not_finite_are_not_written(scenes):
    named, images = open_model(MODEL), scenes("test")
    with torch.no_grad():
        named.model.patch_embed.proj.bias.fill_(1e5)  # float16 ends at 65,504
    with pytest.raises(UserError, match="exceed float16; choose --precision bfloat16"):
        embed(named, images, precision="float16")
    torch.nn.init.constant_(named.model.norm.bias, torch.nan)
    with pytest.raises(UserError, match="are not finite"):
        embed(named, images)


def test_labels_that_are_not_known_are_null(scenes):
    images = scenes("test")
    images = images._replace(labels=torch.where(torch.arange(6) == 2, -1, images.labels))
    table = embed(open_model(MODEL), images)
    assert table["label"].null_count() == table["class"].null_count() == 1
    assert table["label"][2] is None


@pytest.mark.parametrize("patches", [False, True])
def test_every_file_of_a_folder_is_named_beside_its_features(patches, photos, tmp_path, capsys):
    root, pixels = photos
    out = tmp_path / "features.parquet"
    words = ["embed", MODEL, "--data", str(root), "--out", str(out)]
    assert main([*words, *["--patches"] * patches]) == 0
    table = polars.read_parquet(out)
    width = table.schema["patch" if patches else "pooled"].size
    count = "300 patches" if patches else "12 images"
    assert capsys.readouterr().out == f"{count}, {width} numbers each: {out}\n"
    assert sorted(table["file"].unique()) == sorted(pixels)
    assert set(table["split"]) == {"train", "test"}
    assert all(row["file"][0] == row["class"] for row in table.iter_rows(named=True))


def test_words_change_the_folder_that_data_names(photos):
    root, models = str(photos[0]), [open_model(MODEL)]
    source = folder_or_source(root, models, ["data.test_fraction=0.5"])
    assert source == Folder(path=root, side=46, test_fraction=0.5)
    with pytest.raises(UserError, match="data=folder has no key 'sid'; did you mean 'side'"):
        folder_or_source(root, models, ["data.sid=30"])


def test_a_source_goes_before_a_folder_of_its_name(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenes").symlink_to(photos[0])
    models = [open_model(MODEL)]
    assert folder_or_source("scenes", models, []).kind == "scenes"
    assert folder_or_source("./scenes", models, []) == Folder(path="./scenes", side=46)


def test_commands_on_models_take_a_folder_by_its_path(photos, tmp_path, capsys):
    root = str(photos[0])
    few = ["--data", root, "--images", "6", "--test-images", "2"]
    assert main(["probe", MODEL, "--no-weights", *few]) == 0
    assert "probed on folder, 46 pixels a side" in capsys.readouterr().out
    assert main(["leaderboard", "add", MODEL, *few, "--to", str(tmp_path / "b.parquet")]) == 0
    assert "folder at 40 pixels" in " ".join(polars.read_parquet(tmp_path / "b.parquet")["board"])


@pytest.mark.parametrize(
    "words", [["probe", MODEL], ["probe", MODEL, "--suite", "voc"], ["embed", MODEL]]
)
def test_two_folders_are_one_too_many(words, photos, tmp_path, capsys):
    out = ["--out", str(tmp_path / "x.parquet")]
    assert main([*words, "--data", str(photos[0]), "data.path=other", *out]) == 2
    said = capsys.readouterr().err
    assert f"--data {photos[0]} and data.path=other name two folders; leave one of them" in said


def test_the_folder_of_a_standard_set_is_that_of_data(photos, capsys):
    assert main(["probe", MODEL, "--suite", "voc", "--data", str(photos[0])]) == 2
    assert f"data.path='{photos[0]}' must be PASCAL VOC 2012" in capsys.readouterr().err


def test_a_sample_keeps_the_numbers_of_its_images(photos):
    root, pixels = photos
    source = Folder(path=str(root), side=40)
    whole = embed_source(open_model(MODEL), source, "train")
    some = embed_source(open_model(MODEL), source, "train", count=4)
    assert len(some) == 4 and some.equals(whole.join(some, ["split", "image"], "semi"))
    file, vector = some["file"][1], some["pooled"].to_torch()[1]
    alone = features(open_model(MODEL).model, pixels[file][None]).pooled[0]
    torch.testing.assert_close(vector, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "words, sentence",
    [
        ("--out features.csv", "--out features.csv must end in .parquet; try features.parquet"),
        ("--out none/f.parquet", "--out none/f.parquet: the folder none does not exist; create it"),
        (
            "--out f.parquet loss=cosine",
            "embed takes one model, data=... and data.key=value, but not 'lo",
        ),
        ("--out f.parquet --data nowhere", "data: there is no folder 'nowhere' in "),
        ("--out f.parquet --device cuda", "--device cuda .* asks for a GPU, but torch finds none"),
        ("--out f.parquet --size 41", "must be a multiple of zoo:scenes_mae's patch of 8 pixels"),
    ],
)
def test_mistakes_are_said_in_one_sentence(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["embed", MODEL, *words.split()]) == 2
    error = capsys.readouterr().err
    assert re.search(sentence, error) and error.count("\n") == 1 and not any(tmp_path.iterdir())


def test_a_link_to_nothing_is_replaced(tmp_path):
    (tmp_path / "f.parquet").symlink_to("nowhere/f.parquet")
    check_embeddings(str(tmp_path / "f.parquet"))


def test_two_sources_of_images_are_refused(tmp_path, capsys):
    words = ["embed", MODEL, "--data", "scenes", "data=fashion", "--out", f"{tmp_path}/f.parquet"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "--data scenes and data=fashion name two sources of images; leave one" in said


def test_a_disk_that_is_full(scenes, tmp_path, monkeypatch):
    from siamlab.evaluate.embed import write_embeddings

    def full(*args, **options):
        raise OSError("no space left on device")

    table = embed(open_model(MODEL), scenes("test"))
    monkeypatch.setattr(polars.DataFrame, "write_parquet", full)
    with pytest.raises(UserError, match="features.parquet cannot be written .the disk is full"):
        write_embeddings(table, tmp_path / "features.parquet")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("patches", [(), ("--patches",)])
def test_names_that_are_no_utf8_are_written_as_escapes(patches, tmp_path, monkeypatch):
    """Old cameras and archives name files in Latin-1."""
    monkeypatch.chdir(tmp_path)
    for name in (b"caf\xe9/1.png", b"caf\xe9/2.png", b"bar/\xe9.png", b"bar/2.png"):
        os.makedirs(os.path.dirname(b"photos/" + name), exist_ok=True)
        with open(b"photos/" + name, "wb") as file:
            Image.new("RGB", (8, 8)).save(file, "PNG")
    out = os.fsdecode(b"caf\xe9.parquet")
    words = ("--data", "photos", "--out", out, *patches)
    assert main(["embed", "zoo:scenes_mae", *words]) == 0
    with open(out, "rb") as file:
        found = polars.read_parquet(file)
    assert set(found["class"]) == {r"caf\xe9", "bar"}
    assert {r"caf\xe9/1.png", r"bar/\xe9.png"} <= set(found["file"])
