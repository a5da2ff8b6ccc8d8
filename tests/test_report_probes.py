"""Pages of pictures: which images they show, and models that not all pictures can be made of."""

import pytest
import torch
from test_probe_suite import network, squares
from timm.models.vision_transformer import ParallelScalingBlock, VisionTransformer

from siamlab import figure
from siamlab.component import UserError
from siamlab.crop import cut
from siamlab.data.images import take
from siamlab.evaluate.evaluate import probe_all
from siamlab.evaluate.models import NamedModel
from siamlab.figure.image import data_uri, to_bytes
from siamlab.report import pictures, probes
from siamlab.report.probes import EXAMPLES, image_sections, representation_section

PARALLEL = dict(img_size=40, patch_size=8, embed_dim=48, depth=1, num_heads=3, num_classes=0)


def collapsed():
    model = network()
    for weight in model.parameters():
        torch.nn.init.zeros_(weight)
    return NamedModel("collapsed", model, None)


def test_a_collapsed_network_has_no_spectrum_and_stops_no_page():
    images = squares(20, 0)
    section = representation_section([NamedModel("mine", network(), None), collapsed()], images)
    spectra, alike = section.figures
    names = {trace.name for trace in spectra.data}
    assert "mine" in names and "collapsed" not in names and alike.data
    assert len(representation_section([collapsed()], images).figures) == 1


def test_too_few_images_to_compare_layers_stop_no_page():
    images = squares(3, 0)
    assert len(representation_section([NamedModel("mine", network(), None)], images).figures) == 1


def test_pictures_of_a_folder_show_all_its_classes(monkeypatch):
    shown = []
    monkeypatch.setattr(pictures, "components_picture", lambda s, images: shown.append(images))
    images = squares(300, 0)
    for some in (images, take(images, images.labels.argsort())):
        sections = image_sections([NamedModel("mine", network(), None)], some)
        assert [next(sections).title for _ in range(3)][2] == "Components"
    front, drawn = shown
    assert torch.equal(front, images.pixels[list(EXAMPLES)])
    which = [(images.pixels == x).flatten(1).all(dim=1).nonzero().item() for x in drawn]
    assert len(which) == len(EXAMPLES) and len(images.labels[which].unique()) > 1


def test_blocks_without_attention_of_their_own_have_two_methods(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        figure, "attribution_figure", lambda image, tables, *_: drawn.append(tables)
    )
    torch.manual_seed(0)
    for model in (
        VisionTransformer(**PARALLEL),
        VisionTransformer(**PARALLEL, block_fn=ParallelScalingBlock),
    ):
        assert probes.is_readable(model)
        pictures.attribution_picture(
            NamedModel("mine", model.eval(), None), squares(1, 0).pixels[0]
        )
    whole, parallel = drawn
    assert list(parallel) == ["integrated gradients", "Grad-CAM"]
    assert list(whole) == [*parallel, "attention × gradient"]


def test_a_model_that_has_diverged_is_named():
    model = network()
    torch.nn.init.constant_(model.norm.bias, torch.nan)
    images = squares(4, 0)
    with pytest.raises(UserError, match="^mine: features of VisionTransformer are not finite"):
        probe_all([NamedModel("mine", model, None)], images, images)


def test_crops_are_drawn_finer_than_a_model_sees_them_in_the_pixels_of_the_model():
    """Without limit, a photograph would make the page heavy."""
    named = NamedModel("mine", network(), None)
    fine = torch.randint(0, 256, (3, 160, 200), generator=torch.Generator().manual_seed(0))
    coarse, fine = squares(1, 0).pixels[0], fine.byte()
    a, b = pictures.crops(named, fine)
    most = 4 * a.image.shape[2]  # 160 and 200 pixels hold it four times
    cuts = [cut(fine[None], view.box, view.flip, (most, most)).image[0] for view in (a, b)]
    drawn, plain = (pictures.match_picture(named, image) for image in (fine, coarse))
    shown = [picture.source for picture in drawn.layout.images]
    assert shown == [data_uri(to_bytes(image)) for image in cuts]
    for one, other in zip(drawn.layout.images, plain.layout.images, strict=True):
        assert (one.x, one.sizex, one.sizey) == (other.x, other.sizex, other.sizey)
    assert drawn.layout.xaxis.range == plain.layout.xaxis.range
    assert max(t for trace in drawn.data for t in trace.y if t is not None) < a.image.shape[2]
    first, *_ = pictures.attribution_picture(named, fine).layout.images
    assert first.source == shown[0] and first.sizex == most
