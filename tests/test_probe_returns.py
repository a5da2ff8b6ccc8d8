"""Probes on a GPU: in their loops nothing comes back to the processor.

Seen on a device that pretends to be a GPU. However many parts a probe cuts its images into, the
same few numbers come back, after the loop.
"""

import sys

import pytest
import torch
from pretend_device import pretended, returned

from siamlab.geometry import Match
from siamlab.probe import correspondence, knn, knn_votes, place_error, retrieval
from siamlab.probe.linear import linear_answers
from siamlab.probe.segmentation import _overlaps as overlaps

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


def counted(device, chunk):
    """Regions of the pixels, as segmentation counts them after its fit."""
    masks = (torch.arange(N * 36).view(N, 6, 6) % 3).to(torch.uint8)
    return overlaps(draws()(N, 9, 3).to(device), masks.to(device), GRID, chunk)


@pytest.mark.parametrize("probe", [votes, matches, errors, ranked])
def test_nothing_returns_for_each_part_of_the_images(probe):
    found = {}
    for name, chunk in PARTS.items():
        with pretended() as device, returned() as log:
            probe(device, chunk)
        found[name] = log
    assert found["one"] == found["many"]
    assert 0 < len(found["one"]) < 16  # checks, chance and the terms of each image


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
