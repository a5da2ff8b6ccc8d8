"""A search over the whole design space, for both scores and cost."""

from siamlab.recipes import photo_size, siameseim
from siamlab.study import Search

BASE = photo_size(siameseim()).change("steps=1000")
AXES = {
    "views": ["independent", "same", "recoloured", "shifted", "overlapping", "nested"],
    "colour": ["siameseim", "none", "light"],
    "masking": ["blockwise", "random", "grid", "none"],
    "positions": ["relative", "offset", "own", "none"],
    "loss": ["unigrad", "cosine", "mse", "vicreg"],
    "target": ["momentum", "online"],
}

study = Search(
    question="Which combinations of choices are on the Pareto front of both scores and cost?",
    suggest=lambda trial: BASE.change(
        *(f"{axis}={trial.suggest_categorical(axis, names)}" for axis, names in AXES.items()),
        f"optimiser.lr={trial.suggest_float('lr', 1e-3, 8e-3, log=True)}",
    ),
    objectives=("semantic", "spatial", "cost"),
)
