"""The plane explorer: each measure against its definition, brushes, the runs of a study."""

import io
import math

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from test_explore import REST, assert_refused, panel, plane_explorer

from siamlab import probe
from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.evaluate.models import open_model
from siamlab.explore import PairExplorer, PlaneExplorer
from siamlab.explore.plane import measures as plane_measures
from siamlab.explore.plane import runs as plane_runs
from siamlab.explore.plane.charts import bar_index, curve_panels
from siamlab.explore.plane.explorer import BARS, DESCRIBED
from siamlab.explore.plane.measures import MEASURES, class_margin
from siamlab.explore.plane.points import DOT, LETTER, LINE, LONGEST, UNITS, plane_chart
from siamlab.figure import plane_table
from siamlab.geometry import patch_centres, to_source, to_view
from siamlab.recipes import demo_size, mae, siameseim
from siamlab.train import RunFolder, train

NAME = "zoo:scenes_moco_v3"  # it has a class token and a grid of 5 × 5 patches of 8 pixels


@pytest.fixture(scope="module")
def explorer():
    return plane_explorer("zoo:scenes_siameseim", NAME, "zoo:scenes_mae")


def found(explorer, start, name=NAME):
    (measure,) = [title for title in MEASURES if title.startswith(start)]
    return explorer._measured(name, measure)


def tokens(model, images):
    """All tokens before and after the final norm, and the input of the last attention."""
    kept, want = {}, probe.inputs(model)
    hooks = [
        model.blocks[-1].register_forward_hook(lambda m, x, y: kept.update(before=y)),
        model.blocks[-1].attn.register_forward_pre_hook(lambda m, x: kept.update(attn=x[0])),
    ]
    shift, scale = (torch.tensor(t).view(3, 1, 1) for t in (want.mean, want.std))
    with torch.no_grad():
        after = model.forward_features((images - shift) / scale)
    for hook in hooks:
        hook.remove()
    return kept["before"], after, kept["attn"]


def seen(explorer, image):
    """One test image as the models take it: 40 pixels."""
    small = torch.nn.functional.interpolate(
        explorer.pixels[image : image + 1] / 255, (40, 40), mode="bilinear", antialias=True
    )
    return tokens(open_model(NAME).model, small)


def attention(explorer, image):
    """Attention of the last layer among patches, head by head."""
    attn = open_model(NAME).model.blocks[-1].attn
    with torch.no_grad():
        q, k, _ = attn.qkv(seen(explorer, image)[2])[0].double().chunk(3, dim=1)  # [T, D]
    q, k = (t.unflatten(1, (attn.num_heads, -1)).transpose(0, 1) for t in (q, k))
    rows = np.exp((q @ k.mT / math.sqrt(q.shape[2])).numpy())[:, 1:, 1:]
    return rows / rows.sum(axis=2, keepdims=True)  # [heads, 25, 25]


def test_match_cosine_and_error_are_those_of_the_two_views(explorer):
    cosines, errors = found(explorer, "cosine"), found(explorer, "error")
    assert torch.equal(cosines[:, :2], errors[:, :2])
    pair, centres = PairExplorer(NAME), patch_centres((5, 5))
    views = pair._views(7, 1)
    a, b = (torch.nn.functional.normalize(
        tokens(open_model(NAME).model, v.image)[1][0, 1:], dim=1) for v in views)  # fmt: skip
    true = to_view(to_source(centres[None], views[0]), views[1])[0]
    inside = ((true >= 0) & (true <= 1)).all(dim=1)
    here = cosines[cosines[:, 0] == 7]
    assert here[:, 1].tolist() == inside.nonzero()[:, 0].tolist()
    best, there = (a @ b.T).max(dim=1)
    torch.testing.assert_close(here[:, 2], best[inside], atol=1e-5, rtol=0)
    error = 40 * (centres[there] - true).norm(dim=1)[inside]
    torch.testing.assert_close(errors[errors[:, 0] == 7][:, 2], error, atol=1e-3, rtol=0)


