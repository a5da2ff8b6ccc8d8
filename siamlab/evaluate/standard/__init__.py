"""Standard sets with a task of their own, measured by their published protocols.

scores = measure_standard(open_models(["zoo:mae"]), Spair(path="SPair-71k"))     # a long table
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch

from siamlab.evaluate.evaluate import feature_shelf
from siamlab.evaluate.models import NamedModel
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.evaluate.standard.base import Published, StandardSet
from siamlab.evaluate.standard.boxes import CocoBoxes, VocBoxes
from siamlab.evaluate.standard.davis import Davis
from siamlab.evaluate.standard.hpatches import Hpatches
from siamlab.evaluate.standard.normals import Normals
from siamlab.evaluate.standard.nyu import Nyu
from siamlab.evaluate.standard.segmentation import Ade20k, Cityscapes, Regions, Voc
from siamlab.evaluate.standard.spair import Spair
from siamlab.evaluate.standard.warps import Warps
from siamlab.machine.console import Console
from siamlab.machine.device import device_named, lent
from siamlab.machine.files import permitted
from siamlab.machine.terminal import cell, is_watched
from siamlab.probe.catalogue import join_rows
from siamlab.probe.suite.passes import Precision, told
from siamlab.probe.suite.standard import STANDARD
from siamlab.probe.table import table

if TYPE_CHECKING:
    import polars

SETS: Mapping[str, type[StandardSet]] = MappingProxyType(
    {
        each.model_fields["kind"].default: each
        for each in (
            Spair,
            Davis,
            Nyu,
            Normals,
            Hpatches,
            Warps,
            Voc,
            Ade20k,
            Cityscapes,
            Regions,
            VocBoxes,
            CocoBoxes,
        )
    }
)

__all__ = [
    "SETS",
    "Ade20k",
    "AnySize",
    "Cityscapes",
    "CocoBoxes",
    "Davis",
    "Hpatches",
    "Normals",
    "Nyu",
    "Published",
    "Regions",
    "Spair",
    "StandardSet",
    "Voc",
    "VocBoxes",
    "Warps",
    "measure_standard",
]


def measure_standard(
    models: Sequence[NamedModel],
    data: StandardSet,
    device: str | torch.device = "auto",
    cache: bool = True,
    precision: Precision = "float32",
) -> "polars.DataFrame":
    """Return the long table of the scores of every model on a standard set.

    Images have the sizes of the protocol; each model's position table is that of this size. What
    was computed is kept for the next time (`cache`). 16 bits (`precision`) are part of the protocol
    of each number. Raises UserError for a set that is not whole
    enough to be measured, and for a model that takes one size only.
    """
    with permitted():
        measure = data()
    place = device_named(device)
    measured, shelf = {}, feature_shelf() if cache else None
    terminal = dict(stderr=True, force_jupyter=False, force_terminal=is_watched())
    with Console(**terminal).status("probing") as status:
        for named in models:
            report = lambda step, name=named.name: status.update(cell(f"probing {name}: {step}"))  # noqa: E731
            with lent(named.model, place):
                readings = measure(AnySize(named, place, shelf, precision), report)
                found = (r._replace(settings={**r.settings, **told(precision)}) for r in readings)
                measured[named.name] = list(join_rows(found, STANDARD))
    return table(measured)
