"""Laws of every loss, then each against a plain formula."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import siamlab.loss
from siamlab.component import variants
from siamlab.loss import (
    MSE,
    BarlowTwins,
    Cosine,
    InfoNCE,
    Loss,
    SmoothL1,
    UniGrad,
    VICReg,
)

EVERY = pytest.mark.parametrize("cls", variants(Loss))


def total(terms):
    return sum(terms.values())


def tokens(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def normed(tensor):
    return F.layer_norm(tensor, tensor.shape[-1:])


class Largest(TorchDispatchMode):
    """The number of elements of the largest tensor that any operation made."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        sizes = [t.numel() for t in tree_leaves(made) if isinstance(t, torch.Tensor)]
        self.elements = max([self.elements, *sizes])
        return made


@EVERY
@pytest.mark.parametrize("shape", [(3, 4, 6), (7, 1, 5)])  # of patches, and of whole images
def test_gradients_are_those_of_finite_differences(cls, shape):
    pred, goal = tokens(*shape).requires_grad_(), normed(tokens(*shape, seed=1))
    assert torch.autograd.gradcheck(lambda p: total(cls()(p, goal)), (pred,))


@EVERY
def test_terms_are_finite_scalars_that_are_named(cls):
    terms = cls()(tokens(4, 9, 16), normed(tokens(4, 9, 16, seed=1)))
    assert all(value.shape == () and value.isfinite() for value in terms.values())


@EVERY
def test_a_perfect_prediction_beats_a_wrong_one(cls):
    goal = normed(tokens(4, 9, 16))
    assert total(cls()(goal, goal)) < total(cls()(goal.roll(1, dims=1), goal))
    assert total(cls()(goal, goal)) < total(cls()(goal.roll(1, dims=0), goal))


@EVERY
def test_the_order_of_the_tokens_does_not_matter(cls):
    pred, goal = tokens(4, 6, 8), tokens(4, 6, 8, seed=1)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(2))
    mixed = (t.flatten(0, 1)[order].view(2, 12, 8) for t in (pred, goal))
    torch.testing.assert_close(total(cls()(*mixed)), total(cls()(pred, goal)))


