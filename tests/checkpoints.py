"""Small checkpoints with the keys and shapes of the releases, and the networks that they hold.

path, network = write("MAE", tmp_path)      # the network is timm's, made by its own options
"""

import json
from argparse import Namespace
from functools import partial

import torch
from official import table
from safetensors.torch import save_file
from timm.layers import LayerNorm, SwiGLUPacked
from timm.models.beit import Beit
from timm.models.vision_transformer import VisionTransformer
from torch import nn

WIDTH, DEPTH, SIDE, PATCH = 128, 2, 48, 16
SIZES = dict(img_size=SIDE, patch_size=PATCH, embed_dim=WIDTH, depth=DEPTH, num_classes=0)


def vit(heads=2, **options):
    return shaken(VisionTransformer(**SIZES, num_heads=heads, **options))


def beit(**options):
    return shaken(Beit(**SIZES, num_heads=2, use_fc_norm=False, init_values=0.1, **options))


def shaken(network):
    """Random numbers everywhere, so that no weight has the value of another."""
    torch.manual_seed(3)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network.eval()


def state(network, prefix="", **renamed):
    """The weights under a prefix, words of their names replaced."""
    found = {}
    for key, value in network.state_dict().items():
        for old, new in renamed.items():
            key = key.replace(old, new)
        found[prefix + key] = value
    return found


def some(*names, shape=(4, 4)):
    return {name: torch.randn(shape) for name in names}


DECODER = some("mask_token", "decoder_embed.weight", "decoder_blocks.0.norm1.weight")
DINO_HEAD = some("head.mlp.0.weight", "head.last_layer.weight_g", "head.last_layer.weight_v")
HEADS = some(
    "mask_token", "decoder_pos_embed", "decoder_embed.weight", "decoder_pred.weight",
    "projector_decoder_blocks.0.norm1.bn.weight", "predictor_decoder_blocks.0.norm1.bn.weight",
    "decoder_pos_mlp.weight", "student_norm.weight",
)  # fmt: skip
AVERAGE = some("mm_cls_token", "mm_blocks.0.norm1.weight", "mm_mask_token")
RELATIVE = dict(use_abs_pos_emb=False)


def siameseim():
    network = vit(final_norm=False)
    args = Namespace(model="sim_vit_base_patch16_img224", crop_min=0.08)
    return network, {"model": state(network) | HEADS | AVERAGE, "args": args, "epoch": 1599}


