"""The trained encoders that come with siamlab load, say who made them, and know something."""

import pytest
import torch

from siamlab import zoo
from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.probe import features, inputs, knn
from siamlab.train import run_of, untrained


@pytest.fixture(scope="module")
def scenes():
    data = Scenes(images=1500, test_images=400)
    return data("train"), data("test")


def accuracy(model, train, test):
    want = inputs(model)
    seen = [features(model, images.pixels, *want).pooled for images in (train, test)]
    return knn(seen[0], train.labels, seen[1], test.labels).value


@pytest.mark.parametrize("name", ["siameseim", "mae", "moco_v3"])
def test_each_knows_more_of_the_image_than_before_training(name, scenes):
    run = run_of(zoo.file(name))
    assert run.name == name
    assert accuracy(zoo.load(name), *scenes) > accuracy(untrained(run), *scenes) + 0.03


def test_the_zoo_is_a_few_megabytes():
    assert zoo.names() == ("mae", "moco_v3", "siameseim")
    assert sum(zoo.file(name).stat().st_size for name in zoo.names()) < 8e6


def test_loading_twice_gives_the_same_numbers():
    image = torch.rand(2, 3, 40, 40)
    assert torch.equal(zoo.load("mae")(image), zoo.load("mae")(image))


def test_an_unknown_model_is_refused_by_name():
    with pytest.raises(UserError, match="no model 'siamese'; did you mean 'siameseim'"):
        zoo.file("siamese")
