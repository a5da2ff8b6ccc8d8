"""The description of a study in its storage, which binds its trials to one definition.

about = describe(definition)     # plain tables: runs, images, suite, versions
check_same(study, about)         # UserError that names the first difference
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import optuna

from siamlab.component import UserError
from siamlab.interop.weights import weights_hash
from siamlab.machine.wording import shown
from siamlab.probe.suite.bench import content
from siamlab.run import BESIDE, Run
from siamlab.study.definition import FixedStudy, Search, Study
from siamlab.study.images import all_images, tested
from siamlab.train.environment import version_of
from siamlab.train.export import open_by_name
from siamlab.train.start import named_weights

VERSIONS = ("siamlab", "torch", "timm")
DRAWS = 32  # random trials of a search: in 49 of 50 searches they cover an axis of six choices
# fields of a run that change no number or, for images, are compared by content
IGNORED = (*BESIDE, "name", "data")
ALL = "all"
# what studies did that were created before these keys were recorded
EARLIER: dict[str, Any] = {"held out": 0.0, "test images": ALL, "precision": "float32"}


def describe(definition: Study) -> dict[str, Any]:
    """Return everything that the numbers of a study depend on, as plain tables."""
    fixed, runs = isinstance(definition, FixedStudy), runs_of(definition)
    about = {
        "question": definition.question,
        "kind": definition.kind,
        "suite": definition.suite,
        "probe images": definition.images,
        "seeds": definition.seeds,
        "trials": getattr(definition, "trials", 0),
        "prune": getattr(definition, "prune", ""),
        "sampler_seed": getattr(definition, "sampler_seed", 0),
        "points": {label: run.toml() for label, run in runs.items()},
        "comparisons": definition.comparisons() if fixed else [],
        "objectives": list(definition.objectives),
        "versions": versions(),
        "held out": definition.held_out,
        "precision": definition.precision,
    }
    about |= _describe_images(definition, list(runs.values()))
    if weights := _describe_weights(runs.values()):
        about["weights"] = weights
    return json.loads(json.dumps(about))  # tuples become lists, as in a storage


def versions() -> dict[str, str]:
    """Return the installed versions of the packages that the numbers of a study depend on."""
    return {package: version_of(package) for package in VERSIONS}


def release_numbers(versions: dict[str, str]) -> dict[str, str]:
    """Strip the build from each version, such as +cpu or +cu126."""
    return {package: number.partition("+")[0] for package, number in versions.items()}


def runs_of(definition: Study) -> dict[str, Run]:
    """Return the runs of a study; of a search, those of a few trials."""
    if isinstance(definition, FixedStudy):
        return {point.label: point.run for point in definition.points()}
    return sample_runs(definition)


def sample_runs(search: Search) -> dict[str, Run]:
    """Return the runs of a search for a few fixed random trials, which stand for its function.

    Trials whose combination is invalid are left out. Raises UserError for a function that never
    returns a run.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    runs, why = {}, ""
    for number in range(DRAWS):
        try:
            run = search.suggest(study.ask())
        except Exception as error:  # a trial that meets it will report it
            why = f"suggest raised {type(error).__name__} in each of {DRAWS} trials: {error}"
            continue
        if not isinstance(run, Run):
            raise UserError(f"suggest must return a run such as siamlab.mae(), not {shown(run)}")
        runs[f"suggest, draw {number}"] = run.replace(name="drawn")
    if not runs:
        raise UserError(why)
    return runs


def check_differ(runs: dict[str, Run]) -> None:
    """Raise UserError for two labels of one and the same run, which would not differ by a digit."""
    seen: dict[Run, str] = {}
    for label, run in runs.items():
        if (other := seen.setdefault(run.replace(name="compared"), label)) != label:
            raise UserError(
                f"{other!r} and {label!r} are one and the same run, so that there is nothing to "
                "compare; change one of them, or leave it out"
            )


def check_same(study: optuna.Study, mine: dict[str, Any]) -> None:
    """Compare a stored study with a description, except for question and versions.

    Keys that were not recorded when the study was created are not compared. Raises UserError that
    names the first difference.
    """
    theirs = study.user_attrs.get("about")
    if theirs is None:
        raise UserError(
            f"the storage has a study {study.study_name!r} that siamlab did not create, or not "
            "completely; give another --storage or --out, or rename the study's file"
        )
    if not theirs["points"]:  # an early search, stored without draws and hence without data
        mine = {key: mine[key] for key in mine if key != "data"} | {"points": {}}
    for difference in differences(mine, theirs):
        _refuse(study, difference)


def check_versions(study: optuna.Study) -> None:
    """Raise UserError where the study began with other versions, whose runs may differ."""
    mine = release_numbers(versions())
    theirs = release_numbers(study.user_attrs["about"]["versions"])
    if mine != theirs:
        _refuse(study, Difference("versions", mine, theirs))


class Difference(NamedTuple):
    key: str
    mine: Any
    theirs: Any


def differences(mine: dict[str, Any], theirs: dict[str, Any]) -> Iterator[Difference]:
    """Yield the differences of two descriptions in the keys that both have.

    Questions and versions are not compared.
    """
    theirs = EARLIER | theirs
    for key in [key for key in mine if key in theirs]:
        if key not in ("question", "points", "versions") and mine[key] != theirs[key]:
            yield Difference(key, mine[key], theirs[key])
    if list(mine["points"]) != list(theirs["points"]):
        yield Difference("choices", list(mine["points"]), list(theirs["points"]))
    for label in [label for label in mine["points"] if label in theirs["points"]]:
        my_run, their_run = (Run.parse(about["points"][label]) for about in (mine, theirs))
        for field in [field for field in Run.model_fields if field not in IGNORED]:
            mine_here, theirs_here = getattr(my_run, field), getattr(their_run, field)
            if mine_here != theirs_here:
                yield Difference(f"{label}: {field}", mine_here, theirs_here)


def _describe_images(definition: Study, runs: list[Run]) -> dict[str, Any]:
    """Describe each source of images by its content, and how many images are tested on."""
    sources, most = {}, ALL
    for data in {run.data.model_dump_json(): run.data for run in runs}.values():
        images = all_images(data)
        split = {"train": content(images.train), "test": content(images.test)}
        sources[images.source + "-" + _digest(split)] = " ".join(split.values())
        if tested(images, definition) > definition.test_images:
            most = definition.test_images
    return {"data": dict(sorted(sources.items())), "test images": most}


def _describe_weights(runs: Iterable[Run]) -> dict[str, str]:
    """Return the hash of the weights that each name means: starts of runs and frozen targets."""
    named = {name: None for run in runs for name in named_weights(run).values()}
    return {name: weights_hash(open_by_name(name).model) for name in named}


def _digest(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:10]


def _refuse(study: optuna.Study, difference: Difference) -> None:
    key, mine, theirs = difference
    raise UserError(
        f"the storage holds the study {study.study_name!r} with another definition: {key} is "
        f"{theirs} there and {mine} here; nothing was changed. Give another --out or "
        "--storage to start from scratch, or undo the change"
    )
