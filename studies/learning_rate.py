"""Which learning rate each method gets: the same three for all, chosen on held-out images."""

from siamlab.recipes import byol, dense_byol, ijepa, mae, moco_v3, photo_size, siameseim, simmim
from siamlab.study import Recipes

RATES = (1.6e-3, 4e-3, 1e-2)

study = Recipes(
    question="Which of three learning rates suits each method best at the size for photographs?",
    runs=tuple(
        photo_size(recipe()).change(
            "roles=fixed", "steps=500", f"optimiser.lr={rate}", name=f"{recipe.__name__} {rate:g}"
        )
        for recipe in (siameseim, mae, simmim, moco_v3, byol, ijepa, dense_byol)
        for rate in RATES
    ),
    seeds=1,
    suite="quick",
    held_out=0.1,
)
