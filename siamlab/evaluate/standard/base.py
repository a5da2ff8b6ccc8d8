"""The interface of the standard sets: files, published protocols, scores.

measure = Spair(path="SPair-71k")()         # its files are read once
readings = measure(eye, report)             # for each model
"""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, NamedTuple

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from siamlab.component import Component
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.probe.score import Direction, Reading, Settings, bootstrap

REVISION = 1  # of these definitions; numbers of two revisions are not comparable
Report = Callable[[str], None]
Images = Annotated[int, Field(ge=0, description="most training images, drawn by a seed; 0: all")]
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

    @property
    def chosen(self) -> Any:
        """The fields of its protocol."""
        return self.protocols[self.protocol]

    @property
    def places(self) -> str:
        """The fields that say where its files are, without their values."""
        return " ".join(key for key, value in self if key.endswith("path") and value)

    def published(self) -> tuple[Published, ...]:
        """Return what was published of other models with this protocol."""
        return self.chosen.published

    def settings(self, files: Iterable[object], **own: Any) -> Settings:
        """Return what a number depends on: the protocol, the names in `files`, and `own` fields.

        Numbers that were published with it do not decide any.
        """
        kept = {key: value for key, value in self.chosen._asdict().items() if key != "published"}
        kept |= {"protocol": self.protocol, "content": content(files)}
        return {"revision": REVISION, "set": self.title} | kept | own


def content(names: Iterable[object]) -> str:
    """Ten hexadecimal digits that identify what was measured."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(repr(name).encode())
    return digest.hexdigest()[:10]


def image_means(
    terms: Float[Tensor, "n 3 K"], numbers: Mapping[str, tuple[str, Direction]], about: Settings
) -> Iterator[Reading]:
    """Yield means over images of K − 1 numbers each, with their interval; by key, unit, direction.

    The three rows of an image are the model's, a blind and the best possible answer. The last of
    the K is 1, or 0 for an image that is not scored, whose numbers are 0 as well.
    """
    chance, ceiling = (terms[:, way, :-1].sum(0) / terms[:, way, -1:].sum(0) for way in (1, 2))
    for i, (key, (unit, direction)) in enumerate(numbers.items()):
        mean = lambda sums, i=i: sums[..., i] / sums[..., -1]  # noqa: E731
        levels = chance[i].item(), ceiling[i].item()
        yield Reading(key, bootstrap(terms[:, 0], mean, *levels, unit, direction), about)
