"""The last block skips tokens that no head reads, and neither numbers nor gradients change."""

import pytest
import torch

from siamlab.data import Scenes
from siamlab.model import encoder, heads
from siamlab.model.blocks import through, transformer
from siamlab.recipes import RECIPES, demo_size
from siamlab.train.device import build
from siamlab.train.step import gradients


def plainly(blocks, tokens, wanted, **places):
    for block in blocks:
        tokens = block(tokens, **places)
    return tokens[:, wanted]


@pytest.mark.parametrize("recipe", RECIPES)
def test_skipping_tokens_that_no_head_reads_changes_nothing(recipe, monkeypatch):
    run = demo_size(RECIPES[recipe]())
    images = Scenes(images=64)("train").pixels[:8]
    found = []
    for walk in (None, plainly):
        for module in (encoder, heads) if walk else ():
            monkeypatch.setattr(module, "through", walk)
        state = build(run, torch.device("cpu"))
        stepped = gradients(run, state.model, state.teacher, images, 0, torch.float32)
        grads = {n: p.grad for n, p in state.model.named_parameters() if p.grad is not None}
        found.append(grads | {"loss": sum(stepped.terms.values())})
    # BatchNorm over eight images enlarges what processors round otherwise, in SimSiam the most
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("norm", ["layer", "batch"])
@pytest.mark.parametrize("wanted", [slice(0, 1), slice(1, None), slice(None)], ids=str)
def test_the_last_block_gives_wanted_tokens_what_they_would_have(norm, wanted):
    torch.manual_seed(0)
    blocks, tokens = transformer(2, 16, 2, norm), torch.randn(4, 9, 16)
    found = []
    for walk in (through, plainly):
        blocks.zero_grad()
        out = walk(blocks, tokens, wanted)
        out.square().sum().backward()
        found.append([out, *(p.grad for p in blocks.parameters())])
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)
