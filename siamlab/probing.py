"""Probing from the command line: models in, one table out, on the terminal and in files."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import ValidationError
from rich.console import Console
from torch import nn

from siamlab.component import UserError
from siamlab.data import Data, Images
from siamlab.data.images import is_paired
from siamlab.given import at_most, run_or_scenes
from siamlab.memory import keep_freed
from siamlab.probe import inputs
from siamlab.probe.finetune_recipe import FineTune
from siamlab.probe.suite.spatial import FEWEST
from siamlab.probe_files import WRITERS, check_out, keep, write
from siamlab.run import Run
from siamlab.settings import explain, settings
from siamlab.subject import (
    Subject,
    at_size,
    before_training,
    check_size,
    distinct,
    one_size,
    subject,
)

if TYPE_CHECKING:
    import polars

SHOWN = (
    "semantic",
    "spatial",
    "knn",
    "linear",
    "correspondence",
    "segmentation",
    "fine_tuning",
)  # beside a file
UNLABELLED = (
    "No semantic probes: they need labels of two classes or more in training and test images "
    "(class folders in data.path, or another data=NAME)."
)
UNPLACED = (
    f"No spatial score: it needs {FEWEST} test images or more, and patches no larger than its "
    "tolerance."
)
TUNE = "fine_tune."


def probe_subjects(
    names: list[str],
    changes: list[str],
    weights: bool,
    images: int,
    test_images: int,
    suite: str,
    size: int | None,
    out: str | None,
) -> None:
    """Probe each model and the untrained networks on the same images, and print the table.

    The images are those the first run was trained on, else scenes, unless `changes` says so; at
    most `images` to fit on and `test_images` to measure on, drawn where there are more. `out` is
    a file for the table, or a folder for the table and a report.
    """
    if not names:
        raise UserError(
            "probe needs a model: a run's folder, an encoder file, zoo:NAME or timm:NAME"
        )
    check_out(out)
    trained = distinct(names, [subject(name, weights) for name in names])
    recipe, changes = fine_tuning(changes)
    data = probing_data([s.run for s in trained if s.run], changes)
    train = at_most(data("train"), images)
    test, drawn = drawn_test(data("test"), test_images)
    for s in trained if size else ():
        check_size(s, size)
    subjects = with_untrained(trained) if weights else trained
    subjects = [at_size(s, size) for s in subjects] if size else one_size(subjects)
    scores = probe_all(subjects, train, test, suite, about_data(data) | drawn, recipe)
    report(scores if not out else scores.filter(scores["probe"].is_in(SHOWN)), data)
    if out and Path(out).suffix in WRITERS:
        write(scores, Path(out))
    elif out:
        from siamlab.probe_report import write_probe_report

        write(scores, Path(out) / "scores.parquet")
        with Console(stderr=True).status("writing the report"):
            path = write_probe_report(Path(out), subjects, scores, test, suite)
        Console().print(f"Table and report: {path.resolve()}", soft_wrap=True, highlight=False)
    keep(scores, dict(zip(names, trained, strict=True)))


def probe_all(
    subjects: list[Subject],
    train: Images,
    test: Images,
    suite: str = "quick",
    about: dict[str, Any] | None = None,
    recipe: FineTune | None = None,
) -> "polars.DataFrame":
    """The long table of the scores of every model."""
    from siamlab.probe import probe_model, table

    keep_freed()
    found = {}
    # in a notebook nothing: there rich would draw a widget, and believes to be in a terminal
    here = dict(stderr=True, force_jupyter=False, force_terminal=sys.stderr.isatty())
    with Console(**here).status("probing") as status:
        for s in subjects:
            said = lambda step, name=s.name: status.update(f"probing {name}: {step}")  # noqa: E731
            how = dict(about=about, said=said, recipe=recipe)
            try:
                found[s.name] = probe_model(s.model, train, test, suite, **how)
            except UserError as error:
                raise UserError(f"{s.name}: {error}") from None
    return table(found)


def with_untrained(subjects: list[Subject]) -> list[Subject]:
    """Before each trained model the network it started from, if it is another than before."""
    found: list[Subject] = []
    for s in subjects:
        start = before_training(s, f"{s.name}, untrained")
        if not any(same_network(start.model, known.model) for known in found):
            found.append(start)
        found.append(s)
    references = [i for i, s in enumerate(found) if s not in subjects]
    if len(references) == 1:
        found[references[0]] = found[references[0]]._replace(name="untrained")
    return found


def same_network(a: nn.Module, b: nn.Module) -> bool:
    """The same weights, but for those of a norm after the last block, which know nothing yet."""
    one, other = (
        {key: weight for key, weight in model.state_dict().items() if not key.startswith("norm.")}
        for model in (a, b)
    )
    alike = one.keys() == other.keys() and inputs(a) == inputs(b)
    return alike and all(torch.equal(one[key], other[key]) for key in one)


def report(scores: "polars.DataFrame", data: Data) -> None:
    """The table on the terminal."""
    from siamlab.figure import terminal_table

    console = Console()
    console.print(f"probed on {data.kind}, {data.side} pixels a side", highlight=False)
    console.print(terminal_table(scores))
    if "semantic" not in scores["probe"]:
        console.print(UNLABELLED, highlight=False)
    if "spatial" not in scores["probe"]:
        console.print(UNPLACED, highlight=False)


def probing_data(runs: list[Run], changes: list[str]) -> Data:
    """The images to probe on."""
    wrong = [c for c in changes if not c.startswith(("data=", "data."))]
    if wrong:
        raise UserError(
            f"probe takes data=..., data.key=value and fine_tune.key=value, not {wrong[0]!r}"
        )
    return run_or_scenes(*runs).change(*changes).data


def fine_tuning(changes: list[str]) -> tuple[FineTune | None, list[str]]:
    """The recipe that words such as `fine_tune.epochs=10` ask for, if any; and the other words."""
    own = [c for c in changes if c.startswith(TUNE)]
    rest = [c for c in changes if c not in own]
    if not own:
        return None, rest
    fields = settings(FineTune().model_dump(), [c.removeprefix(TUNE) for c in own], FineTune)
    try:
        return FineTune.model_validate(fields), rest
    except ValidationError as error:
        raise UserError(f"fine_tune: {explain(error, fields)}") from None


def drawn_test(images: Images, most: int) -> tuple[Images, dict[str, Any]]:
    """At most so many test images; and, for the protocol, that they were drawn, if they were."""
    n = len(images.labels)
    if n <= most:
        return images, {}
    if most % 2 and is_paired(images):
        raise UserError(
            f"--test-images {most} must be even, as these test images are pairs of scenes with one "
            f"object; try {most + 1}"
        )
    return at_most(images, most), {"test_drawn": f"at random, of {n}"}


def about_data(data: Data) -> dict[str, Any]:
    """The fields of a source, for the protocol: `objects.kind`, `side`, ..."""
    return dict(_flat(data.model_dump(mode="json")))


def _flat(fields: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs = []
    for key, value in fields.items():
        inside = isinstance(value, dict)
        pairs += _flat(value, f"{prefix}{key}.") if inside else [(prefix + key, value)]
    return pairs
