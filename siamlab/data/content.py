"""Order of content: one set of images is the same Images, whichever source it is read from.

images = by_content(Cifar10()("train"))    # equal to by_content(Folder(path=..., side=32)("train"))
"""

import hashlib
from collections.abc import Iterator

import torch

from siamlab.data.images import Images, take

MOST = 2**30  # bytes of pixels; to order images their pixels are read whole and kept in memory


def has_content_order(*sets: Images) -> bool:
    """Whether `by_content` is for these sets: they know of no objects and are not too large.

    Scenes are drawn from a seed, in pairs: their order is theirs. Sets of more than MOST bytes of
    pixels together stay as they come, memory-mapped.
    """
    plain = all(images.objects.instance.shape[1] == 0 for images in sets)
    return plain and sum(images.pixels.nbytes for images in sets) <= MOST


def by_content(images: Images) -> Images:
    """The images in an order that their pixels, masks and labels alone decide.

    Labels follow the sorted names of classes; a class is its place among them. The order is that
    of hashes, so each part of it is a random part of the set.
    """
    images = _classes_sorted(images)
    digests = list(_digests(images))
    return take(images, torch.tensor(sorted(range(len(digests)), key=digests.__getitem__)))


def _classes_sorted(images: Images) -> Images:
    """Class k is the k-th name; images without a label stay without."""
    names = sorted(images.classes)
    place = torch.tensor([*map(names.index, images.classes), -1])  # the last is that of label -1
    return images._replace(labels=place[images.labels], classes=tuple(names))


def _digests(images: Images) -> Iterator[bytes]:
    """16 bytes for each image that stand for its label, pixels and mask."""
    pixels, masks = images.pixels.numpy(), images.masks.numpy()
    for k, label in enumerate(images.labels.tolist()):
        digest = hashlib.blake2b(str(label).encode(), digest_size=16)
        digest.update(pixels[k])
        if len(masks):
            digest.update(masks[k])
        yield digest.digest()
