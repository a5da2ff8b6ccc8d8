"""Features of many images under a network, beside its bare forward pass on ready floats.

python -m benchmarks features                   # 1,000 images, ViT-B/16 at 224 pixels
python -m benchmarks features --images 200 --model vit_small_patch16_224 --threads 2

Both sides take turns on the same part of the images, and the one that was first is second on the
next part, so that a machine that slows down affects both. Weights and images are random, since
the time does not depend on their values. The target is a ratio of at most 1.3.
"""

import argparse
from collections.abc import Iterator
from typing import NamedTuple

import timm
import torch

from benchmarks.measure import table, timed
from benchmarks.probes import bare_pass, images
from siamlab import probe
from siamlab.machine.memory import keep_freed
from siamlab.probe.batches import Inputs, images_per_pass
from siamlab.train.environment import environment

MODEL = "vit_base_patch16_224"
WARM = 8  # images before the clock starts


class Turn(NamedTuple):
    """Seconds of both sides on one part of the images."""

    images: int
    bare: float
    features: float


def main() -> None:
    """Print the seconds of both sides and their ratio."""
    options = arguments()
    keep_freed()
    if options.threads:
        torch.set_num_threads(options.threads)
    about = environment()
    where = about["gpu"] if options.device == "cuda" else about["processor"]
    print(f"{options.model}, {where}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print("\n" + summary(list(turns(options))))


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line, or of `words`."""
    parser = argparse.ArgumentParser("python -m benchmarks features", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    here = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--images", type=int, default=1000, help="default 1000")
    parser.add_argument("--part", type=int, default=250, help="images of a turn (default 250)")
    parser.add_argument("--model", default=MODEL, help=f"of timm (default {MODEL})")
    parser.add_argument("--device", default=here, choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: torch's choice")
    return parser.parse_args(words)


def turns(options: argparse.Namespace) -> Iterator[Turn]:
    """Yield the seconds of each part, after both sides have seen a few images."""
    device = torch.device(options.device)
    torch.manual_seed(0)
    model = timm.create_model(options.model, num_classes=0).to(device).eval()
    inputs = Inputs.of(model)
    batch = images_per_pass(model, inputs.size)
    sizes = [WARM, *(min(options.part, options.images - done)
                     for done in range(0, options.images, options.part))]  # fmt: skip
    for number, size in enumerate(sizes):
        pixels = images(size, number, inputs.size[0]).pixels
        floats = (pixels.float() / 255).to(device)
        sides = {
            "bare": lambda f=floats: [bare_pass(model, part) for part in f.split(batch)],
            "features": lambda p=pixels: probe.features(model, p),
        }
        order = list(sides)[:: 1 if number % 2 else -1]
        seconds = {side: timed(sides[side], device) for side in order}
        if number:  # the first paid for memory and kernels
            yield Turn(size, **seconds)


def summary(found: list[Turn]) -> str:
    """Return a table of both sides, with the ratio of their sums and its range over the parts."""
    count = sum(turn.images for turn in found)
    bare, own = sum(turn.bare for turn in found), sum(turn.features for turn in found)
    each = sorted(turn.features / turn.bare for turn in found)
    lines = [
        ["bare forward pass", f"{count:,}", f"{bare:.1f}", f"{count / bare:.3g}", ""],
        ["features", f"{count:,}", f"{own:.1f}", f"{count / own:.3g}",
         f"{own / bare:.3f} ({each[0]:.3f} to {each[-1]:.3f})"],
    ]  # fmt: skip
    return table(["side", "images", "seconds", "images/s", "ratio of seconds"], lines)
