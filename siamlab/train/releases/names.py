"""Names: what the releases call the weights of a run, in the order in which their programs do.

names = official_names("SiameseIM", state)  # {"cls_token": Place("model", "encoder.vit.cls_token")}
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.interop.resize import sine_table
from siamlab.interop.training_checkpoint import Title
from siamlab.model.blocks import TokenBatchNorm
from siamlab.run import Run
from siamlab.train.checkpoint import State


class Place(NamedTuple):
    network: str  # of the state: model or teacher
    name: str  # in that network's state_dict


class Spelling(NamedTuple):
    """A release's names: regular expressions from ours to theirs, and their order."""

    words: tuple[tuple[str, str], ...]
    own: tuple[str, ...]  # weights that no module below the whole has
    modules: tuple[str, ...]
    needs: dict[str, object]  # settings of a run whose networks the release has


KEPT = "encoder.kept"  # of both networks
ENCODER = (r"^encoder\.vit\.", "")
SPELLINGS: dict[Title, Spelling] = {
    "SiameseIM": Spelling(
        words=(
            ENCODER,
            (r"^projectors\.0\.layers\.0\.", "decoder_embed."),
            (r"^projectors\.0\.layers\.1\.", "projector_decoder_blocks."),
            (r"^predictors\.0\.query\.linear\.", "decoder_pos_mlp."),
            (r"^predictors\.0\.blocks\.", "predictor_decoder_blocks."),
            (r"^predictors\.0\.out\.", "decoder_pred."),
            (r"^predictors\.0\.mask_token$", "mask_token"),
        ),
        own=(
            "cls_token", "pos_embed", "mask_token", "decoder_pos_embed", "mm_cls_token",
            "mm_mask_token",
        ),
        modules=(
            "patch_embed", "blocks", "decoder_embed", "projector_decoder_blocks",
            "predictor_decoder_blocks", "decoder_pred", "student_norm", "decoder_pos_mlp",
            "mm_patch_embed", "mm_blocks", "mm_decoder_embed", "mm_projector_decoder_blocks",
        ),
        needs={
            "target.kind": "momentum", "target.normalise": "layer", "prediction.kind": "dense",
            "prediction.end": "none", "prediction.projects": True, "positions.kind": "relative",
            "model.kind": "vit", "model.norm": "none", "model.registers": 0,
        },
    ),
    "MAE": Spelling(
        words=(
            ENCODER,
            (r"^predictors\.0\.embed\.", "decoder_embed."),
            (r"^predictors\.0\.blocks\.", "decoder_blocks."),
            (r"^predictors\.0\.norm\.", "decoder_norm."),
            (r"^predictors\.0\.out\.", "decoder_pred."),
            (r"^predictors\.0\.mask_token$", "mask_token"),
        ),
        own=("cls_token", "pos_embed", "mask_token", "decoder_pos_embed"),
        modules=(
            "patch_embed", "blocks", "norm", "decoder_embed", "decoder_blocks", "decoder_norm",
            "decoder_pred",
        ),
        needs={
            "target.kind": "pixels", "prediction.kind": "dense", "prediction.end": "layer",
            "prediction.norm": "layer", "prediction.projects": False,
            "prediction.normalise": "none", "positions.kind": "own", "model.kind": "vit",
            "model.norm": "layer", "model.registers": 0, "model.layer_scale": 0.0,
        },
    ),
}  # fmt: skip


def check_fits(run: Run, title: Title, failed: str) -> None:
    """Raise UserError for a run whose networks are not those of the release.

    The sentence begins with what `failed`, and names the first setting that differs.
    """
    for key, needed in SPELLINGS[title].needs.items():
        if (own := _setting(run, key)) != needed:
            field = key.removesuffix(".kind")
            if key == "prediction.projects":
                field, own, needed = "prediction.projector", run.prediction.projector, int(needed)
            raise UserError(
                f"{failed}: its networks have {field}={needed or 'none'}, and the run has "
                f"{field}={own}"
            )
    if run.size[0] != run.size[1]:
        raise UserError(f"{failed}: its views are square, and the run has size={list(run.size)}")


def official_names(title: Title, state: State) -> dict[str, Place]:
    """Return the official key of every weight of a run's networks, in the official order.

    What a run began from weights keeps of their places has none: it is part of pos_embed.
    """
    found = {}
    for network in ("model", "teacher"):
        module = getattr(state, network)
        for name in (name for name in module.state_dict() if not name.endswith(KEPT)):
            prefix = "mm_" if network == "teacher" else ""
            found[prefix + _official(title, name, module)] = Place(network, name)
    return {key: found[key] for key in sorted(found, key=_order(title))}


def constants(title: Title, run: Run) -> dict[str, Tensor]:
    """Return what the release keeps in its file and a run computes: sines, and norms that stay."""
    order = (1, 0) if getattr(run.positions, "first", "row") == "column" else (0, 1)
    widths = {"pos_embed": run.model.width, "decoder_pos_embed": run.prediction.width}
    found = {}
    for name, width in widths.items():
        table = sine_table(run.grid, width, order).float()
        found[name] = torch.cat([torch.zeros(1, width), table])[None]  # the class token has none
    if title == "SiameseIM" and run.prediction.normalise == "layer":
        width = run.prediction.width
        found |= {"student_norm.weight": torch.ones(width), "student_norm.bias": torch.zeros(width)}
    return found


def in_order(title: Title, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors in the order in which the release's program has them."""
    return {key: tensors[key] for key in sorted(tensors, key=_order(title))}


def known(title: Title, key: str) -> bool:
    """Return whether a key is of one of the release's networks."""
    return key in SPELLINGS[title].own or key.partition(".")[0] in SPELLINGS[title].modules


def _order(title: Title) -> Callable[[str], int]:
    spelling = SPELLINGS[title]
    places = {name: i for i, name in enumerate((*spelling.own, *spelling.modules))}
    return lambda key: places.get(key.partition(".")[0], len(places))


def _official(title: Title, name: str, module: nn.Module) -> str:
    owner, _, leaf = name.rpartition(".")
    if isinstance(module.get_submodule(owner), TokenBatchNorm):
        name = f"{owner}.bn.{leaf}"
    for pattern, word in SPELLINGS[title].words:
        name = re.sub(pattern, word, name)
    return name


def _setting(run: Run, key: str) -> object:
    """Return the value at a dotted key; None where the choice has no such field."""
    found: object = run
    for part in key.split("."):
        found = getattr(found, part, None)
    return found
