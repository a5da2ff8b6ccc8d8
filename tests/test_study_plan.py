"""A search that is gone on with is the same search; versions matter where training goes on."""

import pytest
from optuna.trial import TrialState

from siamlab.component import UserError
from siamlab.recipes import demo_size, siameseim
from siamlab.study import Ablation, Axis, Choice, Search
from siamlab.study import plan as plan_module
from siamlab.study.definition import scaled
from siamlab.study.join import join_study
from siamlab.study.plan import DRAWS, check_same, described, drawn, opened
from siamlab.study.storage import left, open_storage

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
        (scaled(SEARCH, ["steps=10"]), "suggest, draw 0: steps is 2 there and 10 here"),
        (scaled(SEARCH, ["data.seed=7"]), "data is "),
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
def test_a_search_with_other_words_or_another_file_is_refused(tmp_path, other, named):
    storage = open_storage("", tmp_path)
    opened(SEARCH, "search", storage)
    before = (tmp_path / "journal.log").read_bytes()
    with pytest.raises(UserError, match=f"another definition: {named}.*nothing was changed"):
        opened(other, "search", storage)
    assert (tmp_path / "journal.log").read_bytes() == before
    opened(scaled(SEARCH, ["log_every=1", "compute.threads=1"]), "search", storage)


def test_a_search_that_was_stored_without_draws_is_gone_on_with(tmp_path):
    study = opened(SEARCH, "search", open_storage("", tmp_path))
    gone = ("prune", "sampler_seed")
    about = {key: value for key, value in described(SEARCH).items() if key not in gone}
    study.set_user_attr("about", about | {"points": {}, "data": {}})
    check_same(study, described(SEARCH))
    with pytest.raises(UserError, match="trials is 2 there and 3 here"):
        check_same(study, described(SEARCH.replace(trials=3)))


def test_trials_that_mean_nothing_are_no_hindrance():
    def some(trial):
        if trial.suggest_int("n", 0, 1):
            return BASE
        raise UserError("nothing")

    assert 0 < len(drawn(SEARCH.replace(suggest=some))) < DRAWS


def test_versions_are_compared_only_where_training_goes_on(tmp_path, monkeypatch):
    storage = open_storage("", tmp_path)
    study = opened(SEARCH, "search", storage)
    monkeypatch.setattr(plan_module, "version_of", lambda package: "9.9")
    check_same(study, described(SEARCH))
    with pytest.raises(UserError, match="versions is .* there and .*'torch': '9.9'"):
        opened(SEARCH, "search", storage)


def test_a_worker_without_a_file_passes_over_a_search_and_says_why(tmp_path, capsys):
    storage = open_storage("", tmp_path)
    loss = Axis("loss", Choice("UniGrad"), Choice("cosine", "loss=cosine"))
    done = opened(Ablation(question="?", base=BASE, axes=(loss,), seeds=1), "losses", storage)
    for trial in left(done):
        storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    opened(SEARCH, "a_search", storage)
    assert join_study(None, [], tmp_path, "", tmp_path, 1) == 0
    said = capsys.readouterr().out
    assert "skips a_search: the study 'a_search' is a search" in said
    assert said.index("skips a_search") < said.index("works on losses")
    assert join_study(None, ["steps=9"], tmp_path, "", tmp_path, 1) == 1
    assert "skips losses: the storage holds the study 'losses' with" in capsys.readouterr().out
