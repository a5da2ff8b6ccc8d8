"""The commands of `siamlab leaderboard`: add | show | page.

Imports only the standard library until a command runs, so that `siamlab --help` is immediate.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any

from siamlab.cli.choices import SUITES
from siamlab.cli.sentences import (
    add_device,
    add_precision,
    count,
    one_of,
    some_file,
    some_images,
    some_name,
)

FILE = "the leaderboard (default: docs/leaderboard.parquet of the checkout around this folder)"


def add_leaderboard_commands(commands: Any) -> None:
    """Add `siamlab leaderboard` and its commands to what `add_subparsers` returned."""
    group = commands.add_parser(
        "leaderboard", help="scores of many models, measured and published, in one file"
    )
    verbs = group.add_subparsers(required=True, metavar="add | show | page")
    _add_command(verbs)
    show = _verb(verbs, "show", "print the boards and how to add to them", _show)
    page = _verb(verbs, "page", "write a page with the plane and the table of each board", _page)
    for verb in (show, page):
        verb.add_argument("--from", dest="source", type=some_file, metavar="FILE", help=FILE)
        verb.add_argument("--board", type=some_name, metavar="NAME", help="only this board")
    page.add_argument(
        "--to", type=some_file, default="leaderboard.html", metavar="FILE.html",
        help="the page to write (default: leaderboard.html)",
    )  # fmt: skip


def _add_command(verbs: Any) -> None:
    add = _verb(verbs, "add", "probe models, or take scores from files, and add them", _add)
    add.add_argument(
        "words", nargs="*",
        help="models as of `siamlab probe`; RUN/probes.json; .csv of published values; data.key=",
    )  # fmt: skip
    add.add_argument("--to", type=some_file, metavar="FILE", help=FILE)
    add.add_argument(
        "--board", type=some_name, metavar="NAME", help="which one (default: named by the images)"
    )
    add.add_argument(
        "--name", type=some_name, metavar="NAME", help="what the only model is called there"
    )
    add.add_argument("--note", help="a remark on the weights, such as that they are rounded")
    add.add_argument(
        "--baselines", action="store_true", help="also untrained networks, and the raw pixels"
    )
    add.add_argument(
        "--data", type=some_images, metavar="NAME", help="a folder of images, or a source by name"
    )
    add.add_argument("--images", type=count, default=3000, help="training images (default 3000)")
    add.add_argument("--test-images", type=count, default=2000, help="test images (default 2000)")
    add.add_argument("--size", type=count, help="side of every model's input, pixels")
    add.add_argument(
        "--suite", type=one_of("suite", SUITES), default="quick",
        help="as of `siamlab probe`: quick, full, published, imagenet-c, or a standard set by its "
        "protocol, as in --suite voc data.path=VOC2012 data.protocol=hummingbird",
    )  # fmt: skip
    add_device(add)
    add_precision(add)


def _verb(verbs: Any, name: str, text: str, function: Callable) -> ArgumentParser:
    verb = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
    verb.set_defaults(command=function)
    return verb


def _add(options: Namespace) -> None:
    from siamlab.cli.words import leaderboard_words

    models, files, words = leaderboard_words(options.words)
    from siamlab.cli.board import Addition, add

    chosen = {name: getattr(options, name) for name in Addition._fields if name != "words"}
    add(models, files, Addition(words=tuple(words), **chosen))


def _show(options: Namespace) -> None:
    from siamlab.cli.board import show

    show(options.source, options.board)


def _page(options: Namespace) -> None:
    from siamlab.cli.board import page

    page(options.source, options.board, options.to)
