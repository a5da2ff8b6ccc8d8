"""Draw the pictures of README and docs (needs Chromium).

siamlab probe zoo:scenes_siameseim zoo:scenes_moco_v3 zoo:scenes_mae --suite full --images 8000 \\
    --out runs/long
python docs/pictures.py runs/long      # copies those scores to docs/demo_long.csv
python docs/pictures.py                # from the table in the repository
"""

import sys
from pathlib import Path

import polars
import torch
from plotly.subplots import make_subplots

from siamlab.colour import NoColour
from siamlab.data import Scenes
from siamlab.figure import (
    box_table,
    leaderboard_figure,
    leaderboard_table,
    patch_table,
    plane,
    plane_figure,
    views_figure,
)
from siamlab.figure.leaderboard import has_plane
from siamlab.figure.template import GREY, OKABE_ITO, finish
from siamlab.views import Crops, OverlappingCrops

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE)]
from build_leaderboard import by_board, picture  # noqa: E402
from build_results import plane_rows, plane_title  # noqa: E402

GRID = (5, 5)
GROWS = ("tokens", "batch", "width", "depth")


def draw_plane() -> None:
    """Draw the planes of the headline study and of the encoders of the long demo."""
    table = plane_rows()
    figure = plane_figure(table, title=plane_title())
    figure.write_image(HERE / "plane.png", width=760, scale=2)
    scores = polars.read_csv(HERE / "demo_long.csv")
    figure = plane(scores, title="Three recipes after 576,000 scenes")
    figure.write_image(HERE / "plane_scenes.png", width=760, scale=2)


def take_over(folder: Path) -> None:
    """Copy the scores of whole models, named by their recipes."""
    scores = polars.read_parquet(folder / "scores.parquet")
    whole = scores.filter(scores["layer"].is_null(), scores["head"].is_null())
    named = whole.with_columns(polars.col("model").str.strip_prefix("zoo:scenes_"))
    named.write_csv(HERE / "demo_long.csv")


def draw_leaderboard() -> None:
    """Draw the plane of each board of the leaderboard that has one."""
    for name, rows in by_board().items():
        if has_plane(rows):
            figure = leaderboard_figure(leaderboard_table(rows), name)
            figure.write_image(HERE / picture(name), width=760, scale=2)


def draw_growth() -> None:
    """Draw time and memory of a step against what grows, and the time that its operations predict.

    From `python -m benchmarks growth --out benchmarks/results`.
    """
    table = polars.read_parquet(HERE.parent / "benchmarks" / "results" / "growth.parquet")
    table = table.with_columns(work=polars.col("gflop") * polars.col("images"))
    base = table.filter(table["axis"] == "base")
    per_operation = base["seconds"][0] / base["work"][0]
    names = [name for name in table["axis"].unique(maintain_order=True) if name in GROWS]
    figure = make_subplots(2, len(names), shared_xaxes=True, shared_yaxes=True, column_titles=names)
    for column, name in enumerate(names, start=1):
        rows = polars.concat([base, table.filter(table["axis"] == name)]).sort("times")
        shown = dict(x=rows["times"], col=column, showlegend=column == 1)
        dotted = dict(mode="lines", line=dict(color=GREY, dash="dash"))
        solid = dict(mode="lines+markers", line=dict(color=OKABE_ITO[0]), marker=dict(size=8))
        expected = "predicted from its operations"
        figure.add_scatter(y=rows["work"] * per_operation, row=1, name=expected, **shown, **dotted)
        figure.add_scatter(y=rows["seconds"], row=1, name="measured", **shown, **solid)
        solid["name"], shown["showlegend"] = "measured", False
        figure.add_scatter(y=rows["megabytes"] / 1000, row=2, **shown, **solid)
    ticks = {0.25: "¼", 0.5: "½", 1: "1", 2: "2", 4: "4", 9: "9"}
    figure.update_xaxes(
        type="log", tickvals=list(ticks), ticktext=list(ticks.values()), tickangle=0
    )
    figure.update_xaxes(title_text="times the base", row=2)
    figure.update_yaxes(type="log", tickvals=[0.1, 0.2, 0.5, 1, 2, 5, 10])
    figure.update_yaxes(title_text="seconds per step", row=1, col=1)
    figure.update_yaxes(title_text="memory, GB", row=2, col=1)
    caption = "Base: ViT-Ti with patches of 8 at 64 pixels, 32 images per step, SiameseIM, "
    caption += "float32, two cores."
    finish(figure, "What a step costs as one thing grows", caption, 420)
    figure.update_layout(margin_b=96)
    figure.write_image(HERE / "growth.png", width=760, scale=2)


def draw_shortcut() -> None:
    """Draw two crops that only their background shows to belong together."""
    scenes = Scenes(images=8, test_images=2, contrast=1.0, size=(0.55, 0.6))("train")
    source, rng = scenes.pixels[2], torch.Generator().manual_seed(3)
    crops = OverlappingCrops(crop=Crops(area=(0.3, 0.5), flip=0.0), iou=0.2)
    context, target = crops(source[None], (40, 40), NoColour(), rng)
    every = torch.ones(25, dtype=torch.bool)
    patches = patch_table(context, target, every, ~every, GRID)
    tables = box_table(source, context, target), patches
    title = "Only the wall and the face show that these views belong together"
    figure = views_figure(source, context, target, *tables, title)
    figure.write_image(HERE / "shortcut.png", width=760, scale=2)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        take_over(Path(sys.argv[1]))
    draw_shortcut()
    draw_growth()
    draw_plane()
    draw_leaderboard()
