"""The recipe of fine-tuning, built from timm's own parts.

recipe = FineTune(epochs=20, batch=128)         # all weights
recipe = RECIPES["linear"].model_copy(update={"batch": 512})    # only a linear layer, like MAE's
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

from PIL.Image import Image
from pydantic import AfterValidator, Field
from torch import Tensor, nn
from torch.optim import Optimizer

from siamlab.component import Allowed, Component, ascending
from siamlab.probe.batches import Inputs

if TYPE_CHECKING:
    from timm.data import Mixup
    from timm.scheduler import CosineLRScheduler

AUGMENT = r"^(rand-m\d+(-n\d+)?(-mstd\d+(\.\d+)?)?-inc1)?$"
STRONGEST = 9.99  # of 10: at 10, timm posterizes to 0 bits, which Pillow refuses

Share = Annotated[float, Field(ge=0, le=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]
NAMES = Allowed("the name of a RandAugment of timm, such as rand-m9-mstd0.5-inc1, or empty")


class FineTune(Component):
    """A recipe of fine-tuning. The defaults are MAE's for ViT-B/16 on ImageNet (He et al. 2022).

    On few images, a small model hardly changes with them: set epochs, batch, lr and crop.
    """

    frozen: bool = Field(
        default=False, description="only the head learns; the encoder stays as it is"
    )
    head: Literal["layer", "batch"] = Field(
        default="layer",
        description="what the linear layer sees: LayerNorm in place of the encoder's last norm, or "
        "that norm and BatchNorm without weights",
    )
    optimiser: Literal["adamw", "lars"] = Field(
        default="adamw", description="lars: momentum 0.9, trust coefficient 0.001"
    )
    epochs: int = Field(
        default=100, ge=1, le=100_000, description="passes over the training images"
    )
    batch: int = Field(
        default=1024, ge=2, multiple_of=2, description="images per step; even: pairs mix"
    )
    lr: float = Field(default=2.5e-4, gt=0, description="learning rate per 256 images per step")
    betas: tuple[Beta, Beta] = Field(
        default=(0.9, 0.999), description="decay rates of AdamW's running means"
    )
    weight_decay: float = Field(
        default=0.05, ge=0, description="weight decay, except of biases, norms, tokens, positions"
    )
    layer_decay: float = Field(
        default=0.65, gt=0, le=1, description="lr of a block over the next one's"
    )
    warmup: float = Field(
        default=0.05, ge=0, lt=1, description="share of the steps; then half a cosine"
    )
    drop_path: float = Field(
        default=0.1, ge=0, lt=1, description="drop-path rate of the last block; 0 in the first"
    )
    crop: Annotated[tuple[Share, Share], AfterValidator(ascending)] = Field(
        default=(0.08, 1.0), description="least and largest area, shares of the image"
    )
    flip: Share = Field(default=0.5, description="probability of a mirrored image")
    augment: Annotated[str, NAMES] = Field(
        default="rand-m9-mstd0.5-inc1",
        pattern=AUGMENT,
        description="timm's name of the augmentation; empty: none",
    )
    erasing: Share = Field(default=0.25, description="probability of an erased rectangle")
    mixup: float = Field(
        default=0.8, ge=0, le=1000, description="parameter of its beta distribution; 0: none"
    )
    cutmix: float = Field(
        default=1.0, ge=0, le=1000, description="parameter of its beta distribution; 0: none"
    )
    smoothing: float = Field(default=0.1, ge=0, lt=1, description="label smoothing")


RECIPES: Mapping[str, FineTune] = MappingProxyType(
    {
        "full": FineTune(),
        "linear": FineTune(  # He et al. 2022, table 10; SiameseIM is compared by it too
            frozen=True, head="batch", optimiser="lars", epochs=90, batch=16384, lr=0.1,
            weight_decay=0, layer_decay=1, warmup=10 / 90, drop_path=0, augment="", erasing=0,
            mixup=0, cutmix=0, smoothing=0,
        ),
    }
)  # fmt: skip


def augmenting(recipe: FineTune, inputs: Inputs) -> Callable[[Image], Tensor]:
    """Build crop, flip, RandAugment, standardisation and erasing for one image."""
    from timm.data import create_transform
    from timm.data.auto_augment import RandAugment

    augment = create_transform(
        inputs.size,
        is_training=True,
        scale=recipe.crop,
        hflip=recipe.flip,
        color_jitter=None,
        auto_augment=recipe.augment or None,
        interpolation="bicubic",
        mean=inputs.mean,
        std=inputs.std,
        re_prob=recipe.erasing,
        re_mode="pixel",
    )
    for part in augment.transforms:
        for change in part.ops if isinstance(part, RandAugment) else ():
            change.magnitude_max = STRONGEST
    return augment


def mixing(recipe: FineTune, classes: int) -> "Mixup":
    """Build mixup or cutmix of a batch, equally often; it also smooths the labels."""
    from timm.data import Mixup

    return Mixup(
        recipe.mixup,
        recipe.cutmix,
        prob=float(recipe.mixup > 0 or recipe.cutmix > 0),
        label_smoothing=recipe.smoothing,
        num_classes=classes,
    )


def optimising(classifier: nn.Module, recipe: FineTune) -> Optimizer:
    """Build AdamW with a learning rate per layer, or LARS for the weights that learn.

    As in MAE, LARS takes the step of a bias as it is, and scales that of a matrix by its norm.
    """
    from timm.optim import Lars, create_optimizer_v2

    if recipe.optimiser == "lars":
        learned = [p for p in classifier.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in learned if (p.ndim > 1) == scaled], "always_adapt": scaled}
            for scaled in (True, False)
        ]
        rate = recipe.lr * recipe.batch / 256
        return Lars(groups, rate, momentum=0.9, weight_decay=recipe.weight_decay)
    return create_optimizer_v2(
        classifier,
        "adamw",
        lr=recipe.lr * recipe.batch / 256,
        weight_decay=recipe.weight_decay,
        betas=recipe.betas,
        layer_decay=recipe.layer_decay,
    )


def scheduling(optimiser: Optimizer, recipe: FineTune, steps: int) -> "CosineLRScheduler":
    """Build a schedule that rises linearly and falls to 0 in half a cosine, step by step."""
    from timm.scheduler import CosineLRScheduler

    warm = min(round(recipe.warmup * steps), steps - 1)
    down = dict(warmup_prefix=True, t_in_epochs=False)
    return CosineLRScheduler(optimiser, steps - warm, warmup_t=warm, **down)
