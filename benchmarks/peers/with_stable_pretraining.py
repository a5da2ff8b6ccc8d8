"""Two views on the device by stable-pretraining, and MoCo-v3 on them; run by peer.py."""

import warnings

from turns import serve

warnings.simplefilter("ignore")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def views(images, size, height, width, device):
    """Return a function that makes SiameseIM's and BYOL's two views of a batch."""
    import torch
    from stable_pretraining.data import gpu_transforms as on_device

    def chain(blurred, solarized):
        steps = [
            on_device.GPURandomResizedCrop(size),
            on_device.GPURandomHorizontalFlip(),
            on_device.GPUColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8),
            on_device.GPURandomGrayscale(0.2),
            on_device.GPUGaussianBlur(p=blurred),
            *[on_device.GPURandomSolarize(p=solarized)] * (solarized > 0),
            on_device.GPUNormalize(MEAN, STD),
        ]
        return on_device.GPUCompose(steps)

    both = on_device.MultiView([chain(1.0, 0.0), chain(0.1, 0.2)]).to(device)
    pixels = torch.randint(0, 256, (images, 3, height, width), dtype=torch.uint8, device=device)

    def work():
        made = both({"image": pixels.float() / 255})["views"]
        synchronise(device)
        return [view["image"] for view in made]

    return work


def moco_v3(images, size, height, width, device):
    """Return a step of a ViT-S/16 at 224 pixels, from pixels to the momentum update."""
    import torch
    from stable_pretraining.methods.mocov3 import MoCov3

    make = views(images, size, height, width, device)
    model = MoCov3("vit_small_patch16_224").to(device).train()
    learned = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=1.5e-4, weight_decay=0.1)

    def work():
        pair = make()
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            loss = model(*pair).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        model.backbone.update_teacher()
        model.projector.update_teacher()
        synchronise(device)

    return work


def synchronise(device):
    """Wait until the device has finished all its work."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    serve({"views": views, "moco_v3": moco_v3}, "stable-pretraining", "kornia", "torch")
