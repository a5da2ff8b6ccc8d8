"""CLIP's two activations: which one a file is given, how it is told, and how to choose the other.

The expected features are those of timm's own architectures, with the activation in their name.
"""

import json

import pytest
import timm
import torch
from checkpoints import write, write_hugging_face
from safetensors.torch import save_file

from siamlab.evaluate.models import open_model
from siamlab.interop.clip import activation, plain_name

TINY = "vit_xsmall_patch16_clip_224"  # timm's smallest, of TinyCLIP: plain GELU
CHOICE = "LAION's and DataComp's weights need plain GELU: timm:{}@FILE"
PLAIN = timm.list_models("vit_*_clip_*", exclude_filters=["*quickgelu*", "*plus*"])
QUICK = timm.list_models("vit_*_clip_quickgelu_*")


def tower(name):
    with torch.device("meta"):
        return timm.create_model(name, num_classes=0)


@pytest.fixture(scope="module")
def laion(tmp_path_factory):
    """A file in which nothing shows plain GELU, and its network."""
    torch.manual_seed(0)
    network = timm.create_model(TINY, num_classes=0).eval()
    path = tmp_path_factory.mktemp("laion") / "laion.safetensors"
    save_file(network.state_dict(), path)
    return path, network


def test_a_file_that_does_not_show_its_activation_is_told_with_the_way_to_choose(laion):
    path, _ = laion
    assert open_model(path).about == (
        f"ViT 256×10/16 with 4 heads in CLIP's format, QuickGELU ({CHOICE.format(TINY)}), encoder; "
        "0 keys unused"
    )


def test_the_way_that_the_line_names_gives_the_features_of_plain_gelu(laion):
    path, network = laion
    named = open_model(f"timm:{TINY}@{path}")
    assert named.about == f"{TINY}, plain GELU, encoder; 0 keys unused"
    image = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network.forward_features(image)
        found = named.model.forward_features(image)
        assumed = open_model(path).model.forward_features(image)
    torch.testing.assert_close(found, expected)
    assert (assumed - expected).abs().max() > 1e-3  # it matters


@pytest.mark.parametrize("name", PLAIN)
def test_the_plain_architecture_of_each_size_is_timms(name):
    assert plain_name(tower(name)) == name and activation(tower(name)) == "plain GELU"


@pytest.mark.parametrize("name", QUICK)
def test_timms_names_say_which_ones_have_quickgelu(name):
    assert activation(tower(name)) == "QuickGELU"
    assert plain_name(tower(name)) == name.replace("_quickgelu", "")


def test_a_size_that_timm_has_not_is_told_as_a_pattern(tmp_path):
    assert CHOICE.format("vit_*_clip_224") in open_model(write("CLIP", tmp_path)[0]).about


@pytest.mark.parametrize("act, told", [("gelu", "plain GELU"), ("quick_gelu", "QuickGELU")])
def test_the_settings_of_a_folder_decide(act, told, tmp_path):
    write_hugging_face("vit", tmp_path / "folder")
    settings = tmp_path / "folder" / "config.json"
    config = json.loads(settings.read_text()) | {"model_type": "clip_vision_model"}
    settings.write_text(json.dumps(config | {"hidden_act": act}))
    about = open_model(tmp_path / "folder").about
    assert about == f"CLIP ViT 128×2/16 with 4 heads, {told}, encoder; 0 keys unused"
