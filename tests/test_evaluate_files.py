"""Scores in a run's folder: kept if they can be, reported if not, never over damaged ones."""

import json
import os
import shutil

import numpy as np
import polars as pl
import pytest
from PIL import Image
from test_train import noise, tiny
from test_train_faults import locked

from siamlab.component import UserError
from siamlab.data import Folder
from siamlab.evaluate.files import keep_rows
from siamlab.evaluate.models import NamedModel
from siamlab.machine.sums import unsigned
from siamlab.train import RunFolder, train

KINDS = '[{"model": "mae", "probe": ["knn"]}]'  # of values that are none of a row


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tiny(), tmp_path_factory.mktemp("scores") / "run", noise()).path


@pytest.fixture
def folder(trained, tmp_path):
    return RunFolder(shutil.copytree(trained, tmp_path / "run"))


def scores(value, protocol="p"):
    row = dict(model="run", layer=None, head=None, probe="knn", protocol=protocol, value=value)
    return pl.DataFrame([row])


def keep(folder, value, protocol="p"):
    keep_rows(scores(value, protocol), {str(folder.path): NamedModel("run", None, None)})


def kept(folder):
    rows = json.loads((folder.path / "probes.json").read_text())
    return [unsigned(row)["value"] for row in rows]


def test_rows_of_another_protocol_stay_and_those_of_the_same_are_replaced(folder):
    for value, protocol in ((0.1, "p"), (0.2, "q"), (0.3, "p")):
        keep(folder, value, protocol)
    assert kept(folder) == [0.2, 0.3]


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", "null", '[{"a": 1, "checksum": "0"}]', "\xff", '[{"model": 1}]', KINDS],
)
def test_damaged_scores_are_kept_beside_and_it_is_said(text, folder):
    (folder.path / "probes.json").write_text(text, "latin1")
    with pytest.warns(UserWarning, match="probes.json was damaged; it is kept as probes.damaged"):
        keep(folder, 0.5)
    assert kept(folder) == [0.5]
    assert (folder.path / "probes.damaged.json").read_text("latin1") == text


def test_no_flipped_bit_of_a_score_goes_unseen(folder):
    keep(folder, 0.25)
    text = (folder.path / "probes.json").read_text()
    for damaged in (text.replace("0.25", "0.35"), text.replace('"knn"', '"kNn"')):
        (folder.path / "probes.json").write_text(damaged)
        with pytest.warns(UserWarning, match="probes.json was damaged"):
            keep(folder, 0.5, "q")
        assert kept(folder) == [0.5]


def test_a_run_that_may_not_be_written_is_probed_and_it_is_said(folder):
    with locked(folder.path, 0o500), pytest.warns(UserWarning, match="not kept in .*: Permission"):
        keep(folder, 0.5)
    assert not (folder.path / "probes.json").exists()


@pytest.mark.parametrize("name", ["probes.json", "metrics.jsonl"])
def test_a_run_with_links_out_of_it_gets_no_scores(name, folder, tmp_path):
    (tmp_path / "outside").write_text("[]")
    (folder.path / name).unlink(missing_ok=True)
    (folder.path / name).symlink_to(tmp_path / "outside")
    with pytest.warns(UserWarning, match=f"not kept in .*: .*{name} is a link to .*outside"):
        keep(folder, 0.5)
    assert (tmp_path / "outside").read_text() == "[]"


def test_an_image_folder_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    for name in ("cats", "dogs"):
        os.makedirs(tmp_path / "photos" / name)
        for i in range(2):
            image = Image.fromarray(np.full((8, 8, 3), 40 * i, np.uint8))
            image.save(tmp_path / "photos" / name / f"{i}.png")
    photos = Folder(path=str(tmp_path / "photos"), side=8)
    with locked(tmp_path / "photos" / "dogs", 0):
        with pytest.raises(UserError, match="photos/dogs cannot be read .Permission denied.; make"):
            photos("train")
    assert photos("train").classes == ("cats", "dogs")
