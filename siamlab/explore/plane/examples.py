"""Examples of the values in a bar: pairs of views, images with a marked patch, or whole images.

panels = example_panels(model, "pairs", examples); images = example_images(model, "pairs", examples)
"""

from typing import NamedTuple

from jaxtyping import UInt8
from torch import Tensor

from siamlab.explore.answers import Change
from siamlab.explore.pair import LEGEND
from siamlab.explore.plane.measures import WHOLE, ModelOnImages
from siamlab.explore.scene import Mark, Panel
from siamlab.geometry import patch_centres

SHOWN = {"pairs": 3, "patches": 6, "images": 6}  # number of examples, by kind of measure
QUERY = ("query", "patch of this value")
LEGENDS: dict[str, list[tuple[str, str]]] = {
    "pairs": [QUERY, *LEGEND[1:3]],
    "patches": [QUERY],
    "images": [],
}


class Example(NamedTuple):
    """One value of a measure, and where it was measured."""

    image: int
    patch: int  # WHOLE for a value of the whole image
    value: float


def example_panels(model: ModelOnImages, kind: str, examples: list[Example]) -> list[Panel]:
    """Two panels per pair of views, one per image."""
    make = _pair if kind == "pairs" else _image
    return [panel for i, example in enumerate(examples) for panel in make(model, i, example)]


def example_images(
    model: ModelOnImages, kind: str, examples: list[Example]
) -> dict[str, UInt8[Tensor, "3 H W"]]:
    """The images that the panels name."""
    if kind != "pairs":
        return {f"image {each.image}": model.pair.pixels[each.image] for each in examples}
    images: dict[str, Tensor] = {}
    for each in examples:
        images |= model.at(each.image).images()
    return images


def _pair(model: ModelOnImages, number: int, example: Example) -> list[Panel]:
    pair = model.at(example.image).at(Change({}, ("a", example.patch)))
    _, a, b = pair.scene().panels
    shown = [mark for mark in b.marks if mark.kind != "next"]
    bare = dict(still=True, heat=None)
    title = f"Image {example.image}, view a"
    return [
        a._replace(id=f"{number} a", title=title, marks=_query(model, example), **bare),
        b._replace(id=f"{number} b", title=f"View b: {example.value:.3g}", marks=shown, **bare),
    ]


def _image(model: ModelOnImages, number: int, example: Example) -> list[Panel]:
    name = f"image {example.image}"
    title = f"Image {example.image}: {example.value:.3g}"
    marks = _query(model, example)
    return [Panel(f"{number} image", title, name, model.pair.grid, marks=marks, still=True)]


def _query(model: ModelOnImages, example: Example) -> list[Mark]:
    if example.patch == WHOLE:
        return []
    return [Mark(*patch_centres(model.pair.grid)[example.patch].tolist(), "query")]
