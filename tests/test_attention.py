"""Attention by packed products: timm's to rounding, its way back against finite differences."""

import pytest
import timm.layers
import torch

from siamlab.model import attention
from siamlab.model.attention import SHORT, Attention, attend

SIZES = [(1, 1, 1, 1), (3, 2, 5, 4), (2, 3, 26, 24), (2, 4, SHORT, 8), (1, 2, SHORT + 1, 8)]
sizes = pytest.mark.parametrize("batch, heads, tokens, depth", SIZES)  # depth: numbers a head


def pair(heads, depth):
    """siamlab's attention and timm's unfused one, with the same weights."""
    torch.manual_seed(heads)
    layers = [kind(heads * depth, heads, qkv_bias=True) for kind in LAYERS]
    layers[1].load_state_dict(layers[0].state_dict())
    layers[1].fused_attn = False
    return layers


LAYERS = (Attention, timm.layers.Attention)


def told(layer, tokens, **asked):
    """Return the output of a layer and all its gradients."""
    tokens = tokens.clone().requires_grad_()
    out = layer(tokens, **asked)
    out.backward(torch.linspace(-1, 1, out.numel()).view_as(out).to(out.dtype))
    return out.detach(), tokens.grad, *(p.grad for p in layer.parameters())


@sizes
def test_it_is_timms_and_so_are_its_gradients(batch, heads, tokens, depth):
    given = torch.randn(batch, tokens, heads * depth)
    torch.testing.assert_close(*(told(layer, given) for layer in pair(heads, depth)))


@sizes
def test_bfloat16_is_as_near_to_the_truth_as_timms(batch, heads, tokens, depth):
    given = torch.randn(batch, tokens, heads * depth)
    ours, timms = pair(heads, depth)
    exact = told(ours, given)
    for parameter in (*ours.parameters(), *timms.parameters()):
        parameter.grad = None
    with torch.autocast("cpu", torch.bfloat16):
        near, plain = told(ours, given), told(timms, given)
    for truth, mine, theirs in zip(exact, near, plain, strict=True):
        assert mine.dtype == theirs.dtype
        error, allowed = (mine - truth).norm(), (theirs - truth).norm()
        assert error <= 1.5 * allowed + 1e-3 * truth.norm()


@pytest.mark.parametrize("heads", [1, 2, 6])
def test_its_gradient_is_that_of_finite_differences(heads):
    torch.manual_seed(heads)
    qkv = torch.randn(2, 3, 36, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda given: attend(given, heads), [qkv])


@pytest.mark.parametrize("asked", [{"attn_mask": torch.eye(5).bool()}, {"is_causal": True}])
def test_what_it_cannot_do_timms_does(asked):
    given = torch.randn(2, 5, 8)
    torch.testing.assert_close(*(told(layer, given, **asked) for layer in pair(2, 4)))


@pytest.mark.parametrize(
    "tokens, precision, fused, packed",
    [
        (SHORT, torch.float32, True, True),
        (SHORT + 1, torch.float32, True, False),  # torch's kernel needs no matrix of them
        (SHORT + 1, torch.bfloat16, True, True),
        (SHORT, torch.float32, False, False),  # as probes ask for that read the matrix
    ],
)
def test_when_products_are_taken(tokens, precision, fused, packed, monkeypatch):
    calls = []
    whole = attention.attend
    monkeypatch.setattr(attention, "attend", lambda *given: calls.append(1) or whole(*given))
    layer = pair(2, 4)[0]
    layer.fused_attn = fused
    with torch.no_grad(), torch.autocast("cpu", precision, precision != torch.float32):
        layer(torch.randn(1, tokens, 8))
    assert bool(calls) == packed
