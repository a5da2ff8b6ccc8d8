"""The online branch: an encoder and its prediction heads."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from siamlab.masking import Mask
from siamlab.model.encoder import Encoder
from siamlab.model.prediction import Both, Single, read_by
from siamlab.positions import Places

Predictions = tuple[Float[Tensor, "B _ _"], ...]  # one a head: [B, P, D] or [B, 1, D]


class Part(NamedTuple):
    name: str  # before the names of its loss terms
    weight: float  # of its loss
    head: Single


def parts(prediction) -> tuple[Part, ...]:
    """The heads of a prediction with the weights of their losses."""
    if not isinstance(prediction, Both):
        return (Part("", 1.0, prediction),)
    return (
        Part("dense/", prediction.share, prediction.dense),
        Part("global/", 1 - prediction.share, prediction.image),
    )


class Siamese(nn.Module):
    """Encoder, projectors and predictors; `goal_width` of each head is the target's to say."""

    def __init__(self, run, goal_widths: list[int]):
        super().__init__()
        heads, width = [part.head for part in parts(run.prediction)], run.model.width
        fills = any(head.fills for head in heads)
        self.encoder = Encoder(run.model, run.positions, run.size, fills)
        self.projectors = nn.ModuleList(head.project(width) for head in heads)
        self.predictors = nn.ModuleList(
            head.predict(width, goal, run.positions)
            for head, goal in zip(heads, goal_widths, strict=True)
        )

    def forward(self, image: Float[Tensor, "B 3 H W"], places: Places, mask: Mask) -> Predictions:
        wanted = read_by(self.projectors)
        seen = self.encoder(image, places.own, mask.visible, wanted)  # [B, prefix + V or 1, D]
        prefix = self.encoder.prefix
        return tuple(
            predict(project(seen, prefix), prefix, places, mask)  # [B, P, D] or [B, 1, D]
            for project, predict in zip(self.projectors, self.predictors, strict=True)
        )
