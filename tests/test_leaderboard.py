"""The leaderboard: rows carry their origin, boards do not mix protocols, files are refused well."""

import json
import os
import shlex
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from shown_at import shown_at
from test_standard_segmentation import write_own
from test_train import noise, tiny
from torch import nn

from siamlab.cli.board import raw_pixels
from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.evaluate import leaderboard_sources
from siamlab.evaluate.leaderboard import (
    HOME,
    SCHEMA,
    Origin,
    added,
    board_name,
    boards,
    check_target,
    empty,
    leaderboard_file,
    measured_rows,
    one_board,
    origin,
    read_leaderboard,
    write_leaderboard,
)
from siamlab.evaluate.leaderboard_sources import kept_rows, published_rows, short_hash
from siamlab.evaluate.models import NamedModel, open_model
from siamlab.evaluate.standard import Regions
from siamlab.figure import leaderboard_figure, leaderboard_table
from siamlab.figure.leaderboard import has_plane
from siamlab.probe import features
from siamlab.probe.table import digest
from siamlab.report.leaderboard import board_text, how_to_add, main_probes
from siamlab.train import train

ROOT = Path(__file__).parent.parent
SETTINGS = {"resolution": [40, 40], "data.kind": "scenes", "data.test_images": 60, "k": 20,
            "data.train_images": 150, "data.test_drawn": "at random, of 90",
            "data.train_content": "aa", "data.test_content": "bb"}  # fmt: skip
DAY = date(2026, 11, 29)


def scores(points, **changes):
    """The long table of models {name: (semantic, spatial)}."""
    settings = json.dumps(SETTINGS | changes, sort_keys=True)
    return pl.DataFrame(
        [
            dict(model=model, layer=layer, head=None, probe=probe, title=f"{probe} score",
                 property=probe, value=value, low=value - 0.02, high=value + 0.02, chance=0.0,
                 ceiling=1.0, unit="0 chance, 1 ceiling", direction="higher",
                 protocol=digest(json.loads(settings)), settings=settings)
            for model, place in points.items()
            for probe, value in zip(("semantic", "spatial"), place, strict=True)
            for layer in (None, 1)
        ],
        schema_overrides={"layer": pl.Int64, "head": pl.Int64},
    )  # fmt: skip


def rows(points, board="b", weights="w", **changes):
    made = {model: Origin(weights, "0.1.0", "cpu", None, DAY) for model in points}
    return measured_rows(scores(points, **changes), board, made)


PUBLISHED = """\
board,model,probe,title,property,value,unit,direction,protocol,source,date
paper,MAE,miou,VOC,semantic,0.335,mIoU,higher,linear,a paper,2023-06-18
paper,DINO,miou,VOC,semantic,0.506,mIoU,higher,linear,a paper,2023-06-18
paper,MAE,normals,Normals,spatial,27.5,degrees,lower,probe,a paper,
paper,DINO,normals,Normals,spatial,34.3,degrees,lower,probe,a paper,
"""


@pytest.fixture
def paper(tmp_path):
    (path := tmp_path / "paper.csv").write_text(PUBLISHED)
    return path


def test_a_row_carries_weights_protocol_data_version_device_and_day():
    found = rows({"mae": (0.3, 0.6)})
    assert found.schema == pl.Schema(SCHEMA) and len(found) == 2  # no rows of single layers
    row = found.row(0, named=True)
    assert (row["weights"], row["data"], row["version"]) == ("w", "aa/bb", "0.1.0")
    assert (row["device"], row["date"], row["status"]) == ("cpu", DAY, "measured")
    assert row["protocol"] == digest(SETTINGS)


def test_the_origin_of_a_measurement_is_this_version_and_device():
    made = origin("w", "cpu", "rounded")
    assert made.device.startswith("cpu") and made.note == "rounded" and made.day and made.version


def test_a_board_does_not_mix_protocols_and_another_board_may():
    first = added(empty(), rows({"mae": (0.3, 0.6)}))
    other = rows({"moco": (0.5, 0.4)}, k=10)
    with pytest.raises(UserError, match="board 'b'.*mae and moco.*k: 20 and 10.*--board NAME"):
        added(first, other)
    both = added(first, rows({"moco": (0.5, 0.4)}, board="c", k=10))
    assert boards(both) == ["b", "c"] and one_board(both, "c")["model"].unique().to_list() == [
        "moco"
    ]
    with pytest.raises(UserError, match="no board 'bb'; did you mean 'b'"):
        one_board(both, "bb")


