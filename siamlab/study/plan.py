"""From a study's definition to trials in a storage, once; and the check that they are the same.

study = opened(definition, "loss_form", storage)     # makes the study, or finds it as it was made
"""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage
from pydantic import TypeAdapter

from siamlab.component import UserError
from siamlab.probe.suite.bench import content
from siamlab.run import BESIDE, Run
from siamlab.study.definition import SCORES, Fixed, Search, Study
from siamlab.study.images import all_images, tested
from siamlab.study.storage import quiet
from siamlab.train.folder import version_of
from siamlab.train.seeds import seed_of

VERSIONS = ("siamlab", "torch", "timm")
DRAWS = 32  # of a choice among six, all are drawn but for one time in fifty
MAKING = 20  # seconds that another worker may take to make a study
# of a run: they change no number, or, as the place of images, are compared by content
IGNORED = (*BESIDE, "name", "data")
ALL = "all"
# what a study did that was made before these were kept
BEFORE = {"held out": 0.0, "test images": ALL}


def opened(definition: Study, name: str, storage: BaseStorage) -> optuna.Study:
    """The study in the storage; made with all its trials if it is not there.

    Raises UserError, with nothing changed, where the storage holds a study of this name with
    another definition, other data, or begun by other versions.
    """
    about = described(definition)
    if name not in {s.study_name for s in storage.get_all_studies()}:
        with suppress(DuplicatedStudyError):  # another worker makes it at this moment
            return _made(definition, name, storage, about)
    study = optuna.load_study(study_name=name, storage=storage)
    _wait_until_whole(study)
    check_same(study, about)
    check_versions(study)
    return study


def described(definition: Study) -> dict[str, Any]:
    """All that the numbers of a study depend on, as plain tables."""
    fixed = isinstance(definition, Fixed)
    runs = {p.label: p.run for p in definition.points()} if fixed else drawn(definition)
    about = {
        "question": definition.question,
        "kind": definition.kind,
        "suite": definition.suite,
        "probe images": definition.images,
        "seeds": getattr(definition, "seeds", 1),
        "trials": getattr(definition, "trials", 0),
        "prune": getattr(definition, "prune", ""),
        "sampler_seed": getattr(definition, "sampler_seed", 0),
        "points": {label: run.toml() for label, run in runs.items()},
        "comparisons": definition.comparisons() if fixed else [],
        "objectives": list(objectives(definition)),
        "versions": versions(),
        "held out": definition.held_out,
    }
    about |= _images(definition, list(runs.values()))
    return json.loads(json.dumps(about))  # tuples to lists, as a storage has them


def versions() -> dict[str, str]:
    """Of the packages that the numbers of a study depend on, as they are here."""
    return {package: version_of(package) for package in VERSIONS}


def drawn(search: Search) -> dict[str, Run]:
    """What a search makes of the same few random trials each time: what stands for its code.

    Trials that mean nothing are left out.
    """
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found = {}
    for number in range(DRAWS):
        with suppress(Exception):  # a trial that comes to it will say so
            found[f"suggest, draw {number}"] = search.suggest(study.ask()).replace(name="drawn")
    return found


def check_same(study: optuna.Study, mine: dict[str, Any]) -> None:
    """Raises UserError that names the first difference to the study in the storage, but versions.

    What was not kept of a study when it was made is not compared.
    """
    theirs = study.user_attrs.get("about")
    if theirs is None:
        raise UserError(
            f"the storage has a study {study.study_name!r} that siamlab did not make, or not to "
            "the end; give another --storage or --out, or rename the study's file"
        )
    if not theirs["points"]:  # a search that kept no draws yet, and hence no data
        mine = {key: mine[key] for key in mine if key != "data"} | {"points": {}}
    for difference in differences(mine, theirs):
        _refuse(study, difference)


def check_versions(study: optuna.Study) -> None:
    """Raises UserError where other versions began the study: its runs would not be alike."""
    mine, theirs = released(versions()), released(study.user_attrs["about"]["versions"])
    if mine != theirs:
        _refuse(study, Difference("versions", mine, theirs))


