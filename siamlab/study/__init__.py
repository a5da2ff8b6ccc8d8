"""Studies: which choice does what, over seeds, with a verdict.

study = Ablation(question="...", base=run, axes=(Axis("loss", Choice("UniGrad"), ...),))
"""

from siamlab.study.definition import Ablation, Axis, Choice, Path, Recipes, Search

__all__ = ["Ablation", "Axis", "Choice", "Path", "Recipes", "Search"]
