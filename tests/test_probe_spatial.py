"""Facts about scenes, memory, places, neighbours, moves and variance, each from elsewhere."""

import math
from functools import partial

import numpy
import pytest
import torch
from probe_case import Case
from scipy.ndimage import map_coordinates
from scipy.special import softmax
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import jaccard_score, r2_score
from sklearn.neighbors import NearestNeighbors

from siamlab.component import UserError
from siamlab.data.images import Objects, object_view
from siamlab.data.scenes import Scenes
from siamlab.geometry import View, patch_centres, to_view
from siamlab.probe.contrast import local_contrast
from siamlab.probe.correspondence import correspondence
from siamlab.probe.equivariance import equivariance_error, moves, warped
from siamlab.probe.in_context import in_context
from siamlab.probe.position import position
from siamlab.probe.scenes import object_match
from siamlab.probe.segmentation import region_shares
from siamlab.probe.variance import variance_share

GRID, SIZE, CLASSES, WIDTH = (3, 4), (24, 32), 4, 16
N = GRID[0] * GRID[1]


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed))


def objects(box, instance=0, flip=False):
    """Objects [n, O] with these frames, mirrored or not."""
    box = torch.as_tensor(box, dtype=torch.float)
    return Objects(
        torch.full(box.shape[:2], instance), box, torch.full(box.shape[:2], flip, dtype=torch.bool)
    )


def two_scenes(signal, n=200):
    """Features of two scenes that agree where the object's points are; random frames."""
    boxes = torch.rand(2, n, 1, 4, generator=rng(1)) * 0.3 + torch.tensor([0, 0, 0.5, 0.5])
    y, x = torch.arange(SIZE[0])[:, None] / SIZE[0], torch.arange(SIZE[1]) / SIZE[1]
    top, left, height, width = boxes[0, :, 0].T[..., None, None]
    masks = ((y >= top) & (y < top + height) & (x >= left) & (x < left + width)).byte()
    match = object_match(masks, objects(boxes[0]), objects(boxes[1]), GRID)
    there = noise(n, N, WIDTH, seed=2)
    away = (match.points[:, :, None] - patch_centres(GRID)).mul(torch.tensor(SIZE)).norm(dim=-1)
    here = there.gather(1, away.argmin(dim=2)[..., None].expand(-1, -1, WIDTH))
    return signal * here + noise(n, N, WIDTH), there, match


def by_object(a, b, match, **chunk):
    return correspondence(a, b, match, GRID, SIZE, **chunk)


def regions(signal, n=220):
    """Patch features that hold the shares of regions; masks of one rectangle, and void."""
    g = rng(3)
    size = torch.randint(8, 20, (n, 2), generator=g)
    low = (torch.rand(n, 2, generator=g) * (torch.tensor(SIZE) - size)).long()
    y, x = torch.arange(SIZE[0])[:, None], torch.arange(SIZE[1])
    (top, left), (height, width) = low.T[..., None, None], size.T[..., None, None]
    inside = (y >= top) & (y < top + height) & (x >= left) & (x < left + width)
    masks = (inside * torch.randint(1, CLASSES, (n, 1, 1), generator=g)).byte()
    masks[:, :2] = 255
    shares = torch.cat([region_shares(masks, GRID, CLASSES), torch.zeros(n, N, WIDTH - 4)], dim=2)
    features = 3 * signal * shares + noise(n, N, WIDTH)
    return features[:100], masks[:100], features[100:], masks[100:]


def by_memory(*arrays, **chunk):
    return in_context(*arrays, GRID, **chunk)


def placed(signal):
    """Features with the place of their patch in the first two dimensions; train and test."""
    place = torch.cat([patch_centres(GRID), torch.zeros(N, WIDTH - 2)], dim=1)
    return tuple(5 * signal * place + noise(n, N, WIDTH, seed=n) for n in (150, 120))


def varied(signal):
    """Features that vary more the lower and the further right their patch is; train and test."""
    much = 1 + signal * patch_centres(GRID).sum(dim=1, keepdim=True)
    return tuple(much * noise(n, N, WIDTH, seed=n) for n in (150, 120))


