"""Goals: pixels against numpy, momentum against its formula, laws of every target."""

import math

import numpy as np
import pytest
import torch

from siamlab.component import variants
from siamlab.geometry import View
from siamlab.model.siamese import Siamese
from siamlab.model.standard import patch_pixels, standardise
from siamlab.model.timm_names import frozen_transformer
from siamlab.positions import own_places
from siamlab.recipes import siameseim
from siamlab.target import Frozen, Momentum, Online, Pixels, Target

RUN = siameseim().change(  # of 4 × 6 patches
    *("size=[24, 36]", "model.patch=6", "model.width=16", "model.depth=2", "model.heads=2"),
    *("prediction.width=16", "prediction.heads=2", "prediction.depth=1", "prediction.projector=1"),
)
GLOBAL = {"kind": "global", "hidden": 8, "width": 12, "bottleneck": 8}
EVERY = pytest.mark.parametrize("cls", variants(Target))


def choice(cls):
    return Frozen(name="test_vit", weights="random") if cls is Frozen else cls()


def build(target, **fields):
    """A run, its model and its teacher, as `siamlab.train.device` makes them."""
    run = RUN.change(target=target, **fields)
    torch.manual_seed(0)
    model = Siamese(run, target.widths(run)).train()
    return run, model, target.build(model, run).train()


def view(batch=3, size=(24, 36)):
    image = torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(5))
    return View(
        image, torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(batch, -1), torch.ones(batch) < 0
    )


def asked(batch=3, patches=24):
    """Ten patches of each image."""
    noise = torch.rand(batch, patches, generator=torch.Generator().manual_seed(6))
    return noise.argsort(dim=1).argsort(dim=1) < 10


def goals(teacher, predict=None):
    return teacher(view(), own_places((4, 6)), asked() if predict is None else predict)


@EVERY
def test_a_goal_has_a_row_for_each_predicted_patch_and_no_gradient(cls):
    run, model, teacher = build(choice(cls))
    (goal,) = goals(teacher)
    assert goal.shape == (3, 10, run.target.widths(run)[0]) and not goal.requires_grad


@EVERY
def test_picked_goals_are_those_of_their_patches(cls):
    _, _, teacher = build(choice(cls))
    (some,), (every,) = goals(teacher), goals(teacher, torch.ones(3, 24, dtype=torch.bool))
    torch.testing.assert_close(some, every[asked()].view(3, 10, -1))


@pytest.mark.parametrize("cls", [Momentum, Online, Frozen])
def test_a_global_goal_is_one_vector_an_image(cls):
    run, _, teacher = build(choice(cls), prediction=GLOBAL)
    (goal,) = goals(teacher)
    assert goal.shape == (3, 1, run.target.widths(run)[0])


@pytest.mark.parametrize("cls", [Momentum, Online, Frozen])
@pytest.mark.parametrize("normalise", ["none", "layer"])
def test_goals_are_normalised_if_told(cls, normalise):
    _, _, teacher = build(choice(cls).replace(normalise=normalise))
    (goal,) = goals(teacher)
    whole = torch.allclose(goal.mean(-1), torch.zeros(3, 10), atol=1e-5) and torch.allclose(
        goal.var(-1, correction=0), torch.ones(3, 10), atol=1e-2
    )
    assert whole == (normalise == "layer")


@EVERY
def test_a_trained_teacher_has_nothing_to_train(cls):
    _, model, teacher = build(choice(cls))
    assert not any(p.requires_grad for p in teacher.parameters())
    (goals(teacher)[0].sum() + sum(p.sum() for p in model.parameters())).backward()
    assert all(p.grad is None for p in teacher.parameters())


