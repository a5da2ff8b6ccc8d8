"""The networks: known counts of parameters, timm's own forward pass, laws of masked encoding."""

import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from siamlab.component import UserError
from siamlab.model.backbone import Timm, Vit
from siamlab.model.blocks import index_of, pick
from siamlab.model.encoder import Encoder
from siamlab.model.siamese import Siamese
from siamlab.model.standard import standardise
from siamlab.positions import FixedPlace, LearnedPositions, OwnFrame, own_places
from siamlab.recipes import siameseim

SMALL = dict(width=16, depth=2, heads=2, patch=8)
BACKBONES = [
    Vit(**SMALL),
    Vit(**SMALL, registers=3, norm="layer"),
    Timm(name="test_vit"),  # grid given by the image
    Timm(name="test_vit2", norm="layer"),  # a register, no class token
    Timm(name="test_vit4"),  # RMS norm
    Timm(name="vit_tiny_patch16_dinov3_qkvb"),  # rotary, four registers
    Timm(name="vit_pe_core_tiny_patch16_384"),  # rotary, a norm before the blocks
    Timm(name="eva02_tiny_patch14_224", norm="layer"),  # rotary, patches of 14
]
EVERY = pytest.mark.parametrize("backbone", BACKBONES, ids=lambda b: getattr(b, "name", "vit"))
OWN = OwnFrame()


def encoder(backbone, positions=OWN, fills=False):
    """An encoder of views of 3 × 2 patches."""
    torch.manual_seed(0)
    made = Encoder(backbone, positions, (3 * backbone.patch, 2 * backbone.patch), fills)
    for name, parameter in made.named_parameters():  # layer scales would hide the blocks
        if "ls" in name or "gamma" in name or "reg_token" in name or "cls_token" in name:
            nn.init.normal_(parameter)
    return made.eval()


def images(backbone, batch=2, seed=1):
    side = backbone.patch
    return torch.rand(batch, 3, 3 * side, 2 * side, generator=torch.Generator().manual_seed(seed))


def seen(*hidden, batch=2):
    """Every patch but those, which differ between the two images."""
    mask = torch.ones(batch, 6, dtype=torch.bool)
    for image in range(batch):
        mask[image, [(h + image) % 6 for h in hidden]] = False
    return mask


def paint_hidden(image, mask, patch):
    """The same image with other pixels where it is hidden."""
    cells = mask.view(-1, 1, 3, 2).repeat_interleave(patch, 2).repeat_interleave(patch, 3)
    return torch.where(cells, image, 1 - image)


class Keep(nn.Module):
    """timm's own way to drop patches, with a choice of ours: the others are taken out."""

    def __init__(self, mask, prefix, says):
        super().__init__()
        self.mask, self.prefix, self.says = mask, prefix, says

    def forward(self, tokens):
        kept = self.mask.nonzero()[:, 1].view(len(tokens), -1)
        patches = tokens[:, self.prefix :].gather(
            1, kept[..., None].expand(-1, -1, tokens.shape[2])
        )
        tokens = torch.cat([tokens[:, : self.prefix], patches], dim=1)
        return (tokens, kept) if self.says else tokens


def test_siameseim_has_the_parameters_of_the_release():
    run = siameseim()
    with torch.device("meta"):
        model = Siamese(run, run.target.widths(run))
        teacher = run.target.build(model, run)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 129_944_832
    assert sum(p.numel() for m in (model, teacher) for p in m.parameters()) == 230_947_584


@EVERY
@pytest.mark.parametrize("positions", [OwnFrame(), LearnedPositions()], ids=["fixed", "learned"])
@torch.no_grad()
def test_the_plain_model_gives_the_same_tokens(backbone, positions):
    ours, image = encoder(backbone, positions), images(backbone)
    plain = ours.plain().eval()
    theirs = plain.forward_features(standardise(image))
    tokens = ours(image, own_places((3, 2)), seen())
    torch.testing.assert_close(tokens, theirs, atol=1e-4, rtol=1e-4)
    assert tokens.shape[1] == ours.prefix + 6
    assert not isinstance(plain, Encoder) and plain.pos_embed.shape == (1, 6, backbone.width)


@EVERY
@torch.no_grad()
def test_hidden_patches_are_dropped_as_timm_drops_them(backbone):
    ours, image, mask = encoder(backbone), images(backbone), seen(0, 4)
    plain = ours.plain().eval()
    plain.patch_drop = Keep(mask, ours.prefix, says=hasattr(plain, "rope"))
    tokens = ours(image, own_places((3, 2)), mask)
    theirs = plain.forward_features(standardise(image))
    torch.testing.assert_close(tokens, theirs, atol=1e-4, rtol=1e-4)


