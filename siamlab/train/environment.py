"""Environment: what a run's numbers may depend on besides the run itself.

environment()      # {"siamlab": "0.1.0", "python": ..., "packages": {...}, "gpu": ..., "git": ...}
"""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from siamlab.machine.device import processor

PACKAGES = ("torch", "timm", "numpy", "pydantic", "safetensors")


def environment() -> dict[str, Any]:
    """Return versions, machine and git state, as far as they are known."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "siamlab": version_of("siamlab"),
        "python": platform.python_version(),
        "packages": {name: version_of(name) for name in PACKAGES} | {"torch": torch.__version__},
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "git": _git("rev-parse", "HEAD"),
        "uncommitted": bool(_git("status", "--porcelain")),
    }


def check_environment(about: dict[str, Any]) -> None:
    """Raise ValueError where environment.json holds other kinds of values than training writes."""
    for name in ("precision", "weights"):
        table = about.get(name, {})
        if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
            raise ValueError(f"{name} is not a table of texts")
    if not all(step.isdecimal() for step in about.get("precision", {})):
        raise ValueError("precision is not a table of steps")


def version_of(package: str) -> str:
    """Return the version of a package; "not installed" for one that is only on Python's path."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _git(*words: str) -> str:
    here = Path(__file__).parent
    try:
        answer = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True)
    except OSError:
        return ""
    return answer.stdout.strip()
