"""The networks of SiameseIM's and MAE's releases, by their formulas: weights by key, and a pass.

weights = siamese_weights(Sizes(), blocks="bn")     # the keys and shapes of a real file
pred, goal, loss = siamese_pass(weights, context, target, visible, Sizes())

Written from the papers' formulas, with no module of siamlab or timm, so that they can disagree.
"""

import math
from argparse import Namespace
from typing import NamedTuple

import torch

MEAN, STD = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


class Sizes(NamedTuple):
    width: int = 64
    depth: int = 2
    heads: int = 1
    decoder: int = 32
    decoder_heads: int = 16
    projector: int = 1
    predictor: int = 2
    patch: int = 4
    grid: int = 3


SMALL = Sizes()


def draw(*shape):
    return 0.1 * torch.randn(*shape)


def block_weights(name, width, norm="ln", scale=False):
    found = {}

    def add_norm(part):
        inner = f"{name}.{part}" + (".bn" if norm == "bn" else "")
        found[f"{inner}.weight"], found[f"{inner}.bias"] = 1 + draw(width), draw(width)
        if norm == "bn":
            found[f"{inner}.running_mean"], found[f"{inner}.running_var"] = (
                draw(width),
                torch.rand(width),
            )
            found[f"{inner}.num_batches_tracked"] = torch.tensor(7)

    def add_linear(part, into, out):
        found[f"{name}.{part}.weight"], found[f"{name}.{part}.bias"] = draw(out, into), draw(out)

    add_norm("norm1")
    add_linear("attn.qkv", width, 3 * width)
    add_linear("attn.proj", width, width)
    if scale:
        found[f"{name}.ls1.gamma"] = draw(width)
    add_norm("norm2")
    add_linear("mlp.fc1", width, 4 * width)
    add_linear("mlp.fc2", 4 * width, width)
    if scale:
        found[f"{name}.ls2.gamma"] = draw(width)
    return found


def linear(name, into, out):
    return {f"{name}.weight": draw(out, into), f"{name}.bias": draw(out)}


