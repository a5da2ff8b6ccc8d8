"""Catalogue: what there is to choose from, read off the components themselves."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from siamlab.component import Component, UserError, unknown
from siamlab.run import Run
from siamlab.settings import choices

AXES = (
    "views", "colour", "masking", "positions", "target", "prediction", "loss", "model", "data",
)  # fmt: skip


def print_axes(only: str | None = None) -> None:
    """Every axis with its choices, their fields, defaults and one sentence each."""
    if only is not None and only not in AXES:
        raise UserError(unknown("there is no axis", only, AXES))
    console = Console()
    for axis in (only,) if only else AXES:
        default = Run.model_fields[axis].default.kind
        table = Table(title=f"{axis} (default: {default})", title_justify="left", expand=True)
        table.add_column("choice", no_wrap=True)
        for heading, ratio in (("what it does", 5), ("fields = defaults", 6)):
            table.add_column(heading, ratio=ratio, overflow="fold")
        for kind, choice in axis_choices(axis).items():
            table.add_row(kind, escape(sentence(choice)), escape(fields(choice)))
        console.print(table)


def axis_choices(axis: str) -> dict[str, type[Component]]:
    """The components of an axis by kind."""
    return choices(Run.model_fields[axis].annotation)


def sentence(choice: type[Component]) -> str:
    """The first paragraph of a component's docstring."""
    return " ".join((choice.__doc__ or "").split("\n\n")[0].split())


def fields(choice: type[Component]) -> str:
    """`ratio=0.6 (fraction of patches hidden)`, a line a field."""
    lines = [
        f"{name}={_plain(field)}" + (f"  ({field.description})" if field.description else "")
        for name, field in choice.model_fields.items()
        if name != "kind"
    ]
    return "\n".join(lines) or "–"


def print_data(words: list[str]) -> None:
    """`list`: the sources; `info NAME [key=value ...]`: one of them, opened."""
    verb, *rest = words or ["list"]
    if verb == "list" and not rest:
        table = Table("name", "what it is", title="data", title_justify="left")
        for kind, source in axis_choices("data").items():
            table.add_row(kind, escape(sentence(source)))
        Console().print(table)
    elif verb == "info" and rest:
        from siamlab.data import describe

        name, *changes = rest
        data = Run().change(f"data={name}", *changes).data
        table = Table(show_header=False, title=f"data={name}", title_justify="left")
        for key, value in describe(data).items():
            table.add_row(key, escape(str(value)))
        Console().print(table)
    else:
        raise UserError(
            f"data {' '.join(words)!r} is not understood; write `siamlab data list` or "
            "`siamlab data info NAME [data.key=value ...]`"
        )


def _plain(field: Any) -> str:
    if field.is_required():
        return "REQUIRED"
    value = field.default
    if isinstance(value, Component):
        return "{" + ", ".join(f"{k}={_short(v)}" for k, v in value) + "}"
    return _short(value)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_short, value)) + "]"
    return str(value)
