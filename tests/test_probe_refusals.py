"""Laws over all public probes: what cannot be measured is refused in one sentence that says why.

Type checks of the other tests are off here: users have none.
"""

import inspect

import pytest
import torch
from wrong import parameters, raw

from siamlab import probe
from siamlab.component import UserError
from siamlab.data.images import Objects
from siamlab.geometry import Match, View, match_patches
from siamlab.probe.attention import Profile
from siamlab.probe.precision import Boxes
from siamlab.probe.score import Score, ratio

GRID, SIZE, WIDTH, n = (2, 3), (8, 12), 5, 12
N = GRID[0] * GRID[1]
G = torch.Generator().manual_seed(0)


def floats(*shape):
    return torch.randn(*shape, generator=G)


VIEW = View(floats(n, 3, *SIZE), torch.tensor([[0.1, 0.1, 0.8, 0.8]] * n), torch.arange(n) % 2 > 0)
OBJECTS = Objects(
    torch.zeros(n, 1, dtype=torch.long),
    torch.tensor([[[0.1, 0.1, 0.5, 0.5]]] * n),
    torch.zeros(n, 1) > 0,
)
LABELS = torch.arange(n) % 3
BOXES = Boxes(
    torch.arange(n), LABELS, torch.tensor([[0.1, 0.1, 0.8, 0.9]] * n), LABELS > 9, LABELS > 9
)
MASKS = (torch.rand(n, *SIZE, generator=G) < 0.5).byte()
PIXELS = torch.randint(256, (n, 3, 32, 48), generator=G).byte()
LABELLED = dict(
    train=floats(n, WIDTH), train_labels=LABELS, test=floats(n, WIDTH), test_labels=LABELS
)
VIEWS = dict(a=floats(n, N, WIDTH), b=floats(n, N, WIDTH), match=match_patches(VIEW, VIEW, GRID))
ONE_VIEW = dict(
    a=floats(N, WIDTH), b=floats(N, WIDTH), match=Match(*(p[:1] for p in VIEWS["match"]))
)
REGIONS = dict(test=floats(n, N, WIDTH), test_masks=MASKS, grid=GRID)
ATTENTION = floats(n, 3, N, N).softmax(dim=-1)
PROFILE = Profile(
    *(torch.rand(n, 2, 3, generator=G) for _ in range(3)), torch.rand(n, 2, generator=G)
)

