"""Memory of the processor: a step takes the pages of the step before it."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from siamlab.memory import keep_freed
from siamlab.recipes import demo_size, mae
from siamlab.train.setup import build
from siamlab.train.step import gradients
{keep}
torch.set_num_threads(1)
run = demo_size(mae())
state = build(run, torch.device("cpu"))
images = torch.zeros(run.batch, 3, 48, 48, dtype=torch.uint8)
for step in range(12):
    if step == 6:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    gradients(run, state.model, state.teacher, images, step, torch.float32)
    state.optimiser.zero_grad(set_to_none=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(keep):
    """Pages that the system had to give to six steps, in a process of its own."""
    code = FAULTS.format(keep=keep)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(said.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_a_step_takes_the_pages_of_the_one_before():
    assert faults("assert keep_freed()") < 0.3 * faults("")
