"""python -m benchmarks SUITE: speed compared with the machine's limits and with other tools.

python -m benchmarks step                       # seven rounds; a table and a Parquet file
python -m benchmarks views --peer lightly       # also lightly, in a separate environment
python -m benchmarks data --help                # from JPEGs to training, with separate options
python -m benchmarks explore --help             # clicks in JupyterLab, with separate options
python -m benchmarks features --help            # features beside a bare forward pass
python -m benchmarks pages --help               # repaints by the browser's performance trace
python -m benchmarks site --help                # photographs in an exported demo
python -m benchmarks profile --help             # the time of a step by kind of operation
python -m benchmarks gpu --help                 # all suites for a GPU, in ten minutes
python -m benchmarks weights --help             # k-NN of a checkpoint by precision of its features
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
from siamlab.machine.memory import keep_freed
from siamlab.train.environment import environment

SUITES = {
    "step": "training steps: images per second, share of the rate of a matrix product",
    "loop": "training from cached images, with logging; share of time spent waiting for data",
    "views": "two views of decoded images, compared with the usual pipeline, one image at a time",
    "loss": "losses at the sizes of a ViT-B step: time and memory",
    "probes": "k-NN, retrieval and the linear probe, compared with scikit-learn; the quick suite",
    "study": "trials per minute by the number of workers",
    "growth": "cost of a step by tokens, batch, width and processes",
}
BY_CASE = ("step", "loop")  # suites that can run a single case
SEPARATE = (
    "data",
    "explore",
    "features",
    "gpu",
    "pages",
    "profile",
    "site",
    "weights",
)  # suites that parse their own options
COLUMNS = "work rate least most unit ratio gflop share wait megabytes note".split()


def main() -> None:
    """Run the named suites, print their tables and write them to files."""
    if sys.argv[1:2] and sys.argv[1] in SEPARATE:
        import_module(f"benchmarks.{sys.argv.pop(1)}").main()
        return
    options = arguments()
    device = torch.device(options.device)
    keep_freed()
    if options.threads:
        torch.set_num_threads(options.threads)
    for suite in options.suites or SUITES:
        module = import_module(f"benchmarks.{suite}")
        case = (options.case,) if options.case else ()
        rows = module.rows(device, options.peer, options.repeats, *case)
        show(suite, rows, device)
        write(suite, rows, options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    suites = "\n".join(f"{name}: {text}" for name, text in SUITES.items())
    parser.add_argument("suites", nargs="*", metavar="SUITE", type=_suite, help=suites)
    here = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=here, choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: torch's choice")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="rounds")
    parser.add_argument(
        "--peer",
        default="",
        choices=["", *PACKAGES],
        help="also measure this tool",
    )
    parser.add_argument("--case", default="", help=f"a single case of {' or '.join(BY_CASE)}")
    parser.add_argument("--out", type=folder, default="runs/benchmarks", help="folder of files")
    options = parser.parse_args()
    if options.case:
        _check_case(options, parser)
    return options


def _check_case(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Exit with an error message if the named suite has no such case."""
    if len(options.suites) != 1 or options.suites[0] not in BY_CASE:
        parser.error(f"--case needs exactly one suite, {' or '.join(BY_CASE)}")
    cases = import_module(f"benchmarks.{options.suites[0]}").cases(torch.device(options.device))
    known = [*cases, *[options.peer] * (options.suites == ["step"] and options.peer != "")]
    if options.case not in known:
        parser.error(f"case {options.case!r} is none of {', '.join(map(repr, known))}")


def show(suite: str, rows: list[dict[str, Any]], device: torch.device) -> None:
    """Print the table as Markdown, below a line on machine, versions and date."""
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


def write(suite: str, rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """Write the rows with the environment to OUT/SUITE.parquet, or .json without polars.

    A single case has a separate file, SUITE-CASE.
    """
    about = {"suite": suite, "date": str(date.today())}
    about |= {"device": options.device, "peer": options.peer}
    about |= {name: str(value) for name, value in environment().items()}
    rows = [about | row for row in rows]
    name = "-".join([suite, *re.findall(r"\w+", options.case)])
    try:
        import polars
    except ModuleNotFoundError:
        (options.out / f"{name}.json").write_text(json.dumps(rows, indent=1))
    else:
        frame = polars.DataFrame(rows, infer_schema_length=None)
        frame.write_parquet(options.out / f"{name}.parquet")


def _suite(name: str) -> str:
    if name not in SUITES:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join([*SUITES, *SEPARATE])}")
    return name


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


if __name__ == "__main__":
    main()
