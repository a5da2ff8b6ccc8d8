"""k-NN of one model on images with labels, each left out in turn, by precision of its features.

python -m benchmarks weights timm:vit_base_patch16_clip_quickgelu_224@clip.safetensors \\
    --data cifar10                              # cifar10/train/CLASS/ and cifar10/test/CLASS/
python -m benchmarks weights timm:vit_small_patch14_dinov2@small.safetensors --data cifar10 \\
    --images 40 --precision float32

The model is named as in `siamlab probe`. Images are drawn by a seed from those to test on, and
neighbours are found by class tokens, or by the mean of the patches where there is no such token.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, get_args

import torch

from benchmarks.measure import table
from siamlab.data import Folder, Images
from siamlab.evaluate.models import NamedModel, open_model
from siamlab.machine.device import device_named
from siamlab.probe import inputs
from siamlab.probe.knn import knn_votes
from siamlab.probe.suite.passes import Passes, Precision
from siamlab.train.environment import environment

KS = (1, 5, 10, 20)


class Row(NamedTuple):
    """What one precision gives."""

    precision: str
    seconds: float
    right: dict[int, float]  # share of the images, by number of neighbours


def main() -> None:
    """Print a line about the model and the machine, and a row for each precision."""
    options = arguments()
    named = open_model(options.model)
    images = labelled(options.data, options.images)
    device = device_named(options.device)
    where = environment()["gpu" if device.type == "cuda" else "processor"]
    print(f"{named.about or named.name}; {len(images.labels):,} images; {where}, "
          f"{torch.get_num_threads()} threads, torch {torch.__version__}\n")  # fmt: skip
    found = list(rows(named, images, options.size, options.k, options.precision, device))
    print(table(["precision", "seconds", *(f"k = {k}" for k in options.k)], map(cells, found)))


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line, or of `words`."""
    parser = argparse.ArgumentParser("python -m benchmarks weights", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    parser.add_argument("model", help="as in siamlab probe: timm:NAME@FILE, a file, a folder")
    parser.add_argument("--data", type=Path, required=True, help="folder of train/ and test/")
    parser.add_argument("--images", type=int, default=400, help="default 400")
    parser.add_argument("--size", type=int, help="pixels; default: the model's own")
    parser.add_argument("--k", type=int, nargs="+", default=KS, help="neighbours (1 5 10 20)")
    parser.add_argument("--precision", nargs="+", choices=get_args(Precision),
                        default=["float32", "bfloat16"], help="default: the first two")  # fmt: skip
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    return parser.parse_args(words)


def labelled(folder: Path, most: int) -> Images:
    """At most `most` of the test images, stored at 32 pixels as those of CIFAR-10 are."""
    data = Folder(path=str(folder / "train"), test_path=str(folder / "test"), side=32)
    return data.sample("test", most).images


def rows(
    named: NamedModel,
    images: Images,
    size: int | None,
    ks: list[int],
    precisions: list[Precision],
    device: torch.device,
) -> Iterator[Row]:
    """Yield the shares of images whose class the neighbours name, in each precision."""
    model = named.model.to(device)
    taken = inputs(model)
    taken = taken._replace(size=(size, size)) if size else taken
    for precision in precisions:
        start = perf_counter()
        seen = Passes(model, taken, precision=precision).features_without_patches(images.pixels)
        features = (seen.pooled if seen.cls is None else seen.cls).float().cpu()
        seconds = perf_counter() - start
        answers = {k: knn_votes(features, images.labels, k).label for k in ks}
        right = {k: (a == images.labels).float().mean().item() for k, a in answers.items()}
        yield Row(precision, seconds, right)


def cells(row: Row) -> list[str]:
    return [row.precision, f"{row.seconds:.0f}", *(f"{share:.3f}" for share in row.right.values())]