def test_a_model_is_replaced_by_itself_and_not_by_other_weights():
    first = added(empty(), rows({"mae": (0.3, 0.6), "moco": (0.5, 0.4)}))
    again = added(first, rows({"mae": (0.35, 0.6)}))
    assert len(again) == 4 and again.filter(model="mae", probe="semantic")["value"].item() == 0.35
    with pytest.raises(UserError, match="mae is on the board 'b' with other weights .*--name"):
        added(first, rows({"mae": (0.3, 0.6)}, weights="others"))


def test_the_file_comes_back_as_it_was(tmp_path, paper):
    table = added(added(empty(), rows({"mae": (0.3, 0.6)})), published_rows(paper))
    write_leaderboard(table, tmp_path / "board.parquet")
    assert read_leaderboard(tmp_path / "board.parquet").equals(table)


@pytest.mark.parametrize(
    "name, content, problem",
    [
        ("board.parquet", b"no table", "not a Parquet file, or is damaged"),
        ("missing.parquet", None, "there is no leaderboard"),
    ],
)
def test_a_file_that_is_no_leaderboard_is_refused(name, content, problem, tmp_path):
    if content:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=problem):
        read_leaderboard(tmp_path / name)


def test_a_table_without_the_columns_is_refused_and_so_are_bad_places(tmp_path):
    scores({"mae": (0.3, 0.6)}).write_parquet(tmp_path / "scores.parquet")
    with pytest.raises(UserError, match="no column"):
        read_leaderboard(tmp_path / "scores.parquet")
    for place, problem in {"b.csv": "must end in .parquet", "no/b.parquet": "not exist"}.items():
        with pytest.raises(UserError, match=problem):
            check_target(tmp_path / place)


def test_the_one_that_ships_has_the_origin_of_every_number():
    table = read_leaderboard(ROOT / HOME)
    measured, published = (table.filter(status=status) for status in ("measured", "published"))
    assert {"zoo:siameseim", "zoo:mae", "zoo:moco_v3", "CLIP ViT-B/16"} <= set(measured["model"])
    kept = measured.select("data", "version", "device", "date", "low", "high")
    assert kept.null_count().sum_horizontal().item() == 0
    without = measured.filter(pl.col("weights").is_null())["model"].unique()
    assert all(name.startswith("pixels") for name in without)
    assert "rounded" in measured.filter(model="CLIP ViT-B/16")["note"][0]
    assert published["source"].null_count() == 0
    assert published.equals(published_rows(ROOT / "docs/published.csv"))
    own = short_hash(open_model("zoo:mae").model)
    assert set(measured.filter(model="zoo:mae")["weights"]) == {own}


def test_the_file_of_a_checkout_is_found_from_below_it_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="--to FILE.parquet to add, --from"):
        leaderboard_file()
    for folder in ("docs", "siamlab/deep"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "docs/leaderboard.parquet").touch()
    monkeypatch.chdir(tmp_path / "siamlab/deep")
    assert leaderboard_file() == tmp_path / "docs/leaderboard.parquet"
    assert leaderboard_file("mine.parquet").name == "mine.parquet"


def test_published_values_have_a_source_and_a_protocol(paper):
    found = published_rows(paper)
    assert set(found["status"]) == {"published"} and set(found["source"]) == {"a paper"}
    assert found["date"].to_list() == [date(2023, 6, 18)] * 2 + [None] * 2
    assert found["weights"].null_count() == len(found) == 4
    assert found.filter(probe="miou")["protocol"].n_unique() == 1


