"""Figures: rows to a named table, table to a plotly figure, as two functions each.

from siamlab import figure
figure.plane_figure(figure.plane_table(scores)).show()
"""

from siamlab.figure.attention import attention_figure, attention_table
from siamlab.figure.correspondence import correspondence_figure, correspondence_table
from siamlab.figure.curves import collapse_figure, collapse_table, loss_figure, loss_table
from siamlab.figure.plane import plane_figure, plane_table
from siamlab.figure.probes import probes_figure, probes_table
from siamlab.figure.scores import beyond, score_table, terminal_table
from siamlab.figure.views import box_table, patch_table, views_figure

__all__ = [
    "attention_figure",
    "attention_table",
    "beyond",
    "box_table",
    "collapse_figure",
    "collapse_table",
    "correspondence_figure",
    "correspondence_table",
    "loss_figure",
    "loss_table",
    "patch_table",
    "plane_figure",
    "plane_table",
    "probes_figure",
    "probes_table",
    "score_table",
    "terminal_table",
    "views_figure",
]
