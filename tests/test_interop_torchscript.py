"""CLIP's own files: TorchScript archives, read without running what is in them."""

import os
import pickle
import warnings
import zipfile

import pytest
import torch
from checkpoints import write
from torch import nn

from siamlab.component import UserError
from siamlab.evaluate.models import open_model
from siamlab.interop.read import read_file


class Tree(nn.Module):
    """A module with the weights of a state dictionary under their dotted names."""

    def __init__(self, weights):
        super().__init__()
        for key, weight in weights.items():
            *path, name = key.split(".")
            home = self
            for part in path:
                if part not in home._modules:
                    home.add_module(part, Tree({}))
                home = home._modules[part]
            home.register_buffer(name, weight)

    def forward(self, x):
        return x


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A file as OpenAI's, the network that is in it, and its weights."""
    folder = tmp_path_factory.mktemp("clip")
    path, network = write("CLIP", folder)
    weights = torch.load(path, weights_only=True)
    weights |= {"input_resolution": torch.tensor(224), "visual.proj": torch.rand(4, 4).half()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(Tree(weights), torch.zeros(1)).save(folder / "ViT-B-16.pt")
    return folder / "ViT-B-16.pt", network, weights


def test_the_tensors_are_those_of_the_program(clip):
    path, _, weights = clip
    found = read_file(path)
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[key], weights[key]) for key in weights)
    assert found["visual.proj"].dtype == torch.float16


def test_the_features_are_those_of_the_network(clip):
    path, network, _ = clip
    named = open_model(path)
    image = torch.rand(2, 3, 48, 48)
    with torch.no_grad():
        found, expected = (model.forward_features(image) for model in (named.model, network))
    torch.testing.assert_close(found, expected)
    assert named.about == (  # input_resolution shows that it is OpenAI's: nothing is assumed
        "CLIP ViT 128×2/16 with 2 heads, QuickGELU, encoder, text tower and head; 0 keys unused"
    )


def rewritten(source, target, change):
    """A copy of an archive with other bytes in some of its files."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return target


class Evil:
    def __reduce__(self):
        return os.system, ("touch hacked",)


@pytest.mark.parametrize("evil", [Evil(), {"a": Evil()}], ids=["itself", "inside"])
def test_a_table_that_wants_to_run_code_is_refused_and_does_not(evil, clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    change = lambda name, data: pickle.dumps(evil, 2) if name.endswith("/data.pkl") else data  # noqa: E731
    path = rewritten(clip[0], tmp_path / "evil.pt", change)
    with pytest.raises(UserError, match=r"holds \w+.system, and reading that could run any code"):
        read_file(path)
    assert not (tmp_path / "hacked").exists()


def test_a_damaged_program_is_refused(clip, tmp_path):
    shorter = lambda name, data: data[:-4] if "/data/" in name else data  # noqa: E731
    path = rewritten(clip[0], tmp_path / "short.pt", shorter)
    with pytest.raises(UserError, match="cut short or damaged .*bytes, not"):
        read_file(path)
    beyond = lambda name, data: data.replace(b"K\x00", b"K\x07") if "/data.pkl" in name else data  # noqa: E731
    path = rewritten(clip[0], tmp_path / "beyond.pt", beyond)
    with pytest.raises(UserError, match="cut short or damaged"):
        read_file(path)
