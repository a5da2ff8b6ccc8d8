"""Figures on images: tables by value, and images that arrive pixel by pixel."""

import base64
import io

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from siamlab.component import UserError
from siamlab.figure.attention import attention_figure, attention_table
from siamlab.figure.correspondence import correspondence_figure, correspondence_table
from siamlab.figure.image import data_uri, to_bytes, to_grey
from siamlab.figure.views import box_table, patch_table, views_figure
from siamlab.geometry import View

SOURCE = torch.randint(0, 256, (3, 40, 80), generator=torch.Generator().manual_seed(0)).byte()


def view(top, left, height, width, flip, shape=(12, 18)):
    image = torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(1))
    return View(image, torch.tensor([[top, left, height, width]]), torch.tensor([flip]))


CONTEXT, TARGET = view(0.25, 0.5, 0.5, 0.25, False), view(0.0, 0.0, 1.0, 0.5, True)
GRID = (2, 3)
VISIBLE = torch.tensor([1, 0, 1, 1, 0, 0]).bool()
PREDICT = torch.tensor([0, 1, 0, 0, 1, 1]).bool()


def decoded(uri):
    head, data = uri.split(",")
    assert head == "data:image/png;base64"
    return np.array(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


@pytest.mark.parametrize("pixels", [SOURCE, to_grey(SOURCE)])
def test_small_images_are_enlarged_in_whole_squares(pixels):
    assert np.array_equal(decoded(data_uri(pixels))[2::4, 1::4], pixels.permute(1, 2, 0))
    assert decoded(data_uri(pixels)).shape == (160, 320, 3)


def test_large_images_stay_as_they_are():
    assert decoded(data_uri(torch.zeros(3, 256, 300).byte())).shape == (256, 300, 3)


def test_bytes_round_and_clip():
    image = torch.tensor([-0.1, 0.0, 0.499 / 255, 0.501 / 255, 1.0, 1.2]).expand(3, 1, 6)
    assert to_bytes(image)[0, 0].tolist() == [0, 0, 0, 1, 255, 255]


def test_boxes_are_in_source_pixels():
    assert box_table(SOURCE, CONTEXT, TARGET).rows() == [
        ("context", 10.0, 40.0, 20.0, 20.0, False),
        ("target", 0.0, 0.0, 40.0, 40.0, True),
    ]


def test_patches_say_what_is_hidden_and_what_is_predicted():
    table = patch_table(CONTEXT, TARGET, VISIBLE, PREDICT, GRID)
    context, target = table.filter(role="context"), table.filter(role="target")
    assert context["hidden"].to_list() == (~VISIBLE).tolist() and not context["predicted"].any()
    assert target["predicted"].to_list() == PREDICT.tolist() and not target["hidden"].any()
    assert context.row(5)[1:7] == (1, 2, 6.0, 12.0, 6.0, 6.0)  # row, column, top, left, size
    with pytest.raises(UserError, match="visible has 6 patches; a grid of .3, 3. has 9"):
        patch_table(CONTEXT, TARGET, VISIBLE, PREDICT, (3, 3))


def test_views_figure_draws_what_the_tables_say():
    boxes = box_table(SOURCE, CONTEXT, TARGET)
    patches = patch_table(CONTEXT, TARGET, VISIBLE, PREDICT, GRID)
    figure = views_figure(SOURCE, CONTEXT, TARGET, boxes, patches)
    assert len(figure.layout.images) == 3
    titles = [note.text for note in figure.layout.annotations]
    assert titles == ["source", "context", "target (mirrored)"]
    trace = {trace.name: trace for trace in figure.data}
    assert trace["context box"].x == (40, 60, 60, 40, 40)
    assert trace["context box"].y == (10, 10, 30, 30, 10)
    hidden, predicted = trace["hidden from the encoder"], trace["predicted"]
    assert hidden.xaxis == "x2" and hidden.x.count(None) == 3 and hidden.fillpattern.shape == "/"
    assert predicted.xaxis == "x3" and predicted.x.count(None) == 3
    assert figure.layout.yaxis2.range == (12, 0) and figure.layout.xaxis2.range == (0, 18)


def test_views_of_more_than_one_image_are_refused():
    two = View(*(torch.cat([field, field]) for field in CONTEXT))
    with pytest.raises(UserError, match="context has 2 images"):
        box_table(SOURCE, two, TARGET)


def test_attention_is_laid_out_row_by_row():
    attention = torch.arange(12.0).view(2, 6) / 66
    table = attention_table(attention, GRID)
    assert table.filter(head=1, row=1, column=0)["attention"].item() == pytest.approx(9 / 66)
    with pytest.raises(UserError, match="7 patches; a grid of .2, 3. has 6: drop the prefix"):
        attention_table(torch.ones(2, 7), GRID)


def test_all_heads_share_one_colour_scale_over_the_whole_image():
    figure = attention_figure(SOURCE, attention_table(torch.arange(12.0).view(2, 6), GRID), "mae")
    assert len(figure.data) == 2 and {heat.coloraxis for heat in figure.data} == {"coloraxis"}
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 11)
    assert "The heads of mae share one colour scale" in figure.layout.meta["caption"]
    heat = figure.data[1]
    assert np.array_equal(heat.z, [[6, 7, 8], [9, 10, 11]])
    assert heat.x0 - heat.dx / 2 == 0 and heat.x0 + 2.5 * heat.dx == pytest.approx(80)
    assert heat.y0 - heat.dy / 2 == 0 and heat.y0 + 1.5 * heat.dy == pytest.approx(40)


def test_correspondences_are_in_pixels_of_their_view():
    points, true = torch.tensor([[0.5, 0.25]]), torch.tensor([[0.5, 0.5]])
    predicted = torch.tensor([[0.8, 0.9]])
    table = correspondence_table(points, true, predicted, (40, 80), (10, 10))
    assert table.row(0) == pytest.approx((20, 20, 5, 5, 8, 9, 5))  # 3, 4, 5
    assert table.columns[-1] == "error"


def test_a_line_joins_each_patch_to_its_prediction():
    m = 7
    points, true = torch.rand(m, 2), torch.rand(m, 2)
    table = correspondence_table(points, true, true, (40, 80), (12, 18))
    figure = correspondence_figure(SOURCE, to_bytes(CONTEXT.image[0]), table)
    start = figure.layout.images[1].x
    assert start > 80 and figure.layout.images[0].x == 0
    lines = [t for t in figure.data if t.mode == "lines" and t.line.width == 1.8]
    ends = {(x, y) for t in lines for x, y in zip(t.x, t.y, strict=True) if x is not None}
    a = set(zip(table["ax"], table["ay"], strict=True))
    b = {(start + x, y) for x, y in zip(table["predicted_x"], table["predicted_y"], strict=True)}
    assert ends == a | b
    assert figure.layout.coloraxis.colorbar.title.text == "error (pixels)"


def test_many_correspondences_are_thinned_and_the_caption_says_so():
    points = torch.rand(300, 2, generator=torch.Generator().manual_seed(0))
    table = correspondence_table(points, points, points, (40, 80), (40, 80))
    figure = correspondence_figure(SOURCE, SOURCE, table, most=25)
    dots = next(t for t in figure.data if t.name == "patch centre in a")
    assert 20 <= len(dots.x) <= 25
    assert f"{len(dots.x)} of 300 patches are drawn" in figure.layout.meta["caption"]
    assert isinstance(table, pl.DataFrame) and len(table) == 300
