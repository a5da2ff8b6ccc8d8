"""Attribution figures: tables by value, and maps that lie where their patches are."""

import numpy as np
import pytest
import torch

from siamlab.component import UserError
from siamlab.figure.attribution import attribution_figure, attribution_table

SOURCE = torch.randint(0, 256, (3, 40, 80), generator=torch.Generator().manual_seed(0)).byte()
SIGNED = torch.tensor([[0.1, -0.4, 0.0], [0.2, 0.3, -0.1]])
PIXELS = torch.arange(24.0).view(4, 6) - 9
TABLES = {
    "integrated gradients": attribution_table(PIXELS),
    "Grad-CAM": attribution_table(SIGNED.clamp(min=0)),
    "attention × gradient": attribution_table(SIGNED),
}


def drawn(**query):
    return attribution_figure(SOURCE, TABLES, "the other view", "mae", **query)


def test_maps_are_laid_out_row_by_row():
    table = attribution_table(SIGNED)
    assert table.columns == ["row", "column", "attribution"] and len(table) == 6
    assert table.filter(row=1, column=0)["attribution"].item() == pytest.approx(0.2)
    assert table.filter(row=0, column=1)["attribution"].item() == pytest.approx(-0.4)


def test_pixels_are_summed_over_their_patch():
    table = attribution_table(PIXELS, grid=(2, 3))
    expected = PIXELS.numpy().reshape(2, 2, 3, 2).sum(axis=(1, 3))
    assert table.sort("row", "column")["attribution"].to_list() == expected.flatten().tolist()
    assert len(attribution_table(PIXELS, grid=(4, 6))) == 24


@pytest.mark.parametrize("grid", [(3, 3), (2, 4)])
def test_a_grid_that_cuts_pixels_is_refused(grid):
    with pytest.raises(UserError, match="a map of .4, 6. cannot be summed over grid=.*multiples"):
        attribution_table(PIXELS, grid)


def test_each_method_has_a_panel_over_the_whole_image_in_its_own_units():
    figure = drawn()
    assert len(figure.layout.images) == 4 and len(figure.data) == 3
    titles = [note.text for note in figure.layout.annotations]
    assert titles == ["image", "integrated<br>gradients", "Grad-CAM", "attention ×<br>gradient"]
    for heat, table in zip(figure.data, TABLES.values(), strict=True):
        values = table["attribution"].to_numpy()
        assert np.allclose(np.asarray(heat.z).ravel(), values / abs(values).max())
        assert np.allclose(np.asarray(heat.customdata).ravel(), values)
        rows, columns = np.shape(heat.z)
        right, low = heat.x0 + (columns - 0.5) * heat.dx, heat.y0 + (rows - 0.5) * heat.dy
        assert (heat.x0 - heat.dx / 2, heat.y0 - heat.dy / 2) == pytest.approx((0, 0))
        assert (right, low) == pytest.approx((80, 40))
    axes = [figure.layout[f"xaxis{i}"].title.text for i in (2, 3, 4)]
    assert axes == ["largest: 14", "largest: 0.3", "largest: 0.4"]


def test_no_attribution_is_clear_and_the_scale_is_even_on_both_sides():
    scale = drawn().layout.coloraxis
    assert (scale.cmin, scale.cmax) == (-1, 1)
    places = [place for place, _ in scale.colorscale]
    assert places == [1 - place for place in reversed(places)]
    assert dict(scale.colorscale)[0.5].endswith(",0.000)")


def test_title_and_caption_name_the_model_and_the_target():
    meta = drawn().layout.meta
    assert meta["title"] == "Attribution: mae"
    assert "lowers (blue) the cosine to the other view." in meta["caption"]
    assert "Outlined" not in meta["caption"]


def test_the_patch_that_is_compared_is_outlined_in_every_panel():
    figure = drawn(patch=5, grid=(2, 3))
    assert "Outlined" in figure.layout.meta["caption"] and len(figure.layout.shapes) == 8
    for box in figure.layout.shapes:
        assert (box.x0, box.x1, box.y0, box.y1) == pytest.approx((160 / 3, 80, 20, 40))
    assert {box.xref for box in figure.layout.shapes} == {"x", "x2", "x3", "x4"}


@pytest.mark.parametrize("grid", [None, (1, 5)])
def test_a_patch_that_is_not_on_the_grid_is_refused(grid):
    with pytest.raises(UserError, match="patch=5 must lie on grid="):
        drawn(patch=5, grid=grid)


def test_a_map_of_nothing_is_clear():
    tables = {"Grad-CAM": attribution_table(torch.zeros(2, 3))}
    figure = attribution_figure(SOURCE, tables, "the other view", "mae")
    assert not np.any(figure.data[0].z) and figure.layout.xaxis2.title.text == "largest: 0"


def test_many_methods_take_more_rows_and_none_is_refused():
    tables = {str(i): attribution_table(SIGNED) for i in range(5)}
    figure = attribution_figure(SOURCE, tables, "the other view", "mae")
    assert figure.layout.xaxis7.visible is False and len(figure.data) == 5
    with pytest.raises(UserError, match="no method; pass the attribution_table"):
        attribution_figure(SOURCE, {}, "the other view", "mae")
