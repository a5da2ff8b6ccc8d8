"""Moments: AdamW's means of gradients, in a release's numbering and by the names of a run.

fill_moments(state.optimiser, whole, ...)       saved = moments(...)

The releases' programs number the trained weights: first those that do not decay (one dimension, or
a bias), then all others, each in the order of the networks.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.run import AdamW
from siamlab.train.releases.names import Place

Trained = dict[str, nn.Parameter]  # by the official key, in the order of the program's numbers


def trained(names: dict[str, Place], model: nn.Module, shapes: dict[str, Tensor]) -> list[Trained]:
    """Return the weights that the program trains, those that do not decay first.

    `shapes` has the tensors as the release shapes them.
    """
    own = dict(model.named_parameters())
    found = {
        key: own[place.name]
        for key, place in names.items()
        if place.network == "model" and place.name in own and own[place.name].requires_grad
    }
    free = {key: p for key, p in found.items() if shapes[key].ndim <= 1 or key.endswith(".bias")}
    return [free, {key: p for key, p in found.items() if key not in free}]


def fill_moments(
    optimiser: torch.optim.Optimizer, saved: dict[str, Any], groups: list[Trained], path: Path
) -> None:
    """Give the optimiser of a run the moments that a release's program saved.

    Raises UserError where they are those of other weights.
    """
    weights = [(key, p) for group in groups for key, p in group.items()]
    sizes = [len(group.get("params", ())) for group in saved.get("param_groups", ())]
    if sizes != [len(group) for group in groups]:
        raise _others(path, f"{sizes} of them, where {[len(g) for g in groups]} are trained")
    for number, values in saved.get("state", {}).items():
        key, parameter = weights[number] if number in range(len(weights)) else ("", None)
        means = [values.get(name) for name in ("exp_avg", "exp_avg_sq")]
        if parameter is None or not all(
            isinstance(mean, Tensor) and mean.numel() == parameter.numel() for mean in means
        ):
            raise _others(path, f"number {number} has other sizes than {key or 'any weight'}")
        first, second = (mean.reshape(parameter.shape).float().clone() for mean in means)
        step = torch.tensor(float(values["step"]))
        optimiser.state[parameter] = {"step": step, "exp_avg": first, "exp_avg_sq": second}


def moments(
    optimiser: torch.optim.Optimizer,
    groups: list[Trained],
    shapes: dict[str, Tensor],
    lr: float,
    settings: AdamW,
) -> dict[str, Any]:
    """Return the optimiser's state as the release's program saves it."""
    state, described, number = {}, [], 0
    for group, decay in zip(groups, (0.0, settings.decay), strict=True):
        numbers = list(range(number, number + len(group)))
        for number, (key, parameter) in zip(numbers, group.items(), strict=True):
            if values := optimiser.state.get(parameter):
                state[number] = {
                    "step": values["step"],
                    **{n: values[n].reshape(shapes[key].shape) for n in ("exp_avg", "exp_avg_sq")},
                }
        number = len(numbers) + (numbers[0] if numbers else 0)
        options = {"weight_decay": decay, "lr": lr, "betas": settings.betas, "eps": 1e-8}
        described.append(options | {"amsgrad": False, "params": numbers})
    return {"state": state, "param_groups": described}


def _others(path: Path, what: str) -> UserError:
    return UserError(
        f"{path} holds the state of an optimiser of other weights ({what}), so training cannot go "
        "on from it; copy the file again"
    )
