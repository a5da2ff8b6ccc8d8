"""TorchScript: the tensors in an archive that torch.jit.save wrote, without running its program.

tensors = read_torchscript(Path("ViT-B-16.pt"))     # {"visual.conv1.weight": ..., ...}

CLIP's own files are such archives. torch reads them only by loading the program in them. Here the
table of its modules is unpickled with nothing allowed but tensors and plain values: a module of the
program becomes a bag of its attributes, whatever its class.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from siamlab.component import UserError

STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
LISTS = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist")
DEPTH = 100  # of modules in modules


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """Return the tensors of an archive by dotted name.

    Raises UserError for one that is cut short, or whose table of modules asks for anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (table,) = (name for name in archive.namelist() if _is_table(name))
            with archive.open(table) as file:
                root = _Tables(file, archive, table.removesuffix("data.pkl")).load()
            if not isinstance(root, _Module):
                raise ValueError(f"it holds a {type(root).__name__}, not a module")
            return dict(_tensors(root, "", 0))
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is a TorchScript program that holds {error}, and reading that could run any "
            "code; save torch.jit.load(...).state_dict() instead, in a program that trusts it"
        ) from None
    except (zipfile.BadZipFile, OSError, KeyError, ValueError, RuntimeError, EOFError,
            AttributeError, IndexError, TypeError) as error:  # fmt: skip
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{path} is a TorchScript program that is cut short or damaged ({reason}); copy it "
            "again"
        ) from None


class _Module:
    """The attributes of a module of the program."""

    def __init__(self, *_: Any) -> None:
        pass


class _Tables(pickle.Unpickler):
    """Reads tensors and plain values; everything else is refused."""

    def __init__(self, file: Any, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self.archive: zipfile.ZipFile = archive
        self.folder: str = folder

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name in the table."""
        if module == "__torch__" or module.startswith("__torch__."):
            return _Module
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuilt
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle" and name in LISTS:
            return list
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if (module, name) == ("torch", "device"):
            return str
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Tensor:
        """Return the numbers of a storage, in one row."""
        _, dtype, key, _, count = pid
        data = bytearray(self.archive.read(f"{self.folder}data/{key}"))
        if len(data) != count * dtype.itemsize:
            raise ValueError(f"data/{key} has {len(data)} bytes, not {count * dtype.itemsize}")
        return torch.frombuffer(data, dtype=dtype) if count else torch.empty(0, dtype=dtype)


def _rebuilt(row: Tensor, offset: int, size: tuple, stride: tuple, *_: Any) -> Tensor:
    """A tensor over a storage; torch refuses one that reaches beyond it."""
    return row.as_strided(size, stride, offset)


def _is_table(name: str) -> bool:
    return name.count("/") == 1 and name.endswith("/data.pkl")


def _tensors(value: Any, name: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a module and of those in it."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, _Module):
        if depth > DEPTH:
            raise ValueError(f"modules lie more than {DEPTH} deep in each other")
        for key, inner in vars(value).items():
            yield from _tensors(inner, f"{name}.{key}" if name else key, depth + 1)
