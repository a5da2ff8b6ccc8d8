"""Read: the contents of a checkpoint file, without running any code that it may hold.

content = read_file(Path("mae_pretrain_vit_base.pth"))      # {"model": {"cls_token": ..., ...}}
"""

import re
import tomllib
import warnings
from argparse import Namespace
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo
from zlib import error as ZlibError

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from siamlab.component import UserError
from siamlab.interop.torchscript import read_torchscript
from siamlab.machine.files import check_file, check_readable
from siamlab.machine.sums import KEY

ZIP, LEGACY = b"PK\x03\x04", b"\x80\x02\x8a\x0a"  # as torch.save writes since and before 1.6
# a release's own settings: plain values, the last one read as a dictionary without its class
HARMLESS = [Namespace, (OrderedDict, "yacs.config.CfgNode")]
CHUNK = 2**22  # bytes of a record at a time
WAY = "expected a PyTorch or safetensors file of weights"


def read_file(path: Path) -> dict[str, Any]:
    """Return the dictionary that a .pth, .pt, .bin or safetensors file holds, whatever its suffix.

    Raises UserError for a file that is empty, cut short, of another format, or that holds more than
    tensors and plain values.
    """
    try:
        check_file(path)
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); {WAY}") from None
    if not start:
        raise UserError(f"{path} is empty; {WAY}, so download it again")
    if start.startswith((ZIP, LEGACY)):
        _check_no_program(path)
        _check_sums(path)
        return _from_torch(path)
    if start[8:9] == b"{":
        return dict(_from_safetensors(path))
    if path.suffix == ".onnx":
        raise _program(path, "a graph for ONNX runtimes, or a part of one")
    raise UserError(f"{path} is {_described(start)}; {WAY}, so download the file itself")


def metadata(path: Path) -> dict[str, str]:
    """Return the text in the header of a safetensors file; empty for files of another format."""
    check_readable(path)
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError):
        return {}


def run_text(path: Path) -> str | None:
    """Return the run in the header of an encoder file of siamlab's; None for any other file.

    Other projects may write words of their own under the same name.
    """
    words = metadata(path)
    text = words.get("run")
    if text is None or KEY in words:
        return text
    try:
        return text if "model" in tomllib.loads(text) else None
    except tomllib.TOMLDecodeError:
        return None


def _check_no_program(path: Path) -> None:
    """Raise UserError for a program that torch.export wrote, whose weights are named otherwise."""
    with suppress(BadZipFile, OSError), ZipFile(path) as archive:
        if any(name.endswith("/models/model.json") for name in archive.namelist()):
            raise _program(path, "a program of torch.export (.pt2)")


def _check_sums(path: Path) -> None:
    """Raise UserError for a record that its CRC-32 does not fit, which torch.load does not check.

    If none of the records fits, the file was written without, as torch.save can be told to.
    """
    with suppress(BadZipFile, OSError, NotImplementedError), ZipFile(path) as archive:
        records = [record for record in archive.infolist() if record.file_size]
        damaged = [record for record in records if not _fits(archive, record)]
        if 0 < len(damaged) < len(records):
            raise UserError(
                f"{path} is damaged: its record {damaged[0].filename} does not fit the checksum "
                f"(CRC-32) beside it; {WAY}, so copy it again"
            )


def _fits(archive: ZipFile, record: ZipInfo) -> bool:
    try:
        with archive.open(record) as file:
            while file.read(CHUNK):
                pass
    except (BadZipFile, ZlibError, EOFError):
        return False
    return True


def _program(path: Path, what: str) -> UserError:
    return UserError(
        f"{path} is {what}, made to be run elsewhere; {WAY}: name what it was exported from"
    )


def _from_torch(path: Path) -> dict[str, Any]:
    try:
        with torch.serialization.safe_globals(HARMLESS), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of archives that are refused below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named is None:
            raise UserError(f"{path} is cut short or damaged; {WAY}, so copy it again") from None
        raise UserError(
            f"{path} holds {named[1]}, and reading that could run any code; {WAY} only: in a "
            "program that trusts the file, save model.state_dict() instead"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        if "TorchScript" in str(error):
            return dict(read_torchscript(path))  # as CLIP's own files
        first = str(error).partition("\n")[0].partition(". ")[0]  # advice follows it
        reason = first.rstrip(".") or type(error).__name__
        raise UserError(
            f"{path} is cut short or damaged ({reason}); {WAY}, so copy it again"
        ) from None
    if not isinstance(content, dict):
        kind = "None" if content is None else f"a {type(content).__name__}"
        raise UserError(f"{path} holds {kind}; {WAY}: a dictionary of names and tensors")
    return content


def _from_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} is not a whole safetensors file ({_short(error)}); {WAY}, so copy it again"
        ) from None


def _short(error: Exception) -> str:
    """Return what the library says without the list of all types of numbers."""
    return str(error).partition(", expected one of")[0]


def _described(start: bytes) -> str:
    """Describe a file of another format by its first bytes."""
    if start.startswith(b"version https://git-lfs"):
        return "the pointer that git keeps in place of a large file"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "a web page"
    if start.startswith(b"\x80"):
        return "a pickle that torch.save did not write"
    if start.startswith(b"\x1f\x8b") or start[:2] == b"BZ":
        return "a compressed archive"
    printable = sum(32 <= byte < 127 or byte in b"\r\n\t" for byte in start)
    return "a text file" if printable == len(start) else "a file of an unknown format"