def test_attention_distance_and_entropy_of_each_query(explorer):
    far, even = found(explorer, "attention distance"), found(explorer, "attention entropy")
    places = np.array([(y, x) for y in range(5) for x in range(5)], dtype=float)
    apart = np.sqrt(((places[:, None] - places) ** 2).sum(axis=2))
    for image in (0, 9):
        a = attention(explorer, image)
        here = far[:, 0] == image
        assert far[here][:, 1].tolist() == list(range(25))
        wanted = 8 * (a * apart).sum(axis=2).mean(axis=0)  # patches of 8 pixels
        np.testing.assert_allclose(far[here][:, 2], wanted, rtol=1e-3)
        wanted = -(a * np.log(a)).sum(axis=2).mean(axis=0)
        np.testing.assert_allclose(even[here][:, 2], wanted, rtol=1e-3)
    model = open_model(NAME).model
    profile = probe.attention_profile(model, explorer.pixels)
    for rows, numbers in ((far, 8 * profile.distance), (even, profile.entropy)):
        wanted = numbers[:, -1].mean(dim=1)  # of the last layer, over heads
        torch.testing.assert_close(rows[:, 2].view(-1, 25).mean(dim=1), wanted, rtol=1e-4, atol=0)


def test_the_norm_of_a_patch_is_told_in_medians_of_its_image(explorer):
    rows = found(explorer, "norm of a patch")
    norms = seen(explorer, 3)[0][0, 1:].norm(dim=1).numpy()
    wanted = norms / np.median(norms)
    np.testing.assert_allclose(rows[rows[:, 0] == 3][:, 2], wanted, rtol=1e-3)


def test_the_distance_of_views_is_a_term_of_the_alignment(explorer):
    rows, pair, model = (
        found(explorer, "squared distance"),
        PairExplorer(NAME),
        open_model(NAME).model,
    )
    assert rows[:, 0].tolist() == list(range(40)) and set(rows[:, 1].tolist()) == {-1}
    pooled = [[tokens(model, view.image)[1][0, 1:].mean(dim=0) for view in pair._views(i, 1)]
              for i in range(40)]  # fmt: skip
    a, b = (torch.stack(side) for side in zip(*pooled, strict=True))
    wanted = 2 - 2 * torch.nn.functional.cosine_similarity(a, b)
    torch.testing.assert_close(rows[:, 2], wanted, atol=1e-4, rtol=0)
    assert rows[:, 2].mean().item() == pytest.approx(probe.alignment(a, b).value, abs=1e-4)


@pytest.mark.parametrize("hide", [False, True])
def test_the_margin_of_the_class_image_by_image(explorer, hide):
    labels = open_model(NAME).run.data("test").labels[:40]
    if hide:  # images of unknown class are nobody's neighbour
        labels = labels.where(torch.arange(40) % 3 > 0, -1)
    pooled = torch.cat([seen(explorer, i)[1][:, 1:].mean(dim=1) for i in range(40)]).double()
    known = [i for i in range(40) if labels[i] >= 0]
    wanted = {}
    for i in known:
        cosine = torch.nn.functional.cosine_similarity(pooled[i : i + 1], pooled).tolist()
        own = [cosine[j] for j in known if labels[j] == labels[i] and j != i]
        if own:
            wanted[i] = max(own) - max(cosine[j] for j in known if labels[j] != labels[i])
    rows = class_margin(explorer._case(NAME)._replace(labels=labels))
    assert hide or torch.equal(rows, found(explorer, "margin"))
    assert rows[:, 0].tolist() == list(wanted)
    np.testing.assert_allclose(rows[:, 2], list(wanted.values()), atol=2e-3)


def test_images_without_labels_have_no_margin():
    pixels = Scenes(images=8, test_images=8)("test").pixels
    few = PlaneExplorer([open_model(NAME)], scores([NAME]), pixels)
    assert len(few.scene().controls[1].options) == len(MEASURES) - 1
    with pytest.raises(UserError, match="no choice 'margin"):
        few.set(measure="margin of the class (cosine)")


