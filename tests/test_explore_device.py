"""Explorers on a GPU, as far as a device that pretends to be one can tell."""

import pytest
import torch
from pretend_device import OnDevice, pretended
from test_explore import plane_explorer
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.evaluate.evaluate import with_untrained
from siamlab.evaluate.models import open_model, open_models
from siamlab.explore import EyeExplorer, ModelsExplorer, PairExplorer
from siamlab.explore.plane.measures import MEASURES, ModelOnImages
from siamlab.machine.device import on_device
from siamlab.report import pictures

aten = torch.ops.aten
NETWORK = {aten.addmm, aten.native_layer_norm, aten.gelu, aten.convolution, aten._softmax}
CPU = torch.device("cpu")
MODEL = open_model("zoo:scenes_moco_v3").model
IMAGES = Scenes(side=40, images=4, test_images=4)("test")


class Watch(TorchDispatchMode):
    """Counts operations of networks, on the device and on the processor."""

    def __init__(self):
        super().__init__()
        self.there, self.here = 0, set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.overloadpacket in NETWORK:
            tensors = [t for t in tree_flatten(args)[0] if isinstance(t, Tensor)]
            away = any(isinstance(t, OnDevice) for t in tensors)
            self.there += away
            self.here |= set() if away else {function}
        return function(*args, **kwargs or {})


def heats(explorer):
    panels = explorer.scene().panels
    return torch.tensor([v for p in panels if p.heat for v in p.heat.values])


@pytest.mark.parametrize("kind", [PairExplorer, ModelsExplorer, EyeExplorer])
def test_an_explorer_answers_from_the_device_what_it_answers_from_the_processor(kind):
    name = "zoo:siameseim" if kind is EyeExplorer else "zoo:scenes_mae"
    expected = kind(name, device="cpu")
    with pretended() as device:
        explorer = kind(name, expected.pixels, device=device)
        with Watch() as watch:
            values, text = heats(explorer), explorer.state["text"]
    assert watch.there > 5 and watch.here == set(), "on the processor"
    assert torch.allclose(values, heats(expected), atol=1e-4) and text == expected.state["text"]


@pytest.mark.parametrize("measure", MEASURES)
def test_a_measure_of_the_plane_is_that_of_the_processor(measure):
    def rows(device):
        pair = PairExplorer(MODEL, IMAGES.pixels, 0, device=device)
        return MEASURES[measure].values(ModelOnImages(pair, IMAGES.labels))

    expected = rows(CPU)
    with pretended() as device, Watch() as watch:
        found = rows(device)
    assert watch.there > 5 and watch.here == set() and found.device == CPU
    assert torch.allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("shown", [
    lambda named, image: pictures.attention_maps([named], image),
    lambda named, image: pictures.attention_pictures([named], image),
    lambda named, image: [pictures.match_picture(named, image)],
    lambda named, image: [pictures.attribution_picture(named, image)],
    lambda named, image: pictures.similarity_pictures([named], image),
    lambda named, image: [pictures.components_picture([named], image[None])],
])  # fmt: skip
def test_a_notebooks_picture_is_computed_where_its_model_lies(shown):
    named = open_model(MODEL)
    expected = [numbers(figure) for figure in shown(named, IMAGES.pixels[0])]
    with pretended() as device, Watch() as watch:
        found = shown(open_model(named, device=device), IMAGES.pixels[0])
    assert watch.there > 5 and watch.here == set()
    for figure, values in zip(found, expected, strict=True):
        assert torch.allclose(numbers(figure), values, atol=2e-3)


def numbers(figure):
    """All numbers of a figure, in its order."""
    return torch.tensor([float(x) for x in tree_flatten(figure.to_dict())[0] if is_number(x)])


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def test_the_untrained_network_is_where_the_trained_one_is():
    with pretended() as device:
        opened = open_models(["zoo:scenes_mae", "zoo:scenes_moco_v3"], device=device)
        models = with_untrained(opened)
        places = {next(named.model.parameters()).device for named in models}
    assert [named.name for named in models][0] == "untrained" and places == {device}


def test_a_model_that_was_handed_over_stays_where_it_is():
    assert on_device(MODEL, "cpu") is MODEL
    with pretended() as device:
        there = PairExplorer(MODEL, IMAGES.pixels, device=device).named.model
        assert next(there.parameters()).device == device and on_device(there, device) is there
    assert next(MODEL.parameters()).device == CPU


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for kind in (PairExplorer, ModelsExplorer, EyeExplorer):
        with pytest.raises(UserError, match="device='cuda'.* asks for a GPU"):
            kind(device="cuda")
    with pytest.raises(UserError, match="device='cuda'.* asks for a GPU"):
        plane_explorer(device="cuda")
