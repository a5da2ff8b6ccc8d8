"""Importance of parameters: shares of squares in closed form, and those of searches."""

import math

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import create_trial
from scipy.stats import beta

from siamlab.study.results import (
    MIN_SEARCHED,
    chance_importances,
    explained_variance,
    importances,
)

LOSS, SEED = CategoricalDistribution(["a", "b"]), IntDistribution(0, 9)


def trials(value, losses="ab", seeds=4):
    """One trial per loss and seed, with the objective value(index of the loss, seed)."""
    space = {"loss": LOSS, "seed": SEED}
    return [
        create_trial(value=value(i, s), params={"loss": a, "seed": s}, distributions=space)
        for i, a in enumerate(losses)
        for s in range(seeds)
    ]


def shares(done):
    return explained_variance(done, np.array([trial.values[0] for trial in done]))


@pytest.mark.parametrize("loss, seed", [(0.3, 0.1), (0.0, 0.2), (1.0, 0.001)])
def test_shares_of_two_added_effects_are_those_of_their_squares(loss, seed):
    """Ends of the loss d apart, seeds s apart: squares d² n / 4 and s² (k² - 1) / 12 n."""
    found = shares(trials(lambda i, s: loss * i + seed * s))
    parts = {"loss": loss**2 / 4, "seed": seed**2 * (4**2 - 1) / 12}
    assert found == pytest.approx({k: v / sum(parts.values()) for k, v in parts.items()})


def test_an_interaction_is_attributed_to_neither():
    crossed = shares(trials(lambda i, s: (-1.0) ** (i + s)))
    assert crossed == pytest.approx({"loss": 0, "seed": 0}, abs=1e-12)


def test_constant_and_unique_parameters_are_left_out():
    assert set(shares(trials(lambda i, s: s + 0.5 * i, seeds=1))) == set()
    assert set(shares(trials(lambda i, s: float(s), losses="a"))) == set()
    assert shares(trials(lambda i, s: 0.1)) == {}


def searched(count):
    """A search with the score x; y has no effect."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    study.set_user_attr("about", {"kind": "search", "objectives": ["semantic", "cost"]})
    space = dict.fromkeys("xy", FloatDistribution(0, 1))
    for i in range(count):
        params = {"x": i / count, "y": math.sqrt(2) * i % 1}
        values = [params["x"], 0.0]
        study.add_trial(create_trial(values=values, params=params, distributions=space))
    return study


def test_a_search_has_importances_once_its_best_tenth_is_five_trials():
    assert importances(searched(MIN_SEARCHED - 1)) == {}
    found = importances(searched(MIN_SEARCHED))
    assert set(found) == {"semantic"} and found["semantic"]["x"] > 0.8


def test_what_has_no_effect_stays_at_the_level_of_chance_and_what_has_one_exceeds_it():
    study = searched(4 * MIN_SEARCHED)
    found, chance = importances(study)["semantic"], chance_importances(study)["semantic"]
    assert set(chance) == {"x", "y"} and chance_importances(study)["semantic"] == chance
    assert found["x"] > chance["x"] and found["y"] < chance["y"]
    assert all(0.5 < level < 1 for level in chance.values())  # shares of two sum to 1


def test_chance_of_an_ablation_is_about_its_expectation():
    study = optuna.create_study(directions=["maximize"])
    study.set_user_attr("about", {"kind": "ablation", "objectives": ["semantic"]})
    losses = {"loss": CategoricalDistribution(["a", "b", "c"])}
    noise = np.random.default_rng(1).normal(size=60)
    for i, value in enumerate(noise):
        params = {"loss": "abc"[i % 3]}
        study.add_trial(create_trial(values=[value], params=params, distributions=losses))
    (level,) = chance_importances(study)["semantic"].values()
    assert level == pytest.approx(beta.ppf(0.95, 1, 57 / 2), rel=0.3)  # of η² without an effect
    assert importances(study)["semantic"]["loss"] < level
