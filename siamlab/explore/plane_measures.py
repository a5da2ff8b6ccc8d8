"""Measures that have a number for each patch or image, as the probes define them.

found = MEASURES["cosine of the match"].values(Seen(pair, labels))      # [M, 3]
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from siamlab import probe
from siamlab.explore.pair import Matches, PairExplorer
from siamlab.geometry import patch_centres
from siamlab.given import last_layer
from siamlab.probe.attend import attended, is_readable
from siamlab.probe.attention import over_patches

WHOLE = -1  # in place of a patch: the number is the image's
Rows = Float[Tensor, "M 3"]  # image, patch, value


class Seen(NamedTuple):
    """A model and the images that it is looked at with."""

    pair: PairExplorer  # its subject, its pixels, and the two views of each
    labels: Int[Tensor, " n"]  # -1 unknown

    def at(self, image: int) -> PairExplorer:
        """The pair of this image's views."""
        self.pair.values = self.pair.values | {"image": image}
        return self.pair


class Measure(NamedTuple):
    values: Callable[[Seen], Rows]
    of: str  # "pairs": patches of view a; "patches" or "images": of whole images
    possible: Callable[[Seen], bool] = lambda seen: True

    @property
    def part(self) -> str:
        """What has the numbers: patches or images."""
        return "images" if self.of == "images" else "patches"


def possible(seen: Seen) -> list[str]:
    """The measures that this model and these images allow."""
    return [name for name, measure in MEASURES.items() if measure.possible(seen)]


def match_error(seen: Seen) -> Rows:
    """Of each patch of view a that view b shows: pixels from its nearest feature to its place."""
    return _matched(seen, lambda found: found.error)


def match_cosine(seen: Seen) -> Rows:
    """Of the same patches: the cosine to their nearest feature."""
    return _matched(seen, lambda found: found.cosine.amax(dim=1))


def attention_distance(seen: Seen) -> Rows:
    """How far each patch looks in the last layer, mean over heads, in pixels."""
    grid, size = seen.pair.grid, probe.inputs(seen.pair.subject.model).size
    patch = max(side / n for side, n in zip(size, grid, strict=True))
    places = patch_centres(grid) * torch.tensor(grid)
    apart = patch * torch.cdist(places, places)  # [N, N]
    # the mean of heads' distances is that of their mean
    return _patches([(a.mean(dim=0) * apart).sum(dim=1) for a in _attention(seen)])


def attention_entropy(seen: Seen) -> Rows:
    """How evenly each patch looks in the last layer, mean over heads, in nats."""
    entropy = torch.special.entr  # -a log a, and 0 of 0
    return _patches([entropy(a).sum(dim=2).mean(dim=0) for a in _attention(seen)])


def patch_norm(seen: Seen) -> Rows:
    """The norm of each patch token before the final norm, over the median of its image."""
    model = seen.pair.subject.model
    residual = probe.residual_features(model, seen.pair.pixels, *probe.inputs(model))
    norms = probe.outlier_tokens(residual.patches).norms.cpu()  # [n, N]
    return _patches(norms / norms.quantile(0.5, dim=1, keepdim=True))


def view_distance(seen: Seen) -> Rows:
    """Squared distance of the two views' unit pooled features, 0 to 4: the terms of alignment."""
    model, values = seen.pair.subject.model, []
    want = probe.inputs(model)
    for image in range(len(seen.pair.pixels)):
        views = seen.pair._views(image, seen.pair.values["views"])
        a, b = (probe.view_features(model, view, want.mean, want.std).pooled for view in views)
        values.append(probe.alignment(a, b).value)
    return _images(torch.tensor(values), torch.arange(len(values)))


def class_margin(seen: Seen) -> Rows:
    """Cosine to the nearest other image of the class, less that to the nearest of another class.

    Of pooled features, among the images looked at; images without a label, or alone in their
    class, have none.
    """
    model = seen.pair.subject.model
    pooled = probe.features(model, seen.pair.pixels, *probe.inputs(model)).pooled.cpu()
    unit = F.normalize(pooled, dim=1)
    cosine = (unit @ unit.T).fill_diagonal_(-torch.inf)
    known = seen.labels >= 0
    alike = seen.labels[:, None] == seen.labels
    nearest = [cosine.where(side & known, -torch.inf).amax(dim=1) for side in (alike, ~alike)]
    margin = nearest[0] - nearest[1]
    here = (known & margin.isfinite()).nonzero()[:, 0]
    return _images(margin[here], here)


def _two_classes(seen: Seen) -> bool:
    counts = seen.labels[seen.labels >= 0].unique(return_counts=True)[1]
    return len(counts) > 1 and bool((counts > 1).any())


def _readable(seen: Seen) -> bool:
    return is_readable(seen.pair.subject.model)


MEASURES = {  # by the title of their axis
    "error of the match (pixels)": Measure(match_error, "pairs"),
    "cosine of the match": Measure(match_cosine, "pairs"),
    "attention distance (pixels)": Measure(attention_distance, "patches", _readable),
    "attention entropy (nats)": Measure(attention_entropy, "patches", _readable),
    "norm of a patch (1: median of its image)": Measure(patch_norm, "patches"),
    "squared distance of two views (0 to 4)": Measure(view_distance, "images"),
    "margin of the class (cosine)": Measure(class_margin, "images", _two_classes),
}


def _matched(seen: Seen, value: Callable[[Matches], Float[Tensor, " N"]]) -> Rows:
    rows = []
    for image in range(len(seen.pair.pixels)):
        found = seen.at(image).matches("a")
        here = found.inside.nonzero()[:, 0]
        numbers = value(found)[here]
        rows.append(torch.stack([torch.full_like(numbers, image), here, numbers], dim=1))
    return torch.cat(rows)


def _attention(seen: Seen) -> Iterator[Float[Tensor, "heads N N"]]:
    """Of each image among its patches, in the last layer."""
    model, last = seen.pair.subject.model, last_layer(seen.pair.subject) - 1
    measure = lambda _, matrix: over_patches(matrix, model.num_prefix_tokens)  # noqa: E731
    for image in seen.pair.pixels.split(1):
        (found,) = attended(model, image, *probe.inputs(model), measure, [last])
        yield found[0].cpu()


def _patches(values: list[Tensor] | Float[Tensor, "n N"]) -> Rows:
    return torch.cat(
        [
            torch.stack([torch.full_like(row, i), torch.arange(len(row)), row], dim=1)
            for i, row in enumerate(values)
        ]
    )


def _images(values: Float[Tensor, " m"], images: Int[Tensor, " m"]) -> Rows:
    return torch.stack([images, torch.full_like(images, WHOLE), values], dim=1)
