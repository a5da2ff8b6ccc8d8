"""Study explorer: scores of a study's trials wherever they are kept, with means and differences."""

import math
import re
import shutil
from pathlib import Path

import polars as pl
import pytest
from scipy import stats
from test_explore import VALUES, panel, path_study

from siamlab.component import UserError
from siamlab.explore import StudyExplorer
from siamlab.explore.plane.results import known_results, results_place, study_results
from siamlab.explore.plane.told import axis_title

COMMITTED = Path(__file__).parents[1] / "studies" / "results"
QUANTILE = 12.706  # of Student's t with two values, two-sided 95 %


@pytest.fixture(scope="module")
def study():
    return path_study()[0]


def test_each_configuration_has_its_mean_its_interval_and_its_difference_seed_by_seed(study):
    lines = StudyExplorer(study).state["text"].splitlines()
    half = QUANTILE * 0.05
    assert lines[0].endswith(
        "4 runs of 2 configurations, means over seeds; whiskers and brackets: 95 % interval of "
        "that mean (Student's t)."
    )
    assert lines[1] == (
        f"start: semantic 0.250 [−{half - 0.25:.3f}, {0.25 + half:.3f}], "
        "spatial 0.300 [0.300, 0.300]; 2 seeds."
    )
    assert "masked: semantic 0.450 [" in lines[2] and "changed from start: " in lines[2]
    assert "masking.ratio=0.4" in lines[2]
    first, second = 0.5 - 0.2, 0.4 - 0.3  # of seeds 0 and 1
    half = QUANTILE * abs(first - second) / 2
    mean = (first + second) / 2
    ends = f"[−{half - mean:.3f}, +{mean + half:.3f}]"
    assert f"less start, seed by seed: semantic {mean:+.3f} {ends}" in lines[2]


def test_runs_are_points_with_their_own_intervals(study):
    shown = StudyExplorer(study).set(points="runs").brush("plane", [1, 2])
    names = [f"{name[:-6]}, seed {name[-1]}" for name in VALUES]
    assert sorted(panel(shown, "plane").chart.names) == sorted(names)
    assert len(shown.state["chosen"]) == 2
    for line, name in zip(shown.state["text"].splitlines()[1:], shown.state["chosen"], strict=True):
        value = VALUES[name.replace(", seed ", "-seed")]
        assert (
            line
            == f"{name}: "
            + ", ".join(
                f"{key} {v:.3f} [{v:.3f}, {v:.3f}]"
                for key, v in zip(("semantic", "spatial"), value, strict=True)
            )
            + "."
        )


def test_whiskers_are_the_intervals_on_the_same_axis():
    shown = StudyExplorer(COMMITTED / "headline.jsonl")
    chart, values = panel(shown, "plane").chart, panel(shown, "values").chart
    scores = study_results(COMMITTED / "headline.jsonl").scores
    rows = scores.filter(probe="semantic").group_by("point", maintain_order=True)
    table = rows.agg(mean=pl.col("value").mean(), error=pl.col("value").std() / pl.len().sqrt(),
                     n=pl.len())  # fmt: skip
    mean, error, n = (table[key].to_list() for key in ("mean", "error", "n"))
    scale = (chart.x[0] - chart.x[1]) / (mean[0] - mean[1])  # of the axis
    for i, whisker in enumerate(chart.whiskers):
        half = scale * error[i] * stats.t.ppf(0.975, n[i] - 1)
        assert whisker[:2] == pytest.approx((chart.x[i] - half, chart.x[i] + half), abs=1e-6)
    scale = (values.y[0] - values.y[1]) / (mean[0] - mean[1])
    half = scale * error[2] * stats.t.ppf(0.975, n[2] - 1)
    assert values.whiskers[2][2:] == pytest.approx((values.y[2] - half, values.y[2] + half))


def test_a_whisker_that_is_too_long_ends_at_the_border(study):
    chart = panel(StudyExplorer(study), "plane").chart
    assert chart.whiskers[0][0] == 0.0 and chart.whiskers[0][1] == 1.0
    assert 0.1 < chart.x[0] < chart.x[1] < 0.9


def test_another_probe_is_shown_with_its_unit_for_the_chosen_points():
    shown = StudyExplorer(COMMITTED / "headline.jsonl").brush("plane", [0, 2]).set(probe="knn")
    chart = panel(shown, "values").chart
    assert list(chart.names) == ["siameseim", "moco_v3"]
    assert chart.y_title == "k-NN accuracy (share of images)"
    one = shown.select("plane", 1)
    assert list(panel(one, "values").chart.names) == ["mae"] and one.state["probe"] == "knn"


