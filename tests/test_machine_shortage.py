"""Too little memory is one sentence, and leaves nothing behind."""

import errno
from unittest.mock import Mock

import pytest
import torch
from own_choices import added

from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.evaluate.models import open_model
from siamlab.machine import shortage
from siamlab.machine.shortage import explain_shortage, free_memory, in_words
from siamlab.probe import probe_model
from siamlab.probe.suite import passes
from siamlab.probe.suite.bench import Bench, extract
from siamlab.recipes import demo_size, mae
from siamlab.train import device, loop, train

TINY = (
    "batch=8 steps=2 size=8 model.patch=4 model.width=8 model.depth=1 model.heads=2 "
    "masking.ratio=0.5 prediction.width=8 prediction.heads=2 "
    "data.side=8 data.images=8 data.test_images=8"
).split()
RUN = demo_size(mae()).change(*TINY)
CPU = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 12884901888 bytes. Error code 12 (Cannot allocate memory)"
)
GPU = "CUDA out of memory. Tried to allocate 20.50 GiB. GPU 0 has a total capacity of 139.00 GiB"
KEYS = r"lower batch=8, size=\[8, 8\] or model.width=8, or .* compute.accumulate=2"


def explained(error):
    with pytest.raises(UserError) as said, explain_shortage("lower batch"):
        raise error
    return str(said.value)


def test_what_was_needed_and_what_there_is_are_said(monkeypatch):
    monkeypatch.setattr(shortage, "free_memory", lambda gpu=False: (3 * 2**30, 2**35))
    needed = "out of memory: 12.0 GiB more were needed, 3.0 GiB of 32.0 GiB are free; lower batch"
    assert explained(RuntimeError(CPU)) == needed
    assert "20.5 GiB more were needed, 3.0 GiB of" in explained(torch.OutOfMemoryError(GPU))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "mmap"),
        RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"),
        RuntimeError("could not create a primitive"),
    ],  # as oneDNN says it
)
def test_all_kinds_of_shortage_are_explained(error):
    assert explained(error).startswith("out of memory: more was needed than there is")


def test_a_gpu_that_cannot_be_asked_what_is_free_is_still_a_sentence():
    if torch.cuda.is_available():
        pytest.skip("this one can be asked")
    assert (
        explained(torch.OutOfMemoryError(GPU))
        == "out of memory: 20.5 GiB more were needed; lower batch"
    )


def test_a_real_shortage_is_explained_and_other_errors_pass():
    with pytest.raises(UserError, match="181.9 TiB more were needed"), explain_shortage("less"):
        torch.empty(10**6, 5 * 10**7)
    with pytest.raises(RuntimeError, match="shape"), explain_shortage("less"):
        torch.zeros(3).view(2)


def test_sizes_are_said_in_words():
    assert in_words(2**30) == "1.0 GiB" and in_words(3 * 2**39) == "1.5 TiB"
    assert in_words(2**20) == "1.0 MiB"
    free, whole = free_memory()
    assert 0 < free <= whole


def test_a_container_or_a_job_leaves_less_than_the_machine_has(tmp_path, monkeypatch):
    """The job may use 900 bytes, the container around it 1000; 300 are files that can go."""
    for folder, most, used in (("job", 900, 500), ("", 1000, 900)):
        group = tmp_path / "box" / folder
        group.mkdir(exist_ok=True, parents=True)
        (group / "memory.max").write_text(f"{most}\n")
        (group / "memory.current").write_text(f"{used}\n")
        (group / "memory.stat").write_text("anon 1\ninactive_file 300\nfile 7\n")
    (tmp_path / "own").write_text("1:name=x:/other\n0::/box/job\n")
    monkeypatch.setattr(shortage, "GROUPS", tmp_path)
    monkeypatch.setattr(shortage, "OWN_GROUP", tmp_path / "own")
    assert free_memory() == (400, 1000)
    (tmp_path / "box" / "memory.max").write_text("max\n")
    assert free_memory() == (700, 900)
    monkeypatch.setattr(shortage, "OWN_GROUP", tmp_path / "none")
    assert free_memory()[1] > 1000


def test_what_torch_holds_of_a_gpu_without_using_it_is_free(monkeypatch):
    for name, value in (
        ("mem_get_info", (10, 90)),
        ("memory_reserved", 30),
        ("memory_allocated", 8),
    ):
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    assert free_memory(gpu=True) == (32, 90)


