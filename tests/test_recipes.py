"""Recipes are the papers' numbers; every one of them, and every choice of every axis, trains."""

import pytest
import torch

from siamlab.colour import NoColour, SymmetricColour
from siamlab.data import Cifar10, Folder
from siamlab.loss import MSE, Cosine, InfoNCE, SmoothL1, UniGrad
from siamlab.machine.fields import choices
from siamlab.masking import BlockwiseMasking, MultiBlockMasking, NoMasking, RandomMasking
from siamlab.model.backbone import Vit
from siamlab.model.prediction import Both, DenseDecoder, GlobalHead, LinearHead
from siamlab.positions import OwnFrame, RelativeScale
from siamlab.recipes import (
    RECIPES,
    byol,
    demo_size,
    dense_byol,
    ijepa,
    mae,
    moco_v3,
    photo_size,
    siameseim,
    simmim,
    simsiam,
)
from siamlab.run import AdamW, Run
from siamlab.target import Momentum, Online, Pixels
from siamlab.train.device import build
from siamlab.train.step import gradients
from siamlab.views import Crops, SameCrop, TwoCrops

SIZED = pytest.mark.parametrize("sized", [demo_size, photo_size])
EVERY = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
CPU = torch.device("cpu")
EPOCH = 1_281_167  # images of ImageNet
AXES = ("views", "colour", "masking", "positions", "target", "prediction", "loss", "model")
CHOICES = [(axis, k) for axis in AXES for k in choices(Run.model_fields[axis].annotation)]
NEEDS = {  # what a choice asks of the other axes, and what makes it small
    "multiblock": ["views=same"],
    "linear": ["views=same", "masking.predict=hidden"],
    "global": ["prediction.hidden=8", "prediction.width=6", "prediction.bottleneck=8"],
    "both": [
        *("prediction.dense.width=16", "prediction.dense.heads=2", "prediction.dense.depth=1"),
        *(
            "prediction.image.hidden=8",
            "prediction.image.width=16",
            "prediction.image.bottleneck=8",
        ),
    ],
    "vit": ["model.patch=6", "model.width=16", "model.depth=1", "model.heads=2"],
    "frozen": ["target.name=test_vit", "target.weights=random"],
    "timm": ["model.name=test_vit2", "size=[32, 48]"],
}
IMAGES = torch.randint(
    0, 256, (8, 3, 40, 50), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
)


TINY = siameseim().change(  # of 2 × 3 patches
    *("size=[12, 18]", "batch=8", "masking=random"),
    *("model.patch=6", "model.width=16", "model.depth=1", "model.heads=2"),
    *("prediction.width=16", "prediction.heads=2", "prediction.depth=1", "prediction.projector=1"),
)


def step(run):
    """One step of a run on eight images; its state and what it said."""
    state = build(run, CPU)
    done = gradients(run, state.model, state.teacher, IMAGES, 0, torch.float32)
    return state, done


def check_step(run):
    state, done = step(run)
    assert all(value.isfinite() for value in done.terms.values())
    for name, parameter in state.model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        else:
            assert parameter.grad is None, name
    norm = sum(p.grad.square().sum() for p in state.model.parameters() if p.requires_grad)
    assert norm > 0 and all(p.grad is None for p in state.teacher.parameters())


@EVERY
@pytest.mark.parametrize("sized, side", [(demo_size, 24), (photo_size, 16)])
def test_one_step_of_a_recipe_gives_a_gradient_to_everything_it_trains(recipe, sized, side):
    check_step(sized(recipe()).change(batch=8, size=side))


@pytest.mark.parametrize("axis, kind", CHOICES)
def test_one_step_with_any_choice_gives_a_gradient_to_everything_it_trains(axis, kind):
    check_step(TINY.change(f"{axis}={kind}", *NEEDS.get(kind, [])))


@pytest.mark.parametrize("head", ["dense", "global"])
@pytest.mark.parametrize("kind", choices(Run.model_fields["loss"].annotation))
def test_every_loss_works_on_patches_and_on_images(head, kind):
    base = TINY
    check_step(base.change(f"prediction={head}", f"loss={kind}", *_small(head)))


