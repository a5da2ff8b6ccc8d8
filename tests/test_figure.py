"""Laws that every figure obeys: template, caption, units, text that can be read."""

import importlib
import pkgutil

import polars as pl
import pytest
import torch
from PIL import ImageFont
from test_figure_curves import METRICS
from test_figure_disagreement import GAPS, HALVES, OTHER
from test_figure_pictures import CONTEXT, GRID, PREDICT, SOURCE, TARGET, VISIBLE
from test_figure_scores import SCORES

from siamlab import figure as F
from siamlab.figure.template import (
    GREY,
    INK,
    METHODS,
    OKABE_ITO,
    broken,
    colours,
    headless,
    symbols,
)

POINTS = torch.rand(6, 2, generator=torch.Generator().manual_seed(0))
PAIRS = F.correspondence_table(POINTS, POINTS, POINTS.flip(0), (40, 80), (40, 80))
VIEWS = F.box_table(SOURCE, CONTEXT, TARGET), F.patch_table(CONTEXT, TARGET, VISIBLE, PREDICT, GRID)
FIGURES = {
    "plane": lambda: F.plane_figure(F.plane_table(SCORES)),
    "loss": lambda: F.loss_figure(F.loss_table(METRICS)),
    "collapse": lambda: F.collapse_figure(F.collapse_table(METRICS)),
    "views": lambda: F.views_figure(SOURCE, CONTEXT, TARGET, *VIEWS),
    "attention": lambda: F.attention_figure(SOURCE, F.attention_table(torch.rand(2, 6), GRID), "m"),
    "correspondence": lambda: F.correspondence_figure(SOURCE, SOURCE, PAIRS),
    "disagreement": lambda: F.disagreement_figure(HALVES, OTHER, GAPS),
    "probes": lambda: F.probes_figure(F.probes_table(SCORES)),
}
EVERY = pytest.mark.parametrize("name", FIGURES)
UNITS = ("images seen", "no unit", "dimensions", "0 collapsed", "0 chance, 1 ceiling", "pixels",
         "accuracy", "share of")  # fmt: skip


@EVERY
def test_template_title_and_caption(name):
    figure = FIGURES[name]()
    assert tuple(figure.layout.template.layout.colorway) == OKABE_ITO
    assert figure.layout.paper_bgcolor is None  # white, from the template
    meta = figure.layout.meta
    assert meta["title"] and figure.layout.title.text and meta["caption"].endswith(".")
    drawn = figure.layout.title.subtitle.text.replace("<br>", " ")
    assert drawn == meta["caption"].replace("&", "&amp;")
    assert figure.layout.margin.t >= 38 + 16 * figure.layout.title.subtitle.text.count("<br>")


@EVERY
def test_every_axis_with_numbers_says_its_unit(name):
    figure = FIGURES[name]()
    titles = [axis.title.text for axis in figure.select_xaxes() if axis.showticklabels is not False]
    assert all(any(unit in title for unit in UNITS) for title in titles if title is not None)
    bar = figure.layout.coloraxis.colorbar.title.text
    assert titles or bar is None or any(unit in bar.replace("<br>", " ") for unit in UNITS)
    assert None not in titles


@pytest.mark.parametrize("name", ["plane", "probes"])
def test_captions_say_what_whiskers_are(name):
    assert "Whiskers: 95 % intervals" in FIGURES[name]().layout.meta["caption"]


@EVERY
def test_captions_fit_a_cell_of_450_pixels_even_in_a_wide_font(name):
    home = pytest.importorskip("matplotlib").get_data_path()
    font = ImageFont.truetype(f"{home}/fonts/ttf/DejaVuSans.ttf", 12)
    lines = FIGURES[name]().layout.title.subtitle.text.split("<br>")
    assert max(map(font.getlength, lines)) <= 450 - 8  # which it is indented


@EVERY
def test_without_its_head_a_figure_keeps_the_height_of_its_plots(name):
    figure = FIGURES[name]()
    bare, title, caption = headless(figure)
    assert (title, caption) == (figure.layout.meta["title"], figure.layout.meta["caption"])
    assert bare.layout.title.text is None and figure.layout.title.text
    gap = figure.layout.height - figure.layout.margin.t
    assert bare.layout.height - bare.layout.margin.t == gap


