"""The command `siamlab export-demo`: models by name in, a folder for a web host out.

export_site(["zoo:mae"], "demo")
"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from siamlab.cli.probe import print_about
from siamlab.evaluate.models import distinct, open_model
from siamlab.explore.site.runtime import runtime_files
from siamlab.explore.site.site import check_site, photos_of, write_site
from siamlab.machine.console import Console
from siamlab.machine.shortage import explain_shortage
from siamlab.machine.terminal import say


@explain_shortage("lower --size, or name fewer models")
def export_site(
    names: Sequence[str], to: str, data: str | None = None, size: int | None = None,
    runtime: str | None = None,
) -> None:  # fmt: skip
    """Write the folder, and print how to look at it."""
    folder = Path(to)
    check_site(folder)
    photos = photos_of(data)
    archive = Path(runtime) if runtime else None
    with Console(stderr=True).status("looking for ONNX Runtime"):
        runtime_files(archive)  # it refuses what is missing before minutes of work
    models = distinct(names, [open_model(name, size=size) for name in names])
    print_about(models)
    say(f"Writes the graphs of {', '.join(names)}; that takes a minute or so for each.")
    write_site(models, photos, folder, archive)
    size_mb = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    say(
        f"{folder.resolve()}: {size_mb:.0f} MB for any web host; "
        f"`{sys.executable} -m http.server -d {shlex.quote(to)}` shows it on localhost:8000"
    )
