"""What users hand to an explorer: a model by any of its names, images in any of their forms."""

from jaxtyping import UInt8
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.data import Images, Scenes
from siamlab.run import Run
from siamlab.subject import Subject, subject

MOST = 100  # images that can be leafed through


def chosen_subject(model: str | Subject | nn.Module) -> Subject:
    """A subject; of a name, a run's folder or a timm module."""
    if isinstance(model, Subject):
        return model
    if isinstance(model, nn.Module):
        return Subject(type(model).__name__, model.eval(), None)
    return subject(model)


def chosen_images(
    images: Images | UInt8[Tensor, "n 3 H W"] | None, of: Subject
) -> UInt8[Tensor, "n 3 H W"]:
    """At most MOST images; without any, test images of what the model was trained on, or scenes."""
    images = test_images(of.run) if images is None else images
    pixels = getattr(images, "pixels", images)
    if len(pixels) == 0:
        raise UserError("images must hold one image or more; there are none")
    return pixels[:MOST]


def test_images(run: Run | None) -> Images:
    """Those of what a run was trained on, or scenes."""
    return (run or Run(data=Scenes())).data("test")


def last_layer(s: Subject) -> int:
    """Number of blocks: layers are counted from 1."""
    return len(s.model.blocks)
