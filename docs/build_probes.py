"""Write the tables of docs/probes.md from the catalogue of probes; `make docs` runs it."""

import re
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

from siamlab.probe.catalogue import Probe, listing  # noqa: E402
from siamlab.probe.corruption_error import CORRUPTIONS  # noqa: E402
from siamlab.probe.suite import QUICK, rows  # noqa: E402
from siamlab.probe.suite.standard import STANDARD  # noqa: E402

TABLE = re.compile(r"(^\|.*\n)+", re.MULTILINE)
# heading: the rows below it
SECTIONS: dict[str, tuple[Iterable[Probe], ...]] = {
    "What is in the image": (rows.SUMMARIES[:1], rows.NEAREST, rows.SEMANTIC, rows.TRAINED),
    "Where it is": (rows.SUMMARIES[1:], rows.CORRESPONDENCES, rows.SPATIAL),
    "By protocols of papers": (rows.PUBLISHED,),
    "Attention, by layer and head": (rows.ATTENTION,),
    "The representation": (rows.REPRESENTATION,),
    "Standard sets": (STANDARD, CORRUPTIONS),
}


def with_tables(page: str) -> str:
    """Return the page with the first table below each heading made again."""
    for heading, parts in SECTIONS.items():
        before, title, after = page.partition(f"## {heading}\n")
        if not title:
            raise ValueError(f"probes.md has no heading {heading!r}")
        table = listing(chain(*parts), (*rows.SUMMARIES, *QUICK.probes))
        page = before + title + TABLE.sub(lambda _, table=table: table, after, count=1)
    return page


if __name__ == "__main__":
    path = HERE / "probes.md"
    path.write_text(with_tables(path.read_text()))