@pytest.mark.parametrize("ink", [INK, GREY])
def test_text_has_contrast_on_white(ink):
    """Contrast of WCAG 2: at least 4.5 to 1."""
    parts = [int(ink[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    luminance = sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    assert 1.05 / (luminance + 0.05) >= 4.5


def test_colours_are_okabe_and_ito_s():
    published = {(0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
                 (0, 114, 178), (213, 94, 0), (204, 121, 167)}  # fmt: skip
    ours = {tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in OKABE_ITO}
    assert ours < published and len(ours) == len(OKABE_ITO) == 7


def test_models_keep_apart_and_the_reference_takes_no_colour():
    names = ["untrained", *(f"m{i}" for i in range(20))]
    looks = [(colours(names)[n], symbols(names)[n]) for n in names]
    assert len(set(looks)) == 21
    assert colours(names[1:])["m0"] == colours(names)["m0"] == OKABE_ITO[0]


def test_a_models_own_reference_has_its_colour_and_an_open_marker():
    names = ["mae, untrained", "mae", "byol, untrained", "byol"]
    wanted = [METHODS["mae"]] * 2 + [METHODS["(?<!dense_)byol"]] * 2
    assert [colours(names)[n] for n in names] == wanted
    marks = symbols(names)
    assert [marks[n] for n in names] == ["diamond-open", "circle", "diamond-open", "circle"]


@pytest.mark.parametrize("form", ["{}", "zoo:{}", "zoo:scenes_{}", "{}-seed3", "timm:vit_base.{}"])
def test_a_method_has_one_colour_wherever_it_stands(form):
    methods = ["siameseim", "mae", "moco_v3", "byol", "simmim", "ijepa", "simsiam"]
    names = [form.format(name) for name in methods]
    alone = [colours([name])[name] for name in names]
    assert len(set(alone)) == 7
    assert [colours(["mine", *names])[name] for name in names] == alone
    assert [colours(names[::-1])[name] for name in names] == alone
    assert len(set(colours(["dense_byol", "byol"]).values())) == 3  # and the grey of references
    assert colours(["primae"])["primae"] == OKABE_ITO[0]  # not mae


def test_the_colour_is_that_of_the_configuration():
    names = [f"{loss}-seed{seed}" for loss in ("mse", "cosine") for seed in range(3)]
    shown, marks = colours(names), symbols(names)
    for loss, colour in zip(("mse", "cosine"), OKABE_ITO, strict=False):
        assert {shown[n] for n in names if n.startswith(loss)} == {colour}
        assert {marks[n] for n in names if n.startswith(loss)} == {"circle"}


@pytest.mark.parametrize(
    "text, lines",
    [
        ("mae", ["mae"]),
        ("timm:vit_small_patch14", ["timm:vit_", "small_", "patch14"]),
        ("ratio 0.75", ["ratio 0.75"]),
        ("masking 0.75", ["masking", "0.75"]),
        ("x" * 25, ["x" * 10, "x" * 10, "x" * 5]),
        ("", [""]),
    ],
)
def test_long_names_break_where_they_can(text, lines):
    assert broken(text, 10) == lines


def test_a_figure_is_a_file_and_two_names_of_the_package():
    """Adding one touches its file and the package's; here, nothing is left out of the second."""
    defined = set()
    for module in pkgutil.iter_modules(F.__path__):
        functions = vars(importlib.import_module(f"siamlab.figure.{module.name}"))
        defined |= {n for n in functions if n.endswith(("_table", "_figure")) and n[0] != "_"}
    assert defined | {"plane", "training_film"} == set(F.__all__)


def test_tables_are_not_written_to():
    before = SCORES.clone(), METRICS.clone()
    for draw in FIGURES.values():
        draw()
    assert SCORES.equals(before[0]) and METRICS.equals(before[1])
    assert isinstance(SCORES, pl.DataFrame)
