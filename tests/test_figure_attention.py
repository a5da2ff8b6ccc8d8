"""Attention maps of all layers and heads, and the head atlas: tables, and figures of them."""

import base64
import io

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from siamlab.component import UserError
from siamlab.figure.atlas import atlas_figure, atlas_table
from siamlab.figure.attention import (
    attention_figure,
    attention_maps_figure,
    attention_maps_table,
    attention_table,
)

IMAGE = torch.randint(0, 256, (3, 40, 60), generator=torch.Generator().manual_seed(0)).byte()
GRID, LAYERS, HEADS = (2, 3), 4, 5
MAPS = torch.rand(LAYERS, HEADS, 6, generator=torch.Generator().manual_seed(1))
MAPS = MAPS / MAPS.sum(dim=-1, keepdim=True)
TABLE = attention_maps_table(MAPS, GRID)


def values(array):
    """Return nested tuples, or an array, as plotly stores an array."""
    return np.array(array, dtype=float)


# maps of layers × heads


def test_maps_are_laid_out_by_layer_head_and_row():
    assert TABLE.columns == ["layer", "head", "row", "column", "attention"]
    assert len(TABLE) == LAYERS * HEADS * 6
    row = TABLE.filter(layer=2, head=4, row=1, column=2)
    assert row["attention"].item() == pytest.approx(MAPS[2, 4, 5].item())
    one = attention_table(MAPS[2], GRID)
    assert one.columns == ["head", "row", "column", "attention"]
    assert one["attention"].to_list() == TABLE.filter(pl.col("layer") == 2)["attention"].to_list()
    with pytest.raises(UserError, match="6 patches; a grid of .2, 2. has 4: drop the prefix"):
        attention_maps_table(MAPS, (2, 2))


def test_every_map_lies_over_its_copy_of_the_image():
    figure = attention_maps_figure(IMAGE, TABLE.sample(fraction=1, shuffle=True, seed=0), "mae")
    heat, picture = figure.data[0], figure.layout.images[0]
    z, x, y = values(heat.z), values(heat.x), values(heat.y)
    assert z.shape == (len(y) - 1, len(x) - 1) == (LAYERS * 3 - 1, HEADS * 4 - 1)
    shown = np.array(Image.open(io.BytesIO(base64.b64decode(picture.source.split(",")[1]))))
    across = picture.sizex / shown.shape[1]  # data units in a pixel of the picture
    assert across == picture.sizey / shown.shape[0]
    for layer in range(LAYERS):
        for head in range(HEADS):
            inside = z[layer * 3 : layer * 3 + 2, head * 4 : head * 4 + 3]
            assert inside.ravel() == pytest.approx(MAPS[layer, head].numpy())
            left, right, top, bottom = x[head * 4], x[head * 4 + 3], y[layer * 3], y[layer * 3 + 2]
            place = [round(end / across) for end in (top, bottom, left, right)]
            part = shown[place[0] : place[1], place[2] : place[3]]
            first = shown[: part.shape[0], : part.shape[1]]
            assert np.array_equal(part, first) and part.std() > 5
            assert (right - left) / (bottom - top) == pytest.approx(60 / 40)
    assert np.isnan(z[2]).all() and np.isnan(z[:, 3]).all()  # the gaps
    for low, high in ((x[3], x[4]), (x[7], x[8])):
        assert (shown[:, round(low / across) : round(high / across)] == 255).all()
    assert (picture.sizex, picture.sizey) == (x[-1], y[-1])
    assert figure.layout.xaxis.range == (0, x[-1]) and figure.layout.yaxis.range == (y[-1], 0)


def test_hover_and_ticks_name_layers_and_heads_from_one():
    figure = attention_maps_figure(IMAGE, TABLE, "mae")
    names = values(figure.data[0].customdata)
    assert names[3 * 2 + 1, 4 * 4 + 2].tolist() == [3, 5]
    assert figure.layout.yaxis.ticktext == ("1", "2", "3", "4")
    assert figure.layout.xaxis.ticktext == ("1", "2", "3", "4", "5")
    x = values(figure.data[0].x)
    middles = [(x[4 * head] + x[4 * head + 3]) / 2 for head in range(HEADS)]
    assert figure.layout.xaxis.tickvals == pytest.approx(middles)
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("head", "layer")


