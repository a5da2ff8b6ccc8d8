"""The film of a training: frames by step, one colour scale, and what runs keep for it."""

import shutil
import sys

import numpy as np
import plotly.graph_objects as go
import polars as pl
import pytest
from PIL import Image
from test_train import noise, tiny

from siamlab.component import UserError
from siamlab.evaluate.course import course
from siamlab.figure import film as film_module
from siamlab.figure.components import components_figure, components_table
from siamlab.figure.film import film_figure, film_table, training_film, write_film
from siamlab.figure.similarity import similarity_figure, similarity_table
from siamlab.probe import features
from siamlab.recipes import mae, siameseim
from siamlab.train import train

IMAGE = noise(1).pixels[0]
QUERY = (1, 2)


@pytest.fixture(scope="module")
def courses(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for recipe in (siameseim, mae):
        train(tiny(recipe, "keep_every=2"), root / recipe.__name__, noise())
    return {name: course(root / name) for name in ("siameseim", "mae")}


@pytest.fixture
def table(courses):
    return film_table(courses, IMAGE, QUERY)


def part(table, step, model):
    found = table.filter(step=step, model=model)
    assert found.height == 9
    return found.drop("step", "model")


def test_a_course_begins_before_training_and_ends_with_the_finished_encoder(courses):
    assert [list(models) for models in courses.values()] == [[0, 2, 4, 6]] * 2


def test_a_run_that_kept_nothing_is_told_how_to(tmp_path):
    folder = train(tiny(mae), tmp_path / "run", noise())
    with pytest.raises(UserError, match="kept no encoders .* keep_every=1"):
        course(folder.path)


def test_each_step_has_the_cosines_of_its_own_encoder(courses, table):
    assert table["step"].unique(maintain_order=True).to_list() == [0, 2, 4, 6]
    found = features(courses["mae"][2], IMAGE[None])
    patches = found.patches[0]
    expected = similarity_table(patches[1 * found.grid[1] + 2], patches, found.grid)
    assert part(table, 2, "mae").equals(expected)


def test_a_frame_is_the_figure_of_its_step_on_the_scale_of_all(table):
    film = film_figure(IMAGE, table, QUERY)
    assert [frame.name for frame in film.frames] == ["step 0", "step 2", "step 4", "step 6"]
    for frame, step in zip(film.frames, (0, 2, 4, 6), strict=True):
        models = {name: part(table, step, name) for name in ("siameseim", "mae")}
        alone = similarity_figure(IMAGE, models, QUERY)
        for i, trace in zip(frame.traces, frame.data, strict=True):
            if trace.type == "heatmap":
                assert np.array_equal(trace.z, alone.data[i].z)
    scale = film.layout.coloraxis
    assert (scale.cmin, scale.cmax) == (min(0, table["cosine"].min()), table["cosine"].max())
    shown = [trace for trace in film.data if trace.type == "heatmap"]
    assert np.array_equal(shown[0].z, film.frames[-1].data[0].z)


def test_frames_have_all_that_moves_and_nothing_else(table):
    film = film_figure(IMAGE, table, QUERY)
    steps = [{n: part(table, s, n) for n in ("siameseim", "mae")} for s in (0, 2, 4, 6)]
    drawn = [similarity_figure(IMAGE, models, QUERY) for models in steps]
    same = lambda i: len({go.Figure(each.data[i]).to_json() for each in drawn}) == 1  # noqa: E731
    moving = [i for i in range(len(film.data)) if not same(i)]
    assert [list(frame.traces) for frame in film.frames] == [moving] * 4
    assert [film.data[i].type for i in moving].count("heatmap") == 2 < len(film.data)
    assert len(film.layout.sliders[0].steps) == 4 and film.layout.updatemenus[0].buttons


def test_a_film_of_components_moves_their_colours_alone(courses):
    films = {}
    for step, model in courses["mae"].items():
        found = features(model, IMAGE[None])
        colours = components_table(found.patches, found.grid)
        films[step] = components_figure(IMAGE[None], {"mae": colours})
    film = training_film(dict(reversed(films.items())))  # in the order of the steps all the same
    assert [step.label for step in film.layout.sliders[0].steps] == [f"step {s}" for s in films]
    for frame, (step, alone) in zip(film.frames, films.items(), strict=True):
        (trace,) = frame.data
        assert frame.name == f"step {step}" and trace.type == "image"
        assert np.array_equal(trace.z, alone.data[frame.traces[0]].z)
    assert np.array_equal(film.data[film.frames[0].traces[0]].z, film.frames[-1].data[0].z)
    two = components_figure(IMAGE[None], {"mae": colours, "again": colours})
    for odd in ({}, films | {9: two}):
        with pytest.raises(UserError, match="give one or more of one kind"):
            training_film(odd)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="kaleido needs Chromium")
