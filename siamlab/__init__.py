"""siamlab: self-supervised vision transformers as points of one design space, and what each
choice does to two properties of their features.

    from siamlab import runs, siameseim, train
    run = siameseim().change("data=folder", "data.path=photos", "loss.weight=0.05")
    folder = train.train(run, "runs/mine")

Letters in shapes: B images in a batch   N = rows · columns patches   V visible   P predicted
D width   F place features   H, W sides of a view in pixels   n tokens or images in all
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# name: the module it is found in; imported when first asked for, so that `import siamlab` is fast
_RECIPES = "byol dense_byol ijepa mae moco_v3 siameseim simmim simsiam demo_size".split()
_WHERE = {
    "Run": "siamlab.run",
    "UserError": "siamlab.component",
    "subject": "siamlab.subject",
    "load_encoder": "siamlab.train",
    "runs": "siamlab.train",
} | dict.fromkeys(_RECIPES, "siamlab.recipes")
_PACKAGES = ("data", "figure", "probe", "train", "zoo")

__all__ = [*sorted([*_WHERE, *_PACKAGES]), "__version__"]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"siamlab.{name}")
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'siamlab' has no attribute {name!r}; it has {__all__}")


def __dir__() -> list[str]:
    return __all__
