"""Learning rate and warm-up of each method, among the same four settings, on held-out images."""

from siamlab.recipes import byol, dense_byol, ijepa, mae, moco_v3, photo_size, siameseim, simmim
from siamlab.study import Recipes

SHORT = ("optimiser.warmup=0.1", "target.schedule=cosine")  # the second where a target moves
SETTINGS = {rate: (f"optimiser.lr={rate}", *SHORT) for rate in ("0.00064", "0.0016", "0.004")}
SETTINGS |= {"0.004 long warm-up": ()}  # that of `photo_size`

study = Recipes(
    question="Which of three learning rates, or a long warm-up, suits each method best at the size "
    "for photographs?",
    runs=tuple(
        photo_size(recipe(name=f"{recipe.__name__} {label}", roles="fixed")).change(
            "steps=1000", *(w for w in words if w != SHORT[1] or recipe not in (mae, simmim))
        )
        for recipe in (siameseim, mae, moco_v3, byol, simmim, ijepa, dense_byol)
        for label, words in SETTINGS.items()
    ),
    seeds=1,
    suite="quick",
    held_out=0.1,
)
