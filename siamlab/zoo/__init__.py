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


def load(name: str) -> nn.Module:
    """One of them as a plain timm vision transformer."""
    return load_encoder(file(name))
