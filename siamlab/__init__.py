"""siamlab: self-supervised vision transformers as points of one design space, and what each
choice does to two properties of their features.

    from siamlab import Run, siameseim, train, runs
    folder = train(siameseim(data=Folder(path="photos")).change("loss.weight=0.05"), "runs/mine")

Letters in shapes: B images in a batch   N = rows · columns patches   V visible   P predicted
D width   F place features   H, W sides of a view in pixels   n tokens or images in all
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# name: the module it is found in; imported when first asked for, so that `import siamlab` is fast
_WHERE = {
    "Run": "siamlab.run",
    "UserError": "siamlab.component",
    "subject": "siamlab.subject",
    "load_encoder": "siamlab.train.export",
    "runs": "siamlab.train.folder",
    "figure": "siamlab.figure",
    "probe": "siamlab.probe",
} | dict.fromkeys(
    ("byol", "demo_size", "dense_byol", "ijepa", "mae", "moco_v3", "siameseim", "simmim", "simsiam"),
    "siamlab.recipes",
)

__all__ = [*sorted(_WHERE), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'siamlab' has no attribute {name!r}; it has {__all__}")
    module = import_module(_WHERE[name])
    return module if _WHERE[name] == f"siamlab.{name}" and name in _PACKAGES else getattr(module, name)


_PACKAGES = ("figure", "probe")


def __dir__() -> list[str]:
    return __all__
