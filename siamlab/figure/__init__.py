"""Figures: each is two functions, from data to a table and from the table to a plotly figure.

from siamlab import figure
figure.plane(scores).show()
"""

from siamlab.figure.atlas import atlas_figure, atlas_table
from siamlab.figure.attention import (
    attention_figure,
    attention_maps_figure,
    attention_maps_table,
    attention_table,
)
from siamlab.figure.attribution import attribution_figure, attribution_table
from siamlab.figure.cka import cka_figure, cka_table
from siamlab.figure.components import components_figure, components_table
from siamlab.figure.correspondence import correspondence_figure, correspondence_table
from siamlab.figure.curves import (
    collapse_figure,
    collapse_table,
    learning_figure,
    learning_table,
    loss_figure,
    loss_table,
)
from siamlab.figure.disagreement import disagreement_figure, disagreement_table
from siamlab.figure.effects import effects_figure, effects_table
from siamlab.figure.film import film_figure, film_table, training_film
from siamlab.figure.importances import importances_figure, importances_table
from siamlab.figure.leaderboard import leaderboard_figure, leaderboard_table
from siamlab.figure.plane import plane, plane_figure, plane_table
from siamlab.figure.probes import probes_figure, probes_table
from siamlab.figure.profile import profile_figure, profile_table
from siamlab.figure.scores import comparison_table, score_table, terminal_table
from siamlab.figure.similarity import similarity_figure, similarity_table
from siamlab.figure.spectrum import spectrum_figure, spectrum_table
from siamlab.figure.views import box_table, patch_table, views_figure

__all__ = [
    "atlas_figure",
    "atlas_table",
    "attention_figure",
    "attention_maps_figure",
    "attention_maps_table",
    "attention_table",
    "attribution_figure",
    "attribution_table",
    "box_table",
    "cka_figure",
    "cka_table",
    "collapse_figure",
    "collapse_table",
    "comparison_table",
    "components_figure",
    "components_table",
    "correspondence_figure",
    "correspondence_table",
    "disagreement_figure",
    "disagreement_table",
    "effects_figure",
    "effects_table",
    "film_figure",
    "film_table",
    "importances_figure",
    "importances_table",
    "leaderboard_figure",
    "leaderboard_table",
    "learning_figure",
    "learning_table",
    "loss_figure",
    "loss_table",
    "patch_table",
    "plane",
    "plane_figure",
    "plane_table",
    "probes_figure",
    "probes_table",
    "profile_figure",
    "profile_table",
    "score_table",
    "similarity_figure",
    "similarity_table",
    "spectrum_figure",
    "spectrum_table",
    "terminal_table",
    "training_film",
    "views_figure",
]
