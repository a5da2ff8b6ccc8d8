"""Shell completion: a script that completes commands, options, recipes, axes and file names.

siamlab completion bash >> ~/.bash_completion
"""

from argparse import ArgumentParser, _SubParsersAction

import shtab

from siamlab.cli.choices import DEVICES, SHELLS, SPLITS, SUITES
from siamlab.recipes import RECIPES
from siamlab.run import Run

FILES = ("file", "out", "folder", "to", "source", "sources", "model")
WORDS = {
    "axis": (*Run.model_fields, "fine_tune"),
    "recipe": tuple(RECIPES),
    "shell": SHELLS,
    "suite": SUITES,
    "device": DEVICES,
    "split": SPLITS,
}


def completion_script(shell: str, top: ArgumentParser) -> str:
    """Return the script, to be sourced by `shell`, that completes the commands of `top`.

    The parser is changed, so that it must not parse any more.
    """
    for command in _parsers(top):
        for action in command._actions:
            if action.dest in WORDS:
                action.choices = WORDS[action.dest]
            elif action.dest in FILES or (
                action.dest == "words" and command.prog.split()[-1] in ("probe", "view", "add")
            ):
                action.complete = shtab.FILE
    return shtab.complete(top, shell)


def _parsers(top: ArgumentParser) -> list[ArgumentParser]:
    """Return a parser and those of its commands, at any depth."""
    groups = [action for action in top._actions if isinstance(action, _SubParsersAction)]
    below = [command for group in groups for command in group.choices.values()]
    return [top, *(found for command in below for found in _parsers(command))]
