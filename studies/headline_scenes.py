"""Whole methods side by side, with every probe, on scenes."""

from siamlab.recipes import byol, demo_size, ijepa, mae, moco_v3, siameseim
from siamlab.study import Recipes

study = Recipes(
    question="Is SiameseIM as semantic as instance discrimination and as spatial as masked "
    "modelling, and where is its gain largest?",
    runs=tuple(
        demo_size(recipe()).change("roles=fixed", "steps=3000")
        for recipe in (siameseim, mae, moco_v3, byol, ijepa)
    ),
)
