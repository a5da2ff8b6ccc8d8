"""A step on a GPU never waits for it: seen on tensors that only claim to be on one.

torch's fake tensors have shape, type and device but no numbers, so that every place where the
program would look at a number, count True values or copy without `non_blocking` can be seen, and
tensors on different devices are refused, on any machine. The way back is the library's own.
"""

import traceback

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode

import siamlab.colour as colour_axis
from siamlab import views
from siamlab.colour import Colour, SiameseColour
from siamlab.component import variants
from siamlab.evaluate.models import open_model
from siamlab.loss import Loss
from siamlab.machine.constant import constant
from siamlab.mask import Mask, MaskIndex
from siamlab.masking import Masking, MultiBlockMasking, NoMasking
from siamlab.model.backbone import Timm, Vit
from siamlab.model.blocks import index_of, pick
from siamlab.model.prediction import Both, DenseDecoder, GlobalHead
from siamlab.positions import Positions
from siamlab.probe import by_layer, residual_features
from siamlab.probe.attention_maps import attention_profile, class_attentions
from siamlab.probe.batches import Inputs
from siamlab.probe.features import features, features_without_patches
from siamlab.probe.layers import block_patches
from siamlab.recipes import RECIPES, demo_size, dense_byol, ijepa, mae, siameseim
from siamlab.target import Frozen, Momentum, Online
from siamlab.train import step
from siamlab.train.device import build
from siamlab.train.step import gradients
from siamlab.views import Views

COUNTED = ("aten::nonzero", "aten::masked_select", "aten::_local_scalar_dense", "aten::equal")
BOTH = Both(dense=DenseDecoder(depth=1, width=16, heads=2), image=GlobalHead(hidden=8, width=8))
CHANGES = {
    "views": variants(Views),
    "colour": variants(Colour),
    "masking": variants(Masking),
    "positions": variants(Positions),
    "loss": variants(Loss),
    "target": (Momentum, Online),
}


def small(make):
    """A run of a recipe at the size of the demo, of one block: others wait where it waits."""
    return demo_size(make()).change("model.depth=1")


RUNS = {name: (lambda make=make: small(make)) for name, make in RECIPES.items()} | {
    f"{axis} {cls().kind}": (lambda axis=axis, cls=cls: base(cls).replace(**{axis: cls()}))
    for axis, choices in CHANGES.items()
    for cls in choices
}


def base(cls):
    """A run that a choice fits."""
    recipes = {NoMasking: dense_byol, MultiBlockMasking: ijepa}
    return small(recipes.get(cls, siameseim))


class Waits(TorchDispatchMode):
    """`found` collects the operations that make the program wait for a GPU, and where."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if waits(func._schema.name, args, kwargs or {}):
            lines = [f for f in traceback.extract_stack() if "/siamlab/" in f.filename]
            self.found.append(f"{func._schema.name}: {lines[-1].line if lines else '?'}")
        return func(*args, **kwargs or {})


def waits(name, args, kwargs):
    if name == "aten::index":
        return any(i is not None and i.is_cuda and i.dtype == torch.bool for i in args[1])
    if name == "aten::_to_copy":
        to = torch.device(kwargs.get("device") or args[0].device)
        return to.type != args[0].device.type and not kwargs.get("non_blocking")
    if name == "aten::copy_":
        return args[0].is_cuda != args[1].is_cuda and not (len(args) > 2 and args[2])
    return name in COUNTED and args[0].is_cuda


class Stream(torch.Generator):
    """A generator that claims to be a GPU's."""

    device = torch.device("cuda")


@pytest.fixture
def gpu(monkeypatch):
    """The layer between a step and a GPU that does not exist."""
    real = step.generator
    monkeypatch.setattr(
        step,
        "generator",
        lambda *place, device="cpu": Stream() if device != "cpu" else real(*place),
    )
    draw = lambda *shape: torch.rand(*shape, device="cuda")  # noqa: E731
    monkeypatch.setattr(views, "_rand", lambda *shape, rng: draw(*shape))
    monkeypatch.setattr(colour_axis, "_rand", lambda batch, rng: draw(batch))
    monkeypatch.setattr(step, "_to", sent)
    monkeypatch.setattr(torch.Tensor, "backward", lambda loss: None)
    for cls in variants(Masking):
        monkeypatch.setattr(cls, "__call__", truly(cls.__call__))
    constant.cache_clear()
    yield
    constant.cache_clear()


def truly(method):
    """Masks are drawn with numbers, on the processor."""

    def drawn(*given):
        with unset_fake_temporarily():
            return method(*given)

    return drawn


def sent(mask, device):
    """Do what `step._to` does, without pinned memory, which needs a GPU."""
    with unset_fake_temporarily():
        indices = [index_of(m) for m in mask]
    return MaskIndex(*(torch.empty(i.shape, dtype=i.dtype, device=device) for i in indices))


def claimed(network):
    """The network with all that it holds on a GPU that is not there."""
    for module in network.modules():
        for name, p in module.named_parameters(recurse=False):
            empty = torch.empty(p.shape, device="cuda")
            setattr(module, name, nn.Parameter(empty, requires_grad=p.requires_grad))
        for name, b in module.named_buffers(recurse=False):
            setattr(module, name, torch.empty(b.shape, dtype=b.dtype, device="cuda"))
    return network


