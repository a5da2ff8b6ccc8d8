"""Encoders of a page: what each sees in a photograph, computed once and kept up to a bound.

encoders = Encoders(models);  encoders.patches(0, photo, layer=12)      # [N, D], half precision
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from jaxtyping import Float16
from torch import Tensor, nn

from siamlab import probe
from siamlab.evaluate.course import at_step, kept_steps
from siamlab.evaluate.models import NamedModel, last_layer, open_model
from siamlab.explore.view.collection import Collection, halved, tsne, umap
from siamlab.explore.view.crops import Crops
from siamlab.explore.view.photos import Photo, Refused
from siamlab.machine.files import legible
from siamlab.machine.shortage import explain_shortage
from siamlab.probe.attention import normalised_rows
from siamlab.probe.batches import grid_of

MOST = 2**29  # bytes of answers that are kept
MOST_MODELS = 8  # beyond which no run of a study is opened
MOST_ATTENTION = 2**26  # bytes of the attention of one layer, which a page holds whole

Key = tuple[int | str | None, ...]  # of a result: the model, the photograph, …
Half = Float16[Tensor, "N D"]
Rows = Float16[Tensor, "heads M N"]  # M = N + 1: the class token first, then every patch


class Encoders:
    """Models in order, and their last answers."""

    def __init__(
        self,
        models: Sequence[NamedModel],
        device: str | torch.device = "cpu",
        size: int | None = None,
    ):
        self.models: list[NamedModel] = list(models)
        self._opening: dict[str, Any] = {"device": device, "size": size}  # of those that come later
        self._kept = Kept(MOST)
        self._lock = Lock()

    def about(self) -> list[dict[str, Any]]:
        """Return name, grid, layers, heads and where attention starts, for each model."""
        return [_about(named) for named in self.models]

    def name(self, model: int) -> str:
        """The name of a model. Raises Refused (404) if there is none of that number."""
        return self._named(model, 1).name

    def open(self, encoder: NamedModel | Path) -> str:
        """Return the name of a model of this page, which the folder of a run becomes.

        Raises Refused (409) where there are too many, and UserError for a run that cannot be
        opened.
        """
        if isinstance(encoder, NamedModel):
            return encoder.name
        with self._lock:
            for named in self.models:
                if named.folder and named.folder.resolve() == encoder.resolve():
                    return named.name
            if len(self.models) >= MOST_MODELS:
                raise Refused(
                    f"this page has {len(self.models)} models, as many as it opens; start `siamlab "
                    f"view` again for others, such as {encoder}", 409,
                )  # fmt: skip
            named = open_model(encoder, **self._opening)
            taken = named.name in (other.name for other in self.models)
            self.models.append(named._replace(name=legible(str(encoder))) if taken else named)
            return self.models[-1].name

    def patches(self, model: int, photo: Photo, layer: int, step: int | None = None) -> Half:
        """Patch features after a layer, from 1, through the final norm.

        With a step, those of the encoder that the run kept after it. Raises Refused (404) if there
        is none.
        """
        named = self._named(model, layer)
        look = lambda: _layers(_at(named, step), photo)  # noqa: E731
        return self._once((model, step, photo.id), look)[layer - 1]

    def attention(self, model: int, photo: Photo, layer: int, step: int | None = None) -> Rows:
        """Attention to the patches: of the class token (or the mean patch), then of each patch."""
        named = self._named(model, layer)
        _check_attention(named)
        compute = lambda: [_attention(_at(named, step), photo, layer)]  # noqa: E731
        return self._once((model, step, photo.id, layer), compute)[0]

    def rollout(self, model: int, photo: Photo, step: int | None = None) -> Half:
        """Share of each patch in the flow through all layers into the class token: one row."""
        named = self._named(model, 1)
        _check_attention(named)
        compute = lambda: [probe.rollout(_at(named, step), photo.pixels[None]).half().cpu()]  # noqa: E731
        return self._once((model, step, photo.id, "rollout"), compute)[0]

    def pooled(self, model: int, collection: Collection, step: int | None = None) -> Half:
        """Mean patch features of all images of a collection, after the last layer."""
        named = self._named(model, 1)
        compute = lambda: [collection.pooled(_at(named, step), named.name)]  # noqa: E731
        return self._once((model, step, "pooled"), compute)[0]

    def votes(self, model: int, collection: Collection, step: int | None = None) -> probe.Votes:
        """The votes of the neighbours of each image of a collection."""
        pooled = self.pooled(model, collection, step)
        compute = lambda: [*collection.votes(pooled)]  # noqa: E731
        return probe.Votes(*self._once((model, step, "votes"), compute))

    def tsne(self, model: int, collection: Collection, step: int | None = None) -> Half:
        """Places of all images of a collection by t-SNE."""
        pooled = self.pooled(model, collection, step)
        return self._once((model, step, "tsne"), lambda: [tsne(pooled)])[0]

    def umap(self, model: int, collection: Collection, step: int | None = None) -> Half:
        """Places of all images of a collection by UMAP."""
        pooled = self.pooled(model, collection, step)
        return self._once((model, step, "umap"), lambda: [umap(pooled)])[0]

    def both(
        self, model: int, crops: Crops, step: int | None = None
    ) -> tuple[probe.Features, probe.Features]:
        """Features of both crops of all pairs, after the last layer."""
        named = self._named(model, 1)

        def look() -> list[Tensor]:
            encoder = _at(named, step)
            return [probe.features(encoder, view.image).patches.cpu() for view in crops.views]

        patches = self._once((model, step, "crops"), look)
        grid = grid_of(named.model, probe.inputs(named.model).size)
        a, b = (probe.Features(x.mean(dim=1), x.mean(dim=1), x, grid) for x in patches)
        return a, b

    def _named(self, model: int, layer: int) -> NamedModel:
        if not 0 <= model < len(self.models):
            raise Refused(f"there is no model {model}; this page has {len(self.models)}", 404)
        named = self.models[model]
        if not 1 <= layer <= last_layer(named):
            raise Refused(f"layer {layer} must be from 1 to {last_layer(named)}: {named.name}", 404)
        return named

    def _once(self, key: Key, compute: Callable[[], list[Tensor]]) -> list[Tensor]:
        """Return what is kept, or compute it: one pass at a time, which uses all cores."""
        with self._lock, explain_shortage("open fewer models, or a smaller --size"):
            return self._kept.get(key) or self._kept.put(key, compute())


class Kept:
    """The results that were asked for last, up to a number of bytes; the newest always stays."""

    def __init__(self, most: int):
        self.most: int = most
        self._results: OrderedDict[Key, list[Tensor]] = OrderedDict()

    def get(self, key: Key) -> list[Tensor] | None:
        """Return a result, which is now the newest; None if it is not kept."""
        if key in self._results:
            self._results.move_to_end(key)
        return self._results.get(key)

    def put(self, key: Key, result: list[Tensor]) -> list[Tensor]:
        """Keep a result, drop the oldest ones beyond the bound, and return it."""
        self._results[key] = result
        while self.size() > self.most and len(self._results) > 1:
            self._results.popitem(last=False)
        return result

    def size(self) -> int:
        """The bytes of all results."""
        return sum(t.nbytes for tensors in self._results.values() for t in tensors)


def _about(named: NamedModel) -> dict[str, Any]:
    model, size = named.model, probe.inputs(named.model).size
    return {
        "name": named.name,
        "grid": list(grid_of(model, size)),
        "size": list(size),
        "width": model.num_features,
        "layers": last_layer(named),
        "heads": shown_heads(named),
        "steps": kept_steps(named),
        "start": attention_start(named),
    }


def _at(named: NamedModel, step: int | None) -> nn.Module:
    """The model, or what its run kept after a step. Raises Refused (404) without such a step."""
    if step is not None and step not in kept_steps(named):
        raise Refused(f"step {step} of {named.name} was not kept", 404)
    return named.model if step is None else at_step(named, step)


def attention_start(named: NamedModel) -> str:
    """Where attention starts that is not that of a single patch."""
    return "class token" if named.model.cls_token is not None else "mean patch"


def shown_heads(named: NamedModel) -> int:
    """The heads of the last block; 0 where attention cannot be read or is too large for a page."""
    readable = probe.is_readable(named.model) and _attention_bytes(named) <= MOST_ATTENTION
    return _count_heads(named.model) if readable else 0


def _count_heads(model: nn.Module) -> int:
    block = model.blocks[-1]
    return getattr(block, "attn", block).num_heads


def _attention_bytes(named: NamedModel) -> int:
    rows, columns = grid_of(named.model, probe.inputs(named.model).size)
    count = rows * columns
    return 2 * _count_heads(named.model) * (count + 1) * count


def _check_attention(named: NamedModel) -> None:
    if not shown_heads(named):
        raise Refused(
            f"attention of {named.name} cannot be shown: its blocks do not attend by one matrix "
            f"per head, or it is larger than {MOST_ATTENTION // 2**20} MB a layer (lower --size)",
            409,
        )


def _layers(model: nn.Module, photo: Photo) -> list[Half]:
    layers = probe.by_layer(model, photo.pixels[None], "patches")
    return [halved(layer[0]) for layer in layers]


def _attention(model: nn.Module, photo: Photo, layer: int) -> Rows:
    prefix, has_class = model.num_prefix_tokens, model.cls_token is not None

    def rows(_: int, matrix: Tensor) -> Tensor:
        patches = matrix[:, :, prefix:, prefix:]  # [1, heads, N, N]
        first = matrix[:, :, :1, prefix:] if has_class else patches.mean(dim=2, keepdim=True)
        return torch.cat([first, patches], dim=2)

    (found,) = probe.attended(model, photo.pixels[None], rows, layers=[layer - 1])
    return normalised_rows(found)[0].half().cpu()
