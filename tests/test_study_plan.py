"""A search continues only if it is the same; versions matter where training continues."""

import pytest
from optuna.trial import TrialState

from siamlab.component import UserError
from siamlab.recipes import demo_size, siameseim
from siamlab.study import Ablation, Axis, Choice, Search
from siamlab.study import description as description_module
from siamlab.study.assignments import assign
from siamlab.study.attach import attach_study
from siamlab.study.claims import unfinished
from siamlab.study.description import DRAWS, check_same, describe, sample_runs
from siamlab.study.plan import open_study
from siamlab.study.storage import open_storage

TINY = "data.images=16 data.test_images=8 data.side=40 batch=4 steps=2 model.depth=1".split()
BASE = demo_size(siameseim()).change(*TINY)


def suggest(trial, most=4, **names):
    names = {"UniGrad": "unigrad", "cosine": "cosine", "MSE": "mse"} | names
    loss = names[trial.suggest_categorical("loss", list(names))]
    lr = trial.suggest_float("lr", 1e-3, 8e-3, log=True)
    return BASE.change(
        f"loss={loss}", f"optimiser.lr={lr}", f"prediction.depth={trial.suggest_int('d', 1, most)}"
    )


SEARCH = Search(question="?", suggest=suggest, trials=2)


@pytest.mark.parametrize(
    "other, named",
    [
        (assign(SEARCH, ["steps=10"]), "suggest, draw 0: steps is 2 there and 10 here"),
        (assign(SEARCH, ["data.seed=7"]), "data is "),
        (SEARCH.replace(prune="never"), "prune is dominated there and never here"),
        (SEARCH.replace(sampler_seed=1), "sampler_seed is 0 there and 1 here"),
        (
            SEARCH.replace(suggest=lambda trial: suggest(trial, most=5)),
            "suggest, draw .*: prediction is ",
        ),
        (
            SEARCH.replace(suggest=lambda trial: suggest(trial, MSE="vicreg")),
            "suggest, draw .*: loss is ",
        ),
    ],
)
def test_a_search_with_other_assignments_or_another_file_is_refused(tmp_path, other, named):
    storage = open_storage("", tmp_path)
    open_study(SEARCH, "search", storage)
    before = (tmp_path / "journal.log").read_bytes()
    with pytest.raises(UserError, match=f"another definition: {named}.*nothing was changed"):
        open_study(other, "search", storage)
    assert (tmp_path / "journal.log").read_bytes() == before
    open_study(assign(SEARCH, ["log_every=1", "compute.threads=1"]), "search", storage)


def test_a_search_that_was_stored_without_draws_can_continue(tmp_path):
    study = open_study(SEARCH, "search", open_storage("", tmp_path))
    gone = ("prune", "sampler_seed")
    about = {key: value for key, value in describe(SEARCH).items() if key not in gone}
    study.set_user_attr("about", about | {"points": {}, "data": {}})
    check_same(study, describe(SEARCH))
    with pytest.raises(UserError, match="trials is 2 there and 3 here"):
        check_same(study, describe(SEARCH.replace(trials=3)))


def test_invalid_trials_are_left_out_of_the_draws():
    def some(trial):
        if trial.suggest_int("n", 0, 1):
            return BASE
        raise UserError("nothing")

    assert 0 < len(sample_runs(SEARCH.replace(suggest=some))) < DRAWS


def test_versions_are_compared_only_where_training_continues(tmp_path, monkeypatch):
    storage = open_storage("", tmp_path)
    study = open_study(SEARCH, "search", storage)
    monkeypatch.setattr(description_module, "version_of", lambda package: "9.9")
    check_same(study, describe(SEARCH))
    with pytest.raises(UserError, match="versions is .* there and .*'torch': '9.9'"):
        open_study(SEARCH, "search", storage)


def test_a_worker_without_a_file_skips_a_search_and_says_why(tmp_path, capsys):
    storage = open_storage("", tmp_path)
    loss = Axis("loss", Choice("UniGrad"), Choice("cosine", "loss=cosine"))
    done = open_study(Ablation(question="?", base=BASE, axes=(loss,), seeds=1), "losses", storage)
    for trial in unfinished(done):
        storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    open_study(SEARCH, "a_search", storage)
    assert attach_study(None, [], tmp_path, "", tmp_path, 1) == 1  # every trial failed
    output = capsys.readouterr().out
    assert "skips a_search: the study 'a_search' is a search" in output
    assert output.index("skips a_search") < output.index("works on losses")
    assert attach_study(None, ["steps=9"], tmp_path, "", tmp_path, 1) == 1
    assert "skips losses: the storage holds the study 'losses' with" in capsys.readouterr().out
