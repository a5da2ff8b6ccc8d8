"""Words of the command line, checked before torch loads, so that mistakes are reported at once.

models, words = probe_words(["runs/lr=0.01", "data=scenes"])    # a path, and key=value
"""

import mimetypes
import os
import re
from collections.abc import Sequence
from shlex import quote

from siamlab import RECIPES, zoo
from siamlab.component import UserError, unknown
from siamlab.machine.fields import literal
from siamlab.machine.files import check_readable, expanded

INIT, DEVICE, PRECISION = "model.init", "compute.device", "precision"
PROBE_KEYS = ("data", "fine_tune")
MODEL_FILES = {"run.toml", "encoder.safetensors", "config.json"}  # in a folder that is not an album


def is_assignment(word: str) -> bool:
    """Distinguish key=value from a path with `=` in it, such as runs/lr=0.01."""
    key, equals, _ = word.partition("=")
    return bool(equals) and bool(re.fullmatch(r"[\w.]*", key)) and not os.path.lexists(word)


def probe_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the models and the key=value words of `siamlab probe`.

    Raises UserError for words that can be neither, and for models that are not there.
    """
    own = [w for w in words if "=" in w and w.partition("=")[0].split(".")[0] in PROBE_KEYS]
    models = [word for word in words if word not in own]
    for word in models:
        if is_assignment(word):
            raise UserError(
                f"probe takes data=..., data.key=value and fine_tune.key=value, not {word!r}, "
                "which is also not a file or folder"
            )
        check_model(word)
    if not models:
        raise UserError(
            "probe needs a model: a run's folder, an encoder file, zoo:NAME or timm:NAME"
        )
    return models, own


def check_once(words: Sequence[str], source: str | None = None) -> None:
    """Raise UserError for a key that is given twice with different values; which would count?

    `source` is that of --data, which is another word for data=. A path with = in it is no key.
    """
    given: dict[str, str] = {}
    for word in filter(is_assignment, words):
        key = word.partition("=")[0].removesuffix(".kind")
        first = given.setdefault(key, word)
        if first.partition("=")[2] != word.partition("=")[2]:
            raise UserError(f"{first} and {word} give {key} two values; leave one of them out")
    if source is not None:
        _check_agrees("--data", "data", source, words, "name two sources of images")


def check_one_folder(folder: str, words: Sequence[str]) -> None:
    """Raise UserError for data.path=... beside --data with a folder."""
    if path := next((word for word in words if word.startswith("data.path=")), None):
        raise UserError(f"--data {folder} and {path} name two folders; leave one of them out")


def leaderboard_words(words: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Return models, files of scores (probes.json, .csv) and words of `siamlab leaderboard add`.

    Raises UserError for words that can be none of these, and for models that are not there.
    """
    own = [word for word in words if "=" in word and re.split("[.=]", word)[0] == "data"]
    rest = [word for word in words if word not in own]
    files = [word for word in rest if word.endswith((".csv", "probes.json"))]
    models = [word for word in rest if word not in files]
    for word in models:
        if is_assignment(word):
            raise UserError(f"leaderboard add takes data=... and data.key=value, not {word!r}")
        check_model(word)
    if not models and not files:
        raise UserError(
            "leaderboard add needs a model, as siamlab probe does, a run's probes.json, or a .csv "
            "of published values"
        )
    return models, files, own


def view_words(
    words: Sequence[str], studied: bool = False
) -> tuple[list[str], list[str], list[str]]:
    """Return the models, the photographs (files and folders) and the words of `siamlab view`.

    Raises UserError for models that are not there, and if there are none, unless a study is named
    and nothing else.
    """
    own = [word for word in words if "=" in word and re.split("[.=]", word)[0] == "data"]
    words = [word for word in words if word not in own]
    photos = [word for word in words if is_image(word) or holds_images(word)]
    models = [word for word in words if word not in photos]
    for word in models:
        if is_assignment(word):
            raise UserError(
                f"view takes data=... and data.key=value, not {word!r}, which is also not a file "
                "or folder"
            )
        check_model(word)
    if not models and (not studied or photos or own):
        raise UserError(
            "view needs a model before the photographs: a run's folder, a checkpoint, zoo:NAME "
            "(as zoo:siameseim) or timm:NAME"
        )
    return models, photos, own


