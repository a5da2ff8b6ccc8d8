"""Work by lightly, composed as its users would; run by peer.py."""

import warnings

from turns import serve

warnings.simplefilter("ignore")


def views(images, size, height, width, device):
    """Return a function that makes BYOL's two views, one PIL image at a time, on any device."""
    import torch
    from lightly.transforms import BYOLTransform, BYOLView1Transform, BYOLView2Transform
    from PIL import Image

    first, second = BYOLView1Transform(input_size=size), BYOLView2Transform(input_size=size)
    transform = BYOLTransform(first, second)
    pixels = torch.randint(0, 256, (images, height, width, 3), dtype=torch.uint8).numpy()
    pictures = [Image.fromarray(p) for p in pixels]

    def work():
        pairs = [transform(picture) for picture in pictures]
        return [torch.stack(side) for side in zip(*pairs, strict=True)]

    return work


def mae(images, size, patch, width, depth, heads, decoder, decoder_depth, decoder_heads, device):
    """Return a training step of MAE on float images of the device, without views."""
    import torch
    from lightly.models import utils
    from lightly.models.modules.masked_vision_transformer_decoder_timm import (
        MaskedVisionTransformerDecoderTIMM,
    )
    from lightly.models.modules.masked_vision_transformer_timm import MaskedVisionTransformerTIMM
    from timm.models.vision_transformer import VisionTransformer

    vit = VisionTransformer(size, patch, embed_dim=width, depth=depth, num_heads=heads)
    encoder = MaskedVisionTransformerTIMM(vit=vit)
    tokens = encoder.sequence_length
    predictor = MaskedVisionTransformerDecoderTIMM(
        tokens - 1, decoder, decoder_depth, decoder_heads
    )
    embed, out = torch.nn.Linear(width, decoder), torch.nn.Linear(decoder, 3 * patch**2)
    model = torch.nn.ModuleList([encoder, predictor, embed, out]).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    batch = torch.rand(images, 3, size, size, device=device)

    def work():
        keep, hidden = utils.random_token_mask((images, tokens), 0.75, device=device)
        seen = embed(encoder.encode(batch, idx_keep=keep))
        full = utils.repeat_token(predictor.mask_token, (images, tokens)).to(seen.dtype)
        full = utils.set_at_index(full, keep, seen)
        pred = out(utils.get_at_index(predictor(full), hidden))
        goal = utils.get_at_index(utils.patchify(batch, patch), hidden - 1)
        goal = utils.normalize_mean_var(goal)
        loss = torch.nn.functional.mse_loss(pred, goal)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    return work


if __name__ == "__main__":
    serve({"views": views, "mae": mae}, "lightly", "torch")
