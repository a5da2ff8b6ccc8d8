"""run.toml: a run as text, with a checksum, so that a damaged or changed one is never taken.

run_file.write(path, run);  run = run_file.read(path)
"""

from pathlib import Path

from siamlab.component import UserError
from siamlab.machine.files import atomic
from siamlab.machine.sums import text_sum
from siamlab.run import Run
from siamlab.train.access import readable

SUM = "# checksum "  # the first line, with that of the rest
LAST = "threads"  # the last key of every run.toml


def write(path: Path, run: Run) -> None:
    """Write the run; a crash leaves the old file or none."""
    with atomic(path) as draft:
        draft.write_text(f"{SUM}{text_sum(run.toml())}\n{run.toml()}")


def read(path: Path) -> Run:
    """Return the run. Raises UserError where the file is damaged or was changed."""
    with readable(path):
        text = path.read_text("utf-8", errors="replace")
    first, _, rest = text.partition("\n")
    whole = f"\n{LAST} =" in text  # of a file from before there were checksums
    if first.startswith(SUM):
        whole = first.removeprefix(SUM) == text_sum(rest)
    if not whole:
        raise UserError(
            f"{path} is damaged or was changed, so it may belong to another run; restore it, or "
            "remove the folder and train again"
        )
    return Run.read(path)