def released(versions: dict[str, str]) -> dict[str, str]:
    """Without what tells builds of one version apart, as +cpu and +cu126."""
    return {package: number.partition("+")[0] for package, number in versions.items()}


class Difference(NamedTuple):
    key: str
    mine: Any
    theirs: Any


def differences(mine: dict[str, Any], theirs: dict[str, Any]) -> Iterator[Difference]:
    """Where two descriptions (`described`) differ, but for questions and versions.

    Keys that only one of them has are not compared.
    """
    theirs = BEFORE | theirs
    for key in [key for key in mine if key in theirs]:
        if key not in ("question", "points", "versions") and mine[key] != theirs[key]:
            yield Difference(key, mine[key], theirs[key])
    if list(mine["points"]) != list(theirs["points"]):
        yield Difference("choices", list(mine["points"]), list(theirs["points"]))
    for label in [label for label in mine["points"] if label in theirs["points"]]:
        run, kept = (Run.parse(about["points"][label]) for about in (mine, theirs))
        for field in Run.model_fields:
            if field not in IGNORED and getattr(run, field) != getattr(kept, field):
                yield Difference(f"{label}: {field}", getattr(run, field), getattr(kept, field))


def stored(study: optuna.Study) -> Fixed:
    """The definition that a study was made from. Raises UserError where only its file has it."""
    kept = study.user_attrs.get("definition")
    if kept is None:
        raise UserError(
            f"the study {study.study_name!r} is a search, or not one of siamlab's: a worker needs "
            f"its file too, as in `siamlab study worker studies/{study.study_name}.py`"
        )
    return TypeAdapter(Fixed).validate_python(kept)


def objectives(definition: Study) -> tuple[str, ...]:
    """What the trials are told to Optuna by; cost is better low, scores high."""
    return definition.objectives if isinstance(definition, Search) else SCORES


def _made(
    definition: Study, name: str, storage: BaseStorage, about: dict[str, Any]
) -> optuna.Study:
    goals = ["minimize" if o == "cost" else "maximize" for o in objectives(definition)]
    study = optuna.create_study(study_name=name, storage=storage, directions=goals)
    with quiet():
        study.set_metric_names(list(objectives(definition)))
    if isinstance(definition, Search):
        for _ in range(definition.trials):
            study.enqueue_trial({})
    else:
        for seed in range(definition.seeds):  # by seed first: an early look compares all points
            for point in definition.points():
                given = {"point": point.label, "seed": seed}
                study.enqueue_trial(point.params | {"seed": seed}, user_attrs=given)
        study.set_user_attr("definition", definition.model_dump(mode="json"))
    study.set_user_attr("about", about)  # last: a study that has it is whole
    return study


def sampler(definition: Study, number: int) -> optuna.samplers.BaseSampler:
    """What suggests a trial's parameters, seeded by its number: workers must not draw alike."""
    seed = definition.sampler_seed if isinstance(definition, Search) else 0
    return optuna.samplers.TPESampler(seed=seed_of(seed, "sampler", number) % 2**32)


def _wait_until_whole(study: optuna.Study) -> None:
    """Until the worker that makes the study at this moment is done with it."""
    until = time.monotonic() + MAKING
    while "about" not in study.user_attrs and time.monotonic() < until:
        time.sleep(0.5)


def _images(definition: Study, runs: list[Run]) -> dict[str, Any]:
    """Each source of images by what is in it, not by where it lies; and how many are tested on."""
    found, most = {}, ALL
    for data in {run.data.model_dump_json(): run.data for run in runs}.values():
        images = all_images(data)
        split = {"train": content(images.train), "test": content(images.test)}
        found[images.source + "-" + _digest(split)] = " ".join(split.values())
        if tested(images, definition) > definition.test_images:
            most = definition.test_images
    return {"data": dict(sorted(found.items())), "test images": most}


def _digest(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:10]


def _refuse(study: optuna.Study, found: Difference) -> None:
    raise UserError(
        f"the storage holds the study {study.study_name!r} with another definition: {found.key} is "
        f"{found.theirs} there and {found.mine} here; nothing was changed. Give another --out or "
        "--storage to start it anew, or undo the change"
    )