def waited(run):
    """List where the second step of a run waits; the first makes what later ones find."""
    state = build(run, torch.device("cpu"))
    with FakeTensorMode(allow_non_fake_inputs=True), Waits() as seen:
        model, teacher = claimed(state.model), claimed(state.teacher)
        images = torch.empty(run.batch, 3, 46, 46, dtype=torch.uint8, device="cuda")
        for count in range(2):
            seen.found.clear()
            gradients(run, model, teacher, images, count, torch.float32)
    return seen.found


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.filterwarnings("ignore:User provided device_type of 'cuda'")
def test_a_step_never_waits(name, gpu):
    assert waited(RUNS[name]()) == []


@pytest.mark.filterwarnings("ignore:User provided device_type of 'cuda'")
@pytest.mark.parametrize(
    "change",
    [
        {"prediction": BOTH},
        {"model": Timm(name="vit_pe_core_tiny_patch16_384")},  # rotary places of what is seen
        {"model": Timm(name="vit_small_patch16_dinov3")},  # which makes its table at each call
        {"model": Vit(width=16, depth=1, heads=2, patch=8, registers=2)},
        {"target": Frozen(name="test_vit", weights="random")},
    ],
    ids=str,
)
def test_no_network_waits(change, gpu):
    assert waited(small(siameseim).replace(size=(48, 48), **change)) == []


@pytest.mark.filterwarnings("ignore:User provided device_type of 'cuda'")
def test_waiting_is_seen(gpu, monkeypatch):
    run = small(siameseim).replace(colour=SiameseColour())
    monkeypatch.setattr(
        colour_axis, "constant", lambda numbers, device: torch.tensor(numbers, device=device)
    )
    assert any("constant(LUMA" in line for line in waited(run))


def waited_for_features(extract, monkeypatch):
    """List where the passes of 20 images wait, five at a time."""
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda images: images)
    network = open_model("zoo:scenes_mae").model
    taken = Inputs((40, 40), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    with FakeTensorMode(allow_non_fake_inputs=True), Waits() as seen:
        network = claimed(network)
        extract(network, torch.empty(20, 3, 46, 46, dtype=torch.uint8), taken, 5)
    return [place for place in seen.found if "torch.tensor(t, device=device)" not in place]


@pytest.mark.filterwarnings("ignore:User provided device_type of 'cuda'")
@pytest.mark.parametrize(
    "extract",
    [
        features,
        features_without_patches,
        residual_features,
        lambda model, images, *how: by_layer(model, images, "pooled", *how),
        lambda model, images, inputs, batch: block_patches(model, images, inputs, [1, 2], batch),
        attention_profile,
        lambda model, images, inputs, batch: class_attentions(model, images, inputs, None, batch),
    ],
    ids="tokens pooled residual layers blocks attention class".split(),
)
def test_features_never_wait(extract, monkeypatch):
    assert waited_for_features(extract, monkeypatch) == []


def test_waiting_for_features_is_seen(monkeypatch):
    bring = lambda *given: features(*given).pooled.cpu()  # noqa: E731
    assert len(waited_for_features(bring, monkeypatch)) == 1


@pytest.mark.parametrize("recipe", RECIPES)
def test_patches_by_index_are_those_that_are_true(recipe, monkeypatch):
    run, found = small(RECIPES[recipe]), []
    images = torch.randint(0, 256, (8, 3, 46, 46), dtype=torch.uint8)
    for send in (step._to, lambda mask, device: mask):
        monkeypatch.setattr(step, "_to", send)
        state = build(run, torch.device("cpu"))
        stepped = gradients(run, state.model, state.teacher, images, 0, torch.float32)
        grads = {n: p.grad for n, p in state.model.named_parameters() if p.grad is not None}
        found.append(grads | {"loss": sum(stepped.terms.values())})
    torch.testing.assert_close(*found)


def test_the_type_of_a_mask_says_what_it_holds():
    mask = mae().masking(3, (4, 7), torch.Generator().manual_seed(0))
    index = step._to(mask, torch.device("cpu"))
    assert type(mask) is Mask and {part.dtype for part in mask} == {torch.bool}
    assert type(index) is MaskIndex and {part.dtype for part in index} == {torch.int64}
    for flags, where in zip(mask, index, strict=True):
        assert torch.equal(torch.zeros(3, 28).scatter(1, where, 1.0) > 0, flags)


def test_what_is_picked_is_the_same_by_index():
    tokens = torch.randn(3, 7, 2)
    chosen = mae().masking(3, (1, 7), torch.Generator().manual_seed(0)).visible
    assert torch.equal(pick(tokens, chosen), pick(tokens, index_of(chosen)))
    every = torch.ones(3, 7, dtype=torch.bool)
    assert torch.equal(pick(tokens, every), tokens)
    assert torch.equal(pick(tokens, index_of(every)), tokens)


def test_a_constant_is_made_once_and_serves_gradients_even_if_made_without_any():
    constant.cache_clear()
    with torch.inference_mode():
        made = constant((1, 2.5), torch.device("cpu"))
    assert made is constant((1, 2.5), torch.device("cpu")) and made.tolist() == [1, 2.5]
    (torch.ones(2, requires_grad=True) * made).sum().backward()
