"""Compiled networks compute what they compute otherwise; where none can be, one sentence says so.

In another process, where shapes are not checked: torch.compile cannot look into the checks.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import nn

from siamlab.component import UserError
from siamlab.data.images import plain
from siamlab.machine import workers
from siamlab.recipes import demo_size, siameseim
from siamlab.run import Run
from siamlab.target import Frozen, Momentum, Online, Pixels
from siamlab.train import train
from siamlab.train.device import build, parallel
from siamlab.train.step import gradients

CPU = torch.device("cpu")
SMALL = ("batch=8", "size=16", "model.patch=4", "model.depth=2", "steps=1", "compute.threads=1")
TARGETS = [Momentum(), Online(), Pixels(), Frozen(name="test_vit", weights="random")]


@pytest.fixture(scope="module")
def apart() -> Iterator[Callable]:
    """Calls a function in another process."""
    workers.warm()
    with ProcessPoolExecutor(1, workers.CONTEXT) as pool:
        yield lambda work, *given: pool.submit(work, *given).result()


def pixels() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (8, 3, 20, 20), generator=generator).to(torch.uint8)


def stepped(run: Run) -> dict[str, torch.Tensor]:
    """The losses and gradients of a step."""
    state = build(run, CPU)
    model = parallel(state, run.compute, CPU)
    terms = gradients(run, model, state.teacher, pixels(), 0, torch.float32).terms
    return {n: p.grad for n, p in state.model.named_parameters() if p.grad is not None} | terms


def same(run: Run, backend: str) -> int:
    """The number of networks compiled, each to a single graph, for the same step."""
    compile_, calls = nn.Module.compile, []

    def compiled(network: nn.Module) -> None:
        calls.append(network)
        compile_(network, backend=backend, fullgraph=True)

    expected = stepped(run)
    with patch.object(nn.Module, "compile", compiled):
        torch.testing.assert_close(stepped(run.change("compute.compile=true")), expected)
    return len(calls)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.kind)
def test_a_compiled_step_is_the_same_to_rounding(target, apart):
    """aot_eager finds the graphs of inductor and runs them as they are, in a tenth of the time."""
    run = demo_size(siameseim()).change(*SMALL).replace(target=target)
    assert apart(same, run, "aot_eager") == 2  # model and teacher


@pytest.mark.slow
def test_a_step_that_was_translated_is_the_same_to_rounding(apart):
    assert apart(same, demo_size(siameseim()).change(*SMALL), "inductor") == 2


def refused(folder: Path) -> str:
    """The message of a run to be compiled where there is no compiler."""
    run = demo_size(siameseim()).change(*SMALL, "compute.compile=true")
    torch._dynamo.reset()
    try:
        with patch.object(torch._inductor.config.cpp, "cxx", ("no-such-compiler",)):
            train(run, folder, plain(pixels(), torch.zeros(8, dtype=torch.long), ["thing"]))
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.slow
def test_without_a_compiler_one_sentence_says_so(tmp_path, apart):
    said = apart(refused, tmp_path / "run")
    for part in ("compute.compile=true", "no-such-compiler", "compute.compile=false"):
        assert part in said