@pytest.mark.parametrize(
    "old, new, problem",
    [
        ("0.335", "high", "line 2: value=high must be a number"),
        ("a paper,2023-06-18", ",2023-06-18", "line 2: source is empty"),
        ("semantic,0.335", "meaning,0.335", "property=meaning must be one of semantic, spatial"),
        ("mIoU,higher", "mIoU,up", "direction=up must be one of higher"),
        ("linear", '"{"', "whole JSON object"),
        ("2023-06-18", "June", "write days as 2023-06-18"),
        (",source", ",where", "no column source"),
        ("DINO,miou", "MAE,miou", "more than one value"),
        ("0.335", "1_000", "line 2: value=1_000 must be a number"),
        ("0.335", "０.５", "line 2: value=０.５ must be a number"),
        ("source,date", "source,low", "line 2: low=2023-06-18 must be a number"),
        ("2023-06-18", "2023-02-30", "line 2: date=2023-02-30 must be a day"),
        (PUBLISHED.partition("\n")[2], "", "has no rows; add a line for each"),
        (PUBLISHED, PUBLISHED.replace(",", ";"), "commas between them, and has board;model"),
        ("a paper", "un caf\udce9", "is not a table .it is not text in UTF-8.; give a CSV"),
    ],
)
def test_a_bad_published_value_is_refused_in_a_sentence(old, new, problem, paper):
    paper.write_text(PUBLISHED.replace(old, new, 1), errors="surrogateescape")
    with pytest.raises(UserError, match=problem):
        published_rows(paper)


def test_an_interval_holds_its_value(paper):
    paper.write_text(
        PUBLISHED.replace("source,date", "source,low,date").replace("paper,2", "paper,0.9,2")
    )
    with pytest.raises(UserError, match="line 2: value=0.335 must be from low=0.9 to high=0.335"):
        published_rows(paper)


@pytest.mark.parametrize("old, new, problem", [
    ("DINO,miou,VOC,semantic,0.506,mIoU", "DINO,miou,VOC,semantic,50.6,%",
     "board 'paper': unit of miou is 'mIoU' for MAE and '%' for DINO; give both one"),
    ("34.3,degrees,lower", "34.3,degrees,higher", "direction of normals is 'lower' for MAE"),
])  # fmt: skip
def test_a_board_has_one_unit_and_direction_for_each_probe(old, new, problem, paper):
    paper.write_text(PUBLISHED.replace(old, new))
    with pytest.raises(UserError, match=problem):
        added(empty(), published_rows(paper))


@pytest.mark.parametrize("column, value, problem", [
    ("value", pl.lit("high"), "conversion from `str` to `f64` failed"),
    ("value", pl.struct(a=1), "value is Struct"),
    ("value", pl.lit(None), "row 1: value is empty"),
    ("board", pl.lit(None), "row 1: board is empty"),
    ("date", pl.lit("2023"), "casting from string to date"),
    ("direction", pl.lit("up"), "row 1: direction=up must be higher, lower, neither"),
    ("settings", pl.lit("[]"), "row 1: settings must be a JSON object"),
])  # fmt: skip
def test_a_damaged_leaderboard_is_one_sentence(column, value, problem, tmp_path):
    table = rows({"mae": (0.3, 0.6)}).with_columns(value.alias(column))
    table.write_parquet(path := tmp_path / "board.parquet")
    with pytest.raises(UserError, match=problem) as error:
        read_leaderboard(path)
    assert "\n" not in str(error.value) and "as `siamlab leaderboard add` wrote it" in str(
        error.value
    )


def test_a_published_value_stands_beside_a_measured_one_only_under_its_protocol(tmp_path):
    board = added(empty(), rows({"mae": (0.3, 0.6)}))
    head, line = PUBLISHED.splitlines()[:2]
    line = line.replace("paper,MAE,miou", "b,MAE,semantic")
    line = line.replace("0.335,mIoU", '0.335,"0 chance, 1 ceiling"')
    (path := tmp_path / "p.csv").write_text(f"{head}\n{line}\n")
    with pytest.raises(UserError, match="mae and MAE were not measured alike"):
        added(board, published_rows(path))
    fields = json.dumps(SETTINGS, sort_keys=True).replace('"', '""')
    path.write_text(f"{head}\n{line}\n".replace("linear", f'"{fields}"'))
    assert len(added(board, published_rows(path))) == 3


