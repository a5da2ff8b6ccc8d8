"""Run: one point of the design space, with its data, sizes, optimiser and seed.

run = Run(loss=UniGrad(weight=0.05))  ==  Run.read("run.toml")  ==  run.change("loss.weight=0.05")
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from siamlab.component import Component, UserError
from siamlab.data import Data, Scenes
from siamlab.geometry import Grid
from siamlab.loss import Loss, UniGrad
from siamlab.masking import BlockwiseMasking, Masking
from siamlab.model.encoder import Backbone, Vit
from siamlab.model.prediction import DenseDecoder, Prediction
from siamlab.photometric import Colour, SiameseColour
from siamlab.positions import Positions, RelativeScale
from siamlab.rules import RULES
from siamlab.settings import choice_of, differences, explain, settings
from siamlab.target import Momentum, Target
from siamlab.views import TwoCrops, View, Views


def _two_sides(size: Any) -> Any:
    return (size, size) if isinstance(size, int) else size


Size = Annotated[
    tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]],
    BeforeValidator(_two_sides),
    Field(description="height and width of a view, pixels; one number for both"),
]


Beta = Annotated[float, Field(ge=0, lt=1)]


class AdamW(Component):
    """AdamW with linear warm-up and a cosine to zero; no decay of biases, norms and tokens."""

    lr: float = Field(6.25e-5, gt=0, description="peak learning rate for 256 images a step")
    betas: tuple[Beta, Beta] = Field((0.9, 0.95), description="of the two running means")
    decay: float = Field(0.05, ge=0, description="weight decay")
    warmup: float = Field(0.025, ge=0, lt=1, description="part of the steps that lr rises")
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient; inf: no clipping")


class Compute(Component):
    """Where and how it is computed; of all this only `accumulate` changes what is learned."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU if there is one"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="of the forward pass; auto: bfloat16 where a GPU has it, or where a processor "
        "has and the encoder is wide enough to gain by it",
    )
    compile: bool = Field(False, description="compile both networks with torch.compile")
    accumulate: int = Field(
        1,
        ge=1,
        description="parts of a batch, one after another; each has draws, negatives and batch "
        "statistics of its own",
    )
    threads: int = Field(0, ge=0, description="threads of this process; 0: torch's choice")


# fields of a run that change nothing of what is trained: it goes on with other values of them
BESIDE = ("compute", "log_every", "save_every", "probe_every", "probe_images")


class Run(Component):
    """Everything that decides a training run. Defaults are SiameseIM's release recipe."""

    name: str = Field(
        "siameseim",
        pattern=r"^[^/\\]*[^/\\.][^/\\]*$",
        description="what tables and pictures call it",
    )
    data: Data = Scenes()
    size: Size = (224, 224)
    views: Views = TwoCrops()
    roles: Literal["fixed", "both"] = Field(
        "fixed", description="first view is the context; both: each is, and the losses add"
    )
    colour: Colour = SiameseColour()
    masking: Masking = BlockwiseMasking()
    positions: Positions = RelativeScale()
    target: Target = Momentum()
    prediction: Prediction = DenseDecoder()
    loss: Loss = UniGrad()
    model: Backbone = Vit()
    optimiser: AdamW = AdamW()
    batch: int = Field(4096, ge=2, description="images a step, over all processes")
    steps: int = Field(500_000, ge=1, description="updates of the weights")
    seed: int = Field(0, ge=0, description="decides weights, order, views and masks")
    log_every: int = Field(20, ge=1, description="steps between lines of metrics.jsonl")
    save_every: int = Field(1000, ge=1, description="steps between checkpoints")
    probe_every: int = Field(0, ge=0, description="steps between probes of the encoder; 0: none")
    probe_images: int = Field(
        1000, ge=20, description="training images of those probes; of test images half as many"
    )
    compute: Compute = Compute()

    @property
    def grid(self) -> Grid:
        """Rows and columns of patches in a view."""
        return self.size[0] // self.model.patch, self.size[1] // self.model.patch

    def directions(self, first: View, second: View) -> list[tuple[View, View]]:
        """The (context, target) pairs that one pair of views is trained on."""
        return [(first, second)] if self.roles == "fixed" else [(first, second), (second, first)]

    def change(self, *assignments: str, **fields: Any) -> "Run":
        """A checked copy: `run.change("loss.weight=0.05", "loss=cosine", steps=100)`."""
        return Run.make(settings(self.model_dump() | fields, assignments, Run))

    def differences(self, base: "Run") -> list[str]:
        """Assignments with which `base.change(*assignments)` is this run, its name left out."""
        return list(differences(self.replace(name=base.name), base))

    def toml(self) -> str:
        """The run as TOML; `Run.parse` reads it back to an equal run."""
        return tomli_w.dumps(self.model_dump(mode="json"))

    @classmethod
    def make(cls, fields: dict[str, Any]) -> "Run":
        """A run from plain tables; a mistake is one sentence (UserError)."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise UserError(explain(error, fields)) from None

    @classmethod
    def parse(cls, text: str, name: str = "the text") -> "Run":
        """A run from TOML; what it leaves out has its default."""
        try:
            fields = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UserError(
                f"{name} is not TOML ({error}); `siamlab show mae` prints one"
            ) from None
        words = {k: choice_of(k, v, cls) for k, v in fields.items()}
        try:
            return cls.make(words)
        except UserError as mistake:
            raise UserError(f"{name}: {mistake}") from None

    @classmethod
    def read(cls, path: str | Path) -> "Run":
        """A run from a TOML file."""
        path = Path(path)
        if not path.is_file():
            raise UserError(f"there is no run file {path}; `siamlab show mae > {path}` writes one")
        try:
            return cls.parse(path.read_text("utf-8"), str(path))
        except UnicodeDecodeError:
            raise UserError(f"{path} is not UTF-8, as TOML must be; save it as that") from None

    @model_validator(mode="after")
    def _meaningful(self) -> "Run":
        for rule in RULES:
            if problem := rule(self):
                raise ValueError(problem)
        return self
