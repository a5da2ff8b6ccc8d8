"""The images of a study, in an order that does not depend on the source they are read from.

images = study_images(run.data, study)     # images.train, images.test, images.about
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor

from siamlab.component import UserError
from siamlab.data import DataChoice, Images, by_content, has_content_order, is_paired, sample, take
from siamlab.data.about import about_data
from siamlab.study.definition import Study

ANY = "images"
MAX_COPIED = 2**33  # bytes of training pixels up to which some can be held out, by a copy


class StudyImages(NamedTuple):
    train: Images
    test: Images
    about: dict[str, Any]  # facts about the source, for the protocol
    source: str  # its kind, or ANY where another source of the same images gives the same study


def all_images(data: DataChoice) -> StudyImages:
    """Return both splits of a source, sorted by content where the images have such an order.

    For sorted images the protocol has only the side, since hashes identify their content.
    """
    train, test = data("train"), data("test")
    if not has_content_order(train, test):
        return StudyImages(train, test, about_data(data), data.kind)
    about = {"order": "by content", "side": train.pixels.shape[-1]}
    about |= {key: value for key, value in about_data(data).items() if key == "crop"}
    return StudyImages(by_content(train), by_content(test), about, ANY)


def study_images(data: DataChoice, study: Study) -> StudyImages:
    """Return the images that a study trains on and at most `study.test_images` to test on.

    With `study.held_out` the latter are training images that no run trains on: the first ones by
    content, else a fixed random sample, with pairs of scenes kept together. Held-out scenes show
    objects that also occur in training.
    """
    images = all_images(data)
    most = min(study.test_images, tested(images, study))
    if study.held_out:
        images = _held_out(images, study)
    return images._replace(test=sample(images.test, most))


def tested(images: StudyImages, study: Study) -> int:
    """Return the number of images that a study could test on.

    Raises UserError where `held_out` leaves one of the two sides empty, or copies too much.
    """
    if not study.held_out:
        return len(images.test.labels)
    share, total, step = study.held_out, len(images.train.labels), _step(images.train)
    count = step * round(share * total / step)
    if not 0 < count < total:
        raise UserError(
            f"held_out={share} must leave some of the {total} training images on either side, but "
            f"holds out {count} of them; set it to about 0.1, or to 0 for the test images"
        )
    if (size := images.train.pixels.nbytes) > MAX_COPIED:
        raise UserError(
            f"held_out={share} copies the training images into memory, at most "
            f"{MAX_COPIED >> 30} GiB of pixels, and these are {size / 2**30:.1f} GiB; set "
            "held_out=0 and name other test images, for example by data.test_path"
        )
    return count


def _held_out(images: StudyImages, study: Study) -> StudyImages:
    """Use some of the training images as test images and the others for training."""
    train, step = images.train, _step(images.train)
    total, count = len(train.labels) // step, tested(images, study) // step
    rng = torch.Generator().manual_seed(0)
    order = torch.arange(total) if images.source == ANY else torch.randperm(total, generator=rng)
    test, rest = (_members(part, step) for part in (order[:count], order[count:]))
    about = images.about | {"held_out": study.held_out}
    return StudyImages(take(train, rest), take(train, test), about, images.source)


def _step(images: Images) -> int:
    """Return the number of neighbouring images that stay together."""
    return 2 if is_paired(images) else 1


def _members(groups: Int64[Tensor, " k"], step: int) -> Int64[Tensor, " n"]:
    """Return the indices of all images in groups of `step` neighbours, in their original order."""
    return (step * groups.sort().values[:, None] + torch.arange(step)).flatten()