def test_a_runs_own_scores_are_those_of_its_board(tmp_path, monkeypatch):
    named = open_model("zoo:scenes_mae")._replace(name="run")
    monkeypatch.setattr("siamlab.evaluate.leaderboard_sources.open_model", lambda _: named)
    (tmp_path / "run.toml").touch()
    old, new = scores({"run": (0.1, 0.2)}), scores({"run": (0.3, 0.4), "untrained": (0, 0)}, seed=1)
    (path := tmp_path / "probes.json").write_text(json.dumps(pl.concat([old, new]).to_dicts()))
    found = kept_rows(path, empty())
    assert found["value"].to_list() == [0.3, 0.4]
    assert set(found["board"]) == {"scenes at 40 pixels"} and set(found["model"]) == {"run"}
    assert set(found["weights"]) == {short_hash(named.model)}
    assert found["places"].null_count() == len(found)  # as in files of earlier versions
    there = rows({"mae": (0.3, 0.6)}, board="b")
    assert kept_rows(path, there, "b")["value"].to_list() == [0.1, 0.2]
    half = scores({"run": (0.5, 0.6)}, precision="bfloat16")  # of the same images
    path.write_text(json.dumps(pl.concat([old, half]).to_dicts()))
    assert kept_rows(path, empty())["value"].to_list() == [0.5, 0.6]
    assert kept_rows(path, there, "b")["value"].to_list() == [0.1, 0.2]
    path.write_text("{")
    with pytest.raises(UserError, match="probes.json is damaged"):
        kept_rows(path, empty())


def test_the_hash_is_of_the_weights_alone():
    a, b = (open_model(f"zoo:scenes_{name}").model for name in ("mae", "moco_v3"))
    assert short_hash(a) == short_hash(open_model("zoo:scenes_mae").model) != short_hash(b)
    assert short_hash(nn.PixelUnshuffle(4)) is None


def test_pixels_are_the_colours_of_a_patch_in_the_order_of_the_grid():
    pixels = raw_pixels(open_model("zoo:scenes_mae"))
    images = torch.randint(0, 256, (2, 3, 40, 40), dtype=torch.uint8)
    found = features(pixels.model, images)
    corner = images[1, :, 8:16, 16:24].flatten() / 255  # row 1, column 2 of 5
    torch.testing.assert_close(found.patches[1, 7].sort().values, corner.sort().values)
    assert pixels.name == "pixels of patches of 8"


def test_the_plane_tells_measured_from_published_and_turns_what_is_better_low(paper):
    board = rows({"mae": (0.3, 0.6), "moco": (0.5, 0.4), "untrained": (0.1, 0.1)})
    measured = leaderboard_figure(leaderboard_table(board))
    marks = {trace.name: trace.marker.symbol for trace in measured.data if trace.name}
    assert not any("open" in mark for mark in marks.values())
    assert "Diamonds: untrained" in measured.layout.meta["caption"]
    table = leaderboard_table(published_rows(paper))
    assert dict(zip(table["model"], table["front"], strict=True)) == {"MAE": True, "DINO": True}
    published = leaderboard_figure(table)
    marks = {trace.name: trace.marker.symbol for trace in published.data if trace.name}
    assert marks == {"MAE": "square-open", "DINO": "square-open"}
    heads = [figure.layout.meta["caption"] for figure in (measured, published)]
    assert ["Whiskers" in head for head in heads] == [True, False]
    bottom, top = published.layout.yaxis.range
    assert bottom > 34.3 > 27.5 > top and "lower is better" in published.layout.yaxis.title.text
    steps = next(trace for trace in published.data if trace.line.dash == "dash")
    assert steps.x[1:] == (0.335, 0.335, 0.506, 0.506) and steps.y[:-1] == (27.5, 27.5, 34.3, 34.3)


def test_a_dominated_model_is_not_on_the_front_where_low_is_better(paper):
    worse = PUBLISHED.replace("DINO,miou,VOC,semantic,0.506", "DINO,miou,VOC,semantic,0.1")
    paper.write_text(worse)
    table = leaderboard_table(published_rows(paper))
    assert dict(zip(table["model"], table["front"], strict=True)) == {"MAE": True, "DINO": False}


