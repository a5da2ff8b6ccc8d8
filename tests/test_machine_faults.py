"""Errors of a full disk or too little memory are distinguished from all others."""

import errno
import re
import resource
import signal
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save_file

from siamlab.cli import main as main_module
from siamlab.component import UserError
from siamlab.evaluate.files import write_table
from siamlab.machine import workers
from siamlab.machine.faults import machine_fault

WRITERS = {
    "a file of Python": lambda path: path.write_bytes(bytes(10**6)),
    "polars, parquet": lambda path: pl.DataFrame({"a": np.random.rand(10**5)}).write_parquet(path),
    "polars, csv": lambda path: pl.DataFrame({"a": np.random.rand(10**5)}).write_csv(path),
    "safetensors": lambda path: save_file({"a": torch.rand(10**5)}, path),
    "torch": lambda path: torch.save({"a": torch.rand(10**5)}, path),
    "numpy": lambda path: np.save(path, np.random.rand(10**5)),
}


def confine():
    """Let no file of this process grow beyond 20,000 bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))


def fault_of(name, path):
    try:
        WRITERS[name](path)
    except BaseException as error:
        return machine_fault(error)
    return "written"


def refusal_of_a_table(path):
    try:
        write_table(pl.DataFrame({"a": np.random.rand(10**5)}), path)
    except UserError as error:
        return str(error)
    return "written"


@pytest.fixture(scope="module")
def confined():
    """A process with little space, forked before polars is loaded, which does not survive it."""
    workers.warm()
    with ProcessPoolExecutor(1, workers.CONTEXT, confine) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result(timeout=120)


@pytest.mark.parametrize("name", WRITERS)
def test_every_library_tells_that_no_more_can_be_written(tmp_path, name, confined):
    assert confined(fault_of, name, tmp_path / "file") in (
        "a file may not grow any more (ulimit -f)",
        "the disk is full, or refuses to be written",
    )


@pytest.mark.parametrize("number", ["ENOSPC", "EDQUOT", "EROFS", "EIO", "ENOMEM", "EMFILE"])
def test_errors_of_the_system_are_told_in_words(number):
    error = OSError(getattr(errno, number), "no")
    assert machine_fault(error)
    try:
        try:
            raise error
        except OSError:
            raise UserError("the run cannot be written") from None
    except UserError as raised:
        assert machine_fault(raised) == machine_fault(error)


@pytest.mark.parametrize("write", [lambda: torch.empty(10**15), lambda: [0] * 10**15])
def test_too_little_memory_is_one_of_them(write):
    with pytest.raises((RuntimeError, MemoryError)) as raised:
        write()
    assert machine_fault(raised.value) == "there is not enough memory"


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), FileNotFoundError(errno.ENOENT, "no"), PermissionError(errno.EACCES, "no"),
     UserError("loss: full"), KeyError("disk"), OSError("image file is truncated (28)")],
)  # fmt: skip
def test_all_others_are_none(error):
    assert machine_fault(error) is None


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
def test_a_table_on_a_full_disk_is_one_sentence(tmp_path, suffix, confined):
    out = tmp_path / f"scores.{suffix}"
    out.write_text("old")
    said = confined(refusal_of_a_table, out)
    assert re.search("--out .* cannot be written .*name another place", said)
    assert out.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_a_command_whose_library_meets_a_full_disk_ends_with_a_sentence(monkeypatch, capfd):
    def full(options):
        raise pl.exceptions.ComputeError("parquet: No space left on device (os error 28)")

    monkeypatch.setattr("siamlab.cli.commands.print_axes", full)
    monkeypatch.setattr(main_module.os, "dup2", lambda *of: None)
    assert main_module.main(["axes"]) == 2
    assert capfd.readouterr().err.startswith("siamlab: the disk is full where this works")
