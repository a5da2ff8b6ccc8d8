"""Two processes on the halves of a batch give what one process gives on the whole."""

import socket
import time
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from siamlab.component import UserError, variants
from siamlab.loss import Loss
from siamlab.machine import distributed, workers
from siamlab.model.blocks import TokenBatchNorm
from siamlab.recipes import demo_size, mae
from siamlab.train import train

KINDS = [cls.model_fields["kind"].default for cls in variants(Loss)]
LOSSES = dict(zip(KINDS, variants(Loss), strict=True))
SHAPE = (6, 5, 4)  # a joined batch of tokens


def joined(seed):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def losses(share):
    """Terms of every loss, and the gradient of their sum, on this process's share."""
    found = {}
    for kind, cls in LOSSES.items():
        pred, goal = share(joined(0)).requires_grad_(), share(joined(1))
        terms = cls()(pred, goal)
        sum(terms.values()).backward()
        found[kind] = {k: v.detach() for k, v in terms.items()}, pred.grad
    return found


def norms(share):
    """Two training passes of a BatchNorm over tokens: output, gradients, running statistics."""
    torch.manual_seed(0)
    norm = TokenBatchNorm(4)
    torch.nn.init.normal_(norm.weight), torch.nn.init.normal_(norm.bias)
    x = share(joined(2).float() * 3 + 1).requires_grad_()
    y = norm(norm(x))
    y.square().mul(share(joined(3).float())).mean().backward()
    gradients = [norm.weight.grad, norm.bias.grad]
    return y.detach(), x.grad, gradients, dict(norm.named_buffers())


def work(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    share = lambda tensor: tensor.chunk(2)[rank].clone()  # noqa: E731
    shared = {
        "losses": losses(share),
        "norms": norms(share),
        "mean": distributed.mean(torch.tensor([rank + 1.0])),
        "gather": distributed.gather(torch.tensor([[float(rank)]])),
        "any": [distributed.any_of(rank == 1), distributed.any_of(False)],
        "place": [distributed.rank(), distributed.count()],
    }
    if rank == 1:
        time.sleep(0.2)
        Path(folder, "late").touch()
    distributed.wait()
    shared["waited"] = Path(folder, "late").exists()
    torch.save(shared, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def both(work, *given):
    """Two processes that call `work(rank, *given)`, until both have ended well."""
    pair = [workers.start(work, rank, *given) for rank in range(2)]
    for process in pair:
        process.join()
    assert [process.exitcode for process in pair] == [0, 0]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    both(work, str(folder))
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.fixture(scope="module")
def one():
    whole = lambda tensor: tensor.clone()  # noqa: E731
    return {"losses": losses(whole), "norms": norms(whole)}


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_mean_over_processes(kind, one, two):
    terms, _ = one["losses"][kind]
    for name, value in terms.items():
        shared = sum(process["losses"][kind][0][name] for process in two) / 2
        torch.testing.assert_close(shared, value)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_averaged_over_processes_are_those_of_the_joined_batch(kind, one, two):
    """Average as DistributedDataParallel does: half of each process's own gradient."""
    shared = torch.cat([process["losses"][kind][1] for process in two]) / 2
    torch.testing.assert_close(shared, one["losses"][kind][1])


def test_batch_norm_is_that_of_the_joined_batch(one, two):
    outputs, inputs, parameters, buffers = one["norms"]
    close = {"atol": 1e-5, "rtol": 1e-4}
    torch.testing.assert_close(torch.cat([p["norms"][0] for p in two]), outputs, **close)
    torch.testing.assert_close(torch.cat([p["norms"][1] for p in two]) / 2, inputs, **close)
    for k, gradient in enumerate(parameters):
        torch.testing.assert_close(sum(p["norms"][2][k] for p in two) / 2, gradient, **close)
    for process in two:
        torch.testing.assert_close(process["norms"][3], buffers, **close)


def test_processes_share_means_rows_and_flags(two):
    for rank, process in enumerate(two):
        assert process["place"] == [rank, 2]
        assert process["mean"].item() == 1.5
        assert process["gather"].tolist() == [[0.0], [1.0]]
        assert process["any"] == [True, False] and process["waited"]


def test_one_process_gives_back_what_it_was_given():
    tensor = torch.ones(2, 3, requires_grad=True)
    assert distributed.mean(tensor) is tensor and not distributed.gather(tensor).requires_grad
    assert (distributed.rank(), distributed.count()) == (0, 1)
    assert distributed.any_of(True) and not distributed.any_of(False)
    distributed.wait()


def test_batch_norm_over_tokens_is_torchs_over_rows():
    norm, torchs = TokenBatchNorm(4), torch.nn.BatchNorm1d(4)
    x = joined(4).float()
    torch.testing.assert_close(norm(x), torchs(x.flatten(0, 1)).view(SHAPE))
    torch.testing.assert_close(norm.eval()(x), torchs.eval()(x.flatten(0, 1)).view(SHAPE))


@pytest.fixture
def torchrun(monkeypatch):
    """The environment of the only process that torchrun has started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": 0, "WORLD_SIZE": 1}
    for name, value in {"TORCHELASTIC_RUN_ID": "none", **where}.items():
        monkeypatch.setenv(name, str(value))
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


def test_processes_that_torchrun_started_are_joined_from_python_too(torchrun, tmp_path):
    train(demo_size(mae()).change("steps=1", "batch=4", "data.images=8"), tmp_path / "run")
    assert dist.is_initialized() and distributed.count() == 1


@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"])
def test_a_part_of_torchruns_environment_is_told(name, torchrun, monkeypatch):
    monkeypatch.delenv(name)
    with pytest.raises(UserError, match=rf"not right \(.*{name}.*\); start with torchrun"):
        distributed.start()


def test_a_number_without_other_processes_chooses_no_gpu(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "three")
    assert distributed.local_rank() == 0


@pytest.mark.parametrize("gpu", [True, False])
def test_processes_speak_on_the_processor_whether_or_not_there_is_a_gpu(gpu, torchrun, monkeypatch):
    asked = []
    monkeypatch.setattr(dist, "init_process_group", asked.append)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    distributed.start()
    assert asked == ["cpu:gloo,cuda:nccl" if gpu else "gloo"]
