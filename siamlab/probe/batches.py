"""Batches: images through a model, as many in a pass as there is memory for.

for tokens in in_passes(partial(final_tokens, model), model, images, inputs):    # [B, T, D]

How many a pass takes depends on the size of model and images, so that two machines round alike;
only where memory is short does it take fewer. Where memory runs out all the same, the pass is
repeated with half as many images.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from siamlab.geometry import Grid
from siamlab.machine.device import numbers_on
from siamlab.machine.internals import tensors_to
from siamlab.machine.shortage import free_memory, is_shortage, release_cached
from siamlab.machine.terminal import caution

Pixels = UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"]
Triple = tuple[float, float, float]
MOST = 256  # images in a pass
ACTIVATIONS = MOST * 14**2 * 768  # numbers of one activation in a pass: 154 MB, of a ViT-B/16
HELD = 12  # activations that a block holds at once: queries, keys, values, four times the width, …
SHARE = 0.5  # of the free memory that a pass may take
# images in a pass of a model for which memory was enough after it had run out
_enough: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()


class Inputs(NamedTuple):
    """The size and scale of the images that a model takes."""

    size: Grid  # height, width in pixels
    mean: Triple  # subtracted from each channel of an image in 0..1
    std: Triple  # then divided by

    @classmethod
    def of(cls, model: nn.Module) -> "Inputs":
        """The size, mean and std that the model was made for, from its timm configuration."""
        from timm.data import resolve_model_data_config

        config = resolve_model_data_config(model)
        size = getattr(model.patch_embed, "img_size", None) or config["input_size"][1:]
        return cls(tuple(size), tuple(config["mean"]), tuple(config["std"]))


def in_passes(
    function: Callable[[Tensor], Any],
    model: nn.Module,
    images: Pixels,
    inputs: Inputs,
    batch: int = MOST,
    kept: int = 0,
) -> Iterator[Any]:
    """Yield `evaluated(model, function, x)` for one batch x of standardised images after another.

    A batch has at most `batch` images, and fewer where the model or the images are large
    (`images_per_pass`) or little memory is free (`images_in_memory`). Where memory runs out all the
    same, it is halved until it is enough, and a warning says so once for each model. `kept`:
    activations of each image that `function` returns. `function` must not return None.
    """
    most = min(batch, images_per_pass(model, inputs.size), _enough.get(model, batch))
    most = tried = min(most, images_in_memory(model, inputs.size, kept))
    prepare, first = _preparing(model, inputs), 0
    while first == 0 or first < len(images):
        part = images[first : first + most]
        found = _passed(lambda part: evaluated(model, function, prepare(part)), part)
        if found is None:
            most = len(part) // 2
            continue
        if most < tried:
            tried = _enough[model] = most
            caution(
                f"memory was not enough for more than {most} images at once through "
                f"{type(model).__name__}, so passes are that small from here on",
                stacklevel=3,
            )
        yield found
        if not len(part):
            return
        first += len(part)


def _passed(through: Callable[[Pixels], Any], part: Pixels) -> Any:
    """What comes out; None if memory runs out where fewer images might pass."""
    try:
        return through(part)
    except Exception as error:
        if len(part) < 2 or not is_shortage(error):
            raise
    release_cached()  # here, where the error holds no tensors of the failed pass any more
    return None


def images_per_pass(model: nn.Module, size: Grid) -> int:
    """Return how many images of `size` pixels a pass takes at most: fewer for large models.

    Depends on nothing else, so that two machines round alike where memory is not short.
    """
    rows, columns = grid_of(model, size)
    return max(1, min(MOST, ACTIVATIONS // (rows * columns * max(1, model.num_features))))


def images_in_memory(model: nn.Module, size: Grid, kept: int = 0) -> int:
    """Return how many images of `size` pixels a pass takes at most in the memory that is free now.

    1 or more. Of the processor's or the GPU's memory, whichever the model lies in, a pass may take
    half. `kept`: activations of each image that a pass returns.
    """
    memory = free_memory(next(model.parameters()).device.type == "cuda")
    if memory is None:
        return MOST
    rows, columns = grid_of(model, size)
    activation = rows * columns * max(1, model.num_features)
    numbers = (HELD + kept) * activation + 2 * 3 * size[0] * size[1]  # resized and standardised
    return min(MOST, max(1, int(SHARE * memory[0]) // (4 * numbers)))


def grid_of(model: nn.Module, size: Grid) -> Grid:
    """Rows and columns of patches of an image of `size` pixels."""
    return tuple(model.patch_embed.dynamic_feat_size(size))


def standardised(model: nn.Module, images: Pixels, inputs: Inputs, batch: int) -> Iterator[Tensor]:
    """Yield batches of what the model takes, on its device, from bytes or floats in 0..1.

    Of `batch` images, or of fewer where they are large (`images_per_pass`). Without the help of
    `in_passes` against a lack of memory: for passes that need gradients.
    """
    prepare = _preparing(model, inputs)
    for part in images.split(min(batch, images_per_pass(model, inputs.size))):
        yield prepare(part)


def _preparing(model: nn.Module, inputs: Inputs) -> Callable[[Pixels], Tensor]:
    """Return the function that makes what the model takes of a batch of images."""
    device = next(model.parameters()).device
    shift, scale = (torch.tensor(t, device=device).view(3, 1, 1) for t in inputs[1:])

    def prepare(part: Pixels) -> Tensor:
        pinned = device.type == "cuda" and part.device.type == "cpu"
        part = (part.pin_memory() if pinned else part).to(device, non_blocking=True)
        part = part.float() / 255 if part.dtype == torch.uint8 else part
        if tuple(part.shape[2:]) != tuple(inputs.size):
            part = F.interpolate(part, inputs.size, mode="bilinear", antialias=True)
        return (part - shift) / scale

    return prepare


def evaluated(model: nn.Module, function: Callable[[Tensor], Any], x: Tensor) -> Any:
    """Call `function(x)` with the model in evaluation mode, without gradients.

    Not in inference mode: tensors that a model caches must be trainable later. Tensors come back
    where their numbers are computed (`numbers_on`).
    """
    with evaluating(model), torch.no_grad():
        found = function(x)
    home = numbers_on(x.device)
    return tensors_to(home, found)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Set the model to evaluation mode, and restore the mode of each module afterwards."""
    was = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in was.items():
            module.training = training
