"""Words: command lines drawn by hypothesis from the fields of a run, from options and from junk.

Each line ends with 0, or with 2 and one sentence. A run that `show` accepts is read back as the
same run; one that is refused leaves no file.
"""

import contextlib
import io
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from annotated_types import MultipleOf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import BaseModel

from drill import Row
from drill._tiny import OWN, TINY, tiny
from siamlab import RECIPES
from siamlab.cli.main import main
from siamlab.cli.parser import parser
from siamlab.machine.fields import choices, text_of
from siamlab.probe.finetune_recipe import FineTune
from siamlab.recipes import RECIPES as MADE
from siamlab.run import Run
from siamlab.train import train

Lines = st.SearchStrategy[list[str]]
SECONDS = 60  # after which a line counts as one that does not end
HOSTILE = (
    *"nan inf -inf -1 0 -0.0 1e400 1_000 0x10 １２ true null [] {} {kind=1} ' = .. [red]".split(),
    *("", " ", "a\nb", "\0", "\x1b[31m", "\u202e", "é\udcff", "[1, 'a']", '"""', "~nobody/x"),
    *("9" * 400, "[" * 2000, "x" * 300, "/proc", "/dev/null"),
)
FOREIGN = ("Traceback", "Errno", "pydantic", "object at 0x", "NoneType", "hypothesis")
LASTING = {"lab", "demo", "view", "export-demo", "train"}  # serve, build or train for long
HUGE = ("4096", "1000000", "4000000000")  # sides of more patches of 4 pixels than are measured
LIMITED = ("--images", "20", "--test-images", "10")  # of a probing
MODEL = {  # commands that take a size, and what they need besides
    "probe": ["run"],
    "embed": ["run", "--out", "huge.parquet"],
    "export": ["run", "--to", "huge.onnx"],
}
WORDS = (
    *"run photos notes.txt none zoo:scenes_mae timm:nope x.parquet x.safetensors".split(),
    *"list info show report page remove scenes mae masking.ratio data=scenes".split(),
)


class Unclear(AssertionError):
    """A line that ended otherwise than with 0, or with 2 and one sentence."""


class Endless(BaseException):
    """A line that did not end in time; nothing that handles errors may catch it."""


def drill(scratch: Path, short: bool) -> Iterator[Row]:
    os.environ["SIAMLAB_CACHE"] = str(scratch / "cache")
    back = Path.cwd()
    os.chdir(_place(scratch / "place"))
    try:
        for what, lines, law, many, few in (
            ("`show` with fields of the right type", shown(valid()), read_back, 2000, 100),
            ("`show` with fields of any value", shown(valid() | hostile()), read_back, 2000, 100),
            ("`train` of one step", trained(), trains, 400, 10),
            ("other commands with options and junk", others(), answered, 2000, 60),
        ):
            count, statuses = few if short else many, Counter()
            found = faults(lines, partial(law, statuses), count, short)
            yield Row(f"{count:,} × {what}", "kinds of fault", found, 0)
            yield Row(f"{count:,} × {what}", "accepted", statuses[0], least=None if short else 1)
    finally:
        os.chdir(back)


