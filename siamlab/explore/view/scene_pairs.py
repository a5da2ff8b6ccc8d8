"""Scene pairs: two scenes of one object, as two views of it, so that true matches are known.

pairs = ScenePairs(images, most=40);  pairs.views((224, 224));  pairs.inside(grid)
"""

import torch
from jaxtyping import Bool
from torch import Tensor

from siamlab.crop import cut
from siamlab.data.images import Images, Objects, object_view, take
from siamlab.geometry import Grid, Size, View
from siamlab.probe.scenes import object_match


class ScenePairs:
    """Scenes 2k and 2k + 1, which show the same object elsewhere; at most `most` pairs."""

    def __init__(self, images: Images, most: int):
        last = min(2 * most, len(images.labels))
        self.a: Images = take(images, torch.arange(0, last, 2))
        self.b: Images = take(images, torch.arange(1, last, 2))

    def __len__(self) -> int:
        return len(self.a.labels)

    def views(self, size: Size) -> tuple[View, View]:
        """Both whole scenes of all pairs; their boxes are fractions of the object's frame."""
        return _whole(self.a, size), _whole(self.b, size)

    def inside(self, grid: Grid) -> Bool[Tensor, "n N"]:
        """Whether a patch's centre in the first scene is on the object, and shown by the second."""
        return object_match(self.a.masks, self.a.objects, self.b.objects, grid).inside

    def on(self, pair: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the same for every pixel of both scenes, in rows: "1" where a match is known."""
        a, b = (take(side, torch.tensor([pair])) for side in (self.a, self.b))
        return _rows(a, b.objects), _rows(b, a.objects)


def _whole(scenes: Images, size: Size) -> View:
    n = len(scenes.labels)
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(n, -1)
    image = cut(scenes.pixels, whole, torch.zeros(n, dtype=torch.bool), size).image
    return around(scenes.objects)._replace(image=image)


def around(objects: Objects) -> View:
    """Return the whole scenes as views of the frame of their first object, without pixels."""
    frame = object_view(objects)
    top, left, height, width = frame.box.unbind(dim=1)
    start = torch.where(frame.flip, left + width - 1, -left) / width  # where it is mirrored
    return frame._replace(box=torch.stack([-top / height, start, 1 / height, 1 / width], dim=1))


def _rows(scene: Images, other: Objects) -> tuple[str, ...]:
    height, width = scene.masks.shape[1:]
    inside = object_match(scene.masks, scene.objects, other, (height, width)).inside
    rows = inside.view(height, width).tolist()
    return tuple("".join("1" if known else "0" for known in row) for row in rows)
