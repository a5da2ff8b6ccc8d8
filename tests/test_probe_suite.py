"""The suites on images whose answers are known, and what their numbers depend on."""

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.data.images import Images, no_masks, no_objects, take
from siamlab.probe import combine, in_context, knn, named, probe_model, table
from siamlab.probe.batches import Inputs
from siamlab.probe.catalogue import Measured
from siamlab.probe.corruption_error import CORRUPTIONS
from siamlab.probe.score import Score
from siamlab.probe.suite import PARTS, PROBES, rows, summary
from siamlab.probe.suite.bench import (
    Bench,
    bootstrap_groups,
    content,
    extract,
    settings,
    subsample,
)
from siamlab.probe.suite.standard import STANDARD

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


def quick(*arguments, **more):
    return named(probe_model(*arguments, inputs=WANT, **more))


@pytest.fixture(scope="module")
def scores():
    return quick(network(), squares(200, 0), squares(100, 1))


@pytest.fixture(scope="module")
def scenes():
    data = Scenes(images=200, test_images=60, side=40)
    return data("train"), data("test")


@pytest.fixture(scope="module")
def everything(scenes):
    return probe_model(network(), *scenes, "full", WANT)


SEMANTIC = ["knn", "knn_standardised", "knn_class_token", "linear"]
SPATIAL = ["correspondence", "correspondence_centred"]


def test_the_quick_suite_in_order_and_it_sees_colours(scores):
    assert list(scores) == ["semantic", "spatial", *SEMANTIC, *SPATIAL]
    for name in ("knn_standardised", "linear"):
        assert scores[name].low > scores[name].chance
    assert scores["linear"].value > 0.9


def test_the_full_suite_has_every_probe_of_the_catalogue(everything):
    found = {m.probe.key for m in everything}
    others = {probe.key for probe in (*rows.PUBLISHED, *rows.TRAINED, *STANDARD, *CORRUPTIONS)}
    assert found == set(PROBES) - others - {"linear_present"}


def test_every_layer_and_every_head_has_its_row(everything):
    rows = table({"m": everything})
    by_layer = rows.filter(rows["layer"].is_not_null() & rows["head"].is_null())
    assert set(by_layer["probe"]) == {
        "knn", "correspondence_centred", "rankme", "fourier", "head_divergence"}  # fmt: skip
    heads = rows.filter(rows["head"].is_not_null())
    assert set(heads["probe"]) == {
        "attention_distance", "attention_entropy", "attention_nmi", "saliency"}  # fmt: skip
    assert sorted(set(heads["head"])) == [1, 2, 3] and set(heads["layer"]) == {1}


def test_the_last_layer_is_the_model_itself(everything):
    """One block: its rows are those of the whole model, which see the same images and crops."""
    rows = table({"m": everything}).filter(probe="knn")
    assert rows["value"][0] == pytest.approx(rows["value"][1])
    rows = table({"m": everything}).filter(probe="correspondence_centred")
    assert rows["value"][0] == pytest.approx(rows["value"][1])


@pytest.mark.parametrize("name", PARTS)
def test_the_two_scores_are_the_means_of_their_parts(scores, everything, name):
    for found in (scores, named(everything)):
        expected = combine([found[part] for part in PARTS[name] if part in found])
        assert found[name][:7] == expected[:7]
    assert scores["knn"].value != scores["knn_standardised"].value  # else the law sees nothing


def test_the_colour_of_a_patch_tells_its_region(scenes):
    found = named(probe_model(network(), squares(60, 0), squares(40, 1), "full", WANT))
    assert found["segmentation"].low > found["segmentation"].chance
    assert found["in_context"].low > found["in_context"].chance


def test_a_score_says_of_what_it_is_made(scores, everything):
    parts = {m.probe.key: m.settings.get("parts") for m in everything}
    assert parts["spatial"] == ["correspondence_centred", "scene_correspondence_centred"]
    assert parts["semantic"] == ["knn", "linear"] and parts["knn"] is None


