"""What `siamlab probe` says around its table."""

import pytest

from siamlab.cli.probe import probed_on
from siamlab.data import Scenes, Segmentation


@pytest.mark.parametrize(
    "data, size, told",
    [
        (Scenes(), (48, 48), "probed on scenes, 48 pixels a side"),
        (
            Scenes(),
            (64, 64),
            "probed on scenes, 48 pixels a side, given to the models at 64 × 64",
        ),
        (
            Segmentation(path="mine", side=224),
            (32, 32),
            "probed on segmentation, 224 pixels a side, given to the models at 32 × 32",
        ),
    ],
)
def test_the_side_of_stored_images_and_what_models_are_given_are_told_apart(data, size, told):
    assert probed_on(data, size) == told