def _small(head):
    return NEEDS[head] if head in NEEDS else ["prediction.width=16", "prediction.heads=2"]


@EVERY
@SIZED
def test_the_smaller_run_is_the_same_method(recipe, sized):
    """But for sizes, rates and what a short run of a narrow network needs otherwise."""
    run = sized(recipe())  # which may come with images of its own
    paper, small = plain(recipe(data=run.data)), plain(run)
    differ = {key for key in paper.keys() | small.keys() if paper.get(key) != small.get(key)}
    allowed = {
        *("size", "batch", "steps", "save_every", "optimiser.lr", "optimiser.warmup"),
        *("model.width", "model.depth", "model.heads", "model.patch"),
        *(f"prediction.{k}" for k in ("width", "depth", "heads", "projector")),
        *("prediction.hidden", "prediction.bottleneck"),
        *("views.crop.area", "target.start", "target.schedule", "loss.weight"),
        *("model.class_std", "optimiser.tokens", "prediction.batch_epsilon", "positions.first"),
    }
    assert differ <= allowed
    assert small["steps"] * small["batch"] < 1e6


def plain(run):
    """Every setting of a run by its dotted key."""
    found, todo = {}, [("", run.model_dump())]
    while todo:
        path, table = todo.pop()
        for key, value in table.items():
            if isinstance(value, dict):
                todo.append((f"{path}{key}.", value))
            else:
                found[path + key] = value
    return found


@SIZED
def test_the_second_term_of_unigrad_weighs_as_much_in_the_smaller_run(sized):
    """Its largest value is λ times the width."""
    paper, small = siameseim(), sized(siameseim())
    assert small.loss.weight * small.model.width == pytest.approx(paper.loss.weight * 768)


@SIZED
def test_both_heads_are_made_small(sized):
    run = sized(siameseim(prediction=Both(share=0.3)))
    small = run.prediction
    assert small.share == 0.3 and small.image.hidden == 256
    assert small.dense.width == run.model.width < 200


@EVERY
def test_photographs_of_32_pixels_have_8_by_8_patches(recipe):
    run = photo_size(recipe())
    assert run.size == (32, 32) and run.grid == (8, 8) and run.data == Cifar10()


def test_images_of_ones_own_stay_at_the_size_for_photographs():
    assert photo_size(mae(data=Folder(path="photos"))).data == Folder(path="photos")


@EVERY
def test_a_recipe_takes_fields_and_knows_its_name(recipe):
    run = recipe(steps=7, seed=3)
    assert (run.name, run.steps, run.seed) == (recipe.__name__, 7, 3)
    assert RECIPES[run.name] is recipe and recipe.__doc__.endswith(".")


DECAYING = ("model.class_std=0.02", "optimiser.tokens=decay")


def test_siameseim():
    run = siameseim()
    theirs = Run().change(*DECAYING, "prediction.batch_epsilon=1e-5")  # as released
    assert run == theirs
    assert run.views == TwoCrops(crop=Crops(area=(0.08, 1), aspect=4 / 3, flip=0.5))
    assert run.roles == "fixed" and run.colour.kind == "siameseim"
    assert isinstance(run.masking, BlockwiseMasking) and run.masking.predict == "all"
    hidden = ~run.masking(2, run.grid, torch.Generator().manual_seed(0)).visible
    assert run.grid == (14, 14) and hidden.sum(dim=1).tolist() == [118, 118]
    assert isinstance(run.positions, RelativeScale)
    assert run.target == Momentum(start=0.995, normalise="layer")
    assert run.prediction == DenseDecoder(
        depth=4, width=768, heads=16, norm="batch", projector=2, batch_epsilon=1e-5
    )
    assert run.loss == UniGrad(weight=0.02)
    assert run.model == Vit(
        width=768, depth=12, heads=12, patch=16, norm="none", stem="frozen", class_std=0.02
    )
    warmup = 40 / 1600
    assert run.optimiser == AdamW(
        lr=6.25e-5, betas=(0.9, 0.95), decay=0.05, warmup=warmup, clip=1, tokens="decay"
    )
    assert run.batch == 4096
    assert run.steps == pytest.approx(1600 * EPOCH / 4096, rel=0.01)


