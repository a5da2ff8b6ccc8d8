"""The command `siamlab leaderboard`: models or files in, rows of a board and its page out.

add(["zoo:mae"], [], Addition(to="board.parquet", words=("data=scenes",)))
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars
from rich.box import SIMPLE_HEAD
from rich.table import Table
from torch import nn

from siamlab.cli.choices import STANDARD
from siamlab.cli.imagenet_c import corrupted
from siamlab.cli.probe import CORRUPTIONS, folder_or_source, print_about
from siamlab.cli.standard import check_no_size, standard_data
from siamlab.component import UserError
from siamlab.data import DataChoice
from siamlab.evaluate.evaluate import evaluate, with_untrained
from siamlab.evaluate.imagenet_c import corruption_scores
from siamlab.evaluate.leaderboard import (
    added,
    board_name,
    boards,
    check_target,
    empty,
    leaderboard_file,
    measured_rows,
    one_board,
    origin,
    places_of,
    read_leaderboard,
    write_leaderboard,
)
from siamlab.evaluate.leaderboard_sources import kept_rows, published_rows, short_hash
from siamlab.evaluate.models import NamedModel, distinct, open_model, open_models
from siamlab.evaluate.standard import StandardSet, measure_standard
from siamlab.figure.template import broken
from siamlab.interop.adapter import TokenGrid
from siamlab.machine.console import Console
from siamlab.machine.device import device_named
from siamlab.machine.faults import reason
from siamlab.machine.files import check_has_name, with_ending
from siamlab.machine.shortage import explain_shortage
from siamlab.machine.terminal import cell, say
from siamlab.probe import inputs
from siamlab.probe.suite.passes import Precision
from siamlab.report.leaderboard import (
    board_text,
    how_to_add,
    main_probes,
    write_leaderboard_page,
)

MOST = 14  # letters of a column on the terminal, such as an interval


class Addition(NamedTuple):
    """The options of `siamlab leaderboard add`."""

    to: str | None = None  # the leaderboard; None: that of the checkout
    board: str | None = None  # None: named by the images
    name: str | None = None  # of the only model
    note: str | None = None
    baselines: bool = False  # also untrained networks and raw pixels
    words: tuple[str, ...] = ()  # data=... and data.key=value
    images: int = 3000
    test_images: int = 2000
    size: int | None = None
    suite: str = "quick"
    device: str = "auto"
    precision: Precision = "float32"  # of the models' products
    data: str | None = None  # a folder of images, or a source by name


def add(models: Sequence[str], files: Sequence[str], options: Addition) -> None:
    """Measure the models and read the files, and write their rows into the leaderboard.

    Nothing is written unless all of them fit their boards.
    """
    _check_options(models, files, options)
    device_named(options.device)
    path = leaderboard_file(options.to)
    table = read_leaderboard(path) if path.is_file() else empty()
    check_target(path)  # now, not after the probes
    for file in files:
        table = added(table, _from_file(Path(file), table, options))
    if models:
        with explain_shortage("lower --size, --images or --test-images, or name fewer models"):
            table = added(table, _measured(models, options))
    write_leaderboard(table, path)
    count, own = table["model"].n_unique(), boards(table)
    say(f"{path.resolve()}: {count} model{'s' * (count != 1)} on {len(own)} board"
        f"{'s' * (len(own) != 1)}; `siamlab leaderboard show` prints them")  # fmt: skip


def _check_options(models: Sequence[str], files: Sequence[str], options: Addition) -> None:
    """Raise UserError for an option that would have no effect, and for one name of two models."""
    if options.name and len(models) + len(files) != 1:
        raise UserError("--name is for one model; add each by itself")
    own = [file for file in files if not file.endswith(".csv")]
    of_models = {"--note": options.note, "--baselines": options.baselines, "data=": options.words}
    of_models["--data"] = options.data
    of_models["--precision"] = options.precision != "float32"
    of_boards = {"--name": options.name, "--board": options.board}
    for given, there, what in ((of_models, models, "models"), (of_boards, [*models, *own],
                               "models and probes.json")):  # fmt: skip
        for option in (name for name, value in given.items() if value and not there):
            raise UserError(
                f"{option} is for {what}, but only {', '.join(files)} is given; leave it out, or "
                "write it into the file"
            )


def show(source: str | None, board: str | None) -> None:
    """Print the boards, or one of them."""
    table = read_leaderboard(leaderboard_file(source))
    for name in [board] if board else boards(table):
        rows = one_board(table, name)
        Console().print(_printed(name, rows))
        if command := how_to_add(rows):
            say(f"To add a model: {command}")
        say("")


def page(source: str | None, board: str | None, to: str) -> None:
    """Write the page of the boards, or of one of them."""
    check_has_name(Path(to), f"--to {to}", "leaderboard", [".html"])
    if Path(to).suffix != ".html":
        raise UserError(f"--to {to} must end in .html; try {with_ending(Path(to), '.html')}")
    table = read_leaderboard(leaderboard_file(source))
    table = one_board(table, board) if board else table
    try:
        say(f"Page: {write_leaderboard_page(Path(to), table).resolve()}")
    except OSError as error:
        raise UserError(f"--to {to} cannot be written ({reason(error)}); name another") from None


def _from_file(file: Path, table: polars.DataFrame, options: Addition) -> polars.DataFrame:
    if file.suffix == ".csv":
        return published_rows(file)
    return kept_rows(file, table, options.board, options.name)


def _measured(names: Sequence[str], options: Addition) -> polars.DataFrame:
    on_set = options.suite in STANDARD
    if on_set:  # before any model is opened
        data = standard_data(options.suite, options.words, options.data)
        check_no_size(data.kind, options.size)
    opened = distinct(names, [open_model(name) for name in names])
    print_about(opened)
    if not on_set:
        data = folder_or_source(options.data, opened, options.words)
    if options.name:
        opened = [opened[0]._replace(name=options.name)]
    models = with_untrained(opened) if options.baselines else list(opened)
    # of the weights as they came: another size resamples the position table
    places = data.places if isinstance(data, StandardSet) else places_of(data)
    made = dict(device=options.device, places=places)
    origins = {m.name: origin(short_hash(m.model), **made) for m in models}
    for named in opened:
        origins[named.name] = origins[named.name]._replace(note=options.note)
    models = open_models(models, size=options.size)
    if options.baselines:
        models.append(raw_pixels(models[0]))
        origins[models[-1].name] = origin(None, **made)
    scores = _scores(models, data, options)
    board = options.board or board_name(scores["settings"][0])
    return measured_rows(scores, board, origins)


def _scores(
    models: Sequence[NamedModel], data: DataChoice | StandardSet, options: Addition
) -> polars.DataFrame:
    """The long table of the models by the suite that is asked for."""
    how = dict(device=options.device, precision=options.precision)
    if isinstance(data, StandardSet):
        return measure_standard(models, data, **how)
    limits = options.images, options.test_images
    if options.suite == CORRUPTIONS:
        return corruption_scores(models, corrupted(data), *limits, **how)
    return evaluate(models, data, *limits, options.suite, **how).scores


def raw_pixels(named: NamedModel) -> NamedModel:
    """Return a model whose features are the colours of a patch, on the grid of another model."""
    size, patch = inputs(named.model).size, named.model.patch_embed.patch_size[0]
    colours = dict(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    name = f"pixels of patches of {patch}"
    return open_model(TokenGrid(nn.PixelUnshuffle(patch), size, name=name, **colours))


def _printed(name: str, rows: polars.DataFrame) -> Table:
    """One row per model: the scores, then which weights these were and when."""
    text = board_text(rows, main_probes(rows), ("weights", "date"), brief=True)
    caption = "brackets: 95 % interval; ↑ higher is better, ↓ lower is better"
    table = Table(title=cell(name), caption=caption, box=SIMPLE_HEAD, padding=(0, 1, 1, 0))
    names = [broken(model, 2 * MOST) for model in text["model"]]
    widest = max(len(line) for lines in names for line in lines)
    table.add_column("model", overflow="fold", min_width=widest)
    for title in text.columns[1:]:
        shown = "\n".join(map(cell, broken(title, MOST)))
        table.add_column(shown, justify="right", overflow="fold")
    for lines, (_, *others) in zip(names, text.iter_rows(), strict=True):
        shown = (value.replace(" ", "\n", 1) for value in map(cell, others))
        table.add_row("\n".join(map(cell, lines)), *shown)
    return table
