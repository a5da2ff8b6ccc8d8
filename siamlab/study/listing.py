"""What studies there are, and how far they are."""

from pathlib import Path

import optuna
from optuna.trial import TrialState
from rich.console import Console
from rich.table import Table

from siamlab.study.storage import latest, open_storage


def print_studies(url: str, root: Path) -> None:
    """A row a study of the storage, or of every study's folder under `root`."""
    table = Table("study", "question", "done", "running", "waiting", "failed", "where")
    if url:
        places = {url: open_storage(url, root)}
    else:
        folders = sorted(file.parent for file in root.glob("*/journal.log"))
        places = {str(folder): open_storage("", folder) for folder in folders}
    for place, storage in places.items():
        for name in sorted(s.study_name for s in storage.get_all_studies()):
            study = optuna.load_study(study_name=name, storage=storage)
            states = [trial.state for trial in latest(study)]
            done = states.count(TrialState.COMPLETE) + states.count(TrialState.PRUNED)
            rest = (TrialState.RUNNING, TrialState.WAITING, TrialState.FAIL)
            counts = [str(done), *(str(states.count(s)) for s in rest)]
            question = study.user_attrs.get("about", {}).get("question", "not one of siamlab's")
            table.add_row(name, question, *counts, "" if url else place)
    if not table.rows:
        Console().print(f"no studies in {'the storage' if url else root} yet")
        return
    Console().print(table)
