"""Run the parts that are named, or all, and exit with 1 where a figure is out of its bounds."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # weights by name are refused, not waited for
sys.path.insert(0, str(Path(__file__).parent.parent))  # tests/commands.py and others

from rich.console import Console  # noqa: E402

import drill  # noqa: E402


def main() -> int:
    known = drill.parts()
    parser = argparse.ArgumentParser("drill", description=drill.__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(known)}; all if none")
    parser.add_argument("--short", action="store_true", help="fewer faults, for every change")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(known):
        parser.error(f"there is no part {min(unknown)!r}; allowed: {', '.join(known)}")
    chosen = {name: known[name] for name in options.parts or known}
    with tempfile.TemporaryDirectory(prefix="drill-") as scratch:
        os.chmod(scratch, 0o755)  # a database runs as another user
        return not drill.run(chosen, Path(scratch), options.short, Console(width=120))


if __name__ == "__main__":
    sys.exit(main())
