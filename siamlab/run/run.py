"""Run: one point of the design space, with its data, sizes, optimiser and seed.

run = Run(loss=UniGrad(weight=0.05))  ==  Run.read("run.toml")  ==  run.change("loss.weight=0.05")
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import Field, model_validator

from siamlab.colour import Colour, SiameseColour
from siamlab.component import Component, Sizes, UserError
from siamlab.data import Data, Scenes
from siamlab.geometry import Grid
from siamlab.loss import Loss, UniGrad
from siamlab.machine.arguments import typed
from siamlab.machine.files import text_in
from siamlab.masking import BlockwiseMasking, Masking
from siamlab.model.backbone import Backbone, Vit
from siamlab.model.prediction import DenseDecoder, Prediction
from siamlab.positions import Positions, RelativeScale
from siamlab.run.assignments import choice_of, differences
from siamlab.run.fields import MOST_BYTES, Name, Size
from siamlab.run.mistakes import changed, made
from siamlab.run.rules import (
    batch_divides,
    frames_agree,
    heads_fit,
    mask_asks,
    rate_falls,
    sizes_fit,
)
from siamlab.target import Momentum, Target
from siamlab.views import TwoCrops, View, Views

Beta = Annotated[float, Field(ge=0, lt=1)]


class AdamW(Component):
    """AdamW, linear warm-up, then a cosine to the least rate; biases and norms do not decay."""

    lr: float = Field(
        default=6.25e-5, gt=0, description="peak learning rate per 256 images per step"
    )
    least_lr: float = Field(
        default=0.0, ge=0, description="learning rate after the last step, per 256 images per step"
    )
    betas: tuple[Beta, Beta] = Field(
        default=(0.9, 0.95), description="decay rates of the running means"
    )
    decay: float = Field(default=0.05, ge=0, description="weight decay")
    tokens: Literal["kept", "decay"] = Field(
        default="kept",
        description="class, register and mask tokens: without weight decay, or with it, as in the "
        "releases of MAE and SiameseIM",
    )
    warmup: float = Field(
        default=0.025, ge=0, lt=1, description="fraction of the steps in which lr rises"
    )
    clip: float = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=True,
        description="largest norm of the gradient; inf: no clipping",
    )

    def shrunk(self, to: Sizes) -> "AdamW":
        return self.replace(lr=4e-3, warmup=to.warmup, tokens="kept")


class Compute(Component):
    """The device and precision of a run; only `accumulate` changes what is learned."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        default="auto", description="auto: a GPU if there is one; mps, Apple's, only by this name"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="numbers of the forward pass; auto: bfloat16 on a GPU that has it, or on a "
        "processor that has it if the encoder is wide enough to be faster",
    )
    compile: bool = Field(default=False, description="compile both networks with torch.compile")
    accumulate: int = Field(
        default=1,
        ge=1,
        description="parts into which a batch is cut; each has its own draws, negatives and batch "
        "statistics",
    )
    threads: int = Field(
        default=0, ge=0, le=1024, description="threads of this process; 0: torch's choice"
    )


# fields that do not change what is trained, so that a run may resume with other values
BESIDE = (
    "compute", "log_every", "save_every", "keep_every", "keep", "probe_every", "probe_images",
)  # fmt: skip