def scores(names):
    rows = [
        dict(model=n, probe=p, value=0.1 * i, low=0.0, high=1.0, layer=None, head=None) | REST
        for i, n in enumerate(names, 1)
        for p in ("semantic", "spatial")
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


@pytest.mark.parametrize("measure", MEASURES)
def test_bars_are_counted_and_pictured(explorer, measure):
    explorer.select("plane", 1).set(measure=measure).brush("histogram", [3, 4, 5])
    values = explorer._measured(NAME, measure).double().numpy()
    both = np.concatenate(
        [values[:, 2], explorer._measured("zoo:scenes_siameseim", measure)[:, 2].numpy()]
    )
    edges = np.linspace(both.min(), both.max(), BARS + 1)
    counts = np.histogram(values[:, 2], edges)[0]
    chart = panel(explorer, "histogram").chart
    shares = np.array(chart.y) / sum(chart.y)
    np.testing.assert_allclose(shares, counts / len(values), atol=1.5 / len(values))
    behind = values[(values[:, 2] >= edges[3]) & (values[:, 2] < edges[6])]
    text = explorer.state["text"].splitlines()[0]
    assert (
        text.startswith(f"{NAME}: {len(behind)} ") and f" of {len(values)} with {measure}" in text
    )
    assert f"from {edges[3]:.3g} to {edges[6]:.3g}" in text
    shown = [p for p in explorer.scene().panels if p.id[0].isdigit()]
    largest = behind[behind[:, 2].argsort()[::-1]]
    pairs = measure.endswith("of the match") or measure.startswith("error")
    titles = [f"View b: {v:.3g}" if pairs else f"Image {int(i)}: {v:.3g}" for i, _, v in largest]
    wanted = [p.title for p in shown if not p.title.endswith("view a")]
    assert wanted == titles[: 3 if pairs else 6]
    queries = [mark for p in shown for mark in p.marks if mark.kind == "query"]
    assert len(queries) == (0 if (values[:, 1] < 0).all() else len(wanted))
    for mark, (_, patch, _) in zip(queries, largest, strict=False):
        place = (patch // 5 + 0.5) / 5, (patch % 5 + 0.5) / 5
        assert (mark.y, mark.x) == pytest.approx(place)
    assert explorer.images().keys() >= {p.image for p in shown}
    assert chart.chosen == (3, 4, 5) and chart.x_title == measure


def test_a_value_on_an_edge_is_in_the_bar_above_it():
    edges = [0.0, 1.0, 2.0, 3.0]
    assert bar_index(torch.tensor([0.0, 0.9, 1.0, 2.0, 3.0]), edges).tolist() == [0, 0, 1, 2, 2]


def test_points_are_brushed_and_one_of_them_is_looked_at():
    explorer = plane_explorer("zoo:scenes_siameseim", NAME, "zoo:scenes_mae")
    explorer.handle({"panel": "plane", "parts": [2, 1]})
    assert explorer.state["chosen"] == (NAME, "zoo:scenes_mae") and explorer.state["model"] == NAME
    assert list(panel(explorer, "plane").chart.chosen) == [1, 2]
    lines = explorer.state["text"].splitlines()
    assert lines[1].startswith(
        f"{NAME}: semantic 0.200, spatial 0.200; changed from zoo:scenes_siameseim: "
    )
    other = open_model("zoo:scenes_mae").run.differences(open_model("zoo:scenes_siameseim").run)
    told = lines[2].split("zoo:scenes_siameseim: ")[1].removesuffix(".")
    told, more = told.split(" and ")
    assert told.startswith("views=same, colour=none") and "loss=mse" in told
    assert sum(change in told for change in other) == 8
    assert more == f"{len(other) - 8} more"
    explorer.set(model="zoo:scenes_mae")
    assert (
        explorer.state["chosen"] == (NAME, "zoo:scenes_mae") and lines[1:] == _lines(explorer)[1:]
    )
    assert _lines(explorer)[0].startswith("zoo:scenes_mae: ")
    with pytest.raises(UserError, match="model has no choice 'zoo:scenes_siameseim'"):
        explorer.set(model="zoo:scenes_siameseim")
    explorer.select("plane", 0)
    assert (
        explorer.state["chosen"] == ("zoo:scenes_siameseim",)
        and "; the base" in _lines(explorer)[1]
    )
    explorer.brush("histogram", [7, 4])
    assert explorer.state["bars"] == (4, 5, 6, 7)


def test_bars_without_values_give_way_to_the_highest_that_has_some(monkeypatch):
    explorer = plane_explorer(NAME, "zoo:scenes_siameseim")
    rows = {NAME: [0.0, 2.0], "zoo:scenes_siameseim": [1.0, 12.0]}
    values = lambda name, _: torch.tensor([[i, 0.0, v] for i, v in enumerate(rows[name])])  # noqa: E731
    monkeypatch.setattr(explorer, "_measured", values)
    assert explorer.select("plane", 0).state["bars"] == (11,)
    explorer.brush("plane", [0, 1])  # from 0 to 12: the values of the first end in the third bar
    assert explorer.state["bars"] == (2,) and ": 1 patches of 2 with" in _lines(explorer)[0]
    explorer.select("histogram", 7)  # chosen on purpose
    assert explorer.state["bars"] == (7,) and ": 0 patches of 2 with" in _lines(explorer)[0]


def _lines(explorer):
    return explorer.state["text"].splitlines()


MISTAKES = [
    (lambda e: e.brush("plane", [0, 3]), r"parts=\[0, 3\] must be one or more from 0 to 2"),
    (lambda e: e.brush("plane", []), r"parts=\[\] must be one or more"),
    (lambda e: e.brush("loss", [0]), "view 'loss'"),
    (
        lambda e: PairExplorer("zoo:scenes_mae").brush("a", [0]),
        "pair explorer has no points or bars",
    ),
]


@pytest.mark.parametrize("mistake, sentence", MISTAKES)
def test_wrong_brushes_are_told_and_change_nothing(explorer, mistake, sentence):
    assert_refused(explorer, mistake, sentence)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two measured runs, one that is not measured and one that is not finished."""
    folder = tmp_path_factory.mktemp("study")
    small = ("data.images=64", "data.test_images=16", "steps=3", "log_every=1", "model.depth=1")
    runs = {"siameseim-seed0": siameseim(), "mae-seed0": mae()}
    for name, recipe in runs.items():
        path = train(demo_size(recipe).change(*small), folder / "runs" / name).path
        if name != "siameseim-seed0":
            scores([recipe.name]).write_parquet(path / "scores.parquet")
    scores(["siameseim"]).write_parquet(folder / "runs" / "siameseim-seed0" / "scores.parquet")
    train(demo_size(mae()).change(*small, "seed=1"), folder / "runs" / "mae-seed1")
    (folder / "runs" / "mae-seed2").mkdir()
    return folder


def test_the_measured_runs_of_a_study_are_loaded_when_they_are_chosen(study, monkeypatch):
    loaded = []
    load = lambda path: loaded.append(path.name) or open_model(path)  # noqa: E731
    monkeypatch.setattr(plane_runs, "open_model", load)
    explorer = PlaneExplorer.of_study(study)
    assert explorer.names == ["siameseim-seed0", "mae-seed0"]  # as they began
    explorer.snapshot()
    assert set(loaded) == {"siameseim-seed0"} == set(explorer.state["chosen"])
    explorer.brush("plane", [0, 1])
    explorer.snapshot()
    assert set(loaded) == {"siameseim-seed0", "mae-seed0"}
    assert "mae-seed0: semantic 0.100" in _lines(explorer)[2] and "loss=mse" in _lines(explorer)[2]


def test_a_report_tells_the_order_of_the_points(study):
    file = study / "trials.parquet"
    pl.DataFrame({"folder": ["mae-seed0", None, "siameseim-seed0"]}).write_parquet(file)
    explorer = PlaneExplorer.of_study(study, Scenes(images=8, test_images=8)("test"))
    file.unlink()
    assert explorer.names == ["mae-seed0", "siameseim-seed0"] and len(explorer.pixels) == 8
    assert explorer.state["model"] == "mae-seed0"


def test_a_folder_without_measured_runs_is_refused(tmp_path, study):
    with pytest.raises(UserError, match="holds no measured run: none of its runs/.* has scores"):
        PlaneExplorer.of_study(tmp_path)
    with pytest.raises(UserError, match="holds no measured run"):
        PlaneExplorer.of_study(study / "runs" / "mae-seed0")


def test_curves_are_what_was_logged(study):
    explorer = PlaneExplorer.of_study(study).brush("plane", [0, 1])
    loss, spread = (panel(explorer, name).chart for name in ("loss", "sign of collapse"))
    plane = panel(explorer, "plane").chart
    for i, name in enumerate(explorer.names):
        lines = RunFolder(study / "runs" / name).lines()
        assert loss.names[i] == name and loss.colours[i] == plane.colours[i] == spread.colours[i]
        np.testing.assert_allclose(loss.x[i], [line["step"] / 3 for line in lines])
        (_, one) = next(tick for tick in loss.y_ticks if tick[1] == "1")
        top = next(place for place, words in loss.y_ticks if words == one)
        ratio = [line["loss"] / lines[0]["loss"] for line in lines]
        np.testing.assert_allclose(np.array(loss.y[i]) / top, ratio, rtol=1e-6)
        top = next(place for place, words in spread.y_ticks if words == "1")
        shown = np.array(spread.y[i]) / top
        np.testing.assert_allclose(shown, [line["context/spread"] for line in lines], rtol=1e-6)
    assert loss.y_title == "loss / first logged loss" and loss.x_title == "step"


def test_scores_of_probes_while_training_are_curves_too(study):
    explorer = PlaneExplorer.of_study(study)
    names = [panel.id for panel in explorer.scene().panels]
    assert "semantic score" not in names
    logged = explorer._logged
    explorer._logged = lambda name: [
        line | {"probe/semantic": 0.1 * line["step"]} for line in logged(name)
    ]
    explorer.brush("plane", [0, 1])
    chart = panel(explorer, "semantic score").chart
    assert chart.names == explorer.names and chart.y_title == "semantic score (0: chance)"
    np.testing.assert_allclose(np.array(chart.y[0]) / chart.y[0][-1], [1 / 3, 2 / 3, 1], rtol=1e-6)
    assert "spatial score" not in [panel.id for panel in explorer.scene().panels]


def test_models_without_metrics_are_named(study):
    names = ["zoo:scenes_mae", NAME]
    run = study / "runs" / "mae-seed0"
    models = [open_model("zoo:scenes_mae"), open_model(NAME)._replace(folder=run)]
    explorer = PlaneExplorer(models, scores(names))
    assert panel(explorer, "loss").chart.note == "no metrics for\nzoo:scenes_mae"
    explorer.brush("plane", [0, 1])
    both = panel(explorer, "loss")
    assert both.chart.note == "" and both.chart.names == [NAME]
    assert both.title.endswith("no metrics for zoo:scenes_mae")


def test_models_that_were_not_trained_here_have_no_empty_charts(explorer):
    assert not [p.id for p in explorer.scene().panels if p.chart and p.chart.kind == "lines"]


def test_of_many_and_long_names_there_is_room_in_the_charts():
    names = [f"a_study_of_many_settings-views_two-loss_cosine-seed{i}" for i in range(6)]
    chart = plane_chart(plane_table(scores(names)), [0], range(6))
    assert all(len(name) <= LONGEST and name.endswith(f"seed{i}")
               for i, name in enumerate(chart.names))  # fmt: skip
    assert len(set(zip(chart.colours, chart.symbols, strict=True))) == 1  # one configuration
    (loss, _) = curve_panels(dict.fromkeys(names, []), names)
    first, *lines = loss.chart.note.splitlines()
    assert first == "no metrics for" and max(map(len, lines)) <= 40
    assert " ".join(lines) == ", ".join(chart.names[:3]) + " and 3 more"
    logged = dict.fromkeys(names, []) | {names[5]: [{"step": 1, "loss": 1.0}]}
    assert curve_panels(logged, names)[0].title.endswith(f"{chart.names[2]} and 2 more")


def test_models_are_kept_only_while_they_are_looked_at(study):
    points, _ = plane_runs.study_points(study)
    loaded = []
    load = lambda: loaded.append(1) or points[0].load()  # noqa: E731
    many = [points[0]._replace(name=f"run {i}", load=load) for i in range(7)]
    explorer = PlaneExplorer(many, scores([p.name for p in many])).brush("plane", range(7))
    explorer.select("histogram", 3)
    assert explorer._case.cache_info().currsize <= 4
    assert (count := len(loaded)) <= 8  # the first one again
    explorer.select("histogram", 5)
    assert len(loaded) == count


@pytest.mark.parametrize("name", [NAME, "zoo:scenes_mae"])
def test_attention_of_a_patch_that_looks_at_one_place(explorer, name, monkeypatch):
    n = 25
    one = torch.zeros(3, n, n)
    one[:, :, 0] = 1.0  # all heads: the upper left corner, which has no entropy
    even = torch.full((3, n, n), 1 / n)
    monkeypatch.setattr(plane_measures, "_attention", lambda case: iter([one, even]))
    case = explorer._case(name)
    far, bits = (measure(case)[:, 2].view(2, n) for measure in (
        plane_measures.attention_distance, plane_measures.attention_entropy))  # fmt: skip
    rows, columns = np.divmod(np.arange(n), 5)
    np.testing.assert_allclose(far[0], 8 * np.hypot(rows, columns), rtol=1e-6)
    np.testing.assert_allclose(bits[0], 0.0)
    np.testing.assert_allclose(bits[1], math.log(n), rtol=1e-6)


def test_attention_measures_need_no_more_than_the_attention_itself(explorer, monkeypatch):
    made = []
    monkeypatch.setattr(torch.Tensor, "repeat", lambda *_: made.append("a matrix for each query"))
    for measure in (plane_measures.attention_distance, plane_measures.attention_entropy):
        measure(explorer._case("zoo:scenes_mae"))
    assert not made


def test_of_many_points_a_readable_number_is_told(study):
    points, table = plane_runs.study_points(study)
    many = [points[0]._replace(name=f"run {i:02}") for i in range(25)]
    explorer = PlaneExplorer(many, scores([p.name for p in many])).brush("plane", range(25))
    assert len(explorer.state["chosen"]) == 25 and len(_lines(explorer)) == 1 + DESCRIBED + 1
    assert _lines(explorer)[-1] == f"{25 - DESCRIBED} more are chosen."
    assert len(panel(explorer, "loss").chart.names) == DESCRIBED
    chart = panel(explorer, "plane").chart
    looks = set(zip(chart.colours, chart.symbols, strict=True))
    assert len(looks) == 25  # no two points look alike
    assert sum(place is not None for place in chart.places) == DESCRIBED
    assert Image.open(io.BytesIO(explorer.snapshot())).width == 2 * 776


@pytest.mark.parametrize("seed", range(4))
def test_no_name_covers_a_point_even_in_crowds(seed):
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 1, (3, 2))[np.arange(12) % 3]
    places = centres + 0.02 * rng.normal(size=(12, 2))
    names = [f"configuration-{i}" for i in range(12)]
    scores = {"model": names, "semantic": places[:, 0], "spatial": places[:, 1]}
    chart = plane_chart(pl.DataFrame(scores), [], list(range(12)))
    points = np.array([chart.x, chart.y]).T * UNITS
    for name, place in zip(names, chart.places, strict=True):
        half = np.array([LETTER * len(name) + 8, LINE]) / 2
        apart = np.abs(points - np.array(place) * UNITS)
        assert not (apart < half + DOT / 2).all(axis=1).any(), name


@pytest.mark.parametrize("seed", range(8))
def test_seven_long_names_cover_neither_points_nor_each_other(seed):
    rng, names = np.random.default_rng(seed), [f"{'long-name-' * 2}seed{i}" for i in range(7)]
    scores = {"model": names, "semantic": rng.normal(size=7), "spatial": rng.normal(size=7)}
    chart = plane_chart(pl.DataFrame(scores), [], list(range(7)))
    points, places = np.array([chart.x, chart.y]).T * UNITS, np.array(chart.places) * UNITS
    size = np.array([LETTER * 25 + 8, LINE])
    assert not (np.abs(points[:, None] - places) < (size + DOT) / 2).all(axis=2).any()
    apart = np.abs(places[:, None] - places) < size
    assert (apart.all(axis=2) == np.eye(7, dtype=bool)).all()


@pytest.mark.parametrize("seed", range(4))
def test_no_name_lies_on_a_whisker_where_there_is_room(seed):
    rng = np.random.default_rng(seed)
    places = [(0.1, 0.8), (0.3, 0.3), (0.5, 0.9), (0.7, 0.5)] + rng.normal(0, 0.03, (4, 2))
    names = [f"method-{i}" for i in range(4)]
    scores = {"model": names}
    for name, values in zip(("semantic", "spatial"), places.T, strict=True):
        scores |= {name: values, f"{name}_low": values - 0.08, f"{name}_high": values + 0.08}
    chart = plane_chart(pl.DataFrame(scores), [], list(range(4)))
    half = np.array([LETTER * len("method-0") + 8, LINE]) / 2 / UNITS
    for name, place in zip(names, chart.places, strict=True):
        (left, low), (right, high) = place - half, place + half
        for x, y, ends in zip(chart.x, chart.y, chart.whiskers, strict=True):
            start, end, least, most = ends
            assert not (left < x < right and least < high and low < most), name
            assert not (low < y < high and start < right and left < end), name


def test_a_name_keeps_clear_of_the_way_between_points():
    scores = {"model": ["low", "high"], "semantic": [0.5, 0.5], "spatial": [0.0, 1.0]}
    for joined in (True, False):
        chart = plane_chart(pl.DataFrame(scores), [], [0, 1], joined)
        assert (chart.places[0][1] < chart.y[0]) == joined  # below the lower one
