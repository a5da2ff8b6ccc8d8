"""Results read from a storage: every value once, in order, compared and reported."""

import re
from unittest.mock import Mock

import optuna
import polars as pl
import pytest
import torch
from optuna.trial import TrialState, create_trial
from polars.testing import assert_frame_equal
from pretend_device import pretended
from test_explore_device import Watch

from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.evaluate.models import NamedModel
from siamlab.figure.template import colours
from siamlab.recipes import demo_size, siameseim
from siamlab.report.page import report_html
from siamlab.study import Ablation, Axis, Choice, Search, matches_page, run_page
from siamlab.study import description as description_module
from siamlab.study.attach import attach_study
from siamlab.study.claims import requeue
from siamlab.study.definition import SCORES
from siamlab.study.matches_page import file_name
from siamlab.study.plan import open_study, stored_definition
from siamlab.study.report import pareto_front, report_study, sections
from siamlab.study.results import importances, results, trials
from siamlab.study.statistics import effects
from siamlab.study.storage import open_storage
from siamlab.study.summary import means_table
from siamlab.study.trial import folder_of
from siamlab.train import RunFolder, train, untrained

TINY = "data.images=16 data.test_images=8 data.side=40 batch=4 steps=2 model.depth=1".split()
BASE = demo_size(siameseim()).change(*TINY)
CPU = torch.device("cpu")
LOSSES = Ablation(
    question="Which loss?",
    base=BASE,
    axes=(
        Axis("loss", Choice("UniGrad"), Choice("cosine", "loss=cosine"), Choice("MSE", "loss=mse")),
    ),
    seeds=4,
)
SPATIAL = [dict(probe="spatial", title="Spatial score: x", property="spatial", protocol="p",
                unit="", direction="higher", low=None, high=None, chance=0.0, ceiling=1.0,
                value=0.2)]  # fmt: skip
SEARCH = Search(
    question="How deep?",
    suggest=lambda trial: BASE.change(f"prediction.depth={trial.suggest_int('depth', 1, 9)}"),
    objectives=("semantic", "cost"),
)
FILE = """
from siamlab.recipes import demo_size, siameseim
from siamlab.study import Ablation, Axis, Choice
BASE = demo_size(siameseim()).change(*"{}".split())
study = Ablation(question="Which loss?", base=BASE, seeds=4, axes=(
    Axis("loss", Choice("UniGrad"), Choice("cosine", "loss=cosine"), Choice("MSE", "loss=mse")),))
""".format(" ".join(TINY))


def value(point, seed, probe):
    """Semantic: cosine 0.1 above UniGrad, MSE equal but for a sign by seed; spatial: all equal."""
    if probe == "spatial":
        return 0.3 + 0.01 * seed
    effect = {"UniGrad": 0.0, "cosine": 0.1 + 0.001 * seed, "MSE": 0.05 * (-1) ** seed}[point]
    return 0.2 + 0.05 * seed + effect


def rows(point, seed, protocol="p"):
    about = dict(unit="", direction="higher", low=None, high=None, chance=0.0, ceiling=1.0)
    return [
        dict(probe=probe, title=f"{probe.title()} score: x", property=probe, protocol=protocol)
        | about
        | {"value": value(point, seed, probe)}
        for probe in SCORES
    ]


def finish(study, trial, point, seed, **other):
    """Store the results of one trial, as a worker does."""
    storage, scores = study._storage, rows(point, seed, **other)
    about = {"scores": scores, "seconds": 3600.0, "collapsed": "", "folder": f"{point}-seed{seed}"}
    for key, given in about.items():
        storage.set_trial_user_attr(trial._trial_id, key, given)
    handle = optuna.trial.Trial(study, trial._trial_id)
    handle.suggest_categorical("loss", ["UniGrad", "cosine", "MSE"])
    handle.suggest_categorical("seed", [0, 1, 2, 3])
    storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
    study.tell(trial.number, [row["value"] for row in scores])


def waiting(study):
    return study.get_trials(states=(TrialState.WAITING,))


@pytest.fixture
def study(tmp_path):
    """A study with all trials done, one of them at its second attempt."""
    study = open_study(LOSSES, "losses", open_storage("", tmp_path))
    given_back = waiting(study)[-1]
    requeue(study, study._storage, given_back)
    for trial in reversed(waiting(study)):
        finish(study, trial, trial.user_attrs["point"], trial.user_attrs["seed"])
    return study


def test_every_value_occurs_once_in_the_order_of_the_definition(study):
    found = results(study)
    wanted = [(p, s, q) for p in ("UniGrad", "cosine", "MSE") for s in range(4) for q in SCORES]
    assert found.select("point", "seed", "probe").rows() == wanted
    assert found["value"].to_list() == [value(*who) for who in wanted]
    done = trials(study)
    assert done["state"].to_list() == ["complete"] * 12 and done["seconds"].sum() == 12 * 3600


