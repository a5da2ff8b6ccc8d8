"""The suites of `siamlab probe` that are a standard set with a task of its own, such as `spair`.

probe_standard(["zoo:mae"], ["data.path=SPair-71k"], Options(suite="spair"))
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from siamlab.component import UserError
from siamlab.evaluate.evaluate import with_untrained
from siamlab.evaluate.files import WRITERS, check_out, keep_rows, write_table
from siamlab.evaluate.models import distinct, open_model
from siamlab.evaluate.standard import SETS, StandardSet, measure_standard
from siamlab.machine.terminal import say
from siamlab.run.mistakes import changed

if TYPE_CHECKING:
    from siamlab.cli.probe import Options

DATA = "data."


def probe_standard(names: Sequence[str], words: Sequence[str], options: "Options") -> None:
    """Measure models and the networks they started from on a set, print and write the table."""
    check_out(options.out)
    data = standard_data(options.suite, words)
    if options.size is not None:
        raise UserError(
            f"--suite {data.kind} shows images at the size of its protocol; leave --size out, or "
            "choose another with data.protocol=NAME"
        )
    opened = distinct(names, [open_model(name, options.weights) for name in names])
    for named in opened:
        if named.about:
            say(f"{named.name}: {named.about}")
    models = with_untrained(opened) if options.weights else opened
    scores = measure_standard(models, data, options.device)
    _print(scores, data)
    if options.out:
        out = Path(options.out)
        path = out if out.suffix in WRITERS else out / f"{data.kind}.parquet"
        write_table(scores, path)
        say(f"Table: {path.resolve()}")
    keep_rows(scores, dict(zip(names, opened, strict=True)))


def standard_data(suite: str, words: Sequence[str]) -> StandardSet:
    """Return the set of a suite with the fields that `data.key=value` set.

    Raises UserError for other words, and for fields that are not allowed.
    """
    chosen = SETS[suite]
    if other := [word for word in words if not word.startswith(DATA) and word != f"data={suite}"]:
        raise UserError(
            f"--suite {suite} reads its own images, so {other[0]} does not apply; leave it out, "
            "and name their folder with data.path=FOLDER"
        )
    own = [word.removeprefix(DATA) for word in words if word.startswith(DATA)]
    return changed(chosen, chosen().model_dump(), own, DATA)


def _print(scores, data: StandardSet) -> None:
    """Print the table, and below it what was published with the same protocol."""
    from siamlab.figure import terminal_table

    console = Console()
    name = getattr(data, "protocol", "")
    say(f"probed on {data.title}, protocol {name}", console)
    console.print(terminal_table(scores))
    for found in data.published():
        say(f"published: {found.model} {found.value:.3f} {found.probe} ({found.source})", console)
