"""The live table of a runner, and the GPU of each of its workers."""

import os
from multiprocessing import get_context

import pytest
import torch
from optuna.trial import create_trial

from siamlab.recipes import demo_size, siameseim
from siamlab.study import Search
from siamlab.study.plan import open_study
from siamlab.study.runner import device_of, live_table, why_workers_ended
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


def test_the_live_table_has_one_column_per_objective(tmp_path):
    names = ("cost", "semantic", "spatial")
    search = Search(question="?", suggest=lambda trial: BASE, trials=1, objectives=names)
    study = open_study(search, "search", open_storage("", tmp_path))
    study.add_trial(create_trial(values=[9.0, 0.1, 0.2]))
    table = live_table(study, tmp_path)
    columns = {column.header: list(column.cells) for column in table.columns}
    assert list(columns) == ["configuration", "seeds", *names, "now"]
    assert columns["cost"] == ["", "9.000"] and columns["spatial"] == ["", "0.200"]


@pytest.mark.parametrize(
    "told, words",
    [
        (["the disk is full"] * 2 + ["another"], "the disk is full; another. Nothing is lost: the"),
        ([], "1 workers were killed, perhaps for want of memory"),
    ],
)
def test_why_workers_ended(told, words):
    fork = get_context("fork")
    faults, worker = fork.SimpleQueue(), fork.Process(target=lambda: os.kill(os.getpid(), 9))
    for sentence in told:
        faults.put(sentence)
    worker.start()
    worker.join()
    assert words in why_workers_ended([worker], faults)
