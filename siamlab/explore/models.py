"""Models explorer: attention, similarity and match of one patch, for several models at once.

ModelsExplorer(["zoo:siameseim", "zoo:mae", "zoo:moco_v3"])
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.data import Images
from siamlab.evaluate.images import pixels_to_show
from siamlab.evaluate.models import ModelLike, NamedModel, last_layer, open_models
from siamlab.explore.answers import Change
from siamlab.explore.explorer import Explorer
from siamlab.explore.held import BASE64, Held, limited, packed, place_key, ranges
from siamlab.explore.kept import kept
from siamlab.explore.pair import LEGEND, PairExplorer
from siamlab.explore.pair_matches import APART, apart, pair_bytes
from siamlab.explore.scene import COSINE, Control, Heat, Mark, Panel, Scale, Scene
from siamlab.explore.trained import STEP, kept_by, last_step, step_control
from siamlab.geometry import Grid, patch_centres
from siamlab.machine.arguments import typed
from siamlab.probe.attention import normalised_rows, over_patches
from siamlab.probe.attention_maps import attended

ALL = "mean"  # the option of the control `head` that averages over heads
HEADS = "heads of"
MANY = 3  # models: a page of more, such as a path's, has other photographs instead of layers
QUERY = "Patch in row {row}, column {column} of view a"
HIDDEN = QUERY + ": view b does not show it, so no model can match it there."
MATCHED = QUERY + "; distance of its match in view b from its true place: {errors}."


def heads_control(count: int, value: str) -> Control:
    """The slider over the mean of all heads, then each of them."""
    numbers = [str(i + 1) for i in range(count)]
    words = [f"mean of {count} heads", *(f"head {i} of {count}" for i in numbers)]
    return Control("head", "attention", value, options=[ALL, *numbers], slider=True, words=words)


class ModelsExplorer(Explorer):
    """For each model, attention and similarity of the selected patch, and its match in view b.

    The panels below them show the heads of one model; a click on one shows that head above.
    """

    title = "one query, many models"

    @typed
    def __init__(
        self,
        models: ModelLike | Sequence[ModelLike] = ("zoo:siameseim", "zoo:mae", "zoo:moco_v3"),
        images: Images | UInt8[Tensor, "n 3 H W"] | None = None,
        image: int | None = None,
        views: int = 1,
        device: str | torch.device = "auto",
    ):
        opened = open_models(models)
        _check_patches(opened)
        pixels = pixels_to_show(images, opened[0].run)
        pairs = {m.name: PairExplorer(m, pixels, image, views, device) for m in opened}
        self.pairs: dict[str, PairExplorer] = pairs
        self.first: PairExplorer = next(iter(pairs.values()))
        self.grid: Grid = self.first.grid
        self.pixels: UInt8[Tensor, "n 3 H W"] = pixels
        shown = 2 * len(opened)  # attention of all models, in the present and the last setting
        self._attentions = kept(self._attentions, shown)  # per object
        self.depth: int = min(last_layer(m) for m in opened)
        self.steps: list[int] = sorted({s for pair in self.pairs.values() for s in pair.steps})
        names = list(self.pairs)
        values = self.first.values | {"layer": self.depth, "head": ALL, HEADS: names[0]}
        values |= last_step(self.steps)
        super().__init__(values, "a", self.first.selected[1])

    def scene(self) -> Scene:
        """Three panels per model, then one panel per head of one model."""
        pairs = self._pairs_now()
        attention = {name: self._row(name) for name in pairs}
        heads = self._heads()
        scales = {
            "attention": Scale("share of attention", 0.0, self._highest(), open=True),
            "cosine": COSINE,
        }
        panels = [p for name, row in attention.items() for p in self._answers(pairs[name], row)]
        first = pairs[self.first.named.name]
        controls = [c for c in first.controls() if c.name not in ("layer", STEP)]
        controls += [
            Control("layer", "layer", self.values["layer"], 1, self.depth),
            heads_control(len(heads), self.values["head"]),
            Control(HEADS, "heads below", self.values[HEADS], options=list(self.pairs)),
            *step_control(self.steps, self.values.get(STEP, "")),
        ]
        return Scene(
            panels=[*panels, *self._atlas(heads)],
            columns=6,
            text=self._text(pairs),
            controls=controls,
            scales=scales,
            legend=LEGEND[:3],
        )

    def images(self) -> dict[str, UInt8[Tensor, "3 H W"]]:
        """The two views, which all models share."""
        return self._pairs_now()[self.first.named.name].images()

    def on_select(self, panel: str, patch: int) -> Change:
        """A patch of view a becomes the query; a head below becomes the head shown above."""
        if panel.startswith("head "):
            return Change({"head": panel.removeprefix("head ")})
        return Change({}, ("a", patch))

    def on_set(self, values: dict[str, Any]) -> Change:
        """Show the mean of heads when another model's are chosen: it may have fewer."""
        return Change({"head": ALL} | values if HEADS in values else values)

    def _pairs_now(self) -> dict[str, PairExplorer]:
        """The pair explorer of each model, in the present state."""
        found = {}
        for name, pair in self.pairs.items():
            image, draw, step, layer = self._place(name)
            values = {"image": image, "views": draw, "layer": layer}
            values |= {STEP: step} if step else {}
            found[name] = pair.at(Change(values, self.selected))
        return found

    def _place(self, name: str) -> tuple[int, int, str, int]:
        """Image, views, the model's own training step ("" without any) and layer."""
        image, draw, layer = (self.values[key] for key in ("image", "views", "layer"))
        return image, draw, kept_by(self.pairs[name].steps, self.values.get(STEP, "")), layer

    def _attentions(
        self, name: str, image: int, draw: int, step: str, layer: int
    ) -> Float[Tensor, "heads N N"]:
        """Attention between all patches, in one pass; a click only selects a row."""
        model = self.pairs[name]._model(step)
        view = self.pairs[name]._views(image, draw)[0].image
        measure = lambda _, matrix: over_patches(matrix, model.num_prefix_tokens)  # noqa: E731
        (maps,) = attended(model, view, measure, layers=[layer - 1])
        return normalised_rows(maps[0].cpu())

    def _rows(self, name: str) -> Float[Tensor, "heads N"]:
        return self._attentions(name, *self._place(name))[:, self.selected[1]]

    def _row(self, name: str) -> Float[Tensor, " N"]:
        """Attention of the chosen head, or the mean for a model without that head."""
        rows, head = self._rows(name), self.values["head"]
        return rows[int(head) - 1] if head != ALL and int(head) <= len(rows) else rows.mean(dim=0)

    def _highest(self) -> float:
        """The largest attention of the median patch, mean over heads: the end of the scale.

        That of the model where it is largest; it stays while patches and heads are clicked.
        """
        maps = (self._attentions(name, *self._place(name)) for name in self.pairs)
        return max(float(a.mean(dim=0).amax(dim=1).median()) for a in maps)

    def _heads(self) -> Float[Tensor, "heads N"]:
        return self._rows(self.values[HEADS])

    def _answers(self, pair: PairExplorer, attention: Float[Tensor, " N"]) -> list[Panel]:
        name, (_, a, b) = pair.named.name, pair.scene().panels
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
                (1, 1),  # a click anywhere chooses the head
                Heat(row.tolist(), self.grid, "attention"),
                chosen=self.values["head"] == str(i),
            )
            for i, row in enumerate(heads, 1)
        ]

    def _text(self, pairs: Mapping[str, PairExplorer]) -> str:
        row, column = divmod(self.selected[1], self.grid[1])
        matches = {name: pair.matches("a") for name, pair in pairs.items()}
        place, patch = dict(row=row + 1, column=column + 1), self.selected[1]
        if not matches[self.first.named.name].inside[patch]:
            return HIDDEN.format(**place)
        errors = [
            f"{name} {apart(m.error[patch], m.error_patches[patch])}" for name, m in matches.items()
        ]
        return MATCHED.format(**place, errors="; ".join(errors))

    def text_of(self, name: str) -> str:
        """The sentence of one model on its match, as its pair explorer has it."""
        return self._pairs_now()[name].scene().text

    def held(self) -> Held:
        """Cosines and attention of all patches in all models, for the ranges that fit a page."""
        controls, patches = self.scene().controls, self.grid[0] * self.grid[1]
        images = sum(map(len, self.data_uris().values()))
        maps = sum(len(self._attentions(name, *self._place(name))) + 1 for name in self.pairs)
        layer_bytes = len(self.pairs) * pair_bytes(patches) + BASE64 * maps * patches**2
        held = ranges(controls, layer_bytes, images, 1 if len(self.pairs) > MANY else None)
        shown: dict[str, str] = {}
        models = {n: {"pairs": {}, "attention": {}} for n in self.pairs}
        highest = {}
        for image, draw, step in product(held.image, held.views, held.training_step):
            place = place_key(image, draw, step)
            for name, pair in self.pairs.items():
                own = image, draw, kept_by(pair.steps, step)
                models[name]["pairs"][place] = pair.held_pair(own, held.layer)
                models[name]["attention"][place] = {}
            for layer in held.layer:
                values = {"image": image, "views": draw, "layer": layer}
                there = self.at(Change(values | ({STEP: step} if step else {})))
                high = highest[f"{place} {layer}"] = there._highest()
                shown |= there.data_uris(shown)
                for name in self.pairs:
                    own = kept_by(self.pairs[name].steps, step)
                    rows = self._attentions(name, image, draw, own, layer)
                    rows = torch.cat([rows.mean(dim=0, keepdim=True), rows])
                    part = {"levels": packed(rows, high), "heads": len(rows) - 1}
                    models[name]["attention"][place][layer] = part
        text = {"hidden": HIDDEN, "matched": MATCHED, "apart": APART}
        data = {"grid": self.grid, "models": models, "highest": highest, "text": text}
        return Held("modelsScene", data, shown, limited(controls, held._asdict()))


def _check_patches(models: list[NamedModel]) -> None:
    """Raise UserError for models whose patches have different sizes."""
    first, *others = models
    patch = tuple(first.model.patch_embed.patch_size)
    for named in others:
        other = tuple(named.model.patch_embed.patch_size)
        if other != patch:
            raise UserError(
                f"{named.name} has patches of {other} pixels and {first.name} of {patch}; models "
                "can be compared only at the same patch size: use such models, or explore each by "
                "itself"
            )
