"""A collapse is said in words; a healthy line says nothing."""

import pytest
from rich.console import Console

from siamlab import progress
from siamlab.recipes import demo_size, mae

HEALTHY = {"context/spread": 0.6, "context/rankme": 20.0}
LINE = {"step": 50, "rate": 800.0, "loss": 0.5} | HEALTHY


def test_a_healthy_line_says_nothing():
    assert progress.collapsed(HEALTHY) == "" == progress.collapsed({})


@pytest.mark.parametrize(
    "sign", [{"context/spread": 0.01}, {"target/spread": 0.01}, {"context/rankme": 1.2}]
)
def test_each_sign_of_collapse_is_said(sign):
    side = next(iter(sign)).split("/")[0]
    said = progress.collapsed(HEALTHY | sign)
    assert said.startswith(f"the {side}'s features have collapsed") and "optimiser.lr" in said


def test_a_bar_shows_rate_loss_and_time_left_and_the_collapse_above_it():
    console = Console(width=120, record=True, force_terminal=True, force_interactive=True)
    with progress.bars(console) as bars:
        bar = progress.add(bars, demo_size(mae()))
        progress.update(bars, bar, "mae", LINE | {"context/spread": 0.0})
        progress.update(bars, bar, "mae", {"said": "goes on after step 40"})
    shown = console.export_text()
    for part in ("50/1000", "800 images/s", "loss 0.5000", "left", "goes on after step 40"):
        assert part in shown
    assert "mae, step 50: the context's features have collapsed" in shown
