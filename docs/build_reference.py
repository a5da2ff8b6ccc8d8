"""The reference, made from the code: commands, keys of a run and of a study, Python, probes.

reference()     # {"reference/commands.md": text, ...}
"""

import argparse
import inspect
import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import siamlab
from siamlab.cli.main import parser
from siamlab.component import Component
from siamlab.machine.fields import choices
from siamlab.run import Run
from siamlab.run.choices import AXES, axis_choices
from siamlab.study import definition
from siamlab.study.assignments import SETTABLE

HERE = Path(__file__).parent
COMMANDS = """# Commands

Every command ends with 0 when it is done, with 2 after one sentence that names a mistake and the
way out of it, and with 130 when it was stopped and can be resumed. A word of the form `key=value`
may stand before options and after them; its keys are those of [a run](run.md).

"""
RUN = """# Keys of a run

A key is the path to a field, as in `loss.weight=0.05`. The same names are used on the command line,
in a TOML file (`siamlab show mae` prints one) and in Python (`run.change("loss.weight=0.05")`). An
axis is set by the name of a choice, `loss=cosine`, whose fields then start at their defaults.
Defaults are those of SiameseIM's release. `siamlab axes` prints these tables in a terminal.

"""
STUDY = """# Keys of a study

A study is a Python file that assigns `study` to one of four kinds. Keys marked ✓ can be set by a
word on the command line, `seeds=5`; every other word is a key of [a run](run.md) and changes all
runs of the study.

"""
# page: title, modules
PYTHON = {
    "python-space": (
        "Python: the design space",
        "run recipes views colour masking positions target loss model.backbone model.encoder "
        "model.prediction geometry component run.choices",
    ),
    "python-data": ("Python: images", "data"),
    "python-train": ("Python: training", "train"),
    "python-probe": ("Python: probes", "probe"),
    "python-evaluate": ("Python: models and images by name", "evaluate zoo"),
    "python-figure": ("Python: figures", "figure"),
    "python-explore": ("Python: explorers", "explore"),
    "python-study": ("Python: studies", "study"),
}
INDEX = """# Reference

| page | what it lists |
| --- | --- |
| [Commands](commands.md) | every command and option of `siamlab` |
| [Keys of a run](run.md) | every axis, choice and field, with default and allowed values |
| [Keys of a study](study.md) | the four kinds of study and their fields |
| [Probes](../probes.md) | every probe: definition, range, direction, chance level, source |
"""


@cache
def reference() -> dict[str, str]:
    """Return every page by its address."""
    python = {f"reference/{page}.md": _python(*what) for page, what in PYTHON.items()}
    rows = [
        f"| [{title}]({page}.md) | {_about(names)} |" for page, (title, names) in PYTHON.items()
    ]
    return {
        "reference/index.md": INDEX + "\n".join(rows + _root()) + "\n",
        "reference/commands.md": COMMANDS + "\n".join(_commands(parser())),
        "reference/run.md": RUN + "\n".join(_run()),
        "reference/study.md": STUDY + "\n".join(_study()),
        **python,
    }


def _commands(command: argparse.ArgumentParser) -> list[str]:
    """Headings and tables of all commands below this one, depth first."""
    lines, inner = [], []
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            texts = {choice.dest: choice.help for choice in action._choices_actions}
            for name, sub in action.choices.items():
                own = _commands(sub)
                title = [f"## {sub.prog}\n", _sentence(texts.get(name, "")) + "\n"]
                inner += own if any(isinstance(a, argparse._SubParsersAction)
                                    for a in sub._actions) else [*title, *own]  # fmt: skip
        elif not isinstance(action, argparse._HelpAction):
            lines.append(_row(f"`{_invocation(action)}`", action.help or ""))
    table = ["| argument | meaning |", "| --- | --- |", *lines, ""] if lines else []
    return [*table, *inner]


def _invocation(action: argparse.Action) -> str:
    """The argument as it is written: `--budget TIME`, `[words ...]`."""
    name = action.metavar or action.dest
    if not action.option_strings:
        return {None: name, "?": f"[{name}]", "*": f"[{name} ...]"}.get(action.nargs, name)
    values = "|".join(map(str, action.choices)) if action.choices else str(name).upper()
    flags = ", ".join(action.option_strings)
    return flags if action.nargs == 0 else f"{flags} {values}"


def _run() -> list[str]:
    """A table of plain keys, then one section per axis and one table per choice."""
    plain = [name for name in Run.model_fields if name not in AXES]
    lines = ["## Run\n", *_table(Run, plain), ""]
    for axis in AXES:
        default = Run.model_fields[axis].default.kind
        lines += [f"## {axis}\n", f"Default: `{axis}={default}`.\n"]
        for kind, choice in axis_choices(axis).items():
            lines += [f"### {axis}={kind}\n", f"{_paragraph(choice)}\n"]
            fields = [name for name in choice.model_fields if name != "kind"]
            lines += [*_table(choice, fields, f"{axis}."), ""] if fields else []
    return lines


