"""Rows of the catalogue and suites as values: a user's own probe comes out everywhere."""

import pytest
import torch
from test_probe_suite import WANT, network, squares

from siamlab.figure.probes import probes_figure, probes_table
from siamlab.probe import probe_model, table
from siamlab.probe.catalogue import Doc, Probe, added_probes, listing
from siamlab.probe.score import bootstrap, ratio
from siamlab.probe.suite import FULL, PROBES, QUICK, SUITES, Suite


def brightness(images):
    """A user's own probe: mean value of pixels, 0 to 255."""
    pixels = images.float().mean(dim=(1, 2, 3))
    return bootstrap(torch.stack([pixels, torch.ones_like(pixels)], 1), ratio, 0.0, 255.0, "grey")


BRIGHT = Probe(
    "brightness", "Brightness of pixels", "semantic", "grey", "higher",
    lambda x: [x.reading("brightness", brightness(x.bench.test.pixels), channels=3)],
    Doc("`brightness`", "mean value of pixels", "0–255"), chance=0.0, ceiling=255.0,
)  # fmt: skip


def test_a_probe_of_ones_own_is_a_function_and_a_row():
    images = squares(20, 0)
    suite = Suite((PROBES["linear"], BRIGHT))
    rows = table({"m": probe_model(network(), images, images, suite, WANT)})
    assert rows["probe"].to_list() == ["semantic", "linear", "brightness"]
    [row] = rows.filter(probe="brightness").to_dicts()
    assert (row["title"], row["property"]) == ("Brightness of pixels", "semantic")
    assert (row["unit"], row["direction"]) == ("grey", "higher")
    assert row["value"] == pytest.approx(images.pixels.float().mean().item())
    assert '"channels": 3' in row["settings"]
    figure = probes_figure(probes_table(rows))
    assert "Brightness of pixels" in figure.to_json()
    line = "| `brightness` | `brightness` | mean value of pixels | 0–255 ↑ |"
    assert line in listing(suite.probes).splitlines()


def test_a_row_must_have_the_unit_of_its_numbers():
    suite = Suite((BRIGHT._replace(unit="share"),))
    with pytest.raises(ValueError, match="brightness: the row has .*share.* the score has .*grey"):
        probe_model(network(), squares(8, 0), squares(8, 1), suite, WANT)


def test_a_suite_measures_its_own_probes_alone():
    """`position` shares its measure with two others, and `knn` has layers."""
    images, suite = squares(20, 0), Suite((PROBES["position"], PROBES["knn"]))
    few = probe_model(network(), images, images, suite, WANT)
    assert [m.probe.key for m in few] == ["semantic", "position", "knn"]
    by_layer = probe_model(network(), images, images, suite._replace(by_layer=True), WANT)
    assert [(m.probe.key, m.layer) for m in by_layer[3:]] == [("knn", 1)]


def test_suites_are_values_that_nobody_can_change():
    with pytest.raises(TypeError):
        SUITES["mine"] = QUICK
    assert set(QUICK.probes) < set(FULL.probes) and FULL.by_layer and not QUICK.by_layer


def test_an_added_row_joins_those_of_its_property_in_the_full_suite():
    """It needs no second list: position, variance and contrast stand beside their functions."""
    keys = [probe.key for probe in FULL.probes]
    beside = [probe.key for probe in added_probes("spatial")]
    assert {"local_contrast", "position", "variance_rest"} <= set(beside) <= set(keys)
    assert not set(beside) & {probe.key for probe in QUICK.probes}
    assert len(keys) == len(set(keys))
    assert all(PROBES[key].property == "spatial" for key in beside)
