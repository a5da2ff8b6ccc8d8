"""The suite `imagenet-c` of `siamlab probe`: errors relative to AlexNet's on 15 corruptions.

probe_corruptions(models, data, options)        # data: ImageNet(test="c", ...)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from siamlab.cli.standard import print_published, write_scores
from siamlab.component import UserError
from siamlab.data import DataChoice, ImageNet
from siamlab.evaluate.imagenet_c import corruption_scores
from siamlab.evaluate.models import NamedModel
from siamlab.evaluate.published import numbers_of
from siamlab.evaluate.standard import Published
from siamlab.machine.console import Console
from siamlab.machine.terminal import cell, say

if TYPE_CHECKING:
    import polars

    from siamlab.cli.probe import Options

# of whole networks, beside those of frozen features, as siamlab's are
PUBLISHED = (
    Published("ResNet-50, supervised,", "mce", 0.767, "Hendrycks & Dietterich 2019"),
    Published("MAE ViT-B, fine-tuned,", "mce", 0.517, "He et al. 2022"),
    Published("MAE ViT-L, fine-tuned,", "mce", 0.418, "He et al. 2022"),
)


def probe_corruptions(
    models: Sequence[NamedModel], data: DataChoice, options: "Options"
) -> "polars.DataFrame":
    """Print the corruption errors of every model, write them where a file is asked for.

    Returns the long table. Raises UserError as `corrupted` does, and where a set is missing.
    """
    from siamlab.figure import terminal_table

    data = corrupted(data)
    limits = options.images, options.test_images
    with Console(stderr=True).status("probing") as status:
        report = lambda step: status.update(cell(f"probing {step}"))  # noqa: E731
        how = options.device, report, options.precision
        scores = corruption_scores(models, data, *limits, *how)
    console = Console()
    say(
        f"a linear probe of at most {limits[0]:,} clean images, on at most {limits[1]:,} of each "
        "of the 75 sets of ImageNet-C: --images and --test-images take more",
        console,
    )
    console.print(terminal_table(scores))
    print_published((*numbers_of(data), *PUBLISHED), console)
    write_scores(scores, options.out, "imagenet_c")
    return scores


def corrupted(data: DataChoice) -> ImageNet:
    """Return the source. Raises UserError for images that are not ImageNet-C."""
    if not isinstance(data, ImageNet) or data.test != "c":
        raise UserError(
            "--suite imagenet-c needs data=imagenet data.test=c, with data.path=FOLDER of train/ "
            "and data.test_path=FOLDER of ImageNet-C"
        )
    return data
