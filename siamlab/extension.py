"""A component of your own as one more choice of its axis, without touching siamlab's files.

add_choice("masking", Checkerboard)
run.change("masking=checkerboard")         # and in TOML, on the command line of the same program
"""

from typing import Union

from siamlab.component import Component, UserError, unknown
from siamlab.run import Run
from siamlab.settings import choices

AXES = [name for name, field in Run.model_fields.items() if len(choices(field.annotation)) > 1]


def add_choice(axis: str, choice: type) -> type:
    """The class, now known to every run of this program by its `kind`.

    A class of the same kind that was added before is replaced, so that a cell can be run again.
    Whoever reads such a run in another program must add the class there first. Raises UserError
    for an axis that is not there, a class without a `kind`, or a kind that siamlab has itself.
    """
    if axis not in AXES:
        raise UserError(unknown("there is no axis", axis, AXES))
    field = choice.model_fields.get("kind") if issubclass(choice, Component) else None
    if field is None or not isinstance(field.default, str):
        raise UserError(
            f"{choice.__name__} must be a siamlab.component.Component with a field such as "
            f'kind: Literal["{choice.__name__.lower()}"] = "{choice.__name__.lower()}"'
        )
    known = choices(Run.model_fields[axis].annotation)
    if field.default in known and known[field.default].__module__.startswith("siamlab."):
        raise UserError(f"{axis}={field.default} is a choice of siamlab's own; name another kind")
    members = [*(known | {field.default: choice}).values()]
    Run.model_fields[axis].annotation = Union[tuple(members)]  # noqa: UP007
    Run.model_rebuild(force=True)
    return choice
