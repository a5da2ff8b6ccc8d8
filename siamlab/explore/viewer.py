"""Viewer: the page of `siamlab view` in a cell of a notebook.

viewer = Viewer(["zoo:siameseim", "zoo:mae"]);  viewer.select("zoo:mae", 17);  viewer.state
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor, nn

from siamlab.component import UserError, unknown
from siamlab.data.images import Images
from siamlab.evaluate.images import pixels_to_show
from siamlab.evaluate.models import ModelLike, NamedModel, distinct, open_model
from siamlab.explore.draw import as_output, kind_of_picture, png, svg, write_picture
from siamlab.explore.scene import Control, whole_number
from siamlab.explore.view.encoders import Encoders
from siamlab.explore.view.inside import inside
from siamlab.explore.view.photos import MOST_PHOTOS, Album, Photo, opened, photograph, shipped
from siamlab.explore.view.rules import Rules
from siamlab.machine.arguments import typed

FIRST = ("show", "photo", "beside", "from", "heads")  # what the other settings depend on
Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class Viewer:
    """Similarity, components, segments and attention of photographs, in every model at once.

    The pointer is answered in the browser; features are computed once for each photograph. The
    state is the link of the page, which Python and all displays share.
    """

    @typed
    def __init__(
        self,
        models: ModelLike | Sequence[ModelLike] = ("zoo:siameseim", "zoo:mae", "zoo:moco_v3"),
        photos: Paths | Images | UInt8[Tensor, "n 3 H W"] | None = None,
        size: int | None = None,
        device: str | torch.device = "auto",
    ):
        """Open models and photographs: files and folders, images, or (None) those that ship.

        `size` is the side of every model's input in pixels; without it, models may differ.
        Raises UserError as `open_model` does, and for a file that is not a photograph.
        """
        self.models: list[NamedModel] = _opened(models, size, device)
        self.album: Album = Album(_photos(photos))
        self.link: str = ""
        app = inside(Encoders(self.models), self.album)
        self.rules: Rules = Rules(app)
        self._widget: Any = None

    def set(self, **values: Any) -> "Viewer":
        """Set what is shown, by the names of `state`: show, photo, beside, layer, k, from_, …

        `from_` is *attention of the*, as `from` is a word of Python. Raises UserError for an
        unknown setting, one that what is shown does not have, or a value that it cannot take.
        """
        named = {name.rstrip("_"): value for name, value in values.items()}
        link = self.link
        for name in sorted(named, key=lambda name: FIRST.index(name) if name in FIRST else 9):
            controls = self._controls(link)
            if name not in controls:
                raise UserError(unknown("setting", name, controls))
            link = self.rules("withSetting", link, name, controls[name].checked(named[name]))
        return self._enter(link)

    def select(self, view: str, patch: int) -> "Viewer":
        """Pin a patch (row by row from 0) in the panel of a model, as a click does.

        With two photographs, the panel shows them side by side, and has twice the columns.
        Raises UserError if there is no such panel or patch.
        """
        panels, view = self.rules("panels", self.link), str(view)
        if not panels:
            show = self._controls(self.link)["show"].value
            raise UserError(f"show={show!r} has no patches to select; set show='similarity' first")
        if view not in panels:
            raise UserError(unknown("view", view, panels))
        (rows, columns), number = panels[view], whole_number(patch)
        if number is None or not 0 <= number < rows * columns:
            raise UserError(
                f"patch={patch!r} must be a whole number from 0 to {rows * columns - 1}: {view} "
                f"has {rows} × {columns} patches"
            )
        return self._enter(self.rules("selected", self.link, view, number))

    @property
    def state(self) -> dict[str, Any]:
        """The settings by name, and the pinned patch in the view of the first model; None without.

        It is the patch that `select(view, patch)` takes.
        """
        values = {name: control.value for name, control in self._controls(self.link).items()}
        view, patch = self.rules("pinned", self.link)
        return values | {"view": view, "patch": patch}

    def scene(self) -> dict[str, Any]:
        """Return what is shown as the page computes it: panels with values or colours, a text."""
        return self.rules.scene(self.link)

    @typed
    def snapshot(self, path: str | Path | None = None) -> bytes:
        """Return a PNG of what is shown, or SVG for a path that ends in it; needs no browser.

        Writes it to `path` if given.
        """
        kind = kind_of_picture(path)
        drawn = self._drawn()
        picture = png(*drawn) if kind == ".png" else svg(*drawn).encode()
        return picture if path is None else write_picture(picture, Path(path))

    def widget(self) -> Any:
        """Return the anywidget of this viewer; all its displays share one state."""
        if self._widget is None:
            from siamlab.explore.view.cell import page_of

            self._widget = page_of(self.rules.app, self.link, self._follow)
        return self._widget

    def _follow(self, link: str) -> None:
        self.link = link

    def _enter(self, link: str) -> "Viewer":
        self.link = link
        if self._widget is not None:
            self._widget.link = link
        return self

    def _controls(self, link: str) -> dict[str, Control]:
        """What can be set in the state of a link, in the order of the page."""
        known = [{key: each[key] for key in Control._fields if key in each}
                 for each in self.rules("settings", link)]  # fmt: skip
        return {each["name"]: Control(**each) for each in known}

    def _drawn(self) -> tuple[dict[str, Any], dict[str, UInt8[Tensor, "3 H W"]]]:
        scene = self.scene()
        photos = scene.pop("photos")
        return scene, {"+".join(photos): _beside([self.album[id].pixels for id in photos])}

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget, and a PNG for places where no script runs."""
        data, metadata = self.widget()._repr_mimebundle_(**options), {}
        if isinstance(data, tuple):
            data, metadata = data
        scene, images = self._drawn()
        picture, shown = as_output(scene, images)
        told = {**data, "image/png": picture, "text/plain": scene["text"]}
        return told, {**metadata, "image/png": shown}


