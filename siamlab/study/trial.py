"""One trial: its run and folder, trained from where it was left, and its numbers.

run = run_of_trial(study, trial, number)
images = study_images(run.data, study)
folder = trained(run, folder_of(out, run), images)
rows = kept(probed(run, folder.path, study, images))
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import torch

from siamlab.component import UserError
from siamlab.data import subset
from siamlab.probe import probe_model, table
from siamlab.progress import collapsed
from siamlab.run import Run
from siamlab.study.definition import Search, Study, parameters
from siamlab.study.images import StudyImages
from siamlab.train import load_encoder, steps
from siamlab.train.folder import Folder, Line
from siamlab.train.setup import finished

Heard = Callable[[Line], None]
# of where a run was trained, what its numbers may depend on
TOLD = ("siamlab", "python", "packages", "processor", "cores", "threads", "gpu", "precision")


def run_of_trial(definition: Study, handle: optuna.Trial, number: int) -> Run:
    """The run of a trial; it asks Optuna for every parameter, so that they are on record."""
    if isinstance(definition, Search):
        try:
            run = definition.suggest(handle)
        except UserError as mistake:  # a point of the space that means nothing
            raise optuna.TrialPruned(str(mistake)) from None
        return run.change(name=f"trial-{number:03}", save_every=max(1, run.steps // 4))
    points = {point.label: point for point in definition.points()}
    for axis, labels in parameters(points.values()).items():
        handle.suggest_categorical(axis, labels)
    handle.suggest_categorical("seed", list(range(definition.seeds)))
    about = handle.user_attrs
    return points[about["point"]].run.change(f"seed={about['seed']}")


def folder_of(out: Path, run: Run) -> Path:
    """runs/cosine-seed0 in the study's folder."""
    slug = re.sub(r"[^A-Za-z0-9.+]+", "-", run.name).strip("-") or "run"
    return out / "runs" / f"{slug}-seed{run.seed}"


def trained(run: Run, path: Path, images: StudyImages, heard: Heard = lambda line: None) -> Folder:
    """The finished folder of a run, gone on with from its checkpoint if it has one."""
    folder = Folder(path)
    if not finished(run, folder):
        for line in steps(run, path, images.train, resume=True, test=images.test):
            heard(line)
    return folder


def probed(run: Run, path: Path, study: Study, images: StudyImages) -> "polars.DataFrame":  # noqa: F821
    """The long table of one trained network; also in its folder, as scores.parquet."""
    train = subset(images.train, min(study.images, len(images.train.pixels)))
    how = dict(suite=study.suite, about=images.about)
    scores = table({run.name: probe_model(load_encoder(path), train, images.test, **how)})
    scores.write_parquet(path / "scores.parquet")
    return scores


def kept(scores: "polars.DataFrame") -> list[dict[str, Any]]:  # noqa: F821
    """The rows of the whole network, as the storage keeps them."""
    rows = scores.filter(scores["layer"].is_null(), scores["head"].is_null())
    return rows.drop("model", "layer", "head", "settings").to_dicts()


def environment_of(folder: Folder) -> dict[str, Any]:
    """Versions, processor, GPU and precision of a run; {} if its folder is not here."""
    try:
        found = json.loads((folder.path / "environment.json").read_text())
        compute = folder.run().compute.model_dump()
    except (OSError, ValueError):
        return {}
    return {key: found[key] for key in TOLD if key in found} | {"compute": compute}


def reason(error: BaseException) -> str:
    """Why a trial failed, in a sentence."""
    short = isinstance(error, torch.OutOfMemoryError | MemoryError)
    if short or "out of memory" in str(error).lower():
        return "out of memory: lower batch, set compute.accumulate, or start fewer --workers"
    if isinstance(error, UserError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def last_words(folder: Folder) -> str:
    """What the last logged line says of collapse; "" for a healthy run."""
    lines = folder.lines()
    return collapsed(lines[-1]) if lines else ""