def test_the_gif_has_a_picture_of_each_step(table, tmp_path):
    path = write_film(film_figure(IMAGE, table, QUERY), tmp_path / "film.gif", width=300)
    with Image.open(path) as film:
        pictures = []
        for i in range(film.n_frames):
            film.seek(i)
            pictures.append(np.array(film.convert("RGB")))
    assert len(pictures) == 4 and pictures[0].shape[1] == 300
    assert (pictures[0] != pictures[3]).any()


def grey(monkeypatch):
    """Pictures of odd sides in the place of those by Chromium: one for each step, of one grey."""
    shades = [Image.new("RGB", (301, 203), (60 * i,) * 3) for i in range(4)]
    monkeypatch.setattr(film_module, "_pictures", lambda film, width: shades)


def test_an_mp4_shows_every_step_for_half_a_second(monkeypatch, tmp_path):
    av = pytest.importorskip("av")
    grey(monkeypatch)
    with av.open(str(write_film(go.Figure(), tmp_path / "film.MP4"))) as film:
        stream = film.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.duration * stream.time_base == 2
        pictures = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert [picture.shape for picture in pictures] == [(202, 300, 3)] * 4
    assert [picture.mean() for picture in pictures] == pytest.approx([0, 60, 120, 180], abs=2)


def test_the_suffix_of_a_film_is_its_format(monkeypatch, table, tmp_path):
    grey(monkeypatch)
    with Image.open(write_film(go.Figure(), tmp_path / "film.gif")) as film:
        assert film.format == "GIF" and film.n_frames == 4
    page = write_film(film_figure(IMAGE, table, QUERY), tmp_path / "new" / "film.html")
    assert "step 6" in page.read_text() and "Play" in page.read_text()
    with pytest.raises(UserError, match="is .gif, .mp4 or .html; name its file film.gif"):
        write_film(go.Figure(), tmp_path / "film.avi")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"MP4 needs PyAV, .* pip install 'siamlab\[film\]'"):
        write_film(go.Figure(), tmp_path / "film.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.gif", "new"]


def test_a_figure_without_frames_is_no_film(tmp_path):
    with pytest.raises(UserError, match="film has no frames; give what film_figure or training_"):
        write_film(go.Figure(), tmp_path / "film.gif")
    assert not any(tmp_path.iterdir())


def test_figures_of_two_kinds_are_no_film_and_those_without_a_height_are():
    line, heat = go.Figure(go.Scatter(x=[1])), go.Figure(go.Heatmap(z=[[1]]))
    assert training_film({1: line, 2: line}).layout.height > 450
    with pytest.raises(UserError, match="traces of the same kinds; give figures of one function"):
        training_film({1: line, 2: heat})


def test_steps_of_other_models_are_refused(table):
    odd = table.filter((pl.col("step") > 0) | (pl.col("model") == "mae"))
    with pytest.raises(UserError, match="the same models at all steps"):
        film_figure(IMAGE, odd)


def test_models_without_a_common_step_and_a_query_off_the_grid_are_refused(courses):
    model = courses["mae"][0]
    with pytest.raises(UserError, match="must share steps"):
        film_table({"a": {1: model}, "b": {2: model}}, IMAGE, QUERY)
    with pytest.raises(UserError, match="query=.9, 0. must be"):
        film_table(courses, IMAGE, (9, 0))
