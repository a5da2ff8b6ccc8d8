"""Crops: pairs of views of each image of a page whose true matches are known.

crops = Crops(photos, images, side);  crops.views           # View × 2, of len(crops) pairs
crops["3f2a…"]                                              # one of them, as a photograph
"""

from collections.abc import Iterable
from functools import cached_property

import torch
from torch import Generator, Tensor

from siamlab.data import Images, is_paired
from siamlab.explore.view.photos import Crop, Photo, Refused, photograph
from siamlab.explore.view.scene_pairs import ScenePairs
from siamlab.figure.image import to_bytes
from siamlab.geometry import Grid, Match, View, match_patches
from siamlab.probe.pairs import crop_pairs

SIDE = 224  # pixels of a crop, at least: smaller ones would be hard to see
DRAWS = 2  # pairs of each photograph
MOST_PHOTOS = 24
MOST_IMAGES = 40  # of the data set of the map, one pair each
SIDES = ("a", "b")


class Crops:
    """Two crops of each photograph and image, drawn as in the correspondence probe.

    Of scenes in pairs, the two that show one object take the place of crops. All are cut when they
    are first asked for.
    """

    def __init__(self, photos: Iterable[Photo], images: Images | None, side: int):
        shown = [photo for photo in list(photos)[:MOST_PHOTOS] for _ in range(DRAWS)]
        self._sources: list[tuple[str, Tensor]] = [(photo.name, photo.pixels) for photo in shown]
        self.scenes: ScenePairs | None = None
        if images is not None and is_paired(images) and len(images.masks):
            self.scenes = ScenePairs(images, MOST_IMAGES)
        elif images is not None:
            some = images.pixels[:MOST_IMAGES]
            self._sources += [(f"image {i}", torch.clone(pixels)) for i, pixels in enumerate(some)]
        self.side: int = max(SIDE, side)

    def __len__(self) -> int:
        return len(self._sources) + len(self.scenes or ())

    @cached_property
    def views(self) -> tuple[View, View]:
        """Both views of all pairs."""
        rng = Generator().manual_seed(0)
        size = (self.side, self.side)
        drawn = [next(crop_pairs(pixels[None], size, rng)) for _, pixels in self._sources]
        drawn += [self.scenes.views(size)] if self.scenes else []
        sides = zip(*drawn, strict=True)
        a, b = (View(*map(torch.cat, zip(*side, strict=True))) for side in sides)
        return a, b

    def match(self, grid: Grid) -> Match:
        """Where patches of the first views lie in the second; of scenes, those on the object."""
        match = match_patches(*self.views, grid)
        if self.scenes:
            match.inside[len(self._sources) :] = self.scenes.inside(grid)
        return match

    @cached_property
    def photos(self) -> list[tuple[Photo, Photo]]:
        """The same as photographs that know where they were cut."""
        made = [
            [self._photo(i, side, view) for i in range(len(self))]
            for side, view in zip(SIDES, self.views, strict=True)
        ]
        return list(zip(*made, strict=True))

    def __getitem__(self, id: str) -> Photo:
        """Return a crop. Raises Refused (404) if there is none of that id."""
        found = next((photo for pair in self.photos for photo in pair if photo.id == id), None)
        if found is None:
            raise Refused(f"this page has no crop {id}", 404)
        return found

    def source(self, pair: int) -> str:
        """The name of the image, or of both scenes, that a pair shows."""
        if pair < len(self._sources):
            return self._sources[pair][0]
        first = 2 * (pair - len(self._sources))
        return f"images {first} and {first + 1}"

    def _photo(self, pair: int, side: str, view: View) -> Photo:
        scene = pair - len(self._sources)
        word = "crop" if scene < 0 else "scene"
        photo = photograph(
            f"{self.source(pair)}, {word} {pair + 1}{side}", to_bytes(view.image[pair])
        )
        box = tuple(view.box[pair].tolist())
        on = self.scenes.on(scene)[SIDES.index(side)] if self.scenes and scene >= 0 else ()
        return photo._replace(crop=Crop(pair, box, bool(view.flip[pair]), on))
