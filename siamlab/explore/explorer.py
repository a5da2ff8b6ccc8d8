"""Explorer: the base of all explorers, a plain object with a widget, an HTML page and a PNG.

explorer.select("a", 17); explorer.brush("plane", [0, 2]); explorer.set(layer=3); explorer.state
"""

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import Any, TypeVar

from jaxtyping import UInt8
from torch import Tensor

from siamlab.component import UserError, unknown
from siamlab.explore.answers import Answer, Change
from siamlab.explore.draw import as_output, kind_of_picture, png, svg, write_picture
from siamlab.explore.events import kind_of_event
from siamlab.explore.held import Held
from siamlab.explore.scene import Control, Scene, whole_number
from siamlab.explore.state import State, Stateful
from siamlab.figure.image import data_uri
from siamlab.machine.arguments import typed

E = TypeVar("E", bound="Explorer")  # not typing.Self: beartype's import hook refuses it


class Explorer(Stateful):
    """Subclasses define `scene()` and `images()` from `values` (of controls) and `selected`.

    These two are the state, which is frozen: `apply` alone puts another in its place, and `at`
    gives an explorer in another state, so that answers which depend on it change no explorer.
    """

    title = "explorer"

    def __init__(self, values: dict[str, Any], panel: str, patch: int):
        super().__init__(State(values, (panel, patch)))
        self._widget: Any = None
        self._origin: Explorer | None = None

    def scene(self) -> Scene:
        """Return what is shown in the present state."""
        raise NotImplementedError

    def images(self) -> dict[str, UInt8[Tensor, "3 H W"]]:
        """Return the images that the scene names."""
        raise NotImplementedError

    def controls(self) -> Sequence[Control]:
        """Return the controls of the scene; override this where they are known without it."""
        return self.scene().controls

    def select(self, view: str, patch: int) -> "Explorer":
        """Select a patch (row by row from 0) of a panel. Raises UserError if it does not exist."""
        panels = {panel.id: panel for panel in self.scene().panels if panel.parts}
        if (view := str(view)) not in panels:
            raise UserError(unknown("view", view, panels))
        (rows, columns), number = panels[view].grid, whole_number(patch)
        if number is None or not 0 <= number < rows * columns:
            raise UserError(
                f"patch={patch!r} must be a whole number from 0 to {rows * columns - 1}: {view} "
                f"has {rows} × {columns} patches"
            )
        return self.apply(self.on_select(view, number))

    def brush(self, view: str, parts: Sequence[int]) -> "Explorer":
        """Select several points or bars of a panel. Raises UserError if one does not exist."""
        panels = {panel.id: panel for panel in self.scene().panels if panel.several}
        if not panels:
            raise UserError(f"the {self.title} has no points or bars to brush; select one patch")
        if (view := str(view)) not in panels:
            raise UserError(unknown("view", view, panels))
        several = isinstance(parts, Iterable) and not isinstance(parts, str | bytes)
        parts = list(parts) if several else [parts]
        count, numbers = panels[view].parts, {whole_number(part) for part in parts}
        if not numbers or not numbers <= set(range(count)):
            raise UserError(
                f"parts={parts} must be one or more from 0 to {count - 1}: {view} has {count}"
            )
        return self.apply(self.on_brush(view, sorted(numbers)))

    def set(self, **values: Any) -> "Explorer":
        """Set controls. Raises UserError for an unknown control or a value that it cannot take."""
        return self.apply(self.on_set(self.checked(values)))

    def move(self, top: float, left: float, height: float, width: float) -> "Explorer":
        """Move and resize the movable box, in fractions of its panel."""
        raise UserError(f"the {self.title} has no box to move")

    def checked(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values as their controls store them. Raises UserError as `set` does."""
        controls = {control.name: control for control in self.controls()}
        for name in values:
            if name not in controls:
                raise UserError(unknown("control", name, controls))
        return {name: controls[name].checked(value) for name, value in values.items()}

    def on_select(self, panel: str, patch: int) -> Change:
        """Return what a click on a patch changes."""
        return Change({}, (panel, patch))

    def on_brush(self, panel: str, parts: Sequence[int]) -> Change:
        """Return what a brush over several parts of a panel changes."""
        raise NotImplementedError

    def on_set(self, values: dict[str, Any]) -> Change:
        """Return what setting these controls changes, other controls included."""
        return Change(values)

    def exported_brushes(self) -> list[tuple[str, list[int]]]:
        """Return the panels and parts whose brushes an exported page answers."""
        return []

    def exported_boxes(self) -> list[tuple[float, ...]]:
        """Return the places of the movable box that an exported page answers."""
        return []

    @property
    def state(self) -> dict[str, Any]:
        """The values of the controls, the selected patch, and the sentence that is shown."""
        panel, patch = self.selected
        return {**self.values, "view": panel, "patch": patch, "text": self.scene().text}

    def apply(self, change: Change) -> "Explorer":
        """Change the state and update the widget; a state without a scene is not entered."""
        after = self.at(change)
        scene = after.scene()
        images = after.data_uris(self._widget.images) if self._widget is not None else {}
        self._state = after._state
        if self._widget is not None:
            with self._widget.hold_sync():
                self._widget.images, self._widget.scene = images, scene.as_dict()
        return self

    def at(self: E, change: Change) -> E:
        """Return this explorer in another state, without its widget; what is kept is shared."""
        other = copy(self)
        other._state = self._state.after(change)
        other._widget = None
        other._origin = self  # whose methods have the kept results
        return other

    def widget(self) -> Any:
        """Return the anywidget of this explorer; all its displays share one state."""
        if self._widget is None:
            from siamlab.explore.widget import panels_with

            shown = self.scene().as_dict(), self.data_uris()
            self._widget = panels_with(*shown, self.handle, self.keep_answers)
        return self._widget

    def keep_answers(self) -> "Explorer":
        """Give the widget what `to_html` writes: it can answer when its kernel is gone.

        A notebook that is saved with the state of its widgets grows by as much, up to 3 MB.
        """
        from siamlab.explore.page import page_data

        self.widget().kept = page_data(self.controls(), self.answers(), self.held)
        return self

    def handle(self, event: dict[str, Any]) -> None:
        """Apply an event of the browser: a control, a patch, a brush or a moved box.

        Raises UserError for anything else, as a page of another version may send it.
        """
        kind = kind_of_event(event)
        if kind == "control":
            self.set(**{str(event["control"]): event["value"]})
        elif kind == "patch":
            self.select(event["panel"], event["patch"])
        elif kind == "parts":
            self.brush(event["panel"], event["parts"])
        else:
            self.move(*event["box"])

    @typed
    def snapshot(self, path: str | Path | None = None) -> bytes:
        """Return a PNG of what is shown, or SVG for a path that ends in it; needs no browser.

        Writes it to `path` if given.
        """
        kind = kind_of_picture(path)
        drawn = self.scene(), self.images()
        picture = png(*drawn) if kind == ".png" else svg(*drawn).encode()
        return picture if path is None else write_picture(picture, Path(path))

    @typed
    def to_html(self, path: str | Path) -> Path:
        """Write a page that answers clicks without Python, and return its path.

        With `held()` it computes them: every patch with every value that its controls have.
        Otherwise it holds every patch with the controls as they are, every value of each control
        with the patch as it is, and the exported brushes and boxes; for anything else it says what
        it holds.
        """
        from siamlab.explore.page import write_page

        answers = self.answers()
        return write_page(Path(path), self.title, self.controls(), answers, self.held)

    def held(self) -> Held | None:
        """Return what a page computes its answers from; None if it holds them ready-made."""
        return None

    def answers(self) -> Iterator[Answer]:
        """Yield the present state, then the answer to every event of an exported page."""
        images: dict[str, str] = {}
        for event, change in [("", Change({})), *self.events()]:
            after = self.at(change)
            images |= after.data_uris(images)
            scene = after.scene().as_dict()
            yield Answer(event, change, dict(after.values), after.selected, scene, images)

    def events(self) -> Iterator[tuple[str, Change]]:
        """Yield the events of an exported page, as its script names them, and what they change."""
        scene = self.scene()
        for panel in scene.panels:
            for patch in range(panel.parts):
                yield f"{panel.id} {patch}", self.on_select(panel.id, patch)
        for panel, parts in self.exported_brushes():
            yield f"{panel} {','.join(map(str, parts))}", self.on_brush(panel, parts)
        for control in scene.controls:
            for value in control.nearby():
                yield f"{control.name}={value}", self.on_set({control.name: value})
        for box in self.exported_boxes():
            yield f"box {' '.join(map(str, box))}", Change({"box": box})

    def data_uris(
        self, known: dict[str, str] | None = None, kinds: Sequence[str] = ()
    ) -> dict[str, str]:
        """Return `images()` as data URIs; those in `known` are not encoded again.

        Only those whose keys begin with one of the words `kinds`, if there are any.
        """
        known, images = known or {}, self.images().items()
        wanted = {key: image for key, image in images if not kinds or key.split()[0] in kinds}
        return {key: known.get(key) or data_uri(image) for key, image in wanted.items()}

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget, and a PNG for places where no script runs."""
        data, metadata = self.widget()._repr_mimebundle_(**options), {}
        if isinstance(data, tuple):
            data, metadata = data
        picture, shown = as_output(self.scene(), self.images())
        told = {**data, "image/png": picture, "text/plain": self.scene().text}
        return told, {**metadata, "image/png": shown}