def by_place(part, *arrays):
    return getattr(position(*arrays, GRID), part)


def smooth(signal):
    """Maps that vary slowly over the image, and noise."""
    slow = torch.cat([patch_centres(GRID) - 0.5, torch.zeros(N, WIDTH - 2)], dim=1)
    return (5 * signal * slow + noise(200, N, WIDTH),)


def by_neighbours(patches, **chunk):
    return local_contrast(patches, GRID, **chunk)


def moved(signal):
    """Return predicted and true features, and which places are inside (half of them)."""
    common = signal * noise(200, N, WIDTH, seed=4)
    inside = torch.rand(200, N, generator=rng()) < 0.5
    return common + noise(200, N, WIDTH, seed=5), common + noise(200, N, WIDTH, seed=6), inside


def layered(signal):
    """Noise, and what is common to an image or to a position."""
    effects = noise(60, 1, WIDTH, seed=7) + noise(1, N, WIDTH, seed=8)
    return (signal * effects + noise(60, N, WIDTH),)


def by_variance(part, patches):
    return getattr(variance_share(patches), part)


def variance(part):
    return Case(partial(by_variance, part), layered, unchanged=ALL, ceiling=False)


BOTH, ALL = ("scale", "rotation"), ("scale", "rotation", "shift")
PLACE = dict(least=-math.inf, unchanged=("scale", "shift"), tolerance=0.01)
CASES: dict[str, Case] = {
    "scene_correspondence": Case(by_object, two_scenes, chunked=True, unchanged=BOTH),
    "in_context": Case(by_memory, regions, chunked=True, unchanged=BOTH),
    "position": Case(partial(by_place, "raw"), placed, **PLACE),
    "position_centred": Case(partial(by_place, "centred"), varied, ceiling=False, **PLACE),
    "local_contrast": Case(by_neighbours, smooth, True, -2.0, 2.0, unchanged=BOTH, ceiling=False),
    "equivariance": Case(equivariance_error, moved, most=2.0, unchanged=ALL),
    "variance_image": variance("image"),
    "variance_position": variance("position"),
    "variance_rest": variance("rest"),
}


# two scenes of one object


@pytest.mark.parametrize("per_scene", [1, 3])
def test_a_point_of_an_object_shows_it_in_the_other_scene_too(per_scene):
    images = Scenes(images=1, test_images=120, per_scene=per_scene, side=96)("test")
    first, second = (Objects(*(part[i::2] for part in images.objects)) for i in (0, 1))
    match = object_match(images.masks[0::2], first, second, grid := (12, 16))
    image, patch = match.inside.nonzero().T
    assert len(image) > (1000 if per_scene == 1 else 30)
    region = images.labels[0::2][image].byte() + 1
    y, x = (patch_centres(grid)[patch] * 96).long().T
    assert (images.masks[0::2][image, y, x] == region).all()
    y, x = (match.points[image, patch] * 96).long().clamp(max=95).T
    assert (images.masks[1::2][image, y, x] == region).float().mean() > 0.97  # but for outlines


def test_features_that_are_places_on_the_object_reach_the_ceiling():
    """Angles turn places on the object, in its own shape, into features of that cosine order."""
    images = Scenes(images=1, test_images=120, side=48)("test")
    first, second = (Objects(*(part[i::2] for part in images.objects)) for i in (0, 1))
    match = object_match(images.masks[0::2], first, second, grid := (12, 12))
    centres = patch_centres(grid).expand(60, -1, -1)
    shape = first.box[:, :, 2:] / first.box[:, :, 2:].amax(dim=2, keepdim=True)
    angles = [to_view(centres, object_view(scene)) * shape for scene in (first, second)]
    a, b = (torch.cat([angle.cos(), angle.sin()], dim=2) for angle in angles)
    score = correspondence(a, b, match, grid, (48, 48), alpha=0.05)
    assert score.value == pytest.approx(score.ceiling, abs=0.01) and score.chance < 0.05


