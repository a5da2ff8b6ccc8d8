"""One trial: its run and folder, its training, resumed where needed, and its scores.

run = run_of_trial(study, trial, number)
images = study_images(run.data, study)
folder = train_trial(run, folder_of(out, run), images)
rows = network_rows(probe_trial(run, folder.path, study, images))
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from siamlab.component import UserError
from siamlab.data import sample
from siamlab.evaluate.models import open_model
from siamlab.machine.files import atomic, text_in
from siamlab.machine.sums import unsigned
from siamlab.probe import probe_model, table
from siamlab.run import Run
from siamlab.study.definition import Search, Study, parameters, slug_of
from siamlab.study.images import StudyImages
from siamlab.train import steps
from siamlab.train.collapse import collapse_warning
from siamlab.train.device import choose_device
from siamlab.train.events import Event
from siamlab.train.folder import RunFolder
from siamlab.train.resume import finished

if TYPE_CHECKING:
    import polars

OnEvent = Callable[[Event], None]
# facts about the machine that the numbers of a run may depend on
ENVIRONMENT = ("siamlab", "python", "packages", "processor", "cores", "threads", "gpu", "precision")


def run_of_trial(definition: Study, handle: optuna.Trial, number: int) -> Run:
    """Return the run of a trial, with all its parameters recorded by Optuna."""
    if isinstance(definition, Search):
        try:
            run = definition.suggest(handle)
        except UserError as error:  # an invalid combination of the space
            raise optuna.TrialPruned(str(error)) from None
        return run.change(name=f"trial-{number:03}", save_every=max(1, run.steps // 4))
    points = {point.label: point for point in definition.points()}
    for axis, labels in parameters(points.values()).items():
        handle.suggest_categorical(axis, labels)
    handle.suggest_categorical("seed", list(range(definition.seeds)))
    attrs = handle.user_attrs
    return points[attrs["point"]].run.change(f"seed={attrs['seed']}")


def folder_of(out: Path, run: Run) -> Path:
    """Return the folder of a run within the study's, such as runs/cosine-seed0."""
    return out / "runs" / f"{slug_of(run.name)}-seed{run.seed}"


def train_trial(
    run: Run, path: Path, images: StudyImages, on_event: OnEvent = lambda event: None
) -> RunFolder:
    """Train a run to its end, from its checkpoint if there is one, and return its folder."""
    folder = RunFolder(path)
    if not finished(run, folder):
        for event in steps(run, path, images.train, resume=True, test=images.test):
            on_event(event)
    return folder


def probe_trial(run: Run, path: Path, study: Study, images: StudyImages) -> "polars.DataFrame":
    """Return the long table of scores of a trained network; write it to its folder too."""
    train = run.data.evaluated(sample(images.train, study.images), "train")
    test = run.data.evaluated(images.test, "train" if study.held_out else "test")
    device = choose_device(run.compute)
    settings = dict(suite=study.suite, about=images.about, device=device, precision=study.precision)
    scores = table({run.name: probe_model(open_model(path).model, train, test, **settings)})
    with atomic(path / "scores.parquet") as draft, open(draft, "wb") as drafted:
        scores.write_parquet(drafted)
    return scores


def network_rows(scores: "polars.DataFrame") -> list[dict[str, Any]]:
    """Return the rows of the whole network, without those of layers and heads, for the storage."""
    rows = scores.filter(scores["layer"].is_null(), scores["head"].is_null())
    return rows.drop("model", "layer", "head", "settings").to_dicts()


def environment_of(folder: RunFolder) -> dict[str, Any]:
    """Return versions, processor, GPU and precision of a run; {} if its folder is not here."""
    try:
        environment = unsigned(json.loads(text_in(folder.environment)))
        compute = folder.run().compute.model_dump()
    except (OSError, ValueError):
        return {}
    return {k: environment[k] for k in ENVIRONMENT if k in environment} | {"compute": compute}


def failure_reason(error: BaseException) -> str:
    """Return one sentence on why a trial failed."""
    return str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"


def collapse_at_end(folder: RunFolder) -> str:
    """Describe the collapse that the last logged line shows; "" for a healthy run."""
    lines = folder.lines()
    return collapse_warning(lines[-1]) if lines else ""
