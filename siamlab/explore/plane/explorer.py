"""Plane explorer: models as points, linked to their configurations, curves and features.

PlaneExplorer(models, scores, test)        # models and the long table of their scores
PlaneExplorer.of_study("runs/studies/loss_form").brush("plane", [0, 2]).brush("histogram", [3, 4])
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.data import Images
from siamlab.evaluate.images import pixels_to_show, test_images
from siamlab.evaluate.models import NamedModel
from siamlab.explore.answers import Change
from siamlab.explore.explorer import Explorer
from siamlab.explore.held import Held
from siamlab.explore.kept import kept
from siamlab.explore.pair import PairExplorer
from siamlab.explore.plane.charts import bar_edges, bar_index, bars_text, curve_panels, histogram
from siamlab.explore.plane.examples import LEGENDS, SHOWN, Example, example_images, example_panels
from siamlab.explore.plane.held import Found, held_parts
from siamlab.explore.plane.measures import MEASURES, Measure, ModelOnImages, possible
from siamlab.explore.plane.points import held_plane, plane_chart
from siamlab.explore.plane.runs import (
    PlanePoint,
    base_of,
    line_of,
    points_by_name,
    study_points,
)
from siamlab.explore.scene import Control, Panel, Scene
from siamlab.figure import plane_table
from siamlab.machine.arguments import typed
from siamlab.machine.device import device_named
from siamlab.train import RunFolder
from siamlab.train.folder import Line

IMAGES = 40  # test images behind the histogram
BARS = 12
DESCRIBED = 7  # chosen models that are described: one for each colour
NAMED = 12  # up to this many points all have names; of more, only those that are described


class PlaneExplorer(Explorer):
    """The plane, and configurations, curves and a histogram of the chosen models, with examples."""

    title = "the plane, linked"

    @typed
    def __init__(
        self,
        models: Sequence[NamedModel | PlanePoint],
        scores: pl.DataFrame,
        images: Images | UInt8[Tensor, "n 3 H W"] | None = None,
        device: str | torch.device = "auto",
    ):
        self.device: torch.device = device_named(device)
        self.table: pl.DataFrame = plane_table(scores)
        here = points_by_name(models)
        if missing := [name for name in self.table["model"] if name not in here]:
            raise UserError(f"scores has the model {missing[0]!r}, which is not among the models")
        self.points: dict[str, PlanePoint] = {name: here[name] for name in self.table["model"]}
        self.names: list[str] = list(self.points)
        self.base: PlanePoint = base_of(list(self.points.values()))
        images = test_images(self.base.run) if images is None else images
        self.pixels: UInt8[Tensor, "n 3 H W"] = pixels_to_show(images, self.base.run)[:IMAGES]
        unknown = torch.full((len(self.pixels),), -1)
        labels = getattr(images, "labels", unknown)
        self.labels: Int[Tensor, " n"] = labels[: len(self.pixels)]
        self._case = kept(self._case, 4)  # per object; each holds a model
        self._possible = kept(self._possible, 512)
        self._measured = kept(self._measured, 512)
        self._logged = kept(self._logged, 512)
        values = {"chosen": (self.base.name,), "model": self.base.name}
        values |= {"measure": next(iter(MEASURES)), "bars": (BARS - 1,)}
        super().__init__(values, "histogram", BARS - 1)

    @classmethod
    def of_study(
        cls,
        folder: str | Path,
        images: Images | UInt8[Tensor, "n 3 H W"] | None = None,
        device: str | torch.device = "auto",
    ) -> "PlaneExplorer":
        """Return an explorer of every measured run of a study, each loaded when it is chosen.

        Raises UserError if no run was measured.
        """
        return cls(*study_points(folder), images, device)

    def scene(self) -> Scene:
        """The plane, the histogram, the curves, and examples from the chosen bars."""
        model, measure = self.values["model"], self._measure()
        described = self._described()
        places = [self.names.index(name) for name in self.values["chosen"]]
        named = [i for i, n in enumerate(self.names) if n in described or len(self.names) <= NAMED]
        plane = plane_chart(self.table, places, named)
        title = self.values["measure"]
        values = self._measured(model, title)[:, 2]
        bars = histogram(values, self._edges(), title, measure.part, self.values["bars"])
        wide = dict(image="", span=3, several=True)
        return Scene(
            panels=[
                Panel("plane", "All models", grid=(1, len(self.names)), chart=plane, **wide),
                Panel(
                    "histogram", f"{model}: all {measure.part}", grid=(1, BARS), chart=bars, **wide
                ),
                *(curve_panels(self._curves(), self.names) if self._has_metrics() else []),
                *example_panels(self._case(model), measure.of, self._examples()),
            ],
            columns=6,
            text=self._text(),
            controls=[
                Control("model", "model of the histogram", model, options=self.values["chosen"]),
                Control("measure", "histogram of", title, options=self._possible(model)),
            ],
            legend=LEGENDS[measure.of],
        )

    def images(self) -> dict[str, UInt8[Tensor, "3 H W"]]:
        """The images or views of the examples."""
        case = self._case(self.values["model"])
        return example_images(case, self._measure().of, self._examples())

    def on_select(self, panel: str, patch: int) -> Change:
        """A point of the plane chooses its model, a bar its examples."""
        return self.on_brush(panel, [patch])

    def on_brush(self, panel: str, parts: Sequence[int]) -> Change:
        """Points choose their models, the first one for the histogram; bars choose a range."""
        if panel == "plane":
            chosen = tuple(self.names[part] for part in parts)
            return self._with_examples({"chosen": chosen} | self._with_measure(chosen[0], {}))
        bars = tuple(range(min(parts), max(parts) + 1))
        return Change({"bars": bars}, (panel, bars[0]))

    def on_set(self, values: dict[str, Any]) -> Change:
        """Choose another measure, and other bars, where the present ones have nothing to show."""
        model = values.get("model", self.values["model"])
        return self._with_examples(self._with_measure(model, values))

    def _with_measure(self, model: str, values: dict[str, Any]) -> dict[str, Any]:
        """These changes, with a measure that is possible for the model."""
        possible = self._possible(model)
        measure = {} if self.values["measure"] in possible else {"measure": possible[0]}
        return measure | {"model": model} | values

    def _with_examples(self, values: dict[str, Any]) -> Change:
        """These changes, with the highest bar that has any values where the chosen have none."""
        after = self.at(Change(values))
        if after._in_bars():
            return Change(values)
        rows = after._measured(after.values["model"], after.values["measure"])
        return Change(values | {"bars": (int(bar_index(rows[:, 2], after._edges()).max()),)})

    def _described(self) -> list[str]:
        """The chosen models that are described, and the base."""
        chosen = self.values["chosen"][:DESCRIBED]
        return list(dict.fromkeys([*chosen, self.values["model"], self.base.name]))

    def _measure(self) -> Measure:
        return MEASURES[self.values["measure"]]

    def _case(self, name: str) -> ModelOnImages:
        pair = PairExplorer(self.points[name].load(), self.pixels, image=0, device=self.device)
        return ModelOnImages(pair, self.labels)

    def _possible(self, name: str) -> list[str]:
        return possible(self._case(name))

    def _measured(self, name: str, measure: str) -> Float[Tensor, "M 3"]:
        """Rows of image, patch and value."""
        return MEASURES[measure].values(self._case(name))

    def _edges(self) -> list[float]:
        """Edges of the bars, the same for all described models."""
        measure = self.values["measure"]
        names = (name for name in self._described() if measure in self._possible(name))  # lazily
        values = torch.cat([self._measured(name, measure)[:, 2] for name in names])
        return bar_edges(float(values.min()), float(values.max()), BARS)

    def _in_bars(self) -> list[Example]:
        """All values in the chosen bars, the largest first."""
        rows = self._measured(self.values["model"], self.values["measure"])
        bar = bar_index(rows[:, 2], self._edges())
        rows = rows[torch.isin(bar, torch.tensor(self.values["bars"]))]
        rows = rows[rows[:, 2].argsort(descending=True, stable=True)]
        return [Example(int(image), int(patch), value) for image, patch, value in rows.tolist()]

    def _examples(self) -> list[Example]:
        return self._in_bars()[: SHOWN[self._measure().of]]

    def _curves(self) -> dict[str, list[Line]]:
        """The logged lines of the chosen models that are described."""
        return {name: self._logged(name) for name in self.values["chosen"][:DESCRIBED]}

    def _has_metrics(self) -> bool:
        """Whether any model has a folder; charts of models without would be empty."""
        return any(point.folder for point in self.points.values())

    def _logged(self, name: str) -> list[Line]:
        folder = self.points[name].folder
        return RunFolder(folder).lines() if folder else []

    def _text(self) -> str:
        """A sentence on the chosen bars, then one line per described model."""
        model, chosen, measure = self.values["model"], self.values["chosen"], self._measure()
        values, ends = self._measured(model, self.values["measure"]), self._edges()
        bars, most = self.values["bars"], SHOWN[measure.of]
        told = f"{measure.part} of {len(values)} with {self.values['measure']}"
        inside = len(self._in_bars())
        lines = [f"{model}: {bars_text(inside, told, ends[bars[0]], ends[bars[-1] + 1], most)}."]
        rows = self.table.filter(pl.col("model").is_in(chosen[:DESCRIBED]))
        lines += [self._told(row) for row in rows.iter_rows(named=True)]
        if len(chosen) > DESCRIBED:
            lines.append(f"{len(chosen) - DESCRIBED} more are chosen.")
        return "\n".join(lines)

    def _told(self, row: dict[str, Any]) -> str:
        return line_of(row, self.points[row["model"]], self.base)

    def _found(self) -> Iterator[Found]:
        """Every model in the order of the names, with its values and what is told of it."""
        for row in self.table.iter_rows(named=True):
            name = row["model"]
            measured = {each: self._measured(name, each) for each in self._possible(name)}
            yield name, self._case(name), measured, self._told(row)

    def held(self) -> Held:
        """All values of all models, which answer any brushing, and the images, maybe smaller.

        Of as many images as fit a page; it tells if these are not all.
        """
        logged = {name: self._logged(name) for name in self.names} if self._has_metrics() else {}
        parts, images = held_parts(self._found(), self.pixels, logged)
        data = {
            "names": self.names, "base": self.base.name, "plane": held_plane(self.table, NAMED),
            "bars": BARS, "described": DESCRIBED, "named": NAMED,
        }  # fmt: skip
        return Held("linkedScene", data | parts, images, self.scene().controls)
