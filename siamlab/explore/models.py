"""Models explorer: one click, and every model answers: attention, similarity, correspondence.

ModelsExplorer(["zoo:siameseim", "zoo:mae", "zoo:moco_v3"])
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor

from siamlab import probe
from siamlab.component import UserError
from siamlab.data import Images
from siamlab.explore.explorer import Explorer
from siamlab.explore.pair import LEGEND, PairExplorer
from siamlab.explore.scene import Control, Heat, Mark, Panel, Scale, Scene
from siamlab.geometry import patch_centres
from siamlab.given import Model, chosen_images, chosen_subjects, last_layer
from siamlab.probe.attend import attended
from siamlab.probe.attention import normalised_rows, over_patches
from siamlab.subject import Subject

ALL = "mean"  # of heads
HEADS = "heads of"


class ModelsExplorer(Explorer):
    """View a of each model's pair: attention of the clicked patch and its similarity to the others;
    view b: where it is found. Below, every head of one model: click one to show it above.
    """

    title = "one query, many models"

    def __init__(
        self,
        models: Model | Sequence[Model] = ("zoo:siameseim", "zoo:mae", "zoo:moco_v3"),
        images: Images | UInt8[Tensor, "n 3 H W"] | None = None,
        image: int | None = None,
        views: int = 1,
    ):
        subjects = chosen_subjects(models)
        pixels = chosen_images(images, subjects[0].run)
        self.pairs = {s.name: PairExplorer(s, pixels, image, views) for s in subjects}
        _check_alike(subjects)
        self.first = next(iter(self.pairs.values()))
        self.grid, self.pixels = self.first.grid, pixels
        shown = 2 * len(subjects)  # every model's attention, and that of the setting before
        self._attentions = lru_cache(maxsize=shown)(self._attentions)  # of this object alone
        self.depth = min(last_layer(s) for s in subjects)
        names = list(self.pairs)
        values = self.first.values | {"layer": self.depth, "head": ALL, HEADS: names[0]}
        super().__init__(values, "a", self.first.selected[1])

    def scene(self) -> Scene:
        """Three panels a model, then a panel a head of one of them."""
        self._follow()
        attention = {name: self._row(name) for name in self.pairs}
        heads = self._heads()
        highest = max(float(row.max()) for row in [*attention.values(), heads])
        scales = {
            "attention": Scale("share of attention", 0.0, highest),
            "cosine": Scale("cosine", 0.0, 1.0),
        }
        panels = [p for name, row in attention.items() for p in self._answers(name, row)]
        controls = [c for c in self.first.controls() if c.name != "layer"]
        controls += [
            Control("layer", "layer", self.values["layer"], 1, self.depth),
            Control("head", "head", self.values["head"], options=self._names_of_heads()),
            Control(HEADS, "heads below are of", self.values[HEADS], options=list(self.pairs)),
        ]
        return Scene(
            panels=[*panels, *self._atlas(heads)],
            columns=6,
            text=self._text(),
            controls=controls,
            scales=scales,
            legend=LEGEND[:3],
        )

    def images(self) -> dict[str, UInt8[Tensor, "3 H W"]]:
        """The two views: the same for all models."""
        self._follow()
        return self.first.images()

    def click(self, panel: str, patch: int) -> tuple[dict[str, str], tuple[str, int] | None]:
        """A patch of any model's view a is the query; a head below becomes the head above."""
        if panel.startswith("head "):
            return {"head": panel.removeprefix("head ")}, None
        return {}, ("a", patch)

    def turned(self, values: dict[str, Any]) -> dict[str, Any]:
        """Another model's heads begin at their mean."""
        return {"head": ALL} | values if HEADS in values else values

    def _follow(self) -> None:
        """The pairs stand as the controls do."""
        for pair in self.pairs.values():
            pair.values = {key: self.values[key] for key in ("image", "views", "layer")}
            pair.selected = self.selected

    def _attentions(
        self, name: str, image: int, draw: int, layer: int
    ) -> Float[Tensor, "heads N N"]:
        """Of all patches to all, one pass through the model; each click reads its row."""
        model = self.pairs[name].subject.model
        view = self.pairs[name]._views(image, draw)[0].image
        measure = lambda _, matrix: over_patches(matrix, model.num_prefix_tokens)  # noqa: E731
        (found,) = attended(model, view, *probe.inputs(model), measure, [layer - 1])
        return normalised_rows(found[0].cpu())

    def _rows(self, name: str) -> Float[Tensor, "heads N"]:
        place = (self.values[key] for key in ("image", "views", "layer"))
        return self._attentions(name, *place)[:, self.selected[1]]

    def _row(self, name: str) -> Float[Tensor, " N"]:
        """Of the head that is chosen, or the mean where a model has no such head."""
        rows, head = self._rows(name), self.values["head"]
        return rows[int(head) - 1] if head != ALL and int(head) <= len(rows) else rows.mean(dim=0)

    def _heads(self) -> Float[Tensor, "heads N"]:
        return self._rows(self.values[HEADS])

    def _names_of_heads(self) -> list[str]:
        return [ALL, *(str(i + 1) for i in range(len(self._heads())))]

    def _answers(self, name: str, attention: Float[Tensor, " N"]) -> list[Panel]:
        own = self.pairs[name].scene()
        _, a, b = own.panels
        query = [Mark(*patch_centres(self.grid)[self.selected[1]].tolist(), "query")]
        heat = Heat(attention.tolist(), self.grid, "attention")
        match = [mark for mark in b.marks if mark.kind != "next"]
        bare = dict(grid=self.grid, marks=query, image=a.image, span=2)
        return [
            Panel(f"{name} attention", f"{name}: attention", heat=heat, **bare),
            Panel(f"{name} similarity", f"{name}: similarity", heat=a.heat, **bare),
            b._replace(id=f"{name} match", title=f"{name}: match", marks=match, still=True, span=2),
        ]

    def _atlas(self, heads: Float[Tensor, "heads N"]) -> list[Panel]:
        number, draw = self.values["image"], self.values["views"]
        view = f"a-{number}-{draw}"
        return [
            Panel(
                f"head {i}",
                f"{self.values[HEADS]}: head {i}",
                view,
                (1, 1),  # one place to click: the whole head
                Heat(row.tolist(), self.grid, "attention"),
                chosen=self.values["head"] == str(i),
            )
            for i, row in enumerate(heads, 1)
        ]

    def _text(self) -> str:
        row, column = divmod(self.selected[1], self.grid[1])
        found = {name: pair.matches("a") for name, pair in self.pairs.items()}
        what, patch = f"Patch in row {row + 1}, column {column + 1} of view a", self.selected[1]
        if not found[self.first.subject.name].inside[patch]:
            return f"{what}: view b does not show it, so no model can find it there."
        said = [f"{name} finds it {m.error[patch]:.1f} px off" for name, m in found.items()]
        return f"{what}, looked for in view b: " + "; ".join(said) + "."


def _check_alike(subjects: list[Subject]) -> None:
    first, (size, patch) = subjects[0], _sight(subjects[0])
    for s in subjects:
        own_size, own_patch = _sight(s)
        if (own_size, own_patch) != (size, patch):
            way = (
                "one size, as siamlab.subject.at_size makes them"
                if own_patch == patch
                else "one size of patch"
            )
            raise UserError(
                f"{s.name} sees {own_size} pixels in patches of {own_patch} and {first.name} "
                f"{size} in patches of {patch}; models side by side must see alike: take those of "
                f"{way}"
            )


def _sight(s: Subject) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Pixels of the whole input, and of a patch."""
    return tuple(probe.inputs(s.model).size), tuple(s.model.patch_embed.patch_size)
