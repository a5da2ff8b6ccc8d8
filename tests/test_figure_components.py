"""Patch PCA: components against a plain numpy line and planted directions, then the picture."""

import numpy as np
import pytest
import torch

from siamlab.component import UserError
from siamlab.figure.components import components_figure, components_table

GRID, N = (4, 6), 24
COLOURS = ["red", "green", "blue"]


def rng():
    return torch.Generator().manual_seed(0)


def skewed(n=5, width=8):
    """Components of different variance, each with a longer upper tail."""
    scale = torch.tensor([4.0, 3, 2, 1, 0.5, 0.4, 0.3, 0.2])[:width]
    return torch.rand(n, N, width, generator=rng()).pow(3) * scale


def shares(table):
    return table.select(COLOURS).to_numpy()


def rotation(width=8):
    return torch.linalg.qr(torch.randn(width, width, generator=rng(), dtype=torch.double)).Q


def test_components_are_numpy_s():
    features = skewed().double().flatten(0, 1).numpy()
    values = (features - features.mean(0)) @ np.linalg.svd(features - features.mean(0))[2][:3].T
    values *= np.sign((values**3).sum(0))
    low, high = np.percentile(values, [1, 99], axis=0)
    expected = np.clip((values - low) / (high - low), 0, 1)
    assert np.allclose(shares(components_table(skewed(), GRID)), expected, atol=1e-9)


def test_planted_orthogonal_directions_come_back_in_order_of_variance():
    planted = torch.randn(5 * N, 3, generator=rng(), dtype=torch.double).exp()
    planted -= planted.mean(dim=0)
    planted = torch.linalg.qr(planted).Q  # uncorrelated, one length
    planted = planted * planted.pow(3).sum(dim=0).sign()
    features = planted * torch.tensor([9.0, 5, 2]) @ rotation()[:3] + 1
    found = shares(components_table(features.view(5, N, 8), GRID))
    for i in range(3):
        ends = planted[:, i].quantile(torch.tensor([0.01, 0.99], dtype=torch.double))
        expected = ((planted[:, i] - ends[0]) / (ends[1] - ends[0])).clamp(0, 1)
        assert np.allclose(found[:, i], expected, atol=1e-6), i


def test_rotation_shift_and_scale_leave_the_table_unchanged():
    features = skewed().double()
    table = shares(components_table(features, GRID))
    for other in (features @ rotation(), features + 3, 0.01 * features, -features @ rotation()):
        same = shares(components_table(other, GRID))
        assert np.allclose(same, table, atol=1e-9)


def test_values_grow_from_the_lower_left_corner_whatever_their_tails():
    row, column = torch.meshgrid(*map(torch.arange, GRID), indexing="ij")
    far = torch.hypot(3.0 - row, column.float()).flatten()
    for bend in (-0.08, 0.0, 0.08):  # the longer tail is below, or above
        for sign in (1, -1):
            features = sign * torch.stack([far + bend * far**2, 0 * far, 0 * far], dim=1)
            red = shares(components_table(features[None], GRID))[:, 0].reshape(GRID)
            assert red[3, 0] == 0 and red[0, 5] == 1, (bend, sign)


def test_the_longer_tail_is_bright_of_values_without_a_place():
    for sign in (1, -1):
        table = components_table(sign * skewed(), GRID)
        assert (table.select(COLOURS).median().to_numpy() < 0.5).all()


def test_images_share_their_components_and_patches_lie_row_by_row():
    table = components_table(skewed(), GRID)
    assert table.columns == ["image", "row", "column", *COLOURS]
    assert table.row(N + 8)[:3] == (1, 1, 2)
    assert not np.allclose(shares(table)[:N], shares(components_table(skewed()[:1], GRID)))


def test_axes_without_variance_are_grey_and_not_rounding():
    line = torch.randn(5, N, 1, generator=rng()).exp() * torch.ones(8)
    table = components_table(line @ rotation().float(), GRID)
    assert table["red"].min() == 0 and table["red"].max() == 1
    assert (shares(table)[:, 1:] == 0.5).all()
    assert (shares(components_table(torch.ones(2, N, 8), GRID)) == 0.5).all()


def test_one_percent_at_each_end_is_clipped():
    table = components_table(skewed(50), GRID)
    for colour in COLOURS:
        for end in (0, 1):
            assert (table[colour] == end).mean() == pytest.approx(0.01, abs=0.002)


def test_rows_are_models_and_columns_are_images():
    images = torch.randint(0, 256, (5, 3, 40, 60), generator=rng()).byte()
    tables = {"mae": components_table(skewed(), GRID), "a<b>": components_table(-skewed(), GRID)}
    figure = components_figure(images, tables)
    assert len(figure.layout.images) == 5 and len(figure.data) == 10
    assert [note.text for note in figure.layout.annotations] == ["image", "mae", "a&lt;b&gt;"]
    heights = [note.y for note in figure.layout.annotations]
    assert heights == pytest.approx([figure.layout[f"yaxis{i}"].domain[1] for i in ("", 6, 11)])
    picture = figure.data[1]  # mae, second image
    expected = 255 * tables["mae"].filter(image=1).select(COLOURS).to_numpy().reshape(*GRID, 3)
    assert np.abs(np.array(picture.z) - expected).max() <= 0.5
    assert (picture.x0 - picture.dx / 2, picture.x0 + 5.5 * picture.dx) == pytest.approx((0, 60))
    assert (picture.y0 - picture.dy / 2, picture.y0 + 3.5 * picture.dy) == pytest.approx((0, 40))
    assert picture.xaxis == "x7" and figure.layout.yaxis7.range == (40, 0)


def test_bad_input_is_refused():
    images = torch.zeros(2, 3, 8, 8).byte()
    with pytest.raises(UserError, match="25 patches, but grid=.4, 6. has 24: drop class"):
        components_table(torch.ones(1, 25, 8), GRID)
    with pytest.raises(UserError, match="2 dimensions; three components need at least 3"):
        components_table(torch.ones(1, N, 2), GRID)
    with pytest.raises(UserError, match="at least one of each"):
        components_figure(images, {})
    with pytest.raises(UserError, match="'mae' has no image 1; it must have all 2"):
        components_figure(images, {"mae": components_table(skewed(1), GRID)})