@EVERY
@torch.no_grad()
def test_hidden_pixels_do_not_matter_and_seen_ones_do(backbone):
    ours, image, mask = encoder(backbone), images(backbone), seen(1, 2, 3)
    own = own_places((3, 2))
    tokens = ours(image, own, mask)
    torch.testing.assert_close(ours(paint_hidden(image, mask, backbone.patch), own, mask), tokens)
    assert not torch.allclose(ours(paint_hidden(image, ~mask, backbone.patch), own, mask), tokens)


@EVERY
@torch.no_grad()
def test_dropping_before_the_blocks_is_not_dropping_after(backbone):
    ours, image, mask = encoder(backbone), images(backbone), seen(1, 2, 3)
    own = own_places((3, 2))
    late = pick(ours(image, own, seen())[:, ours.prefix :], mask)
    assert not torch.allclose(ours(image, own, mask)[:, ours.prefix :], late, atol=1e-3)


@EVERY
@torch.no_grad()
def test_images_do_not_see_each_other(backbone):
    ours, image, mask = encoder(backbone), images(backbone, batch=3), seen(2, batch=3)
    tokens = ours(image, own_places((3, 2)), mask)
    turned = ours(image.flip(0), own_places((3, 2)), mask.flip(0))
    torch.testing.assert_close(turned.flip(0), tokens, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_the_position_table_is_timms_with_nothing_for_the_class_token():
    ours, image = encoder(Timm(name="test_vit", norm="layer")), images(Timm(name="test_vit"))
    theirs = timm.create_model("test_vit", img_size=(48, 32), num_classes=0).eval()
    table = torch.cat([torch.zeros(1, 1, 64), FixedPlace(64)(own_places((3, 2)))], dim=1)
    theirs.load_state_dict(ours.vit.state_dict() | {"pos_embed": table})
    expected = theirs.forward_features(standardise(image))
    torch.testing.assert_close(ours(image, own_places((3, 2)), seen()), expected)


def test_standardised_colours_are_imagenets():
    grey = torch.full((1, 3, 1, 1), 0.5)
    expected = [(0.5 - m) / s for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
    assert standardise(grey).flatten().tolist() == pytest.approx(expected)


@pytest.mark.parametrize("stem", ["frozen", "learned"])
def test_a_frozen_stem_gets_no_gradient(stem):
    ours = encoder(Vit(**SMALL, stem=stem))
    ours(images(Vit(**SMALL)), own_places((3, 2)), seen(0)).sum().backward()
    grads = [p.grad is not None for p in ours.vit.patch_embed.parameters()]
    assert grads == [stem == "learned"] * 2
    rest = [p for name, p in ours.named_parameters() if "patch_embed" not in name]
    assert all(p.grad is not None for p in rest)


@pytest.mark.parametrize("norm, kind", [("none", nn.Identity), ("layer", nn.LayerNorm)])
def test_norm_is_the_one_after_the_last_block(norm, kind):
    assert isinstance(encoder(Vit(**SMALL, norm=norm)).vit.norm, kind)


def test_an_encoder_that_fills_keeps_every_patch():
    ours, image, mask = encoder(Vit(**SMALL), fills=True), images(Vit(**SMALL)), seen(1, 2)
    own = own_places((3, 2))
    tokens = ours(image, own, mask)
    assert tokens.shape == (2, 1 + 6, 16)
    torch.testing.assert_close(ours(paint_hidden(image, mask, 8), own, mask), tokens)
    tokens.sum().backward()
    assert ours.filler.grad.abs().sum() > 0
    with torch.no_grad():
        ours.filler.add_(1)
        assert not torch.allclose(ours(image, own, mask), tokens)
        dropping = encoder(Vit(**SMALL))
        dropping.load_state_dict(ours.state_dict(), strict=False)  # all but the filler
        torch.testing.assert_close(ours(image, own, seen()), dropping(image, own, seen()))


@pytest.mark.parametrize(
    "name, sizes",
    [
        ("vit_small_patch16_224", (384, 16, 6, True)),
        ("vit_base_patch14_dinov2", (768, 14, 12, True)),
        ("vit_small_patch16_dinov3", (384, 16, 6, True)),
        ("test_vit2", (64, 16, 2, False)),
    ],
)
def test_sizes_of_timms_models_are_known_without_building_them(name, sizes):
    model = Timm(name=name)
    assert (model.width, model.patch, model.heads, model.class_token) == sizes


def test_an_unknown_model_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="no vision transformer 'vit_smal_patch16_224'.*mean"):
        Timm(name="vit_smal_patch16_224")
    with pytest.raises(UserError, match="no vision transformer 'resnet50'"):
        Timm(name="resnet50")


def test_images_with_different_numbers_of_patches_are_refused():
    """Rows of two and of no patches would otherwise be read as one each."""
    flags = torch.tensor([[True, True, False], [False, False, False]])
    with pytest.raises(UserError, match="between 0 and 2"):
        index_of(flags)
    with pytest.raises(UserError, match="same number of patches in every image"):
        pick(torch.zeros(2, 3, 4), flags)


def test_the_class_token_begins_with_its_deviation_and_nothing_else_changes():
    """Not even the draws that follow."""
    sizes = dict(width=1024, depth=1, heads=2, patch=8)
    (usual, after), (wide, later) = (begun(Vit(**sizes, **f)) for f in ({}, {"class_std": 0.02}))
    token, timms = wide.pop("cls_token"), usual.pop("cls_token")
    assert token.std() == pytest.approx(0.02, rel=0.1)
    assert timms.std() == pytest.approx(1e-6, rel=0.1)
    assert after == later and all(torch.equal(usual[key], wide[key]) for key in usual.keys() | wide)
    torch.manual_seed(0)
    own = dict(img_size=(24, 16), patch_size=8, embed_dim=1024, depth=1, num_heads=2, num_classes=0)
    theirs = VisionTransformer(**own, global_pool="", pos_embed="none")
    assert torch.equal(theirs.cls_token, timms) and torch.rand(1).item() == after


def begun(backbone):
    """The weights of a new transformer, and the next random number."""
    torch.manual_seed(0)
    return backbone.build((24, 16)).state_dict(), torch.rand(1).item()


def test_layer_scale_multiplies_what_blocks_add():
    """At 0.5 everywhere, blocks add half of what they add without; two of them are nested."""
    one = dict(SMALL, depth=1)
    plain, scaled = encoder(Vit(**one)), Encoder(Vit(**one, layer_scale=0.5), OWN, (24, 16), False)
    gammas = {k: v for k, v in scaled.state_dict().items() if ".ls" in k}
    assert sorted(gammas) == ["vit.blocks.0.ls1.gamma", "vit.blocks.0.ls2.gamma"]
    assert all((gamma == 0.5).all() for gamma in gammas.values())
    scaled.load_state_dict(plain.state_dict() | gammas)
    block, image = plain.vit.blocks[0], images(Vit(**SMALL))
    with torch.no_grad():
        tokens = plain.vit.patch_embed(standardise(image)) + plain.place(own_places((3, 2)))
        x = torch.cat([plain.vit.cls_token.expand(2, -1, -1), tokens], dim=1)
        x = x + 0.5 * block.attn(block.norm1(x))
        x = x + 0.5 * block.mlp(block.norm2(x))
        torch.testing.assert_close(scaled.eval()(image, own_places((3, 2)), seen()), x)


def test_drop_path_skips_blocks_in_training_alone():
    """Its rates rise linearly to the last block; a plain copy has none left."""
    sizes = dict(SMALL, depth=3)
    still, dropping = encoder(Vit(**sizes)), encoder(Vit(**sizes, drop_path=0.8))
    blocks = dropping.vit.blocks
    rates = [getattr(block.drop_path2, "drop_prob", 0.0) for block in blocks]
    assert rates == pytest.approx([0, 0.4, 0.8])
    asked = images(Vit(**SMALL), batch=8), own_places((3, 2)), seen(batch=8)
    with torch.no_grad():
        torch.testing.assert_close(dropping(*asked), still(*asked))
        assert not torch.allclose(dropping.train()(*asked), still.train()(*asked))
        plain = dropping.plain().train()(standardise(asked[0]))
        torch.testing.assert_close(plain, still.plain()(standardise(asked[0])))
        # each image of the last block is left as it is, or gets five times what the block adds
        x = torch.randn(64, 7, 16)
        added = (blocks[2].drop_path1(x) / x).flatten(1).mean(dim=1)
        assert sorted({round(a, 3) for a in added.tolist()}) == [0.0, 5.0]
