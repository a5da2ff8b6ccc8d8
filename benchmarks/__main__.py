"""python -m benchmarks SUITE: speed beside the machine's ceilings and beside other tools.

python -m benchmarks step                       # seven rounds in turn; a table, and a parquet file
python -m benchmarks views --peer lightly       # beside lightly, in an environment of its own
python -m benchmarks data --help                # from JPEGs to training: options of its own
python -m benchmarks explore --help             # clicks in JupyterLab: options of its own
python -m benchmarks profile --help             # where a step spends its time
python -m benchmarks gpu --help                 # what a GPU is asked, in one command of ten minutes
"""

import argparse
import json
import re
import sys
from datetime import date
from importlib import import_module
from typing import Any

import torch

from benchmarks.measure import REPEATS, copy_rate, folder, product_rate, table
from benchmarks.peer import PACKAGES
from siamlab.memory import keep_freed
from siamlab.train.folder import environment

SUITES = {
    "step": "training steps: images a second, share of the matrix product's rate",
    "loop": "training from cached images, logged lines included; share of waiting for data",
    "views": "two views of decoded images, beside the usual pipeline of one image at a time",
    "loss": "losses at the sizes of a ViT-B step: time and memory",
    "probes": "k-NN, retrieval and the linear probe, beside scikit-learn's; the quick suite",
    "study": "trials a minute by the number of workers",
    "growth": "a step against tokens, batch, width and processes",
}
BY_CASE = ("step", "loop")  # suites that can do one of their cases alone
OWN = ("data", "explore", "gpu", "profile")  # suites that read their own options
COLUMNS = "work rate least most unit ratio gflop share wait megabytes note".split()


def main() -> None:
    """Run the suites that are named, print and keep their tables."""
    if sys.argv[1:2] and sys.argv[1] in OWN:
        import_module(f"benchmarks.{sys.argv.pop(1)}").main()
        return
    given = arguments()
    device = torch.device(given.device)
    keep_freed()
    if given.threads:
        torch.set_num_threads(given.threads)
    for suite in given.suites or SUITES:
        module = import_module(f"benchmarks.{suite}")
        one = (given.case,) if given.case else ()
        rows = module.rows(device, given.peer, given.repeats, *one)
        show(suite, rows, device)
        keep(suite, rows, given)


def arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    told = "\n".join(f"{name}: {text}" for name, text in SUITES.items())
    words.add_argument("suites", nargs="*", metavar="SUITE", type=_suite, help=told)
    here = "cuda" if torch.cuda.is_available() else "cpu"
    words.add_argument("--device", default=here, choices=["cpu", "cuda"])
    words.add_argument("--threads", type=int, default=0, help="of the processor; 0: torch's choice")
    words.add_argument("--repeats", type=int, default=REPEATS, help="rounds")
    words.add_argument("--peer", default="", choices=["", *PACKAGES], help="set up and run beside")
    words.add_argument("--case", default="", help=f"one line alone, of {' or '.join(BY_CASE)}")
    words.add_argument("--out", type=folder, default="runs/benchmarks", help="of the files")
    given = words.parse_args()
    if given.case:
        _check_case(given, words)
    return given


def _check_case(given: argparse.Namespace, words: argparse.ArgumentParser) -> None:
    """Ends with a sentence if the suite that is named has no such case."""
    if len(given.suites) != 1 or given.suites[0] not in BY_CASE:
        words.error(f"--case is for one of {', '.join(BY_CASE)} alone")
    cases = import_module(f"benchmarks.{given.suites[0]}").cases(torch.device(given.device))
    known = [*cases, *[given.peer] * (given.suites == ["step"] and given.peer != "")]
    if given.case not in known:
        words.error(f"case {given.case!r} is none of {', '.join(map(repr, known))}")


def show(suite: str, rows: list[dict[str, Any]], device: torch.device) -> None:
    """The table as markdown, below a line that says where it was measured."""
    about = environment()
    where = about["gpu"] if device.type == "cuda" else about["processor"]
    threads = "" if device.type == "cuda" else f", {torch.get_num_threads()} threads"
    print(f"\n{suite}: {where}{threads}, torch {torch.__version__}, {date.today()}; ", end="")
    fast = torch.bfloat16 if device.type == "cuda" else torch.float32
    print(f"product {product_rate(device, fast) / 1e9:,.0f} GFLOP/s in {str(fast)[6:]}, ", end="")
    print(f"copy {copy_rate(device) / 1e9:,.0f} GB/s; median of {rows[0]['repeats']}\n")
    columns = [name for name in COLUMNS if any(name in row for row in rows)]
    lines = [[_text(row.get(name, "")) for name in columns] for row in rows]
    print(table(columns, lines), flush=True)


def keep(suite: str, rows: list[dict[str, Any]], given: argparse.Namespace) -> None:
    """The rows with the environment in OUT/SUITE.parquet; .json where there is no polars.

    One case alone has a file of its own, SUITE-CASE.
    """
    about = {"suite": suite, "date": str(date.today())}
    about |= {"device": given.device, "peer": given.peer}
    about |= {name: str(value) for name, value in environment().items()}
    rows = [about | row for row in rows]
    name = "-".join([suite, *re.findall(r"\w+", given.case)])
    try:
        import polars
    except ModuleNotFoundError:
        (given.out / f"{name}.json").write_text(json.dumps(rows, indent=1))
    else:
        frame = polars.DataFrame(rows, infer_schema_length=None)
        frame.write_parquet(given.out / f"{name}.parquet")


def _suite(name: str) -> str:
    if name not in SUITES:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join([*SUITES, *OWN])}")
    return name


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


if __name__ == "__main__":
    main()
