"""Matches: the places of the crops of a page on which two of its models differ most.

disagreements(encoders, crops, first=0, second=1)       # as the page shows them
"""

from typing import Any

import polars as pl

from siamlab.explore.view.crops import Crops
from siamlab.explore.view.encoders import Encoders
from siamlab.explore.view.photos import Refused
from siamlab.figure import disagreement_table
from siamlab.figure.template import colours


def disagreements(
    encoders: Encoders,
    crops: Crops,
    first: int,
    second: int,
    steps: tuple[int | None, int | None] = (None, None),
) -> dict[str, Any]:
    """Return one place of each pair of views, the largest difference of errors first.

    With the mean errors, in patches, over all `places` that both crops show; `steps` are those of
    both encoders, None for the finished ones. Raises Refused for only one model.
    """
    if first == second:
        raise Refused("a model does not disagree with itself; choose two", 400)
    sides = zip((first, second), steps, strict=True)
    found = {encoders.name(i): encoders.both(i, crops, step) for i, step in sides}
    grid = next(iter(found.values()))[0].grid
    table = disagreement_table(found, *crops.views, each=None, match=crops.match(grid))
    best = table.filter(pl.col("rank") == pl.col("rank").min().over("pair"))
    colour = colours([encoders.name(i) for i in range(len(encoders.models))])
    return {
        "side": crops.side,
        "scenes": len(crops.scenes or ()),
        "places": table["rank"].n_unique(),
        "models": [
            {"name": name, "colour": colour[name], "grid": list(features[0].grid),
             "mean": table.filter(model=name)["patches"].mean()}
            for name, features in found.items()
        ],
        "entries": [_entry(part, crops) for part in best.partition_by("rank", maintain_order=True)],
    }  # fmt: skip


def _entry(rows: pl.DataFrame, crops: Crops) -> dict[str, Any]:
    first = rows.row(0, named=True)
    a, b = crops.photos[first["pair"]]
    found = rows.select(y="found_y", x="found_x", error="error", patches="patches").to_dicts()
    return {"a": a.id, "b": b.id, "name": crops.source(first["pair"]), "found": found} | {
        key: first[key] for key in ("y", "x", "true_y", "true_x")
    }
