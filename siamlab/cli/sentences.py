"""A parser that reports each mistake in one sentence.

top = Parser("siamlab");  top.needs = "a command"
"""

import re
from argparse import (
    ArgumentError,
    ArgumentParser,
    ArgumentTypeError,
    Namespace,
    _StoreAction,
    _SubParsersAction,
)
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from siamlab.cli.choices import DEVICES, PRECISIONS

DIGITS = 18  # of a number; more of them are a mistake everywhere


class Once(_StoreAction):
    """Store the value of an option; the same option with two values is a mistake."""

    def __call__(
        self, parser: ArgumentParser, found: Namespace, value: Any, option: str | None = None
    ) -> None:
        given = found.__dict__.setdefault("given", {})
        if option and given.setdefault(self.dest, value) != value:
            raise ArgumentError(
                self, f"{given[self.dest]} and {value} are two values; leave one of them out"
            )
        super().__call__(parser, found, value, option)


class Parser(ArgumentParser):
    """`needs` says what must follow the command."""

    needs: str = ""

    def __init__(self, *places: Any, **settings: Any):
        super().__init__(*places, **settings)
        for name in (None, "store"):
            self.register("action", name, Once)

    def error(self, message: str) -> NoReturn:
        """Raise a UserError with what argparse found, in siamlab's words."""
        from siamlab.component import UserError

        raise UserError(self._sentence(message))

    def _sentence(self, message: str) -> str:
        about = f"`{self.prog} --help` explains it"
        option, _, found = message.removeprefix("argument ").partition(": ")
        option = option.split("/")[0]
        if names := re.match(r"the following arguments are required: (.*)", message):
            name = self.prog.removeprefix("siamlab ")
            missing = ", ".join(name for name in names[1].split(", ") if name != "words")
            needs = self.needs or f"{missing}; {about}"
            return f"{name} needs {needs}"
        groups = [a for a in self._actions if isinstance(a, _SubParsersAction)]
        choice = re.match(r"invalid choice: '(.*?)' ", found)
        if choice and groups:
            return self._unknown_command(choice[1], groups[0].choices)
        if other := re.match(r"not allowed with argument (\S+)", found):
            return f"{option} and {other[1]} exclude each other; leave one of them out"
        if re.match(r"expected .* argument", found):
            return f"{option} must be followed by a value; {about}"
        if value := re.match(r"ignored explicit argument (.*)", found):
            return f"{option} takes no value, but was given {value[1]}; {about}"
        if not found:
            return message
        return f"{option}: {found}" if option.startswith("-") else found

    def _unknown_command(self, name: str, known: Iterable[str]) -> str:
        from siamlab.component import unknown

        return unknown(f"`{self.prog}` has no command", name, known)


def path_of(what: str, kind: str = "path") -> Callable[[str], str]:
    """Return a function that takes any path but an empty one, such as an unset variable's."""

    def checked(path: str) -> str:
        if not path.strip():
            raise ArgumentTypeError(f"the {kind} is empty; name {what}")
        if what == "a file" and path.endswith("/"):
            raise ArgumentTypeError(f"{path} names a folder; name a file, without / at its end")
        return path

    return checked


def some_name(name: str) -> str:
    """Return the name; an empty one, such as an unset variable's, is refused."""
    if not name.strip():
        raise ArgumentTypeError("the name is empty; name something, or leave the option out")
    return name


def whole_number(least: int, most: int | None, what: str) -> Callable[[str], int]:
    """Return a function that takes only whole numbers from `least` to `most`."""

    def checked(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS else -1
        if number < least or (most is not None and number > most):
            raise ArgumentTypeError(f"{text!r} is not {what}")
        return number

    return checked


def one_of(what: str, names: Sequence[str]) -> Callable[[str], str]:
    """Return a function that takes only one of the names."""

    def checked(name: str) -> str:
        from siamlab.component import unknown

        if name not in names:
            raise ArgumentTypeError(unknown(f"there is no {what}", name, names))
        return name

    return checked


def add_device(command: ArgumentParser, what: str = "to compute") -> None:
    """Add --device to a command; `what` says what is done there."""
    text = f"where {what}: {', '.join(DEVICES)} (default auto: a GPU if there is one)"
    command.add_argument("--device", type=one_of("device", DEVICES), default="auto", help=text)


def add_precision(command: ArgumentParser) -> None:
    """Add --precision, of the products of models whose features are measured."""
    text = (
        "of the models' products: float32 (default), or bfloat16 or float16, faster on most GPUs, "
        "whose scores do not mix with those of float32"
    )
    kinds = one_of("precision", PRECISIONS)
    command.add_argument("--precision", type=kinds, default="float32", help=text)


def add_probe_precision(command: ArgumentParser, default: str | None = None) -> None:
    """Add --precision to a command that trains and probes; it is that of the probes alone."""
    text = (
        "of the networks' products when they are probed, float32 unless given; training has "
        "compute.precision="
    )
    kinds = one_of("precision", PRECISIONS)
    command.add_argument("--precision", type=kinds, default=default, help=text)


def add_run_device(command: ArgumentParser, what: str = "to train") -> None:
    """Add --device to a command that trains; without it each run's own compute.device counts."""
    text = f"where {what}, the same as compute.device=: {', '.join(DEVICES)}"
    command.add_argument("--device", type=one_of("device", DEVICES), help=text)


def add_lab_device(command: ArgumentParser) -> None:
    """Add --device to the command that starts notebooks; SIAMLAB_DEVICE hands it to them."""
    text = f"where notebooks and explorers compute: {', '.join(DEVICES)} (default auto: a GPU if "
    text += "there is one)"
    command.add_argument("--device", type=one_of("device", DEVICES), help=text)


some_path: Callable[[str], str] = path_of("a folder")
some_file: Callable[[str], str] = path_of("a file")
some_images: Callable[[str], str] = path_of("images: a folder, or a source by name", "name")
file_or_folder: Callable[[str], str] = path_of("a file or folder")
count: Callable[[str], int] = whole_number(1, None, "a whole number, 1 or more")


def add_command(
    commands: Any, name: str, text: str, function: Callable, *words: tuple[str, str]
) -> Parser:
    """Add a command; `recipe`, `model`, `file` take one word, `axis` at most one, others any."""
    command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    command.set_defaults(command=function, name=name)
    for word, meaning in words:
        number = {"recipe": None, "model": None, "file": None, "axis": "?"}.get(word, "*")
        command.add_argument(word, nargs=number, help=meaning)
    return command
