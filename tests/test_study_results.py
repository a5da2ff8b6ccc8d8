"""What decides the scores of a study: shares of squares by closed form, and of searches."""

import math

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import create_trial

from siamlab.study.results import SEARCHED, explained, importances

LOSS, SEED = CategoricalDistribution(["a", "b"]), IntDistribution(0, 9)


def trials(value, losses="ab", seeds=4):
    """A trial a loss and seed, whose one objective is value(loss's number, seed)."""
    space = {"loss": LOSS, "seed": SEED}
    return [
        create_trial(value=value(i, s), params={"loss": a, "seed": s}, distributions=space)
        for i, a in enumerate(losses)
        for s in range(seeds)
    ]


@pytest.mark.parametrize("loss, seed", [(0.3, 0.1), (0.0, 0.2), (1.0, 0.001)])
def test_shares_of_two_added_effects_are_those_of_their_squares(loss, seed):
    """Ends of the loss d apart, seeds s apart: squares d² n / 4 and s² (k² - 1) / 12 n."""
    found = explained(trials(lambda i, s: loss * i + seed * s), 0)
    parts = {"loss": loss**2 / 4, "seed": seed**2 * (4**2 - 1) / 12}
    assert found == pytest.approx({k: v / sum(parts.values()) for k, v in parts.items()})


def test_what_both_do_only_together_is_of_neither():
    crossed = explained(trials(lambda i, s: (-1.0) ** (i + s)), 0)
    assert crossed == pytest.approx({"loss": 0, "seed": 0}, abs=1e-12)


def test_nothing_is_said_of_what_never_changed_or_never_came_twice():
    assert set(explained(trials(lambda i, s: s + 0.5 * i, seeds=1), 0)) == set()
    assert set(explained(trials(lambda i, s: float(s), losses="a"), 0)) == set()
    assert explained(trials(lambda i, s: 0.1), 0) == {}


def searched(count):
    """A search whose score is x alone; y does nothing."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    study.set_user_attr("about", {"kind": "search", "objectives": ["semantic", "cost"]})
    space = dict.fromkeys("xy", FloatDistribution(0, 1))
    for i in range(count):
        params = {"x": i / count, "y": math.sqrt(2) * i % 1}
        values = [params["x"], 0.0]
        study.add_trial(create_trial(values=values, params=params, distributions=space))
    return study


def test_a_search_is_asked_what_decides_its_best_tenth_once_that_is_five_trials():
    assert importances(searched(SEARCHED - 1)) == {}
    found = importances(searched(SEARCHED))
    assert set(found) == {"semantic"} and found["semantic"]["x"] > 0.8
