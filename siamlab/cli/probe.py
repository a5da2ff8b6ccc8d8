"""The command `siamlab probe`: models and images by name in, a table on the terminal and in files.

probe_models(["runs/mine", "zoo:mae"], ["data=scenes"], Options(out="scores.csv"))
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from siamlab.cli.choices import STANDARD
from siamlab.cli.imagenet_c import probe_corruptions
from siamlab.cli.standard import print_published, probe_standard
from siamlab.cli.words import check_one_folder
from siamlab.component import UserError, unknown
from siamlab.data import DataChoice
from siamlab.evaluate.evaluate import Evaluation, evaluate, with_untrained
from siamlab.evaluate.files import WRITERS, check_out, keep_rows, write_table
from siamlab.evaluate.images import is_path, no_folder, open_source, run_or_scenes
from siamlab.evaluate.leaderboard import places_of
from siamlab.evaluate.models import NamedModel, open_models
from siamlab.evaluate.published import PAPERS, found_protocols, numbers_of
from siamlab.evaluate.standard import Published
from siamlab.machine.console import Console
from siamlab.machine.files import expanded, no_new_folders
from siamlab.machine.shortage import explain_shortage
from siamlab.machine.terminal import say
from siamlab.probe import inputs
from siamlab.probe.finetune_recipe import RECIPES, FineTune
from siamlab.probe.suite.passes import Precision
from siamlab.probe.suite.spatial import FEWEST
from siamlab.run import Run
from siamlab.run.choices import axis_choices
from siamlab.run.mistakes import changed

if TYPE_CHECKING:
    import polars

SHOWN = (  # on the terminal if the whole table goes to a file
    "semantic",
    "spatial",
    "knn",
    "linear",
    "correspondence",
    "segmentation",
    "fine_tuning",
    "linear_augmented",
)
UNLABELLED = (
    "No semantic probes: they need labels of two classes or more in training and test images "
    "(class folders in data.path, or another data=NAME)."
)
UNPLACED = (
    f"No spatial score: it needs {FEWEST} test images or more, and patches no larger than its "
    "tolerance."
)
UNRANKED = "No retrieval: it needs two test images of one class or more; add images."
TRAINED = ("fine_tuning", "linear_augmented")
TUNE = "fine_tune."
RECIPE = "fine_tune="
CORRUPTIONS = "imagenet-c"  # the suite of its own command


class Options(NamedTuple):
    weights: bool = True  # False: timm models with random weights, without untrained networks
    images: int = 3000  # training images, at most
    test_images: int = 2000  # at most
    suite: str = "quick"  # or full, published, imagenet-c, or a standard set such as spair
    size: int | None = None  # side of every model's input, pixels
    out: str | None = None  # a file for the table, or a folder for table and report
    device: str = "auto"  # cpu, cuda, or auto: a GPU if there is one
    precision: Precision = "float32"  # of the models' products
    data: str | None = None  # a folder of images, or a source by name


def probe_models(names: Sequence[str], words: Sequence[str], options: Options) -> None:
    """Probe the models and the networks they started from, print the table and write the files.

    The images are those that the first run was trained on, or scenes, unless `words` choose others.
    """
    with explain_shortage("lower --size, --images or --test-images, or name fewer models"):
        _probe_models(names, words, options)


def _probe_models(names: Sequence[str], words: Sequence[str], options: Options) -> None:
    if options.suite in STANDARD:
        return probe_standard(names, words, options)
    check_out(options.out)
    opened = open_models(names, options.weights, options.size)
    recipe, words = fine_tuning(words)
    data = folder_or_source(options.data, opened, words)
    print_about(opened)
    models = with_untrained(opened) if options.weights else opened
    kept = dict(zip(names, opened, strict=True))
    if options.suite == CORRUPTIONS:
        return keep_rows(probe_corruptions(models, data, options), kept, places_of(data))
    limits = options.images, options.test_images
    how = options.suite, recipe, options.device
    evaluation = evaluate(models, data, *limits, *how, precision=options.precision)
    scores = evaluation.scores
    shown = scores.filter(scores["probe"].is_in(SHOWN)) if options.out else scores
    print_scores(shown, data, opened, evaluation.drawn)
    print_papers(scores["probe"], options.suite)
    print_published(_shown_numbers(data, scores), Console())
    if "class_separation" in scores["probe"] and "retrieval" not in scores["probe"]:
        Console().print(UNRANKED, highlight=False)
    if options.out:
        write_files(Path(options.out), models, evaluation, options.suite)
    keep_rows(scores, kept, places_of(data))


def print_scores(
    scores: "polars.DataFrame", data: DataChoice, models: Sequence[NamedModel], drawn: str = ""
) -> None:
    """Print the table, and a sentence for each of the two scores that is missing.

    `drawn` says how many of the images were taken, if not all.
    """
    from siamlab.figure import terminal_table

    console = Console()
    say(probed_on(data, inputs(models[0].model).size), console)
    if drawn:
        say(f"{drawn}, drawn at random: --images and --test-images take more", console)
    console.print(terminal_table(scores))
    if "semantic" not in scores["probe"]:
        console.print(UNLABELLED, highlight=False)
    if "spatial" not in scores["probe"]:
        console.print(UNPLACED, highlight=False)


def probed_on(data: DataChoice, size: tuple[int, int]) -> str:
    """Return which images the models were given, and at which size if that is another."""
    stored = f"probed on {data.kind}, {data.side} pixels a side"
    given = f", given to the models at {size[0]} × {size[1]}"
    return stored if size == (data.side, data.side) else stored + given


def print_papers(probes: Iterable[str], suite: str) -> None:
    """Print the protocols that probes follow, each with its source and published numbers.

    Of other suites than `published`, those of fine-tuning alone.
    """
    console = Console()
    for key in found_protocols(probes):
        if suite == "published" or key in TRAINED:
            say(f"{key}: protocol {PAPERS[key].name}, {PAPERS[key].source}", console)
            print_published(PAPERS[key].published, console)


def _shown_numbers(data: DataChoice, scores: "polars.DataFrame") -> list[Published]:
    """Return the numbers published on these test images of probes that the table has."""
    return [found for found in numbers_of(data) if found.probe in scores["probe"]]


def print_about(models: Sequence[NamedModel]) -> None:
    """Print a line about each checkpoint of another project: what was recognised in it."""
    for named in models:
        if named.about:
            say(f"{named.name}: {named.about}")


def write_files(
    out: Path, models: Sequence[NamedModel], evaluation: Evaluation, suite: str
) -> None:
    """Write the table to a file, or table and report to a folder."""
    if out.suffix in WRITERS:
        write_table(evaluation.scores, out)
        return
    from siamlab.report.probes import write_probe_report

    with no_new_folders(out):  # where this is interrupted before the first file is there
        write_table(evaluation.scores, out / "scores.parquet")
    with Console(stderr=True).status("writing the report"):
        path = write_probe_report(out, models, evaluation.scores, evaluation.test, suite)
    say(f"Table and report: {path.resolve()}")


def folder_or_source(
    data: str | None, models: Sequence[NamedModel], words: Sequence[str]
) -> DataChoice:
    """Return the images of --data, a folder or a source by name, which the words change."""
    if data and data not in axis_choices("data"):
        check_one_folder(data, words)
        return run_or_scenes().change(*words, data=open_source(data, models)).data
    words = [f"data={data}", *words] if data else words
    return probing_data([named.run for named in models if named.run], words)


def probing_data(runs: Sequence[Run], words: Sequence[str]) -> DataChoice:
    """Return the source of images that the words choose, by default that of the first run."""
    for name in (word.removeprefix("data=") for word in words if word.startswith("data=")):
        if is_path(name) and not expanded(name).is_dir():
            raise no_folder(name)
        if is_path(name):
            raise UserError(f"data={name}: the images of a folder are data=folder data.path={name}")
    return run_or_scenes(*runs).change(*words).data


def fine_tuning(words: Sequence[str]) -> tuple[FineTune | None, list[str]]:
    """Return the recipe that words such as `fine_tune.epochs=10` ask for, and the other words.

    `fine_tune=NAME` begins from a published recipe, by default that of full fine-tuning.
    """
    named = [word.removeprefix(RECIPE) for word in words if word.startswith(RECIPE)]
    own = [word.removeprefix(TUNE) for word in words if word.startswith(TUNE)]
    rest = [word for word in words if not word.startswith((RECIPE, TUNE))]
    for name in named:
        if name not in RECIPES:
            raise UserError(unknown("there is no recipe fine_tune", name, RECIPES))
    if not named and not own:
        return None, rest
    recipe = RECIPES[named[-1] if named else "full"]
    return changed(FineTune, recipe.model_dump(), own, TUNE), rest
