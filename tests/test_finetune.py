"""Fine-tuning: its recipe against the published numbers, its parts against closed forms."""

import random
from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from timm.layers import DropPath
from timm.models.beit import Beit
from timm.models.deit import VisionTransformerDistilled
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from timm.models.vision_transformer_relpos import VisionTransformerRelPos
from torch import nn
from torchvision.transforms.functional import to_pil_image

from siamlab.component import UserError
from siamlab.data.images import plain
from siamlab.machine.seeding import seeded
from siamlab.probe.batches import Inputs
from siamlab.probe.features import as_features, final_tokens
from siamlab.probe.finetune import FineTune, fine_tune
from siamlab.probe.finetune_model import Classifier
from siamlab.probe.finetune_recipe import (
    RECIPES,
    augmenting,
    mixing,
    optimising,
    scheduling,
)

SIDE, WIDTH, DEPTH = 16, 12, 3
WANT = Inputs((SIDE, SIDE), (0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
SIZES = dict(img_size=SIDE, patch_size=8, embed_dim=WIDTH, depth=DEPTH, num_heads=3)
MODELS = {
    "plain": (VisionTransformer, dict(num_classes=0)),
    "with a classifier": (VisionTransformer, dict(num_classes=7, global_pool="avg")),
    "registers": (VisionTransformer, dict(num_classes=0, reg_tokens=4)),
    "no class token": (
        VisionTransformer,
        dict(num_classes=0, class_token=False, global_pool="avg"),
    ),
    "two class tokens": (VisionTransformerDistilled, dict(num_classes=7)),
    "rotary": (Eva, dict(num_classes=0, use_rot_pos_emb=True, num_reg_tokens=2)),
    "relative": (VisionTransformerRelPos, dict(num_classes=0)),
    "beit": (Beit, dict(num_classes=0)),
}
TOKENS = ("cls_token", "reg_token", "pos_embed", "dist_token", "relative_position")
UNIT = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)  # mean, standard deviation
EVERY = pytest.mark.parametrize("name", MODELS)
QUICK = FineTune(
    epochs=6,
    batch=16,
    lr=0.1,
    crop=(1, 1),
    flip=0,
    augment="",
    erasing=0,
    mixup=0,
    cutmix=0,
    drop_path=0,
    smoothing=0,
)


def made(name="plain"):
    cls, fields = MODELS[name]
    torch.manual_seed(0)
    return cls(**SIZES | fields).eval()


def colours(n=64, seed=0):
    """Images of one colour and noise, whose class is the brightest channel."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (n,), generator=g)
    noise = torch.randint(60, (n, 3, SIDE, SIDE), generator=g)
    pixels = noise + 150 * F.one_hot(labels, 3)[:, :, None, None]
    return plain(pixels.byte(), labels, ("red", "green", "blue"))


def test_the_defaults_are_the_published_recipe():
    recipe = FineTune()
    assert recipe.model_dump() == {
        "frozen": False,
        "head": "layer",
        "optimiser": "adamw",
        "epochs": 100,
        "batch": 1024,
        "lr": 2.5e-4,
        "betas": (0.9, 0.999),
        "weight_decay": 0.05,
        "layer_decay": 0.65,
        "warmup": 0.05,
        "drop_path": 0.1,
        "crop": (0.08, 1.0),
        "flip": 0.5,
        "augment": "rand-m9-mstd0.5-inc1",
        "erasing": 0.25,
        "mixup": 0.8,
        "cutmix": 1.0,
        "smoothing": 0.1,
    }


def test_the_linear_recipe_is_the_published_one():
    recipe = RECIPES["linear"]
    assert recipe.lr * recipe.batch / 256 == 6.4 and recipe.warmup * recipe.epochs == 10
    assert (recipe.epochs, recipe.weight_decay, recipe.optimiser) == (90, 0, "lars")
    x, labels = torch.rand(4, 3, SIDE, SIDE), torch.arange(4)  # neither mixed nor smoothed
    mixed, goal = mixing(recipe, 4)(x.clone(), labels)
    assert torch.equal(mixed, x) and torch.equal(goal, torch.eye(4))


@EVERY
def test_a_frozen_encoder_stays_and_its_head_sees_standardised_features(name):
    encoder = made(name)
    before = deepcopy(encoder.state_dict())
    classifier = Classifier(encoder, 3, 0.5, "batch", frozen=True).train()
    x = torch.randn(64, 3, SIDE, SIDE)
    pooled = as_features(encoder, final_tokens(encoder, x), (SIDE, SIDE)).pooled
    variance, mean = torch.var_mean(pooled, dim=0, correction=0)
    expected = classifier.head[1]((pooled - mean) * (variance + 1e-6).rsqrt())
    torch.testing.assert_close(classifier(x), expected, atol=1e-5, rtol=1e-4)
    optimiser = optimising(classifier, RECIPES["linear"])
    classifier(x).sum().backward()
    optimiser.step()
    after = classifier.encoder.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert {id(p) for g in optimiser.param_groups for p in g["params"]} == {
        id(p) for p in classifier.head.parameters()}  # fmt: skip


def test_lars_takes_steps_in_proportion_to_the_weights_and_biases_as_they_are():
    recipe = RECIPES["linear"].model_copy(update={"batch": 256})
    classifier = Classifier(made(), 3, 0.0, "batch", frozen=True)
    weight, bias = classifier.head[1].parameters()
    nn.init.ones_(bias)
    before = weight.detach().clone()
    weight.grad, bias.grad = torch.randn(weight.shape), torch.tensor([1.0, -2.0, 3.0])
    optimising(classifier, recipe).step()
    torch.testing.assert_close(bias.detach(), 1 - recipe.lr * bias.grad)
    step = recipe.lr * 0.001 * before.norm() / weight.grad.norm() * weight.grad
    torch.testing.assert_close(weight.detach(), before - step)


def test_a_linear_layer_on_a_frozen_encoder_learns_colours():
    recipe = QUICK.model_copy(
        update={"frozen": True, "head": "batch", "optimiser": "lars", "lr": 300.0, "epochs": 20}
    )
    score = fine_tune(made(), colours(64), colours(48, 1), recipe, WANT)
    assert score.value > 0.9


@EVERY
def test_the_classifier_reads_the_mean_patch_token(name):
    encoder = made(name)
    classifier = Classifier(encoder, 5, drop_path=0.1).eval()
    nn.init.normal_(classifier.head[1].weight)
    nn.init.normal_(classifier.head[1].bias)
    x = torch.randn(2, 3, SIDE, SIDE)
    encoder.norm = nn.Identity()
    patches = encoder.forward_features(x)[:, -4:]  # a grid of 2 by 2
    norm, linear = classifier.head
    mean = F.layer_norm(patches.mean(dim=1), (WIDTH,), eps=1e-5)
    torch.testing.assert_close(classifier(x), mean @ linear.weight.T + linear.bias)


@EVERY
def test_layers_learn_at_rates_that_fall_towards_the_image(name):
    classifier = Classifier(made(name).requires_grad_(False), 5, drop_path=0.1)
    optimiser = optimising(classifier, FineTune(batch=512))
    scheduling(optimiser, FineTune(warmup=0), steps=10).step_update(0)
    group = {p: g for g in optimiser.param_groups for p in g["params"]}
    parameters = dict(classifier.named_parameters())
    assert set(group) == set(parameters.values())
    for name, p in parameters.items():
        depth = DEPTH + 1  # the embedding; the head has 0, the last block 1
        if name.startswith("head."):
            depth = 0
        elif name.startswith("encoder.blocks."):
            depth = DEPTH - int(name.split(".")[2])
        assert group[p]["lr"] == pytest.approx(2 * 2.5e-4 * 0.65**depth), name
        assert group[p]["betas"] == (0.9, 0.999) and isinstance(optimiser, torch.optim.AdamW)
        free = p.ndim == 1 or any(word in name for word in TOKENS)
        assert group[p]["weight_decay"] == (0 if free else 0.05), name


def test_the_rate_rises_for_a_twentieth_of_the_steps_and_falls_as_half_a_cosine():
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=3.0)
    schedule, rates = scheduling(optimiser, FineTune(), steps=200), []
    for step in range(200):
        schedule.step_update(step)
        rates.append(optimiser.param_groups[0]["lr"])
    rising = 3 * np.arange(10) / 10
    falling = 3 * (1 + np.cos(np.pi * np.arange(190) / 190)) / 2
    assert np.allclose(rates, np.concatenate([rising, falling]))


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.9])
def test_few_steps_have_a_schedule(steps, warmup):
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=3.0)
    schedule = scheduling(optimiser, FineTune(warmup=warmup), steps)
    schedule.step_update(steps - 1)
    assert 0 < optimiser.param_groups[0]["lr"] <= 3


@EVERY
def test_stochastic_depth_grows_with_the_block(name):
    def rates(model):
        return [
            [part.drop_prob if isinstance(part, DropPath) else 0.0 for n, part in parts(block)]
            for block in model.blocks
        ]

    def parts(block):
        return [(n, part) for n, part in block.named_children() if n.startswith("drop_path")]

    encoder = made(name)
    found = rates(Classifier(encoder, 5, drop_path=0.3).encoder)
    assert found == [[0, 0], pytest.approx([0.15, 0.15]), pytest.approx([0.3, 0.3])]
    assert rates(Classifier(encoder, 5, drop_path=0.0).encoder) == 3 * [[0, 0]] == rates(encoder)


def test_smoothed_labels_without_mixing():
    x, labels = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 1, 4])
    seen, goal = mixing(FineTune(mixup=0, cutmix=0), classes=5)(x.clone(), labels)
    assert torch.equal(seen, x)
    torch.testing.assert_close(goal, 0.9 * F.one_hot(labels, 5) + 0.1 / 5)


@pytest.mark.parametrize("fields", [dict(cutmix=0), dict(mixup=0), dict()])
def test_labels_are_mixed_as_the_images_are(fields):
    np.random.seed(0)
    mix, shares = mixing(FineTune(smoothing=0, **fields), classes=2), []
    for _ in range(40):
        white = torch.cat([torch.zeros(2, 3, 16, 16), torch.ones(2, 3, 16, 16)])
        seen, goal = mix(white, torch.tensor([0, 0, 1, 1]))
        torch.testing.assert_close(seen.mean(dim=(1, 2, 3)), goal[:, 1], atol=1e-6, rtol=0)
        cut = ((seen == 0) | (seen == 1)).all() and 0 < seen[0].mean() < 1
        shares.append(bool(cut))
    assert {True} >= set(shares) or fields.get("mixup") != 0
    assert not any(shares) or fields.get("cutmix") != 0
    assert len(fields) == 1 or 5 < sum(shares) < 35


def test_no_augmentation_is_standardising():
    recipe = FineTune(crop=(1, 1), flip=0, augment="", erasing=0)
    image = colours(1).pixels[0]
    found = augmenting(recipe, WANT)(to_pil_image(image))
    shift, scale = (torch.tensor(t).view(3, 1, 1) for t in WANT[1:])
    torch.testing.assert_close(found, (image / 255 - shift) / scale)


def test_erased_images_have_a_noisy_rectangle_and_one_in_four_is_erased():
    recipe = FineTune(crop=(1, 1), flip=0, augment="")
    random.seed(0)
    augment, blank = augmenting(recipe, WANT), to_pil_image(torch.zeros(3, 16, 16).byte())
    clean = augmenting(recipe.replace(erasing=0), WANT)(blank)
    found = torch.stack([augment(blank) for _ in range(400)])  # [400, 3, 16, 16]
    touched = found != clean
    assert found[touched].unique().numel() > 0.9 * touched.sum()
    assert touched.any(dim=(1, 2, 3)).float().mean().item() == pytest.approx(0.25, abs=0.06)
    for one in touched[touched.any(dim=(1, 2, 3))]:
        rows, columns = one[0].any(dim=1), one[0].any(dim=0)
        assert one[0].sum() == rows.sum() * columns.sum()  # a rectangle
        assert one[0].sum() <= 256 / 3 + 16


def test_crops_have_the_area_and_flips_the_share_that_were_asked_for():
    random.seed(0), torch.manual_seed(0)
    ramp = torch.arange(64.0).expand(3, 64, 64).byte()  # bytes rise by 1 a pixel to the right
    recipe, want = FineTune(augment="", erasing=0, crop=(0.25, 0.25)), Inputs((64, 64), *UNIT)
    found = torch.stack([augmenting(recipe, want)(to_pil_image(ramp)) for _ in range(300)])
    rise = 255 * (found[:, 0, 32, 56] - found[:, 0, 32, 8]) / 48  # source pixels by pixel
    assert (rise < 0).float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert 0.5 * 0.75**0.5 - 0.05 < rise.abs().min() and rise.abs().max() < 0.5 / 0.75**0.5 + 0.05


def test_the_strongest_augmentation_never_fails():
    random.seed(0), np.random.seed(0)
    image = to_pil_image(colours(1).pixels[0])
    for strength in (0, 5, 9, 10):
        augment = augmenting(FineTune(augment=f"rand-m{strength}-n9-mstd0.5-inc1"), WANT)
        seen = torch.stack([augment(image) for _ in range(40)])
        assert seen.isfinite().all() and len(seen.unique(dim=0)) > 20


@pytest.mark.parametrize("name", ["plain", "registers", "rotary"])
def test_colours_are_learned_and_the_model_is_left_as_it_was(name):
    model, train, test = made(name), colours(), colours(32, seed=1)
    model.blocks[0].train().requires_grad_(False)
    before, seen = deepcopy(model), []
    score = fine_tune(model, train, test, QUICK, WANT, on_epoch=seen.append)
    assert score.value == 1 == score.ceiling and score.unit == "share of images"
    assert score.chance == pytest.approx(test.labels.bincount().max().item() / 32)
    assert [epoch.number for epoch in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[0].loss > 2 * seen[-1].loss and all(epoch.rate > 0 for epoch in seen)
    for a, b in zip(model.parameters(), before.parameters(), strict=True):
        assert torch.equal(a, b) and a.requires_grad == b.requires_grad and a.grad is None
    was = zip(model.modules(), before.modules(), strict=True)
    assert all(type(a) is type(b) and a.training == b.training for a, b in was)


def test_what_is_not_in_the_images_is_answered_at_chance():
    g = torch.Generator().manual_seed(2)
    train, test = (
        images._replace(pixels=torch.randint(256, images.pixels.shape, generator=g).byte())
        for images in (colours(), colours(200, seed=1))
    )
    score = fine_tune(made(), train, test, QUICK.replace(epochs=2), WANT)
    assert score.low < 1 / 3 < score.high


def test_the_loss_is_the_mean_of_its_steps_and_starts_from_even_classes():
    seen = []
    recipe = QUICK.replace(epochs=1, batch=16, lr=1e-9)
    fine_tune(made(), colours(), colours(), recipe, WANT, on_epoch=seen.append)
    assert seen[0].loss == pytest.approx(np.log(3), abs=1e-3)


def test_without_its_refinements_it_is_plain_adamw():
    model, train, seen = made(), colours(), []
    plain_recipe = dict(epochs=5, batch=64, lr=0.02, warmup=0, layer_decay=1, weight_decay=0)
    fine_tune(model, train, train, QUICK.replace(**plain_recipe), WANT, on_epoch=seen.append)
    torch.manual_seed(0)
    copy = Classifier(model, 3, drop_path=0.0)
    optimiser = torch.optim.AdamW(copy.parameters(), weight_decay=0)
    shift, scale = (torch.tensor(t).view(3, 1, 1) for t in WANT[1:])
    for step in range(5):
        optimiser.param_groups[0]["lr"] = 0.02 * 64 / 256 * (1 + np.cos(np.pi * step / 5)) / 2
        loss = F.cross_entropy(copy((train.pixels / 255 - shift) / scale), train.labels)
        assert seen[step].loss == pytest.approx(loss.item(), rel=1e-3)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert seen[4].loss < 0.9 * seen[0].loss


def test_the_seed_decides():
    recipe, model = FineTune(epochs=2, batch=16, lr=0.05), made()

    def losses(seed):
        random.random(), np.random.rand(), torch.rand(1)  # what they drew before is nothing to it
        seen = []
        fine_tune(model, colours(), colours(8), recipe, WANT, seed=seed, on_epoch=seen.append)
        return [epoch.loss for epoch in seen]

    assert losses(0) == losses(0) != losses(1)


def test_the_global_generators_are_left_as_they_were():
    def states():
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    before = states()
    with pytest.raises(KeyError), seeded(5, torch.device("cpu")):
        drawn = random.random(), np.random.rand(), torch.rand(1).item()
        raise KeyError
    assert states() == before
    random.random(), np.random.rand(), torch.rand(1)
    with seeded(5, torch.device("cpu")):
        assert drawn == (random.random(), np.random.rand(), torch.rand(1).item())


def test_images_that_do_not_fill_a_batch_wait_for_the_next_epoch():
    seen = []
    recipe = QUICK.replace(epochs=1, batch=48)
    fine_tune(made(), colours(64), colours(8), recipe, WANT, on_epoch=seen.append)
    assert seen[0].loss == pytest.approx(np.log(3), abs=1e-3)  # one step, from even classes


@pytest.mark.parametrize("size", [(16, 16), (24, 16)])
def test_images_are_brought_to_the_size_of_the_model(size):
    torch.manual_seed(0)
    model = VisionTransformer(**SIZES | dict(img_size=size, num_classes=0))
    score = fine_tune(model, colours(16), colours(8), QUICK, WANT._replace(size=size))
    assert 0 <= score.low <= score.value <= score.high <= 1


def test_what_cannot_be_learned_from_is_refused():
    train, test = colours(), colours(8)
    one = train._replace(labels=torch.ones_like(train.labels))
    with pytest.raises(UserError, match="have 1 class; fine-tuning needs 2 or more"):
        fine_tune(made(), one, test, QUICK, WANT)
    unknown = train._replace(labels=-torch.ones_like(train.labels))
    with pytest.raises(UserError, match="train_labels must be 0 or more.*drop those without"):
        fine_tune(made(), unknown, test, QUICK, WANT)
    with pytest.raises(UserError, match="batch=1024 must be at most 64.*FineTune.batch=64."):
        fine_tune(made(), train, test, inputs=WANT)


def test_a_loss_that_is_not_finite_names_what_to_lower():
    with pytest.raises(UserError, match="no longer finite at step .*lower FineTune.lr=1e.30"):
        fine_tune(made(), colours(), colours(8), QUICK.replace(lr=1e30), WANT)


@pytest.mark.parametrize(
    "fields", [dict(batch=7), dict(augment="rand-q3"), dict(crop=(0.5, 0.2)), dict(warmup=1.0)]
)
def test_a_recipe_that_cannot_be_is_refused(fields):
    with pytest.raises(UserError, match=next(iter(fields))):
        FineTune(**fields)
