"""The commands of the terminal and their options.

argparse rather than click or typer, whose import takes longer than most commands.

options = parser().parse_args(["probe", "zoo:mae"]);  options.command(options)
"""

from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable
from typing import Any

from siamlab import RECIPES, __version__
from siamlab.cli import commands as do
from siamlab.cli.choices import SHELLS, SPLITS, STANDARD, SUITES
from siamlab.cli.leaderboard import add_leaderboard_commands
from siamlab.cli.sentences import (
    Parser,
    add_device,
    add_lab_device,
    add_precision,
    add_probe_precision,
    add_run_device,
    count,
    file_or_folder,
    one_of,
    some_file,
    some_images,
    some_path,
    whole_number,
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
    _command(
        commands, "axes", "print every axis and its choices, or explain a key", do.print_axes,
        ("axis", "only this axis, or a key such as optimiser.lr"),
    )  # fmt: skip
    _probe_command(commands)
    _embed_command(commands)
    _import_command(commands)
    _export_command(commands)
    _view_command(commands)
    _export_demo_command(commands)
    _command(
        commands, "data", "list the image sources, or describe one", do.print_data,
        ("words", "list, or info NAME [key=value ...]"),
    )  # fmt: skip
    cache = _command(
        commands, "cache", "list the caches of images and features, or remove parts of them",
        do.manage_cache, ("words", "list, or remove NAME ..."),
    )  # fmt: skip
    cache.add_argument("--all", action="store_true", help="remove: all entries")
    cache.add_argument("--unused", type=count, metavar="DAYS", help="remove: unused for so long")
    add_study_commands(commands)
    add_leaderboard_commands(commands)
    _demo_command(commands)
    lab = _command(commands, "lab", "open JupyterLab on the notebooks", do.open_lab)
    lab.add_argument(
        "--folder", type=some_path, default="notebooks", help="where they are (default: notebooks)"
    )
    add_lab_device(lab)
    _editor_commands(top, commands)
    return top


def _run_commands(commands: Any) -> None:
    words = (
        ("recipe", "a recipe's name or a TOML file"),
        ("words", "key=value, with dotted keys such as masking.ratio=0.6"),
    )
    train = _command(commands, "train", "train a run into a folder", do.train_run, *words)
    train.add_argument("--out", type=some_path, help="the run's folder (default: runs/NAME)")
    train.add_argument("--resume", action="store_true", help="continue the run in the folder")
    show = _command(commands, "show", "print a run as TOML", do.show_run, *words)
    add_run_device(train)
    for command in (train, show):
        command.needs = f"{RECIPE}, as in `{command.prog} mae --small`"
        sizes = command.add_mutually_exclusive_group()
        sizes.add_argument("--small", action="store_true", help="start from the demo's sizes")
        sizes.add_argument(
            "--photos", action="store_true", help="start from sizes for photographs of 32 pixels"
        )


def _probe_command(commands: Any) -> None:
    probe = _command(
        commands, "probe", "measure both properties of trained models", do.probe,
        ("words", "runs, checkpoints, zoo:NAME, timm:NAME, hf:NAME; data.key=, fine_tune.key="),
    )  # fmt: skip
    probe.add_argument("--no-weights", action="store_true", help="timm models with random weights")
    probe.add_argument("--images", type=count, default=3000, help="training images (default 3000)")
    probe.add_argument("--test-images", type=count, default=2000, help="test images (default 2000)")
    probe.add_argument(
        "--suite",
        type=one_of("suite", SUITES),
        default="quick",
        help="which probes: quick, full, published (protocols of papers), imagenet-c, or a "
        f"standard set: {', '.join(STANDARD)} (regions: your own images and masks)",
    )
    probe.add_argument(
        "--data", type=some_images, metavar="NAME", help="the images; the same as data=NAME"
    )
    probe.add_argument("--size", type=count, help="side of every model's input, pixels")
    add_device(probe)
    add_precision(probe)
    probe.add_argument(
        "--out", type=file_or_folder, help="a folder for table and report, or .parquet, .csv, .json"
    )


def _embed_command(commands: Any) -> None:
    embed = _command(
        commands, "embed", "write the features of images into a file", do.embed,
        ("model", "a run folder, a checkpoint, zoo:NAME, timm:NAME or hf:NAME"),
        ("words", "data=NAME data.key=value"),
    )  # fmt: skip
    embed.add_argument(
        "--data", type=some_images, metavar="NAME", help="a folder of images, or a source by name"
    )
    embed.add_argument(
        "--out", type=some_file, required=True, metavar="FILE.parquet", help="the file to write"
    )
    embed.add_argument(
        "--split", type=one_of("split", SPLITS), default="all", help="all images, train or test"
    )
    embed.add_argument("--images", type=count, help="at most this many of each split")
    add_device(embed, "to compute features")
    add_precision(embed)
    embed.add_argument("--patches", action="store_true", help="a row per patch, not per image")
    embed.add_argument("--size", type=count, help="side of the model's input, pixels")


def _import_command(commands: Any) -> None:
    take = _command(
        commands, "import", "make a run of a whole checkpoint of SiameseIM or MAE", do.import_run,
        ("file", "the .pth file that the training of SiameseIM or MAE wrote"),
        ("words", "key=value that change the run, such as data.path=photos"),
    )  # fmt: skip
    take.needs = "a file, as in `siamlab import checkpoint-1599.pth`"
    take.add_argument("--out", type=some_path, help="the run's folder (default: runs/FILE)")


def _export_command(commands: Any) -> None:
    export = _command(
        commands, "export", "write a model for other programs", do.export,
        ("model", "a run folder, a checkpoint, zoo:NAME, timm:NAME or hf:NAME"),
    )  # fmt: skip
    export.add_argument(
        "--to",
        type=file_or_folder,
        required=True,
        metavar="OUT",
        help=".onnx, .pt2 (torch.export), .safetensors (timm), .pth (as the release of SiameseIM "
        "or MAE), or a folder for Hugging Face",
    )
    export.add_argument("--size", type=count, help="side of the model's input, pixels")


def _view_command(commands: Any) -> None:
    view = _command(
        commands, "view", "look at photographs through models, in the browser", do.view,
        ("words", "runs, checkpoints, zoo:NAME, timm:NAME, hf:NAME; photographs; data.key="),
    )  # fmt: skip
    view.add_argument(
        "--data",
        type=some_images,
        metavar="NAME",
        help="images for a map: a folder, or a source by name",
    )
    view.add_argument("--images", type=count, default=500, help="on the map (default 500)")
    view.add_argument(
        "--study", action="append", default=[], metavar="STUDY",
        help="for the plane: a study's file, name or folder, or an exported .jsonl (default: "
        "all of runs/studies and studies/results)",
    )  # fmt: skip
    view.add_argument("--port", type=_port, default=0, help="on this machine (default: a free one)")
    add_device(view)
    view.add_argument("--size", type=count, help="side of every model's input, pixels")
    view.add_argument(
        "--no-browser", dest="browser", action="store_false", help="print the address only"
    )


def _export_demo_command(commands: Any) -> None:
    export = _command(
        commands, "export-demo", "write a page on which models answer in the visitor's browser",
        do.export_demo,
        ("models", "runs, checkpoints, zoo:NAME, timm:NAME, hf:NAME (default: three of the zoo)"),
    )  # fmt: skip
    export.add_argument(
        "--to", type=some_path, required=True, metavar="FOLDER", help="the folder to make"
    )
    export.add_argument(
        "--data",
        type=some_images,
        metavar="NAME",
        help="photographs: a folder, or a source by name",
    )
    export.add_argument("--size", type=count, help="side of every model's input, pixels")
    export.add_argument(
        "--runtime", type=some_file, metavar="FILE.tgz",
        help="what `npm pack onnxruntime-web` writes (default: downloaded once)",
    )  # fmt: skip


def _demo_command(commands: Any) -> None:
    demo = _command(
        commands, "demo", "train three recipes, probe them, write a report", do.run_demo,
        ("words", "with --data: key=value for all three runs"),
    )  # fmt: skip
    size = demo.add_mutually_exclusive_group()
    size.add_argument("--long", action="store_true", help="a size that shows the trade-off")
    size.add_argument("--smallest", action="store_true", help="only check that all parts work")
    size.add_argument(
        "--data", type=some_images, metavar="NAME", help="photographs, such as cifar10, not scenes"
    )
    demo.add_argument(
        "--out", type=some_path, help="the folder of runs and report (default: runs/demo)"
    )
    add_run_device(demo, "to train and probe")
    add_probe_precision(demo, "float32")


def _editor_commands(top: Parser, commands: Any) -> None:
    _command(commands, "schema", "print the JSON schema of a run's TOML file", do.print_schema)
    completion = _command(
        commands, "completion", "print the completion script of a shell", do.print_completion
    )
    completion.add_argument("shell", type=one_of("shell", SHELLS), help=", ".join(SHELLS))
    completion.set_defaults(top=top)  # the parser whose commands the script completes
    completion.needs = f"a shell: {', '.join(SHELLS)}"


def _command(
    commands: Any, name: str, text: str, function: Callable, *words: tuple[str, str]
) -> Parser:
    """Add a command; `recipe`, `model`, `file` take one word, `axis` at most one, others any."""
    command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    command.set_defaults(command=function, name=name)
    for word, meaning in words:
        number = {"recipe": None, "model": None, "file": None, "axis": "?"}.get(word, "*")
        command.add_argument(word, nargs=number, help=meaning)
    return command


_port = whole_number(0, 65535, "a port, 0 (a free one) to 65535")