def table(width, grid, column_first=False):
    """One row of zeros for the class token; sines and cosines in double precision, then rounded."""
    rows = [[0.0] * width]
    for y in range(grid):
        for x in range(grid):
            row = []
            for place in (x, y) if column_first else (y, x):
                angles = [place / 10000 ** (k / (width // 4)) for k in range(width // 4)]
                row += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
            rows.append(row)
    return torch.tensor([rows], dtype=torch.float64).float()


def stem(sizes):
    return {
        "patch_embed.proj.weight": draw(sizes.width, 3, sizes.patch, sizes.patch),
        "patch_embed.proj.bias": draw(sizes.width),
    }


def siamese_weights(sizes=SMALL, projector="bn", predictor="bn", scale=False, normed=False):
    """Weights under the release's keys, in the order in which its program has them."""
    torch.manual_seed(4)
    wide, narrow = sizes.width, sizes.decoder
    encoder = stem(sizes)
    for i in range(sizes.depth):
        encoder |= block_weights(f"blocks.{i}", wide, scale=scale)
    project = linear("decoder_embed", wide, narrow)
    for i in range(sizes.projector):
        project |= block_weights(f"projector_decoder_blocks.{i}", narrow, projector)
    found = {
        "cls_token": draw(1, 1, wide),
        "pos_embed": table(wide, sizes.grid),
        "mask_token": draw(1, 1, narrow),
        "decoder_pos_embed": table(narrow, sizes.grid),
        "mm_cls_token": draw(1, 1, wide),
        "mm_mask_token": draw(1, 1, narrow),
    }
    found |= encoder | project
    for i in range(sizes.predictor):
        found |= block_weights(f"predictor_decoder_blocks.{i}", narrow, predictor)
    found |= linear("decoder_pred", narrow, narrow)
    if normed:
        found |= {
            "student_norm.weight": torch.ones(narrow),
            "student_norm.bias": torch.zeros(narrow),
        }
    found |= linear("decoder_pos_mlp", 2 * narrow, narrow)
    other = lambda v: v if v.dtype == torch.int64 else v + 0.02 * torch.randn(v.shape)  # noqa: E731
    return found | {f"mm_{key}": other(value) for key, value in (encoder | project).items()}


def mae_weights(sizes=SMALL):
    torch.manual_seed(5)
    wide, narrow = sizes.width, sizes.decoder
    found = {
        "cls_token": draw(1, 1, wide),
        "pos_embed": table(wide, sizes.grid, column_first=True),
        "mask_token": draw(1, 1, narrow),
        "decoder_pos_embed": table(narrow, sizes.grid, column_first=True),
    } | stem(sizes)
    for i in range(sizes.depth):
        found |= block_weights(f"blocks.{i}", wide)
    found |= {"norm.weight": 1 + draw(wide), "norm.bias": draw(wide)}
    found |= linear("decoder_embed", wide, narrow)
    for i in range(sizes.predictor):
        found |= block_weights(f"decoder_blocks.{i}", narrow)
    found |= {"decoder_norm.weight": 1 + draw(narrow), "decoder_norm.bias": draw(narrow)}
    return found | linear("decoder_pred", narrow, 3 * sizes.patch**2)


FROZEN = ("pos_embed", "decoder_pos_embed", "mm_", "student_norm", "running_", "num_batches")


def numbered(weights, train_stem=False):
    """The trained keys in AdamW's order: first what does not decay, then the rest."""
    trained = [k for k in weights if not any(word in k for word in FROZEN)]
    trained = [k for k in trained if train_stem or not k.startswith("patch_embed")]
    free = [k for k in trained if weights[k].ndim <= 1 or k.endswith(".bias")]
    return free, [k for k in trained if k not in free]


def checkpoint(weights, args, epoch=0, updates=5, train_stem=False):
    """A file's content."""
    free, decaying = numbered(weights, train_stem)
    order = free + decaying
    torch.manual_seed(6)
    state = {
        i: {
            "step": torch.tensor(float(updates)),
            "exp_avg": torch.randn(weights[key].shape),
            "exp_avg_sq": torch.rand(weights[key].shape),
        }
        for i, key in enumerate(order)
    }
    usual = dict(lr=1e-3, betas=(0.9, 0.95), eps=1e-8, amsgrad=False)
    groups = [
        usual | {"weight_decay": 0.0, "params": list(range(len(free)))},
        usual | {"weight_decay": 0.05, "params": list(range(len(free), len(order)))},
    ]
    return {
        "model": dict(weights),
        "optimizer": {"state": state, "param_groups": groups},
        "epoch": epoch,
        "scaler": {"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 3},
        "args": args,
    }


def siamese_args(**changes):
    """The release's recipe for a step of 8 images and epochs of 5 steps."""
    return Namespace(**dict(
        batch_size=4, epochs=4, accum_iter=1, world_size=2, model="sim_vit_base_patch16",
        input_size=12, weight_decay=0.05, lr=6.25e-5 * 8 / 256, blr=6.25e-5, min_lr=0.0,
        warmup_epochs=1, data_path="/data/imagenet", seed=3, crop_min=0.08, decoder_embed_dim=32,
        drop_path_rate=0.0, init_values=None, projector_depth=1, predictor_depth=2,
        use_proj_ln=False, use_pred_ln=False, train_patch_embed=False, online_ln=False,
        use_abs_pos_emb=True, loss_type="sim", neg_weight=0.02, with_blockwise_mask=True,
        blockwise_num_masking_patches=5, mm=0.995, mmschedule="cosine", clip_grad=1.0, beta2=0.95,
    ) | changes)  # fmt: skip


def mae_args(**changes):
    return Namespace(**dict(
        batch_size=8, epochs=4, accum_iter=1, model="mae_vit_base_patch16", input_size=12,
        mask_ratio=0.75, norm_pix_loss=True, weight_decay=0.05, lr=1.5e-4 * 8 / 256, blr=1.5e-4,
        min_lr=0.0, warmup_epochs=1, data_path="/data/imagenet", seed=0, world_size=1,
    ) | changes)  # fmt: skip


def norm(x, w, name):
    """LayerNorm over a token, ε 1e-6, or BatchNorm over batch and tokens, ε 1e-5."""
    batch = f"{name}.bn.weight" in w
    name, dims, eps = (f"{name}.bn", (0, 1), 1e-5) if batch else (name, (-1,), 1e-6)
    mean = x.mean(dim=dims, keepdim=True)
    variance = (x - mean).square().mean(dim=dims, keepdim=True)
    return (x - mean) / (variance + eps).sqrt() * w[f"{name}.weight"] + w[f"{name}.bias"]


def apply(x, w, name):
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def block(x, w, name, heads):
    one = torch.ones(())
    query, key, value = (
        part.unflatten(-1, (heads, -1))
        for part in apply(norm(x, w, f"{name}.norm1"), w, f"{name}.attn.qkv").chunk(3, -1)
    )
    score = torch.einsum("bqhd,bkhd->bhqk", query, key) / math.sqrt(query.shape[-1])
    mixed = torch.einsum("bhqk,bkhd->bqhd", score.softmax(-1), value).flatten(2)
    x = x + w.get(f"{name}.ls1.gamma", one) * apply(mixed, w, f"{name}.attn.proj")
    inner = apply(norm(x, w, f"{name}.norm2"), w, f"{name}.mlp.fc1")
    inner = inner * 0.5 * (1 + torch.erf(inner / math.sqrt(2)))
    return x + w.get(f"{name}.ls2.gamma", one) * apply(inner, w, f"{name}.mlp.fc2")


def blocks(x, w, name, heads):
    i = 0
    while f"{name}.{i}.attn.qkv.weight" in w:
        x, i = block(x, w, f"{name}.{i}", heads), i + 1
    return x


def embed(image, w, name):
    """A linear layer on the pixels of each patch, row by row."""
    kernel = w[f"{name}.weight"]
    p = kernel.shape[-1]
    cells = ((image - MEAN) / STD).unfold(2, p, p).unfold(3, p, p)  # [B, 3, rows, columns, p, p]
    flat = cells.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
    return flat @ kernel.flatten(1).T + w[f"{name}.bias"]


def layer_norm(x):
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()


def relative(context, target, grid, width):
    """The sines of the places that the paper's formulas give, from boxes in the flipped images."""
    found = []
    for one, two, first, second in zip(
        context.box, target.box, context.flip, target.flip, strict=True
    ):
        (i1, j1, h1, w1), (i2, j2, h2, w2) = one.tolist(), two.tolist()
        j1, j2 = (1 - j - w if f else j for j, w, f in ((j1, w1, first), (j2, w2, second)))
        rows = []
        for r in range(grid):
            for c in range(grid):
                y = h2 / h1 * (r + 0.5) + grid * (i2 - i1) / h1 - 0.5
                x = w2 / w1 * (c + 0.5) + grid * (j2 - j1) / w1 - 0.5
                if first != second:
                    x = -w2 / w1 * (c + 0.5) + grid * (1 - j1 - j2) / w1 - 0.5
                row = []
                for place in (y, x, 10 * math.log(h2 / h1), 10 * math.log(w2 / w1)):
                    angles = [place / 10000 ** (k / (width // 4)) for k in range(width // 4)]
                    row += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
                rows.append(row)
        found.append(rows)
    return torch.tensor(found)


def keep(x, visible):
    return torch.stack([image[chosen] for image, chosen in zip(x, visible, strict=True)])


def siamese_pass(w, context, target, visible, sizes, normed=False, weight=0.02):
    """Prediction and target of every patch of the second view, and the loss of UniGrad."""
    batch = len(visible)
    seen = keep(embed(context.image, w, "patch_embed.proj") + w["pos_embed"][:, 1:], visible)
    x = torch.cat([w["cls_token"].expand(batch, -1, -1), seen], dim=1)
    x = apply(blocks(x, w, "blocks", sizes.heads), w, "decoder_embed")
    x = blocks(x, w, "projector_decoder_blocks", sizes.decoder_heads)
    own = keep(w["decoder_pos_embed"][:, 1:].expand(batch, -1, -1), visible)
    places = relative(context, target, sizes.grid, sizes.decoder)
    asked = w["mask_token"] + apply(places, w, "decoder_pos_mlp")
    x = torch.cat([x[:, :1], x[:, 1:] + own, asked], dim=1)
    x = blocks(x, w, "predictor_decoder_blocks", sizes.decoder_heads)
    pred = apply(x[:, -(sizes.grid**2) :], w, "decoder_pred")
    pred = layer_norm(pred) if normed else pred
    y = embed(target.image, w, "mm_patch_embed.proj")
    y = torch.cat([w["mm_cls_token"].expand(batch, -1, -1), y], dim=1) + w["pos_embed"]
    y = apply(blocks(y, w, "mm_blocks", sizes.heads), w, "mm_decoder_embed")
    goal = layer_norm(blocks(y, w, "mm_projector_decoder_blocks", sizes.decoder_heads)[:, 1:])
    p, t = pred.flatten(0, 1), goal.flatten(0, 1)
    similar = (p @ t.T).square().mean()  # mean over all pairs of pᵀ t tᵀ p
    loss = ((p - t).square().sum(-1).mean() + weight * similar) / sizes.decoder
    return pred, goal, loss


def mae_pass(w, image, visible, sizes):
    """Predicted pixels of hidden patches, their goals, and the mean squared error."""
    batch = len(visible)
    seen = keep(embed(image, w, "patch_embed.proj") + w["pos_embed"][:, 1:], visible)
    x = torch.cat([w["cls_token"].expand(batch, -1, -1), seen], dim=1)
    x = apply(norm(blocks(x, w, "blocks", sizes.heads), w, "norm"), w, "decoder_embed")
    every = w["mask_token"].expand(batch, sizes.grid**2, -1).clone()
    for image_tokens, chosen, tokens in zip(every, visible, x[:, 1:], strict=True):
        image_tokens[chosen] = tokens
    x = torch.cat([x[:, :1], every], dim=1) + w["decoder_pos_embed"]
    x = norm(blocks(x, w, "decoder_blocks", sizes.decoder_heads), w, "decoder_norm")
    pred = keep(apply(x, w, "decoder_pred")[:, 1:], ~visible)
    p = sizes.patch
    cells = ((image - MEAN) / STD).unfold(2, p, p).unfold(3, p, p)
    pixels = cells.permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)  # colours last
    centred = pixels - pixels.mean(-1, keepdim=True)
    variance = centred.square().sum(-1, keepdim=True) / (pixels.shape[-1] - 1)
    goal = keep(centred / (variance + 1e-6).sqrt(), ~visible)
    return pred, goal, (pred - goal).square().mean()