def test_both_axes_of_a_score_have_one_title():
    shown = StudyExplorer(COMMITTED / "headline.jsonl")
    for score, side in (("semantic", "x_title"), ("spatial", "y_title")):
        chart = panel(shown.set(probe=score), "values").chart
        assert chart.y_title == getattr(panel(shown, "plane").chart, side)


@pytest.mark.parametrize(
    "title, unit, wanted",
    [
        ("Semantic score: k-NN and linear probe", "0 chance", "semantic score (0 chance)"),
        (
            "Few-shot accuracy, 1 image a class",
            "share",
            "few-shot accuracy, 1 image a class (share)",
        ),
        ("LiDAR", "directions", "LiDAR (directions)"),
        ("Fourier amplitude", "logarithm", "Fourier amplitude (logarithm)"),
    ],
)
def test_titles_of_axes_begin_in_lower_case_but_for_names(title, unit, wanted):
    assert axis_title({"title": title, "unit": unit}) == wanted


def test_another_study_begins_with_its_own_points_and_keeps_the_probe_if_it_has_it():
    names = [COMMITTED / "headline.jsonl", COMMITTED / "id_to_siameseim.jsonl"]
    shown = StudyExplorer(*names).set(probe="spatial").select("plane", 1)
    shown.set(study=str(names[1]))
    assert shown.state["probe"] == "spatial" and "UniGrad" in shown.state["chosen"]
    assert panel(shown, "plane").chart.joined  # a path
    assert not panel(shown.set(points="runs"), "plane").chart.joined


def test_tables_of_a_report_and_the_trials_of_an_export_are_read_alike(tmp_path):
    exported = study_results(COMMITTED / "headline.jsonl").scores
    (tmp_path / "other").mkdir()
    exported.write_parquet(tmp_path / "other" / "scores.parquet")
    assert study_results(tmp_path / "other").scores.equals(exported)


def test_a_study_is_named_by_its_file_its_name_or_its_folder(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "studies" / "results"
    results.mkdir(parents=True)
    shutil.copy(COMMITTED / "headline.jsonl", results)
    shutil.copytree(COMMITTED / "headline_scenes", results / "headline_scenes")
    for word in ("studies/headline.py", "headline", "studies/results/headline.jsonl"):
        assert results_place(word) == Path("studies/results/headline.jsonl")
    assert results_place("headline_scenes") == Path("studies/results/headline_scenes")
    shutil.copytree(study, tmp_path / "runs" / "studies" / "headline")
    assert results_place("studies/headline.py") == Path(
        "runs/studies/headline"
    )  # its own come first
    assert len(known_results()) == 3 and known_results()[0] == Path("runs/studies/headline")


def test_what_has_no_results_is_refused_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="there are no results of studies below"):
        StudyExplorer()
    with pytest.raises(UserError, match=r"no results of the study studies/loss\.py \(runs/studies"):
        StudyExplorer("studies/loss.py")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "scores.parquet").write_bytes(b"x")
    with pytest.raises(UserError, match="scores.parquet cannot be read"):
        StudyExplorer("bad")
    pl.DataFrame({"point": ["a"]}).write_parquet(tmp_path / "bad" / "scores.parquet")
    with pytest.raises(UserError, match="has no column 'seed'"):
        StudyExplorer("bad")
    table = study_results(COMMITTED / "headline.jsonl").scores
    table.filter(pl.col("probe") == "knn").write_parquet(tmp_path / "bad" / "scores.parquet")
    with pytest.raises(UserError, match="no run with both scores, semantic and spatial"):
        StudyExplorer("bad")
    damaged = (COMMITTED / "headline.jsonl").read_text().replace("0.46", "0.56")
    (tmp_path / "x.jsonl").write_text(damaged)
    with pytest.raises(UserError, match=re.escape("its content does not match its hash")):
        StudyExplorer("x.jsonl")


def test_one_seed_has_a_value_and_no_interval():
    shown = StudyExplorer(COMMITTED / "learning_rate.jsonl")
    line = shown.state["text"].splitlines()[1]
    assert line == "siameseim 0.00064: semantic 0.300, spatial 0.296; 1 seed."
    chart = panel(shown, "plane").chart
    assert all(math.isfinite(end) for whisker in chart.whiskers for end in whisker)
    assert chart.whiskers[0] == (chart.x[0], chart.x[0], chart.y[0], chart.y[0])
