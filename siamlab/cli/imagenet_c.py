"""The suite `imagenet-c` of `siamlab probe`: errors relative to AlexNet's on 15 corruptions.

probe_corruptions(models, data, options)        # data: ImageNet(test="c", ...)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from siamlab.component import UserError
from siamlab.data import DataChoice, ImageNet
from siamlab.evaluate.files import WRITERS, write_table
from siamlab.evaluate.imagenet_c import corruption_errors
from siamlab.evaluate.models import NamedModel
from siamlab.machine.terminal import cell, say
from siamlab.probe.corruption_error import CorruptionErrors

if TYPE_CHECKING:
    from siamlab.cli.probe import Options

MEAN = "mean (mCE)"


def probe_corruptions(models: Sequence[NamedModel], data: DataChoice, options: "Options") -> None:
    """Print the corruption errors of every model, and write them to a file if there is one.

    Raises UserError for images that are not ImageNet-C, and where a set is missing.
    """
    if not isinstance(data, ImageNet) or data.test != "c":
        raise UserError(
            "--suite imagenet-c needs data=imagenet data.test=c, with data.path=FOLDER of train/ "
            "and data.test_path=FOLDER of ImageNet-C"
        )
    limits, found = (options.images, options.test_images), {}
    with Console(stderr=True).status("probing") as status:
        for named in models:
            report = lambda step, name=named.name: status.update(cell(f"probing {name}: {step}"))  # noqa: E731
            found[named.name] = corruption_errors(named, data, *limits, options.device, report)
    _print(found)
    if options.out:
        _write(found, Path(options.out))


def _print(found: dict[str, CorruptionErrors]) -> None:
    table = Table("error over AlexNet's, %", *(cell(name) for name in found), title_justify="left")
    for name, errors in rows(found).items():
        table.add_row(name, *(f"{100 * error:.1f}" for error in errors))
    table.caption = "of a linear probe; 100: AlexNet; lower is better"
    Console().print(table)


def rows(found: dict[str, CorruptionErrors]) -> dict[str, list[float]]:
    """Return the errors of all models by corruption, the mean first."""
    first = next(iter(found.values()))
    means = {MEAN: [errors.mean for errors in found.values()]}
    return means | {name: [e.each[name] for e in found.values()] for name in first.each}


def _write(found: dict[str, CorruptionErrors], out: Path) -> None:
    import polars

    table = polars.DataFrame(
        [
            {"model": model, "corruption": name, "error_over_alexnet": error}
            for name, errors in rows(found).items()
            for model, error in zip(found, errors, strict=True)
        ]
    )
    path = out if out.suffix in WRITERS else out / "imagenet_c.parquet"
    write_table(table, path)
    say(f"Table: {path.resolve()}")
