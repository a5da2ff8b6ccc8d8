"""One trial: train its run where it was left, probe it, hand back the numbers.

scores = trained_and_probed(run, folder, study, lines)
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from siamlab.component import UserError
from siamlab.data import subset
from siamlab.probe import probe_model, table
from siamlab.probing import about_data
from siamlab.progress import collapsed
from siamlab.run import Run
from siamlab.study.definition import Study
from siamlab.train import load_encoder, steps
from siamlab.train.folder import Folder, Line
from siamlab.train.setup import check_same

COLUMNS = ("probe", "value", "low", "high")  # what the storage keeps of each number
Heard = Callable[[Line], None]


def trained(run: Run, path: Path, heard: Heard = lambda line: None) -> Folder:
    """The finished folder of a run, gone on with from its checkpoint if it has one."""
    folder = Folder(path)
    if folder.run_file.exists():
        check_same(run, folder.run(), folder)
    if not folder.encoder.exists():
        for line in steps(run, path, resume=True):
            heard(line)
    return folder


def probed(run: Run, path: Path, study: Study) -> "polars.DataFrame":  # noqa: F821
    """The long table of one trained network; also in its folder, as scores.parquet."""
    train, test = run.data("train"), run.data("test")
    train = subset(train, min(study.images, len(train.pixels)))
    how = dict(suite=study.suite, about=about_data(run.data))
    scores = table({run.name: probe_model(load_encoder(path), train, test, **how)})
    scores.write_parquet(path / "scores.parquet")
    return scores


def kept(scores: "polars.DataFrame") -> list[dict[str, Any]]:  # noqa: F821
    """The rows of the whole network, as the storage keeps them."""
    rows = scores.filter(scores["layer"].is_null(), scores["head"].is_null())
    return rows.drop("model", "layer", "head", "settings").to_dicts()


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