def test_the_match_follows_frame_mirroring_and_silhouette():
    grid = (2, 4)
    a, b = objects([[[0, 0, 1, 0.5]]]), objects([[[0.5, 0.5, 0.5, 0.5]]], flip=True)
    masks = torch.zeros(1, 4, 8, dtype=torch.uint8)
    masks[:, :, :4] = 3
    masks[:, :2, 2:4] = 255
    match = object_match(masks, a, b, grid)
    assert match.inside.view(2, 4).tolist() == [
        [True, False, False, False],
        [True, True, False, False],
    ]
    # a quarter across and down its frame is three quarters across it when mirrored
    assert match.points[0, 0].tolist() == pytest.approx([0.625, 0.875])


@pytest.mark.parametrize("grid, side", [((3, 3), 12), ((1, 1), 6), ((12, 12), 48)])
def test_a_centre_between_pixels_needs_all_of_them(grid, side):
    """Patches of an even number of pixels have their centre on a corner; no side is favoured."""
    whole = objects([[[0, 0, 1, 1]]])
    half = side // grid[0] // 2
    for y, x in [(-1, -1), (-1, 0), (0, -1), (0, 0)]:
        masks = torch.ones(1, side, side, dtype=torch.uint8)
        masks[0, half + y, half + x] = 0
        inside = object_match(masks, whole, whole, grid).inside
        assert not inside[0, 0] and inside[0, 1:].all()


def test_where_another_object_could_lie_is_left_out_in_both_scenes():
    grid, masks = (1, 4), torch.ones(1, 16, 64, dtype=torch.uint8)
    whole = [0, 0, 1, 1]
    free, left, right = ([0, 0, 0, 0], [0, 0, 1, 0.25], [0, 0.75, 1, 0.25])
    a, b = objects([[whole, left, free]]), objects([[whole, free, right]])
    assert object_match(masks, a, b, grid).inside[0].tolist() == [False, True, True, False]


def test_scenes_of_other_objects_are_refused():
    masks, whole = torch.ones(1, 4, 4, dtype=torch.uint8), objects([[[0, 0, 1, 1]]])
    with pytest.raises(UserError, match="instance must be that of objects_a"):
        object_match(masks, whole, objects([[[0, 0, 1, 1]]], instance=5), (2, 2))
    with pytest.raises(UserError, match="1 scenes of 0 objects"):
        object_match(masks, objects(torch.zeros(1, 0, 4)), whole, (2, 2))


# in-context segmentation


@pytest.mark.parametrize("k, temperature", [(1, 0.02), (7, 0.1), (30, 0.02)])
def test_in_context_is_scikit_learns_neighbours_and_numpys_interpolation(k, temperature):
    grid, g = (1, 4), rng()
    steps = torch.rand(130, 2, 1, 1, generator=g).mul(12).sort(dim=1).values
    masks = (steps < torch.arange(12)).sum(dim=1).byte()  # regions 0, 1, 2 from left to right
    masks[:, :, 5] = 255
    shares = region_shares(masks, grid, 3)
    features = torch.cat([shares, torch.zeros(130, 4, 3)], dim=2) + 0.4 * noise(130, 4, 6)
    memory, test = features[:60].flatten(0, 1).numpy(), features[60:].flatten(0, 1).numpy()
    near = NearestNeighbors(n_neighbors=k, metric="cosine").fit(memory)
    distance, index = near.kneighbors(test)
    weight = softmax((1 - distance) / temperature, axis=1)
    answers = (weight[..., None] * shares[:60].flatten(0, 1).numpy()[index]).sum(axis=1)
    centres, pixels = numpy.arange(4) * 3 + 1.5, numpy.arange(12) + 0.5
    maps = answers.reshape(70, 4, 3).transpose(0, 2, 1)
    fine = [[numpy.interp(pixels, centres, region) for region in image] for image in maps]
    truth, answer = masks[60:].flatten().numpy(), numpy.argmax(fine, axis=1).ravel()
    expected = jaccard_score(truth[truth < 255], answer[truth < 255], average="macro")
    score = in_context(features[:60], masks[:60], features[60:], masks[60:], grid, k, temperature)
    assert score.value == pytest.approx(expected, abs=2e-3)  # but for ties


