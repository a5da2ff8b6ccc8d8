"""A run's folder: what was asked, where it ran, what happened, step by step.

runs/mae/
    run.toml          the run                 environment.json   versions, machine, git state,
                                                                 precision by the step it is after
    metrics.jsonl     one line a logged step  checkpoints/       the newest two
    encoder.safetensors                       the finished encoder, as a plain timm model
"""

import fcntl
import json
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

import torch

from siamlab.component import UserError
from siamlab.run import Run

Line = dict[str, Any]  # one line of metrics.jsonl
PACKAGES = ("torch", "timm", "numpy", "pydantic", "safetensors")

DRAFT = ".run.toml"
BEGUN = {"checkpoints", "environment.json", DRAFT}  # what is made before run.toml


class Folder:
    """Paths of one run's folder and the few ways to write into it."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.run_file = self.path / "run.toml"
        self.environment = self.path / "environment.json"
        self.metrics = self.path / "metrics.jsonl"
        self.checkpoints = self.path / "checkpoints"
        self.encoder = self.path / "encoder.safetensors"

    def create(self, run: Run) -> None:
        """A new folder for the run, or one whose making was cut off; refuses any other.

        Raises UserError too where no folder can be written.
        """
        try:
            kept = {p.name for p in self.path.iterdir()} if self.path.exists() else set()
            if kept - BEGUN or any(self.checkpoints.glob("*")):
                raise UserError(
                    f"the folder {self.path} exists and is not empty; add --resume to go on with "
                    "its run or give another --out"
                )
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            self.environment.write_text(json.dumps(environment(), indent=1) + "\n")
            draft = self.path / DRAFT
            draft.write_text(run.toml())
            draft.rename(self.run_file)  # last: a folder with run.toml is whole
        except OSError as error:
            raise UserError(
                f"the folder {self.path} cannot be written ({error.strerror}); make room, or give "
                "another --out"
            ) from error

    def claim(self) -> IO:
        """The folder for this process alone, as long as the file that comes back is open.

        Raises UserError while another process trains in it. A process that dies gives it back.
        """
        file = (self.path / ".lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise UserError(
                f"another process is training in {self.path}; wait for it, stop it, or give "
                "another --out"
            ) from None
        return file

    def run(self) -> Run:
        """The run that the folder was made for."""
        if not self.run_file.is_file():
            raise UserError(f"{self.path.resolve()} is not a run's folder: it has no run.toml")
        return Run.read(self.run_file)

    def log(self, line: Line) -> Line:
        """One more line of metrics, on disk before it comes back."""
        with written(self.metrics), self.metrics.open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return line

    def note_precision(self, step: int, precision: str) -> str:
        """Keep what is computed in after `step`; what it was up to there, "" if that is not kept.

        environment.json then has "precision": {"0": "bfloat16", "400": "float32"}.
        """
        about = self._about()
        kept = {s: p for s, p in about.get("precision", {}).items() if int(s) < step}
        before = next(reversed(kept.values()), "")
        noted = kept if before == precision else kept | {str(step): precision}
        if noted != about.get("precision"):
            draft = self.environment.with_suffix(".draft")
            with written(self.environment):
                draft.write_text(json.dumps(about | {"precision": noted}, indent=1) + "\n")
                draft.replace(self.environment)
        return before

    def forget_after(self, step: int) -> None:
        """Drop the lines of steps that a resumed run will take again."""
        if self.metrics.exists():
            kept = [line for line in self.lines() if line["step"] <= step]
            draft = self.metrics.with_suffix(".draft")
            with written(self.metrics):
                draft.write_text("".join(json.dumps(line) + "\n" for line in kept))
                draft.replace(self.metrics)

    def lines(self) -> list[Line]:
        """The logged lines; what a crash or a full disk left of others is left out."""
        if not self.metrics.exists():
            return []
        return [line for text in self.metrics.read_text().splitlines() for line in _whole(text)]

    def _about(self) -> dict[str, Any]:
        """What environment.json says; this environment where somebody removed or spoilt it."""
        try:
            return json.loads(self.environment.read_text())
        except (OSError, ValueError):
            return environment()

    def seconds(self) -> float:
        """Time in the loop, over all its starts; where the clock falls it began anew."""
        clock = [line["seconds"] for line in self.lines()]
        ends = [now for now, then in zip(clock, clock[1:], strict=False) if then < now]
        return float(sum([*ends, *clock[-1:]]))


def _whole(text: str) -> list[Line]:
    """The line, if it is one."""
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return []


@contextmanager
def written(path: Path) -> Iterator[None]:
    """UserError for a file that cannot be written, most often since the disk is full."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause = error if isinstance(error, OSError) else error.__context__  # torch.save hides it
        if not isinstance(cause, OSError):
            raise
        raise UserError(
            f"{path} could not be written ({cause.strerror or cause}); make room, then go on with "
            "--resume"
        ) from error


def runs(path: str | Path) -> "polars.DataFrame":  # noqa: F821
    """The metrics of every run under a folder as one polars frame, a row a logged step.

    Columns: run (the folder's name), name, then the keys of metrics.jsonl. Raises UserError if
    there is no run.
    """
    import polars

    rows = []
    for file in sorted(Path(path).rglob("run.toml")):
        folder = Folder(file.parent)
        name = folder.run().name
        rows += [{"run": folder.path.name, "name": name} | line for line in folder.lines()]
    if not rows:
        raise UserError(f"there is no run with metrics under {path}; `siamlab train mae` makes one")
    return polars.DataFrame(rows, infer_schema_length=None)


def environment() -> dict[str, Any]:
    """Versions, machine and git state, as far as they can be told."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "siamlab": version_of("siamlab"),
        "python": platform.python_version(),
        "packages": {name: version_of(name) for name in PACKAGES} | {"torch": torch.__version__},
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "git": _git("rev-parse", "HEAD"),
        "uncommitted": bool(_git("status", "--porcelain")),
    }


def version_of(package: str) -> str:
    """Of an installed package; a checkout that is only on Python's path has none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    """The model's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _git(*words: str) -> str:
    here = Path(__file__).parent
    try:
        answer = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True)
    except OSError:
        return ""
    return answer.stdout.strip()