CALLS = {
    "alignment": dict(a=floats(n, WIDTH), b=floats(n, WIDTH)),
    "alpha_req": dict(features=floats(n, WIDTH), first=1),
    "as_scores": dict(profile=PROFILE, grid=GRID, patch=4.0),
    "attentive": dict(
        train=floats(n, N, WIDTH),
        train_labels=LABELS,
        test=floats(n, N, WIDTH),
        test_labels=LABELS,
        epochs=1,
    ),  # fmt: skip
    "bootstrap": dict(
        terms=floats(n, 2).abs(), statistic=ratio, chance=0.0, ceiling=1.0, unit="share"
    ),
    "cka": dict(a=floats(n, WIDTH), b=floats(n, WIDTH + 1)),
    "class_separation": dict(features=floats(n, WIDTH), labels=LABELS),
    "collapse": dict(features=floats(n, WIDTH)),
    "correspondence": VIEWS | dict(grid=GRID, size=SIZE),
    "corrupted": dict(images=PIXELS, kind="noise", severity=1),
    "detection": dict(
        train=floats(n, N, WIDTH),
        train_boxes=BOXES,
        test=floats(n, N, WIDTH),
        test_boxes=BOXES,
        grid=GRID,
        classes=3,
        epochs=1,
    ),
    "distance": dict(a=ATTENTION, grid=GRID),
    "effective_rank": dict(features=floats(n, WIDTH)),
    "eigenvalues": dict(features=floats(n, WIDTH)),
    "entropy": dict(a=ATTENTION),
    "equivariance_error": dict(
        moved=floats(n, N, WIDTH), expected=floats(n, N, WIDTH), inside=torch.ones(n, N) > 0
    ),
    "few_shot_per_class": LABELLED | dict(per_class=1),
    "few_shot_share": LABELLED,
    "fourier_amplitude": dict(patches=floats(n, N, WIDTH), grid=GRID),
    "head_similarity": dict(a=ATTENTION),
    "in_context": dict(memory=floats(n, N, WIDTH), memory_masks=MASKS) | REGIONS,
    "knn": LABELLED | dict(k=1),
    "knn_standardised": LABELLED | dict(k=1),
    "knn_votes": dict(features=floats(n, WIDTH), labels=LABELS, k=1),
    "lidar": dict(views=floats(n, 2, WIDTH)),
    "linear": LABELLED,
    "linear_lars": LABELLED | dict(epochs=1, steps=1),
    "linear_tuned": LABELLED,
    "local_contrast": dict(patches=floats(n, N, WIDTH), grid=GRID),
    "long_tail": LABELLED | dict(imbalance=2.0),
    "moves": dict(images=PIXELS, size=(8, 12), patch=4),
    "mutual_matches": ONE_VIEW | dict(grid=GRID, size=SIZE),
    "nmi": dict(a=ATTENTION),
    "object_match": dict(masks_a=MASKS, objects_a=OBJECTS, objects_b=OBJECTS, grid=GRID),
    "outlier_tokens": dict(patches=floats(n, N, WIDTH)),
    "over_patches": dict(matrix=ATTENTION, prefix=1),
    "participation_ratio": dict(features=floats(n, WIDTH)),
    "place_error": VIEWS | dict(grid=GRID, size=SIZE),
    "position": dict(train=floats(n, N, WIDTH), test=floats(n, N, WIDTH), grid=GRID),
    "rankme": dict(features=floats(n, WIDTH)),
    "rare_patches": dict(masks=MASKS, grid=GRID, count=1),
    "region_shares": dict(masks=MASKS, grid=GRID, regions=2),
    "retrieval": dict(features=floats(n, WIDTH), labels=LABELS),
    "robustness": dict(
        train=floats(n, WIDTH),
        train_labels=LABELS,
        clean=floats(n, WIDTH),
        corrupted=floats(2, n, WIDTH),
        test_labels=LABELS,
    ),
    "rollout_step": dict(flow=ATTENTION[:, 0], attention=ATTENTION[:, 1]),
    "saliency": dict(attention=ATTENTION[:, :, 0], masks=MASKS, grid=GRID),
    "segmentation": dict(train=floats(n, N, WIDTH), train_masks=MASKS) | REGIONS,
    "spread": dict(features=floats(n, WIDTH)),
    "uniformity": dict(features=floats(n, WIDTH)),
    "variance_share": dict(patches=floats(n, N, WIDTH)),
    "warped": dict(patches=floats(n, N, WIDTH), view_from=VIEW, view_to=VIEW, grid=GRID),
    "without_positions": dict(a=floats(n, N, WIDTH), b=floats(n, N, WIDTH)),
}
OF_A_MODEL = {
    "attended attention_profile by_layer class_attention class_attentions features inputs "
    "is_readable layer_features patch_attentions probe_model residual_features rollout "
    "view_features"
}
OF_NUMBERS = {
    "cka_pairs combine concat_scores even_distance mean_corruption_error named normalised "
    "one_patch table"
}

FLOAT = {
    "nan": lambda t: t.where(t != t.flatten()[0], torch.nan),
    "inf": lambda t: t.where(t != t.flatten()[0], torch.inf),
    "no rows": lambda t: t[:0],
    "no columns": lambda t: t[..., :0],
    "a dimension more": lambda t: t[None],
    "a dimension less": lambda t: t[0],
    "whole numbers": lambda t: t.long(),
    "an array": lambda t: t.numpy(),
    "a list": lambda t: t.tolist(),
    "sparse": lambda t: t.to_sparse(),
    "without numbers": lambda t: t.to("meta"),
}
WHOLE = {
    "a row less": lambda t: t[:-1],
    "no rows": lambda t: t[:0],
    "floats": lambda t: t.float(),
    "a dimension more": lambda t: t[None],
    "an array": lambda t: t.numpy(),
    "sparse": lambda t: t.to_sparse(),
    "without numbers": lambda t: t.to("meta"),
}
PRECISIONS = {"half": (torch.half, torch.int16), "bfloat16": (torch.bfloat16, torch.int32)}
SUMMED = {"distance", "entropy", "head_similarity", "nmi"}  # rows of 8 bits do not sum to 1
ALONE = {
    "rare_patches",
    "region_shares",
    "corrupted",
    "moves",
}  # whose whole numbers no other argument counts
NAMES = {"a": "a|attention", "flow": "flow|attention"}


def spoils(name):
    for key, value in CALLS[name].items():
        if isinstance(value, torch.Tensor):
            ways = FLOAT if value.is_floating_point() else WHOLE
            for way in ways:
                finite_apart = name == "collapse" and way in ("nan", "inf")  # its answer
                if not finite_apart and not (way == "a row less" and name in ALONE):
                    yield name, key, way


SPOILT = [spoilt for name in CALLS for spoilt in spoils(name)]
TYPED = [(name, key) for name in CALLS for key in parameters(getattr(probe, name))]
GROUPED = [n for n in CALLS if "groups" in inspect.signature(getattr(probe, n)).parameters]


pytestmark = pytest.mark.usefixtures("untyped")