@EVERY
def test_no_tensor_grows_with_the_square_of_the_tokens(cls):
    n, width = 4096, 8
    pred = tokens(4, n // 4, width, dtype=torch.float32).requires_grad_()
    with Largest() as largest:
        total(cls()(pred, tokens(4, n // 4, width, seed=1, dtype=torch.float32))).backward()
    assert n * width <= largest.elements <= n * n // 4


def test_mse_and_smooth_l1_are_the_formulas():
    pred, goal = 2 * tokens(2, 3, 4), tokens(2, 3, 4, seed=1)
    error = (pred - goal).abs().numpy()
    assert total(MSE()(pred, goal)).item() == pytest.approx((error**2).mean())
    below = np.where(error < 0.5, error**2 / (2 * 0.5), error - 0.5 / 2)  # beta 0.5
    assert total(SmoothL1(beta=0.5)(pred, goal)).item() == pytest.approx(below.mean())
    assert total(SmoothL1(beta=0.0)(pred, goal)).item() == pytest.approx(error.mean())


@pytest.mark.parametrize("angle", [0, 60, 90, 180])
def test_cosine_is_the_angle_alone(angle):
    radians = math.radians(angle)
    pred = torch.tensor([[[5 * math.cos(radians), 5 * math.sin(radians)]]])
    found = total(Cosine()(pred, torch.tensor([[[0.1, 0.0]]]))).item()
    assert found == pytest.approx(2 - 2 * math.cos(radians), abs=1e-6)


def test_infonce_is_cross_entropy_on_the_full_matrix():
    pred, goal = tokens(4, 3, 5), tokens(4, 3, 5, seed=1)
    logits = F.normalize(pred.flatten(0, 1), dim=1) @ F.normalize(goal.flatten(0, 1), dim=1).T
    expected = 2 * 0.3 * F.cross_entropy(logits / 0.3, torch.arange(12))
    torch.testing.assert_close(total(InfoNCE(temperature=0.3)(pred, goal)), expected)


def test_infonce_in_chunks_is_the_same(monkeypatch):
    goal = tokens(4, 3, 5, seed=1)
    whole, parts = (tokens(4, 3, 5).requires_grad_() for _ in range(2))
    once = total(InfoNCE()(whole, goal))
    monkeypatch.setattr(siamlab.loss, "CHUNK", 5 * 12)  # 5, 5 and 2 rows
    chunked = total(InfoNCE()(parts, goal))
    torch.testing.assert_close(chunked, once)
    once.backward(), chunked.backward()
    torch.testing.assert_close(parts.grad, whole.grad)


def test_infonce_of_equal_vectors_is_chance():
    same = torch.ones(8, 1, 4)
    assert total(InfoNCE()(same, same)).item() == pytest.approx(0.4 * math.log(8))


def test_unigrad_is_the_quadratic_form():
    """Mean over n of the mean over m of (p_n · t_m)², the O(n²) way."""
    pred, goal = tokens(3, 4, 6), normed(tokens(3, 4, 6, seed=1))
    p, t = pred.flatten(0, 1), goal.flatten(0, 1)
    terms = UniGrad(weight=0.3)(pred, goal)
    positive = (p - t).square().sum(dim=1).mean() / 6
    negative = 0.3 * (p @ t.T).square().mean() / 6
    torch.testing.assert_close(terms, {"positive": positive, "negative": negative})


def test_unigrad_has_the_gradient_of_the_paper():
    """∂L/∂p_n = (2 (p_n − t_n) + 2 λ C p_n) / (n D)."""
    pred, goal = tokens(3, 4, 6).requires_grad_(), normed(tokens(3, 4, 6, seed=1))
    total(UniGrad(weight=0.3)(pred, goal)).backward()
    p, t = pred.detach().flatten(0, 1), goal.flatten(0, 1)
    moments = t.T @ t / 12
    expected = (2 * (p - t) + 2 * 0.3 * p @ moments) / (12 * 6)
    torch.testing.assert_close(pred.grad.flatten(0, 1), expected)


def test_unigrad_of_no_prediction_is_one():
    goal = normed(tokens(3, 4, 64))
    assert total(UniGrad()(torch.zeros(3, 4, 64).double(), goal)).item() == pytest.approx(1, 1e-4)


def test_unigrad_of_a_collapsed_target_is_lambda_times_the_width():
    goal = normed(tokens(1, 1, 64)).expand(3, 4, -1)
    assert total(UniGrad(weight=0.02)(goal, goal)).item() == pytest.approx(0.02 * 64, 1e-4)


def test_vicreg_is_the_lines_of_the_paper():
    pred, goal = 0.5 * tokens(3, 4, 6), tokens(3, 4, 6, seed=1)
    p = pred.flatten(0, 1).numpy()
    cov = np.cov(p.T)
    off = (cov - np.diag(np.diag(cov))) ** 2
    expected = {
        "invariance": 2 * np.mean((pred.numpy() - goal.numpy()) ** 2),
        "variance": 3 * np.maximum(0, 1 - np.sqrt(p.var(axis=0, ddof=1) + 1e-4)).mean(),
        "covariance": 4 * off.sum() / 6,
    }
    found = VICReg(invariance=2, variance=3, covariance=4)(pred, goal)
    assert {k: v.item() for k, v in found.items()} == pytest.approx(expected)


def test_barlow_is_the_correlation_matrix():
    pred, goal = 3 * tokens(5, 8, 4) + 1, tokens(5, 8, 4, seed=1) - 2
    both = np.corrcoef(pred.flatten(0, 1).numpy().T, goal.flatten(0, 1).numpy().T)[:4, 4:]
    on = np.diag(both)
    expected = {
        "diagonal": ((1 - on) ** 2).sum(),
        "redundancy": 0.01 * ((both**2).sum() - (on**2).sum()),
    }
    found = BarlowTwins(weight=0.01)(pred, goal)
    assert {k: v.item() for k, v in found.items()} == pytest.approx(expected, rel=1e-4)
