"""The long table: every number carries its protocol, and protocols do not mix."""

import json

import polars
import pytest
import torch

from siamlab.component import UserError
from siamlab.probe.catalogue import Measured
from siamlab.probe.score import point
from siamlab.probe.suite import PROBES
from siamlab.probe.table import concat_scores, differences, digest, named, table

SETTINGS = {"data.kind": "scenes", "data.side": 48, "resolution": (40, 40), "k": 20}


def measured(probe="knn", value=0.5, layer=None, head=None, **changes):
    score = point(value, 0.1, 1.0, "share of images")
    return Measured(PROBES[probe], score, SETTINGS | changes, layer, head)


def test_a_row_holds_the_number_its_limits_and_its_protocol():
    [row] = table({"mae": [measured(layer=2, head=3)]}).to_dicts()
    assert list(row) == [
        *("model", "layer", "head", "probe", "title", "property", "value", "low", "high"),
        *("chance", "ceiling", "unit", "direction", "protocol", "settings"),
    ]
    assert (row["model"], row["layer"], row["head"], row["probe"]) == ("mae", 2, 3, "knn")
    assert (row["title"], row["property"]) == ("k-NN accuracy", "semantic")
    assert (row["value"], row["chance"], row["direction"]) == (0.5, 0.1, "higher")
    assert json.loads(row["settings"]) == SETTINGS | {"resolution": [40, 40]}
    assert len(row["protocol"]) == 10


def test_a_table_survives_a_file(tmp_path):
    scores = table({"a": [measured()], "b": [measured(), measured(layer=1, head=2)]})
    scores.write_parquet(tmp_path / "s.parquet")
    again = polars.read_parquet(tmp_path / "s.parquet")
    assert again.equals(scores) and concat_scores(again, table({"c": [measured()]})).height == 4
    assert again.schema["layer"] == polars.Int64 and again.schema["head"] == polars.Int64


@pytest.mark.parametrize("field, value", [("k", 10), ("data.side", 96), ("resolution", (224, 224))])
def test_any_field_that_differs_is_another_protocol(field, value):
    one, other = table({"a": [measured()]}), table({"b": [measured(**{field: value})]})
    assert one["protocol"][0] != other["protocol"][0]
    was = json.dumps(SETTINGS[field])
    with pytest.raises(UserError) as error:
        concat_scores(one, other)
    said = str(error.value).replace('"', "'")
    assert "a and b were not measured alike" in said and f"for knn, {field}: {was} and" in said


def test_one_model_measured_twice_otherwise_is_said_to_be():
    one, other = table({"a": [measured()]}), table({"a": [measured(k=5)]})
    with pytest.raises(UserError, match="two rows of a were not measured alike.* k: 20 and 5"):
        concat_scores(one, other)
    with pytest.raises(UserError, match="results must have a number"):
        table({"a": []})


def test_other_probes_and_other_layers_may_have_other_protocols():
    layered = [measured(layer=1, k=5), measured(layer=2, k=6)]
    rows = [measured(), measured("linear", k="none"), *layered]
    assert table({"a": rows, "b": rows}).height == 8
    with pytest.raises(UserError, match="a and b .* for knn, k: 5 and 7"):
        table({"a": rows, "b": [measured(layer=1, k=7)]})


def test_a_field_that_one_protocol_lacks_differs():
    assert differences({"k": 1}, {"k": 1}) == []
    assert differences({"k": 1, "a": 2}, {"k": 3, "b": 4}) == [
        "k: 1 and 3", "a: 2 and none", "b: none and 4"]  # fmt: skip


def test_the_order_of_the_fields_is_no_difference():
    assert digest({"a": 1, "b": [2, 3]}) == digest({"b": [2, 3], "a": 1}) != digest({"a": 1})


def test_scores_by_name_are_of_the_whole_model():
    found = named([measured(), measured(value=0.9, layer=3), measured("linear", value=0.7)])
    assert {name: score.value for name, score in found.items()} == {"knn": 0.5, "linear": 0.7}
    assert found["knn"].draws.shape == torch.Size([0])


def test_titles_are_short_and_differ():
    titles = [probe.title for probe in PROBES.values()]
    assert len(set(titles)) == len(titles) and max(map(len, titles)) <= 54
