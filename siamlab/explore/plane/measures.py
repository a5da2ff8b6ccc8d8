"""Measures with one value for each patch or image, defined as in the probes.

rows = MEASURES["cosine of the match"].values(ModelOnImages(pair, labels))      # [M, 3]
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from siamlab import probe
from siamlab.evaluate.models import last_layer
from siamlab.explore.answers import Change
from siamlab.explore.pair import PairExplorer
from siamlab.explore.pair_matches import PairMatches
from siamlab.geometry import patch_centres
from siamlab.probe.attention import over_patches
from siamlab.probe.attention_maps import attended, is_readable

WHOLE = -1  # in place of a patch: the value belongs to the whole image
Rows = Float[Tensor, "M 3"]  # image, patch, value


class ModelOnImages(NamedTuple):
    """A model and the images on which it is measured."""

    pair: PairExplorer  # has the model, the images and two views of each
    labels: Int[Tensor, " n"]  # -1 unknown

    def at(self, image: int) -> PairExplorer:
        """Return the pair explorer at this image."""
        return self.pair.at(Change({"image": image}))


class Measure(NamedTuple):
    values: Callable[[ModelOnImages], Rows]
    of: str  # "pairs": patches of view a; "patches" or "images": of whole images
    possible: Callable[[ModelOnImages], bool] = lambda case: True

    @property
    def part(self) -> str:
        """The unit of the values: patches or images."""
        return "images" if self.of == "images" else "patches"


def possible(case: ModelOnImages) -> list[str]:
    """Return the measures that are possible for this model and these images."""
    return [name for name, measure in MEASURES.items() if measure.possible(case)]


def match_error(case: ModelOnImages) -> Rows:
    """Distance in pixels from the match of each patch of view a to its true place in view b."""
    return _matched(case, lambda matches: matches.error)


def match_cosine(case: ModelOnImages) -> Rows:
    """Cosine of each patch of view a to its match in view b."""
    return _matched(case, lambda matches: matches.cosine.amax(dim=1))


def attention_distance(case: ModelOnImages) -> Rows:
    """Mean attention distance of each patch in the last layer, in pixels."""
    grid, size = case.pair.grid, probe.inputs(case.pair.named.model).size
    patch = max(side / n for side, n in zip(size, grid, strict=True))
    places = patch_centres(grid) * torch.tensor(grid)
    apart = patch * torch.cdist(places, places)  # [N, N]
    # the mean over heads may be taken first: the distance is linear in the attention
    return _patches([(a.mean(dim=0) * apart).sum(dim=1) for a in _attention(case)])


def attention_entropy(case: ModelOnImages) -> Rows:
    """Entropy of the attention of each patch in the last layer, in nats; mean over heads."""
    entropy = torch.special.entr  # -a log a, with 0 at 0
    return _patches([entropy(a).sum(dim=2).mean(dim=0) for a in _attention(case)])


def patch_norm(case: ModelOnImages) -> Rows:
    """Norm of each patch token before the final norm, relative to the median of its image."""
    model = case.pair.named.model
    residual = probe.residual_features(model, case.pair.pixels)
    norms = probe.outlier_tokens(residual.patches).norms.cpu()  # [n, N]
    return _patches(norms / norms.quantile(0.5, dim=1, keepdim=True))


def view_distance(case: ModelOnImages) -> Rows:
    """Squared distance of the unit pooled features of two views, 0 to 4: the terms of alignment."""
    model, values = case.pair.named.model, []
    for image in range(len(case.pair.pixels)):
        views = case.pair._views(image, case.pair.values["views"])
        a, b = (probe.view_features(model, view).pooled for view in views)
        values.append(probe.alignment(a, b).value)
    return _images(torch.tensor(values), torch.arange(len(values)))


def class_margin(case: ModelOnImages) -> Rows:
    """Cosine to the nearest image of the same class minus that to the nearest of another class.

    Pooled features are compared among these images. Images without a label, or alone in their
    class, have no margin.
    """
    model = case.pair.named.model
    pooled = probe.features(model, case.pair.pixels).pooled.cpu()
    unit = F.normalize(pooled, dim=1)
    cosine = (unit @ unit.T).fill_diagonal_(-torch.inf)
    known = case.labels >= 0
    same = case.labels[:, None] == case.labels
    nearest = [cosine.where(side & known, -torch.inf).amax(dim=1) for side in (same, ~same)]
    margin = nearest[0] - nearest[1]
    here = (known & margin.isfinite()).nonzero()[:, 0]
    return _images(margin[here], here)


def _two_classes(case: ModelOnImages) -> bool:
    counts = case.labels[case.labels >= 0].unique(return_counts=True)[1]
    return len(counts) > 1 and bool((counts > 1).any())


def _readable(case: ModelOnImages) -> bool:
    return is_readable(case.pair.named.model)


MEASURES = {  # keys are axis titles
    "error of the match (pixels)": Measure(match_error, "pairs"),
    "cosine of the match": Measure(match_cosine, "pairs"),
    "attention distance (pixels)": Measure(attention_distance, "patches", _readable),
    "attention entropy (nats)": Measure(attention_entropy, "patches", _readable),
    "norm of a patch (1: median of its image)": Measure(patch_norm, "patches"),
    "squared distance of two views (0 to 4)": Measure(view_distance, "images"),
    "margin of the class (cosine)": Measure(class_margin, "images", _two_classes),
}


def _matched(case: ModelOnImages, value: Callable[[PairMatches], Float[Tensor, " N"]]) -> Rows:
    """One row for each patch of view a that view b shows."""
    rows = []
    for image in range(len(case.pair.pixels)):
        matches = case.at(image).matches("a")
        here = matches.inside.nonzero()[:, 0]
        numbers = value(matches)[here]
        rows.append(torch.stack([torch.full_like(numbers, image), here, numbers], dim=1))
    return torch.cat(rows)


def _attention(case: ModelOnImages) -> Iterator[Float[Tensor, "heads N N"]]:
    """Attention among the patches of each image in the last layer."""
    model, last = case.pair.named.model, last_layer(case.pair.named) - 1
    measure = lambda _, matrix: over_patches(matrix, model.num_prefix_tokens)  # noqa: E731
    for image in case.pair.pixels.split(1):
        (maps,) = attended(model, image, measure, layers=[last])
        yield maps[0].cpu()


def _patches(values: list[Tensor] | Float[Tensor, "n N"]) -> Rows:
    return torch.cat(
        [
            torch.stack([torch.full_like(row, i), torch.arange(len(row)), row], dim=1)
            for i, row in enumerate(values)
        ]
    )


def _images(values: Float[Tensor, " m"], images: Int[Tensor, " m"]) -> Rows:
    return torch.stack([images, torch.full_like(images, WHOLE), values], dim=1)
