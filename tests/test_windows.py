"""Sliding windows: where they lie, what their patches show, and how their logits are joined."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from siamlab.component import UserError
from siamlab.probe import segmentation
from siamlab.probe.segmentation import miou, pixel_counts, region_shares
from siamlab.probe.windows import (
    Window,
    answers,
    blended,
    fit_regions,
    oracle_logits,
    window_corners,
    window_shares,
)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def tiles(frame, side, stride):
    return [Window(corner, side, frame) for corner in window_corners(frame, side, stride)]


@pytest.mark.parametrize(
    "length, starts",
    [(512, [0]), (513, [0, 1]), (683, [0, 171]), (853, [0, 341]), (1024, [0, 341, 512]),
     (2048, [0, 341, 682, 1023, 1364, 1536])],
)  # fmt: skip
def test_windows_are_a_stride_apart_and_the_last_ends_with_the_image(length, starts):
    assert window_corners((512, length), 512, 341) == [(0, left) for left in starts]
    assert window_corners((length, 512), 512, 341) == [(top, 0) for top in starts]
    both = window_corners((length, length), 512, 341)
    assert both == [(top, left) for top in starts for left in starts]


def test_one_window_is_the_plain_upsampling():
    logits = torch.randn(1, 12, 5, generator=rng())
    found = blended(logits, tiles((24, 24), 24, 16), (3, 4))
    expected = F.interpolate(logits.mT.unflatten(2, (3, 4)), (24, 24), mode="bilinear")[0]
    torch.testing.assert_close(found, expected)


def test_windows_side_by_side_are_each_its_own():
    logits = torch.randn(2, 4, 3, generator=rng())
    found = blended(logits, tiles((8, 16), 8, 8), (2, 2))
    for part, own in zip(found.split(8, dim=2), logits, strict=True):
        alone = blended(own[None], tiles((8, 8), 8, 8), (2, 2))
        torch.testing.assert_close(part, alone)


def test_where_windows_overlap_their_logits_are_averaged():
    """Each pixel by itself, in plain loops."""
    frame, side, stride = (10, 13), 6, 4
    windows = tiles(frame, side, stride)
    logits = torch.randn(len(windows), 9, 2, generator=rng())
    found = blended(logits, windows, (3, 3)).numpy()
    maps = F.interpolate(logits.mT.unflatten(2, (3, 3)), (side, side), mode="bilinear").numpy()
    for y in range(frame[0]):
        for x in range(frame[1]):
            own = [
                maps[i, :, y - top, x - left]
                for i, ((top, left), _, _) in enumerate(windows)
                if top <= y < top + side and left <= x < left + side
            ]
            np.testing.assert_allclose(found[:, y, x], np.mean(own, axis=0), rtol=1e-5, atol=1e-6)


def test_a_few_regions_at_a_time_give_the_largest_of_all(monkeypatch):
    logits = torch.randn(7, 5, 6, generator=rng())
    expected = F.interpolate(logits[None], (11, 9), mode="bilinear")[0].argmax(dim=0)
    for block in (1, 2 * 99, 3 * 99, 2**20):
        monkeypatch.setattr("siamlab.probe.windows.BLOCK", block)
        assert torch.equal(answers(logits, (11, 9)), expected)


def test_a_window_of_the_whole_image_has_the_shares_of_its_patches():
    masks = torch.randint(0, 4, (1, 13, 13), generator=rng()).to(torch.uint8)
    masks[masks == 3] = 255
    found = window_shares(masks[0], Window((0, 0), 24, (24, 24)), (3, 5), 3)
    torch.testing.assert_close(found, region_shares(masks, (3, 5), 3)[0])


def test_shares_are_those_of_the_pixels_below_a_window():
    """The mask is enlarged so far that no patch border cuts its pixels."""
    mask = torch.randint(0, 3, (6, 9), generator=rng()).to(torch.uint8)
    mask[2, 2:5] = 255
    window = Window((2, 5), 8, (12, 18))  # 2 frame pixels for each of the mask: corner at 1, 2.5
    found = window_shares(mask, window, (4, 4), 3).unflatten(0, (4, 4))
    large = mask.repeat_interleave(2, 0).repeat_interleave(2, 1)[2:10, 5:13]
    for region in range(3):
        expected = F.avg_pool2d((large == region).float()[None], 2)[0]
        torch.testing.assert_close(found[..., region], expected)


def test_shares_of_all_windows_together_are_those_of_the_image():
    """Windows side by side cover each pixel once, at any scale."""
    mask = torch.randint(0, 3, (37, 50), generator=rng()).to(torch.uint8)
    frame = (16, 24)
    parts = [window_shares(mask, w, (2, 2), 3).sum(dim=0) for w in tiles(frame, 8, 8)]
    shares = torch.stack(parts).sum(dim=0) / (len(parts) * 4)
    expected = mask.long().flatten().bincount(minlength=3) / mask.numel()
    torch.testing.assert_close(shares, expected, atol=1e-5, rtol=0)


def test_a_border_that_rounding_moves_beyond_the_image_cuts_nothing():
    """29 / 28 · 28 is a little more than 29; a region beyond `count` is void."""
    mask = torch.randint(0, 4, (29, 29), generator=rng()).to(torch.uint8)
    shares = window_shares(mask, Window((0, 0), 28, (28, 28)), (2, 2), 3)
    expected = mask.long().flatten().bincount(minlength=4)[:3] / mask.numel()
    torch.testing.assert_close(shares.mean(dim=0), expected, atol=1e-5, rtol=0)


def test_one_window_scores_what_the_plain_probe_does():
    draw = rng()
    masks = torch.randint(0, 3, (8, 4, 4), generator=draw).to(torch.uint8)
    masks = masks.repeat_interleave(5, 1).repeat_interleave(5, 2)
    masks[:, :3, :3] = 255
    features = region_shares(masks, (4, 4), 3) @ torch.randn(3, 6, generator=draw)
    features += 0.7 * torch.randn(features.shape, generator=draw)
    half = (features[:4], masks[:4]), (features[4:], masks[4:])
    plain = segmentation(*half[0], *half[1], (4, 4))
    window = Window((0, 0), 20, (20, 20))
    shares = [window_shares(m, window, (4, 4), 3) for m in masks]
    head = fit_regions(half[0][0].flatten(0, 1), torch.cat(shares[:4]))
    terms = []
    for own, share, mask in zip(half[1][0], shares[4:], half[1][1], strict=True):
        ways = own @ head.weight + head.bias, oracle_logits(share)
        found = [answers(blended(logits[None], [window], (4, 4)), (20, 20)) for logits in ways]
        terms.append(pixel_counts(torch.stack(found), mask.expand(2, -1, -1), 3))
    value, ceiling = miou(torch.stack(terms).sum(dim=0)).tolist()
    assert (value, ceiling) == pytest.approx((plain.value, plain.ceiling), abs=1e-6)
    assert 0.4 < value < 0.9 < ceiling


def test_masks_without_a_pixel_cannot_be_learned_from():
    with pytest.raises(UserError, match="training masks have only void"):
        fit_regions(torch.randn(4, 3, generator=rng()), torch.zeros(4, 2))