def is_image(word: str) -> bool:
    """Tell whether a word ends as the name of an image file does."""
    kind, _ = mimetypes.guess_type(word, strict=False)
    return word.lower().endswith((".avif", ".jfif")) or (kind or "").startswith("image/")


def holds_images(word: str) -> bool:
    """Distinguish a folder of images from that of a model, as far as is known without torch."""
    folder = expanded(word)
    try:
        names = os.listdir(folder) if folder.is_dir() else []
    except PermissionError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}); make it readable") from None
    return not MODEL_FILES & set(names) and any(map(is_image, names))


def data_words(command: str, words: Sequence[str]) -> list[str]:
    """Return the words, which must be data=... or data.key=value; raises UserError for others."""
    for word in words:
        if "=" not in word or word.partition("=")[0].split(".")[0] != "data":
            raise UserError(
                f"{command} takes one model, data=... and data.key=value, but not {word!r}"
            )
    return list(words)


def device_words(device: str | None, words: Sequence[str]) -> list[str]:
    """Return the words and the one for a run's device that --device stands for, if it is given.

    Raises UserError where both are given and differ, and for a GPU that torch does not find.
    """
    if device is None:
        return [*words]
    _check_agrees("--device", DEVICE, device, words, "are two devices")
    from siamlab.machine.device import device_named

    device_named(device)
    return [*words, f"{DEVICE}={device}"]


def precision_words(precision: str | None, words: Sequence[str]) -> list[str]:
    """Return the words and the one for a study's `precision` that --precision stands for.

    Raises UserError where both are given and differ.
    """
    if precision is None:
        return [*words]
    _check_agrees("--precision", PRECISION, precision, words, "differ")
    return [*words, f"{PRECISION}={precision}"]


def _check_agrees(option: str, key: str, value: str, words: Sequence[str], differ: str) -> None:
    """Raise UserError where a word gives the option's key another value."""
    for word in words:
        own, _, named = word.partition("=")
        if own == key and literal(named) != value:
            raise UserError(f"{option} {value} and {word} {differ}; leave one of them out")


def check_model(name: str) -> None:
    """Raise UserError for the name of a missing model, as far as is known without torch."""
    if name.startswith(("timm:", "hf:")):
        return
    check_readable(zoo.path_of(name))
    if not os.path.exists(zoo.path_of(name)):
        raise zoo.missing(name)


def check_start(words: Sequence[str]) -> None:
    """Raise UserError for model.init=NAME of a missing model, before images are read."""
    for word in words:
        key, _, name = word.partition("=")
        if key == INIT and name:
            try:
                check_model(name)
            except UserError as problem:
                raise UserError(f"{INIT}: {problem}") from None


def run_file(recipe: str) -> str:
    """Return the path of run.toml in a run's folder that stands for a recipe; "" for others."""
    file = expanded(recipe) / "run.toml"
    return str(file) if recipe not in RECIPES and os.path.isfile(file) else ""


def check_recipe(command: str, recipe: str) -> None:
    """Raise UserError for what is neither a recipe nor a TOML file."""
    if recipe in RECIPES or recipe.endswith(".toml"):
        return
    if file := run_file(recipe):
        raise UserError(
            f"{recipe} is a run's folder: `siamlab train {quote(recipe)} --resume` continues the "
            f"run, and {file} has its settings"
        )
    if is_assignment(recipe):
        raise UserError(
            f"{recipe} is not a recipe; the recipe comes first, as in "
            f"`siamlab {command} mae {recipe}`"
        )
    raise UserError(unknown("there is no recipe", recipe, RECIPES) + ", or a .toml file")
