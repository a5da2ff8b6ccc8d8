"""Share: a model as a folder that timm and the Hugging Face hub read, with a model card.

write_folder(named, Path("mine"))       # timm.create_model("local-dir:mine", pretrained=True)
"""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from siamlab.component import UserError
from siamlab.evaluate.models import NamedModel
from siamlab.interop.hugging_face import RECORD
from siamlab.interop.layout import FIXED
from siamlab.interop.resize import sine_order
from siamlab.interop.vit import called, size_of
from siamlab.interop.weights import open_weights
from siamlab.machine.files import atomic
from siamlab.probe.batches import Inputs
from siamlab.train.access import written
from siamlab.train.checkpoint import write_weights

CLOSE = 1e-4  # largest difference between a file's numbers and those of torch
CARD = """---
library_name: timm
tags:
- siamlab
- image-feature-extraction
pipeline_tag: image-feature-extraction
---
# {title}

{about}

| | |
| --- | --- |
| architecture | `{architecture}`, width {width}, depth {depth}, patches of {patch} pixels |
| images | {height} × {wide} pixels, mean {mean}, deviation {std} |
| features | tokens of the last block: {prefix} prefix token(s), then {rows} × {columns} patches |

```python
import timm

model = timm.create_model("local-dir:FOLDER", pretrained=True).eval()  # or hf-hub:OWNER/NAME
tokens = model.forward_features(images)
```
"""
RUN = """
The run that trained it, for `siamlab train run.toml`:

```toml
{run}```
"""


def write_folder(named: NamedModel, path: Path) -> None:
    """Write weights, configuration, model card and, where there is one, the run.

    Raises UserError for a model that timm cannot build from options, which are those of a plain
    vision transformer.
    """
    chosen = options(named)
    config = {
        "architecture": architecture(named.model),
        "num_classes": 0,
        "num_features": getattr(named.model, "num_features", 0),
        "global_pool": "",
        "pretrained_cfg": _settings(named.model),
        "model_args": chosen,
        RECORD: _record(named),
    }
    with written(path, "name another place"), atomic(path) as draft:
        draft.mkdir()
        (draft / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        write_weights(named.model, draft / "model.safetensors", {"format": "pt"})
        _check_read(named, draft)
        (draft / "README.md").write_text(card(named))
        if named.run:
            (draft / "run.toml").write_text(named.run.toml())


def _record(named: NamedModel) -> dict[str, str]:
    """Return what timm's options do not say: the method with its size, and kind of positions."""
    told = called(named.about) or f"{named.run.name if named.run else 'a'} {size_of(named.model)}"
    fixed = named.run is not None or told.startswith(FIXED) or sine_order(named.model) is not None
    return {"model": told, "positions": "fixed" if fixed else "learned"}


def options(named: NamedModel) -> dict[str, Any]:
    """Return timm's options of a plain vision transformer, as they follow from its parts."""
    vit = named.model
    block = vit.blocks[0] if len(getattr(vit, "blocks", ())) else nn.Identity()
    plain = hasattr(getattr(block, "attn", None), "qkv") and hasattr(block, "ls1")
    act = type(getattr(getattr(block, "mlp", None), "act", None)).__name__
    if not plain or act not in ACTS or getattr(vit, "rope", None) is not None:
        raise UserError(
            f"{named.name} is not a plain vision transformer, as a Hugging Face folder requires; "
            "export it as .onnx or .pt2"
        )
    final = not isinstance(vit.norm, nn.Identity) or not isinstance(vit.fc_norm, nn.Identity)
    return {
        "img_size": list(vit.patch_embed.img_size),
        "patch_size": list(vit.patch_embed.patch_size),
        "embed_dim": vit.embed_dim,
        "depth": len(vit.blocks),
        "num_heads": block.attn.num_heads,
        "mlp_ratio": (block.mlp.fc1.out_features + 0.5) / vit.embed_dim,
        "qkv_bias": block.attn.qkv.bias is not None,
        "class_token": vit.cls_token is not None,
        "global_pool": "avg" if vit.cls_token is None else "token",
        "reg_tokens": vit.num_reg_tokens,
        "no_embed_class": bool(vit.no_embed_class),
        "pre_norm": not isinstance(vit.norm_pre, nn.Identity),
        "final_norm": final,
        "fc_norm": not isinstance(vit.fc_norm, nn.Identity),
        "init_values": None if isinstance(block.ls1, nn.Identity) else 1e-5,
        "act_layer": ACTS[act],
    }


PLAIN, CLIP = "vit_base_patch16_224", "vit_base_patch16_clip_quickgelu_224"
ACTS = {"GELU": "gelu", "QuickGELU": "quick_gelu"}


def architecture(vit: nn.Module) -> str:
    """Return timm's name whose norms have the ε of a model; sizes are options."""
    norm = vit.blocks[0].norm1
    return CLIP if getattr(norm, "eps", 1e-6) > 1e-6 else PLAIN


def card(named: NamedModel) -> str:
    """Return the model card as Markdown; it ends with the run, where that is known."""
    vit, inputs = named.model, Inputs.of(named.model)
    rows, columns = vit.patch_embed.grid_size
    about = named.about or (
        f"Trained by siamlab on `{named.run.data.kind}`, without labels, for "
        f"{named.run.steps:,} steps of {named.run.batch} images."
        if named.run
        else "A vision transformer without a head."
    )
    text = CARD.format(
        title=Path(named.name).stem.removeprefix("zoo:"),
        about=about,
        architecture=architecture(vit),
        width=vit.embed_dim,
        depth=len(vit.blocks),
        patch=vit.patch_embed.patch_size[0],
        height=inputs.size[0],
        wide=inputs.size[1],
        mean=", ".join(f"{x:g}" for x in inputs.mean),
        std=", ".join(f"{x:g}" for x in inputs.std),
        prefix=vit.num_prefix_tokens,
        rows=rows,
        columns=columns,
    )
    return text + (RUN.format(run=named.run.toml()) if named.run else "")


def _check_read(named: NamedModel, folder: Path) -> None:
    """Raise UserError unless timm reads the folder as the same model."""
    again, (height, width) = open_weights(str(folder)).model, Inputs.of(named.model).size
    image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        mine = deepcopy(named.model).cpu().eval().forward_features(image)
        apart = (again.forward_features(image) - mine).abs().max().item()
    if not apart <= CLOSE or Inputs.of(again) != Inputs.of(named.model):
        raise UserError(
            f"timm reads the folder of {named.name} as another model (tokens differ by "
            f"{apart:.1e}); nothing was written: export it as .onnx or .pt2"
        )


def _settings(vit: nn.Module) -> dict[str, Any]:
    inputs = Inputs.of(vit)
    return {
        "input_size": [3, *inputs.size],
        "mean": list(inputs.mean),
        "std": list(inputs.std),
        "interpolation": "bilinear",
        "crop_pct": 1.0,
        "num_classes": 0,
    }
