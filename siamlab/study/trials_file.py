"""Finished trials of a study in one small text file, to be kept in git or taken elsewhere.

write_trials(Path("loss_form.jsonl"), Kept(about, trials))
about, trials = read_trials(Path("loss_form.jsonl"))

JSON, a line each: first what the study is, then its trials, with no path of the machine they ran
on. Each line holds the hash of its content, and the first one the number of trials, so that a
file that was damaged or cut off is noticed.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import Field, ValidationError, model_validator

from siamlab.component import Component, UserError
from siamlab.probe_files import drafted

FORMAT = 1  # of the file; another number is refused
DIGITS = 16  # of a line's hash


class Number(Component):
    """What one probe found of a trial's network: the row of it in `results`."""

    probe: str
    title: str
    property: str
    value: float
    low: float | None
    high: float | None
    chance: float | None
    ceiling: float | None
    unit: str
    direction: str
    protocol: str


class KeptTrial(Component):
    """One finished trial: which it is, what it found, and where it ran."""

    point: str
    seed: int = Field(ge=0)
    params: dict[str, str | int]
    run: str = Field(description="hash of the TOML of its point")
    values: tuple[float, ...] = Field(min_length=1)
    scores: tuple[Number, ...] = Field(min_length=1)
    seconds: float
    collapsed: str
    finished: str = Field(description="date, as 2026-11-28")
    environment: dict[str, Any] = Field(description="versions, processor, GPU, precision; or empty")


class About(Component):
    """What a study is: all that its numbers depend on (`described`), but for places of files."""

    format: int
    study: str
    definition: str = Field(description="hash of `about` without question, seeds and versions")
    about: dict[str, Any]
    trials: int = Field(ge=0, description="how many lines follow")

    @model_validator(mode="after")
    def _whole(self) -> "About":
        for key in ("points", "data", "versions"):
            if not isinstance(self.about.get(key), dict):
                raise ValueError(f"it lacks the table {key}")
        return self


class Kept(NamedTuple):
    about: About
    trials: list[KeptTrial]


Line = TypeVar("Line", About, KeptTrial)


def write_trials(path: Path, kept: Kept) -> None:
    """The file, whole or not at all. Raises UserError where it cannot be written."""
    text = "".join(_line(part) for part in (kept.about, *kept.trials))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with drafted(path) as draft:
            draft.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UserError(
            f"--to {path} cannot be written ({error.strerror}); make room, or name another place"
        ) from None


def read_trials(path: Path) -> Kept:
    """What a file holds. Raises UserError for one that is not there, not whole or not of trials."""
    try:
        first, *rest = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UserError(
            f"--from {path} cannot be read ({why}); name a file that `siamlab study export` wrote"
        ) from None
    about = _parsed(first, About, f"--from {path}, line 1,")
    if about.format != FORMAT:
        raise UserError(
            f"--from {path} has format={about.format}, and this siamlab reads {FORMAT}; export the "
            "trials again with this version of it"
        )
    trials = [
        _parsed(line, KeptTrial, f"--from {path}, line {k},") for k, line in enumerate(rest, 2)
    ]
    if len(trials) != about.trials:
        raise UserError(
            f"--from {path} has {len(trials)} of its {about.trials} trials, so it was cut off or "
            "changed; copy or export it again"
        )
    for k, trial in enumerate(trials, 2):
        if trial.run != hashed(about.about["points"].get(trial.point)):
            raise UserError(
                f"--from {path}, line {k}, has run={trial.run}, which is not the hash of the run "
                f"of {trial.point!r} in line 1; export the trials again"
            )
    return Kept(about, trials)


def hashed(content: Any) -> str:
    """Hexadecimal digits that stand for tables and lists, whatever the order of keys."""
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _line(part: Component) -> str:
    content = part.model_dump(mode="json")
    return json.dumps({"hash": hashed(content), "content": content}, ensure_ascii=False) + "\n"


def _parsed(line: str, kind: type[Line], where: str) -> Line:
    try:
        fields = json.loads(line)
        content, expected = fields["content"], fields["hash"]
        whole = hashed(content) == expected
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UserError(
            f"{where} is not what `siamlab study export` writes; name a file of its, or copy or "
            "export this one again"
        ) from None
    if not whole:
        raise UserError(
            f"{where} is damaged: its content is not that of its hash; copy or export it again"
        )
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = "".join(f"{step}: " for step in first["loc"])
        raise UserError(
            f"{where} is not of the form that this siamlab knows "
            f"({key}{first['msg'].removeprefix('Value error, ')}); export the trials again with "
            "this version of it"
        ) from None
