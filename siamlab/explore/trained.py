"""Training steps: the slider over the encoders that runs kept while they trained.

step_control(steps, "500")      # no control where none was kept, as without `keep_every`
"""

from collections.abc import Sequence

from siamlab.explore.scene import Control

STEP = "training_step"  # the control; its values are steps, as text


def step_control(steps: Sequence[int], value: str) -> list[Control]:
    """The slider over steps, in order; none for no steps."""
    options = [str(step) for step in steps]
    return [Control(STEP, "training step", value, options=options, slider=True)] if steps else []


def last_step(steps: Sequence[int]) -> dict[str, str]:
    """The value of the control for the finished encoder; none for no steps."""
    return {STEP: str(steps[-1])} if steps else {}


def kept_by(steps: Sequence[int], step: str) -> str:
    """The last of a model's own steps until this one, else its first; "" where it kept none."""
    if not steps:
        return ""
    return str(max((own for own in steps if own <= int(step)), default=steps[0]))