def test_values_of_different_protocols_are_refused(tmp_path):
    study = open_study(LOSSES, "losses", open_storage("", tmp_path))
    with pytest.raises(UserError, match="no trial of 'losses' is complete yet"):
        results(study)
    for trial in waiting(study)[:2]:
        finish(study, trial, trial.user_attrs["point"], 0, protocol=str(trial.number))
    with pytest.raises(UserError, match="by different protocols.*semantic, spatial differ"):
        results(study)


def test_the_parameter_that_moves_a_score_is_the_important_one(study):
    found = importances(study)
    assert set(found) == set(SCORES) and all(set(of) == {"loss", "seed"} for of in found.values())
    assert found["spatial"] == pytest.approx({"loss": 0, "seed": 1})
    assert sum(found["semantic"].values()) < 0.95  # the rest is their interaction


def test_the_report_agrees_with_the_values(study, tmp_path, capsys):
    file = tmp_path / "losses.py"
    file.write_text(FILE)
    report_study(str(file), [], tmp_path, "", 0.02)
    output = capsys.readouterr().out
    assert "cosine raises the semantic score by 0.102 [" in output
    assert "cannot tell whether MSE changes the semantic score against UniGrad" in output
    assert "MSE makes no difference larger than 0.000 to the spatial score" in output
    effects = pl.read_parquet(tmp_path / "effects.parquet")
    assert effects["corrections"].unique().to_list() == [4]  # two choices, two scores
    assert len(pl.read_parquet(tmp_path / "scores.parquet")) == 24
    page = (tmp_path / "report.html").read_text()
    assert "12 complete" in page and "12.0 hours" in page and "pictures.html" not in page
    summary = (tmp_path / "summary.md").read_text()
    assert "- cosine raises the semantic score by 0.102 [" in summary
    assert "12 of 12 trials" in summary and "2 steps of 4 images (8) of `scenes`" in summary
    assert "| MSE | 4 | " in summary and "machine unknown" in summary  # no run's folder is here
    table = means_table(results(study), 4)
    assert table.columns == ["point", "seeds", "Semantic score", "Spatial score"]
    assert table["Spatial score"][1].startswith("0.315 [0.29")


def test_a_run_on_this_machine_has_a_page(tmp_path):
    study = open_study(LOSSES, "losses", open_storage("", tmp_path))
    first, second, third = waiting(study)[:3]
    study._storage.set_trial_user_attr(third._trial_id, "reason", "out of memory: lower batch")
    study._storage.set_trial_state_values(third._trial_id, TrialState.FAIL)
    folder = train(LOSSES.points()[0].run, tmp_path / "runs" / "UniGrad-seed0")
    finish(study, first, "UniGrad", 0)
    finish(study, second, "cosine", 0)  # on another machine: no folder here
    page = list(sections(LOSSES, study, results(study), None, tmp_path, CPU))
    (runs,) = [section for section in page if section.title == "Runs"]
    assert runs.links == {"UniGrad-seed0": "runs/UniGrad-seed0/pictures.html"}
    assert "- MSE, seed 0: out of memory: lower batch" in runs.text and "UniGrad," not in runs.text
    pictures = tmp_path / "runs" / "UniGrad-seed0" / "pictures.html"
    assert ">Correspondences</h2>" in pictures.read_text()
    before = pictures.stat().st_mtime_ns
    list(sections(LOSSES, study, results(study), None, tmp_path, CPU))
    assert pictures.stat().st_mtime_ns == before  # made once
    RunFolder(folder.path).encoder.touch()
    list(sections(LOSSES, study, results(study), None, tmp_path, CPU))
    assert pictures.stat().st_mtime_ns > before


def test_runs_of_names_without_latin_letters_have_folders_of_their_own(tmp_path):
    names = ["α", "β", "…", "a b", "UniGrad"]
    folders = [folder_of(tmp_path, LOSSES.points()[0].run.change(f"name={n}")) for n in names]
    assert len(set(folders)) == len(names)
    assert [folder.name for folder in folders[3:]] == ["a-b-seed0", "UniGrad-seed0"]


