"""The command line: siamlab train | show | axes | probe | data | demo | study | lab."""

import errno
import os
import subprocess
import sys
import warnings
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from importlib.util import find_spec
from pathlib import Path

from siamlab.study_command import add_study_commands

EXAMPLES = """examples:
  siamlab demo
  siamlab train siameseim data=folder data.path=photos model=vit_small_patch16_224 steps=20000
  siamlab show mae masking.ratio=0.6 > mine.toml; siamlab train mine.toml --out runs/mine
  siamlab axes masking
  siamlab probe runs/mine timm:vit_base_patch16_224.mae
  siamlab data info scenes
  siamlab study run studies/loss_form.py; siamlab study report studies/loss_form.py
  siamlab lab"""


def main(words: list[str] | None = None) -> int:
    """Run one command. 0: done, 2: a mistake, said in one sentence, 130: stopped, to be resumed."""
    given = read(sys.argv[1:] if words is None else words)
    from siamlab.component import UserError

    warnings.formatwarning = lambda message, *_: f"siamlab: {message}\n"
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal may not have all letters
    try:
        done = given.command(given) or 0
        sys.stdout.flush()
        return done
    except UserError as mistake:
        print(f"siamlab: {mistake}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("siamlab: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe left, as `| head` does
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is left to write
        print("siamlab: the disk is full where this is written; make room", file=sys.stderr)
        return 2


def read(words: list[str]) -> Namespace:
    """The words understood; key=value may stand before options and after them."""
    top = parser()
    given, late = top.parse_known_args(words)
    options = [word for word in late if word.startswith("-") or not hasattr(given, "words")]
    if options:
        top.error(f"{options[0]} is not understood; `siamlab {words[0]} --help` lists the options")
    if late:
        given.words = [*given.words, *late]
    return given


def parser() -> ArgumentParser:
    """All commands and their options."""
    top = ArgumentParser(
        "siamlab",
        description="Train vision transformers without labels; see which choice does what.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    run_words = ("recipe", "a recipe's name or a TOML file"), ("words", "key=value, dotted keys")

    train = _command(commands, "train", "train a run into a folder", _train, *run_words)
    train.add_argument("--out", help="the run's folder (default: runs/NAME)")
    train.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    _size_options(train)
    show = _command(commands, "show", "print a run as TOML", _show, *run_words)
    _size_options(show)
    _command(
        commands, "axes", "print every axis, its choices and their fields", _axes,
        ("axis", "only this one"),
    )  # fmt: skip
    _probe_command(commands)
    _command(
        commands, "data", "list the image sources, or describe one", _data,
        ("words", "list, or info NAME [key=value ...]"),
    )  # fmt: skip
    add_study_commands(commands)
    demo = _command(
        commands, "demo", "train three recipes, probe them, write a report", _demo,
        ("words", "with --data: key=value for all three runs"),
    )  # fmt: skip
    size = demo.add_mutually_exclusive_group()
    size.add_argument("--long", action="store_true", help="a size that shows the trade-off")
    size.add_argument("--smallest", action="store_true", help="only to see that all parts work")
    size.add_argument("--data", metavar="NAME", help="photographs instead of scenes, as cifar10")
    demo.add_argument("--out", help="the folder of runs and report (default: runs/demo)")
    lab = _command(commands, "lab", "open JupyterLab on the notebooks", _lab)
    lab.add_argument("--folder", default="notebooks", help="of the notebooks (default: notebooks)")
    return top


def _size_options(command: ArgumentParser) -> None:
    """Sizes to start from, other than those of the papers."""
    sizes = command.add_mutually_exclusive_group()
    sizes.add_argument("--small", action="store_true", help="start from the demo's sizes")
    sizes.add_argument(
        "--photos", action="store_true", help="start from sizes for photographs of 32 pixels"
    )


def _probe_command(commands) -> None:
    probe = _command(
        commands, "probe", "measure both properties of trained models", _probe,
        ("words", "run folders, encoder files, zoo:NAME, timm:NAME; data.key=, fine_tune.key="),
    )  # fmt: skip
    probe.add_argument("--no-weights", action="store_true", help="timm models with random weights")
    probe.add_argument("--images", type=_count, default=3000, help="training images (default 3000)")
    probe.add_argument(
        "--test-images", type=_count, default=2000, help="test images (default 2000)"
    )
    probe.add_argument("--suite", choices=("quick", "full"), default="quick", help="which probes")
    probe.add_argument("--data", metavar="NAME", help="the images, as the word data=NAME")
    probe.add_argument("--size", type=_count, help="side of every model's input, pixels")
    probe.add_argument("--out", help="a folder for table and report, or .parquet, .csv, .json")


def _command(commands, name: str, text: str, function, *words: tuple[str, str]) -> ArgumentParser:
    """One command; `recipe` is one word, `axis` at most one, others any number."""
    command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    command.set_defaults(command=function)
    for word, meaning in words:
        number = {"recipe": None, "axis": "?"}.get(word, "*")
        command.add_argument(word, nargs=number, help=meaning)
    return command


def _train(given: Namespace) -> int:
    from siamlab import processes
    from siamlab.progress import follow
    from siamlab.train import Folder, Stopped, steps
    from siamlab.train.setup import start_processes

    start_processes()  # before the bar, which only one of them draws
    run = _run(given)
    out = given.out or f"runs/{run.name}"
    if given.resume and not Folder(out).run_file.exists() and processes.rank() == 0:
        print(f"siamlab: there is no run in {out} yet: it starts anew", file=sys.stderr)
    try:
        follow(run, steps(run, out, resume=given.resume))
    except Stopped as stop:
        if processes.rank() == 0:
            print(f"siamlab: {stop}", file=sys.stderr)
        return 130
    if processes.rank() == 0:
        print(f"The run is in {out}; `siamlab probe {out}` measures it.")
    return 0


def _show(given: Namespace) -> None:
    print(_run(given).toml(), end="")


def _lab(given: Namespace) -> int:
    from siamlab.component import UserError

    if find_spec("jupyterlab") is None:
        raise UserError("lab needs JupyterLab; pip install 'siamlab[notebook]' adds it")
    if not Path(given.folder).is_dir():
        raise UserError(
            f"there is no folder {given.folder} here; siamlab's notebooks are in its repository: "
            "go there, or name a folder by --folder"
        )
    return subprocess.call([sys.executable, "-m", "jupyterlab", given.folder])


def _axes(given: Namespace) -> None:
    from siamlab.catalogue import print_axes

    print_axes(given.axis)


def _probe(given: Namespace) -> None:
    from siamlab.probing import probe_subjects

    models = [word for word in given.words if "=" not in word]
    changes = [word for word in given.words if "=" in word]
    if given.data:
        changes = [f"data={given.data}", *changes]
    images = given.images, given.test_images
    how = given.suite, given.size, given.out
    probe_subjects(models, changes, not given.no_weights, *images, *how)


def _data(given: Namespace) -> None:
    from siamlab.catalogue import print_data

    print_data(given.words)


def _demo(given: Namespace) -> int:
    from siamlab import workers

    workers.warm()
    from siamlab.component import UserError
    from siamlab.demo import DEMO, LONG, SMALLEST, demo, photographs

    if given.words and not given.data:
        raise UserError(f"demo takes {given.words[0]!r} only with --data NAME, as --data cifar10")
    scale = LONG if given.long else SMALLEST if given.smallest else DEMO
    if given.data:
        scale = photographs(given.data, given.words)
    return demo(scale, given.out or f"runs/{scale.name}")


def _run(given: Namespace):
    from siamlab.component import UserError, unknown
    from siamlab.recipes import RECIPES, demo_size, photo_size
    from siamlab.run import Run

    if given.recipe in RECIPES:
        run = RECIPES[given.recipe]()
    elif given.recipe.endswith(".toml"):
        run = Run.read(given.recipe)
    else:
        raise UserError(unknown("there is no recipe", given.recipe, RECIPES) + ", or a .toml file")
    sized = demo_size(run) if given.small else photo_size(run) if given.photos else run
    return sized.change(*given.words)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        from argparse import ArgumentTypeError

        raise ArgumentTypeError(f"{text!r} is not a whole number, 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
