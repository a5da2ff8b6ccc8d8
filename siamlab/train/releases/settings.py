"""Settings: the run whose checkpoint a file is, from its shapes and its program's arguments.

run, step = run_of(read_whole(path), path)
"""

from collections.abc import Mapping
from math import isclose, isqrt
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from siamlab.component import UserError
from siamlab.data import Folder
from siamlab.interop.resize import sine_table
from siamlab.interop.training_checkpoint import Title, Whole, count_blocks
from siamlab.interop.vit import HEADS
from siamlab.recipes import RECIPES
from siamlab.run import Run
from siamlab.train.releases.arguments import ROWS, run_epoch, total_batch

SIDE = 256  # of stored images, pixels: a little more than a view of 224
NAMES: dict[Title, str] = {"SiameseIM": "siameseim", "MAE": "mae"}  # of recipes


def run_of(whole: Whole, path: Path) -> tuple[Run, int]:
    """Return the run whose checkpoint a file is, and the step after which it was written.

    A setting that the file does not record is the recipe's. Raises UserError for settings and
    shapes that no run has.
    """
    shapes = [f"{key}={value}" for key, value in _shapes(whole, path).items()]
    try:
        run = RECIPES[NAMES[whole.title]](data=_data(whole)).change(*shapes)
        told = [f"{key}={value}" for key, value in _settings_from_args(whole).items()]
        return _length(whole, run.change(*told, *_masks(whole, run), *_rates(whole)))
    except UserError as mistake:
        raise UserError(f"{path} records settings that a run cannot have: {mistake}") from None
    except (TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise UserError(
            f"{path} records settings that are not numbers ({error}); copy the file again"
        ) from None


def _shapes(whole: Whole, path: Path) -> dict[str, Any]:
    """Return the settings that follow from the shapes of the weights."""
    tensors = whole.tensors
    try:
        width, _, patch, _ = tensors["patch_embed.proj.weight"].shape
        decoder = tensors["decoder_embed.weight"].shape[0]
        tables = {name: tensors[name] for name in ("pos_embed", "decoder_pos_embed")}
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{path} is incomplete: its {error} is missing or has another shape; copy it again"
        ) from None
    side = isqrt(max(0, tables["pos_embed"].shape[1] - 1))
    first = {_first(table, side, name, path) for name, table in tables.items()}
    found = {
        "size": side * patch, "model.width": width, "model.patch": patch,
        "model.heads": HEADS.get(width, max(1, width // 64)),
        "model.depth": count_blocks(tensors, "blocks"), "model.class_std": 0.02,
        "prediction.width": decoder, "prediction.heads": 16, "optimiser.tokens": "decay",
    }  # fmt: skip
    if whole.title == "MAE":
        depth = count_blocks(tensors, "decoder_blocks")
        return found | {"prediction.depth": depth, "positions.first": _one(first, path)}
    if _one(first, path) != "row":
        raise UserError(
            f"{path} has tables of sines with the column first, but those of SiameseIM have the "
            "row first; name the file that its own program wrote"
        )
    return found | _shapes_of_siameseim(tensors)


def _shapes_of_siameseim(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the settings of its predictor and projector."""
    projector = count_blocks(tensors, "projector_decoder_blocks")
    norms = {False: "layer", True: "batch"}
    predictor_batch = "predictor_decoder_blocks.0.norm1.bn.weight" in tensors
    projector_batch = "projector_decoder_blocks.0.norm1.bn.weight" in tensors
    return {
        "prediction.depth": count_blocks(tensors, "predictor_decoder_blocks"),
        "prediction.projector": projector,
        "prediction.linear": "auto" if projector else "projector",
        "prediction.norm": norms[predictor_batch],
        "prediction.projector_norm": (
            norms[projector_batch] if projector and projector_batch != predictor_batch else "same"
        ),
        "prediction.batch_epsilon": 1e-5,
        "prediction.normalise": "layer" if "student_norm.weight" in tensors else "none",
        "model.layer_scale": 1e-5 if "blocks.0.ls1.gamma" in tensors else 0.0,
    }


def _settings_from_args(whole: Whole) -> dict[str, Any]:
    """Return the settings that arguments contain as they are."""
    found = {}
    for name, key, words in ROWS[whole.title]:
        if name in whole.args:
            value = whole.args[name]
            found[key] = words.get(value, value)
    return found


def _masks(whole: Whole, run: Run) -> list[str]:
    """Return the settings of masks and crops, whose numbers the programs count in another way."""
    patches = run.grid[0] * run.grid[1]
    if whole.title == "MAE":  # keeps the whole part of what is seen
        hidden = patches - int(patches * (1 - run.masking.ratio))
    else:
        hidden = whole.args.get("blockwise_num_masking_patches", run.masking.hidden(run.grid))
    words = [] if run.masking.hidden(run.grid) == hidden else [f"masking.ratio={hidden / patches}"]
    if whole.title == "SiameseIM":
        words += [f"masking.smallest={min(1.0, 16 / patches)}"]
        if "crop_min" in whole.args:
            words += [f"views.crop.area=[{whole.args['crop_min']}, 1.0]"]
    return words


def _rates(whole: Whole) -> list[str]:
    """Return batch, learning rates, warm-up and means of the optimiser."""
    args, words = whole.args, []
    batch = total_batch(args)
    if batch:
        words += [f"batch={batch}"]
        rate = args.get("lr") or args.get("blr", 0) * batch / 256
        given = args.get("blr") or 0
        peak = given if isclose(given * batch / 256, rate) else rate * 256 / batch
        words += [f"optimiser.lr={peak:.12g}"] if peak else []
        words += (
            [f"optimiser.least_lr={args['min_lr'] * 256 / batch:.12g}"] if "min_lr" in args else []
        )
    if args.get("epochs") and "warmup_epochs" in args:
        words += [f"optimiser.warmup={args['warmup_epochs'] / args['epochs']:.12g}"]
    if "beta2" in args:
        words += [f"optimiser.betas=[0.9, {args['beta2']}]"]
    return words


def _length(whole: Whole, run: Run) -> tuple[Run, int]:
    """Return the run with its number of steps, and the steps that are done.

    An epoch has the steps that AdamW counted in those that are done, or ImageNet's.
    """
    epochs, epoch = whole.args.get("epochs"), whole.epoch
    done = None if epoch is None else epoch + 1
    per_epoch = run_epoch(run)
    if done and (counted := _updates(whole)):
        per_epoch = max(1, round(counted / done))
    if epochs:
        run = run.change(f"steps={max(epochs, done or 0) * per_epoch}")
    return run, min(run.steps, run.steps if done is None else done * per_epoch)


def _updates(whole: Whole) -> int:
    """Return how often AdamW changed the weights; 0 if the file does not record it."""
    state = (whole.optimiser or {}).get("state") or {}
    steps = [float(values["step"]) for values in state.values() if "step" in values]
    return int(max(steps, default=0))


def _data(whole: Whole) -> Any:
    """Return ImageNet's folders where the program found them, or the recipe's own images."""
    path = whole.args.get("data_path")
    if not path:
        return Run().data
    return Folder(path=f"{path}/train", test_path=f"{path}/val", side=SIDE)


def _first(table: Float[Tensor, "1 N D"], side: int, name: str, path: Path) -> str:
    """Return which coordinate a table of sines has first; raises UserError for another table."""
    for first, order in (("row", (0, 1)), ("column", (1, 0))):
        expected = sine_table((side, side), table.shape[-1], order)
        if expected.shape == table[0, 1:].shape and not table[0, 0].any():
            if torch.allclose(table[0, 1:].double(), expected, atol=1e-4):
                return first
    raise UserError(
        f"{path} has a {name} that is not a table of sines of a square grid, so its positions were "
        "learned, in this run or in weights it began from, and siamlab cannot continue it; start a "
        f"new run from it: model.init={path}"
    )


def _one(first: set[str], path: Path) -> str:
    if len(first) > 1:
        raise UserError(
            f"{path} has the row first in one table of sines and the column in the other, so it is "
            "a mixture of two files; copy it again"
        )
    return next(iter(first))
