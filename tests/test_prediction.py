"""Heads: what they predict, in which shape, and on what it depends."""

import pytest
import torch
from torch import nn

from siamlab.geometry import View
from siamlab.masking import Mask
from siamlab.model.blocks import TokenBatchNorm, perceptron
from siamlab.model.heads import pooled
from siamlab.model.prediction import DenseDecoder
from siamlab.model.siamese import Siamese
from siamlab.positions import OwnFrame, own_places
from siamlab.recipes import mae, siameseim, simmim

OWN = OwnFrame()


def seen(*hidden, batch=2):
    """Every patch but those, which differ between the two images."""
    mask = torch.ones(batch, 6, dtype=torch.bool)
    for image in range(batch):
        mask[image, [(h + image) % 6 for h in hidden]] = False
    return mask


def small(run):
    """The same run with views of 2 × 3 patches and networks 16 wide."""
    head = dict(
        width=16, depth=1, heads=2, projector=min(getattr(run.prediction, "projector", 0), 1)
    )
    dense = isinstance(run.prediction, DenseDecoder)
    return run.change(
        size=(12, 18),
        model=run.model.replace(width=16, depth=1, heads=2, patch=6),
        prediction=run.prediction.replace(**head) if dense else run.prediction,
    )


def predicted(run, mask=None, seed=0):
    """The model of a run, and what it predicts of two crops of five images."""
    torch.manual_seed(seed)
    model = Siamese(run, run.target.widths(run))
    rng = torch.Generator().manual_seed(3)
    box = (
        torch.tensor([[0.1, 0.2, 0.5, 0.6]]).expand(5, -1),
        torch.rand(5, 4, generator=rng) / 2 + 0.1,
    )
    image, flip = torch.rand(5, 3, 12, 18, generator=rng), torch.rand(5, generator=rng) < 0.5
    context, target = (View(image, b, flip) for b in box)
    mask = mask or run.masking(5, run.grid, rng)
    return model, model(image, run.positions(context, target, run.grid), mask)


@pytest.mark.parametrize("kind", ["none", "own", "offset", "relative", "learned"])
def test_without_positions_every_patch_is_predicted_alike(kind):
    _, (pred,) = predicted(small(siameseim()).change(f"positions={kind}"))
    assert pred.shape == (5, 6, 16)
    spread = (pred - pred.mean(dim=1, keepdim=True)).abs().max()
    assert (spread < 1e-5) == (kind == "none")


@pytest.mark.parametrize("kind", ["none", "own", "offset", "relative", "learned"])
@torch.no_grad()
def test_a_relative_prediction_depends_on_where_the_target_lies(kind):
    run = small(siameseim()).change(f"positions={kind}")
    torch.manual_seed(0)
    model = Siamese(run, run.target.widths(run))
    image, mask = torch.rand(2, 3, 12, 18), Mask(seen(0), seen(1))
    boxes = torch.tensor([[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.5], [0.3, 0.4, 0.6, 0.2]])
    context, same, other = (View(image, b.expand(2, -1), torch.zeros(2) > 0) for b in boxes)
    preds = [model(image, run.positions(context, t, run.grid), mask)[0] for t in (same, other)]
    assert torch.allclose(*preds, atol=1e-5) == (kind in ("none", "own"))


def test_only_what_is_asked_is_predicted():
    mask = Mask(seen(0, 1, 2, batch=5), seen(0, 4, batch=5))
    _, (pred,) = predicted(small(siameseim()), mask)
    assert pred.shape == (5, 4, 16)
    _, (pixels,) = predicted(small(mae()), Mask(mask.visible, ~mask.visible))
    assert pixels.shape == (5, 3, 108)  # 3 · 6 · 6 numbers a patch


def test_a_linear_head_reads_the_encoders_own_tokens():
    run = small(simmim())
    mask = Mask(seen(0, 1, 2, batch=5), ~seen(0, 1, 2, batch=5))
    model, (pred,) = predicted(run, mask)
    image = torch.rand(5, 3, 12, 18, generator=torch.Generator().manual_seed(4))
    tokens = model.encoder(image, own_places(run.grid), mask.visible)[:, 1:]
    expected = model.predictors[0].out(tokens)[mask.predict].view(5, 3, 108)
    same = View(image, torch.rand(5, 4), torch.ones(5) < 0)
    torch.testing.assert_close(model(image, run.positions(same, same, run.grid), mask)[0], expected)
    assert pred.shape == (5, 3, 108)


