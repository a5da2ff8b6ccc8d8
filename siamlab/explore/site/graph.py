"""The graph of a model for a browser: a picture in, patches and attention of all layers out.

facts = write_graph(open_model("zoo:mae"), Path("mae.onnx"))
"""

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from siamlab.component import UserError
from siamlab.evaluate.export import CLOSE, Packaged
from siamlab.evaluate.models import NamedModel
from siamlab.explore.view.encoders import attention_start, shown_heads
from siamlab.geometry import Grid
from siamlab.machine.internals import attention_dropout
from siamlab.probe.batches import grid_of
from siamlab.probe.features import late_norm


class GraphFacts(NamedTuple):
    """The facts about a graph that a page needs."""

    size: Grid  # of the picture, pixels
    grid: Grid  # rows and columns of patches
    layers: int
    width: int  # numbers in a token
    heads: int  # 0: attention is not among the outputs
    prefix: int  # tokens before the patches
    start: str  # where attention starts that is not a patch's


class LayerTokens(Packaged):
    """A model with its standardisation: RGB of 0..1 in, what each layer makes of it out."""

    def __init__(self, named: NamedModel):
        super().__init__(named.model)
        self.heads: int = shown_heads(named)

    def forward(self, image: Float[Tensor, "1 3 H W"]) -> tuple[Tensor, ...]:
        """Return the patches of one image after each block, [L, N, D], each through the final norm.

        Then the attention of each block, [1, heads, T, T], where the model forms it: these matrices
        are on the way to the patches, so that they cost nothing where they are not asked for.
        """
        matrices: list[Tensor] = []
        with ExitStack() as hooks:
            for block in self.model.blocks if self.heads else ():
                dropout = attention_dropout(getattr(block, "attn", block))
                hooks.enter_context(dropout.register_forward_pre_hook(
                    lambda _, args: matrices.append(args[0])))  # fmt: skip
            found = self.model.forward_intermediates(
                (image - self.mean) / self.std, norm=True, output_fmt="NLC", intermediates_only=True
            )
        last = late_norm(self.model)
        return torch.cat([last(tokens) for tokens in found]), *matrices

    def outputs(self) -> list[str]:
        """Return the names of what `forward` returns."""
        count = len(self.model.blocks) if self.heads else 0
        return ["layers", *(f"attention_{layer}" for layer in range(1, count + 1))]


def write_graph(named: NamedModel, path: Path) -> GraphFacts:
    """Write the ONNX graph of a model for one picture, and return what it takes and gives.

    Raises UserError for a model whose layers cannot be read, and for a graph that differs from
    torch.
    """
    if not hasattr(named.model, "forward_intermediates"):
        raise UserError(f"{named.name}: its layers cannot be read, so it cannot be in a demo")
    packaged = LayerTokens(named)
    image = packaged.example(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own parts
        torch.onnx.export(
            packaged, (image,), path, input_names=["image"], output_names=packaged.outputs(),
            dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip
    with torch.no_grad():
        wanted = packaged(image)
    _compare(named.name, wanted, path, {"image": image.numpy()})
    size, (layers, _, width) = packaged.inputs.size, wanted[0].shape
    return GraphFacts(
        size, grid_of(named.model, size), layers, width, packaged.heads,
        named.model.num_prefix_tokens, attention_start(named),
    )  # fmt: skip


def _compare(name: str, wanted: Sequence[Tensor], path: Path, inputs: dict[str, Any]) -> None:
    import onnxruntime

    found = onnxruntime.InferenceSession(path.read_bytes()).run(None, inputs)
    for own, other in zip(wanted, found, strict=True):
        apart = (torch.from_numpy(other) - own).abs().max().item()
        if not apart <= CLOSE * max(1.0, own.abs().max().item()):
            raise UserError(
                f"the graph of {name} differs from torch by {apart:.1e}; update torch and onnx"
            )
