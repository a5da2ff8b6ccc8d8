"""The file of a study: Python that sets `study`, and the errors of one that does not.

name, study = load("studies/loss_form.py", ["seeds=5"])
"""

from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from siamlab.component import UserError
from siamlab.study.assignments import assign
from siamlab.study.definition import FixedStudy, Study
from siamlab.study.description import check_differ, runs_of
from siamlab.train.access import readable


def load(file: str | Path, words: Sequence[str] = ()) -> tuple[str, Study]:
    """Return name and definition from a study's file, changed by `key=value` words.

    Raises UserError, with file and line, for a file that does not import or sets no `study`.
    """
    file = Path(file)
    study = getattr(_imported(file), "study", None)
    if not isinstance(study, Study):
        raise UserError(
            f"{file} sets no `study`; write study = Ablation(...), Path(...), Recipes(...) or "
            "Search(...), imported from siamlab.study"
        )
    try:
        study = assign(study, words)
        runs = runs_of(study)  # fails on changes that no run accepts
        if isinstance(study, FixedStudy):
            check_differ(runs)
    except UserError as error:
        raise UserError(f"{file}: {error}") from None
    return file.stem, study


def _imported(file: Path) -> ModuleType:
    if not file.is_file():
        raise UserError(
            f"there is no study file {file}; siamlab's own are in the folder studies/ of its "
            "repository"
        )
    spec = spec_from_file_location(f"siamlab_study_{file.stem}", file)
    if file.suffix != ".py" or spec is None:
        raise UserError(f"{file} is not a Python file; a study is a .py file that sets `study`")
    with readable(file):
        file.read_bytes()
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except UserError as error:
        raise UserError(f"{file}{_line(error, spec.origin)} {error}") from None
    except SystemExit as error:
        raise UserError(
            f"{file}{_line(error, spec.origin)} ends the program (sys.exit); a study's file only "
            "sets `study`"
        ) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever the file raises
        line = _line(error, spec.origin)
        raise UserError(f"{file}{line} does not import: {type(error).__name__}: {error}") from None
    return module


def _line(error: BaseException, file: str | None) -> str:
    """Return `, line 3,` for the last line of the file that the error passed, or a colon."""
    passed, trace = [], error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == file:
            passed.append(trace.tb_lineno)
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename == file:
        passed.append(error.lineno)
    return f", line {passed[-1]}," if passed else ":"
