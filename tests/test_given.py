"""What users hand over: models and images by name, and one sentence for what is not there."""

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from PIL import Image

from siamlab import given, zoo
from siamlab.component import UserError
from siamlab.data import Cifar10, Folder, Photographs, Scenes
from siamlab.data.images import plain
from siamlab.given import at_most, models_and_images, one_image
from siamlab.probe import inputs
from siamlab.probing import with_untrained
from siamlab.subject import subject

SMALL = dict(train=30, test=10)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Fifty images of two classes."""
    folder = tmp_path_factory.mktemp("photos")
    pixels = Scenes(images=50, side=24)("train").pixels
    for i, image in enumerate(pixels):
        (folder / f"{i % 2}").mkdir(exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i % 2}" / f"{i}.png")
    return folder


def test_without_data_the_images_are_those_of_the_run():
    models, train, test = models_and_images(["zoo:scenes_mae", "zoo:scenes_siameseim"], **SMALL)
    assert [s.name for s in models] == ["zoo:scenes_mae", "zoo:scenes_siameseim"]
    own = models[0].run.data("train").pixels
    assert len(train.pixels) == 30 and len(test.pixels) == 10
    assert (own == train.pixels[0]).flatten(1).all(dim=1).any()


def test_a_folder_is_read_at_the_side_that_the_models_want(photos):
    models, train, test = models_and_images("timm:test_vit", str(photos), weights=False)
    assert inputs(models[0].model).size == (160, 160)
    assert train.pixels.shape[2:] == test.pixels.shape[2:] == (184, 184)
    assert len(train.pixels) + len(test.pixels) == 50 and len(train.classes) == 2


@pytest.mark.parametrize("data", ["scenes", Scenes(images=40, test_images=8, side=24)])
def test_data_by_name_or_by_fields(data, monkeypatch):
    _, train, test = models_and_images("zoo:scenes_mae", data, **SMALL)
    assert len(train.pixels) == 30 and len(test.pixels) == (10 if data == "scenes" else 8)


def test_names_may_be_paths(photos):
    file = zoo.file("scenes_mae")
    models, train, test = models_and_images([file], photos)
    assert models[0].name == str(file) and len(train.pixels) + len(test.pixels) == 50
    alone, _, _ = models_and_images(file, photos)
    assert alone[0].name == str(file)


def test_a_size_that_is_none_is_told_for_python_too():
    with pytest.raises(
        UserError, match=r"\(in Python: size=41\) must be a multiple of .* 8 pixels"
    ):
        models_and_images("zoo:scenes_mae", size=41)


def test_no_more_than_there_are(photos):
    images = Folder(path=str(photos), side=16)("train")
    assert at_most(images, 10_000) is images and at_most(images, None) is images
    assert len(at_most(images, 7).pixels) == 7


def test_images_with_a_label_are_taken_first():
    """As STL-10's: 5,000 of 105,000 have one."""
    pixels = torch.arange(60, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 1, 1)
    known = torch.arange(60) % 3 == 1
    images = plain(pixels, torch.where(known, 7, -1), "abcdefgh")
    few, more = at_most(images, 12), at_most(images, 30)
    assert (few.labels == 7).all() and (more.labels == 7).sum() == 20
    numbers = [some.pixels[:, 0, 0, 0].tolist() for some in (few, more)]
    assert set(numbers[0]) < set(numbers[1]) and numbers == list(map(sorted, numbers))
    for labels in (images.labels.clamp(min=7), images.labels.clamp(max=-1)):
        alike = images._replace(labels=labels)
        order = torch.randperm(60, generator=torch.Generator().manual_seed(0))[:12]
        assert at_most(alike, 12).pixels[:, 0, 0, 0].tolist() == sorted(order.tolist())


@pytest.mark.parametrize("number", [-1, 8])
def test_an_image_that_is_not_there(number):
    images = Scenes(images=40, test_images=8, side=24)("test")
    assert torch.equal(one_image(images, 7), images.pixels[7])
    with pytest.raises(UserError, match=f"image={number} must be 0 to 7"):
        one_image(images, number)


def test_the_untrained_network_has_the_size_that_the_trained_one_was_brought_to():
    models, _, _ = models_and_images(["zoo:scenes_mae"], size=48, **SMALL)
    start, _ = with_untrained(models)
    assert inputs(start.model).size == (48, 48)


def test_models_of_two_sizes_are_brought_to_one(photos):
    names = ["timm:test_vit", "timm:test_vit2"]
    models, train, _ = models_and_images(names, str(photos), size=64, weights=False)
    assert {inputs(s.model).size for s in models} == {(64, 64)}
    assert train.pixels.shape[-1] == round(1.15 * 64)


@pytest.mark.parametrize(
    "models, data, sentence",
    [
        ([], None, "models must name one or more"),
        ("zoo:mea", None, "zoo: there is no model 'mea'; did you mean 'mae'?"),
        ("runs/nowhere", None, "runs/nowhere is neither a run's folder .* as seen from /"),
        (["zoo:scenes_mae", "zoo:scenes_mae"], None, "zoo:scenes_mae is named twice"),
        (
            "zoo:scenes_mae",
            "fotos",
            "data: there is no folder 'fotos' in /.* and no source 'fotos';",
        ),
        ("zoo:scenes_mae", "scene", "no source 'scene'; did you mean 'scenes'"),
        (
            ["zoo:scenes_mae", "timm:test_vit"],
            None,
            r"inputs have \(160, 160\) and \(40, 40\) pixels",
        ),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(models, data, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        models_and_images(models, data, weights=False)
    assert "\n" not in str(error.value)


def test_a_notebook_shows_the_sentence_without_a_traceback():
    wrong = "from siamlab.subject import subject; subject('zoo:mea')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(wrong)])
    NotebookClient(notebook, allow_errors=True).execute()
    (output,) = notebook.cells[0].outputs
    (line,) = output.traceback
    assert line.startswith("siamlab: zoo: there is no model 'mea'; did you mean 'mae'?")


def test_the_same_model_as_by_itself():
    (one,), _, _ = models_and_images("zoo:scenes_mae", **SMALL)
    alone = subject("zoo:scenes_mae")
    weights = zip(one.model.parameters(), alone.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)


def test_explorers_show_photographs_where_public_images_are_not_here(tmp_path, monkeypatch):
    run = subject("zoo:siameseim").run
    assert run.data == Cifar10()
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path))
    assert torch.equal(given.test_images(run).pixels, Photographs()("test").pixels)
    moved = run.replace(data=Cifar10(path="moved away"))
    with pytest.raises(UserError, match="data.path='moved away' must hold"):
        given.test_images(moved)
