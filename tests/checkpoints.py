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


HF_HEADS = 4


def of_vit(kind="vit", prefix="", extra=None, **options):
    """The network and keys of ViT, MAE and I-JEPA in transformers."""
    network = vit(HF_HEADS, norm_layer=partial(LayerNorm, eps=1e-5), **options)
    own = in_words(network, WORDS | {
        "norm1": "layernorm_before", "norm2": "layernorm_after",
        "mlp.fc1": "intermediate.dense", "mlp.fc2": "output.dense",
    })  # fmt: skip
    return network, {prefix + k: v for k, v in own.items()} | (extra or {}), settings(kind)


def of_dinov2(kind="dinov2", words=None, more=None, **options):
    norm = partial(LayerNorm, eps=1e-5)
    network = vit(HF_HEADS, init_values=1e-5, norm_layer=norm, **options)
    scales = {f"ls{n}.gamma": f"layer_scale{n}.lambda1" for n in (1, 2)}
    own = in_words(network, WORDS | scales | (words or {}))
    own["embeddings.mask_token"] = torch.zeros(1, WIDTH)
    if options.get("reg_tokens"):  # they have no place in timm, but the class token has one here
        first = torch.randn(1, 1, WIDTH)
        own["embeddings.cls_token"] = own["embeddings.cls_token"] - first
        places = "embeddings.position_embeddings"
        own[places] = torch.cat([first, own[places]], dim=1)
    return network, own, settings(kind) | (more or {})


def of_clip(kind, prefix, text):
    """CLIP's image tower in transformers, alone or beside the text tower."""
    norm = partial(LayerNorm, eps=1e-5)
    network = vit(HF_HEADS, pre_norm=True, norm_layer=norm, act_layer="quick_gelu")
    own = in_words(network, {
        "patch_embed.proj": "embeddings.patch_embedding", "cls_token": "embeddings.class_embedding",
        "pos_embed": "embeddings.position_embedding.weight", "norm_pre.": "pre_layrnorm.",
        "blocks.": "encoder.layers.", "norm1": "layer_norm1", "norm2": "layer_norm2",
        "attn.proj": "self_attn.out_proj",
    }, "post_layernorm", "self_attn.{}_proj", "qkv")  # fmt: skip
    own["embeddings.class_embedding"] = own["embeddings.class_embedding"].flatten()
    own["embeddings.position_embedding.weight"] = own["embeddings.position_embedding.weight"][0]
    own["embeddings.position_ids"] = torch.arange(10)[None]
    tower = settings(kind) | {"hidden_act": "quick_gelu"}
    config = {"model_type": kind, "vision_config": tower} if text else tower
    return network, {prefix + key: value for key, value in own.items()} | text, config


WORDS = {
    "patch_embed.proj": "embeddings.patch_embeddings.projection",
    "cls_token": "embeddings.cls_token", "pos_embed": "embeddings.position_embeddings",
    "reg_token": "embeddings.register_tokens", "blocks.": "encoder.layer.",
    "attn.proj": "attention.output.dense",
}  # fmt: skip
GATED = {"mlp.fc1": "mlp.weights_in", "mlp.fc2": "mlp.weights_out"}
TEXT = some(
    "text_model.embeddings.token_embedding.weight", "text_model.final_layer_norm.weight",
    "text_model.encoder.layers.0.self_attn.q_proj.weight", "visual_projection.weight",
    "text_projection.weight",
) | {"logit_scale": torch.tensor(4.6)}  # fmt: skip
HUGGING_FACE = {
    "vit": of_vit,
    "vit_mae": partial(of_vit, "vit_mae", "vit.", some("decoder.decoder_embed.weight",
                                                       "decoder.mask_token")),
    "ijepa": partial(of_vit, "ijepa", class_token=False, global_pool="avg", fc_norm=False),
    "dinov2": of_dinov2,
    "dinov2, giant": partial(of_dinov2, words=GATED, more={"use_swiglu_ffn": True}, mlp_ratio=3.0,
                             mlp_layer=SwiGLUPacked, act_layer=nn.SiLU),
    "dinov2_with_registers": partial(of_dinov2, "dinov2_with_registers", reg_tokens=4,
                                     no_embed_class=True),
    "clip": partial(of_clip, "clip", "vision_model.", TEXT),
    "clip_vision_model": partial(of_clip, "clip_vision_model", "vision_model.", {}),
    "clip_vision_model, bare": partial(of_clip, "clip_vision_model", "", {}),
}  # fmt: skip


def settings(kind):
    return dict(model_type=kind, hidden_size=WIDTH, num_attention_heads=HF_HEADS,
                layer_norm_eps=1e-5)  # fmt: skip


def in_words(network, words, norm="layernorm", part="attention.attention.{}", names=None):
    """The weights in transformers' names: queries, keys and values are three there."""
    own = {re_norm(key, norm): value for key, value in state(network, **words).items()}
    for key in [key for key in own if "attn.qkv" in key]:
        parts = own.pop(key).chunk(3)
        for name, value in zip(names or ("query", "key", "value"), parts, strict=True):
            own[key.replace("attn.qkv", part.format(name))] = value.contiguous()
    return own


def write_hugging_face(kind, folder):
    """A folder as transformers' `save_pretrained` writes it, and the network that it holds."""
    network, own, config = HUGGING_FACE[kind]()
    folder.mkdir()
    save_file({key: value.contiguous() for key, value in own.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    images = dict(image_mean=[0.1, 0.2, 0.3], image_std=[0.4, 0.5, 0.6])
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    return network


def re_norm(key, norm):
    """The last norm has another name; those of the blocks and the one before them have theirs."""
    return key.replace("norm.", f"{norm}.") if key.startswith("norm.") else key
