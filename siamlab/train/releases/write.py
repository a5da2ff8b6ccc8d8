"""Write: a run as the checkpoint that the release's own program would have written.

write_release("runs/official", Path("official.pth"))

What `import_release` read comes back the same, bit for bit, as long as nothing was trained since.
"""

from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from siamlab.component import UserError
from siamlab.interop.read import read_file
from siamlab.interop.training_checkpoint import Title
from siamlab.model.encoder import Encoder
from siamlab.run import Run
from siamlab.train import checkpoint
from siamlab.train.checkpoint import State
from siamlab.train.folder import RunFolder
from siamlab.train.releases.arguments import arguments, epoch_length
from siamlab.train.releases.moments import moments, trained
from siamlab.train.releases.names import (
    Place,
    check_fits,
    constants,
    in_order,
    official_names,
)
from siamlab.train.releases.read import UNREAD, new_state, title_of
from siamlab.train.schedule import learning_rate


def write_release(folder: str | Path, to: Path) -> None:
    """Write the newest checkpoint of a run's folder with the keys of SiameseIM's or MAE's release.

    Raises UserError for a folder without a whole checkpoint and for a run of another method.
    """
    kept = RunFolder(folder)
    run = kept.run()
    title = title_of(run)
    check_fits(run, title, f"{folder} cannot become a checkpoint of {title}'s release")
    state = new_state(run)
    step = _restore(kept, state)
    torch.save(content(title, run, state, step, _rest(kept)), to)


def content(
    title: Title, run: Run, state: State, step: int, rest: dict[str, Any]
) -> dict[str, Any]:
    """Return what the program saves; `rest` is what a file held that this run came from."""
    same, told = rest.get("step") == step, rest.get("args", {})
    names = official_names(title, state)
    weights = _weights(title, run, state, names, rest.get("model", {}), same)
    length = epoch_length(run, step, told)
    lr = learning_rate(max(0, step - 1), run.steps, run.batch, run.optimiser)
    groups = trained(names, state.model, weights)
    saved = moments(state.optimiser, groups, weights, lr, run.optimiser)
    if same and rest["groups"]:
        saved["param_groups"] = rest["groups"]
    found = {
        "model": weights,
        "optimizer": saved if rest.get("moments") or not same else None,
        "epoch": rest["epoch"] if same else step // length - 1,
        "scaler": rest.get("scaler"),
        "args": Namespace(**(told if same and not told else arguments(title, run, length, told))),
    }
    return {key: value for key, value in found.items() if value is not None}


def _weights(
    title: Title,
    run: Run,
    state: State,
    names: dict[str, Place],
    rest: dict[str, Tensor],
    same: bool,
) -> dict[str, Tensor]:
    """Return all tensors of the release's networks; fixed ones are those of the file, if any."""
    networks = {"model": state.model.state_dict(), "teacher": state.teacher.state_dict()}
    found = {key: networks[place.network][place.name] for key, place in names.items()}
    found["mask_token"] = found["mask_token"][None, None]
    fixed = constants(title, run)
    if state.model.encoder.kept is not None:
        fixed["pos_embed"] = _kept_places(state.model.encoder)
    if title == "SiameseIM":
        fixed[UNREAD] = found["mask_token"].clone()
    kept = {key: value for key, value in rest.items() if same or key != UNREAD}
    return in_order(title, found | fixed | kept)


def _kept_places(encoder: Encoder) -> Float[Tensor, "1 M D"]:
    """Return the table of a run that began from weights with places of their own.

    The release's program never trains its table, but reads it from the file.
    """
    table = encoder.plain().pos_embed.detach()
    return torch.cat([torch.zeros_like(table[:, :1]), table], dim=1)  # the class token has none


def _restore(folder: RunFolder, state: State) -> int:
    """Load the newest whole checkpoint; return its step."""
    newest, _ = checkpoint.newest(folder.checkpoints)
    if newest is None:
        raise UserError(
            f"{folder.path} has no whole checkpoint to write; wait for one, or set save_every lower"
        )
    return checkpoint.restore(newest, state)


def _rest(folder: RunFolder) -> dict[str, Any]:
    return read_file(folder.release) if folder.release.exists() else {}
