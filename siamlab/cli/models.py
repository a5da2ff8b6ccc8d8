"""The commands on models: probe, embed, import, export, view, export-demo.

Imports only the standard library until a command runs, so that `siamlab --help` is immediate.
"""

from typing import Any

from siamlab.cli import commands as do
from siamlab.cli.choices import SPLITS, STANDARD, SUITES
from siamlab.cli.sentences import (
    Parser,
    add_command,
    add_device,
    add_precision,
    count,
    file_or_folder,
    one_of,
    some_file,
    some_images,
    some_path,
    whole_number,
)

_port = whole_number(0, 65535, "a port, 0 (a free one) to 65535")


def add_model_commands(commands: Any) -> None:
    """Add them to what `add_subparsers` returned."""
    _probe_command(commands)
    _embed_command(commands)
    _import_command(commands)
    _export_command(commands)
    _view_command(commands)
    _export_demo_command(commands)


def _probe_command(commands: Any) -> None:
    probe = add_command(
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
    _add_images(probe, "a folder of images, or a source by name")
    probe.add_argument("--size", type=count, help="side of every model's input, pixels")
    add_device(probe)
    add_precision(probe)
    probe.add_argument(
        "--out", type=file_or_folder, help="a folder for table and report, or .parquet, .csv, .json"
    )


def _embed_command(commands: Any) -> None:
    embed = add_command(
        commands, "embed", "write the features of images into a file", do.embed,
        ("model", "a run folder, a checkpoint, zoo:NAME, timm:NAME or hf:NAME"),
        ("words", "data=NAME data.key=value"),
    )  # fmt: skip
    _add_images(embed, "a folder of images, or a source by name")
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
    take = add_command(
        commands, "import", "make a run of a whole checkpoint of SiameseIM or MAE", do.import_run,
        ("file", "the .pth file that the training of SiameseIM or MAE wrote"),
        ("words", "key=value that change the run, such as data.path=photos"),
    )  # fmt: skip
    take.needs = "a file, as in `siamlab import checkpoint-1599.pth`"
    take.add_argument("--out", type=some_path, help="the run's folder (default: runs/FILE)")


def _export_command(commands: Any) -> None:
    export = add_command(
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
    view = add_command(
        commands, "view", "look at photographs through models, in the browser", do.view,
        ("words", "runs, checkpoints, zoo:NAME, timm:NAME, hf:NAME; photographs; data.key="),
    )  # fmt: skip
    _add_images(view, "images for a map: a folder, or a source by name")
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
    export = add_command(
        commands, "export-demo", "write a page on which models answer in the visitor's browser",
        do.export_demo,
        ("models", "runs, checkpoints, zoo:NAME, timm:NAME, hf:NAME (default: three of the zoo)"),
    )  # fmt: skip
    export.add_argument(
        "--to", type=some_path, required=True, metavar="FOLDER", help="the folder to make"
    )
    _add_images(export, "photographs: a folder, or a source by name")
    export.add_argument("--size", type=count, help="side of every model's input, pixels")
    export.add_argument(
        "--runtime", type=some_file, metavar="FILE.tgz",
        help="what `npm pack onnxruntime-web` writes (default: downloaded once)",
    )  # fmt: skip


def _add_images(command: Parser, text: str) -> None:
    """Add --data, by which each of these commands names images."""
    command.add_argument("--data", type=some_images, metavar="NAME", help=text)
