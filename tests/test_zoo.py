"""The trained encoders that come with siamlab load, say who made them, and know something."""

import hashlib
from pathlib import Path

import pytest
import torch

from siamlab import zoo
from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.evaluate.models import open_model
from siamlab.probe import features, knn
from siamlab.train import run_of, untrained

SCENES = ("scenes_mae", "scenes_moco_v3", "scenes_siameseim")


@pytest.fixture(scope="module")
def scenes():
    data = Scenes(images=1500, test_images=400)
    return data("train"), data("test")


def accuracy(model, train, test):
    seen = [features(model, images.pixels).pooled for images in (train, test)]
    return knn(seen[0], train.labels, seen[1], test.labels).value


@pytest.mark.parametrize("name", SCENES)
def test_each_knows_more_of_the_image_than_before_training(name, scenes):
    run = run_of(zoo.file(name))
    assert f"scenes_{run.name}" == name
    assert (
        accuracy(open_model(f"zoo:{name}").model, *scenes)
        > accuracy(untrained(run), *scenes) + 0.03
    )


@pytest.mark.parametrize("name", [name for name in zoo.names() if name not in SCENES])
def test_those_of_photographs_say_who_made_them_and_no_machines_paths(name):
    run = run_of(zoo.file(name))
    assert run.name == name and run.data.kind == "cifar10" and run.data.path == ""
    assert run.grid == (8, 8) and run.compute.threads == 0
    assert open_model(f"zoo:{name}").model(torch.rand(2, 3, 32, 32)).isfinite().all()


def test_their_scores_come_with_them_and_siameseim_is_first_on_both():
    """By more than the intervals, and MoCo-v3's patches know less of where than random ones."""
    scores = zoo.scores()
    models = [f"zoo:{name}" for name in zoo.names() if name not in SCENES]
    assert sorted(scores["model"].unique()) == sorted([*models, "untrained"])
    for probe in ("semantic", "spatial"):
        rows = {row["model"]: row for row in scores.filter(probe=probe).to_dicts()}
        first = rows.pop("zoo:siameseim")
        assert all(first["low"] > row["high"] for row in rows.values())
        assert rows["zoo:mae"]["low"] > rows["untrained"]["high"]
    assert rows["zoo:moco_v3"]["high"] < rows["untrained"]["low"]  # on the spatial score


def test_scores_of_some_models_are_theirs_and_the_untrained_networks():
    wanted = ["zoo:moco_v3", "zoo:mae"]
    assert list(dict.fromkeys(zoo.scores(wanted)["model"])) == ["untrained", *wanted]
    assert zoo.has_scores(["zoo:mae", "zoo:siameseim"])
    assert not zoo.has_scores(["zoo:mae", "zoo:scenes_mae"])
    with pytest.raises(UserError, match="no scores of 'zoo:scenes_mae'"):
        zoo.scores(["zoo:scenes_mae"])


def test_the_zoo_is_a_few_megabytes_and_names_what_it_has():
    assert {"mae", "moco_v3", "siameseim", *SCENES} <= set(zoo.names())
    assert sum(f.stat().st_size for f in zoo.HERE.rglob("*") if f.is_file()) < 15e6
    told = (zoo.HERE / "README.md").read_text()
    assert all(f"`{name}`" in told for name in zoo.names())


def test_loading_twice_gives_the_same_numbers():
    image = torch.rand(2, 3, 40, 40)
    first, second = (open_model("zoo:scenes_mae").model(image) for _ in range(2))
    assert torch.equal(first, second)


def test_no_flipped_bit_goes_unseen(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "HERE", tmp_path)
    monkeypatch.setattr(zoo, "SUMS", tmp_path / "checksums.sha256")
    for name in ("scenes_mae.safetensors", "siameseim/run.toml", "scores.parquet"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes((Path(zoo.__file__).parent / name).read_bytes())
        zoo.write_sums()
        assert open_it(name) is not None
        zoo._whole.cache_clear()
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 8
        file.write_bytes(data)
        with pytest.raises(UserError, match=f"{name} is damaged.*install siamlab again"):
            open_it(name)
        file.unlink()
        zoo._whole.cache_clear()


def open_it(name):
    if name == "scores.parquet":
        return zoo.scores()
    return zoo.file(name.partition("/")[0].removesuffix(".safetensors"))


def test_the_shipped_files_are_those_of_the_list():
    listed = [line.split("  ")[1] for line in zoo.SUMS.read_text().splitlines()]
    there = [f for f in zoo.HERE.rglob("*") if f.suffix in zoo.KINDS]
    assert sorted(listed) == sorted(f.relative_to(zoo.HERE).as_posix() for f in there)
    for name in zoo.names():
        zoo.file(name)


def test_the_committed_tables_of_studies_are_whole():
    results = Path(__file__).parents[1] / "studies" / "results"
    for line in (results / "checksums.sha256").read_text().splitlines():
        digits, name = line.split("  ")
        assert hashlib.sha256((results / name).read_bytes()).hexdigest() == digits, name
    listed = {
        line.split("  ")[1] for line in (results / "checksums.sha256").read_text().splitlines()
    }
    tables = list(results.rglob("*.parquet"))
    assert {f.relative_to(results).as_posix() for f in tables} == listed


def test_an_unknown_model_is_refused_by_name():
    with pytest.raises(UserError, match="no model 'siamese'; did you mean 'siameseim'"):
        zoo.file("siamese")
    with pytest.raises(UserError, match="zoo:mae is an encoder only: .* as those of zoo:sia"):
        zoo.branches("mae")