def test_a_comparison_of_runs_on_this_machine_leads_to_the_places_of_disagreement(tmp_path):
    study = open_study(LOSSES, "losses", open_storage("", tmp_path))
    for trial in waiting(study):
        finish(study, trial, trial.user_attrs["point"], trial.user_attrs["seed"])
    for point in LOSSES.points()[:2]:  # MSE was trained elsewhere
        train(point.run, tmp_path / "runs" / f"{point.label}-seed0")
    compared = effects(results(study), LOSSES.comparisons(), seeds=4)
    page = list(sections(LOSSES, study, results(study), compared, tmp_path, CPU))
    titles = [section.title for section in page]
    found = page[titles.index("Verdicts") + 1]
    assert found.title == "Whose match is right?"
    file = file_name("cosine", "UniGrad")
    assert found.links == {"cosine against UniGrad": f"matches/{file}"}
    assert found.table["comparison"].to_list() == list(found.links)
    verdicts = page[titles.index("Verdicts")]
    of_cosine = [s for s in compared["sentence"] if s.startswith("cosine") or " cosine " in s]
    assert verdicts.links == dict.fromkeys(of_cosine, f"matches/{file}") and of_cosine
    linked = report_html("", [verdicts], "x").count(f'<li><a href="matches/{file}">')
    assert linked == len(of_cosine) == len(compared) // 2
    places = tmp_path / "matches" / file
    text = places.read_text()
    assert "Two crops are cut from each of 8 test images" in text and "plotly.min.js" in text
    means = re.search(r"in patches: UniGrad (\d\.\d\d); cosine (\d\.\d\d)\.", text).groups()
    assert all(0.3 < float(mean) < 4 for mean in means)
    before = places.stat().st_mtime_ns
    list(sections(LOSSES, study, results(study), compared, tmp_path, CPU))
    assert places.stat().st_mtime_ns == before  # made once


def colours_in(figure):
    """The colour of each name, of a point, a line or a match."""
    return {
        trace.name.removeprefix("match of "): getattr(trace, part).color
        for trace in figure.data
        for part in ("marker", "line")
        if trace.name and getattr(trace, part).color
    }


def test_a_configuration_has_one_colour_on_all_pages_of_a_study(tmp_path, monkeypatch):
    """Also where it is the second on one page and the third on another."""
    pages = []
    monkeypatch.setattr(matches_page, "write_report", lambda *given: pages.append(given[2]))
    study = open_study(LOSSES, "losses", open_storage("", tmp_path))
    first, _, last = LOSSES.points()  # cosine was trained elsewhere
    for trial in waiting(study):
        finish(study, trial, trial.user_attrs["point"], trial.user_attrs["seed"])
    for point in (first, last):
        train(point.run, tmp_path / "runs" / f"{point.label}-seed0")
    compared = effects(results(study), LOSSES.comparisons(), seeds=4)
    parts = {}
    for part in sections(LOSSES, study, results(study), compared, tmp_path, CPU):
        parts[part.title] = part
        if part.title == "Learning curves":
            break  # pages of runs come next
    ((matches,),) = pages
    (curves, _), (plane,) = parts["Learning curves"].figures, parts["The plane"].figures
    every = colours([point.label for point in LOSSES.points()])
    wanted = {name: every[name] for name in ("UniGrad", "MSE")}
    for figure in (plane, curves, *matches.figures):
        found = colours_in(figure)
        assert {name: found[name] for name in wanted} == wanted


def test_pictures_of_runs_and_matches_are_computed_on_the_device(tmp_path, monkeypatch):
    """The disagreement of two runs is that of the processor; all networks run on the device."""
    points, test = LOSSES.points()[:2], BASE.data("test")
    folders = {p.label: train(p.run, tmp_path / p.label) for p in points}
    pairs, found = [("UniGrad", "cosine")], []
    draw = matches_page.figure.disagreement_table
    monkeypatch.setattr(matches_page, "write_report", lambda *page: None)
    monkeypatch.setattr(run_page, "write_report", lambda *of: found.append(of[2]) or of[0])
    kept = lambda *of, **how: found.append(draw(*of, **how)) or found[-1]  # noqa: E731
    monkeypatch.setattr(matches_page.figure, "disagreement_table", kept)
    matches_page.write_match_pages(pairs, folders, test, tmp_path, CPU)
    with pretended() as device, Watch() as watch:
        matches_page.write_match_pages(pairs, folders, test, tmp_path, device)
        run_page.write_run_page(BASE, BASE, folders["cosine"], test, tmp_path / "x.js", device)
    assert watch.there > 5 and watch.here <= {torch.ops.aten._softmax.default}  # that of the table
    assert_frame_equal(found[0], found[2], abs_tol=1e-3)
    assert "Attention" in [section.title for section in found[-1]]


