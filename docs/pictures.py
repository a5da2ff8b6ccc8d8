"""Make the pictures of the README and the docs (needs Chromium).

siamlab probe zoo:siameseim zoo:moco_v3 zoo:mae --suite full --images 8000 --out runs/long
python docs/pictures.py runs/long      # takes those scores over as docs/demo_long.csv
python docs/pictures.py                # from the table that is there
"""

import sys
from pathlib import Path

import polars
import torch

from siamlab.data import Scenes
from siamlab.figure import box_table, patch_table, plane, views_figure
from siamlab.photometric import NoColour
from siamlab.views import Crops, OverlappingCrops

HERE = Path(__file__).parent
GRID = (5, 5)


def draw_plane() -> None:
    """The plane of the long demo, from its committed table."""
    scores = polars.read_csv(HERE / "demo_long.csv")
    figure = plane(scores, title="Three recipes after 576,000 images")
    figure.write_image(HERE / "plane.png", width=760, scale=2)


def take_over(folder: Path) -> None:
    """The scores of whole models, under their recipes' names."""
    scores = polars.read_parquet(folder / "scores.parquet")
    whole = scores.filter(scores["layer"].is_null(), scores["head"].is_null())
    named = whole.with_columns(polars.col("model").str.strip_prefix("zoo:"))
    named.write_csv(HERE / "demo_long.csv")


def draw_shortcut() -> None:
    """Two crops that could be told to belong together by their background alone."""
    scenes = Scenes(images=8, test_images=2, contrast=1.0, size=(0.55, 0.6))("train")
    source, rng = scenes.pixels[2], torch.Generator().manual_seed(3)
    crops = OverlappingCrops(crop=Crops(area=(0.3, 0.5), flip=0.0), iou=0.2)
    context, target = crops(source[None], (40, 40), NoColour(), rng)
    every = torch.ones(25, dtype=torch.bool)
    patches = patch_table(context, target, every, ~every, GRID)
    tables = box_table(source, context, target), patches
    title = "The wall and the face alone tell that these views belong together"
    figure = views_figure(source, context, target, *tables, title)
    figure.write_image(HERE / "shortcut.png", width=760, scale=2)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        take_over(Path(sys.argv[1]))
    draw_shortcut()
    draw_plane()
