"""Images in figures: PNG data URIs, and panels with axes in pixels.

show(figure, pixels, row=1, column=2)
"""

import base64
import io

import plotly.graph_objects as go
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from siamlab.geometry import Size

SHARP = 320  # pixels: smaller images are enlarged to about this, or a browser would blur them


def to_bytes(image: Float[Tensor, "3 H W"]) -> UInt8[Tensor, "3 H W"]:
    """Convert 0..1 to 0..255."""
    return image.detach().cpu().clamp(0, 1).mul(255).round().to(torch.uint8)


def to_grey(pixels: UInt8[Tensor, "3 H W"]) -> UInt8[Tensor, "3 H W"]:
    """Rec. 601 luma in all three channels, lightened as a background for colour."""
    weights = torch.tensor([0.299, 0.587, 0.114])
    luma = torch.einsum("chw,c->hw", pixels.cpu().float(), weights)
    return (80 + luma * 175 / 255).round().to(torch.uint8).expand(3, -1, -1)


def data_uri(pixels: UInt8[Tensor, "3 H W"]) -> str:
    """A PNG as `data:image/png;base64,...`; small images are enlarged without interpolation."""
    from PIL import Image

    image = Image.fromarray(pixels.cpu().permute(1, 2, 0).contiguous().numpy())
    if (pixels == pixels[:1]).all():
        image = image.convert("L")  # a third of the bytes
    times = max(1, round(SHARP / max(image.size)))
    image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    # level 9, which `optimize` means, saves a tenth of a photograph's bytes in 15 times the time
    image.save(file := io.BytesIO(), format="PNG", compress_level=4)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def draw(
    figure: go.Figure,
    pixels: UInt8[Tensor, "3 H W"],
    left: float = 0.0,
    size: Size | None = None,
    **panel: int,
) -> None:
    """Draw the image below the traces of a panel, its left edge at `left`, in pixels.

    It has `size`, height and width on the axes, by default that in its own pixels.
    """
    height, width = size or pixels.shape[1:]
    place = dict(x=left, y=0, sizex=width, sizey=height, sizing="stretch", layer="below")
    figure.add_layout_image(source=data_uri(pixels), xref="x", yref="y", **place, **panel)


def frame(
    figure: go.Figure, height: float | int, width: float | int, row: int = 1, col: int = 1
) -> None:
    """Set the axes of a panel to pixels: y downward, square, no grid."""
    bare = dict(showgrid=False, constrain="domain", showline=False, nticks=4, row=row, col=col)
    x = next(figure.select_xaxes(row=row, col=col)).plotly_name.replace("axis", "")
    figure.update_xaxes(range=[0, width], **bare)
    top = dict(scaleanchor=x, constraintoward="top")
    figure.update_yaxes(range=[height, 0], **top, **bare)


def show(figure: go.Figure, pixels: UInt8[Tensor, "3 H W"], row: int, col: int) -> None:
    """Show an image in a panel of its own."""
    draw(figure, pixels, row=row, col=col)
    frame(figure, *pixels.shape[1:], row=row, col=col)