def test_a_patch_that_is_in_the_memory_answers_as_itself():
    arrays = regions(0.0)[:2]
    score = in_context(*arrays, *arrays, GRID, k=1)
    assert score.value == pytest.approx(score.ceiling, abs=1e-6) and 0.7 < score.ceiling < 1


def test_patches_without_a_label_are_no_neighbours():
    masks = torch.tensor([[[0, 1, 255, 255]]] * 20, dtype=torch.uint8)
    features = torch.eye(3)[torch.tensor([0, 1, 2, 2])].expand(20, 4, 3) + 0.1 * noise(20, 4, 3)
    odd = torch.eye(3)[torch.tensor([0, 1, 0, 1])] + torch.tensor([0, 0, 5.0])  # nearest to void
    labels = torch.tensor([[[0, 1, 0, 1]]] * 20, dtype=torch.uint8)
    score = in_context(features, masks, odd.expand(20, 4, 3), labels, (1, 4), k=5)
    assert score.value == 1
    with pytest.raises(UserError, match="k=41 must be from 1 to .* not void, 40"):
        in_context(features, masks, features, masks, (1, 4), k=41)
    with pytest.raises(UserError, match="temperature=0.0 must be above 0"):
        in_context(features, masks, features, masks, (1, 4), k=1, temperature=0.0)


# position decoding


def sky(n, seed, rows=6):
    """Content that varies more the lower it lies, about the same mean; one column."""
    return (0.2 + patch_centres((rows, 1))[:, :1]) * noise(n, rows, WIDTH, seed=seed)


def test_position_is_scikit_learns_ridge_on_features_with_and_without_signs():
    train, test = placed(0.3)
    train, test = train * torch.linspace(1, 9, WIDTH) + 5, test * torch.linspace(1, 9, WIDTH) + 5
    place = (patch_centres(GRID) - 0.5).double()
    found = position(train, test, GRID, ridge=0.1)

    def inputs(x, centre):
        scale = (train - centre).flatten(0, 1).double().std(dim=0, correction=0)
        x = ((x - centre).double() / scale).flatten(0, 1)
        return torch.cat([x, x.abs()], dim=1).numpy()

    for score, centre in [(found.raw, train.mean(dim=(0, 1))), (found.centred, train.mean(dim=0))]:
        goal, asked = (place.repeat(len(x), 1).numpy() for x in (train, test))
        theirs = Ridge(alpha=0.1 * len(goal)).fit(inputs(train, centre), goal)
        answer = theirs.predict(inputs(test, centre))
        expected = r2_score(asked, answer, multioutput="variance_weighted")
        assert score.value == pytest.approx(expected, abs=1e-5)


def test_position_embeddings_tell_the_place_until_their_mean_is_subtracted():
    embedding = noise(N, WIDTH, seed=9)
    pure = position(embedding.expand(30, -1, -1), embedding.expand(20, -1, -1), GRID)
    assert pure.raw.value > 0.99 and pure.centred.value == pytest.approx(0, abs=1e-6)
    train, test = (2 * embedding + noise(n, N, WIDTH, seed=n) for n in (300, 200))
    leak = position(train, test, GRID)
    assert leak.raw.value > 0.7
    assert abs(leak.centred.value) < 0.1 and abs(leak.null.value) < 0.1
    assert leak.raw.chance == leak.centred.chance == leak.null.value and leak.raw.ceiling == 1


def test_content_that_tells_the_place_still_does_where_a_linear_map_would_find_nothing():
    train, test, grid = sky(900, 0), sky(300, 50), (6, 1)
    found = position(train, test, grid)
    assert min(found.raw.low, found.centred.low) > 0.5 and found.null.high < 0.05
    embedded = [x + 4 * noise(6, WIDTH, seed=9) for x in (train, test)]
    assert position(*embedded, grid).centred.value == pytest.approx(found.centred.value, abs=1e-3)
    centred = [(x - train.mean(dim=0)).flatten(0, 1).numpy() for x in (train, test)]
    rows = [numpy.tile(numpy.arange(6), len(x)) for x in (train, test)]
    linear = LinearRegression().fit(centred[0], rows[0])
    assert abs(linear.score(centred[1], rows[1])) < 1e-4


