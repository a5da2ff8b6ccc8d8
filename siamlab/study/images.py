"""The images of a study: which source they are read from changes none of its numbers.

images = study_images(run.data)     # images.train, images.test, images.about for the protocol
"""

from typing import Any, NamedTuple

from siamlab.data import Data, Images, by_content, has_content_order
from siamlab.probing import about_data


class StudyImages(NamedTuple):
    train: Images
    test: Images
    about: dict[str, Any]  # of the source, for the protocol
    source: str  # its kind; "images" where any source of the same images would do


def study_images(data: Data) -> StudyImages:
    """Both splits of a source, in the order of their content where they have one.

    Of those the protocol says the side alone: the hashes of their content say which they are.
    """
    train, test = data("train"), data("test")
    if not has_content_order(train, test):
        return StudyImages(train, test, about_data(data), data.kind)
    about = {"order": "by content", "side": train.pixels.shape[-1]}
    return StudyImages(by_content(train), by_content(test), about, "images")
