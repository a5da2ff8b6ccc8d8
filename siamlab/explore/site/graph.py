"""The graph of a model for a browser: a picture in, the patches of all layers out.

facts = write_graph(open_model("zoo:mae"), Path("mae.onnx"))
"""

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from siamlab.component import UserError
from siamlab.evaluate.export import CLOSE, Packaged
from siamlab.evaluate.models import NamedModel
from siamlab.geometry import Grid
from siamlab.probe.batches import grid_of
from siamlab.probe.features import late_norm


class GraphFacts(NamedTuple):
    """The facts about a graph that a page needs."""

    size: Grid  # of the picture, pixels
    grid: Grid  # rows and columns of patches
    layers: int
    width: int  # numbers in a token


class LayerTokens(Packaged):
    """A model with its standardisation: RGB of 0..1 in, the patches after each layer out."""

    def forward(self, image: Float[Tensor, "1 3 H W"]) -> Float[Tensor, "L N D"]:
        """Return the patches of one image after each block, each through the final norm."""
        found = self.model.forward_intermediates(
            (image - self.mean) / self.std, norm=True, output_fmt="NLC", intermediates_only=True
        )
        last = late_norm(self.model)
        return torch.cat([last(tokens) for tokens in found])


def write_graph(named: NamedModel, path: Path) -> GraphFacts:
    """Write the ONNX graph of a model for one picture, and return what it takes and gives.

    Raises UserError for a model whose layers cannot be read, and for a graph that differs from
    torch.
    """
    if not hasattr(named.model, "forward_intermediates"):
        raise UserError(f"{named.name}: its layers cannot be read, so it cannot be in a demo")
    packaged = LayerTokens(named.model)
    image = packaged.example(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own parts
        torch.onnx.export(
            packaged, (image,), path, input_names=["image"], output_names=["layers"],
            dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip
    with torch.no_grad():
        tokens = packaged(image)
    _compare(named.name, tokens, path, {"image": image.numpy()})
    size = packaged.inputs.size
    return GraphFacts(size, grid_of(named.model, size), len(tokens), tokens.shape[-1])


def _compare(name: str, tokens: Tensor, path: Path, inputs: dict[str, Any]) -> None:
    import onnxruntime

    (found,) = onnxruntime.InferenceSession(path.read_bytes()).run(None, inputs)
    apart = (torch.from_numpy(found) - tokens).abs().max().item()
    if not apart <= CLOSE * max(1.0, tokens.abs().max().item()):
        raise UserError(
            f"the graph of {name} differs from torch by {apart:.1e}; update torch and onnx"
        )
