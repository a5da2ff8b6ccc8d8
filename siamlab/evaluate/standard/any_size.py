"""A model at any size: standard sets are measured at their own resolution, not at a model's.

eye = AnySize(named, device, shelf)
eye.passes((480, 832)).features(frames)
"""

from copy import deepcopy

import torch

from siamlab.component import UserError
from siamlab.evaluate.models import NamedModel
from siamlab.geometry import Grid
from siamlab.interop.resize import resize
from siamlab.machine.shelf import Shelf
from siamlab.probe import inputs
from siamlab.probe.suite.passes import Kept, Passes, Precision


class AnySize:
    """One model, with the position table of each size that is asked for."""

    def __init__(
        self,
        named: NamedModel,
        device: torch.device,
        shelf: Shelf | None = None,
        precision: Precision = "float32",
    ) -> None:
        self.named: NamedModel = named
        self.device: torch.device = device
        self.shelf: Shelf | None = shelf
        self.precision: Precision = precision
        self._last: tuple[Grid, Passes] | None = None

    @property
    def patch(self) -> int:
        """Side of a patch in pixels."""
        return int(self.named.model.patch_embed.patch_size[0])

    def rounded(self, side: int) -> int:
        """The nearest multiple of a patch to a number of pixels, at least one patch."""
        return max(1, round(side / self.patch)) * self.patch

    def passes(self, size: Grid) -> Passes:
        """The door to the model for images of `size` pixels; the last one is kept.

        Raises UserError for a model that takes one size only.
        """
        if self._last is None or self._last[0] != size:
            self._last = size, self._passes(size)
        return self._last[1]

    def _passes(self, size: Grid) -> Passes:
        model, named = self.named.model, self.named
        if tuple(inputs(model).size) != size:
            if not hasattr(model, "set_input_size"):
                raise UserError(
                    f"{named.name} takes {tuple(model.patch_embed.img_size)} pixels only, and this "
                    f"set needs {size}; choose a model that takes any size"
                )
            model = deepcopy(model)
            resize(model, size)
        kept = Kept(self.shelf, named.name) if self.shelf else None
        taken = inputs(model)._replace(size=size)
        return Passes(model.to(self.device), taken, kept=kept, precision=self.precision)
