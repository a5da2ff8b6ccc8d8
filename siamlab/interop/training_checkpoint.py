"""Whole: a checkpoint of SiameseIM or MAE as their programs write it, with all that training needs.

whole = read_whole(Path("checkpoint-1599.pth"))     # whole.title, whole.tensors, whole.args, ...
"""

import re
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from torch import Tensor

from siamlab.component import UserError
from siamlab.interop.layout import layout
from siamlab.interop.read import read_file

Title = Literal["SiameseIM", "MAE"]
BRANCHES = {  # of SiameseIM: blocks of the online branch and of the momentum branch
    "blocks": "mm_blocks",
    "projector_decoder_blocks": "mm_projector_decoder_blocks",
}


class Whole(NamedTuple):
    title: Title
    tensors: dict[str, Tensor]  # of all networks, in the order in which the program made them
    args: dict[str, Any]  # the program's settings; {} where the file does not record them
    epoch: int | None  # the last one that it trained, counted from 0
    optimiser: dict[str, Any] | None  # state of AdamW
    scaler: dict[str, Any] | None  # state of the loss scale


def read_whole(path: Path) -> Whole:
    """Return what a pre-training checkpoint holds.

    Raises UserError for a file that is not whole, of another method, or without decoder or
    momentum branch.
    """
    content = read_file(path)
    tensors = content.get("model")
    if not isinstance(tensors, dict) or not tensors or not _all_tensors(tensors):
        raise _no_training(content, path)
    args = content.get("args")
    epoch, optimiser, scaler = (content.get(key) for key in ("epoch", "optimizer", "scaler"))
    return Whole(
        _title(content, path),
        tensors,
        vars(args) if isinstance(args, Namespace) else args if isinstance(args, dict) else {},
        epoch if isinstance(epoch, int) and epoch >= 0 else None,
        optimiser if isinstance(optimiser, dict) else None,
        scaler if isinstance(scaler, dict) else None,
    )


def count_blocks(tensors: Iterable[str], name: str) -> int:
    """Return the number of blocks implied by the keys `name.0`, `name.1`, ..."""
    found = (re.match(rf"{name}\.(\d+)\.", key) for key in tensors)
    return 1 + max((int(match[1]) for match in found if match), default=-1)


def check_branches(tensors: Iterable[str], path: Path) -> None:
    """Raise UserError where the momentum branch has another depth than the online branch."""
    keys = list(tensors)
    for mine, theirs in BRANCHES.items():
        online, momentum = count_blocks(keys, mine), count_blocks(keys, theirs)
        if online != momentum:
            raise UserError(
                f"{path} holds two different networks: {mine} has {online} blocks and its momentum "
                f"copy {theirs} has {momentum}; both must have the same number for a run to "
                "continue: take the file as its program wrote it, or only its encoder: "
                f"model.init={path}"
            )


def _title(content: dict[str, Any], path: Path) -> Title:
    keys = content["model"].keys()
    siamese, momentum = "decoder_pos_mlp.weight" in keys, any(key.startswith("mm_") for key in keys)
    if siamese and momentum:
        check_branches(keys, path)
        return "SiameseIM"
    if siamese or momentum:
        lacks = "momentum branch (mm_...)" if siamese else "predictor (decoder_pos_mlp)"
        raise UserError(
            f"{path} is a checkpoint of SiameseIM without its {lacks}, so a run cannot continue "
            "from it; take the file that its training wrote, or start from its encoder: "
            f"model.init={path}"
        )
    if {"decoder_embed.weight", "decoder_pred.weight"} <= keys:
        return "MAE"
    raise _no_training(content, path)


def _no_training(content: dict[str, Any], path: Path) -> UserError:
    """Return the error for a file from which an encoder can be read, and no more."""
    found = layout(content, path)  # raises UserError if it is not a transformer at all
    what = f"{found.title}'s encoder" if found.title else "an encoder"
    return UserError(
        f"{path} holds {what}, but not all networks that a training of SiameseIM or MAE has "
        f"(decoder_embed, decoder_pred, ...); measure it as it is by `siamlab probe {path}`, or "
        f"start a run from it: model.init={path}"
    )


def _all_tensors(tensors: dict[Any, Any]) -> bool:
    return all(isinstance(k, str) and isinstance(v, Tensor) for k, v in tensors.items())
