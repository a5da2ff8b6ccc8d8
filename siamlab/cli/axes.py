"""The catalogue of axes, choices and image sources, read from the components themselves."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel
from rich.markup import escape
from rich.table import Table

from siamlab.component import Component, UserError, unknown
from siamlab.evaluate.standard import SETS
from siamlab.machine.console import Console
from siamlab.machine.fields import allowed, choices
from siamlab.machine.terminal import cell
from siamlab.probe.finetune_recipe import FineTune
from siamlab.run import Run
from siamlab.run.choices import AXES, axis_choices


class Key(NamedTuple):
    """A key of a run, of fine-tuning or of a study, explained."""

    key: str
    where: str  # the choice that has it, such as masking=random; "" where all have it
    default: str
    allowed: str
    meaning: str


def print_axes(only: str | None = None) -> None:
    """Print every axis, or one: its choices with a sentence, fields and defaults; or explain a key.

    Raises UserError for a key that does not exist.
    """
    console = Console()
    if only is not None and only not in AXES:
        console.print(_key_table(only))
        return
    for axis in (only,) if only else AXES:
        default = Run.model_fields[axis].default.kind
        table = Table(title=f"{axis} (default: {default})", title_justify="left", expand=True)
        table.add_column("choice", no_wrap=True)
        for heading, ratio in (("what it does", 5), ("fields = defaults", 6)):
            table.add_column(heading, ratio=ratio, overflow="fold")
        for kind, choice in axis_choices(axis).items():
            table.add_row(kind, escape(sentence(choice)), escape(fields(choice)))
        console.print(table)


def all_keys() -> list[Key]:
    """Return every key that a run, fine-tuning (`fine_tune.`), studies and standard sets take."""
    from siamlab.study.assignments import SETTABLE
    from siamlab.study.definition import Ablation, Recipes, Search

    studies = [
        key._replace(where=f"a study: {study.model_fields['kind'].default}")
        for study in (Ablation, Recipes, Search)
        for key in keys(study)
        if key.key in SETTABLE
    ]
    sets = [key for kind, each in SETS.items() for key in keys(each, "data.", f"--suite {kind}")]
    return [*keys(Run), *keys(FineTune, "fine_tune."), *studies, *sets]


def keys(model: type[BaseModel], prefix: str = "", where: str = "") -> Iterator[Key]:
    """Yield the keys of a component and of the components in its fields."""
    for name, field in model.model_fields.items():
        if name == "kind":
            continue
        takes = allowed(field.annotation, field.metadata)
        yield Key(f"{prefix}{name}", where, _default(field), takes, field.description or "")
        inside = choices(field.annotation)
        for kind, part in inside.items():
            with_it = f"{prefix}{name}={kind}" if len(inside) > 1 else where
            yield from keys(part, f"{prefix}{name}.", with_it)


def _key_table(name: str) -> Table:
    """Return a table of a key and of the keys inside it."""
    every = all_keys()
    found = [key for key in every if f"{key.key}.".startswith(f"{name}.")]
    if not found:
        raise UserError(unknown("there is no axis or key", name, {key.key for key in every}))
    shown = found if len(found) == 1 else [key for key in found if key.key != name] or found
    table = Table(title=name, title_justify="left", expand=True)
    for heading in ("key", *["of"] * any(key.where for key in shown), "default"):
        table.add_column(heading, overflow="fold")
    table.add_column("allowed", ratio=3)
    table.add_column("meaning", ratio=4)
    for key in shown:
        cells = [cell for cell, column in zip(key, Key._fields, strict=True) if column != "where"]
        if len(table.columns) == len(key):
            cells.insert(1, key.where)
        table.add_row(*map(escape, cells))
    return table


def _default(field: Any) -> str:
    value = field.default
    return str(getattr(value, "kind", "")) if isinstance(value, Component) else _plain(field)


def sentence(choice: type[Component]) -> str:
    """Return the first paragraph of a component's docstring."""
    return " ".join((choice.__doc__ or "").split("\n\n")[0].split())


def fields(choice: type[Component]) -> str:
    """Format the fields, one per line, such as `ratio=0.6 (fraction of patches hidden)`."""
    lines = [
        f"{name}={_plain(field)}" + (f"  ({field.description})" if field.description else "")
        for name, field in choice.model_fields.items()
        if name != "kind"
    ]
    return "\n".join(lines) or "–"


def print_sources() -> None:
    """List the image sources."""
    table = Table("name", "what it is", title="data", title_justify="left")
    for kind, source in axis_choices("data").items():
        table.add_row(kind, escape(sentence(source)))
    Console().print(table)


def print_source(name: str, *changes: str) -> None:
    """Open and describe an image source, changed by `data.key=value` words."""
    from siamlab.data import describe

    if wrong := [word for word in changes if not word.startswith("data.")]:
        raise UserError(f"data info takes data.key=value only, not {wrong[0]!r}")
    data = Run().change(f"data={name}", *changes).data
    table = Table(show_header=False, title=f"data={name}", title_justify="left")
    for key, value in describe(data).items():
        table.add_row(key, cell(value))
    Console().print(table)


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
