"""One worker here, for a study that others may work on too.

join_study("studies/loss_form.py", [], None, url, ROOT, 0)     # the exit status
join_study(None, [], None, "postgresql://host/db", ROOT, 0)    # whatever waits in the storage
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import optuna
from optuna.storages import BaseStorage
from rich.console import Console

from siamlab.component import UserError
from siamlab.study.definition import Study, scaled
from siamlab.study.file import load
from siamlab.study.plan import check_same, check_versions, described, opened, stored
from siamlab.study.storage import existing_storage, open_storage
from siamlab.study.worker import work
from siamlab.train import Stopped


def join_study(
    file: str | None, words: Sequence[str], out: Path | None, url: str, root: Path, threads: int
) -> int:
    """Work until nothing is left; 130 when stopped before, 1 when there was no study to work on.

    Without a file, on every study of the storage that needs none: definitions are kept in it. Of
    the others it says why they are skipped.
    Checkpoints go to `out`, or else to a folder of `root` called after the study.
    """
    if not file and not url and not out:
        raise UserError(
            "worker needs a study's file, as studies/loss_form.py, or --storage (or --out) of a "
            "study that was started elsewhere"
        )
    status = 1
    try:
        for study, storage, definition in _joined(file, words, out, url, root):
            status = 0
            Console().print(f"works on {study.study_name}", highlight=False)
            work(definition, study, storage, out or root / study.study_name, threads)
    except (Stopped, KeyboardInterrupt):
        Console().print("Stopped. Its trial waits for another worker, with its checkpoint.")
        return 130
    return status


def _joined(
    file: str | None, words: Sequence[str], out: Path | None, url: str, root: Path
) -> Iterator[tuple[optuna.Study, BaseStorage, Study]]:
    if file:
        name, definition = load(file, words)
        storage = open_storage(url, out or root / name)
        yield opened(definition, name, storage), storage, definition
        return
    storage = existing_storage(url, out or root)
    names = sorted(s.study_name for s in storage.get_all_studies())
    if not names:
        raise UserError(f"the storage {url or out} has no study yet; `siamlab study run` makes one")
    for name in names:
        study = optuna.load_study(study_name=name, storage=storage)
        try:
            definition = scaled(stored(study), list(words))
            check_same(study, described(definition))
            check_versions(study)
        except UserError as why:
            Console().print(f"skips {name}: {why}", markup=False, highlight=False, soft_wrap=True)
            continue
        yield study, storage, definition
