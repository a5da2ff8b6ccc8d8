"""Probing from the command line: models in, one table out, on the terminal and in a file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from siamlab.component import UserError
from siamlab.data import Data, Images, Scenes, subset
from siamlab.run import Run
from siamlab.subject import Subject, before_training, subject

if TYPE_CHECKING:
    import polars

WRITERS = {".parquet": "write_parquet", ".csv": "write_csv", ".json": "write_json"}


def probe_subjects(
    names: list[str], changes: list[str], weights: bool, images: int, out: str | None
) -> None:
    """Probe each model and its untrained network on the same images, and print the table.

    The images are those the first run was trained on, else scenes, unless `changes` says so.
    """
    if not names:
        raise UserError(
            "probe needs a model: a run's folder, an encoder file, zoo:NAME or timm:NAME"
        )
    check_out(out)
    subjects = [subject(name, weights) for name in names]
    data = probing_data([s.run for s in subjects if s.run], changes)
    train, test = data("train"), data("test")
    train = subset(train, min(images, len(train.pixels)))
    scores = probe_all(with_untrained(subjects) if weights else subjects, train, test)
    report(scores, data)
    for name, s in zip(names, subjects, strict=True):
        if Path(name).is_dir():
            own = scores.filter(
                scores["model"].is_in([s.name, "untrained", f"{s.name}, untrained"])
            )
            (Path(name) / "probes.json").write_text(json.dumps(own.to_dicts(), indent=1) + "\n")
    if out:
        getattr(scores, WRITERS[Path(out).suffix])(out)


def probe_all(subjects: list[Subject], train: Images, test: Images) -> "polars.DataFrame":
    """The long table of the scores of every model."""
    from siamlab.probe import probe_model, table

    return table({s.name: probe_model(s.model, train, test) for s in subjects})


def with_untrained(subjects: list[Subject]) -> list[Subject]:
    """Before each trained model the network it started from."""
    if len(subjects) == 1:
        return [before_training(subjects[0]), *subjects]
    return [each for s in subjects for each in (before_training(s, f"{s.name}, untrained"), s)]


def report(scores: "polars.DataFrame", data: Data) -> None:
    """The table on the terminal."""
    from siamlab.figure import terminal_table

    console = Console()
    console.print(f"probed on {data.kind}, {data.side} pixels a side", highlight=False)
    console.print(terminal_table(scores))


def probing_data(runs: list[Run], changes: list[str]) -> Data:
    """The images to probe on."""
    wrong = [c for c in changes if not c.startswith(("data=", "data."))]
    if wrong:
        raise UserError(f"probe takes data=... and data.key=value, not {wrong[0]!r}")
    base = runs[0] if runs else Run(data=Scenes())
    return base.change(*changes).data


def check_out(out: str | None) -> None:
    """Raises UserError, before any work, for a table that could not be written."""
    if out is None:
        return
    if Path(out).suffix not in WRITERS:
        raise UserError(f"--out {out} must end in {', '.join(WRITERS)}; try scores.parquet")
    if not Path(out).resolve().parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {Path(out).parent}; make it first")
