"""Finished trials of a study in one small text file, to be committed or moved to another machine.

write_trials(Path("loss_form.jsonl"), Trials(header, records))
header, records = read_trials(Path("loss_form.jsonl"))

JSON Lines: first the description of the study, then one trial per line, without any path of the
machine they ran on. Each line has the hash of its content, and the first line the number of
trials, so that damaged or truncated files are detected.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import Field, ValidationError, model_validator

from siamlab.component import Component, UserError
from siamlab.machine.faults import way_out
from siamlab.machine.files import atomic, text_in

FORMAT = 1  # version of the file format; other versions are refused
DIGITS = 16  # of a line's hash
Number = Annotated[float, Field(allow_inf_nan=True)]  # NaN where a probe has no chance or ceiling


class ProbeValue(Component):
    """The value of one probe on a trial's network: its row in `results`."""

    probe: str
    title: str
    property: str
    value: Number
    low: Number | None
    high: Number | None
    chance: Number | None
    ceiling: Number | None
    unit: str
    direction: str
    protocol: str


class TrialRecord(Component):
    """One finished trial: its configuration, its results, and where it ran."""

    point: str
    seed: int = Field(ge=0)
    params: dict[str, str | int]
    run: str = Field(description="hash of the TOML of its point")
    values: tuple[Number, ...] = Field(min_length=1)
    scores: tuple[ProbeValue, ...] = Field(min_length=1)
    seconds: float
    collapsed: str
    finished: str = Field(description="date, such as 2026-11-28")
    environment: dict[str, Any] = Field(description="versions, processor, GPU, precision; or empty")


class StudyHeader(Component):
    """The description of a study (`describe`) without paths of its images."""

    format: int
    study: str
    definition: str = Field(description="hash of `about` without question, seeds and versions")
    about: dict[str, Any]
    trials: int = Field(ge=0, description="number of lines that follow")

    @model_validator(mode="after")
    def _has_tables(self) -> "StudyHeader":
        for key in ("points", "data", "versions"):
            if not isinstance(self.about.get(key), dict):
                raise ValueError(f"it lacks the table {key}")
        return self


class Trials(NamedTuple):
    header: StudyHeader
    records: list[TrialRecord]


Line = TypeVar("Line", StudyHeader, TrialRecord)


def write_trials(path: Path, trials: Trials) -> None:
    """Write the file, completely or not at all. Raises UserError where that is not possible."""
    text = "".join(_line(content) for content in (trials.header, *trials.records))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as draft:
            draft.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UserError(
            f"--to {path} cannot be written ({error.strerror}); {way_out(error)}, or name another "
            "place"
        ) from None


def read_trials(path: Path) -> Trials:
    """Read and check a file of trials.

    Raises UserError for a file that is missing, damaged, truncated or not one of trials.
    """
    try:
        first, *rest = text_in(path).rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UserError(
            f"{path} cannot be read ({why}); name a file that `siamlab study export` wrote"
        ) from None
    header = _parse(first, StudyHeader, f"{path}, line 1,")
    if header.format != FORMAT:
        raise UserError(
            f"{path} has format={header.format}, and this siamlab reads {FORMAT}; export "
            "the trials again with this version of siamlab"
        )
    records = [_parse(line, TrialRecord, f"{path}, line {k},") for k, line in enumerate(rest, 2)]
    if len(records) != header.trials:
        raise UserError(
            f"{path} has {len(records)} of its {header.trials} trials, so it was truncated "
            "or edited; copy or export it again"
        )
    for k, record in enumerate(records, 2):
        if record.run != content_hash(header.about["points"].get(record.point)):
            raise UserError(
                f"{path}, line {k}, has run={record.run}, which is not the hash of the run "
                f"of {record.point!r} in line 1; export the trials again"
            )
    return Trials(header, records)


def content_hash(content: Any) -> str:
    """Return hexadecimal digits that identify tables and lists, whatever the order of keys."""
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _line(component: Component) -> str:
    content = component.model_dump(mode="json")
    line = {"hash": content_hash(content), "content": content}
    return json.dumps(line, ensure_ascii=False) + "\n"


def _parse(line: str, kind: type[Line], where: str) -> Line:
    try:
        fields = json.loads(line)
        content, expected = fields["content"], fields["hash"]
        intact = content_hash(content) == expected
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UserError(
            f"{where} was not written by `siamlab study export`; name a file that was, or copy or "
            "export this one again"
        ) from None
    if not intact:
        raise UserError(
            f"{where} is damaged: its content does not match its hash; copy or export it again"
        )
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = "".join(f"{step}: " for step in first["loc"])
        raise UserError(
            f"{where} is not in the form that this siamlab reads "
            f"({key}{first['msg'].removeprefix('Value error, ')}); export the trials again with "
            "this version of siamlab"
        ) from None