class Run(Component):
    """Everything that decides a training run. The defaults are SiameseIM's release recipe."""

    name: Name = Field(
        default="siameseim",
        pattern=r"^[^/\\\x00-\x1f\x7f]*[^/\\.\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*$",
        max_length=MOST_BYTES,
        description="its name in tables and pictures",
    )
    data: Data = Scenes()
    size: Size = (224, 224)
    views: Views = TwoCrops()
    roles: Literal["fixed", "both"] = Field(
        default="fixed",
        description="fixed: the first view is the context; both: each in turn",
    )
    colour: Colour = SiameseColour()
    masking: Masking = BlockwiseMasking()
    positions: Positions = RelativeScale()
    target: Target = Momentum()
    prediction: Prediction = DenseDecoder()
    loss: Loss = UniGrad()
    model: Backbone = Vit()
    optimiser: AdamW = AdamW()
    batch: int = Field(
        default=4096, ge=2, le=2**20, description="images per step, over all processes"
    )
    steps: int = Field(default=500_000, ge=1, le=10**9, description="updates of the weights")
    seed: int = Field(
        default=0, ge=0, lt=2**32, description="seed of weights, order, views and masks"
    )
    log_every: int = Field(default=20, ge=1, description="steps between lines of metrics.jsonl")
    save_every: int = Field(default=1000, ge=1, description="steps between checkpoints")
    keep_every: int = Field(
        default=0, ge=0, description="steps between encoders that are kept for good; 0: none"
    )
    keep: Literal["encoder", "branches"] = Field(
        default="encoder",
        description="what is kept then; branches: predictor and target too, for explorers of "
        "predictions",
    )
    probe_every: int = Field(
        default=0, ge=0, description="steps between probes of the encoder; 0: none"
    )
    probe_images: int = Field(
        default=1000,
        ge=20,
        description="training images of those probes; test images: half as many",
    )
    compute: Compute = Compute()

    @property
    def grid(self) -> Grid:
        """The rows and columns of patches in a view."""
        return self.size[0] // self.model.patch, self.size[1] // self.model.patch

    def directions(self, first: View, second: View) -> list[tuple[View, View]]:
        """Return the (context, target) pairs that one pair of views is trained on."""
        return [(first, second)] if self.roles == "fixed" else [(first, second), (second, first)]

    def change(self, *assignments: str, **fields: Any) -> "Run":
        """Return a checked copy: `run.change("loss.weight=0.05", "loss=cosine", steps=100)`."""
        return changed(Run, self.model_dump() | fields, assignments)

    @typed
    def differences(self, base: "Run") -> list[str]:
        """Return the assignments that change `base` into this run, the name left out."""
        return list(differences(self.replace(name=base.name), base))

    def toml(self) -> str:
        """Return the run as TOML, which `Run.parse` reads back to an equal run."""
        return tomli_w.dumps(self.model_dump(mode="json"))

    @classmethod
    def make(cls, fields: dict[str, Any]) -> "Run":
        """Return a run from plain tables; a mistake raises UserError with one sentence."""
        return made(cls, fields)

    @classmethod
    @typed
    def parse(cls, text: str, name: str = "the text") -> "Run":
        """Return a run from TOML; fields that it leaves out have their defaults."""
        try:
            fields = tomllib.loads(text)
            return cls.make({k: choice_of(k, v, cls) for k, v in fields.items()})
        except tomllib.TOMLDecodeError as error:
            raise UserError(
                f"{name} is not TOML ({error}); `siamlab show mae` prints one"
            ) from None
        except RecursionError:
            raise UserError(
                f"{name} nests tables or lists hundreds of levels deep; a run has four; "
                "`siamlab show mae` prints one"
            ) from None
        except UserError as mistake:
            raise UserError(f"{name}: {mistake}") from None

    @classmethod
    @typed
    def read(cls, path: str | Path) -> "Run":
        """Return a run from a TOML file."""
        path = Path(path)
        try:
            return cls.parse(text_in(path), str(path))
        except UnicodeDecodeError:
            raise UserError(f"{path} is not UTF-8, as TOML must be; save it as UTF-8") from None
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise UserError(
                f"there is no run file {path}; `siamlab show mae > {path}` writes one"
            ) from None
        except OSError as error:
            raise UserError(
                f"{path} cannot be read ({error.strerror}); make it readable, or name another file"
            ) from None

    @model_validator(mode="after")
    def _meaningful(self) -> "Run":
        for problem in self._problems():
            if problem:
                raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str | None]:
        """Yield what each rule finds, in an order in which later rules rest on earlier ones."""
        yield sizes_fit(self.size, self.model, self.prediction)
        yield mask_asks(self.masking, self.grid)
        yield frames_agree(self.views, self.roles, self.masking, self.prediction, self.grid)
        yield heads_fit(self.target, self.prediction, self.model)
        yield batch_divides(self.batch, self.compute.accumulate)
        yield rate_falls(self.optimiser.lr, self.optimiser.least_lr)
