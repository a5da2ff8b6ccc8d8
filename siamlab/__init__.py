"""siamlab: self-supervised vision transformers as points of one design space, and what each
choice does to two properties of their features.

    from siamlab import open_images, open_models, siameseim, train
    run = siameseim().change("data=folder", "data.path=photos", "loss.weight=0.05")
    folder = train.train(run, "runs/mine")
    models = open_models(["runs/mine", "zoo:mae"])
    train_images, test_images = open_images("photos", models)

Letters in shapes: B images in a batch   N = rows · columns patches   V visible   P predicted
D width   F place features   H, W sides of a view in pixels   n tokens or images in all
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # type checkers and editors cannot follow __getattr__
    from siamlab import data, figure, probe, train, zoo
    from siamlab.component import UserError
    from siamlab.evaluate.images import open_images
    from siamlab.evaluate.models import open_model, open_models
    from siamlab.interop.adapter import TokenGrid
    from siamlab.recipes import (
        byol,
        demo_size,
        dense_byol,
        ijepa,
        mae,
        moco_v3,
        siameseim,
        simmim,
        simsiam,
    )
    from siamlab.run.run import Run
    from siamlab.train import runs

__version__ = "0.1.0"

# name: the module it is found in; imported when first asked for, so that `import siamlab` is fast
RECIPES = ("byol", "dense_byol", "ijepa", "mae", "moco_v3", "siameseim", "simmim", "simsiam")
_WHERE = {
    "Run": "siamlab.run.run",
    "TokenGrid": "siamlab.interop.adapter",
    "UserError": "siamlab.component",
    "open_model": "siamlab.evaluate.models",
    "open_models": "siamlab.evaluate.models",
    "open_images": "siamlab.evaluate.images",
    "runs": "siamlab.train",
} | dict.fromkeys((*RECIPES, "demo_size"), "siamlab.recipes")
_PACKAGES = ("data", "figure", "probe", "train", "zoo")

__all__ = [
    "Run",
    "TokenGrid",
    "UserError",
    "byol",
    "data",
    "demo_size",
    "dense_byol",
    "figure",
    "ijepa",
    "mae",
    "moco_v3",
    "open_images",
    "open_model",
    "open_models",
    "probe",
    "runs",
    "siameseim",
    "simmim",
    "simsiam",
    "train",
    "zoo",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"siamlab.{name}")
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'siamlab' has no attribute {name!r}; it has {__all__}")


def __dir__() -> list[str]:
    return __all__
