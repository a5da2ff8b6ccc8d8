"""ONNX Runtime for browsers, from its package on npm, which is checked against a known hash.

runtime_files()["ort.wasm.min.mjs"]     # bytes, downloaded once
"""

import base64
import hashlib
import os
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from urllib.request import urlopen

from siamlab.component import UserError
from siamlab.data.cache import cache_root
from siamlab.machine.faults import reason
from siamlab.machine.files import atomic, check_file

VERSION = "1.30.0"
# as `npm view onnxruntime-web@1.30.0 dist.integrity` prints it
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
ARCHIVE = f"onnxruntime-web-{VERSION}.tgz"
REGISTRY = "https://registry.npmjs.org"
FILES = (  # those that compute on the processor, without WebGPU
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
PATIENCE = 20  # seconds without a byte from the registry
WAY = (
    f"run `npm pack onnxruntime-web@{VERSION}` where there is a network, and name the file with "
    "--runtime"
)


def runtime_files(archive: Path | None = None) -> dict[str, bytes]:
    """Return the files that a page needs to run ONNX models, by name.

    They come from `archive` (what `npm pack` writes), else from the cache, else from npm's
    registry (`npm_config_registry`), and are then in the cache. Raises UserError for an archive
    that is not that of VERSION to the byte, and where the registry is out of reach.
    """
    kept = cache_root() / "downloads" / ARCHIVE
    if archive is not None:
        return dict(_members(_checked(_read(archive), f"--runtime {archive}")))
    if kept.is_file() and _is_known(content := kept.read_bytes()):
        return dict(_members(content))
    content = _checked(_downloaded(), f"the download of {ARCHIVE}")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with atomic(kept) as draft:
        draft.write_bytes(content)
    return dict(_members(content))


def _downloaded() -> bytes:
    registry = os.environ.get("npm_config_registry", REGISTRY).rstrip("/")
    address = f"{registry}/onnxruntime-web/-/{ARCHIVE}"
    try:
        with urlopen(address, timeout=PATIENCE) as answer:
            return answer.read()
    except (OSError, ValueError) as error:
        cause = getattr(error, "reason", None)  # of a URLError
        why = reason(cause if isinstance(cause, Exception) else error)
        raise UserError(f"{address} cannot be downloaded ({why}): {WAY}") from None


def _read(archive: Path) -> bytes:
    try:
        check_file(archive)
        return archive.read_bytes()
    except OSError as error:
        raise UserError(f"--runtime {archive} cannot be read ({error.strerror}): {WAY}") from None


def _checked(content: bytes, name: str) -> bytes:
    if not _is_known(content):
        raise UserError(f"{name} is not the package onnxruntime-web {VERSION} of npm: {WAY}")
    return content


def _is_known(content: bytes) -> bool:
    return base64.b64encode(hashlib.sha512(content).digest()).decode() == SHA512


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=BytesIO(content), mode="r:gz") as archive:
        for name in FILES:
            member = archive.extractfile(f"package/dist/{name}")
            assert member is not None, name  # the hash is known, and so is what is inside
            yield name, member.read()
