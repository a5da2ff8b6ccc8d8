"""The command-line arguments of the releases' programs, which their checkpoints store.

args = arguments("SiameseIM", run, epoch_length(run, step, kept={}), kept={})
"""

from math import gcd, inf, isclose
from typing import Any

from siamlab.interop.training_checkpoint import Title
from siamlab.run import Run

IMAGENET = 1_281_167  # training images, by which epochs are counted if nothing else determines them
MODELS = {768: "base", 1024: "large", 1280: "huge"}  # by width
# argument of the program, key of a run, and words of the one for those of the other
SHARED: tuple[tuple[str, str, dict[Any, Any]], ...] = (
    ("weight_decay", "optimiser.decay", {}),
    ("seed", "seed", {}),
    ("accum_iter", "compute.accumulate", {}),
)
ROWS: dict[Title, tuple[tuple[str, str, dict[Any, Any]], ...]] = {
    "MAE": (
        *SHARED,
        ("norm_pix_loss", "target.normalise", {False: "none", True: "patch"}),
        ("mask_ratio", "masking.ratio", {}),
    ),
    "SiameseIM": (
        *SHARED,
        ("clip_grad", "optimiser.clip", {None: inf}),
        ("train_patch_embed", "model.stem", {False: "frozen", True: "learned"}),
        ("online_ln", "prediction.normalise", {False: "none", True: "layer"}),
        ("drop_path_rate", "model.drop_path", {}),
        ("init_values", "model.layer_scale", {None: 0.0}),
        ("neg_weight", "loss.weight", {}),
        ("mm", "target.start", {}),
        ("mmschedule", "target.schedule", {"const": "constant"}),
    ),
}


def epoch_length(run: Run, step: int, kept: dict[str, Any]) -> int:
    """Return the steps of an epoch, so that the run and its first `step` steps are whole epochs.

    As in the file that the run came from, or as on ImageNet; else as many as divide both.
    """
    epochs = kept.get("epochs")
    usual = [run.steps / epochs] if epochs else []
    fits = (n for n in (*usual, run_epoch(run)) if n >= 1 and not (run.steps % n or step % n))
    return int(next(fits, gcd(run.steps, step)))


def run_epoch(run: Run) -> int:
    """Return the steps in which a run sees as many images as ImageNet has."""
    return max(1, IMAGENET // run.batch)


def arguments(title: Title, run: Run, epoch: int, kept: dict[str, Any]) -> dict[str, Any]:
    """Return the program's arguments for a run whose epochs have that many steps.

    Those `kept` from a file stay where they agree.
    """
    found = {}
    for name, key, words in ROWS[title]:
        value = _at(run, key)
        found[name] = next((theirs for theirs, mine in words.items() if mine == value), value)
    total = total_batch(kept)
    if total != run.batch:
        found |= {"batch_size": run.batch // run.compute.accumulate, "world_size": 1}
    epochs, rate = run.steps // epoch, run.batch / 256
    found |= {
        "model": kept.get("model") or _model_name(title, run),
        "input_size": run.size[0],
        "epochs": epochs,
        "warmup_epochs": run.optimiser.warmup * epochs,
        "blr": run.optimiser.lr,
        "lr": run.optimiser.lr * rate,
        "min_lr": run.optimiser.least_lr * rate,
    }
    if title == "SiameseIM":
        found |= _siamese(run)
    return kept | {k: v for k, v in found.items() if k not in kept or not _same(kept[k], v)}


def _siamese(run: Run) -> dict[str, Any]:
    """Return the arguments that only the program of SiameseIM has."""
    head = run.prediction
    norm = head.norm if head.projector_norm == "same" else head.projector_norm
    crop = getattr(run.views, "crop", None)
    return {
        "loss_type": "sim",
        "use_abs_pos_emb": True,
        "decoder_embed_dim": head.width,
        "projector_depth": head.projector,
        "predictor_depth": head.depth,
        "use_proj_ln": norm == "layer",
        "use_pred_ln": head.norm == "layer",
        "beta2": run.optimiser.betas[1],
        "with_blockwise_mask": True,
        "blockwise_num_masking_patches": run.masking.hidden(run.grid),
    } | ({"crop_min": crop.area[0]} if crop else {})


def total_batch(args: dict[str, Any]) -> int:
    """Return the images of a step over all processes; 0 if the arguments do not determine them.

    Under some launchers the program does not learn the number of its processes; then the ratio of
    the two learning rates gives it.
    """
    unit = args.get("batch_size", 0) * args.get("accum_iter", 1)
    count = args.get("world_size", 1)
    if count == 1 and unit and args.get("lr") and args.get("blr"):
        by_rate = 256 * args["lr"] / args["blr"]
        if isclose(by_rate, round(by_rate), rel_tol=1e-6) and round(by_rate) % unit == 0:
            return round(by_rate)
    return unit * count


def _model_name(title: Title, run: Run) -> str:
    kind = "sim" if title == "SiameseIM" else "mae"
    size = MODELS.get(run.model.width, f"{run.model.width}x{run.model.depth}")
    return f"{kind}_vit_{size}_patch{run.model.patch}"


def _at(run: Run, key: str) -> Any:
    found: Any = run
    for part in key.split("."):
        found = getattr(found, part, None)
    return found


def _same(mine: Any, theirs: Any) -> bool:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (mine, theirs))
    return isclose(mine, theirs, rel_tol=1e-9) if numbers else mine == theirs
