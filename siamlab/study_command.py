"""The commands of `siamlab study`: run | report | worker | export | import | list.

Only the standard library until one of them runs: `siamlab --help` waits for nothing.
"""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from importlib.util import find_spec
from pathlib import Path

ROOT = "runs/studies"  # where the folders of studies are, without --out
VERBS = "run | report | worker | export | import | list"
STORAGE = "a database's URL (default: a journal file in the study's folder)"


def add_study_commands(commands) -> None:
    """`siamlab study` and what it does."""
    study = commands.add_parser("study", help="run, report and list studies of many runs")
    verbs = study.add_subparsers(required=True, metavar=VERBS)
    run = _verb(verbs, "run", "do what is left of a study, with several workers", _run)
    run.add_argument("--workers", type=_whole, default=0, help="processes (default: one a core)")
    run.add_argument("--budget", type=_time, help="stop after this time, as 9m, 2h or 90s")
    run.add_argument("--again", action="store_true", help="failed trials get another chance")
    worker = _verb(verbs, "worker", "one worker of a study that may run elsewhere too", _worker,
                   "the study's file; with --storage alone, all that waits there")  # fmt: skip
    worker.add_argument("--threads", type=_whole, default=0, help="0: torch's choice")
    report = _verb(verbs, "report", "tables, verdicts and figures of a study in one page", _report)
    report.add_argument("--margin", type=float, default=0.02, help="least difference that matters")
    _add_export_and_import(verbs)
    found = verbs.add_parser("list", help="studies of a storage, or under runs/studies")
    found.set_defaults(command=_list)
    found.add_argument("--storage", default="", help=STORAGE)


def _add_export_and_import(verbs) -> None:
    """Trials out of a study into a file, and out of files into a study."""
    text = "write the finished trials of a study into one small file, for git or another machine"
    export = verbs.add_parser("export", help=text, description=text, allow_abbrev=False)
    export.set_defaults(command=_export)
    export.add_argument("file", help="the study's file, or its name alone")
    export.add_argument("--to", required=True, help="the file to write, as loss_form.jsonl")
    _add_place(export)
    take = _verb(verbs, "import", "take finished trials from files into a study, so that nobody "
                 "does them again; what is there already is kept", _import)  # fmt: skip
    take.add_argument("--from", dest="sources", nargs="+", required=True, metavar="FILE",
                      help="files that `siamlab study export` wrote")  # fmt: skip
    take.add_argument("--any-version", action="store_true",
                      help="also trials by other versions of siamlab, torch or timm")  # fmt: skip


def _verb(verbs, name: str, text: str, function, file: str = "") -> ArgumentParser:
    """A verb with a study's file, which is optional if `file` says what it is."""
    verb = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
    verb.set_defaults(command=function)
    a_file = "the study's file, as studies/loss_form.py"
    verb.add_argument("file", nargs="?" if file else None, help=file or a_file)
    said = "key=value for all its runs; for the study seeds=, suite=, images=, held_out="
    verb.add_argument("words", nargs="*", help=said)
    _add_place(verb)
    return verb


def _add_place(verb: ArgumentParser) -> None:
    verb.add_argument("--out", help=f"the study's folder (default: {ROOT}/NAME)")
    verb.add_argument("--storage", default="", help=STORAGE)


def _run(given: Namespace) -> int:
    from siamlab import workers

    _needs_optuna()
    workers.warm("siamlab.study.worker")
    from siamlab.study.runner import run_study

    where = (given.file, given.words, _out(given), given.storage)
    return run_study(*where, given.workers, given.budget, given.again)


def _worker(given: Namespace) -> int:
    _needs_optuna()
    from siamlab.study.join import join_study

    file, words = given.file, given.words
    if file and "=" in file:  # no file, but the first of the words
        file, words = None, [file, *words]
    out = Path(given.out) if given.out else None
    return join_study(file, words, out, given.storage, Path(ROOT), given.threads)


def _report(given: Namespace) -> None:
    _needs_optuna()
    from siamlab.study.report import report_study

    report_study(given.file, given.words, _out(given), given.storage, given.margin)


def _export(given: Namespace) -> None:
    _needs_optuna()
    from siamlab.study.export import export_study

    export_study(Path(given.file).stem, _out(given), given.storage, Path(given.to))


def _import(given: Namespace) -> None:
    _needs_optuna()
    from siamlab.study.intake import import_study

    sources = [Path(source) for source in given.sources]
    where = (given.file, given.words, _out(given), given.storage)
    import_study(*where, sources, given.any_version)


def _list(given: Namespace) -> None:
    _needs_optuna()
    from siamlab.study.listing import print_studies

    print_studies(given.storage, Path(ROOT))


def _out(given: Namespace) -> Path:
    return Path(given.out or f"{ROOT}/{Path(given.file).stem}")


def _needs_optuna() -> None:
    from siamlab.component import UserError

    if find_spec("optuna") is None:
        raise UserError("studies need Optuna; pip install 'siamlab[study]' adds it")


def _whole(text: str) -> int:
    if not text.isdigit():
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _time(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = text[:-1], text[-1:]
    try:
        seconds = float(number) * units[unit]
    except (ValueError, KeyError):
        raise ArgumentTypeError(f"{text!r} is no time; write 90s, 9m or 2h") from None
    if not 0 < seconds < float("inf"):
        raise ArgumentTypeError(f"{text!r} must be more than nothing; write 90s, 9m or 2h")
    return seconds