def test_one_colour_scale_and_nothing_picked():
    figure = attention_maps_figure(IMAGE, TABLE, "mae")
    end = np.quantile(MAPS.numpy(), 0.99, method="nearest")
    assert figure.layout.coloraxis.cmin == 0
    assert figure.layout.coloraxis.cmax == pytest.approx(end)
    caption = figure.layout.meta["caption"]
    assert "Every layer and head of mae is shown" in caption
    assert f"from 0 to {end:.3g}" in caption and "Uniform attention is 0.167 everywhere" in caption
    assert attention_maps_figure(IMAGE, TABLE, "mae", highest=0.5).layout.coloraxis.cmax == 0.5
    single = attention_figure(IMAGE, attention_table(MAPS[0], GRID), "mae")
    assert "all heads are shown" in single.layout.meta["caption"]


def test_the_query_is_outlined_in_every_map():
    figure = attention_maps_figure(IMAGE, TABLE, "mae", query=(1, 2))
    heat, line = figure.data
    z, x, y = values(heat.z), values(heat.x), values(heat.y)
    across, down = (values(line.x).reshape(-1, 6), values(line.y).reshape(-1, 6))
    assert len(across) == LAYERS * HEADS and np.isnan(across[:, 5]).all()
    for i, (xs, ys) in enumerate(zip(across, down, strict=True)):
        layer, head = divmod(i, HEADS)
        assert (xs[:5].min(), xs[:5].max()) == pytest.approx(tuple(x[head * 4 + 2 : head * 4 + 4]))
        assert (ys[:5].min(), ys[:5].max()) == pytest.approx(
            tuple(y[layer * 3 + 1 : layer * 3 + 3])
        )
    assert z.shape[1] == HEADS * 4 - 1
    assert "(row 2, column 3) is outlined" in figure.layout.meta["caption"]
    assert figure.layout.meta["title"] == "Attention of one patch: mae"
    with pytest.raises(UserError, match=r"query=\(2, 0\) must be .* of the 2 × 3 patches"):
        attention_maps_figure(IMAGE, TABLE, "mae", query=(2, 0))


def test_a_large_image_is_drawn_small():
    large = IMAGE.repeat_interleave(20, dim=1).repeat_interleave(20, dim=2)  # 800 by 1200
    maps = attention_maps_table(torch.full((12, 12, 196), 1 / 196), (14, 14))
    figure = attention_maps_figure(large, maps, "large")
    picture = figure.layout.images[0]
    assert (picture.sizex, picture.sizey) == (12 * 96 + 11 * 6, 12 * 64 + 11 * 6)
    assert len(figure.to_json()) < 1.5e6


# atlas


def scores():
    """Two models of 2 layers and 2 heads, and rows that are not heads."""
    rows = [
        dict(model=model, layer=layer, head=head, probe=probe, value=value, low=value - 0.01)
        | dict(high=value + 0.02, chance=chance, unit=unit)
        for model, shift in (("mae", 0.0), ("dino", 1.0))
        for layer in (1, 2)
        for head in (2, 1)
        for probe, value, chance, unit in (
            ("attention_nmi", 0.1 * layer + 0.01 * head, 0.0, "share"),
            ("attention_distance", 10 * layer + head + shift, 25.0 + shift, "pixels"),
            ("attention_entropy", 3.0, 4.0, "nats"),
        )
    ]
    knn = dict(model="mae", layer=None, head=None, probe="knn", value=0.5, low=0.4, high=0.6)
    return pl.DataFrame([*rows, knn | dict(chance=0.1, unit="share")], infer_schema_length=None)


def test_atlas_has_one_row_a_head_in_order():
    table = atlas_table(scores())
    assert table.select("model", "layer", "head").rows() == [
        (model, layer, head) for model in ("mae", "dino") for layer in (1, 2) for head in (1, 2)
    ]
    row = table.row(6, named=True)  # dino, layer 2, head 1
    assert row["distance"] == 22 and row["even"] == 26 and row["unit"] == "pixels"
    assert (row["distance_low"], row["distance_high"]) == pytest.approx((21.99, 22.02))
    ends = row["nmi"], row["nmi_low"], row["nmi_high"]
    assert ends == pytest.approx((0.21, 0.20, 0.23))