def test_rows_and_columns_are_both_fractions_of_the_image():
    """Features that contain only the row explain its share of the places' variance."""
    grid = (2, 7)
    rows = patch_centres(grid)[:, :1].expand(40, -1, 1)
    row, column = patch_centres(grid).var(dim=0, correction=0).tolist()
    found = position(rows + 0.01 * noise(40, 14, 1), rows + 0.01 * noise(40, 14, 1, seed=1), grid)
    assert found.raw.value == pytest.approx(row / (row + column), abs=0.02)


def test_the_seed_decides_the_shuffles():
    one, two, other = (position(*placed(0.3), GRID, seed=s) for s in (1, 1, 2))
    assert one.null.value == two.null.value != other.null.value
    assert one.raw.value == other.raw.value
    with pytest.raises(UserError, match="ridge=0.0 must be above 0"):
        position(*placed(0.3), GRID, ridge=0.0)
    with pytest.raises(UserError, match="train features have 11 patches"):
        position(*(x[:, 1:] for x in placed(0.3)), GRID)


# local contrast


@pytest.mark.parametrize("grid", [(3, 4), (1, 5), (2, 2), (6, 2)])
def test_local_contrast_is_a_mean_over_pairs(grid):
    n = grid[0] * grid[1]
    patches = noise(5, n, 7).cumsum(dim=1)
    place = torch.cartesian_prod(*(torch.arange(s) for s in grid)).numpy()
    steps = numpy.abs(place[:, None] - place).max(axis=2)
    expected = []
    for image in patches.double().numpy():
        unit = image / numpy.linalg.norm(image, axis=1, keepdims=True)
        cosine = unit @ unit.T
        near = [cosine[i, steps[i] == 1].mean() for i in range(n)]
        far = [numpy.delete(cosine[i], i).mean() for i in range(n)]
        expected.append(numpy.mean(near) - numpy.mean(far))
    assert local_contrast(patches, grid).value == pytest.approx(numpy.mean(expected), abs=1e-12)


def test_local_contrast_of_a_constant_map_and_of_a_chessboard():
    assert local_contrast(noise(5, 1, 7).expand(-1, N, -1), GRID).value == pytest.approx(
        0, abs=1e-9
    )
    signs = torch.tensor([1.0, -1, 1, -1])
    line = signs[None, :, None].expand(2, 4, 3)  # neighbours −1, of the others one in three +1
    assert local_contrast(line, (1, 4)).value == pytest.approx(-1 + 1 / 3)
    assert local_contrast(torch.zeros(2, 4, 3), (1, 4)).value == 0


def test_shuffled_patches_have_no_local_contrast():
    (patches,) = smooth(1.0)
    order = torch.rand(200, N, generator=rng()).argsort(dim=1)[..., None].expand(-1, -1, WIDTH)
    here, mixed = local_contrast(patches, GRID), local_contrast(patches.gather(1, order), GRID)
    assert here.low > 0.08 and abs(mixed.value) < 0.01
    with pytest.raises(UserError, match="at least 2 patches"):
        local_contrast(patches[:, :1], (1, 1))


# equivariance


def test_features_that_stay_their_own_opposite_or_unrelated():
    a, b = noise(400, N, 8), noise(400, N, 8, seed=1)
    inside = torch.ones(400, N) > 0
    assert equivariance_error(a, a, inside).value == 0
    assert equivariance_error(a, b, inside).value == pytest.approx(1, abs=0.02)
    assert equivariance_error(a, -a, inside).value == pytest.approx(2, abs=0.01)
    assert equivariance_error(a, a + 0.1 * b, inside).value == pytest.approx(0.005, rel=0.05)
    for same in (0 * a, 0 * a + 3):
        assert equivariance_error(same, same, inside).value == 0
    with pytest.raises(UserError, match="no place"):
        equivariance_error(a, b, ~inside)


