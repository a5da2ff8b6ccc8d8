"""Equivariance: when the image moves, do the features move with it?

for move in moves(images, size, patch):             # the same image twice, in real pixels
    still, moved = patches(move.base), patches(move.moved)      # of a model
    expected, inside = warped(still, move.base, move.moved, grid)
    score = equivariance_error(moved, expected, inside)
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.crop import cut
from siamlab.geometry import Grid, Size, View, match_patches
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_alike, check_patches, check_pixels, check_places
from siamlab.probe.score import Groups, Score, bootstrap, ratio

SHIFTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # patches
ZOOMS = (1.0, 1.25, 1.5, 2.0)
EDGE = 1e-5  # of the view; a place on the outermost centres counts, however it was rounded
FLOOR = 1e-12  # share of the squares that is added to the variance: equal features have no error


class Move(NamedTuple):
    name: Literal["shift", "zoom", "flip"]
    amount: float  # pixels of the view to the right; magnification; 1 mirrored
    base: View  # the same in every move, so that its features are needed once
    moved: View


class Warped(NamedTuple):
    """The features of a view, moved to another view of the same images."""

    patches: Float[Tensor, "n N D"]
    inside: Bool[Tensor, "n N"]  # between the patch centres of the first view


@typed
def equivariance_error(
    moved: Float[Tensor, "n M D"],
    expected: Float[Tensor, "n M D"],
    inside: Bool[Tensor, "n M"],
    groups: Groups = None,
) -> Score:
    """Mean squared distance of features from their expected place, relative to unrelated features.

    ‖f(T x) − T f(x)‖² over the places inside, divided by twice the total variance of the features
    there, moved and expected ones together: the distance of two random ones. 0..2, lower is better:
    0 the features move with the image (T the identity), 1 unrelated (chance), 2 opposite. Features
    that are the same everywhere have 0: read it together with a probe on which they fail. Unchanged
    when features are rotated, shifted or scaled. Cost: n · M · D.
    """
    for name, x in (("moved", moved), ("expected", expected)):
        check_patches(name, x)
    check_alike("moved", moved, "expected", expected, "give the same places of the same images")
    check_places("inside", inside, moved)
    if not inside.any():
        raise UserError("inside has no place: the views do not overlap; give moves that overlap")
    weight = inside[..., None].double()  # [n, M, 1]
    a, b = moved.double(), expected.double()
    mean = ((a + b) * weight).sum(dim=(0, 1)) / (2 * weight.sum())  # [D]
    error, *spread = (
        (x.square() * weight).sum(dim=(1, 2)) for x in (a - b, a - mean, b - mean, a, b)
    )
    floor = FLOOR * (spread[2] + spread[3]) + torch.finfo(torch.double).tiny
    apart = spread[0] + spread[1] + floor
    terms = torch.stack([error, apart], dim=1)
    return bootstrap(terms, ratio, 1.0, 0.0, "share of unrelated features'", "lower", groups)


@typed
def warped(patches: Float[Tensor, "n N D"], view_from: View, view_to: View, grid: Grid) -> Warped:
    """T f(x): the feature map of one view read at the patch centres of the other, bilinearly."""
    check_patches("patches", patches, grid)
    to, start = (view._replace(box=view.box.to(patches.device), flip=view.flip.to(patches.device))
                 for view in (view_to, view_from))  # fmt: skip
    points = match_patches(to, start, grid).points  # [n, N, 2], fractions of view_from
    places = (2 * points - 1).flip(-1)[:, :, None].to(patches.dtype)  # [n, N, 1, (x, y)], −1..1
    maps = patches.mT.unflatten(2, grid)  # [n, D, rows, columns]
    read = F.grid_sample(maps, places, padding_mode="border", align_corners=False)  # [n, D, N, 1]
    reach = 0.5 - 0.5 / points.new_tensor(grid) + EDGE
    return Warped(read[..., 0].mT, ((points - 0.5).abs() <= reach).all(dim=-1))


@typed
def moves(images: UInt8[Tensor, "n 3 H W"], size: Size, patch: int) -> Iterator[Move]:
    """Yield views of the images, still and moved: shifts right by 0..`patch` pixels, zooms, a flip.

    Views have `size` pixels and are cut from the same source, so that no pixels are made up. The
    base view is the central part that leaves room for a patch on either side.
    """
    check_pixels("images", images, "n 3 H W")
    if not 1 <= patch <= min(size):
        raise UserError(f"patch={patch} must be from 1 to the sides of size={size}, in pixels")
    return _moves(images, size, patch)


def _moves(images: UInt8[Tensor, "n 3 H W"], size: Grid, patch: int) -> Iterator[Move]:
    extent = 1 / (1 + 2 * patch / min(size))  # of the base view, fraction of the source

    def view(right: float = 0.0, zoom: float = 1.0, flip: bool = False) -> View:
        """The base view with its box moved right (by a share of the view), shrunk, or mirrored."""
        side = extent / zoom
        box = torch.tensor([(1 - side) / 2, (1 - side) / 2 + right * extent, side, side])
        box = box.to(images.device).expand(len(images), 4)
        return cut(images, box, torch.full_like(box[:, 0], flip, dtype=torch.bool), size)

    base = view()
    for share in SHIFTS:
        yield Move("shift", share * patch, base, view(right=share * patch / size[1]))
    for zoom in ZOOMS:
        yield Move("zoom", zoom, base, view(zoom=zoom))
    yield Move("flip", 1.0, base, view(flip=True))
