"""Zoo: the encoders that `make demo-long` trained, to look at without training.

vit = zoo.load("siameseim")     # a plain timm model; zoo.names() lists them
"""

from pathlib import Path

from torch import nn

from siamlab.component import UserError, unknown
from siamlab.train.export import load_encoder

HERE = Path(__file__).parent


def names() -> tuple[str, ...]:
    """The trained models that come with siamlab."""
    return tuple(sorted(file.stem for file in HERE.glob("*.safetensors")))


def file(name: str) -> Path:
    """The encoder file of one; it carries the run that made it. UserError for another name."""
    if name not in names():
        raise UserError(unknown("zoo: there is no model", name, names()))
    return HERE / f"{name}.safetensors"


def branches(name: str) -> Path:
    """The folder of a run with both its branches, for what needs the predictor too.

    A shorter run than the encoder's: 3,000 steps, of the study `headline`. UserError for a name
    that has none.
    """
    known = sorted(file.parent.name for file in HERE.glob("*/run.toml"))
    if name not in known:
        raise UserError(unknown("zoo: there are no branches of", name, known))
    return HERE / name


def load(name: str) -> nn.Module:
    """One of them as a plain timm vision transformer."""
    return load_encoder(file(name))