def test_a_board_without_two_properties_has_no_plane(paper):
    one = published_rows(paper).filter(property="semantic")
    assert not has_plane(one) and has_plane(published_rows(paper))
    with pytest.raises(UserError, match="no plane"):
        leaderboard_table(one)
    mixed = pl.concat([rows({"mae": (0.3, 0.6)}), rows({"moco": (0.5, 0.4)}, k=10)])
    with pytest.raises(UserError, match="not measured alike"):
        leaderboard_table(mixed)


def test_the_text_is_best_first_with_intervals_and_origins(paper):
    text = board_text(rows({"mae": (0.3, 0.6), "moco": (0.5, 0.4)}))
    assert text["model"].to_list() == ["moco", "mae"]
    assert text.columns[1] == "semantic score (0 chance, 1 ceiling) ↑"
    assert text.row(0)[1] == "0.50 [0.48, 0.52]" and text["weights"].to_list() == ["w", "w"]
    text = board_text(published_rows(paper), ["normals", "miou"], ("source",), brief=True)
    assert text.columns == ["model", "normals ↓", "miou ↑", "source"]
    assert text.row(0) == ("MAE (published)", "27.5", "0.335", "a paper")


def test_a_board_says_how_to_add_to_it(paper):
    board = rows({"mae": (0.3, 0.6)}, **{"data.side": 48, "data.images": 200})
    wanted = "siamlab leaderboard add MODEL data=scenes data.images=200 data.test_images=90"
    assert f"{wanted} --size 40 --images 150 --test-images 60 --board b" in how_to_add(board)
    usual = rows({"mae": (0.3, 0.6)}, **{"data.test_drawn": "at random, of 2000"})
    assert "data.test_images" not in how_to_add(usual)  # as many as scenes have by default
    full = board.with_columns(probe=pl.col("probe").replace("spatial", "segmentation"))
    assert "--suite full" in how_to_add(full) and "--suite" not in how_to_add(board)
    half = rows({"mae": (0.3, 0.6)}, precision="bfloat16")
    assert "--precision bfloat16" in how_to_add(half) and "--precision" not in how_to_add(board)
    assert how_to_add(published_rows(paper)) == ""
    assert board_name(json.dumps(SETTINGS)) == "scenes at 40 pixels"
    assert main_probes(board) == ["semantic", "spatial"]


