"""The images of a study: which source they are read from changes none of its numbers.

images = study_images(run.data, study)     # images.train, images.test, images.about
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor

from siamlab.component import UserError
from siamlab.data import Data, Images, by_content, has_content_order, is_paired, take
from siamlab.given import at_most
from siamlab.probing import about_data
from siamlab.study.definition import Study

ANY = "images"
COPIED = 2**33  # bytes of training pixels of which a part can be held out: the rest is copied


class StudyImages(NamedTuple):
    train: Images
    test: Images
    about: dict[str, Any]  # of the source, for the protocol
    source: str  # its kind; ANY where another source of the same images would do


def all_images(data: Data) -> StudyImages:
    """Both splits of a source, in the order of their content where they have one.

    Of those the protocol says the side alone: the hashes of their content say which they are.
    """
    train, test = data("train"), data("test")
    if not has_content_order(train, test):
        return StudyImages(train, test, about_data(data), data.kind)
    about = {"order": "by content", "side": train.pixels.shape[-1]}
    return StudyImages(by_content(train), by_content(test), about, ANY)


def study_images(data: Data, study: Study) -> StudyImages:
    """What a study trains on, and what it tests on: at most `study.test_images`.

    With `study.held_out` that is a part of the training images, which nothing is trained on: by
    content the first ones, else drawn, the same ones each time, pairs of scenes together. Scenes
    that are held out show objects that others show in training.
    """
    images = all_images(data)
    most = min(study.test_images, tested(images, study))
    if study.held_out:
        images = _held_out(images, study)
    return images._replace(test=at_most(images.test, most))


def tested(images: StudyImages, study: Study) -> int:
    """How many of all images a study could test on.

    Raises UserError where `held_out` leaves nothing on one of the two sides, or copies too much.
    """
    if not study.held_out:
        return len(images.test.labels)
    share, total, step = study.held_out, len(images.train.labels), _step(images.train)
    held = step * round(share * total / step)
    if not 0 < held < total:
        raise UserError(
            f"held_out={share} must leave some of the {total} training images on either side, but "
            f"holds {held} of them out; set it to about 0.1, or to 0 for the test images"
        )
    if (size := images.train.pixels.nbytes) > COPIED:
        raise UserError(
            f"held_out={share} copies the training images into memory, at most {COPIED >> 30} GiB "
            f"of pixels, and these are {size / 2**30:.1f} GiB; set held_out=0 and name other test "
            "images, as by data.test_path"
        )
    return held


def _held_out(images: StudyImages, study: Study) -> StudyImages:
    """A part of the training images as test images, and the others for training."""
    train, step = images.train, _step(images.train)
    total, held = len(train.labels) // step, tested(images, study) // step
    rng = torch.Generator().manual_seed(0)
    order = torch.arange(total) if images.source == ANY else torch.randperm(total, generator=rng)
    test, rest = (_members(part, step) for part in (order[:held], order[held:]))
    about = images.about | {"held_out": study.held_out}
    return StudyImages(take(train, rest), take(train, test), about, images.source)


def _step(images: Images) -> int:
    """How many neighbours stay together."""
    return 2 if is_paired(images) else 1


def _members(groups: Int64[Tensor, " k"], step: int) -> Int64[Tensor, " n"]:
    """The images of groups of `step` neighbours, in their first order."""
    return (step * groups.sort().values[:, None] + torch.arange(step)).flatten()
