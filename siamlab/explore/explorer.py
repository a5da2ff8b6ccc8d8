"""Explorer: what all explorers are, a plain object with a widget, a page and a picture of itself.

explorer.select("a", 17); explorer.brush("plane", [0, 2]); explorer.set(layer=3); explorer.state
"""

import io
import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from siamlab.component import UserError, unknown
from siamlab.explore.draw import drawn
from siamlab.explore.scene import Control, Scene
from siamlab.figure.image import data_uri


class Explorer:
    """Subclasses give `scene()` and `images()` for `values` (of controls) and `selected`."""

    title = "explorer"

    def __init__(self, values: dict[str, Any], panel: str, patch: int):
        self.values = values
        self.selected = panel, patch
        self._shown: Any = None

    def scene(self) -> Scene:
        """What is to be seen now."""
        raise NotImplementedError

    def images(self) -> dict[str, UInt8[Tensor, "3 H W"]]:
        """The pictures that the scene names."""
        raise NotImplementedError

    def controls(self) -> Sequence[Control]:
        """Those of the scene; a subclass that knows them without it says so."""
        return self.scene().controls

    def select(self, view: str, patch: int) -> "Explorer":
        """Choose a patch, row by row from 0, of a panel. Raises UserError for one not there."""
        panels = {panel.id: panel for panel in self.scene().panels if panel.parts}
        if view not in panels:
            raise UserError(unknown("view", str(view), panels))
        (rows, columns), number = panels[view].grid, _whole(patch)
        if number is None or not 0 <= number < rows * columns:
            raise UserError(
                f"patch={patch!r} must be a whole number from 0 to {rows * columns - 1}: {view} "
                f"has {rows} × {columns} patches"
            )
        return self.turn(*self.click(view, number))

    def brush(self, view: str, parts: Sequence[int]) -> "Explorer":
        """Choose several points or bars of a panel. Raises UserError for those not there."""
        panels = {panel.id: panel for panel in self.scene().panels if panel.several}
        if not panels:
            raise UserError(f"the {self.title} has no points or bars to brush; select one patch")
        if view not in panels:
            raise UserError(unknown("view", str(view), panels))
        count, numbers = panels[view].parts, {_whole(part) for part in parts}
        if not numbers or not numbers <= set(range(count)):
            raise UserError(
                f"parts={list(parts)} must be one or more from 0 to {count - 1}: {view} has {count}"
            )
        return self.turn(*self.brushed(view, sorted(numbers)))

    def set(self, **values: Any) -> "Explorer":
        """Put controls to values. Raises UserError for a control or value that is not there."""
        return self.turn(self.turned(self.checked(values)))

    def checked(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values as their controls have them. Raises UserError as `set`."""
        controls = {control.name: control for control in self.controls()}
        for name in values:
            if name not in controls:
                raise UserError(unknown("control", name, controls))
        return {name: _checked(controls[name], value) for name, value in values.items()}

    def click(self, panel: str, patch: int) -> tuple[dict[str, Any], tuple[str, int] | None]:
        """What a click changes: values of controls, and the chosen patch if it chooses one."""
        return {}, (panel, patch)

    def brushed(
        self, panel: str, parts: Sequence[int]
    ) -> tuple[dict[str, Any], tuple[str, int] | None]:
        """What a brush over parts changes, as `click`."""
        raise NotImplementedError

    def brushes(self) -> list[tuple[str, list[int]]]:
        """Panels and several parts of them: the brushes that a page answers."""
        return []

    def turned(self, values: dict[str, Any]) -> dict[str, Any]:
        """These values, and those of other controls that change with them."""
        return values

    @property
    def state(self) -> dict[str, Any]:
        """The values of the controls, the chosen patch, and the sentence that is shown."""
        panel, patch = self.selected
        return self.values | {"view": panel, "patch": patch, "text": self.scene().text}

    def widget(self) -> Any:
        """The anywidget of this explorer; each further one shows the same state."""
        if self._shown is None:
            from siamlab.explore.widget import Panels

            self._shown = Panels(scene=self.scene().as_dict(), images=self.pictures())
            self._shown.observe(lambda change: self._answer(change["new"]), "event")
        return self._shown

    def _answer(self, event: dict[str, Any]) -> None:
        """Handle it; the browser hears in one message what is to be seen, and that it is done."""
        with self._shown.hold_sync():
            try:
                self.handle(event)
            finally:
                self._shown.answered = event.get("count", 0)

    def handle(self, event: dict[str, Any]) -> None:
        """What the browser says: a patch, a control, parts that were brushed or a box."""
        if "control" in event:
            self.set(**{event["control"]: event["value"]})
        elif "patch" in event:
            self.select(event["panel"], event["patch"])
        elif "parts" in event:
            self.brush(event["panel"], event["parts"])
        elif "box" in event:
            self.move(*event["box"])

    def move(self, top: float, left: float, height: float, width: float) -> "Explorer":
        """Put the movable box there, in fractions of its panel."""
        raise UserError(f"the {self.title} has no box to move")

    def places(self) -> list[tuple[float, ...]]:
        """Of the movable box: where a page holds an answer."""
        return []

    def _show(self, scene: Scene) -> "Explorer":
        """In the widget, if there is one."""
        if self._shown is not None:
            images = self.pictures(self._shown.images)
            with self._shown.hold_sync():
                self._shown.images, self._shown.scene = images, scene.as_dict()
        return self

    def snapshot(self, path: str | Path | None = None) -> bytes:
        """A PNG of what is to be seen, also written to `path`; no browser is needed."""
        if path is not None:
            if Path(path).suffix.lower() != ".png":
                raise UserError(
                    f"a snapshot is a PNG; name its file {Path(path).stem}.png, not {path}"
                )
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        drawn(self.scene(), self.images()).save(file := io.BytesIO(), format="PNG", optimize=True)
        if path is not None:
            Path(path).write_bytes(file.getvalue())
        return file.getvalue()

    def to_html(self, path: str | Path) -> Path:
        """A page that answers clicks without Python: every patch as the controls stand now,
        every value of each control for the patch of now, and `brushes()`. Anything else it says it
        does not hold.
        """
        from siamlab.explore.page import write_page

        return write_page(Path(path), self)

    @contextmanager
    def at(self, values: dict[str, Any], selected: tuple[str, int] | None) -> Iterator["Explorer"]:
        """Another state for a moment; the widget does not see it."""
        before = self.values, self.selected
        self.values, self.selected = self.values | values, selected or self.selected
        try:
            yield self
        finally:
            self.values, self.selected = before

    def turn(self, values: dict[str, Any], selected: tuple[str, int] | None = None) -> "Explorer":
        """Another state, shown; one of which no scene can be made is not kept."""
        before = self.values, self.selected
        self.values, self.selected = self.values | values, selected or self.selected
        try:
            return self._show(self.scene())
        except BaseException:  # an interrupt too
            self.values, self.selected = before
            raise

    def pictures(self, known: dict[str, str] | None = None) -> dict[str, str]:
        """`images()` as data URIs; those that are known already are not made again."""
        made, images = known or {}, self.images().items()
        return {key: made.get(key) or data_uri(image) for key, image in images}

    def _repr_mimebundle_(self, **given: Any) -> Any:
        """The widget, and its PNG for where no script runs."""
        import base64

        data, metadata = self.widget()._repr_mimebundle_(**given), {}
        if isinstance(data, tuple):
            data, metadata = data
        picture = base64.b64encode(self.snapshot()).decode()
        return {**data, "image/png": picture, "text/plain": self.scene().text}, metadata


def _checked(control: Control, value: Any) -> Any:
    if control.options:
        if str(value) not in control.options:
            raise UserError(unknown(f"{control.name} has no choice", str(value), control.options))
        return str(value)
    number = _whole(value)
    if number is None or not control.low <= number <= control.high:
        raise UserError(
            f"{control.name}={value!r} must be a whole number from {control.low} to {control.high}"
        )
    return number


def _whole(value: Any) -> int | None:
    """A plain int of any kind of whole number; None of all else."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None