def test_only_places_inside_count_and_twice_the_variance_is_what_unrelated_pairs_are_apart():
    a, b = 1 + 2 * noise(300, N, 3).numpy(), 1 + 2 * noise(300, N, 3, seed=1).numpy()
    inside = torch.rand(300, N, generator=rng()) < 0.5
    a[~inside.numpy()] = 1e3
    x, y = a[inside.numpy()], b[inside.numpy()]
    pooled = numpy.concatenate([x, y])
    expected = ((x - y) ** 2).sum(axis=1).mean() / (2 * pooled.var(axis=0).sum())
    found = equivariance_error(torch.from_numpy(a), torch.from_numpy(b), inside).value
    assert found == pytest.approx(expected, rel=1e-6)
    pairs = pooled[::3, None] - pooled[None, 1::3]
    assert 2 * pooled.var(axis=0).sum() == pytest.approx((pairs**2).sum(axis=2).mean(), rel=0.02)


def still(n, box, flip=False):
    return View(torch.zeros(n, 3, 0, 0), torch.tensor([box] * n), torch.full((n,), flip))


def test_warped_is_scipys_bilinear_reading():
    grid, start, to = (4, 5), still(2, [0.1, 0.2, 0.8, 0.5]), still(2, [0.05, 0.3, 0.7, 0.45])
    patches = noise(2, 20, 3)
    found = warped(patches, start, to, grid)
    y, x = ((numpy.arange(s) + 0.5) / s for s in grid)
    y = ((0.05 + 0.7 * y - 0.1) / 0.8) * 4 - 0.5  # patches of the first view, centres whole
    x = ((0.3 + 0.45 * x - 0.2) / 0.5) * 5 - 0.5
    places = numpy.stack(numpy.meshgrid(y, x, indexing="ij")).reshape(2, -1)
    maps = patches.numpy().reshape(2, 4, 5, 3)
    expected = [
        [map_coordinates(image[..., d], places, order=1, mode="nearest") for d in range(3)]
        for image in maps
    ]
    numpy.testing.assert_allclose(found.patches.mT.numpy(), expected, atol=1e-5)
    inside = (places >= 0).all(axis=0) & (places[0] <= 3) & (places[1] <= 4)
    assert found.inside[0].tolist() == inside.tolist() and 0 < inside.sum() < 20


def test_a_mirrored_view_reads_the_mirrored_map():
    patches, box = noise(2, N, 3), [0.1, 0.2, 0.8, 0.5]
    found = warped(patches, still(2, box), still(2, box, flip=True), GRID)
    mirrored = patches.unflatten(1, GRID).flip(2).flatten(1, 2)
    numpy.testing.assert_allclose(found.patches, mirrored, atol=1e-5)
    assert found.inside.all()
    with pytest.raises(UserError, match="11 patches"):
        warped(patches[:, 1:], still(2, box), still(2, box), GRID)


def ramp(n, height, width):
    """Images whose red is the row and whose green is the column, in pixels."""
    rows = torch.arange(height)[:, None].expand(height, width)
    columns = torch.arange(width)[None].expand(height, width)
    return torch.stack([rows, columns, 0 * rows])[None].expand(n, -1, -1, -1).byte()


def means(view, patch):
    """The mean colour of each patch: features that move with the image."""
    return torch.nn.functional.avg_pool2d(view.image, patch).flatten(2).mT


