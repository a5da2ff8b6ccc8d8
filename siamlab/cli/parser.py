"""The commands of the terminal and their options.

argparse rather than click or typer, whose import takes longer than most commands.

options = parser().parse_args(["probe", "zoo:mae"]);  options.command(options)
"""

from argparse import RawDescriptionHelpFormatter
from typing import Any

from siamlab import RECIPES, __version__
from siamlab.cli import commands as do
from siamlab.cli.choices import SHELLS
from siamlab.cli.leaderboard import add_leaderboard_commands
from siamlab.cli.models import add_model_commands
from siamlab.cli.sentences import (
    Parser,
    add_command,
    add_lab_device,
    add_probe_precision,
    add_run_device,
    count,
    one_of,
    some_images,
    some_path,
)
from siamlab.cli.study import add_study_commands

RECIPE = f"a recipe, one of {', '.join(RECIPES)}, or a .toml file"
EXAMPLES = """examples:
  siamlab demo
  siamlab train siameseim data=folder data.path=photos model=vit_small_patch16_224 steps=20000
  siamlab show mae masking.ratio=0.6 > mine.toml; siamlab train mine.toml --out runs/mine
  siamlab axes masking
  siamlab probe runs/mine timm:vit_base_patch16_224.mae
  siamlab import sim_base_1600ep_pretrain.pth --out runs/official
  siamlab embed mae_pretrain_vit_base.pth --data photos --out features.parquet
  siamlab view zoo:siameseim zoo:mae photos
  siamlab data info scenes
  siamlab leaderboard add mine.pth --data scenes --to board.parquet
  siamlab study run studies/loss_form.py; siamlab study report studies/loss_form.py
  siamlab schema > run.schema.json
  siamlab lab"""


def parser() -> Parser:
    """Return the parser of all commands."""
    top = Parser(
        "siamlab",
        description="Train vision transformers without labels; see which choice does what.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"siamlab {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    top.needs = "a command; `siamlab --help` lists them"
    _run_commands(commands)
    add_command(
        commands, "axes", "print every axis and its choices, or explain a key", do.print_axes,
        ("axis", "only this axis, or a key such as optimiser.lr"),
    )  # fmt: skip
    add_model_commands(commands)
    add_command(
        commands, "data", "list the image sources, or describe one", do.print_data,
        ("words", "list, or info NAME [key=value ...]"),
    )  # fmt: skip
    cache = add_command(
        commands, "cache", "list the caches of images and features, or remove parts of them",
        do.manage_cache, ("words", "list, or remove NAME ..."),
    )  # fmt: skip
    cache.add_argument("--all", action="store_true", help="remove: all entries")
    cache.add_argument("--unused", type=count, metavar="DAYS", help="remove: unused for so long")
    add_study_commands(commands)
    add_leaderboard_commands(commands)
    _demo_command(commands)
    lab = add_command(commands, "lab", "open JupyterLab on the notebooks", do.open_lab)
    lab.add_argument(
        "--folder", type=some_path, default="notebooks", help="where they are (default: notebooks)"
    )
    add_lab_device(lab)
    _editor_commands(top, commands)
    return top


def _run_commands(commands: Any) -> None:
    changes = "words", "key=value, with dotted keys such as masking.ratio=0.6"
    train = add_command(
        commands, "train", "train a run into a folder", do.train_run,
        ("recipe", "a recipe's name, a TOML file, or with --resume a run's folder"), changes,
    )  # fmt: skip
    train.add_argument("--out", type=some_path, help="the run's folder (default: runs/NAME)")
    train.add_argument("--resume", action="store_true", help="continue the run in the folder")
    show = add_command(
        commands, "show", "print a run as TOML", do.show_run,
        ("recipe", "a recipe's name or a TOML file"), changes,
    )  # fmt: skip
    add_run_device(train)
    for command in (train, show):
        command.needs = f"{RECIPE}, as in `{command.prog} mae --small`"
        sizes = command.add_mutually_exclusive_group()
        sizes.add_argument("--small", action="store_true", help="start from the demo's sizes")
        sizes.add_argument(
            "--photos", action="store_true", help="start from sizes for photographs of 32 pixels"
        )


def _demo_command(commands: Any) -> None:
    demo = add_command(
        commands, "demo", "train three recipes, probe them, write a report", do.run_demo,
        ("words", "with --data: key=value for all three runs"),
    )  # fmt: skip
    size = demo.add_mutually_exclusive_group()
    size.add_argument("--long", action="store_true", help="a size that shows the trade-off")
    size.add_argument("--smallest", action="store_true", help="only check that all parts work")
    size.add_argument(
        "--data",
        type=some_images,
        metavar="NAME",
        help="photographs, not scenes: a folder, or a source such as cifar10",
    )
    demo.add_argument(
        "--out", type=some_path, help="the folder of runs and report (default: runs/demo)"
    )
    add_run_device(demo, "to train and probe")
    add_probe_precision(demo, "float32")


def _editor_commands(top: Parser, commands: Any) -> None:
    add_command(commands, "schema", "print the JSON schema of a run's TOML file", do.print_schema)
    completion = add_command(
        commands, "completion", "print the completion script of a shell", do.print_completion
    )
    completion.add_argument("shell", type=one_of("shell", SHELLS), help=", ".join(SHELLS))
    completion.set_defaults(top=top)  # the parser whose commands the script completes
    completion.needs = f"a shell: {', '.join(SHELLS)}"
