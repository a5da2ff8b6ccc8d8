"""The online branch: an encoder and its prediction heads."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from siamlab.geometry import Grid
from siamlab.mask import Mask, MaskIndex
from siamlab.model.backbone import Backbone
from siamlab.model.encoder import Encoder
from siamlab.model.prediction import PredictionChoice
from siamlab.positions import Places, PositionsChoice

Predictions = tuple[Float[Tensor, "B _ _"], ...]  # one per head: [B, P, D] or [B, 1, D]


@runtime_checkable
class NetworkChoices(Protocol):
    """The choices of a run that networks need; this layer cannot import `Run`."""

    @property
    def model(self) -> Backbone: ...

    @property
    def positions(self) -> PositionsChoice: ...

    @property
    def prediction(self) -> PredictionChoice: ...

    @property
    def size(self) -> Grid: ...

    @property
    def grid(self) -> Grid: ...


class Siamese(nn.Module):
    """Encoder, projectors and predictors; the target decides the `goal_widths`, one per head."""

    def __init__(self, run: NetworkChoices, goal_widths: list[int]):
        super().__init__()
        heads, width = [part.head for part in run.prediction.parts], run.model.width
        self.wanted: slice = run.prediction.tokens  # the encoder's tokens that any head reads
        self.encoder: Encoder = Encoder(run.model, run.positions, run.size, run.prediction.fills)
        self.projectors: nn.ModuleList = nn.ModuleList(head.project(width) for head in heads)
        self.predictors: nn.ModuleList = nn.ModuleList(
            head.predict(width, goal, run.positions)
            for head, goal in zip(heads, goal_widths, strict=True)
        )

    def forward(
        self, image: Float[Tensor, "B 3 H W"], places: Places, mask: Mask | MaskIndex
    ) -> Predictions:
        seen = self.encoder(image, places.own, mask.visible, self.wanted)  # [B, prefix + V or 1, D]
        prefix = self.encoder.prefix
        return tuple(
            predict(project(seen, prefix), prefix, places, mask)  # [B, P, D] or [B, 1, D]
            for project, predict in zip(self.projectors, self.predictors, strict=True)
        )
