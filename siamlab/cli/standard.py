"""The suites of `siamlab probe` that are a standard set with a task of its own, such as `spair`.

probe_standard(["zoo:mae"], ["data.path=SPair-71k"], Options(suite="spair"))
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from siamlab.cli.words import check_one_folder
from siamlab.component import UserError
from siamlab.evaluate.evaluate import with_untrained
from siamlab.evaluate.files import WRITERS, check_out, keep_rows, write_table
from siamlab.evaluate.images import is_folder
from siamlab.evaluate.models import distinct, open_model
from siamlab.evaluate.standard import SETS, Published, StandardSet, measure_standard
from siamlab.machine.console import Console
from siamlab.machine.terminal import say
from siamlab.run.mistakes import changed

if TYPE_CHECKING:
    import polars

    from siamlab.cli.probe import Options

DATA = "data."


def probe_standard(names: Sequence[str], words: Sequence[str], options: "Options") -> None:
    """Measure models and the networks they started from on a set, print and write the table."""
    check_out(options.out)
    data = standard_data(options.suite, words, options.data)
    check_no_size(data.kind, options.size)
    opened = distinct(names, [open_model(name, options.weights) for name in names])
    for named in opened:
        if named.about:
            say(f"{named.name}: {named.about}")
    models = with_untrained(opened) if options.weights else opened
    scores = measure_standard(models, data, options.device, precision=options.precision)
    _print(scores, data)
    write_scores(scores, options.out, data.kind)
    keep_rows(scores, dict(zip(names, opened, strict=True)), data.places)


def standard_data(suite: str, words: Sequence[str], folder: str | None = None) -> StandardSet:
    """Return the set of a suite with the fields that `data.key=value` set.

    `folder` is that of --data, which may name the suite as well.

    Raises UserError for other words, and for fields that are not allowed.
    """
    chosen = SETS[suite]
    if folder and is_folder(folder):
        check_one_folder(folder, words)
        words = [*words, f"data.path={folder}"]
    elif folder:
        words = [*words, f"data={folder}"]
    if other := [word for word in words if not word.startswith(DATA) and word != f"data={suite}"]:
        raise UserError(
            f"--suite {suite} reads its own images, so {other[0]} does not apply; leave it out, "
            "and name their folder with data.path=FOLDER"
        )
    own = [word.removeprefix(DATA) for word in words if word.startswith(DATA)]
    return changed(chosen, chosen().model_dump(), own, DATA)


def check_no_size(suite: str, size: int | None) -> None:
    """Raise UserError for a size, which the protocol of a set has."""
    if size is not None:
        raise UserError(
            f"--suite {suite} shows images at the size of its protocol; leave --size out, or "
            "choose another with data.protocol=NAME"
        )


def write_scores(scores: "polars.DataFrame", out: str | None, name: str) -> None:
    """Write the table to the file `out`, or below the folder `out`, and print where it is."""
    if out:
        path = Path(out) if Path(out).suffix in WRITERS else Path(out) / f"{name}.parquet"
        write_table(scores, path)
        say(f"Table: {path.resolve()}")


def _print(scores: "polars.DataFrame", data: StandardSet) -> None:
    """Print the table, and below it what was published with the same protocol."""
    from siamlab.figure import terminal_table

    console = Console()
    name = getattr(data, "protocol", "")
    say(f"probed on {data.title}, protocol {name}", console)
    console.print(terminal_table(scores))
    print_published(data.published(), console)


def print_published(published: Sequence[Published], console: Console) -> None:
    """Print each number to compare with on a line."""
    for found in published:
        say(f"published: {found.model} {found.value:.3f} {found.probe} ({found.source})", console)
