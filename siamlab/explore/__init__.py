"""Explorers: linked pictures that answer clicks, in a notebook or as one HTML file."""

from siamlab.explore.eye import EyeExplorer
from siamlab.explore.models import ModelsExplorer
from siamlab.explore.pair import PairExplorer
from siamlab.explore.path import PathExplorer
from siamlab.explore.plane.explorer import PlaneExplorer
from siamlab.explore.plane.study import StudyExplorer
from siamlab.explore.reconstruction import ReconstructionExplorer
from siamlab.explore.viewer import Viewer

__all__ = [
    "EyeExplorer",
    "ModelsExplorer",
    "PairExplorer",
    "PathExplorer",
    "PlaneExplorer",
    "ReconstructionExplorer",
    "StudyExplorer",
    "Viewer",
]