@pytest.mark.parametrize(
    "source, size, patch", [((120, 200), (36, 48), 6), ((60, 60), (48, 48), 12)]
)
def test_patch_means_of_a_ramp_move_with_every_move(source, size, patch):
    grid = (size[0] // patch, size[1] // patch)
    found = {}
    for move in moves(ramp(2, *source), size, patch):
        expected, inside = warped(means(move.base, patch), move.base, move.moved, grid)
        error = equivariance_error(means(move.moved, patch), expected, inside)
        assert error.value < 1e-4 and inside.float().mean() > 0.7
        found[move.name, move.amount] = move
    shifts, zooms = [0, 0.25, 0.5, 0.75, 1], [1, 1.25, 1.5, 2]
    steps = [("shift", s * patch) for s in shifts] + [("zoom", z) for z in zooms] + [("flip", 1)]
    assert list(found) == steps
    assert len({id(move.base) for move in found.values()}) == 1


def test_moves_shift_by_pixels_of_the_view_and_zoom_about_its_middle():
    size, patch = (36, 48), 6
    found = {(m.name, m.amount): m for m in moves(ramp(1, 180, 240), size, patch)}
    base = found["shift", 0.0].base.image[0]
    right = found["shift", 6.0].moved.image[0]
    numpy.testing.assert_allclose(right[:, :, :-6], base[:, :, 6:], atol=1e-4)
    mirrored = found["flip", 1.0].moved
    numpy.testing.assert_allclose(mirrored.image[0], base.flip(2), atol=1e-5)
    zoomed = found["zoom", 2.0].moved.image[0]
    step, fine = (image[1, 0].diff().mean() for image in (base, zoomed))
    assert fine / step == pytest.approx(0.5, rel=1e-3)
    assert zoomed.mean(dim=(1, 2)).tolist() == pytest.approx(
        base.mean(dim=(1, 2)).tolist(), abs=1e-4
    )
    for move in found.values():
        corner, extent = move.moved.box[0, :2], move.moved.box[0, 2:]
        assert corner.min() >= -1e-6 and (corner + extent).max() <= 1 + 1e-6
    with pytest.raises(UserError, match="patch=37 must be from 1"):
        moves(ramp(1, 180, 240), size, 37)


def test_features_of_the_view_instead_of_the_image_do_not_move():
    """One-hot positions are where they were, whatever the image does."""
    images, size, patch, grid = ramp(3, 96, 96), (48, 48), 12, (4, 4)
    own = torch.eye(16).expand(3, -1, -1)
    for move in moves(images, size, patch):
        expected, inside = warped(own, move.base, move.moved, grid)
        error = equivariance_error(own, expected, inside).value
        assert error < 1e-6 if move.amount == (move.name == "zoom") else error > 0.05


# variance share


def test_variance_shares_are_scikit_learns_regressions_on_indicators():
    (patches,) = layered(0.7)
    found = variance_share(patches)
    flat = patches.double().flatten(0, 1).numpy()
    image, place = numpy.repeat(numpy.eye(60), N, axis=0), numpy.tile(numpy.eye(N), (60, 1))
    for score, dummies in [(found.image, image), (found.position, place)]:
        answer = LinearRegression().fit(dummies, flat).predict(dummies)
        expected = r2_score(flat, answer, multioutput="variance_weighted")
        assert score.value == pytest.approx(expected, abs=1e-9)
    assert sum(s.value for s in found) == pytest.approx(1) and sum(s.chance for s in found) == 1


def test_one_effect_alone_has_the_whole_variance():
    image, place = noise(20, 1, 4).expand(-1, N, -1), noise(1, N, 4).expand(20, -1, -1)
    assert variance_share(image + 50).image.value == pytest.approx(1, abs=1e-6)
    assert variance_share(place + 50).position.value == pytest.approx(1, abs=1e-6)
    for same in (0 * place, 0 * place.double() + 1 / 3):  # whose mean is rounded
        assert [s.value for s in variance_share(same)] == pytest.approx([0, 0, 1], abs=1e-9)
    with pytest.raises(UserError, match="2 images and 2 positions or more, got 1 and 12"):
        variance_share(place[:1])


def test_noise_has_the_share_of_its_degrees_of_freedom():
    found = variance_share(noise(50, N, 400))
    for score in found:
        assert score.value == pytest.approx(score.chance, abs=0.003)


def test_the_intervals_of_variance_shares_are_those_of_resampled_images():
    patches = layered(0.7)[0] + torch.rand(60, 1, 1, generator=rng()) * noise(1, N, WIDTH, seed=9)
    found, draws = variance_share(patches), []
    for index in torch.randint(60, (400, 60), generator=rng()):
        x = patches[index].double().numpy()
        centred = x - x.mean(axis=(0, 1))
        total, image, place = (
            (y**2).sum() * size
            for y, size in [(centred, 1), (centred.mean(axis=1), N), (centred.mean(axis=0), 60)]
        )
        draws.append([image / total, place / total, 1 - (image + place) / total])
    for score, theirs in zip(found, numpy.std(draws, axis=0), strict=True):
        assert score.draws.std().item() == pytest.approx(theirs, rel=0.25)