def test_a_run_that_cannot_fit_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(shortage, "free_memory", lambda gpu: (2**14, 2**20))
    with pytest.raises(UserError, match=f"both views of a batch need .*is free; {KEYS}"):
        train(RUN, tmp_path / "deep" / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words", [["model=vit_small_patch16_224"], ["model=sound", "model.width=512"]]
)
def test_blocks_of_timms_models_and_of_your_own_are_counted(words, monkeypatch):
    monkeypatch.setattr(shortage, "free_memory", lambda gpu: (2**25, 2**30))
    with added():
        run = RUN.change(*words, "size=32")
        with pytest.raises(UserError, match="32.0 MiB of"):
            device.check_memory(run, torch.device("cpu"))
        device.check_memory(RUN.change("model=sound", "size=32"), torch.device("cpu"))


def test_crops_that_cannot_fit_are_refused_before_any_is_computed(monkeypatch):
    """2 × 4 crops of 25 patches of 96 numbers, four bytes each."""
    model, images = open_model("zoo:scenes_mae").model, Scenes(images=5, test_images=4, side=40)
    monkeypatch.setattr(shortage, "free_memory", lambda gpu: (8 * 25 * 96 * 4 - 1, 2**30))
    forward = Mock(return_value=None)
    model.patch_embed.register_forward_hook(forward)
    with pytest.raises(UserError, match="patches of 8 crops of test images of 40 × 40 pixels need"):
        probe_model(model, images("train"), images("test"))
    assert not forward.called
    monkeypatch.setattr(shortage, "free_memory", lambda gpu: (8 * 25 * 96 * 4, 2**30))
    extract(model, Bench(images("train"), images("test")))


def test_patches_that_would_not_fit_are_computed_when_a_probe_asks_for_them(monkeypatch):
    model, images = open_model("zoo:scenes_mae").model, Scenes(images=20, test_images=4, side=40)
    train, test = images("train"), images("test")
    want = extract(model, Bench(train, test))
    assert len(want.train.pooled) == 20 and len(want.test.pooled) == 4  # computed here
    size = 25 * 96 * 4  # bytes of the patches of an image
    monkeypatch.setattr(passes, "free_memory", lambda gpu: (39 * size, 2**30))
    seen = Mock(return_value=None)
    model.patch_embed.register_forward_hook(seen)
    found = extract(model, Bench(train, test))
    assert seen.call_count == 2  # the two crops of test images; no probe has asked for more
    for one, other in ((found.train, want.train), (found.test, want.test)):
        assert torch.equal(one.pooled, other.pooled) and torch.equal(one.cls, other.cls)
        assert torch.equal(one.patches, other.patches) and one.grid == other.grid
    assert seen.call_count == 5  # patches of the test images came with the rest: they fit
    assert found.train.patches is found.train.patches
    monkeypatch.setattr(shortage, "free_memory", lambda gpu: (19 * size, 2**30))
    late = extract(model, Bench(train, test))
    with pytest.raises(UserError, match="patches of 20 images of 40 × 40 pixels need"):
        _ = late.train.patches


def test_a_shortage_in_the_first_step_leaves_no_folder(tmp_path, monkeypatch):
    def fails(*arguments):
        raise RuntimeError(CPU)

    before = loop.gradients
    monkeypatch.setattr(loop, "gradients", fails)
    with pytest.raises(UserError, match=f"12.0 GiB more were needed, .*are free; {KEYS}"):
        train(RUN, tmp_path / "deep" / "run")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(loop, "gradients", before)
    assert train(RUN, tmp_path / "deep" / "run").encoder.exists()  # the same place is free


def test_a_shortage_in_a_later_step_keeps_what_there_is(tmp_path, monkeypatch):
    taken = []

    def fails(*arguments):
        taken.append(arguments)
        if len(taken) == 2:
            raise MemoryError
        return before(*arguments)

    before = loop.gradients
    monkeypatch.setattr(loop, "gradients", fails)
    with pytest.raises(UserError, match="out of memory"):
        train(RUN, tmp_path / "run", Scenes(side=8, images=8, test_images=8)("train"))
    assert (tmp_path / "run" / "metrics.jsonl").exists()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_that_is_too_small_is_said():
    with pytest.raises(UserError, match="TiB more were needed, .* GiB are free; lower batch"):
        with explain_shortage("lower batch"):
            torch.empty(10**14, device="cuda")
