"""Corrupted images: five kinds at five severities, as ImageNet-C has them.

for kind in KINDS:
    worse = corrupted(images.pixels, kind, severity=3)
"""

from collections.abc import Callable
from io import BytesIO

import numpy
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Generator, Tensor

from siamlab.component import UserError, unknown
from siamlab.geometry import Count
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_pixels

Chunk = Float[Tensor, "c 3 H W"]  # 0..255
NOISE = (0.08, 0.12, 0.18, 0.26, 0.38)  # σ, of images in 0..1
BLUR = (1.0, 2.0, 3.0, 4.0, 6.0)  # σ in pixels of a side of 224
CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)  # share that remains
PIXELATION = (0.6, 0.5, 0.4, 0.3, 0.25)  # share of the pixels that remain along each side
QUALITY = (25, 18, 15, 10, 7)  # of a JPEG file
SIDE = 224


@typed
def corrupted(
    images: UInt8[Tensor, "n 3 H W"], kind: str, severity: int, seed: int = 0, chunk: Count = 256
) -> UInt8[Tensor, "n 3 H W"]:
    """Apply one kind of corruption to the images; severity 1..5, and 0 changes nothing.

    The strengths are ImageNet-C's for 224 pixels (Hendrycks & Dietterich 2019). At other sizes the
    blur's σ scales with the longer side, to hide as much of the picture: at 48 pixels, severity 1
    is nearly invisible. Pixelation keeps the same share of the pixels along each side, since blocks
    that scale with the side would be smaller than a pixel of small images. The same image in the
    same place gets the same noise at all severities. Memory: some copies of `chunk` images,
    float32.
    """
    check_pixels("images", images, "n 3 H W")
    if kind not in _KINDS:
        raise UserError(unknown("there is no corruption", kind, KINDS))
    if severity not in range(6):
        raise UserError(f"severity={severity} must be 0 (none), 1, 2, 3, 4 or 5 (worst)")
    if severity == 0:
        return images.clone()
    corrupt, strengths = _KINDS[kind]
    rng = torch.Generator().manual_seed(seed)
    parts = [corrupt(part.float(), strengths[severity - 1], rng) for part in images.split(chunk)]
    return torch.cat([part.round().clamp(0, 255).byte() for part in parts])


def _noise(images: Chunk, sigma: float, rng: Generator) -> Chunk:
    """Independent Gaussian noise, drawn image by image, so that chunks do not matter."""
    noise = torch.stack([torch.randn(images.shape[1:], generator=rng) for _ in images])
    return images + 255 * sigma * noise.to(images.device)


def _blur(images: Chunk, sigma: float, rng: Generator) -> Chunk:
    """Gaussian blur, as diffusion between pixels: variance σ² even if σ is under a pixel."""
    time = (sigma * max(images.shape[2:]) / SIDE) ** 2 / 2
    rows, columns = (_diffusion(n, time).to(images) for n in images.shape[2:])
    return rows @ images @ columns


def _contrast(images: Chunk, left: float, rng: Generator) -> Chunk:
    mean = images.mean(dim=(2, 3), keepdim=True)
    return mean + left * (images - mean)


def _pixelation(images: Chunk, left: float, rng: Generator) -> Chunk:
    def pixelated(image: Image.Image) -> Image.Image:
        size = [max(1, int(left * n)) for n in image.size]
        return image.resize(size, Image.Resampling.BOX).resize(image.size, Image.Resampling.BOX)

    return _each(images, pixelated)


def _jpeg(images: Chunk, quality: int, rng: Generator) -> Chunk:
    def reread(image: Image.Image) -> Image.Image:
        file = BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return _each(images, reread)


def _each(images: Chunk, change: Callable[[Image.Image], Image.Image]) -> Chunk:
    """Apply a Pillow function to every image."""
    pixels = images.byte().permute(0, 2, 3, 1).cpu().numpy()  # [c, H, W, 3]
    changed = numpy.stack([numpy.asarray(change(Image.fromarray(image))) for image in pixels])
    return torch.from_numpy(changed).permute(0, 3, 1, 2).to(images)


def _diffusion(n: int, time: float) -> Float[Tensor, "n n"]:
    """exp(time · Laplacian) of a row of pixels whose ends reflect; rows and columns sum to 1."""
    step = torch.diff(torch.eye(n, dtype=torch.double), dim=0)  # [n - 1, n], pixel to pixel
    return torch.linalg.matrix_exp(-time * step.T @ step)


_KINDS: dict[str, tuple[Callable[..., Chunk], tuple[float, ...]]] = {
    "noise": (_noise, NOISE),
    "blur": (_blur, BLUR),
    "contrast": (_contrast, CONTRAST),
    "pixelation": (_pixelation, PIXELATION),
    "jpeg": (_jpeg, QUALITY),
}
KINDS = tuple(_KINDS)
