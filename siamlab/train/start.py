"""Start: an encoder that begins at the weights of a checkpoint (`model.init`).

start_from(model.encoder, run)      # before the target copies it
"""

import torch
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.interop.resize import resize
from siamlab.interop.weights import means_weights, weights_hash
from siamlab.model.encoder import Encoder
from siamlab.model.standard import MEAN, STD
from siamlab.positions import own_places
from siamlab.probe.batches import Inputs
from siamlab.run import Run
from siamlab.train.export import open_by_name
from siamlab.train.folder import RunFolder


def start_from(encoder: Encoder, run: Run) -> None:
    """Give a new encoder the weights that `run.model.init` names, for the same features.

    The position table stays as it is in the file (fixed sines are recomputed at the run's
    size), colours and LayerScale are folded into the adjacent weights. Raises UserError for weights
    of another architecture than the run's.
    """
    vit = _checked(encoder, run)
    if tuple(vit.patch_embed.img_size) != tuple(run.size):
        resize(vit, tuple(run.size))
    weights, table = _without_places(vit)
    added = _recoloured(weights, Inputs.of(vit))
    if not _has_scales(encoder):
        _fold_scales(weights)
    _check_keys(run.model.starts_from, weights, encoder.vit)
    with torch.no_grad():
        encoder.vit.load_state_dict(weights)
        own = encoder.place(own_places(encoder.grid))
        encoder.kept.copy_(table + added - own)


def check_start(run: Run) -> None:
    """Raise UserError for weights of another architecture than the run's, before any training."""
    with torch.device("meta"):
        encoder = Encoder(run.model, run.positions, run.size, run.prediction.fills)
    weights, _ = _without_places(_checked(encoder, run))
    if not _has_scales(encoder):
        _fold_scales(weights)
    _check_keys(run.model.starts_from, weights, encoder.vit)


def named_weights(run: Run) -> dict[str, str]:
    """Return the fields of a run that name weights, with the name of each."""
    target = str(getattr(run.target, "name", ""))
    random = getattr(run.target, "weights", "") == "random"
    taught = target if means_weights(target) and not random else ""
    fields = {"model.init": run.model.starts_from, "target.name": taught}
    return {key: name for key, name in fields.items() if name}


def bind_weights(run: Run, folder: RunFolder, started: bool) -> None:
    """Note in a new run's folder the hashes of the weights it names; compare those of an old one.

    Weights that a run has only `started` from need not be there any more. Raises UserError where
    a name means other weights than when the run began.
    """
    needed = {k: v for k, v in named_weights(run).items() if not (started and k == "model.init")}
    hashes = {key: weights_hash(open_by_name(name).model) for key, name in needed.items()}
    kept = folder.weights(hashes)
    for key, value in hashes.items():
        if kept.get(key, value) != value:
            raise UserError(
                f"{key}={needed[key]} holds other weights than when the run in {folder.path} began "
                "(their hash is in its environment.json); put the old ones back, or choose another "
                "--out"
            )


def _checked(encoder: Encoder, run: Run) -> nn.Module:
    """Return the weights to start from, of the encoder's size and activation."""
    name = run.model.starts_from
    vit = open_by_name(name).model
    _check_sizes(name, vit, encoder.vit, run.model.by_name)
    _check_activation(name, vit, encoder.vit)
    return vit


def _has_scales(encoder: Encoder) -> bool:
    return any(key.endswith((".gamma", ".gamma_1")) for key in encoder.vit.state_dict())


def _without_places(vit: nn.Module) -> tuple[dict[str, Tensor], Tensor | float]:
    """Return the weights, and the places of the patches; those of prefix tokens join them."""
    weights = {key: value.detach().clone() for key, value in vit.state_dict().items()}
    table = weights.pop("pos_embed", None)
    if table is None:
        return weights, 0.0
    first = table.shape[1] - vit.patch_embed.num_patches  # tokens without a place come in front
    for key in ("cls_token", "reg_token"):
        if first and key in weights:
            count = weights[key].shape[1]
            weights[key] = weights[key] + table[:, :count]
            table, first = table[:, count:], first - count
    return weights, table