def with_sines(network, columns=True):
    """The network with a table of sines as MAE has it, with columns first, or rows."""
    with torch.no_grad():
        network.pos_embed.copy_(table(WIDTH, SIDE // PATCH, columns))
    return network


def mae():
    network = with_sines(vit())
    return network, {"model": state(network)}


def mae_full():
    network = vit()
    return network, {"model": state(network) | DECODER, "args": Namespace(lr=1.5e-4)}


def moco_v3():
    network = vit()
    base = state(network, "module.base_encoder.") | some("module.base_encoder.head.0.weight")
    branch = state(vit(class_token=True), "module.momentum_encoder.")
    other = some("module.predictor.0.weight", "module.momentum_encoder.head.0.weight")
    scrambled = {key: value + 1 for key, value in branch.items()}
    return network, {"state_dict": scrambled | base | other, "arch": "vit_base", "epoch": 300}


def dino():
    network = vit()
    return network, state(network)


def dino_full():
    network = vit()
    student = {key: value + 1 for key, value in state(network, "module.backbone.").items()}
    teacher = state(network, "backbone.") | DINO_HEAD
    return network, {"student": student, "teacher": teacher, "epoch": 400}


def dinov2():
    network = vit(init_values=1e-5)
    return network, state(network) | some("mask_token", shape=(1, WIDTH))


def dinov2_registers():
    """The form that timm's own conversion reads: registers have no place, the class token has."""
    network = vit(init_values=1e-5, reg_tokens=4, no_embed_class=True)
    own, first = state(network), torch.randn(1, 1, WIDTH)
    own["register_tokens"] = own.pop("reg_token")
    own["cls_token"] = own["cls_token"] - first
    own["pos_embed"] = torch.cat([first, own["pos_embed"]], dim=1)
    return network, own | some("mask_token", shape=(1, WIDTH))


def dinov2_giant():
    network = vit(init_values=1e-5, mlp_ratio=3.0, mlp_layer=SwiGLUPacked, act_layer=nn.SiLU)
    own = state(network, **{"mlp.fc1": "mlp.w12", "mlp.fc2": "mlp.w3"})
    return network, own | some("mask_token", shape=(1, WIDTH))


def ijepa():
    network = vit(class_token=False, global_pool="avg", fc_norm=False)
    others = {name: {k: v + 1 for k, v in state(network).items()} for name in ("encoder", "opt")}
    return network, others | {"target_encoder": state(network, "module."), "epoch": 300}


def with_index(network, prefix=""):
    """BEiT's files have the index of its tables, which timm computes."""
    found = state(network, prefix)
    index = {
        k.replace("_bias_table", "_index"): torch.zeros(10, 10) for k in found if "_table" in k
    }
    return found | index


def beit_pretrained():
    network = beit(use_shared_rel_pos_bias=True, **RELATIVE)
    return network, {"model": with_index(network) | some("lm_head.weight", "mask_token")}


def beit_finetuned():
    network = beit(use_rel_pos_bias=True, **RELATIVE)
    return network, {"model": with_index(network) | some("head.weight", "head.bias")}


def simmim():
    network = beit(use_shared_rel_pos_bias=True, **RELATIVE)
    own = with_index(network, "encoder.") | some("encoder.mask_token", "decoder.0.weight")
    return network, {"model": own, "epoch": 799, "max_accuracy": 0.0}


def openai_clip():
    network = vit(pre_norm=True, norm_layer=partial(LayerNorm, eps=1e-5), act_layer="quick_gelu")
    words = {
        "patch_embed.proj": "conv1", "norm_pre": "ln_pre", "blocks.": "transformer.resblocks.",
        "norm1": "ln_1", "norm2": "ln_2", "attn.qkv.": "attn.in_proj_",
        "attn.proj": "attn.out_proj",
        "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "pos_embed": "positional_embedding",
        "cls_token": "class_embedding",
    }  # fmt: skip
    own = state(network, "visual.", **words)
    own |= {f"visual.ln_post.{n}": own.pop(f"visual.norm.{n}") for n in ("weight", "bias")}
    own["visual.class_embedding"] = own["visual.class_embedding"].flatten()
    own["visual.positional_embedding"] = own["visual.positional_embedding"][0]
    text = some("visual.proj", "transformer.resblocks.0.ln_1.weight", "token_embedding.weight")
    return network, own | text | {"logit_scale": torch.tensor(4.6)}


RELEASES = {
    "SiameseIM": siameseim,
    "MAE": mae,
    "MAE, full": mae_full,
    "MoCo-v3": moco_v3,
    "DINO": dino,
    "DINO, full": dino_full,
    "DINOv2": dinov2,
    "DINOv2, registers": dinov2_registers,
    "DINOv2, giant": dinov2_giant,
    "I-JEPA": ijepa,
    "BEiT": beit_pretrained,
    "BEiT, fine-tuned": beit_finetuned,
    "SimMIM": simmim,
    "CLIP": openai_clip,
}


def write(release, folder):
    """A file of this release, and the network that it holds."""
    torch.manual_seed(0)
    network, content = RELEASES[release]()
    path = folder / f"{release}.pth"
    torch.save(content, path)
    return path, network


def write_hugging_face(kind, folder):
    """A folder as transformers' `save_pretrained` writes it, and the network that it holds."""
    layers = {"norm1": "layernorm_before", "norm2": "layernorm_after"}
    config = dict(model_type=kind, hidden_size=WIDTH, num_attention_heads=4, layer_norm_eps=1e-5)
    options = dict(heads=4, norm_layer=partial(LayerNorm, eps=1e-5))
    if kind == "dinov2":
        options |= dict(init_values=1e-5)
        layers = {"ls1.gamma": "layer_scale1.lambda1", "ls2.gamma": "layer_scale2.lambda1"}
    if kind == "ijepa":
        options |= dict(class_token=False, global_pool="avg", fc_norm=False)
    network = vit(**options)
    own = state(network, {"vit_mae": "vit."}.get(kind, ""), **layers, **{
        "patch_embed.proj": "embeddings.patch_embeddings.projection",
        "cls_token": "embeddings.cls_token", "pos_embed": "embeddings.position_embeddings",
        "blocks.": "encoder.layer.", "attn.proj": "attention.output.dense",
    })  # fmt: skip
    if kind != "dinov2":
        own = {k.replace("mlp.fc1", "intermediate.dense").replace("mlp.fc2", "output.dense"): v
               for k, v in own.items()}  # fmt: skip
    own = {re_norm(k): v for k, v in own.items()}
    for key in [key for key in own if "attn.qkv" in key]:
        parts = own.pop(key).chunk(3)
        for name, part in zip(("query", "key", "value"), parts, strict=True):
            own[key.replace("attn.qkv", f"attention.attention.{name}")] = part.contiguous()
    if kind == "vit_mae":
        own |= some("decoder.decoder_embed.weight", "decoder.mask_token")
    folder.mkdir()
    save_file(own, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    images = dict(image_mean=[0.1, 0.2, 0.3], image_std=[0.4, 0.5, 0.6])
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    return network


def re_norm(key):
    head, dot, tail = key.rpartition("norm.")
    return f"{head}layernorm.{tail}" if dot and not head.endswith("layer") else key
