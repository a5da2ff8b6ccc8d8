"""Two scenes of one object: where do patches that show it in one scene lie in the other?

match = object_match(masks[0::2], first, second, grid)      # scenes 2k and 2k + 1
score = correspondence(patches[0::2], patches[1::2], match, grid, size)
"""

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.images import Objects, across
from siamlab.geometry import Grid, Match, patch_centres
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_pixels
from siamlab.probe.segmentation import VOID


@typed
def object_match(
    masks_a: UInt8[Tensor, "n H W"], objects_a: Objects, objects_b: Objects, grid: Grid
) -> Match:
    """Map patch centres on the first object of scenes `a` to their places in scenes `b`.

    `inside` is true where all pixels that the centre touches are on a region of the mask of `a`
    other than background (0) and void (255), and where the frame of no other object in `a` or `b`
    contains the place or ends within a pixel of it: it could be hidden there, or be that object.
    Row i of both must hold the same object in slot 0, the largest. Cost: n · N · O.
    """
    check_pixels("masks_a", masks_a, "n H W")
    _check(masks_a, objects_a, objects_b)
    centres = patch_centres(grid, objects_a.box.device).expand(len(masks_a), -1, -1)  # [n, N, 2]
    points = across(centres, objects_a, objects_b)
    shown = ((points >= 0) & (points <= 1)).all(dim=-1)
    pixel = 1 / min(masks_a.shape[1:])
    free = ~(_others(centres, objects_a, pixel) | _others(points, objects_b, pixel))
    on_object = _at_centres((masks_a > 0) & (masks_a != VOID), grid).to(shown.device)
    return Match(points, on_object & shown & free)


def _at_centres(on: Bool[Tensor, "n H W"], grid: Grid) -> Bool[Tensor, "n N"]:
    """Tell where all pixels that a patch's centre touches are on: one, or both next to an edge."""
    before, after = zip(*map(_pixels, grid, on.shape[1:]), strict=True)
    corners = [on[:, i[:, None], j] for i in (before[0], after[0]) for j in (before[1], after[1])]
    return torch.stack(corners).all(dim=0).flatten(1)


def _pixels(patches: int, side: int) -> tuple[Tensor, Tensor]:
    """The last pixel that begins before each centre, and the first that ends after it."""
    twice = (2 * torch.arange(patches) + 1) * side  # the centre, in 1 / (2 · patches) pixels
    return (twice - 1) // (2 * patches), twice // (2 * patches)


def _others(points: Float[Tensor, "n N 2"], objects: Objects, margin: float) -> Bool[Tensor, "n N"]:
    """Tell which points are in, or within `margin` of, the frame of any object but the first."""
    low = objects.box[:, None, 1:, :2] - margin  # [n, 1, O - 1, 2]
    high = objects.box[:, None, 1:, :2] + objects.box[:, None, 1:, 2:] + margin
    points = points[:, :, None]
    return ((points >= low) & (points <= high)).all(dim=-1).any(dim=-1)


def _check(masks: Tensor, a: Objects, b: Objects) -> None:
    n, slots = a.instance.shape
    if slots == 0 or not n == len(b.instance) == len(masks):
        raise UserError(
            f"objects_a has {n} scenes of {slots} objects, but must have one object or more in as "
            f"many scenes as objects_b ({len(b.instance)}) and masks_a ({len(masks)}): "
            "give scenes 2k and 2k + 1 of Scenes' test split"
        )
    if not torch.equal(a.instance[:, 0], b.instance[:, 0]):
        raise UserError(
            "objects_b.instance must be that of objects_a in slot 0, row by row: "
            "give scenes 2k and 2k + 1 of Scenes' test split"
        )
