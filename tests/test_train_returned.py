"""What a choice of a user's own must return: tried before a run begins, and said by name."""

from typing import Any, Literal

import pytest
import torch
from own_choices import added
from test_train import noise, tiny

from siamlab.component import UserError
from siamlab.data.images import DataChoice, plain
from siamlab.geometry import View
from siamlab.loss import LossChoice
from siamlab.masking import Mask, MaskingChoice
from siamlab.positions import Places, PositionsChoice, own_places
from siamlab.run.choices import add_choice
from siamlab.target import TargetChoice, Teacher
from siamlab.train import train
from siamlab.views import ViewsChoice

RETURNED: dict[str, Any] = {}  # by axis: a function of what the choice is called with


class Loss(LossChoice):
    kind: Literal["mine"] = "mine"

    def __call__(self, pred, goal):
        return RETURNED["loss"](pred, goal)


class Masking(MaskingChoice):
    kind: Literal["mine"] = "mine"

    def __call__(self, batch, grid, rng):
        hidden = torch.arange(grid[0] * grid[1]).expand(batch, -1) % 2 > 0
        return RETURNED["masking"](hidden)

    def hidden(self, grid):
        return 8

    def predicts(self, grid):
        return "any"  # so that no rule draws a mask before training


class Positions(PositionsChoice):
    kind: Literal["mine"] = "mine"

    def __call__(self, context, target, grid):
        return RETURNED["positions"](own_places(grid))

    query = __call__


class TwoViews(ViewsChoice):
    kind: Literal["mine"] = "mine"
    shares = "pixels"

    def __call__(self, images, size, colour, rng):
        n = len(images)
        image, box = torch.rand(n, 3, *size), torch.tensor([[0.0, 0.0, 1.0, 1.0]] * n)
        return RETURNED["views"](View(image, box, torch.zeros(n) > 0))


class Data(DataChoice):
    kind: Literal["mine"] = "mine"

    def __call__(self, split):
        return RETURNED["data"](noise(16).pixels)


class Goals(Teacher):
    def forward(self, target, own, predict):
        return RETURNED["target"](torch.zeros(len(target.image), predict.shape[1], 16))


class Target(TargetChoice):
    kind: Literal["mine"] = "mine"

    def build(self, model, run):
        return Goals()


CLASSES = {"loss": Loss, "masking": Masking, "positions": Positions, "views": TwoViews,
           "data": Data, "target": Target}  # fmt: skip
LABELS = torch.zeros(16, dtype=torch.long)
RIGHT = {
    "loss": lambda pred, goal: {"a": (pred - goal).square().mean(), "b": torch.zeros(())},
    "masking": lambda hidden: Mask(~hidden, hidden),
    "positions": lambda own: Places(own, own),
    "views": lambda view: [view, view],
    "data": lambda pixels: plain(pixels, LABELS, ("one",)),
    "target": lambda goal: (goal,),
}
# what is returned instead, and what the sentence has of it
WRONG = [
    ("loss", lambda pred, goal: None, "got None"),
    ("loss", lambda pred, goal: pred.mean(), r"got float32 \[\]"),
    ("loss", lambda pred, goal: {}, "got dict"),
    ("loss", lambda pred, goal: {"a": 3.0}, "got float"),
    ("loss", lambda pred, goal: {3: pred.mean()}, "got int"),
    ("loss", lambda pred, goal: {"a": pred.mean(dim=2)}, r"got float32 \[8, \d+\]"),
    ("loss", lambda pred, goal: {"a": pred.mean()[None]}, r"got float32 \[1\]"),
    ("loss", lambda pred, goal: {"a": pred.mean().long()}, r"got int64 \[\]"),
    ("loss", lambda pred, goal: {"a": pred.detach().mean()}, "got numbers without gradient"),
    ("masking", lambda hidden: None, "got None"),
    ("masking", lambda hidden: (hidden, hidden), "got tuple"),
    ("masking", lambda hidden: Mask(hidden, None), "got predict=None"),
    ("masking", lambda hidden: Mask(hidden.float(), hidden), r"got visible=float32 \[8, 9\]"),
    ("masking", lambda hidden: Mask(hidden[:, 1:], hidden), r"got visible=bool \[8, 8\]"),
    ("masking", lambda hidden: Mask(hidden[:1], hidden), r"got visible=bool \[1, 9\]"),
    ("masking", lambda hidden: Mask(hidden.triu(), hidden), "got visible with 1 to 4 of them"),
    ("positions", lambda own: None, "got None"),
    ("positions", lambda own: (own, own), "got tuple"),
    ("positions", lambda own: Places(own, own[..., :2]), r"got float32 \[1, 9, 2\]"),
    ("positions", lambda own: Places(own[:, 1:], own), r"got float32 \[1, 8, 4\]"),
    ("views", lambda view: None, "got None"),
    ("views", lambda view: view, "got View"),
    ("views", lambda view: (view, view, view), "got tuple"),
    ("views", lambda view: (view, view._replace(image=view.image[..., 1:])), r"8, 7\]$"),
    ("views", lambda view: (view, view._replace(flip=None)), "got None"),
    ("data", lambda pixels: None, "got None"),
    ("data", lambda pixels: pixels, "got Tensor|got uint8"),
    ("data", lambda pixels: plain(pixels.float(), LABELS, ()), "got float32"),
    ("data", lambda pixels: plain(pixels[:, :1], LABELS, ()), r"got uint8 \[16, 1, 16, 16\]"),
    ("data", lambda pixels: plain(pixels, LABELS[1:], ()), r"got int64 \[15\]"),
    ("target", lambda goal: goal, r"got goals \[8, \d+, 16\]"),
    ("target", lambda goal: (goal, goal), "got goals"),
    ("target", lambda goal: (goal[..., 1:],), r"got goals \[\[8, \d+, 15\]\]"),
    ("target", lambda goal: None, "got goals None"),
]


def own(axis):
    add_choice(axis, CLASSES[axis])
    fields = {"steps": 1, "size": (8, 8)} if axis == "views" else {"steps": 1}
    return tiny().change(f"{axis}=mine", **fields)


@pytest.mark.parametrize("axis", CLASSES)
def test_a_right_choice_trains(axis, tmp_path):
    RETURNED.update(RIGHT)
    with added():
        assert train(own(axis), tmp_path / "run", None if axis == "data" else noise(16)).made()


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("axis, wrong, got", WRONG)
def test_a_wrong_return_is_one_sentence_before_any_file(axis, wrong, got, tmp_path):
    RETURNED.update(RIGHT | {axis: wrong})
    with added():
        with pytest.raises(UserError, match=f"{CLASSES[axis].__name__} must return .*{got}"):
            train(own(axis), tmp_path / "run", None if axis == "data" else noise(16))
    assert not (tmp_path / "run").exists()