def _recoloured(weights: dict[str, Tensor], inputs: Inputs) -> Tensor | float:
    """Let the patch embedding take images standardised as siamlab's, with the same result.

    Returns what is to be added to each patch where the embedding has no bias.
    """
    mean, std, mine, scale = (torch.tensor(v) for v in (inputs.mean, inputs.std, MEAN, STD))
    if torch.equal(mean, mine) and torch.equal(std, scale):
        return 0.0
    key = "patch_embed.proj"
    kernel = weights[f"{key}.weight"]
    shift = (kernel.sum(dim=(2, 3)) * ((mine - mean) / std)).sum(dim=1)  # [D]
    weights[f"{key}.weight"] = kernel * (scale / std)[:, None, None]
    if f"{key}.bias" not in weights:
        return shift
    weights[f"{key}.bias"] = weights[f"{key}.bias"] + shift
    return 0.0


def _fold_scales(weights: dict[str, Tensor]) -> None:
    """Multiply LayerScale into the last layer before it: γ (W x + b) = (γ W) x + γ b."""
    for scale, layer in (("ls1.gamma", "attn.proj"), ("ls2.gamma", "mlp.fc2")):
        for key in [key for key in weights if key.endswith(scale)]:
            gamma, into = weights.pop(key), key.replace(scale, layer)
            weights[f"{into}.weight"] = gamma[:, None] * weights[f"{into}.weight"]
            weights[f"{into}.bias"] = gamma * weights[f"{into}.bias"]


def _check_sizes(name: str, theirs: nn.Module, mine: nn.Module, by_name: bool) -> None:
    """Raise UserError that says how the run's encoder becomes as large as the weights'.

    An encoder that is chosen `by_name` has no fields for its sizes.
    """
    other, own = _sizes(theirs), _sizes(mine)
    wrong = {key: value for key, value in other.items() if own[key] != value}
    if wrong and by_name:
        apart = ", ".join(f"{key} {value}, not {own[key]}" for key, value in wrong.items())
        raise UserError(
            f"model.init={name} has another size than the run's encoder ({apart}); set model to "
            "timm's name of that architecture"
        )
    if wrong:
        fields = " ".join(f"model.{key}={value}" for key, value in wrong.items())
        raise UserError(f"model.init={name} has another size than the run's encoder; set {fields}")


def _sizes(vit: nn.Module) -> dict[str, int]:
    if not hasattr(vit.blocks[0], "attn"):
        return {}
    return {
        "width": vit.embed_dim,
        "depth": len(vit.blocks),
        "heads": vit.blocks[0].attn.num_heads,
        "patch": vit.patch_embed.patch_size[0],
        "registers": getattr(vit, "num_reg_tokens", 0),
    }


def _check_activation(name: str, theirs: nn.Module, mine: nn.Module) -> None:
    other, own = (type(getattr(v.blocks[0].mlp, "act", None)).__name__ for v in (theirs, mine))
    if other != own:
        raise UserError(
            f"model.init={name} has {other} in its blocks, and the run's encoder {own}; set model "
            "to timm's name of that architecture"
        )


def _check_keys(name: str, weights: dict[str, Tensor], vit: nn.Module) -> None:
    """Raise UserError for weights that are not exactly the encoder's."""
    mine, theirs = (
        {key: tuple(value.shape) for key, value in state.items() if key != "pos_embed"}
        for state in (vit.state_dict(), weights)
    )
    if ("norm.weight" in theirs) != ("norm.weight" in mine):
        norm = "layer" if "norm.weight" in theirs else "none"
        has = "a" if norm == "layer" else "no"
        raise UserError(
            f"model.init={name} has {has} norm after the last block; set model.norm={norm}"
        )
    for key in sorted(mine | theirs):
        if mine.get(key) != theirs.get(key):
            raise UserError(
                f"model.init={name} is another architecture: {key} is "
                f"{theirs.get(key, 'missing')} there and {mine.get(key, 'missing')} in the run's "
                f"encoder; set model to timm's name of that architecture{_such_as(key, theirs)}"
            )


def _such_as(key: str, theirs: dict[str, tuple[int, ...]]) -> str:
    """Return an example of a name for weights without a class token, such as I-JEPA's."""
    lacks = key == "cls_token" and key not in theirs
    return ", such as vit_huge_patch14_gap_224, which has no class token" if lacks else ""