def test_two_scenes_of_one_object_are_drawn_bootstrap_groups(scenes, everything):
    assert bootstrap_groups(scenes[1]).tolist() == [i // 2 for i in range(60)]
    assert bootstrap_groups(squares(4, 0)) is None
    seen = extract(network(), Bench(*scenes), WANT)
    found = named(everything)["knn"]
    alone = (seen.train.pooled, scenes[0].labels, seen.test.pooled, scenes[1].labels)
    from siamlab.probe import knn

    assert not torch.equal(found.draws, knn(*alone).draws) and found.value == knn(*alone).value
    assert found[:3] == knn(*alone, groups=torch.arange(60) // 2)[:3]


def test_a_network_of_colours_finds_its_place_on_a_ramp_of_colours():
    torch.manual_seed(0)
    model = VisionTransformer(img_size=SIZE, patch_size=6, embed_dim=48, depth=0, num_classes=0)
    torch.nn.init.zeros_(model.pos_embed)
    across, down = torch.arange(48).expand(48, 48) * 5, torch.arange(48)[:, None] * 5
    ramp = torch.stack([across, down.expand(48, 48), 255 - across]).byte()
    images = squares(40, 0)._replace(pixels=ramp.expand(40, -1, -1, -1))
    score = quick(model, images, images)["correspondence"]
    assert score.value > 0.6 * score.ceiling


def test_the_seed_decides_the_score(scores):
    again = quick(network(), squares(200, 0), squares(100, 1), batch=33)
    for name, score in scores.items():
        assert again[name].value == pytest.approx(score.value, abs=0.02)
    other = quick(network(), squares(200, 0), squares(100, 1), seed=1)
    assert other["correspondence"].value != scores["correspondence"].value


def test_probes_without_their_ground_truth_are_left_out():
    bare = [squares(40, seed, masks=False, labelled=False) for seed in (0, 1)]
    left = ["spatial", "correspondence", "correspondence_centred"]
    assert list(quick(network(), *bare)) == left
    alike = [
        images._replace(labels=0 * images.labels, masks=0 * images.masks)
        for images in (squares(40, 0), squares(40, 1))
    ]
    assert list(quick(network(), *alike)) == left
    found = named(probe_model(network(), *bare, "full", WANT))
    assert {"alignment", "position", "local_contrast", "rankme", "lidar"} < set(found)
    assert not {"knn", "retrieval", "in_context", "saliency"} & set(found)


def test_images_without_a_label_are_left_out_of_the_semantic_probes():
    train, test = squares(60, 0), squares(40, 1)
    test.labels[:10] = -1
    found = quick(network(), train, test)
    rest = test._replace(pixels=test.pixels[10:], labels=test.labels[10:], masks=test.masks[10:])
    assert found["knn"].value == quick(network(), train, rest)["knn"].value
    assert probe_model(network(), train, test, "full", WANT)


def test_images_that_come_class_by_class_are_drawn():
    images = squares(300, 0)
    ordered, nameless = take(images, images.labels.argsort()), squares(300, 0, labelled=False)
    for whole in (images, ordered, nameless):
        assert subsample(whole, 300).index.tolist() == list(range(300))
        assert subsample(whole, 300).settings == {"images": 300}
    assert subsample(images, 30).index.tolist() == list(range(30))
    assert subsample(images, 30).settings == {"images": 30}
    for drawn in (subsample(ordered, 60), subsample(nameless, 60)):
        assert drawn.settings == {"images": 60, "drawn": "at random, by the seed"}
        assert sorted(set(drawn.index.tolist())) == drawn.index.tolist()
        assert len(drawn.index) == 60 and drawn.index[-1] > 200
        assert not torch.equal(drawn.index, subsample(ordered, 60, seed=1).index)
    shares = ordered.labels[subsample(ordered, 60).index].bincount() / 60
    torch.testing.assert_close(shares, images.labels.bincount() / 300, atol=0.15, rtol=0)
    among = torch.arange(0, 300, 2)
    assert not (subsample(ordered, 60, among=among).index % 2).any()
    assert torch.equal(subsample(images, 60, among=among).index, among[:60])


def test_scenes_are_taken_from_the_front(scenes, everything):
    for images in scenes:
        assert subsample(images, 20).index.tolist() == list(range(20))
    assert not any("drawn" in m.settings for m in everything)


def test_a_full_suite_on_a_folder_sees_all_its_classes(monkeypatch):
    for place in ("bench.SAMPLED", "semantic.CORRUPTED", "spatial.MEMORY"):
        monkeypatch.setattr(f"siamlab.probe.suite.{place}", 30)
    train, test = (take(s, s.labels.argsort()) for s in (squares(90, 0), squares(60, 1)))
    found = probe_model(network(), train, test, "full", WANT)
    scores = named(found)
    assert scores["robustness"].chance < 0.6
    for m in found:
        assert ("drawn" in m.settings) == ("images" in m.settings), m.probe.key
    seen, index = extract(network(), Bench(train, test), WANT), subsample(test, 30).index
    [layer] = [m.score for m in found if m.probe.key == "knn" and m.layer == 1]
    asked = seen.test.pooled[index], test.labels[index]
    assert layer.value == knn(seen.train.pooled, train.labels, *asked).value
    memory = subsample(train, 30).index
    learned = seen.train.patches[memory], train.masks[memory]
    asked = seen.test.patches[index], test.masks[index]
    assert scores["in_context"].value == in_context(*learned, *asked, seen.test.grid).value


PAIRED = ("correspondence", "correspondence_centred", "alignment", "spatial")


@pytest.fixture
def few_pairs(monkeypatch):
    monkeypatch.setattr("siamlab.probe.suite.bench.PAIRED", 20)


def test_crops_are_cut_of_some_of_many_test_images(few_pairs):
    """The numbers are those of only the drawn images, no others pass the model twice."""
    train, test = (take(s, s.labels.argsort()) for s in (squares(40, 0), squares(90, 1)))
    model, passed = network(), []
    model.patch_embed.register_forward_hook(lambda module, x, y: passed.append(len(y)))
    assert quick(model, train, test)
    assert sum(passed) == 40 + 90 + 2 * 20
    found = probe_model(network(), train, test, "full", WANT)
    drawn = take(test, subsample(test, 20).index)
    alone = named(probe_model(network(), train, drawn, "full", WANT))
    for m in found:
        if m.probe.key in PAIRED and m.layer is None:
            assert m.score[:7] == alone[m.probe.key][:7], m.probe.key
            assert m.settings["images"] == 20 and "drawn" in m.settings
    assert named(found)["knn"].value == quick(network(), train, test)["knn"].value


def test_crops_of_all_test_images_are_not_said_to_be_of_some(few_pairs):
    found = probe_model(network(), squares(40, 0), squares(20, 1), inputs=WANT)
    assert len(found) == 8 and not any("images" in m.settings for m in found)


def test_both_correspondences_of_many_scenes_are_of_the_same_scenes(few_pairs, scenes):
    """Else their resamples would be of different images, and the score's interval of neither."""
    train, test = scenes
    found = probe_model(network(), train, test, inputs=WANT)
    alone = quick(network(), train, take(test, torch.arange(20)))
    for name in ("scene_correspondence", "scene_correspondence_centred", "spatial"):
        [m] = [m for m in found if m.probe.key == name]
        assert m.score[:7] == alone[name][:7] and m.settings["images"] == 20, name


def test_a_network_that_has_collapsed_is_measured_too():
    model = network()
    for weight in model.parameters():
        torch.nn.init.zeros_(weight)
    found = named(probe_model(model, squares(40, 0), squares(30, 1), "full", WANT))
    assert "alpha_req" not in found and {"rankme", "lidar", "position"} < set(found)
    assert found["rankme"].value == pytest.approx(1, abs=0.01)


def test_features_that_are_not_finite_are_refused():
    model = network()
    with torch.no_grad():
        model.norm.bias[3] = torch.nan
    with pytest.raises(UserError, match="VisionTransformer are not finite.*leave the .*download"):
        quick(model, squares(8, 0), squares(4, 1))


def test_a_model_without_a_class_token_has_no_number_for_it():
    model = VisionTransformer(
        img_size=SIZE, patch_size=6, embed_dim=48, depth=1, num_heads=3, num_classes=0,
        class_token=False, global_pool="avg",
    )  # fmt: skip
    assert set(quick(model, squares(40, 0), squares(30, 1))) == {
        "semantic", "spatial", *SEMANTIC, *SPATIAL} - {"knn_class_token"}  # fmt: skip


def test_too_few_images_for_a_mean_of_each_position_have_no_spatial_score(scenes):
    """Each image is part of the mean: of one image nothing would be left."""
    train = take(scenes[0], torch.arange(20))
    for n, centred in ((8, False), (10, True)):
        few = take(scenes[1], torch.arange(n))
        found = probe_model(network(), train, few, "full", WANT)
        assert {"correspondence", "scene_correspondence"} < set(named(found))
        names = {m.probe.key for m in found if m.probe.key.endswith("correspondence_centred")}
        assert len(names) == 2 * centred and ("spatial" in named(found)) == centred


def test_one_test_image_and_few_training_images_will_do():
    assert named(probe_model(network(), squares(8, 0), squares(2, 1), "full", WANT))


def test_a_grid_too_coarse_for_the_tolerance_has_no_spatial_score():
    level = Score(0.0, 0.0, 0.0, 0.0, 0.0, "share of points", "higher", torch.zeros(1000))
    nothing = Measured(PROBES["correspondence_centred"], level, {})
    assert not list(summary([nothing]))
    found = [
        nothing,
        Measured(PROBES["scene_correspondence_centred"], level._replace(ceiling=0.5), {}),
    ]
    [score] = summary(found)
    assert score.settings["parts"] == ["scene_correspondence_centred"]


def test_a_model_whose_attention_cannot_be_read_keeps_all_other_probes():
    from timm.layers import DiffAttention

    model = VisionTransformer(
        img_size=SIZE, patch_size=6, embed_dim=48, depth=1, num_heads=3, num_classes=0,
        attn_layer=DiffAttention,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="attention probes are left out"):
        found = named(probe_model(model, squares(40, 0), squares(20, 1), "full", WANT))
    assert "position" in found and "saliency" not in found


def test_bad_questions_are_refused():
    with pytest.raises(UserError, match="training and test images"):
        quick(network(), squares(4, 0), squares(0, 1))
    with pytest.raises(UserError, match="no suite 'fulll'; did you mean 'full'"):
        probe_model(network(), squares(4, 0), squares(4, 1), "fulll", WANT)


def test_the_protocol_knows_the_images_wherever_they_lie():
    one, other = squares(20, 0), squares(20, 5)
    assert content(one) == content(squares(20, 0)) != content(other)
    assert content(one) != content(one._replace(labels=one.labels.flip(0)))
    about = {"kind": "folder", "side": 48, "path": "/a", "objects.path": "/b"}
    fields = settings(Bench(one, other, about), WANT)
    assert fields["data.kind"] == "folder" and "data.path" not in fields
    assert "data.objects.path" not in fields and fields["resolution"] == [36, 36]
    assert (fields["data.train_images"], fields["data.test_images"]) == (20, 20)


def test_every_number_has_a_whole_protocol(everything):
    rows = table({"m": everything})
    assert rows["protocol"].str.len_chars().unique().to_list() == [10]
    for m in everything:
        assert {"revision", "resolution", "seed", "layer", "data.test_content"} <= set(m.settings)
        assert m.settings["layer"] == (m.layer or "last, after the final norm")


def test_fixed_levels_are_those_of_the_catalogue(everything):
    for m in everything:
        for level in ("chance", "ceiling"):
            fixed = getattr(m.probe, level)
            if fixed is not None:
                assert getattr(m.score, level) == pytest.approx(fixed, nan_ok=True), m.probe.key
