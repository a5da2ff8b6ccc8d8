"""A user's choice of every axis, as small classes, and a way to add them for a test."""

from contextlib import contextmanager
from copy import deepcopy
from typing import Literal

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from siamlab.colour import ColourChoice
from siamlab.crop import cut
from siamlab.data.images import DataChoice, plain
from siamlab.loss import LossChoice
from siamlab.masking import Mask, MaskingChoice
from siamlab.model.backbone import BackboneChoice
from siamlab.model.blocks import every_patch, pick
from siamlab.model.heads import GlobalPredictor, GlobalProjector, PatchTokens
from siamlab.model.prediction import Head, Part, PredictionChoice
from siamlab.positions import PositionsChoice, own_places
from siamlab.run import Run
from siamlab.run.choices import AXES, add_choice
from siamlab.target import TargetChoice, Teacher
from siamlab.views import ViewsChoice


class Halves(ViewsChoice):
    """The left and the right half of each image; it does not declare what they share."""

    kind: Literal["halves"] = "halves"

    def __call__(self, images, size, colour, rng):
        boxes = torch.tensor([[0.0, 0.0, 1.0, 0.5], [0.0, 0.5, 1.0, 0.5]])
        return tuple(_view(images, box, size, colour, rng) for box in boxes)


class Twins(ViewsChoice):
    """The whole image in two colourings."""

    kind: Literal["twins"] = "twins"
    shares = "crop"

    def __call__(self, images, size, colour, rng):
        box = torch.tensor([0.0, 0.0, 1.0, 1.0])
        return tuple(_view(images, box, size, colour, rng) for _ in range(2))


class Clones(Twins):
    """The whole image twice."""

    kind: Literal["clones"] = "clones"
    shares = "pixels"


class Negative(ColourChoice):
    """Inverted colours."""

    kind: Literal["negative"] = "negative"

    def __call__(self, image, role, rng):
        return 1 - image


class Curtain(MaskingChoice):
    """Hide the first patches and predict those, all, or none."""

    kind: Literal["curtain"] = "curtain"
    closed: float = 0.5
    asks: Literal["closed", "all", "nothing"] = "all"

    def __call__(self, batch, grid, rng):
        n = grid[0] * grid[1]
        visible = (torch.arange(n) >= round(self.closed * n)).expand(batch, -1)
        predict = {"closed": ~visible, "all": visible | True, "nothing": visible & False}
        return Mask(visible, predict[self.asks])


class Rows(PositionsChoice):
    """The predictor knows the row of a patch."""

    kind: Literal["rows"] = "rows"

    def query(self, context, target, grid):
        return own_places(grid, context.box.device) * torch.tensor([1.0, 0, 0, 0])


class Snapshot(TargetChoice):
    """The tokens of a copy of the encoder, which follows it at once."""

    kind: Literal["snapshot"] = "snapshot"
    per = ("patch", "image")

    def widths(self, run):
        return [run.model.width for _ in run.prediction.parts]

    def build(self, model, run):
        return SnapshotTeacher(model.encoder, [part.head.per for part in run.prediction.parts])


class SnapshotTeacher(Teacher):
    def __init__(self, encoder, per):
        super().__init__()
        self.encoder, self.per = deepcopy(encoder).requires_grad_(False), per

    @torch.no_grad()
    def forward(self, target, own, predict):
        every = every_patch(own.expand(len(predict), -1, -1))
        patches = self.encoder(target.image, own, every)[:, self.encoder.prefix :]
        goals = {"image": patches.mean(dim=1, keepdim=True), "patch": pick(patches, predict)}
        return tuple(goals[per] for per in self.per)

    def follow(self, model, progress):
        self.encoder.load_state_dict(model.encoder.state_dict())

    def trained_encoder(self):
        return self.encoder


class Brightness(TargetChoice):
    """The mean of each patch; it declares no more than that goals are pixels."""

    kind: Literal["brightness"] = "brightness"
    goals = "pixels"

    def widths(self, run):
        return [1 for _ in run.prediction.parts]

    def build(self, model, run):
        return BrightnessTeacher(run.model.patch, len(run.prediction.parts))


class BrightnessTeacher(Teacher):
    def __init__(self, patch, heads):
        super().__init__()
        self.patch, self.heads = patch, heads

    def forward(self, target, own, predict):
        cells = F.avg_pool2d(target.image.mean(dim=1, keepdim=True), self.patch)
        return self.heads * (pick(cells.flatten(2).mT, predict),)


class Slim(Head):
    """A linear layer on the mean token and the embedding of the query."""

    kind: Literal["slim"] = "slim"
    reads = "patches"

    def project(self, encoder_width):
        return PatchTokens()

    def predict(self, encoder_width, goal_width, positions):
        return SlimPredictor(encoder_width, goal_width, positions)

    def goal_width(self, encoder_width):
        return encoder_width