def test_mae():
    run = mae()
    assert run.views == SameCrop(crop=Crops(area=(0.2, 1))) and run.colour == NoColour()
    assert run.masking == RandomMasking(ratio=0.75, predict="hidden")
    assert run.positions == OwnFrame(first="column") and run.target == Pixels(normalise="patch")
    assert run.loss == MSE()
    assert (run.model.class_std, run.optimiser.tokens) == (0.02, "decay")
    decoder = run.prediction
    assert (decoder.depth, decoder.width, decoder.norm, decoder.projector) == (8, 512, "layer", 0)
    assert decoder.end == run.model.norm == "layer"


def test_simmim():
    run = simmim()
    assert isinstance(run.views, SameCrop) and run.colour == NoColour()
    assert isinstance(run.prediction, LinearHead)  # whose encoder fills hidden patches in
    assert run.masking.predict == "hidden" and isinstance(run.target, Pixels)
    assert run.loss == SmoothL1(beta=0)  # L1


def test_moco_v3():
    run = moco_v3()
    assert run.views == TwoCrops(crop=Crops(area=(0.08, 1))) and run.roles == "both"
    assert run.masking == NoMasking() and run.colour.kind == "byol"
    assert run.prediction == GlobalHead(
        pool="class",
        projector=3,
        hidden=4096,
        width=256,
        projector_end="batch",
        predictor=2,
        bottleneck=4096,
    )
    assert run.target == Momentum(start=0.99, normalise="none")
    assert run.loss == InfoNCE(temperature=0.2)
    assert run.model.stem == "frozen"
    assert (run.optimiser.lr, run.optimiser.decay) == (1.5e-4, 0.1)
    assert run.optimiser.warmup * run.steps * run.batch == pytest.approx(40 * EPOCH, rel=0.01)
    assert run.steps * run.batch == pytest.approx(300 * EPOCH, rel=0.01)


def test_byol_and_simsiam():
    for run in (byol(), simsiam()):
        assert run.loss == Cosine() and run.roles == "both" and run.masking == NoMasking()
        assert isinstance(run.views, TwoCrops) and isinstance(run.prediction, GlobalHead)
        assert run.prediction.predictor_end == "none"
    assert isinstance(byol().target, Momentum) and isinstance(simsiam().target, Online)
    assert simsiam().colour == SymmetricColour() and simsiam().views.crop.area == (0.2, 1.0)
    assert simsiam().prediction.bottleneck < simsiam().prediction.width  # a bottleneck


def test_ijepa():
    run = ijepa()
    assert isinstance(run.views, SameCrop) and run.colour == NoColour()
    masking = run.masking
    assert isinstance(masking, MultiBlockMasking) and masking.predict == "hidden"
    assert (masking.blocks, masking.scale, masking.aspect) == (4, (0.15, 0.2), 1.5)
    assert masking.context == (0.85, 1.0)
    assert run.positions == OwnFrame() and run.loss == SmoothL1(beta=1)
    assert isinstance(run.target, Momentum) and run.target.normalise == "layer"
    assert run.prediction.width < run.model.width  # narrow
    assert run.prediction.projector == 0  # the target is the encoder's own tokens


def test_dense_byol_is_byol_asked_for_every_patch():
    run = dense_byol()
    assert run.loss == byol().loss and run.target == byol().target and run.colour == byol().colour
    assert run.roles == "both" and run.masking == NoMasking()
    assert run.prediction == DenseDecoder() and run.positions == siameseim().positions


def test_the_parts_of_a_batch_add_up():
    """Two halves, one after another, have the mean of their losses; the weights start the same."""
    run = TINY.change("prediction.norm=layer", "loss=mse", "views=same")
    halves = run.change("compute.accumulate=2")
    _, done = step(halves)
    state, whole = step(run)
    assert done.terms.keys() == whole.terms.keys()
    assert done.terms["mse"].item() == pytest.approx(whole.terms["mse"].item(), rel=0.3)
    again, _ = step(run)
    for one, other in zip(state.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)
        assert one.grad is None or torch.equal(one.grad, other.grad)
