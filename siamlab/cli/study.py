"""The commands of `siamlab study`: run | report | worker | export | import | list.

Imports only the standard library until a command runs, so that `siamlab --help` is immediate.
"""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from siamlab.cli.sentences import (
    add_device,
    add_probe_precision,
    add_run_device,
    some_file,
    some_path,
    whole_number,
)

ROOT = "runs/studies"  # parent of the studies' folders, without --out
VERBS = "run | report | worker | export | import | list"
STORAGE = "a database's URL (default: a journal file in the study's folder)"


def add_study_commands(commands: Any) -> None:
    """Add `siamlab study` and its commands to what `add_subparsers` returned."""
    study = commands.add_parser("study", help="run, report and list studies of many runs")
    verbs = study.add_subparsers(required=True, metavar=VERBS)
    run = _verb(verbs, "run", "run the unfinished trials of a study, with several workers", _run)
    run.add_argument(
        "--workers", type=_workers, default=0, help="processes (default: one per GPU or core)"
    )
    run.add_argument("--budget", type=_time, help="stop after this time, such as 90s, 9m or 2h")
    run.add_argument("--again", action="store_true", help="repeat failed trials")
    worker = _verb(verbs, "worker", "attach one worker to a study that may run elsewhere too",
                   _worker, "the study's file; without it, all studies of --storage")  # fmt: skip
    worker.add_argument(
        "--threads", type=_threads, default=0, help="processor threads (default: torch's choice)"
    )
    for verb in (run, worker):
        add_run_device(verb)
    report = _verb(verbs, "report", "tables, verdicts and figures of a study in one page", _report)
    report.add_argument(
        "--margin", type=_margin, default=0.02, help="smallest difference that matters"
    )
    add_device(report, "to compute the pictures of runs")
    _add_export_and_import(verbs)
    listing = verbs.add_parser("list", help="list the studies of a storage, or under runs/studies")
    listing.set_defaults(command=_list)
    listing.add_argument("--storage", default="", help=STORAGE)


def _add_export_and_import(verbs) -> None:
    """Add the commands that move finished trials between a study and files."""
    text = "write the finished trials of a study to one small file, for git or another machine"
    export = verbs.add_parser("export", help=text, description=text, allow_abbrev=False)
    export.set_defaults(command=_export)
    export.add_argument("file", help="the study's file, or just its name")
    export.add_argument("--to", type=some_file, required=True,
                        help="the file to write, such as loss_form.jsonl")  # fmt: skip
    _add_place(export)
    load = _verb(verbs, "import", "import finished trials from files into a study, so that they "
                 "need not run again; trials that are complete are kept", _import)  # fmt: skip
    load.add_argument("--from", dest="sources", nargs="+", action="extend", required=True,
                      metavar="FILE", help="files that `siamlab study export` wrote")  # fmt: skip
    load.add_argument("--any-version", action="store_true",
                      help="also trials of other versions of siamlab, torch or timm")  # fmt: skip


def _verb(verbs, name: str, text: str, function, file: str = "") -> ArgumentParser:
    """Add a command with a study's file, which is optional if `file` has a help text for it."""
    verb = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
    verb.set_defaults(command=function)
    a_file = "the study's file, such as studies/loss_form.py"
    verb.add_argument("file", nargs="?" if file else None, help=file or a_file)
    keys = (
        "key=value for all its runs; for the study seeds=, suite=, images=, held_out=, precision="
    )
    verb.add_argument("words", nargs="*", help=keys)
    add_probe_precision(verb)
    _add_place(verb)
    return verb


def _add_place(verb: ArgumentParser) -> None:
    verb.add_argument("--out", type=some_path, help=f"the study's folder (default: {ROOT}/NAME)")
    verb.add_argument("--storage", default="", help=STORAGE)


def _told_if_lost(command: Callable[[Namespace], Any]) -> Callable[[Namespace], Any]:
    """Return the command with one sentence for a database that is lost meanwhile."""

    @wraps(command)
    def told(options: Namespace) -> Any:
        from siamlab.component import UserError

        try:
            return command(options)
        except Exception as error:
            if type(error).__name__ != "StorageInternalError":  # of Optuna, which may be missing
                raise
            why = str(error.__cause__ or error).partition("\n")[0][:200]
            raise UserError(
                f"the database was lost ({why}); nothing is half written: the same command works "
                "once it is back"
            ) from error

    return told


@_told_if_lost
def _run(options: Namespace) -> int:
    from siamlab.machine import workers

    _needs_optuna()
    workers.warm("siamlab.study.worker")
    from siamlab.cli.words import device_words
    from siamlab.study.runner import run_study

    words = device_words(options.device, _words(options))
    where = (options.file, words, _out(options), options.storage)
    return run_study(*where, options.workers, options.budget, options.again)


@_told_if_lost
def _worker(options: Namespace) -> int:
    _needs_optuna()
    from siamlab.cli.words import device_words, is_assignment
    from siamlab.study.attach import attach_study

    file, words = options.file, _words(options)
    if file and is_assignment(file):  # not a file, but the first assignment
        file, words = None, [file, *words]
    words = device_words(options.device, words)
    out = Path(options.out) if options.out else None
    return attach_study(file, words, out, options.storage, Path(ROOT), options.threads)


@_told_if_lost
def _report(options: Namespace) -> None:
    _needs_optuna()
    from siamlab.study.report import report_study

    where = (options.file, _words(options), _out(options), options.storage)
    report_study(*where, options.margin, options.device)


@_told_if_lost
def _export(options: Namespace) -> None:
    _needs_optuna()
    from siamlab.study.export_trials import export_trials

    export_trials(Path(options.file).stem, _out(options), options.storage, Path(options.to))


@_told_if_lost
def _import(options: Namespace) -> None:
    _needs_optuna()
    from siamlab.study.import_trials import import_trials

    sources = [Path(source) for source in options.sources]
    where = (options.file, _words(options), _out(options), options.storage)
    import_trials(*where, sources, options.any_version)


@_told_if_lost
def _list(options: Namespace) -> None:
    _needs_optuna()
    from siamlab.study.listing import print_studies

    print_studies(options.storage, Path(ROOT))


def _words(options: Namespace) -> list[str]:
    """Return the key=value words, with the one that --precision stands for."""
    from siamlab.cli.words import precision_words

    return precision_words(options.precision, options.words)


def _out(options: Namespace) -> Path:
    return Path(options.out or f"{ROOT}/{Path(options.file).stem}")


def _needs_optuna() -> None:
    from siamlab.component import UserError

    if find_spec("optuna") is None:
        raise UserError("studies need Optuna; pip install 'siamlab[study]' adds it")


_workers = whole_number(0, 1024, "a whole number from 0 (one per GPU or core) to 1024")
_threads = whole_number(0, 1024, "a whole number from 0 (torch's choice) to 1024")


def _margin(text: str) -> float:
    try:
        margin = float(text)
    except ValueError:
        margin = -1.0
    if not 0 <= margin < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a difference of scores, 0 or more, such as 0.02")
    return margin


def _time(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = text[:-1], text[-1:]
    try:
        seconds = float(number) * units[unit]
    except (ValueError, KeyError):
        raise ArgumentTypeError(f"{text!r} is not a time; write 90s, 9m or 2h") from None
    if not 0 < seconds < float("inf"):
        raise ArgumentTypeError(f"{text!r} must be more than zero; write 90s, 9m or 2h")
    return seconds