def test_atlas_leaves_out_heads_without_both_numbers():
    gone = (pl.col("probe") == "attention_nmi") & (pl.col("layer") == 2) & (pl.col("head") == 1)
    bad = (pl.col("layer") == 1) & (pl.col("head") == 1)
    value = pl.when(bad).then(float("nan")).otherwise("value").alias("value")
    table = atlas_table(scores().filter(~gone | pl.col("layer").is_null()).with_columns(value))
    assert table.filter(pl.col("model") == "mae").select("layer", "head").rows() == [(1, 2), (2, 2)]


def test_atlas_refuses_what_it_cannot_draw():
    table = scores()
    with pytest.raises(UserError, match="no head with both probes"):
        atlas_table(table.filter(pl.col("probe") != "attention_nmi"))
    with pytest.raises(UserError, match=r"no column \['unit'\]"):
        atlas_table(table.drop("unit"))
    with pytest.raises(UserError, match="head 2 of layer 1 of 'mae' more than once"):
        atlas_table(pl.concat([table, table.filter(pl.col("model") == "mae")]))
    patches = pl.when(pl.col("model") == "mae").then(pl.lit("patches")).otherwise("unit")
    with pytest.raises(UserError, match=r"in \['patches', 'pixels'\] but must share one unit"):
        atlas_table(table.with_columns(patches.alias("unit")))


def test_atlas_draws_each_head_at_its_numbers_in_the_colour_of_its_layer():
    table = atlas_table(scores())
    figure = atlas_figure(table)
    heads = [trace for trace in figure.data if trace.name != "uniform attention"]
    crosses = [trace for trace in figure.data if trace.name == "uniform attention"]
    assert [trace.name for trace in heads] == ["mae", "dino"]
    assert [note.text for note in figure.layout.annotations] == ["mae", "dino"]
    for trace, model in zip(heads, ("mae", "dino"), strict=True):
        rows = table.filter(pl.col("model") == model)
        assert list(trace.x) == rows["distance"].to_list()
        assert list(trace.y) == rows["nmi"].to_list()
        assert list(trace.marker.color) == rows["layer"].to_list() == [1, 1, 2, 2]
        assert trace.marker.coloraxis == "coloraxis"
        first = ("layer", "head", "distance_low", "distance_high", "nmi_low", "nmi_high")
        assert [tuple(row) for row in trace.customdata] == rows.select(first).rows()
        assert trace.hovertemplate.startswith("layer %{customdata[0]}, head %{customdata[1]}<br>")
    assert heads[0].marker.symbol != heads[1].marker.symbol
    assert [(trace.x, trace.y) for trace in crosses] == [((25.0,), (0.0,)), ((26.0,), (0.0,))]
    assert [trace.xaxis for trace in crosses] == ["x", "x2"]


def test_atlas_panels_share_their_scales():
    figure = atlas_figure(atlas_table(scores()))
    layout = figure.layout
    assert layout.xaxis.range == layout.xaxis2.range and layout.yaxis.range == layout.yaxis2.range
    assert layout.xaxis.range[0] < 0 and layout.xaxis.range[1] > 26  # the cross is shown
    assert layout.yaxis.range[0] < 0 and layout.yaxis.range[1] > 0.22
    assert layout.xaxis.title.text == "mean distance (pixels)"
    assert layout.yaxis.title.text == "query–key NMI"
    assert (layout.coloraxis.cmin, layout.coloraxis.cmax) == (1, 2)
    assert layout.coloraxis.colorbar.tickvals == (1, 2)
    caption = layout.meta["caption"]
    assert "All heads of all layers are shown" in caption and "in pixels" in caption


def test_atlas_of_three_models_names_the_lowest_axis_of_each_column():
    one = atlas_table(scores().filter(pl.col("model") == "mae"))
    three = pl.concat([one.with_columns(model=pl.lit(name)) for name in ("a", "b", "c")])
    layout = atlas_figure(three).layout
    titles = [axis.title.text for axis in (layout.xaxis, layout.xaxis2, layout.xaxis3)]
    assert titles == [None, "mean distance (pixels)", "mean distance (pixels)"]
    assert layout.xaxis4.visible is False