def test_places_of_disagreement_are_drawn_as_sharp_as_their_images(tmp_path, monkeypatch):
    pages = []
    monkeypatch.setattr(matches_page, "write_report", lambda *given: pages.append(given[2]))
    monkeypatch.setattr(
        matches_page, "open_model", lambda path, **_: NamedModel(path.name, untrained(BASE), BASE)
    )
    (encoder := tmp_path / "encoder").touch()
    here = dict(spec=RunFolder, encoder=encoder, run=lambda: BASE)
    folders = {name: Mock(path=tmp_path / name, **here) for name in "ab"}
    test = Scenes(images=4, side=4 * BASE.size[0])("test")
    matches_page.write_match_pages([("a", "b")], folders, test, tmp_path, CPU)
    [[section]] = pages
    assert section.figures[0].layout.xaxis.range == (0, 4 * BASE.size[0])


def test_pairs_whose_labels_differ_only_in_signs_have_pages_of_their_own():
    pairs = [("a-b", "c"), ("a/b", "c"), ("a", "b-c"), ("A-b", "c"), ("c", "a-b"), ("x" * 300, "c")]
    files = [file_name(*pair) for pair in pairs]
    assert len({file.lower() for file in files}) == len(pairs)  # of any file system
    assert max(map(len, files)) <= 255
    assert file_name("cosine", "UniGrad") == "cosine-UniGrad-d25277a6.html"  # in every process


def test_the_front_of_a_search_is_over_all_its_objectives(tmp_path):
    study = open_study(SEARCH.replace(trials=1), "search", open_storage("", tmp_path))
    depth = {"depth": optuna.distributions.IntDistribution(1, 9)}
    for number, (semantic, cost) in enumerate([(0.1, 1.0), (0.3, 2.0), (0.2, 3.0)], 1):
        values = [semantic, cost]
        study.add_trial(create_trial(values=values, params={"depth": number}, distributions=depth))
    assert pareto_front(study).rows() == [(2, 2, 0.3, 2.0), (1, 1, 0.1, 1.0)]


def test_a_search_without_semantic_scores_has_a_report_without_the_plane(tmp_path):
    search = SEARCH.replace(trials=1, objectives=("spatial", "cost"))
    study = open_study(search, "search", open_storage("", tmp_path))
    study.add_trial(create_trial(values=[0.2, 1.0], user_attrs={"scores": SPATIAL}))
    page = list(sections(search, study, results(study), None, tmp_path, CPU))
    titles = [section.title for section in page]
    assert "The plane" not in titles and {"Pareto front", "Means"} < set(titles)


def test_a_study_of_other_versions_still_has_its_report(study, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(description_module, "version_of", lambda package: "9.9")
    (tmp_path / "losses.py").write_text(FILE)
    report_study(str(tmp_path / "losses.py"), [], tmp_path, "", 0.02)
    summary = (tmp_path / "summary.md").read_text()
    assert "siamlab 0." in summary and "9.9" not in summary  # those that it was created with


def test_a_definition_is_stored_and_a_search_is_not(tmp_path):
    storage = open_storage("", tmp_path)
    assert stored_definition(open_study(LOSSES, "losses", storage)) == LOSSES
    with pytest.raises(UserError, match="'deep' is a search.*study worker studies/deep.py"):
        stored_definition(open_study(SEARCH, "deep", storage))


@pytest.mark.parametrize(
    "other, named",
    [
        (LOSSES.replace(base=BASE.change("data.seed=7")), "data is "),
        (LOSSES.replace(base=BASE.change("optimiser.lr=1.0")), "UniGrad: optimiser is "),
        (LOSSES.replace(seeds=5), "seeds is 4 there and 5 here"),
        (LOSSES.replace(axes=LOSSES.axes[:1], suite="full"), "suite is quick there and full here"),
    ],
)
def test_another_definition_is_named_and_nothing_changes(tmp_path, other, named):
    storage = open_storage("", tmp_path)
    open_study(LOSSES, "losses", storage)
    before = (tmp_path / "journal.log").read_bytes()
    with pytest.raises(UserError, match=f"another definition: {named}.*nothing was changed"):
        open_study(other, "losses", storage)
    assert (tmp_path / "journal.log").read_bytes() == before
    open_study(LOSSES.replace(base=BASE.change("log_every=1"), question="!"), "losses", storage)


def test_another_version_is_named(tmp_path, monkeypatch):
    storage = open_storage("", tmp_path)
    open_study(LOSSES, "losses", storage)
    monkeypatch.setattr(description_module, "version_of", lambda package: "9.9")
    with pytest.raises(UserError, match="versions is .* there and .*'torch': '9.9'"):
        open_study(LOSSES, "losses", storage)


@pytest.mark.parametrize(
    "out, sentence",
    [(None, "needs a study's file.*or --storage"), ("x", "no study in .*x yet")],
)
def test_a_worker_without_a_file_needs_a_study_somewhere(tmp_path, out, sentence):
    with pytest.raises(UserError, match=sentence):
        attach_study(None, [], out and tmp_path / out, "", tmp_path, 1)
