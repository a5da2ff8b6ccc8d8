"""Probes on a GPU: in their loops nothing comes back to the processor.

Seen on a device that pretends to be a GPU. However many parts a probe cuts its images into, the
same few numbers come back, after the loop.
"""

import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from pretend_device import DEVICE, pretended, returned

from siamlab.data.annotated import read_annotated
from siamlab.evaluate.standard import AnySize, Regions
from siamlab.evaluate.standard.sliding import Classifier, Sliding, scored
from siamlab.geometry import Match
from siamlab.probe import (
    correspondence,
    in_context,
    knn,
    knn_votes,
    place_error,
    retrieval,
)
from siamlab.probe import (
    votes as module,
)
from siamlab.probe.features import Features
from siamlab.probe.in_context import recall, remember
from siamlab.probe.linear import linear_answers
from siamlab.probe.segmentation import _overlaps as overlaps
from siamlab.probe.votes import fit_votes
from siamlab.probe.windows import oracle_logits

N, GRID, WIDTH = 24, (3, 3), 8
PARTS = {"one": N, "many": 2}  # images at a time


def draws():
    rng = torch.Generator().manual_seed(0)
    return lambda *shape: torch.rand(*shape, generator=rng)


def places(device):
    """Points of one view in the other, in fractions, and whether they are inside."""
    draw = draws()
    return Match((draw(N, 9, 2) * 3).to(device), torch.ones(N, 9, dtype=torch.bool).to(device))


def votes(device, chunk):
    draw = draws()
    labels = (torch.arange(N) % 3).to(device)
    return knn(draw(N, WIDTH).to(device), labels, draw(N, WIDTH).to(device), labels, 3, chunk=chunk)


def matches(device, chunk):
    draw = draws()
    a, b = draw(N, 9, WIDTH).to(device), draw(N, 9, WIDTH).to(device)
    return correspondence(a, b, places(device), GRID, (24, 24), chunk=chunk)


def errors(device, chunk):
    draw = draws()
    a, b = draw(N, 9, WIDTH).to(device), draw(N, 9, WIDTH).to(device)
    return place_error(a, b, places(device), GRID, (24, 24), chunk=chunk)


def ranked(device, chunk):
    return retrieval(draws()(N, WIDTH).to(device), (torch.arange(N) % 3).to(device), chunk=chunk)


def recalled(device, chunk):
    """Regions of patches, from a memory."""
    draw, masks = draws(), (torch.arange(N * 36).view(N, 6, 6) % 3).to(torch.uint8)
    a, b = draw(N, 9, WIDTH).to(device), draw(N, 9, WIDTH).to(device)
    return in_context(a, masks, b, masks, GRID, k=3, chunk=9 * chunk)


def counted(device, chunk):
    """Regions of the pixels, as segmentation counts them after its fit."""
    masks = (torch.arange(N * 36).view(N, 6, 6) % 3).to(torch.uint8)
    return overlaps(draws()(N, 9, 3).to(device), masks.to(device), GRID, chunk)


@pytest.mark.parametrize("probe", [votes, matches, errors, ranked, recalled])
def test_nothing_returns_for_each_part_of_the_images(probe):
    found = {}
    for name, chunk in PARTS.items():
        with pretended() as device, returned() as log:
            probe(device, chunk)
        found[name] = log
    assert found["one"] == found["many"]
    assert 0 < len(found["one"]) < 20  # checks, chance and the terms of each image


def test_regions_of_pixels_are_counted_without_a_return_for_each_part():
    found = {}
    for name, chunk in PARTS.items():
        with pretended() as device, returned() as log:
            counted(device, chunk)
        found[name] = log
    assert found["one"] == found["many"] and len(found["one"]) < 3


def test_votes_of_others_return_nothing_for_each_part(monkeypatch):
    home, found = sys.modules["siamlab.probe.knn"], []  # whose name is that of a function, too
    for block in (home.BLOCK, 2 * N):
        monkeypatch.setattr(home, "BLOCK", block)
        draw = draws()
        with pretended() as device, returned() as log:
            knn_votes(draw(N, WIDTH).to(device), (torch.arange(N) % 3).to(device), 3)
        found.append(log)
    assert found[0] == found[1]


def test_votes_of_patches_return_nothing_for_each_part(monkeypatch):
    draw, found = draws(), []
    shares = F.one_hot(torch.arange(N) % 3, 3).float()
    for block in (module.BLOCK, 2 * N):
        monkeypatch.setattr(module, "BLOCK", block)
        with pretended() as device:
            parts = [(draw(n, WIDTH).to(device), shares[:n].to(device)) for n in (N, 4)]
            memory, asked = fit_votes(*parts), draw(N, WIDTH).to(device)
            with returned() as log:
                memory.of(asked)
        found.append(log)
    assert found == [[], []]


class Eye(AnySize):
    """Features of the device for windows of any size, three patches across."""

    def __init__(self):
        pass

    def passes(self, size):
        return self

    def features(self, pixels):
        patches = draws()(len(pixels), 9, WIDTH).to(DEVICE)
        return Features(patches[:, 0], patches[:, 0], patches, GRID)


def linear_layer(device):
    weight = draws()(WIDTH, 3).to(device)
    return Classifier(lambda x: x @ weight, oracle_logits)


def nearest_patches(device):
    shares = F.one_hot(torch.arange(40) % 3, 3).float()
    memory = remember(draws()(40, WIDTH).to(device), shares.to(device))
    return Classifier(lambda x: recall(x.flatten(0, 1), memory).unflatten(0, x.shape[:2]), abs)


@pytest.mark.parametrize("classifier", [linear_layer, nearest_patches])
def test_sliding_windows_return_nothing_for_each_photograph(classifier, tmp_path):
    numbers = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16)
    for i in range(4):
        for part, values in (("images", numbers), ("masks", (numbers + i) % 3)):
            (tmp_path / part).mkdir(exist_ok=True)
            Image.fromarray(values).save(tmp_path / part / f"{i}.png")
    test, _ = read_annotated(str(tmp_path), Regions.public)
    with pretended() as device:
        answer = classifier(device)
        with returned() as log:
            rows = list(scored(test, [0, 1, 2], Sliding(12, 12, 5), answer, Eye()))
    assert log == [] and {row.device.type for row in rows} == {device.type}


def test_a_linear_probe_reads_its_loss_alone():
    """torch's L-BFGS decides by the loss and lengths of steps, single numbers, when to stop."""
    draw = draws()
    x, y, labels = draw(N, WIDTH), draw(N, WIDTH), torch.arange(N) % 3
    with pretended() as device, returned() as log:
        linear_answers(x.to(device), labels.to(device), [y.to(device)], 3)
    assert log and {numbers for _, numbers in log} == {1}


def test_what_returns_is_seen():
    with pretended() as device, returned() as log:
        x = torch.arange(6.0).to(device)
        x.cpu(), x.sum().item(), x[x > 2], x.tolist(), torch.empty(6).copy_(x), x.nonzero()
    assert [numbers for _, numbers in log] == [6, 1, 6, 6, 6, 6]
