"""What a runner shows of a study, and which GPU each of its workers gets."""

import pytest
import torch
from optuna.trial import create_trial

from siamlab.recipes import demo_size, siameseim
from siamlab.study import Search
from siamlab.study.plan import opened
from siamlab.study.runner import device_of, live_table
from siamlab.study.storage import open_storage

BASE = demo_size(siameseim()).change("data.images=16", "data.test_images=8", "data.side=40")


@pytest.mark.parametrize(
    "allowed, given",
    [(None, ["0", "1", "0"]), ("4,5", ["4", "5", "4"]), ("GPU-a, GPU-b", ["GPU-a", "GPU-b"] * 2)],
)
def test_workers_take_turns_among_the_gpus_that_are_allowed(monkeypatch, allowed, given):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if allowed:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert [device_of(number) for number in range(len(given))] == given


def test_the_live_table_has_a_column_an_objective(tmp_path):
    names = ("cost", "semantic", "spatial")
    search = Search(question="?", suggest=lambda trial: BASE, trials=1, objectives=names)
    study = opened(search, "search", open_storage("", tmp_path))
    study.add_trial(create_trial(values=[9.0, 0.1, 0.2]))
    table = live_table(study, tmp_path)
    told = {column.header: list(column.cells) for column in table.columns}
    assert list(told) == ["configuration", "seeds", *names, "now"]
    assert told["cost"] == ["", "9.000"] and told["spatial"] == ["", "0.200"]
