"""A run's folder: the run, where it ran, and what happened, step by step.

runs/mae/
    run.toml          the run                 environment.json   versions, machine, git state,
                                                                 precision and since which step
    metrics.jsonl     each logged step        checkpoints/       the newest two
    encoder.safetensors                       the finished encoder, as a plain timm model
    encoders/                                 the same of earlier steps, with `keep_every`
    release.pt        what is left of a checkpoint of SiameseIM or MAE that the run came from
"""

import json
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from siamlab.component import UserError
from siamlab.machine.arguments import typed
from siamlab.machine.faults import way_out
from siamlab.machine.files import append, atomic, hold, remove_drafts, text_in
from siamlab.machine.sums import signed, unsigned
from siamlab.machine.terminal import caution
from siamlab.run import Run
from siamlab.train import run_file
from siamlab.train.access import check_links, listed, readable, unreadable, written
from siamlab.train.environment import check_environment, environment
from siamlab.train.events import Line, Metrics
from siamlab.train.lines import read_lines, written_line

BEGUN = {".lock", "checkpoints", "environment.json"}  # made before run.toml


class RunFolder:
    """The paths of one run's folder and the few ways to write into it."""

    @typed
    def __init__(self, path: str | Path):
        self.path: Path = Path(path)
        self.run_file: Path = self.path / "run.toml"
        self.environment: Path = self.path / "environment.json"
        self.metrics: Path = self.path / "metrics.jsonl"
        self.checkpoints: Path = self.path / "checkpoints"
        self.encoder: Path = self.path / "encoder.safetensors"
        self.encoders: Path = self.path / "encoders"
        self.release: Path = self.path / "release.pt"
        self.lock: Path = self.path / ".lock"
        self._held: tuple[int, int] | None = None  # the lock file that this object claimed

    def create(self, run: Run) -> None:
        """Make the folder of a new run, or complete one that a crash left without run.toml.

        Raises UserError as `check_free` does, and where none can be written.
        """
        self.check_free()
        try:
            remove_drafts(self.path)
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            self._write_environment(environment())
            run_file.write(self.run_file, run)  # last: a folder with run.toml is whole
        except OSError as error:
            raise self._unwritable(error) from error

    def check_free(self) -> None:
        """Raise UserError where there is anything but what a crash leaves of a new folder."""
        try:
            kept = {path.name for path in self.path.iterdir()} if self.path.exists() else set()
        except OSError as error:
            raise self._unwritable(error) from error
        drafts = {name for name in kept if name.startswith(".") and name.endswith(".draft")}
        if kept - BEGUN - drafts or listed(self.checkpoints):
            lost = "it has no run.toml, so there is no run to continue; put run.toml back"
            way = "add --resume to continue its run" if self.made() else lost
            raise UserError(
                f"the folder {self.path} exists and is not empty; {way}, or choose another --out"
            )

    def undo(self, kind: type | None, error: BaseException | None, trace: Any) -> None:
        """Remove what `create` made if an error came before anything was logged or saved."""
        if isinstance(error, Exception) and not self._begun():
            for file in (self.run_file, self.environment, self.lock):
                file.unlink(missing_ok=True)
            with suppress(OSError):
                self.checkpoints.rmdir()

    def _begun(self) -> bool:
        """Return whether anything was logged or saved, or may have been."""
        try:
            return self.metrics.exists() or bool(listed(self.checkpoints))
        except (OSError, UserError):
            return True

    def encoder_at(self, step: int) -> Path:
        """Return the path of the encoder that is kept from a step; `open_model` takes it."""
        return self.encoders / f"step_{step:08d}.safetensors"

    def kept_encoders(self) -> dict[int, Path]:
        """Return the encoders that `keep_every` kept, by step, the earliest first."""
        files = [file for file in listed(self.encoders) if file.match("step_*.safetensors")]
        return {int(file.stem.removeprefix("step_")): file for file in files}

    def claim(self) -> ExitStack:
        """Hold the folder for only this process until the returned object is closed.

        Raises UserError while another process holds it, and for links that lead out of it. A
        process that dies releases it.
        """
        check_links(self.path)
        try:
            lock = hold(self.lock)
            self._held = self._identity()
        except OSError as error:
            raise self._unwritable(error) from error
        if lock is None:
            raise UserError(
                f"another process is training in {self.path}; wait for it, stop it, or choose "
                "another --out"
            )
        for folder, name in ((self.path, "[!p]*"), (self.encoders, "*")):
            remove_drafts(folder, name)  # of killed processes; one may be keeping probes.json
        return lock

    def check_there(self) -> None:
        """Raise UserError where the claimed folder was removed, moved or replaced."""
        if self._held and (self._held != self._identity() or not self.made()):
            raise UserError(
                f"the folder {self.path} was removed or replaced while its run trained, so nothing "
                "more is written; put it back and continue with --resume, or start again"
            )

    def _identity(self) -> tuple[int, int] | None:
        """Return the identity of this lock file; None if there is none."""
        try:
            state = self.lock.stat()
        except FileNotFoundError:
            return None
        return state.st_dev, state.st_ino

    def in_use(self) -> bool:
        """Return whether a process trains in the folder at this moment."""
        if not self.lock.exists():
            return False
        try:
            lock = hold(self.lock)
        except OSError:  # another user's: `claim` will say so
            return False
        if lock:
            lock.close()
        return lock is None

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(
            f"the folder {self.path} cannot be written ({error.strerror}); {way_out(error)}, or "
            "choose another --out"
        )

    def made(self) -> bool:
        """Return whether there is a run in the folder. Raises UserError if one may not look."""
        try:
            self.run_file.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise unreadable(self.path, error) from error
        return True

    def run(self) -> Run:
        """Return the run that the folder was made for. Raises UserError where it is damaged."""
        if not self.made():
            raise UserError(f"{self.path.resolve()} is not a run's folder: it has no run.toml")
        return run_file.read(self.run_file)

    def log(self, metrics: Metrics) -> None:
        """Append a line to metrics.jsonl; it is on disk when this returns."""
        self.check_there()
        with written(self.metrics):
            append(self.metrics, written_line(metrics.line()))

    def note_precision(self, step: int, precision: str) -> str:
        """Record the precision of the steps after `step`; return the one before, or "" if none.

        environment.json then has "precision": {"0": "bfloat16", "400": "float32"}.
        """
        about = self.about()
        kept = {s: p for s, p in about.get("precision", {}).items() if int(s) < step}
        before = next(reversed(kept.values()), "")
        noted = kept if before == precision else kept | {str(step): precision}
        if noted != about.get("precision"):
            self.check_there()
            self._write_environment(about | {"precision": noted})
        return before

    def weights(self, hashes: dict[str, str]) -> dict[str, str]:
        """Return the hashes of weights that the run began with; note these if none are there.

        environment.json then has "weights": {"model.init": "1f3a…"}.
        """
        about = self.about()
        if hashes and "weights" not in about:
            self.check_there()
            self._write_environment(about | {"weights": hashes})
        return about.get("weights", hashes)

    def about(self) -> dict[str, Any]:
        """Return environment.json; this environment, with a warning, if it is damaged or lost."""
        try:
            about = unsigned(json.loads(text_in(self.environment)))
            check_environment(about)
            return about
        except (OSError, ValueError):
            caution(
                f"{self.environment} is lost or damaged; it is re-created from this machine, and "
                "the precision of earlier steps can no longer be known"
            )
            return environment()

    def _write_environment(self, about: dict[str, Any]) -> None:
        with written(self.environment), atomic(self.environment) as draft:
            draft.write_text(json.dumps(signed(about), indent=1) + "\n")

    def forget_after(self, step: int) -> str:
        """Drop the lines of later steps, which a resumed run takes again, and unreadable ones.

        Returns a sentence if there were unreadable ones; the file as it was is then kept.
        """
        with readable(self.metrics):
            found = read_lines(self.metrics)
        problem, kept = found.problem(self.metrics), [s for s in found.whole if s["step"] <= step]
        if problem:
            old = self.metrics.with_name("metrics.damaged.jsonl")
            with written(old), atomic(old) as draft:
                draft.write_bytes(self.metrics.read_bytes())
            problem += f"; the file as it was is kept as {old.name}"
        if problem or len(kept) < len(found.whole):
            with written(self.metrics), atomic(self.metrics) as draft:
                draft.write_bytes(b"".join(map(written_line, kept)))
        return problem

    def lines(self) -> list[Line]:
        """Return the logged lines; a warning says how many were damaged or cut short, if any."""
        with readable(self.metrics):
            found = read_lines(self.metrics)
        if problem := found.problem(self.metrics):
            caution(problem)
        return found.whole

    def seconds(self) -> float:
        """Return the time in the loop, over all starts; the clock falls where one began again."""
        clock = [line["seconds"] for line in self.lines()]
        ends = [now for now, then in zip(clock, clock[1:], strict=False) if then < now]
        return float(sum([*ends, *clock[-1:]]))