def class_folders(tmp_path):
    """Write training and test images of two classes; return the words that printed ones mean."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 4)):
        for number, name in enumerate(["cat", "dog"] * count):
            folder = tmp_path / split / name
            folder.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (40, 40, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return {"FOLDER": str(tmp_path / "train"), "TEST_FOLDER": str(tmp_path / "test")}


def test_the_printed_command_measures_the_row_again(tmp_path, capsys):
    """The folder has test images of its own, which the row names without where they are."""
    places = class_folders(tmp_path)
    first, again = tmp_path / "first.parquet", tmp_path / "again.parquet"
    words = ["data=folder", "data.path=FOLDER", "data.test_path=TEST_FOLDER", "data.side=40"]
    words = [*(_filled(word, places) for word in words), "--images", "10", "--size", "40"]
    assert main(["leaderboard", "add", "zoo:scenes_mae", *words, "--to", str(first)]) == 0
    table = read_leaderboard(first)
    assert not any(str(tmp_path) in cell for row in table.iter_rows() for cell in map(str, row))
    printed = shlex.split(how_to_add(table))
    assert printed[:4] == ["siamlab", "leaderboard", "add", "MODEL"]
    filled = [_filled(word, places) for word in printed[4:]]
    assert main(["leaderboard", "add", "zoo:scenes_mae", *filled, "--to", str(again)]) == 0
    assert read_leaderboard(again).drop("date").equals(table.drop("date"))


def test_precision_is_of_the_board_and_of_the_printed_command(tmp_path, capsys):
    file = tmp_path / "board.parquet"
    few = ["data=scenes", "data.images=16", "data.test_images=12", "--to", str(file)]
    add = ["leaderboard", "add", "zoo:scenes_mae"]
    assert main([*add, *few, "--precision", "bfloat16"]) == 0
    table = read_leaderboard(file)
    assert {json.loads(row)["precision"] for row in table["settings"]} == {"bfloat16"}
    printed = shlex.split(how_to_add(table))
    assert main([*add, *printed[4:], "--to", str(file)]) == 0
    assert read_leaderboard(file).drop("date").equals(table.drop("date"))
    capsys.readouterr()
    assert main([*add[:2], "zoo:scenes_moco_v3", *few]) == 2
    assert "precision" in capsys.readouterr().err and read_leaderboard(file).equals(table)


def test_a_runs_own_scores_know_which_folders_were_named(tmp_path):
    places, run = class_folders(tmp_path), str(train(tiny(), tmp_path / "run", noise()).path)
    words = ["data=folder", "data.path=FOLDER", "data.test_path=TEST_FOLDER", "data.side=40"]
    assert main(["probe", run, *(_filled(word, places) for word in words)]) == 0
    first, again = tmp_path / "first.parquet", tmp_path / "again.parquet"
    assert main(["leaderboard", "add", f"{run}/probes.json", "--to", str(first)]) == 0
    table = read_leaderboard(first)
    assert set(table["places"]) == {"path test_path"}
    filled = [_filled(word, places) for word in shlex.split(how_to_add(table))[4:]]
    assert main(["leaderboard", "add", run, *filled, "--to", str(again)]) == 0
    own = ["board", "probe", "value", "protocol", "places"]
    assert read_leaderboard(again)[own].equals(table[own])


@pytest.mark.parametrize("protocol, more", [("capi", []), ("hummingbird", ["data.images=4"])])
def test_a_model_is_added_by_the_named_protocol_of_a_standard_set(
    protocol, more, tmp_path, capsys, monkeypatch
):
    shown_at(monkeypatch, Regions, side=32, window=32, stride=21)
    root, file = str(write_own(tmp_path / "own")), tmp_path / "board.parquet"
    words = [f"data.path={root}", f"data.protocol={protocol}", *more, "--to", str(file)]
    add = ["leaderboard", "add", "zoo:scenes_mae", "--suite", "regions"]
    assert main([*add, *words, "--baselines"]) == 0
    table = read_leaderboard(file)
    assert boards(table) == [f"images and masks, protocol {protocol}"]
    assert set(table["model"]) == {"zoo:scenes_mae", "untrained", "pixels of patches of 8"}
    assert (
        table.select("value", "chance", "ceiling", "low", "high").null_count().sum_horizontal()[0]
        == 0
    )
    printed = shlex.split(how_to_add(table))
    assert printed[4:7] == ["--suite", "regions", "data.path=FOLDER"]
    assert f"data.protocol={protocol}" in printed and all(word in printed for word in more)
    filled = [_filled(word, {"FOLDER": root}) for word in printed[4:]]
    assert main([*add[:3], *filled, "--to", str(file)]) == 0
    assert (
        read_leaderboard(file).drop("date").sort("model").equals(table.drop("date").sort("model"))
    )
    capsys.readouterr()
    assert main([*add, *words, "--size", "64"]) == 2
    assert "--suite regions shows images at the size of its protocol" in capsys.readouterr().err
    other = ["--board", boards(table)[0], "--to", str(file), f"data.path={root}", "data.images=3"]
    assert main([*add, *other, f"data.protocol={protocol}"]) == 2
    assert f"board '{boards(table)[0]}'" in capsys.readouterr().err


def test_a_runs_own_scores_on_two_sets_stand_on_two_boards(tmp_path, monkeypatch):
    shown_at(monkeypatch, Regions, side=32, window=32, stride=21)
    run, root = str(train(tiny(), tmp_path / "run", noise()).path), write_own(tmp_path / "own")
    file = tmp_path / "board.parquet"
    for protocol in ("hummingbird", "capi"):
        words = ["--suite", "regions", f"data.path={root}", f"data.protocol={protocol}"]
        assert main(["probe", run, *words]) == 0
        assert main(["leaderboard", "add", f"{run}/probes.json", "--to", str(file)]) == 0
    table = read_leaderboard(file)
    assert boards(table) == [f"images and masks, protocol {p}" for p in ("hummingbird", "capi")]
    assert table["probe"].to_list() == ["regions_in_context", "regions_knn"]
    assert set(table["places"]) == {"path"}


@pytest.mark.parametrize("suite, probe", [("full", "segmentation"), ("published", "attentive"),
                                          ("imagenet-c", "mce")])  # fmt: skip
def test_the_suite_of_a_board_is_that_of_its_probes(suite, probe):
    board = rows({"mae": (0.3, 0.6)})
    other = board.with_columns(probe=pl.col("probe").replace("spatial", probe))
    assert f"--suite {suite} " in how_to_add(other)


def _filled(word, places):
    key, equals, value = word.partition("=")
    return f"{key}{equals}{places.get(value, value)}"


def test_a_leaderboard_of_an_earlier_version_is_read(tmp_path):
    table = rows({"mae": (0.3, 0.6)}, **{"data.kind": "folder"})
    table.drop("places").write_parquet(tmp_path / "old.parquet")
    found = read_leaderboard(tmp_path / "old.parquet")
    assert found.equals(table) and "data=folder data.path=FOLDER" in how_to_add(found)


def test_models_are_added_shown_and_drawn_from_the_command_line(tmp_path, capsys, paper):
    file, html = tmp_path / "board.parquet", tmp_path / "board.html"
    few = ("data.images=60", "data.test_images=20", "--images", "60", "--test-images", "20")
    words = ("zoo:scenes_mae", str(paper), "--baselines", "--data", "scenes", *few)
    assert main(["leaderboard", "add", *words, "--to", str(file), "--device", "cpu"]) == 0
    table = read_leaderboard(file)
    measured = table.filter(status="measured")
    own = {"zoo:scenes_mae", "untrained", "pixels of patches of 8"}
    assert set(measured["model"]) == own and boards(table) == ["scenes at 40 pixels", "paper"]
    assert measured.filter(model="pixels of patches of 8")["weights"].null_count() > 0
    assert main(["leaderboard", "show", "--from", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "zoo:scenes_mae" in printed and "To add a model: siamlab leaderboard add" in printed
    assert main(["leaderboard", "page", "--from", str(file), "--to", str(html)]) == 0
    text = html.read_text()
    assert "zoo:scenes_mae" in text and "a paper" in text and "Hollow squares" in text
    again = ("leaderboard", "add", "zoo:scenes_moco_v3", "--data", "scenes", *few, "--size", "48")
    assert main([*again, "--to", str(file), "--board", "scenes at 40 pixels"]) == 2
    assert "resolution: [40, 40] and [48, 48]" in capsys.readouterr().err
    assert read_leaderboard(file).equals(table)


@pytest.mark.parametrize(
    "words, problem",
    [
        (("add",), "needs a model"),
        (("add", "zoo:mae", "steps=3"), "takes data=... and data.key=value, not 'steps=3'"),
        (
            ("add", "zoo:mae", "zoo:moco_v3", "--name", "x", "--to", "b.parquet"),
            "--name is for one",
        ),
        (("show", "--from", "none.parquet"), "there is no leaderboard none.parquet"),
        (("show", "--board", ""), "--board: the name is empty"),
        (("add", "none.csv", "--to", "b.parquet"), "none.csv is not a table (No such file or dir"),
        (("add", "pipe.csv", "--to", "b.parquet"), "it is a pipe or a device, not a file"),
        (("add", "p.csv", "--to", "b.parquet", "--name", "x"), "--name is for models and probes"),
        (("add", "p.csv", "--to", "b.parquet", "--note", "x"), "--note is for models, but only p"),
        (("add", "p.csv", "--precision", "float16"), "--precision is for models, but only p"),
        (("add", "zoo:mae", "--precision", "half"), "there is no precision 'half'"),
        (("add", "zoo:mae", "--to", "folder.parquet"), "--to folder.parquet is not a file"),
        (("add", "run/probes.json", "--to", "b.parquet"), "run/probes.json is damaged; probe the"),
    ],
)
def test_mistakes_are_one_sentence(words, problem, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.csv")
    Path("folder.parquet").mkdir()
    Path("run").mkdir()
    Path("run/run.toml").write_text("")
    Path("run/probes.json").write_text('[{"model": "run", "probe": "knn"}]')
    monkeypatch.setattr(
        leaderboard_sources, "open_model", lambda path: NamedModel("run", None, None)
    )
    assert main(["leaderboard", *words]) == 2
    assert problem in capsys.readouterr().err