def faults(lines: Lines, law: Callable[[list[str]], Any], count: int, fixed: bool) -> int:
    """Return in how many ways the law was broken, and print the shortest line for each way.

    `fixed`: the same lines each time, so that a change is not blamed for what was there before.
    """

    @settings(
        max_examples=count, deadline=None, database=None, derandomize=fixed,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(lines)
    def all_hold(words: list[str]) -> None:
        law(words)

    try:
        all_hold()
    except BaseExceptionGroup as group:
        found = group.exceptions
    except (Exception, Endless) as error:
        found = (error,)
    else:
        return 0
    for error in found:
        notes = " ".join(getattr(error, "__notes__", ()))
        print(f"{type(error).__name__}: {error}\n{notes}")
    return len(found)


# laws


def answered(statuses: Counter[int], words: list[str]) -> str:
    """Count and check the status of a line; return what it printed, "" if it was refused.

    Raises Unclear where it did not, Endless, or what the line raised.
    """
    said, printed = io.StringIO(), io.StringIO()
    signal.signal(signal.SIGALRM, partial(_endless, words))
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(printed):
            status = main(words)
    except SystemExit as end:  # --help and --version
        status = end.code or 0
    finally:
        signal.alarm(0)
    lines = [line for line in said.getvalue().splitlines() if line.startswith("siamlab: ")]
    clear = not any(word in said.getvalue() for word in FOREIGN)
    if status not in (0, 2) or not clear or (status == 2 and len(lines) != 1):
        raise Unclear(f"{words}: {status}, {said.getvalue()!r}")
    statuses[status] += 1
    return printed.getvalue() if status == 0 else ""


def read_back(statuses: Counter[int], words: list[str]) -> None:
    """A run that is shown is the one that is read from what is shown."""
    if text := answered(statuses, words):
        Path("shown.toml").write_text(text)
        if answered(Counter(), ["show", "shown.toml"]) != text:
            raise Unclear(f"{words}: read back otherwise")


def trains(statuses: Counter[int], words: list[str]) -> None:
    """A run that is accepted is trained; one that is refused leaves nothing."""
    out = Path(f"trained-{time.monotonic_ns()}")
    printed = answered(statuses, [*words, "--out", str(out)])
    if bool(printed) != (out / "encoder.safetensors").exists() or (not printed and out.exists()):
        raise Unclear(f"{words}: {'trained' if printed else 'refused'}, {[*out.glob('*')]}")


# lines


def shown(words: Lines) -> Lines:
    size = st.sampled_from([[], ["--small"], ["--photos"]])
    return st.tuples(st.sampled_from([*RECIPES]), size, words).map(
        lambda t: ["show", t[0], *t[1], *t[2]]
    )


def trained() -> Lines:
    """Runs of one step, as small as `TINY` but for what is drawn from small numbers."""

    def line(name: str, words: list[str]) -> list[str]:
        own = OWN.get(MADE[name]().prediction.kind, OWN["global"])
        given = {word.partition("=")[0] for word in words}  # no key may be given twice
        small = {word.partition("=")[0]: word for word in (*TINY, *own, "steps=1")}
        return ["train", name, "--small", *(w for k, w in small.items() if k not in given), *words]

    huge = st.sampled_from(HUGE).map(lambda side: [f"size={side}"])
    return st.builds(line, st.sampled_from([*RECIPES]), valid(most=12) | hostile() | huge)


def others() -> Lines:
    """Commands that end soon, each with options of its own, files of every kind, and junk."""
    commands = {name: known for name, known in _commands().items() if name not in LASTING}

    def line(name: str) -> Lines:
        own = commands[name]
        word = st.sampled_from([*own, *WORDS, *HOSTILE]) | st.text(max_size=6)
        word = word.filter(lambda text: "\0" not in text)  # which no system hands over
        limits = [*LIMITED] if name == "probe" else []
        lines = st.lists(word, max_size=4).map(lambda words: [name, *words, *limits])
        huge = st.sampled_from(HUGE).map(lambda side: [name, *MODEL[name], "--size", side, *limits])
        return lines | huge if name in MODEL else lines

    return st.sampled_from([*commands]).flatmap(line)


def valid(most: int | None = None) -> Lines:
    """Words for one to three fields, of the right type, numbers at most `most`."""
    field = st.sampled_from(list(_fields(Run))).flatmap(lambda field: _assigned(field, most))
    return st.lists(field, min_size=1, max_size=3).map(lambda fields: sum(fields, []))


def hostile() -> Lines:
    """Words `key=value` in which key or value is wrong, or both."""
    keys = [field.key for model in (Run, FineTune) for field in _fields(model)]
    key = st.sampled_from(keys) | st.sampled_from(keys).map(lambda k: k[:-1]) | st.text(max_size=5)
    value = st.sampled_from(HOSTILE) | st.text(max_size=8)
    return st.lists(st.builds("{}={}".format, key, value), min_size=1, max_size=3)


class Field(NamedTuple):
    words: list[str]  # which choose the components that have it, as masking=random
    key: str
    type: Any  # as hypothesis reads it


def _fields(model: type[BaseModel], prefix: str = "", *words: str) -> Iterator[Field]:
    for name, field in model.model_fields.items():
        key, inside = f"{prefix}{name}", choices(field.annotation)
        marks = [mark for mark in field.metadata if not isinstance(mark, MultipleOf)]  # unsupported
        if name != "kind" and "" not in inside:
            annotation = Annotated[field.annotation, *marks] if marks else field.annotation
            yield Field([*words], key, annotation)
        for kind, part in inside.items():
            yield from _fields(part, f"{key}.", *words, *[f"{key}={kind}"] * bool(kind))


def _assigned(field: Field, most: int | None) -> Lines:
    kinds = [kind for kind in choices(field.type) if kind]
    values = st.sampled_from(kinds) if kinds else _values(field.type, most)
    return values.map(lambda value: [*field.words, f"{field.key}={text_of(value)}"])


def _values(annotation: Any, most: int | None) -> st.SearchStrategy[Any]:
    plain = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if plain is str:
        return st.text(max_size=8)
    found = st.from_type(annotation)
    if most is not None and plain in (int, float):
        found = found.filter(lambda number: abs(number) <= most)
    return found


def _commands() -> dict[str, list[str]]:
    """Return the options of every command."""
    (inside,) = (action for action in parser()._actions if isinstance(action.choices, dict))
    return {name: [*each._option_string_actions] for name, each in inside.choices.items()}


def _place(folder: Path) -> Path:
    """Make a folder with a run, photographs and a text file."""
    for path in ("train/cat", "train/dog", "test/cat", "test/dog"):
        (folder / "photos" / path).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / "photos" / path / "a.png")
    (folder / "notes.txt").write_text("hello\n")
    train(tiny("mae", "steps=1"), folder / "run")
    return folder


def _endless(words: list[str], *_: Any) -> None:
    raise Endless(f"{words}: no end after {SECONDS} s")
