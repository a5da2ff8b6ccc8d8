"""A table of studies and their progress."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState
from rich.table import Table

from siamlab.component import UserError
from siamlab.machine.console import Console
from siamlab.machine.terminal import cell, say
from siamlab.study.claims import latest_attempts
from siamlab.study.storage import open_existing


def print_studies(url: str, root: Path) -> None:
    """Print one row per study of the storage, or of the studies' folders under `root`."""
    table = Table("study", "question", "done", "running", "waiting", "failed", "where")
    if url:
        places = {url: open_existing(url, root)}
    else:
        folders = sorted(file.parent for file in root.glob("*/journal.log"))
        places = dict(_opened(folders))
    for place, storage in places.items():
        for name in sorted(s.study_name for s in storage.get_all_studies()):
            study = optuna.load_study(study_name=name, storage=storage)
            states = [trial.state for trial in latest_attempts(study)]
            done = states.count(TrialState.COMPLETE) + states.count(TrialState.PRUNED)
            rest = (TrialState.RUNNING, TrialState.WAITING, TrialState.FAIL)
            counts = [str(done), *(str(states.count(s)) for s in rest)]
            question = study.user_attrs.get("about", {}).get("question", "not created by siamlab")
            table.add_row(cell(name), cell(question), *counts, "" if url else cell(place))
    if not table.rows:
        say(f"no studies in {'the storage' if url else root} yet")
        return
    Console().print(table)


def _opened(folders: Sequence[Path]) -> Iterator[tuple[str, BaseStorage]]:
    """Yield each folder with its journal, and print why another one is skipped."""
    for folder in folders:
        try:
            yield str(folder), open_existing("", folder)
        except UserError as why:
            say(f"skips {why}")
