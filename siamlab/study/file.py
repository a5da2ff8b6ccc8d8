"""A study's file: Python that sets `study`, and what is said of one that does not.

name, study = load("studies/loss_form.py", ["seeds=5"])
"""

from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from pydantic import ValidationError

from siamlab.component import UserError
from siamlab.study.definition import Fixed, Search, Study, scaled


def load(file: str | Path, words: Sequence[str] = ()) -> tuple[str, Study]:
    """Name and definition of a study's file, changed by `key=value` words.

    Raises UserError, with file and line, for one that does not import or defines no `study`.
    """
    file = Path(file)
    study = getattr(_imported(file), "study", None)
    if not isinstance(study, Fixed | Search):
        raise UserError(
            f"{file} sets no `study`; write study = Ablation(...), Path(...), Recipes(...) or "
            "Search(...), imported from siamlab.study"
        )
    try:
        study = scaled(study, list(words))
        if isinstance(study, Fixed):
            study.points()
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
        raise UserError(f"{file} is no Python file; a study is a .py file that sets `study`")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ValidationError as error:
        raise UserError(f"{file}: {_sentence(error)}") from None
    except UserError as error:
        raise UserError(f"{file}: {error}") from None
    except Exception as error:
        line = _line(error, file)
        raise UserError(f"{file}{line} does not import: {type(error).__name__}: {error}") from None
    return module


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _line(error: Exception, file: Path) -> str:
    lines, trace = "", error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == str(file):
            lines = f", line {trace.tb_lineno},"
        trace = trace.tb_next
    return lines