def test_pooling_takes_the_class_token_or_the_mean_patch():
    tokens = torch.arange(2 * 5 * 3.0).view(2, 5, 3)  # class token, one register, three patches
    assert torch.equal(pooled(tokens, 2, "class"), tokens[:, :1])
    assert torch.equal(pooled(tokens, 2, "mean"), tokens[:, 3:4])


def test_both_heads_share_the_loss():
    run = small(siameseim()).change("prediction=both", "prediction.share=0.7")
    run = run.change(*(f"prediction.dense.{k}=16" for k in ("width", "heads")))
    run = run.change(*(f"prediction.image.{k}=12" for k in ("hidden", "width", "bottleneck")))
    assert [(p.prefix, p.weight) for p in run.prediction.parts] == [
        ("dense/", 0.7),
        ("global/", pytest.approx(0.3)),
    ]
    _, (dense, image) = predicted(run)
    assert dense.shape == (5, 6, 16) and image.shape == (5, 1, 12)


@pytest.mark.parametrize("end", ["none", "batch"])
def test_perceptrons_norm_all_but_perhaps_the_last(end):
    layers = perceptron([8, 16, 16, 4], end)
    names = [type(layer).__name__ for layer in layers]
    hidden = ["Linear", "TokenBatchNorm", "ReLU"]
    assert names == 2 * hidden + ["Linear"] + ["TokenBatchNorm"] * (end == "batch")
    assert [layer.bias is None for layer in layers if isinstance(layer, nn.Linear)] == [
        True,
        True,
        end == "batch",
    ]
    norms = [layer for layer in layers if isinstance(layer, TokenBatchNorm)]
    assert [n.affine for n in norms] == [True, True] + [False] * (end == "batch")


@pytest.mark.parametrize("norm, kind", [("layer", nn.LayerNorm), ("batch", TokenBatchNorm)])
def test_the_decoder_has_the_norm_it_is_told(norm, kind):
    head = DenseDecoder(width=16, heads=2, depth=1, norm=norm, projector=1)
    made = [*head.project(8).modules(), *head.predict(8, 4, OWN).modules()]
    norms = {type(m) for m in made if isinstance(m, nn.LayerNorm | nn.BatchNorm1d)}
    assert norms == {kind}


def test_without_blocks_the_projector_may_keep_its_linear_layer():
    """A momentum target copies it then, and goals are as wide as the decoder."""
    run = small(siameseim()).change("prediction.projector=0", "prediction.width=8")
    kept = run.change("prediction.linear=projector")
    assert [r.target.widths(r) for r in (run, kept)] == [[16], [8]]
    model, (pred,) = predicted(kept)
    assert pred.shape == (5, 6, 8)
    assert [tuple(w.shape) for w in model.projectors.parameters()] == [(8, 16), (8,)]
    teacher = kept.target.build(model, kept)
    assert [tuple(w.shape) for w in teacher.projectors.parameters()] == [(8, 16), (8,)]
    without, _ = predicted(run)
    assert not list(without.projectors.parameters())
    assert without.predictors[0].embed.weight.shape == (8, 16)


@pytest.mark.parametrize("projector", ["same", "layer", "batch"])
def test_projector_and_predictor_may_have_different_norms(projector):
    run = small(siameseim()).change(f"prediction.projector_norm={projector}")
    model, _ = predicted(run.change("prediction.batch_epsilon=1e-5"))
    expected = nn.LayerNorm if projector == "layer" else TokenBatchNorm
    assert type(model.projectors[0].layers[1][0].norm1) is expected
    assert type(model.predictors[0].blocks[0].norm1) is TokenBatchNorm
    norms = [m for m in model.modules() if isinstance(m, nn.LayerNorm | TokenBatchNorm)]
    assert all(n.eps == (1e-6 if isinstance(n, nn.LayerNorm) else 1e-5) for n in norms)


def test_a_prediction_may_be_normalised():
    """Mean 0 and variance 1 − ε / variance over the width of each prediction, without weights."""
    plain, normed = (
        predicted(small(siameseim()).change(f"prediction.normalise={n}")) for n in ("none", "layer")
    )
    assert plain[0].state_dict().keys() == normed[0].state_dict().keys()
    (raw,), (pred,) = plain[1], normed[1]
    centred = raw - raw.mean(dim=-1, keepdim=True)
    expected = centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(pred, expected)
