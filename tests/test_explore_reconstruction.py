"""Reconstruction: what a masked image model predicts for hidden pixels, against its own loss."""

import pytest
import torch
from test_explore import masked_run, panel

from siamlab.component import UserError
from siamlab.crop import cut
from siamlab.explore import EyeExplorer, ReconstructionExplorer
from siamlab.geometry import View
from siamlab.masking import Mask
from siamlab.model.standard import from_patches, patch_pixels
from siamlab.recipes import demo_size, mae, moco_v3, simmim
from siamlab.train import load_branches, train
from siamlab.train.step import compare

FEW = ("data.images=16", "data.test_images=8", "steps=1", "batch=8", "model.depth=1")
BOX, STILL = torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([False])


def explorer(image=2, mask=3):
    return ReconstructionExplorer(masked_run()[0], image=image).set(mask=mask)


def test_patches_become_the_image_again():
    image = torch.rand(2, 3, 12, 8)
    for i, cells in enumerate(patch_pixels(image, 4, "none")):
        torch.testing.assert_close(from_patches(cells, 4, (3, 2)), image[i])


@pytest.mark.parametrize("normalise", ["patch", "none"])
@pytest.mark.parametrize("recipe", [mae, simmim])
def test_what_is_lost_is_the_loss_of_a_training_step(recipe, normalise, tmp_path):
    """On patches normalised by their own variance it is the MSE; on others that over the variance.

    The step's model, teacher and loss are those of the checkpoint, with the same mask.
    """
    run = demo_size(recipe()).change(*FEW, f"target.normalise={normalise}", "loss=mse")
    path = train(run, tmp_path / "run").path
    found = ReconstructionExplorer(path, image=2).set(mask=3).reconstructed()
    run, model, teacher = load_branches(path)
    view = cut(run.data("test").pixels[2:3], BOX, STILL, run.size)
    visible = run.masking(1, run.grid, torch.Generator().manual_seed(3)).visible
    places = run.positions(view, view, run.grid)
    with torch.no_grad():
        pred = model(view.image, places, Mask(visible, ~visible))
        [loss] = compare(run, pred, teacher(view, places.own, ~visible)).values()
    lost = found.lost[found.hidden]
    if normalise == "none":
        lost = lost * (found.target.var(dim=1) + 1e-6)[found.hidden]
    torch.testing.assert_close(lost.mean(), loss, rtol=1e-4, atol=1e-6)
    assert torch.equal(found.hidden, ~visible[0]) and 0 < found.hidden.sum() < len(found.hidden)


def test_a_perfect_prediction_is_the_image_and_loses_nothing(monkeypatch):
    shown = explorer()
    _, _, teacher = load_branches(masked_run()[0])

    class Perfect(torch.nn.Module):
        def forward(self, image, places, mask):
            return teacher(View(image, BOX, STILL), places.own, mask.predict)

    monkeypatch.setattr(shown.branches, "model", Perfect())
    images = shown.set(mask=5).images()  # of a mask that has no kept answer
    whole, image = (images[panel(shown, name).image].int() for name in ("reconstruction", "image"))
    assert (whole - image).abs().max() <= 1
    assert shown.reconstructed().lost.nan_to_num(0).max() < 1e-6


def test_seen_patches_stay_and_hidden_ones_are_grey_or_predicted():
    shown = explorer()
    images, hidden = shown.images(), shown.reconstructed().hidden
    seen, whole, image = (
        images[panel(shown, name).image].unfold(1, 8, 8).unfold(2, 8, 8).flatten(1, 2)
        for name in ("seen", "reconstruction", "image")
    )  # [3, N, 8, 8]
    assert torch.equal(seen[:, ~hidden], image[:, ~hidden]) and (seen[:, hidden] == 128).all()
    assert torch.equal(whole[:, ~hidden], image[:, ~hidden])
    assert not torch.equal(whole[:, hidden], image[:, hidden])
    heat = torch.tensor(panel(shown, "image").heat.values)
    assert torch.equal(heat.isnan(), ~hidden)


def test_a_click_shows_the_patch_and_says_whether_it_was_hidden():
    shown = explorer()
    hidden = shown.reconstructed().hidden
    for patch in (int(hidden.int().argmax()), int((~hidden).int().argmax())):
        shown.select("image", patch)
        images = shown.images()
        predicted, true = (images[panel(shown, name).image] for name in ("predicted", "true"))
        row, column = divmod(patch, 5)
        part = images[panel(shown, "image").image][:, row * 8 :, column * 8 :][:, :8, :8]
        assert torch.equal(true, part)
        assert torch.equal(predicted, true) != bool(hidden[patch])
        text = shown.state["text"]
        assert text.startswith(f"Row {row + 1}, column {column + 1} is")
        assert ("is seen, and shown as it is" in text) != bool(hidden[patch])


def test_a_mask_is_one_of_the_run_and_another_number_another_mask():
    masks = [explorer(mask=mask).reconstructed().hidden for mask in (0, 1, 0)]
    assert torch.equal(masks[0], masks[2]) and not torch.equal(masks[0], masks[1])


@pytest.mark.parametrize(
    "run", [mae().change("masking=none"), moco_v3()], ids=["all seen", "image"]
)
def test_a_run_that_predicts_no_hidden_pixels_is_refused(run, tmp_path):
    run = demo_size(run).change(*FEW)
    path = train(run, tmp_path / "run").path
    with pytest.raises(UserError, match="needs pixels predicted for hidden patches: name"):
        ReconstructionExplorer(path)
    with pytest.raises(UserError, match="Predicted pixels are shown by ReconstructionExplorer"):
        EyeExplorer(path)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("zoo:mae", "zoo:mae is an encoder only: .* decoder .*`siamlab train mae --out runs/mae`"),
        ("zoo:siameseim", "^zoo:siameseim has prediction=dense, .* needs pixels predicted"),
        ("zoo:mea", "there is no model 'mea'; did you mean 'mae'"),
        ("timm:vit_tiny_patch16_224", "timm:vit_tiny_patch16_224 is an encoder only"),
    ],
)
def test_a_name_that_has_no_reconstruction_is_refused_as_a_name_not_as_a_folder(name, sentence):
    with pytest.raises(UserError, match=sentence):
        ReconstructionExplorer(name)
