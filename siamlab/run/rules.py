"""Rules across axes: what makes a run meaningless, in one sentence that names the way out.

problem = sizes_fit(run.size, run.model, run.prediction)      # a sentence, or None

A rule is a function of the choices that it judges. It asks only what they declare, so that a
user's own choice is judged like siamlab's; kinds and field names serve only for the wording.
"""

from inspect import isabstract
from typing import Literal

from siamlab.component import Component
from siamlab.geometry import MOST_PATCHES, Grid
from siamlab.masking import MaskingChoice
from siamlab.model.backbone import BackboneChoice
from siamlab.model.prediction import PredictionChoice
from siamlab.target import TargetChoice
from siamlab.views import ViewsChoice

Problem = str | None


def sizes_fit(size: Grid, model: BackboneChoice, prediction: PredictionChoice) -> Problem:
    """Views must be whole patches, not too many, and widths must fit heads and embeddings."""
    patch = model.patch
    for side in size:
        if side % patch or side < patch:
            low = side // patch * patch
            near = " or ".join(str(s) for s in (low, low + patch) if s)
            return (
                f"size={list(size)} must be a multiple of model.patch={patch} on both sides; "
                f"nearest to {side}: {near}"
            )
    rows, columns = (side // patch for side in size)
    if rows * columns > MOST_PATCHES:
        return (
            f"size={list(size)} with model.patch={patch} makes {rows:,} × {columns:,} patches, "
            f"{rows * columns:,} in all; at most {MOST_PATCHES:,} are allowed: lower size, or "
            "raise model.patch"
        )
    blocks = [(_key(part.field), part.head) for part in prediction.parts if part.head.has_blocks]
    for key, part in [("model", model), *blocks]:
        if part.width % 4 or part.width % part.heads:
            return (
                f"{key}.width={part.width} must be a multiple of 4 and of {key}.heads={part.heads};"
                f" set {key}.width or {key}.heads"
            )
    return None


def mask_asks(masking: MaskingChoice, grid: Grid) -> Problem:
    """A mask must leave something to see and ask for something."""
    patches = grid[0] * grid[1]
    ratio, predict = (_setting("masking", masking, name) for name in ("ratio", "predict"))
    if masking.hidden(grid) >= patches:
        return (
            f"{ratio} hides all {patches} patches, so nothing is seen; let it hide at most "
            f"{patches - 1} of them ({(patches - 1) / patches:.3f}), or set size to a larger view"
        )
    if masking.predicts(grid) == "none":
        return (
            f"{' with '.join(dict.fromkeys([ratio, predict]))} predicts none of {patches} patches; "
            "let it hide more patches, or predict all (masking=none does)"
        )
    return None


def frames_agree(
    views: ViewsChoice,
    roles: Literal["fixed", "both"],
    masking: MaskingChoice,
    prediction: PredictionChoice,
    grid: Grid,
) -> Problem:
    """Masks and heads that refer to the context's own patches need views of one crop."""
    one_crop, declare = views.shares != "image", _declare(views, "shares")
    if not one_crop and masking.predicts(grid) == "hidden":
        predict = _setting("masking", masking, "predict")
        return (
            f"{predict} predicts only the patches hidden in the context's crop, but "
            f"views={views.kind} shows two crops; set views=same{declare}, or predict all patches "
            "(masking.predict=all)"
        )
    if not one_crop and any(part.head.in_context for part in prediction.parts):
        return (
            f"prediction={prediction.kind} reads patches off the context's own grid, but "
            f"views={views.kind} shows two crops; set views=same{declare}, or prediction=dense"
        )
    if views.shares == "pixels" and roles == "both":
        return (
            f"roles=both trains twice on the same pair, since both views of views={views.kind} are "
            "the same; set roles=fixed or views=recoloured"
        )
    return None


def heads_fit(target: TargetChoice, prediction: PredictionChoice, model: BackboneChoice) -> Problem:
    """Every head needs goals of its kind, and the tokens that it reads."""
    for part in prediction.parts:
        if part.head.per not in target.per:
            return (
                f"target={target.kind} has goals per {' and per '.join(target.per)} only, but "
                f"prediction={prediction.kind} predicts one vector per {part.head.per}; set "
                f"prediction={_HEADS[target.per[0]]} or target=momentum{_declare(target, 'per')}"
            )
        if part.head.reads != "patches" and not model.class_token:
            key = _key(part.field)
            way = (
                f"{key}.pool=mean" if "pool" in type(part.head).model_fields else "prediction=dense"
            )
            return (
                f"{_setting(key, part.head, 'pool')} reads the class token, which "
                f"model={getattr(model, 'name', model.kind)} does not have; set {way} or another "
                f"model{_declare(part.head, 'reads')}{_declare(model, 'class_token')}"
            )
    return None


def batch_divides(batch: int, accumulate: int, processes: int = 1) -> Problem:
    """The parts of a batch must be equal, and of two images for statistics."""
    parts = accumulate * processes
    if batch % parts or batch < 2 * parts:
        each = f" in each of {processes} processes" if processes > 1 else ""
        return (
            f"batch={batch} is split into compute.accumulate={accumulate} parts{each}, which must "
            f"be equal and hold at least 2 images; set batch to a multiple of {parts} from "
            f"{2 * parts} on, or make fewer parts"
        )
    return None


def rate_falls(lr: float, least_lr: float) -> Problem:
    """The least learning rate must not be above the peak."""
    if least_lr > lr:
        return (
            f"optimiser.least_lr={least_lr} must not be above the peak, optimiser.lr={lr}; lower "
            "the one or raise the other"
        )
    return None


_HEADS = {"patch": "dense", "image": "global"}  # a prediction per patch, per image


def _key(field: str) -> str:
    return f"prediction.{field}" if field else "prediction"


def _setting(key: str, choice: Component, field: str) -> str:
    """Return `masking.ratio=0.6` for a choice with that field, `masking=mine` for another."""
    if field in type(choice).model_fields:
        return f"{key}.{field}={getattr(choice, field)}"
    return f"{key}={choice.kind}"


def _declare(choice: Component, name: str) -> str:
    """Return the way out for a class that leaves `name` at the default of its abstract base."""
    owner = next(cls for cls in type(choice).__mro__ if name in vars(cls))
    return f", or declare {type(choice).__name__}.{name}" if isabstract(owner) else ""
