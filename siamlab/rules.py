"""Rules across axes: what would make a run meaningless, told in a sentence that names the way out.

for rule in RULES: problem = rule(run)      # a sentence, or None
"""

from typing import TYPE_CHECKING

from siamlab.model.prediction import Both, DenseDecoder, GlobalHead, LinearHead
from siamlab.target import Pixels
from siamlab.views import SameCrop

if TYPE_CHECKING:
    from siamlab.run import Run

FRAMES = ("same", "recoloured")  # pairings whose two views show the same crop


def _sizes_fit(run: "Run") -> str | None:
    patch = run.model.patch
    for side in run.size:
        if side % patch or side < patch:
            low = side // patch * patch
            near = " or ".join(str(s) for s in (low, low + patch) if s)
            return (
                f"size={list(run.size)} must be a multiple of model.patch={patch} on both sides; "
                f"nearest to {side}: {near}"
            )
    widths = [("model", run.model)]
    if isinstance(run.prediction, DenseDecoder):
        widths.append(("prediction", run.prediction))
    if isinstance(run.prediction, Both):
        widths.append(("prediction.dense", run.prediction.dense))
    for key, part in widths:
        if part.width % 4 or part.width % part.heads:
            return (
                f"{key}.width={part.width} must be a multiple of 4 and of {key}.heads={part.heads};"
                f" set {key}.width or {key}.heads"
            )
    return None


def _mask_asks(run: "Run") -> str | None:
    ratio = getattr(run.masking, "ratio", 0.0)
    patches = run.grid[0] * run.grid[1]
    hidden = round(ratio * patches)
    if hidden == patches:
        return (
            f"masking.ratio={ratio} hides all {patches} patches, so nothing is seen; "
            f"set it to at most {(patches - 1) / patches:.3f}, or size to a larger view"
        )
    if getattr(run.masking, "predict", "all") == "hidden" and hidden == 0:
        return (
            f"masking.ratio={ratio} hides none of {patches} patches and masking.predict=hidden "
            "asks only for those; raise masking.ratio or set masking.predict=all"
        )
    return None


def _frames_agree(run: "Run") -> str | None:
    same = isinstance(run.views, SameCrop)
    if getattr(run.masking, "predict", "all") == "hidden" and run.views.kind not in FRAMES:
        return (
            f"masking.predict=hidden asks for the hidden patches of the same crop, but views="
            f"{run.views.kind} shows another one; set views=same or masking.predict=all"
        )
    if isinstance(run.prediction, LinearHead) and run.views.kind not in FRAMES:
        return (
            f"prediction=linear reads patches off the context's own grid, but views="
            f"{run.views.kind} shows another crop; set views=same or prediction=dense"
        )
    if same and run.roles == "both":
        return (
            "roles=both trains views=same twice on the same thing; "
            "set roles=fixed or views=recoloured"
        )
    return None


def _heads_fit(run: "Run") -> str | None:
    if isinstance(run.target, Pixels) and isinstance(run.prediction, GlobalHead | Both):
        return (
            f"target=pixels has a goal for each patch, but prediction={run.prediction.kind} "
            "predicts one vector an image; set prediction=dense or target=momentum"
        )
    head = getattr(run.prediction, "image", run.prediction)
    if getattr(head, "pool", "") == "class" and not run.model.class_token:
        return (
            f"prediction pool=class needs a class token, which model={run.model.name} has not; "
            "set pool=mean or another model"
        )
    return None


def batch_divides(run: "Run", processes: int = 1) -> str | None:
    """What is wrong with a batch's parts: unequal, or of one image, which has no statistics."""
    parts = run.compute.accumulate * processes
    if run.batch % parts or run.batch < 2 * parts:
        each = f" in each of {processes} processes" if processes > 1 else ""
        return (
            f"batch={run.batch} is cut into compute.accumulate={run.compute.accumulate} parts"
            f"{each}, which must be equal and of 2 images or more; set batch to a multiple of "
            f"{parts} from {2 * parts} on, or make fewer parts"
        )
    return None


RULES = (_sizes_fit, _mask_asks, _frames_agree, _heads_fit, batch_divides)
