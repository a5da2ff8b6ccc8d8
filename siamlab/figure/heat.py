"""Heat: the colours of values over a picture, the same in figures and explorers.

figure.update_layout(coloraxis=heat_axis(-1, 1, tickvals=[-1, 0, 1]))
"""

import math
from typing import Any

import numpy as np
from plotly.colors import cmocean, unlabel_rgb

from siamlab.component import UserError

# from the most negative value through 0 to the most positive: perceptually uniform and safe for
# the colour-blind (Thyng et al. 2016); the more of it, the less transparent
STOPS: tuple[str, ...] = tuple(cmocean.balance[1:-1])  # without its ends, almost black
OPACITY = 0.75  # of the largest value of either sign, as in heat.ts; that of 0 is 0
STEPS = 33  # colours of a scale; plotly interpolates between them


def heat_axis(low: float | int, high: float | int, **bar: Any) -> dict[str, Any]:
    """Return a colour axis for values from `low`, 0 or less, to `high`, 0 or more.

    Raises UserError for a `high` that is not finite.
    """
    if not math.isfinite(high):
        raise UserError(f"highest={high} must be a finite number: the colour scale ends there")
    return dict(cmin=low, cmax=high, colorscale=heat_scale(low, high), colorbar=bar)


def heat_scale(low: float | int, high: float | int) -> list[tuple[float, str]]:
    """Return place and colour: the value of larger size has the strongest, 0 is transparent."""
    largest = max(-low, high) or 1.0
    places = np.unique([*np.linspace(0, 1, STEPS), -low / ((high - low) or 1.0)])  # 0 is one
    values = (low + places * (high - low)) / largest
    channels = np.array([unlabel_rgb(stop) for stop in STOPS]).T
    at = np.linspace(-1, 1, len(STOPS))
    shades = np.stack([np.interp(values, at, channel) for channel in channels], axis=1)
    return [
        (float(place), f"rgba({red:.0f},{green:.0f},{blue:.0f},{OPACITY * abs(value):.3f})")
        for place, value, (red, green, blue) in zip(places, values, shades, strict=True)
    ]
