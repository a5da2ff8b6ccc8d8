"""The interface of the standard sets: files, published protocols, scores.

measure = Spair(path="SPair-71k")()         # its files are read once
readings = measure(eye, report)             # for each model
"""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from siamlab.component import Component
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.probe.score import Reading, Settings

REVISION = 1  # of these definitions; numbers of two revisions are not comparable
Report = Callable[[str], None]
Measurement = Callable[[AnySize, Report], Iterator[Reading]]  # the numbers of one model


class Published(NamedTuple):
    """A number to compare with."""

    model: str
    probe: str  # the key of a row
    value: float
    source: str


class StandardSet(Component):
    """Base of the sets with a task of their own: `data()` returns what measures a model on one."""

    title: ClassVar[str]
    licence: ClassVar[str]
    origin: ClassVar[str]  # where its files are
    protocols: ClassVar[Mapping[str, Any]]  # by the name that the field `protocol` takes

    @abstractmethod
    def __call__(self) -> Measurement: ...

    def published(self) -> tuple[Published, ...]:
        """Return what was published of other models with this protocol."""
        return self.protocols[self.protocol].published


def content(names: Iterable[object]) -> str:
    """Ten hexadecimal digits that identify what was measured."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(repr(name).encode())
    return digest.hexdigest()[:10]


def settings(name: str, fields: Settings) -> Settings:
    """Return what a number on a set depends on: the set, and the fields of its protocol.

    Numbers that were published with it do not decide any.
    """
    kept = {key: value for key, value in fields.items() if key != "published"}
    return {"revision": REVISION, "set": name} | kept
