"""Whole methods side by side, with every probe."""

from siamlab.recipes import byol, dense_byol, ijepa, mae, moco_v3, photo_size, siameseim, simmim
from siamlab.study import Recipes

study = Recipes(
    question="Is SiameseIM as semantic as instance discrimination and as spatial as masked "
    "modelling, and where is its gain largest?",
    runs=tuple(
        photo_size(recipe()).change("roles=fixed", "steps=2000")
        for recipe in (siameseim, mae, moco_v3, byol, simmim, ijepa, dense_byol)
    ),
)
