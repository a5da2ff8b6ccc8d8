"""Attach one worker on this machine to a study that others may work on too.

attach_study("studies/loss_form.py", [], None, url, ROOT, 0)     # returns the exit status
attach_study(None, [], None, "postgresql://host/db", ROOT, 0)    # every study of the storage
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from siamlab.component import UserError
from siamlab.machine.console import Console
from siamlab.machine.terminal import say
from siamlab.study.assignments import assign
from siamlab.study.claims import latest_attempts
from siamlab.study.definition import Study
from siamlab.study.description import check_same, check_versions, describe
from siamlab.study.file import load
from siamlab.study.plan import open_study, stored_definition
from siamlab.study.storage import check_url, open_existing, open_storage
from siamlab.study.worker import patiently, work
from siamlab.train import Stopped


def attach_study(
    file: str | None, words: Sequence[str], out: Path | None, url: str, root: Path, threads: int
) -> int:
    """Work until no trial is left; return the exit status.

    130: stopped before, 1: there was no study, or every trial of one failed.

    Without a file, work on every study whose definition is in the storage, and print why the
    others are skipped. Checkpoints go to `out`, by default a folder of `root` with the study's
    name.
    """
    if not file and not url and not out:
        raise UserError(
            "worker needs a study's file, such as studies/loss_form.py, or --storage (or --out) of "
            "a study that was started elsewhere"
        )
    statuses = []
    try:
        for study, storage, definition in _studies(file, words, out, url, root):
            say(f"works on {study.study_name}")
            work(definition, study, storage, out or root / study.study_name, threads)
            statuses.append(_status(study))
    except (Stopped, KeyboardInterrupt):
        Console().print("Stopped. Another worker can resume its trial from the checkpoint.")
        return 130
    return max(statuses, default=1)


def _status(study: optuna.Study) -> int:
    """Return 1 and say so if every trial failed, else 0."""
    failed = [trial for trial in latest_attempts(study) if trial.state == TrialState.FAIL]
    if not failed or len(failed) < len(latest_attempts(study)):
        return 0
    why = failed[0].user_attrs.get("reason", "no reason is known")
    sentence = f"every trial of {study.study_name} failed, the first because: {why}"
    say(sentence)
    return 1


def _studies(
    file: str | None, words: Sequence[str], out: Path | None, url: str, root: Path
) -> Iterator[tuple[optuna.Study, BaseStorage, Study]]:
    if file:
        name, definition = load(file, words)
        check_url(url)
        describe(definition)  # before anything is made: it raises what refuses the study
        storage = open_storage(url, out or root / name)
        yield patiently(lambda: open_study(definition, name, storage)), storage, definition
        return
    storage = open_existing(url, out or root)
    names = sorted(s.study_name for s in storage.get_all_studies())
    if not names:
        raise UserError(
            f"the storage {url or out} has no study yet; `siamlab study run` creates one"
        )
    for name in names:
        study = optuna.load_study(study_name=name, storage=storage)
        try:
            definition = assign(stored_definition(study), words)
            check_same(study, describe(definition))
            check_versions(study)
        except UserError as why:
            say(f"skips {name}: {why}")
            continue
        yield study, storage, definition
