"""Two views of decoded images of 500 × 375 pixels at 224: SiameseIM's crops and colours.

The usual pipeline for comparison: the same operations by torchvision, one PIL image at a time, in
this process and in a DataLoader with as many workers as --threads. `--peer` adds the transforms of
lightly, or those of stable-pretraining on a batch of the device. --threads 1: rates of one core.
"""

from typing import Any

import torch
from PIL import Image, ImageFilter
from torch import Generator
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2 as vision

from benchmarks.measure import Work, measured
from benchmarks.peer import Peer
from siamlab import colour
from siamlab.model.standard import MEAN, STD
from siamlab.run import Compute
from siamlab.train.device import choose_device
from siamlab.views import TwoCrops

HEIGHT, WIDTH, SIZE = 375, 500, 224
IMAGES = {"cpu": 32, "cuda": 512}  # per repetition


class Blur:
    """Gaussian blur by PIL, with σ uniform in 0.1..2 pixels."""

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.filter(ImageFilter.GaussianBlur(float(torch.empty(1).uniform_(0.1, 2))))


class ViewPairs(Dataset):
    """Pairs of views of PIL images, for a DataLoader."""

    def __init__(self, pictures: list[Image.Image], *transforms: vision.Compose):
        self.pictures, self.transforms = pictures, transforms

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        return tuple(view(self.pictures[index]) for view in self.transforms)


def torchvision_view(recipe: colour.Strengths) -> vision.Compose:
    """Return one view of a PIL image by torchvision's transforms, as in the code of papers."""
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
    """Return pairs per second of the usual pipeline, of siamlab and, if given, of the peer."""
    choose_device(Compute(device=device.type))  # as in training: products on a GPU in TF32
    count = IMAGES[device.type]
    pixels = torch.randint(0, 256, (count, 3, HEIGHT, WIDTH), dtype=torch.uint8)
    pictures = [Image.fromarray(p.permute(1, 2, 0).numpy()) for p in pixels[:32]]
    recipes = colour.STRONG_CONTEXT, colour.STRONG_TARGET
    context, target = map(torchvision_view, recipes)
    images, rng = pixels.to(device), Generator(device).manual_seed(0)
    recipe, views = colour.SiameseColour(), TwoCrops()

    def theirs() -> list[torch.Tensor]:
        return [torch.stack([view(p) for p in pictures]) for view in (context, target)]

    pairs = ViewPairs(pictures, context, target)
    workers = dict(num_workers=torch.get_num_threads(), multiprocessing_context="spawn")
    loader = DataLoader(pairs, len(pictures) // 2, persistent_workers=True, **workers)
    ours = lambda: views(images, (SIZE, SIZE), recipe, rng)  # noqa: E731
    works = [
        Work("torchvision on PIL images", theirs, len(pictures), "pairs"),
        Work("the same in a DataLoader", lambda: list(loader), len(pictures), "pairs"),
        Work("siamlab", ours, count, "pairs"),
    ]
    if not peer:
        return measured(works, device, repeats)
    images_each = len(pictures) if peer == "lightly" else count  # the other works on the device
    size = dict(images=images_each, size=SIZE, height=HEIGHT, width=WIDTH, device=device.type)
    other = Peer(peer, "views", torch.get_num_threads(), **size)
    works.append(Work(f"{peer}'s transforms", other, images_each, "pairs", note=other.versions))
    table = measured(works, device, repeats)
    other.end()
    return table