@pytest.mark.parametrize("normalise", ["none", "patch"])
def test_pixels_are_numpys(normalise):
    """Row by row; in a patch rows, columns, colours; unbiased variance, ε 1e-6."""
    image = view(2).image
    image[0, :, :6, :6] = 0.5  # a patch without variance but for its colours
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    pixels = (image.double().numpy().transpose(0, 2, 3, 1) - mean) / std
    found = patch_pixels(image, 6, normalise)
    assert found.shape == (2, 24, 108)
    for n in range(24):
        top, left = 6 * (n // 6), 6 * (n % 6)
        patch = pixels[:, top : top + 6, left : left + 6].reshape(2, -1)
        if normalise == "patch":
            variance = patch.var(axis=1, ddof=1, keepdims=True)
            patch = (patch - patch.mean(axis=1, keepdims=True)) / np.sqrt(variance + 1e-6)
        np.testing.assert_allclose(found[:, n], patch, atol=1e-4)


@pytest.mark.parametrize("start", [0.5, 0.995])
def test_momentum_rises_to_1_on_half_a_cosine(start):
    _, _, teacher = build(Momentum(start=start))
    for progress in (0.0, 0.25, 0.5, 1.0):
        formula = 1 - 0.5 * (1 + math.cos(math.pi * progress)) * (1 - start)
        assert teacher.momentum(progress) == pytest.approx(formula)
    assert teacher.momentum(0.0) == pytest.approx(start) and teacher.momentum(1.0) == 1


def test_following_moves_the_parameters_alone():
    _, model, teacher = build(Momentum(start=0.9), **{"positions": {"kind": "learned"}})
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    with torch.no_grad():
        for tensor in [*model.parameters(), *(b for b in model.buffers() if b.is_floating_point())]:
            tensor.add_(1.0)
    teacher.follow(model, 0.0)
    moved = {name for name, _ in teacher.named_parameters()}
    assert any("running_mean" in name for name in before.keys() - moved)
    for name, value in teacher.state_dict().items():
        change = 0.1 if name in moved else 0.0
        torch.testing.assert_close(value.double(), before[name].double() + change)
    assert sum("place" in name for name in moved) == 4  # of the encoder's own place


def test_a_momentum_teacher_starts_as_the_model_and_does_not_share_its_weights():
    run, model, teacher = build(Momentum())
    for name, tensor in teacher.encoder.state_dict().items():
        assert torch.equal(tensor, model.encoder.state_dict()[name])
    (first,) = goals(teacher)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(2)
    torch.testing.assert_close(goals(teacher)[0], first)


def test_the_teachers_batch_norm_uses_the_batch():
    _, _, teacher = build(Momentum(normalise="none"))
    (together,) = goals(teacher)
    one = View(*(part[:1] for part in view()))
    (alone,) = teacher(one, own_places((4, 6)), asked()[:1])
    assert not torch.allclose(alone, together[:1], atol=1e-3)


def test_online_is_the_model():
    _, model, teacher = build(Online())
    assert not list(teacher.parameters()) and not teacher.state_dict()
    (first,) = goals(teacher)
    with torch.no_grad():
        tokens = model.encoder(view().image, own_places((4, 6)), torch.ones(3, 24) > 0)
        own = model.projectors[0](tokens, 1)[:, 1:][asked()].view(3, 10, -1)
        torch.testing.assert_close(first, own)
        model.projectors[0].layers[0].weight.mul_(2)
    assert not torch.allclose(goals(teacher)[0], first)


def test_frozen_is_the_timm_model_where_the_grids_agree():
    own = {"size": 160, "model": RUN.model.replace(patch=16)}  # test_vit's 10 × 10 patches
    _, _, teacher = build(choice(Frozen).replace(normalise="none"), **own)
    shown = view(2, (160, 160))
    (goal,) = teacher(shown, own_places((10, 10)), torch.ones(2, 100) > 0)
    cfg = teacher.vit.pretrained_cfg
    with torch.no_grad():
        tokens = teacher.vit.forward_features(standardise(shown.image, cfg["mean"], cfg["std"]))
    torch.testing.assert_close(goal, tokens[:, 1:], atol=1e-4, rtol=1e-4)


def test_frozen_is_resampled_to_the_grid_of_the_run():
    """A place that is linear across the model's own grid stays so across the run's."""
    _, _, teacher = build(choice(Frozen).replace(normalise="none"))
    y = ((torch.arange(10) + 0.5) / 10).repeat_interleave(10)
    x = ((torch.arange(10) + 0.5) / 10).repeat(10)
    ramp = torch.stack([y, x], dim=1).expand(3, -1, -1)
    teacher.vit.forward_features = lambda image: torch.cat([0 * ramp[:, :1], ramp], dim=1)
    (goal,) = goals(teacher, torch.ones(3, 24) > 0)
    rows, columns = (torch.arange(n).add(0.5) / n for n in (4, 6))
    expected = torch.cartesian_prod(rows, columns).expand(3, -1, -1)
    torch.testing.assert_close(goal, expected, atol=0.03, rtol=0)


def test_frozen_never_changes():
    _, model, teacher = build(choice(Frozen))
    before = [p.clone() for p in teacher.parameters()]
    teacher.train()
    teacher.follow(model, 0.5)
    assert not teacher.vit.training
    assert all(torch.equal(a, b) for a, b in zip(before, teacher.parameters(), strict=True))


def test_pixels_need_nothing_to_follow():
    _, model, teacher = build(Pixels())
    teacher.follow(model, 0.5)
    assert not list(teacher.parameters())


def test_looking_up_the_sizes_of_a_model_draws_nothing():
    """Else a run's weights would depend on what was looked up before."""
    state = torch.get_rng_state()
    frozen_transformer.cache_clear()
    assert frozen_transformer("test_vit", "shape").embed_dim == 64
    assert torch.equal(torch.get_rng_state(), state)


def test_constant_momentum_stays_at_the_start():
    _, _, teacher = build(Momentum(start=0.9, schedule="constant"))
    assert [teacher.momentum(progress) for progress in (0.0, 0.5, 1.0)] == [0.9, 0.9, 0.9]


def test_a_momentum_teacher_skips_no_block():
    model = RUN.model.replace(drop_path=0.9)
    _, student, teacher = build(Momentum(), model=model)
    assert student.encoder.vit.blocks[1].drop_path1.drop_prob > 0.8
    first, second = goals(teacher)[0], goals(teacher)[0]
    assert teacher.training and torch.equal(first, second)
