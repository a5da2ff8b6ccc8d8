"""Collection: the images of the map, their features under each model, and all thumbnails at once.

collection = Collection(images, "cifar10");  collection.pooled(model)       # [n, D]
collection.votes(pooled);  tsne(pooled)         # what neighbours say of each image; places [n, 2]
"""

import io
import math
import warnings
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float16
from PIL import Image
from torch import Tensor, nn

from siamlab import probe
from siamlab.component import UserError
from siamlab.data import Images
from siamlab.explore.view.photos import Photo, Refused, photograph
from siamlab.machine.shelf import Shelf
from siamlab.probe.suite.passes import Kept, Passes

TILE = 48  # pixels: side of a thumbnail
MOST = 4000  # images: their thumbnails are one picture, which browsers show up to some size
FEWEST = 3  # for a plane through their features
K = 20  # neighbours that vote, as in the probe
PERPLEXITY = 30.0  # of t-SNE: about as many neighbours of an image stay near it
NEIGHBOURS = 15  # of UMAP, the default of its authors


class Collection:
    """Images of a source, and the mean patch feature of each under the models that were asked.

    With a shelf, the feature cache, a model whose features it has passes no image again.
    """

    def __init__(self, images: Images, name: str, shelf: Shelf | None = None):
        if not FEWEST <= len(images.labels) <= MOST:
            raise UserError(
                f"data={name} gives {len(images.labels)} images, but a map takes {FEWEST} to "
                f"{MOST:,}; choose with --images, or leave the data out"
            )
        self.images: Images = images
        self.name: str = name
        self.shelf: Shelf | None = shelf

    def about(self) -> dict[str, Any]:
        """Return the name, the label of each image (-1: unknown), the classes and the sheet."""
        return {
            "name": self.name,
            "labels": self.images.labels.tolist(),
            "classes": list(self.images.classes),
            "tile": TILE,
            "across": self._across(),
            "k": self.k,
            "layouts": layouts(),
        }

    @property
    def k(self) -> int:
        """Number of neighbours that vote on an image; 0 if no two classes are known."""
        known = self.images.labels[self.images.labels >= 0]
        return min(K, len(known) - 1) if len(known.unique()) > 1 else 0

    def pooled(self, model: nn.Module, name: str = "") -> Float16[Tensor, "n D"]:
        """Mean patch features of all images; `name` is the model's, for `siamlab cache`."""
        kept = Kept(self.shelf, name) if self.shelf else None
        return halved(Passes(model, probe.inputs(model), kept=kept).pooled(self.images.pixels))

    def votes(self, pooled: Float16[Tensor, "n D"]) -> probe.Votes:
        """Return the class that the most similar other images vote for. Refused without classes."""
        if not self.k:
            raise Refused(f"{self.name} has no two classes that neighbours could vote for", 409)
        return probe.knn_votes(pooled.float(), self.images.labels, self.k)

    def photo(self, number: int) -> Photo:
        """Return an image as a photograph to look at. Raises Refused if there is none."""
        count = len(self.images.labels)
        if not 0 <= number < count:
            raise Refused(f"image {number} must be from 0 to {count - 1}: {self.name}", 404)
        return photograph(f"{self.name} {number}", torch.clone(self.images.pixels[number]))

    def sheet(self) -> bytes:
        """Return a JPEG with all thumbnails, row by row, `across` in each row."""
        across = self._across()
        count = len(self.images.labels)
        sheet = np.zeros((-(-count // across) * TILE, across * TILE, 3), np.uint8)
        for i in range(count):
            part = self.images.pixels[i][None].float()
            small = F.interpolate(part, (TILE, TILE), mode="bilinear", antialias=True)
            top, left = i // across * TILE, i % across * TILE
            tile = small[0].round().byte().permute(1, 2, 0).numpy()
            sheet[top : top + TILE, left : left + TILE] = tile
        Image.fromarray(sheet).save(file := io.BytesIO(), format="JPEG", quality=85)
        return file.getvalue()

    def _across(self) -> int:
        return math.ceil(math.sqrt(len(self.images.labels)))


def tsne(pooled: Float16[Tensor, "n D"]) -> Float16[Tensor, "n 2"]:
    """Return places in which images of a high cosine are near each other, by t-SNE.

    After van der Maaten & Hinton (2008), from the first two principal components. Raises Refused
    without scikit-learn.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise Refused(
            "t-SNE needs scikit-learn, which is not installed: pip install 'siamlab[map]' adds it, "
            "and the principal components need nothing",
            409,
        ) from error
    perplexity = min(PERPLEXITY, (len(pooled) - 1) / 3)
    unit = F.normalize(pooled.float(), dim=1).numpy()
    return halved(torch.from_numpy(TSNE(perplexity=perplexity, random_state=0).fit_transform(unit)))


def umap(pooled: Float16[Tensor, "n D"]) -> Float16[Tensor, "n 2"]:
    """Return places in which images of a high cosine are near each other, by UMAP.

    After McInnes et al. (2018), from the first two principal components. Raises Refused without
    umap-learn.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)  # that it could do more with Tensorflow
            model = import_module("umap").UMAP
    except ImportError as error:
        raise Refused(
            "UMAP needs umap-learn, which is not installed: pip install 'siamlab[umap]' adds it, "
            "and the principal components need nothing",
            409,
        ) from error
    few = min(NEIGHBOURS, len(pooled) - 1)
    unit = F.normalize(pooled.float(), dim=1).numpy()
    # one job, as any number of them with a fixed seed
    places = model(n_neighbors=few, init="pca", random_state=0, n_jobs=1).fit_transform(unit)
    return halved(torch.from_numpy(places))


def layouts() -> list[str]:
    """Return the ways in which a map can place images; UMAP only where umap-learn is installed."""
    try:
        version("umap-learn")  # its import takes seconds
    except PackageNotFoundError:
        return ["components", "tsne"]
    return ["components", "tsne", "umap"]


def halved(features: Float[Tensor, "n D"]) -> Float16[Tensor, "n D"]:
    """Features in half precision, which keeps three digits and ends at 65,504."""
    most = torch.finfo(torch.float16).max
    return features.clamp(-most, most).half().cpu()