def _opened(
    models: ModelLike | Sequence[ModelLike], size: int | None, device: str | torch.device
) -> list[NamedModel]:
    """The models under distinct names; unlike those of other explorers, inputs may differ."""
    alone = isinstance(models, str | os.PathLike | NamedModel | nn.Module)
    several = [models] if alone else list(models)
    if not several:
        raise UserError(
            "models must name one or more: a run's folder, a checkpoint, zoo:NAME or timm:NAME"
        )
    found = [open_model(model, size=size, device=device) for model in several]
    names = [str(model) if isinstance(model, str | os.PathLike) else named.name
             for model, named in zip(several, found, strict=True)]  # fmt: skip
    return distinct(names, found)


def _photos(photos: Paths | Images | Tensor | None) -> list[Photo]:
    if photos is None:
        return shipped()
    if isinstance(photos, str | os.PathLike):
        return opened([os.fspath(photos)])
    if not isinstance(photos, Images | Tensor):
        return opened([os.fspath(path) for path in photos])
    pixels = pixels_to_show(photos, None)[:MOST_PHOTOS]
    return [photograph(f"image {i}", _square(each)) for i, each in enumerate(pixels)]


def _square(pixels: UInt8[Tensor, "3 H W"]) -> UInt8[Tensor, "3 S S"]:
    """The centre of an image."""
    height, width = pixels.shape[1:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[:, top : top + side, left : left + side].clone()


def _beside(photos: list[UInt8[Tensor, "3 S S"]]) -> UInt8[Tensor, "3 H W"]:
    """One photograph, or two beside each other with a white line between them, as on the page."""
    if len(photos) == 1:
        return photos[0]
    side = max(photo.shape[1] for photo in photos)
    parts = [F.interpolate(photo[None], (side, side)) for photo in photos]
    both = torch.cat(parts, dim=3)[0]
    line = max(1, side // 150)
    both[:, :, side - line : side + line] = 255
    return both