def values(found):
    """All numbers of a result: those of a score without its interval."""
    if isinstance(found, Score):
        return [found.value]
    if isinstance(found, tuple | list):
        return [v for part in found for v in values(part)]
    return found.flatten().tolist() if isinstance(found, torch.Tensor) else [found]


def call(name, **changes):
    return getattr(probe, name)(**CALLS[name] | changes)


def test_every_public_function_of_arrays_is_here():
    public = {n for n in probe.__all__ if inspect.isfunction(getattr(probe, n))}
    elsewhere = {n for names in OF_A_MODEL | OF_NUMBERS for n in names.split()}
    assert public - elsewhere == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_what_is_well_formed_is_measured(name):
    found = call(name)
    if name not in ("collapse", "moves"):
        assert all(v == v for v in values(found))


@pytest.mark.parametrize("name, key, way", SPOILT)
def test_an_array_that_cannot_be_measured_is_refused_by_name(name, key, way):
    value = CALLS[name][key]
    spoilt = (FLOAT if value.is_floating_point() else WHOLE)[way](value)
    with pytest.raises(UserError, match=rf"\b({NAMES.get(key, key)})\b"):
        call(name, **{key: spoilt})


@pytest.mark.parametrize(
    "name, precision",
    [
        (n, p)
        for n in CALLS
        for p in PRECISIONS
        if n != "moves" and (p == "half" or n not in SUMMED)
    ],
)
def test_numbers_of_any_precision_are_measured(name, precision):
    """As they are read from files: features of 16 bits, labels of 32."""
    floats, whole = PRECISIONS[precision]

    def stored(value):
        if not isinstance(value, torch.Tensor) or value.dtype in (torch.bool, torch.uint8):
            return value
        return value.to(floats if value.is_floating_point() else whole)

    exact = {key: stored(value) for key, value in CALLS[name].items()}
    exact = {k: v.float() if v is not CALLS[name][k] and v.is_floating_point() else v
             for k, v in exact.items()}  # fmt: skip
    found = call(name, **{key: stored(value) for key, value in CALLS[name].items()})
    assert values(found) == pytest.approx(values(call(name, **exact)), nan_ok=True)


@pytest.mark.parametrize("name", CALLS)
def test_features_of_two_precisions_are_measured_together(name):
    keys = [k for k, v in CALLS[name].items() if torch.is_tensor(v) and v.is_floating_point()]
    for key in keys[1:]:
        found = values(call(name, **{key: CALLS[name][key].double()}))
        assert found == pytest.approx(values(call(name)), rel=1e-3, abs=1e-3, nan_ok=True)


@pytest.mark.parametrize("name", [n for n in CALLS if {"labels", "train_labels"} & set(CALLS[n])])
def test_identifiers_are_no_labels(name):
    key = next(k for k in CALLS[name] if k.endswith("labels"))
    with pytest.raises(UserError, match=f"{key} has .*: number the classes from 0"):
        call(name, **{key: CALLS[name][key] + 2**40})


# whose numbers compare answers with labels; votes are only counted
SCORED = [n for n in CALLS if {"labels", "train_labels"} & set(CALLS[n]) and n != "knn_votes"]


@pytest.mark.parametrize("name", SCORED)
def test_one_class_leaves_nothing_to_tell_apart(name):
    key = next(k for k in CALLS[name] if k.endswith("labels"))
    with pytest.raises(UserError, match=f"{key} must have (two|2) classes or more"):
        call(name, **{key: torch.zeros(n, dtype=torch.long)})


def test_features_of_a_network_in_training_are_measured():
    train = CALLS["attentive"]["train"].clone().requires_grad_()
    assert call("attentive", train=train).value == call("attentive").value


@pytest.mark.parametrize("name, key", TYPED)
def test_a_value_of_another_type_is_taken_or_refused_in_one_line(name, key):
    assert raw(getattr(probe, name), CALLS[name], key) == []


@pytest.mark.parametrize("name", GROUPED)
def test_groups_of_another_length_are_refused(name):
    with pytest.raises(UserError, match="groups must"):
        call(name, groups=torch.arange(n + 1))


def first_row(value):
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(part[:1] for part in value))
    return value[:1] if isinstance(value, torch.Tensor) else value


@pytest.mark.parametrize("name", [n for n in CALLS if n not in ("moves", "mutual_matches")])
def test_one_row_has_a_number_or_a_refusal(name):
    try:
        found = call(name, **{key: first_row(value) for key, value in CALLS[name].items()})
    except UserError:
        return
    assert name == "collapse" or all(abs(v) < torch.inf for v in values(found))


@pytest.mark.parametrize("per_class", [0, -1, 5])
def test_few_shots_say_how_many_are_allowed(per_class):
    with pytest.raises(UserError, match=f"per_class={per_class} must be from 1 to 4"):
        call("few_shot_per_class", per_class=per_class)
