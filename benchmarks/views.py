"""Two views of decoded images of 500 × 375 pixels at 224: SiameseIM's crops and colours.

Beside them the usual pipeline: the same operations with torchvision on one PIL image at a time, as
it is and in a DataLoader with as many workers as threads are given; `--peer` adds lightly's
transforms, or stable-pretraining's on a batch of the device. For rates of one core: --threads 1.
"""

from typing import Any

import torch
from PIL import Image, ImageFilter
from torch import Generator
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2 as vision

from benchmarks.measure import Work, measured
from benchmarks.peer import Peer
from siamlab import photometric
from siamlab.model.encoder import MEAN, STD
from siamlab.run import Compute
from siamlab.train.setup import choose_device
from siamlab.views import TwoCrops

HEIGHT, WIDTH, SIZE = 375, 500, 224
IMAGES = {"cpu": 32, "cuda": 512}  # a repetition


class Blur:
    """PIL's Gaussian blur with σ uniform in 0.1..2 pixels."""

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.filter(ImageFilter.GaussianBlur(float(torch.empty(1).uniform_(0.1, 2))))


class Pictures(Dataset):
    """Pairs of views of pictures, for a DataLoader."""

    def __init__(self, pictures: list[Image.Image], *sides: vision.Compose):
        self.pictures, self.sides = pictures, sides

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        return tuple(view(self.pictures[index]) for view in self.sides)


def usual(recipe: photometric.Recipe) -> vision.Compose:
    """One view by torchvision's transforms on a PIL image, as papers' code has it."""
    factors = recipe.brightness, recipe.contrast, recipe.saturation, recipe.hue
    steps = [
        vision.RandomResizedCrop(SIZE, interpolation=vision.InterpolationMode.BICUBIC),
        vision.RandomHorizontalFlip(),
        vision.RandomApply([vision.ColorJitter(*factors)], recipe.jitter),
        vision.RandomGrayscale(recipe.grey),
        vision.RandomApply([Blur()], recipe.blur),
        vision.RandomSolarize(128, recipe.solarize),
        vision.ToImage(),
        vision.ToDtype(torch.float32, scale=True),
        vision.Normalize(MEAN, STD),
    ]
    return vision.Compose([s for s in steps if getattr(s, "p", 1) > 0])


def rows(device: torch.device, peer: str, repeats: int) -> list[dict[str, Any]]:
    """Pairs a second of the usual pipeline, siamlab's and, if asked for, the peer's."""
    choose_device(Compute(device=device.type))  # as training sets it: a GPU's products in TF32
    count = IMAGES[device.type]
    pixels = torch.randint(0, 256, (count, 3, HEIGHT, WIDTH), dtype=torch.uint8)
    pictures = [Image.fromarray(p.permute(1, 2, 0).numpy()) for p in pixels[:32]]
    context, target = usual(photometric.STRONG_CONTEXT), usual(photometric.STRONG_TARGET)
    held, rng = pixels.to(device), Generator(device).manual_seed(0)
    colour, views = photometric.SiameseColour(), TwoCrops()

    def theirs() -> list[torch.Tensor]:
        return [torch.stack([view(p) for p in pictures]) for view in (context, target)]

    pairs = Pictures(pictures, context, target)
    workers = dict(num_workers=torch.get_num_threads(), multiprocessing_context="spawn")
    loader = DataLoader(pairs, len(pictures) // 2, persistent_workers=True, **workers)
    ours = lambda: views(held, (SIZE, SIZE), colour, rng)  # noqa: E731
    works = [
        Work("torchvision on PIL images", theirs, len(pictures), "pairs"),
        Work("the same in a DataLoader", lambda: list(loader), len(pictures), "pairs"),
        Work("siamlab", ours, count, "pairs"),
    ]
    if not peer:
        return measured(works, device, repeats)
    many = len(pictures) if peer == "lightly" else count  # the other makes them on the device
    size = dict(images=many, size=SIZE, height=HEIGHT, width=WIDTH, device=device.type)
    other = Peer(peer, "views", torch.get_num_threads(), **size)
    works.append(Work(f"{peer}'s transforms", other, many, "pairs", note=other.versions))
    found = measured(works, device, repeats)
    other.end()
    return found
