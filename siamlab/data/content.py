"""Order by content: a set of images is the same Images, whichever source it is read from.

images = by_content(Cifar10()("train"))    # equal to by_content(Folder(path=..., side=32)("train"))
"""

import hashlib
from collections.abc import Iterator

import torch

from siamlab.data.images import Images, take
from siamlab.machine.arguments import typed

MOST = 2**30  # bytes of pixels, which are read into memory to order them


@typed
def has_content_order(*sets: Images) -> bool:
    """Return whether `by_content` applies: the sets hold no objects and are not too large.

    Scenes are drawn from a seed, in pairs, and keep their order. Sets of more than MOST bytes of
    pixels together keep theirs too, and stay memory-mapped.
    """
    plain = all(images.objects.instance.shape[1] == 0 for images in sets)
    return plain and sum(images.pixels.nbytes for images in sets) <= MOST


@typed
def by_content(images: Images) -> Images:
    """Return the images in an order that depends only on their pixels, masks and labels.

    Classes are sorted by name, and labels follow them. Images are sorted by their hashes, so that
    each part of the order is a random part of the set.
    """
    images = _classes_sorted(images)
    digests = list(_digests(images))
    return take(images, torch.tensor(sorted(range(len(digests)), key=digests.__getitem__)))


def _classes_sorted(images: Images) -> Images:
    """Sort the classes by name; images without a label stay without."""
    names = sorted(images.classes)
    place = torch.tensor([*map(names.index, images.classes), -1])  # the last is that of label -1
    return images._replace(labels=place[images.labels], classes=tuple(names))


def _digests(images: Images) -> Iterator[bytes]:
    """Yield a hash of label, pixels and mask of each image."""
    pixels, masks = images.pixels.numpy(), images.masks.numpy()
    for k, label in enumerate(images.labels.tolist()):
        digest = hashlib.blake2b(str(label).encode(), digest_size=16)
        digest.update(pixels[k])
        if len(masks):
            digest.update(masks[k])
        yield digest.digest()
