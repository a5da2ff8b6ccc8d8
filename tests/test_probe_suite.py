"""The suite on images whose answers are known, and its table."""

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from siamlab.component import UserError
from siamlab.data.images import Images, no_masks, no_objects
from siamlab.probe import PROBES, combine, probe_model, table
from siamlab.probe.features import Inputs

SIZE = (36, 36)
WANT = Inputs(SIZE, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
COLOURS = torch.tensor([[110, 80, 80], [80, 110, 80], [80, 80, 110]], dtype=torch.uint8)


def squares(n, seed, masks=True, labelled=True):
    """A square of its class's colour on noise, with its mask."""
    g = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (n, 3, 48, 48), generator=g, dtype=torch.uint8)
    labels = torch.randint(3, (n,), generator=g)
    regions = torch.zeros(n, 48, 48, dtype=torch.uint8)
    for i in range(n):
        top, left = torch.randint(24, (2,), generator=g).tolist()
        pixels[i, :, top : top + 24, left : left + 24] = COLOURS[labels[i]][:, None, None]
        regions[i, top : top + 24, left : left + 24] = 1 + labels[i]
    return Images(
        pixels,
        labels if labelled else torch.full_like(labels, -1),
        regions if masks else no_masks(48),
        ("red", "green", "blue"),
        ("background", "red", "green", "blue"),
        no_objects(n),
    )


def network(seed=0):
    torch.manual_seed(seed)
    return VisionTransformer(
        img_size=SIZE, patch_size=6, embed_dim=48, depth=1, num_heads=3, num_classes=0
    )


@pytest.fixture(scope="module")
def scores():
    return probe_model(network(), squares(200, 0), squares(100, 1), WANT)


def test_all_probes_run_in_order_and_see_colours(scores):
    assert list(scores) == list(PROBES)
    for name in ("knn_standardised", "linear", "segmentation"):
        assert scores[name].low > scores[name].chance
    assert scores["linear"].value > 0.9


def test_the_two_scores_are_the_means_of_their_parts(scores):
    for name, parts in [
        ("semantic", ("knn", "linear")),
        ("spatial", ("correspondence", "segmentation")),
    ]:
        expected = combine([scores[part] for part in parts])
        assert scores[name][:7] == expected[:7]
    assert scores["knn"].value != scores["knn_standardised"].value  # else the law sees nothing


def test_a_network_of_colours_finds_its_place_on_a_ramp_of_colours():
    torch.manual_seed(0)
    model = VisionTransformer(img_size=SIZE, patch_size=6, embed_dim=48, depth=0, num_classes=0)
    torch.nn.init.zeros_(model.pos_embed)
    across, down = torch.arange(48).expand(48, 48) * 5, torch.arange(48)[:, None] * 5
    ramp = torch.stack([across, down.expand(48, 48), 255 - across]).byte()
    images = squares(40, 0)._replace(pixels=ramp.expand(40, -1, -1, -1))
    score = probe_model(model, images, images, WANT)["correspondence"]
    assert score.value > 0.6 * score.ceiling


def test_the_seed_decides_the_score(scores):
    again = probe_model(network(), squares(200, 0), squares(100, 1), WANT, batch=33)
    for name, score in scores.items():
        assert again[name].value == pytest.approx(score.value, abs=0.02)
    other = probe_model(network(), squares(200, 0), squares(100, 1), WANT, seed=1)
    assert other["correspondence"].value != scores["correspondence"].value


def test_probes_without_their_ground_truth_are_left_out():
    bare = [squares(40, seed, masks=False, labelled=False) for seed in (0, 1)]
    assert list(probe_model(network(), *bare, WANT)) == ["correspondence"]
    alike = [
        images._replace(labels=0 * images.labels, masks=0 * images.masks)
        for images in (squares(40, 0), squares(40, 1))
    ]
    assert list(probe_model(network(), *alike, WANT)) == ["correspondence"]


def test_images_without_a_label_are_left_out_of_the_semantic_probes():
    train, test = squares(60, 0), squares(40, 1)
    test.labels[:10] = -1
    found = probe_model(network(), train, test, WANT)
    rest = test._replace(pixels=test.pixels[10:], labels=test.labels[10:], masks=test.masks[10:])
    assert found["knn"].value == probe_model(network(), train, rest, WANT)["knn"].value


def test_no_images_are_refused():
    with pytest.raises(UserError, match="training and test images"):
        probe_model(network(), squares(4, 0), squares(0, 1), WANT)


def test_the_table_is_long(scores):
    frame = table({"a": scores, "b": {"knn": scores["knn"]}})
    assert frame.columns == [
        *("model", "probe", "title", "property", "value", "low", "high"),
        *("chance", "ceiling", "unit", "direction"),
    ]
    assert len(frame) == len(PROBES) + 1
    row = frame.row(-1, named=True)
    assert row["model"] == "b" and row["property"] == "semantic"
    assert row["value"] == scores["knn"].value and row["direction"] == "higher"
