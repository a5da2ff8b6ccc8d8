"""Colour bars: below the panels, about as long as one, clear of axes and legends."""

import pytest
import torch

from siamlab import figure as F
from siamlab.figure.template import BAR, WIDTH

GRID = (4, 4)
IMAGE = torch.randint(0, 256, (3, 32, 32), generator=torch.Generator().manual_seed(0)).byte()
HEADS = torch.rand(4, 16, generator=torch.Generator().manual_seed(1))
PLACES = torch.rand(9, 2, generator=torch.Generator().manual_seed(2))


def similarity():
    tables = {name: F.similarity_table(HEADS[0], HEADS.repeat(4, 1), GRID) for name in "ab"}
    return F.similarity_figure(IMAGE, tables, (1, 1))


FIGURES = {
    "attention": lambda: F.attention_figure(IMAGE, F.attention_table(HEADS, GRID), "mae"),
    "attribution": lambda: F.attribution_figure(
        IMAGE, {name: F.attribution_table(HEADS - 0.5) for name in "ab"}, "a view", "mae"
    ),
    "similarity": similarity,
    "correspondence": lambda: F.correspondence_figure(
        IMAGE, IMAGE, F.correspondence_table(PLACES, PLACES, PLACES.flip(0), (32, 32), (32, 32))
    ),
}
BELOW = dict(attention=0, attribution=30, similarity=0, correspondence=40)  # pixels of axes
PANELS = dict(attention=5, attribution=3, similarity=3, correspondence=2)  # in a row


@pytest.mark.parametrize("name", FIGURES)
def test_a_bar_lies_between_the_axes_and_the_legend_and_is_as_long_as_a_panel(name):
    layout = FIGURES[name]().layout
    bar, margin = layout.coloraxis.colorbar, layout.margin
    assert bar.orientation == "h" and bar.title.text and "<br>" not in bar.title.text
    top = -bar.y * (layout.height - margin.t - margin.b)  # pixels below the plots
    legend = 22 if name in ("similarity", "correspondence") else 0
    assert BELOW[name] <= top <= margin.b - legend - BAR
    assert bar.len * PANELS[name] == pytest.approx(1, abs=0.1)
    assert bar.len * (WIDTH - margin.l - margin.r) > 100  # room for its title