def _study() -> list[str]:
    lines = []
    for cls in (definition.Ablation, definition.Path, definition.Recipes, definition.Search):
        fields = [name for name in cls.model_fields if name != "kind"]
        rows = _rows(cls, fields, "")
        marked = [f"{row} {'✓' if row.split('`')[1] in SETTABLE else ''} |" for row in rows]
        head = ["| key | default | allowed | meaning | word |", "| --- | --- | --- | --- | --- |"]
        lines += [f"## {cls.__name__}\n", f"{_paragraph(cls)}\n", *head, *marked, ""]
    for cls in (definition.Axis, definition.Choice):
        lines += [f"## {cls.__name__}\n", f"{_paragraph(cls)}\n"]
        lines += [*_table(cls, list(cls.model_fields)), ""]
    return lines


def _table(cls: type[BaseModel], fields: list[str], prefix: str = "") -> list[str]:
    head = ["| key | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    return [*head, *_rows(cls, fields, prefix)]


def _rows(cls: type[BaseModel], fields: list[str], prefix: str) -> list[str]:
    """One row per key, components inside this one by their own keys."""
    rows = []
    for name in fields:
        field, key = cls.model_fields[name], prefix + name
        inside = {} if cls.__module__ == definition.__name__ else choices(field.annotation)
        if set(inside) == {""}:
            (only,) = inside.values()
            rows += _rows(only, [n for n in only.model_fields if n != "kind"], f"{key}.")
            continue
        default = "required" if field.is_required() else f"`{_value(field.default)}`"
        rows.append(_row(f"`{key}`", default, _allowed(cls, name, inside), field.description or ""))
        for kind, choice in inside.items():
            own = [n for n in choice.model_fields if n != "kind"]
            rows += [f"{row} with `{key}={kind}` |".replace("|  with", "| with")
                     for row in (r[:-2] for r in _rows(choice, own, f"{key}."))]  # fmt: skip
    return rows


def _allowed(cls: type[BaseModel], name: str, inside: dict[str, Any]) -> str:
    """The values that a field takes, as its JSON schema states them."""
    if inside:
        return ", ".join(f"`{kind}`" for kind in inside)
    try:
        schema = cls.model_json_schema()["properties"][name]
    except Exception:  # a field that has no schema, such as a function
        return str(getattr(cls.model_fields[name].annotation, "__name__", "a function"))
    return _limits(schema)


def _limits(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_limits(part) for part in schema["anyOf"])
    if "prefixItems" in schema:
        parts = [_limits(part) for part in schema["prefixItems"]]
        return f"list of {len(parts)}: {parts[0] if len(set(parts)) == 1 else '; '.join(parts)}"
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    limits = [f"{sign}\u00a0{schema[key]}" for key, sign in signs.items() if key in schema]
    word = {"integer": "whole number", "array": "list", "boolean": "`true`, `false`"}
    kind = schema.get("type", "")
    return ", ".join([word.get(kind, kind), *limits])


def _value(value: Any) -> str:
    """A default as a word of the command line has it."""
    if isinstance(value, Component):
        return getattr(value, "kind", "")
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value) or '""'


def _python(title: str, names: str) -> str:
    """One section per module and one entry per public object."""
    parts = [f"# {title}\n"]
    for name in names.split():
        module = import_module(f"siamlab.{name}")
        parts.append(f"## siamlab.{name}\n\n{inspect.getdoc(module)}\n")
        parts += [_entry(path) for path in _public(module)]
    return "\n".join(parts)


def _entry(path: str) -> str:
    """One object; of a named tuple, whose fields carry their shapes in comments, the source."""
    entry = f"::: {path}\n    options:\n      heading_level: 3\n"
    module, _, name = path.rpartition(".")
    found = getattr(import_module(module), name)
    if not hasattr(found, "_fields"):
        return entry
    hidden = "      members: false\n      show_source: false\n"
    return f"{entry}{hidden}\n```python\n{inspect.getsource(found)}```\n"


def _root() -> list[str]:
    """The names of `from siamlab import ...`, with the first line of each docstring."""
    rows = ["", "## Names at the root", "", "| name | what it is |", "| --- | --- |"]
    for name in siamlab.__all__:
        about = (inspect.getdoc(getattr(siamlab, name)) or "").partition("\n")[0]
        rows += [] if name.startswith("_") else [_row(f"`siamlab.{name}`", about)]
    return rows


def _public(module: Any) -> list[str]:
    """Paths of the functions and classes that a module offers; of a package without a list of
    names, those of its modules."""
    if hasattr(module, "__all__"):
        found = [getattr(module, name) for name in module.__all__]
    elif hasattr(module, "__path__") and not module.__name__.endswith("zoo"):
        inner = pkgutil.iter_modules(module.__path__, f"{module.__name__}.")
        return [path for info in inner for path in _public(import_module(info.name))]
    else:
        found = [o for n, o in vars(module).items() if not n.startswith("_")
                 and getattr(o, "__module__", "") == module.__name__]  # fmt: skip
    named = [o for o in found if inspect.isclass(o) or inspect.isfunction(o)]
    return [f"{o.__module__}.{o.__qualname__}" for o in named if inspect.getdoc(o)]


def _about(names: str) -> str:
    return ", ".join(f"`siamlab.{name}`" for name in names.split())


def _paragraph(cls: type) -> str:
    """The docstring of a component, its first paragraph."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


def _row(*cells: str) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""