class SlimPredictor(nn.Module):
    def __init__(self, width, goal_width, positions):
        super().__init__()
        self.query, self.out = positions.query_embedding(width), nn.Linear(width, goal_width)

    def forward(self, projected, prefix, places, mask):
        query = self.query(places.query).expand(len(projected), -1, -1)
        return self.out(projected.mean(dim=1, keepdim=True) + pick(query, mask.predict))


class Inside(Slim):
    """A head that reads patches at their places in the context."""

    kind: Literal["inside"] = "inside"
    in_context = True
    fills = True


class Blocks(Slim):
    """A head with a transformer of its own."""

    kind: Literal["blocks"] = "blocks"
    has_blocks = True
    width: int = 16
    heads: int = 2


class Vector(Head):
    """One vector per image, from the mean patch."""

    kind: Literal["vector"] = "vector"
    per = "image"
    reads = "patches"

    def project(self, encoder_width):
        return GlobalProjector("mean", [encoder_width, 8], "none")

    def predict(self, encoder_width, goal_width, positions):
        return GlobalPredictor(nn.Linear(8, goal_width))

    def goal_width(self, encoder_width):
        return 8


class Undeclared(Slim):
    """A head that may read anything."""

    kind: Literal["undeclared"] = "undeclared"
    reads = Head.reads


class ClassOnly(Vector):
    """A head that reads only the class token."""

    kind: Literal["class_only"] = "class_only"
    reads = "class"

    def project(self, encoder_width):
        return GlobalProjector("class", [encoder_width, 8], "none")


class Duet(PredictionChoice):
    """Two heads."""

    kind: Literal["duet"] = "duet"
    patches: Slim = Slim()
    image: Vector = Vector()

    @property
    def parts(self):
        return (Part("patches", 0.5, self.patches, "p/"), Part("image", 0.5, self.image, "i/"))


class Absolute(LossChoice):
    """Mean absolute error."""

    kind: Literal["absolute"] = "absolute"

    def __call__(self, pred, goal):
        return {"absolute": F.l1_loss(pred, goal)}


class Tiny(BackboneChoice):
    """A small transformer; its class token is not declared."""

    kind: Literal["tiny"] = "tiny"
    width: int = 16
    depth: int = 1
    heads: int = 2
    patch: int = 8
    norm: Literal["none", "layer"] = "layer"
    stem: Literal["frozen", "learned"] = "learned"

    def build(self, size):
        return VisionTransformer(
            img_size=size, patch_size=self.patch, embed_dim=self.width, depth=self.depth,
            num_heads=self.heads, pos_embed="none", num_classes=0, global_pool="",
        )  # fmt: skip


class Sound(Tiny):
    """The same, whose class token is declared."""

    kind: Literal["sound"] = "sound"
    class_token = True


class Noise(DataChoice):
    """Random pixels with two labels."""

    kind: Literal["noise"] = "noise"

    def __call__(self, split):
        rng = torch.Generator().manual_seed(len(split))
        pixels = torch.randint(0, 256, (32, 3, 30, 30), generator=rng, dtype=torch.uint8)
        return plain(pixels, torch.arange(32) % 2, ("even", "odd"))


CHOICES = {
    "views": (Halves, Twins, Clones),
    "colour": (Negative,),
    "masking": (Curtain,),
    "positions": (Rows,),
    "target": (Snapshot, Brightness),
    "prediction": (Slim, Inside, Blocks, Vector, Undeclared, ClassOnly, Duet),
    "loss": (Absolute,),
    "model": (Tiny, Sound),
    "data": (Noise,),
}
ALL = [
    *("views=twins", "colour=negative", "masking=curtain", "positions=rows", "target=snapshot"),
    *("prediction=slim", "loss=absolute", "model=sound", "data=noise"),
    *("size=24", "batch=8", "steps=2", "log_every=1", "compute.device=cpu"),
]


@contextmanager
def added():
    """Every class above is a choice of its axis; afterwards the axes are as before."""
    before = {axis: Run.model_fields[axis].annotation for axis in AXES}
    try:
        for axis, classes in CHOICES.items():
            for cls in classes:
                add_choice(axis, cls)
        yield
    finally:
        for axis, annotation in before.items():
            Run.model_fields[axis].annotation = annotation
        Run.model_rebuild(force=True)


def _view(images, box, size, colour, rng):
    view = cut(images, box.expand(len(images), -1), torch.zeros(len(images)) > 0, size)
    return view._replace(image=colour(view.image, "context", rng))
