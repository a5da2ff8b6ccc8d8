"""Choices: add a component of your own to its axis without touching siamlab's files.

add_choice("masking", Checkerboard)
run.change("masking=checkerboard")         # and in TOML, on the command line of the same program
"""

from inspect import isabstract
from typing import Union, get_args

from siamlab.colour import ColourChoice
from siamlab.component import Component, UserError, unknown
from siamlab.data.images import DataChoice
from siamlab.loss import LossChoice
from siamlab.machine.fields import choices
from siamlab.masking import MaskingChoice
from siamlab.model.backbone import BackboneChoice
from siamlab.model.prediction import PredictionChoice
from siamlab.positions import PositionsChoice
from siamlab.run.mistakes import made
from siamlab.run.run import Run
from siamlab.target import TargetChoice
from siamlab.views import ViewsChoice

# the base class of each axis' choices, which has what a choice must and may declare
AXES: dict[str, type[Component]] = {
    "views": ViewsChoice,
    "colour": ColourChoice,
    "masking": MaskingChoice,
    "positions": PositionsChoice,
    "target": TargetChoice,
    "prediction": PredictionChoice,
    "loss": LossChoice,
    "model": BackboneChoice,
    "data": DataChoice,
}


def add_choice(axis: str, choice: type) -> type:
    """Add the class to its axis, so that every run of this program knows it by its `kind`.

    An earlier class of the same kind is replaced, so that a notebook cell can run again. Another
    program that reads such a run must add the class there first. Raises UserError for an unknown
    axis, a class that is not a complete choice of it, or the kind of one of siamlab's own choices.
    """
    if axis not in AXES:
        raise UserError(unknown("there is no axis", axis, AXES))
    if not isinstance(choice, type):
        base = AXES[axis]
        raise UserError(
            f"add_choice takes a class that is a {base.__module__}.{base.__name__}, not {choice!r}"
        )
    _check_complete(AXES[axis], choice)
    kind, known = choice.model_fields["kind"].default, axis_choices(axis)
    if kind in known and known[kind].__module__.startswith("siamlab."):
        raise UserError(f"{axis}={kind} is one of siamlab's own choices; use another kind")
    members = [*(known | {kind: choice}).values()]
    Run.model_fields[axis].annotation = Union[tuple(members)]  # noqa: UP007
    Run.model_rebuild(force=True)
    return choice


def axis_choices(axis: str) -> dict[str, type[Component]]:
    """Return the components of an axis by kind."""
    return choices(Run.model_fields[axis].annotation)


def _check_complete(base: type[Component], choice: type) -> None:
    field = choice.model_fields.get("kind") if issubclass(choice, base) else None
    if field is None or not isinstance(field.default, str):
        raise UserError(
            f"{choice.__name__} must be a {base.__module__}.{base.__name__} with a field such as "
            f'kind: Literal["{choice.__name__.lower()}"] = "{choice.__name__.lower()}"'
        )
    if field.default not in get_args(field.annotation):
        raise UserError(
            f"{choice.__name__}.kind is {field.default!r} by default, but its type allows only "
            f"{', '.join(map(repr, get_args(field.annotation))) or 'any text'}; write "
            f'kind: Literal["{field.default}"] = "{field.default}"'
        )
    missing = sorted(choice.__abstractmethods__) if isabstract(choice) else []
    for name in getattr(base, "needs", ()):
        if name not in choice.model_fields and not hasattr(choice, name):
            missing.append(name)
    if missing:
        raise UserError(
            f"{choice.__name__} has no {', '.join(missing)}; "
            f"{base.__module__}.{base.__name__} says what a choice must have"
        )
    try:
        made(choice, {})  # a word such as masking=checkerboard starts at the defaults
    except UserError as mistake:
        wrong = str(mistake).partition("; `siamlab axes")[0]  # which does not know it yet
        raise UserError(
            f"the defaults of {choice.__name__} must be values that it takes, but {wrong}"
        ) from None
