"""Draw a scene as an image without a browser, for notebooks where no script runs.

The script of the page draws: here an engine runs it that makes SVG, and resvg turns that into PNG.

svg(scene, images); png(scene, images, zoom=2)
"""

import base64
import io
import json
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from siamlab.component import UserError
from siamlab.explore.scene import Scene
from siamlab.explore.web.assets import sheet_script
from siamlab.machine.files import atomic, check_has_name, with_ending
from siamlab.train.access import ELSEWHERE, make_room, written

Pictures = dict[str, UInt8[Tensor, "3 H W"]]


def svg(scene: Scene | dict[str, Any], images: Pictures) -> str:
    """Return the text, the panels in columns below it, then legend and colour scales, as SVG.

    Where a chart comes first, the text stands below the panels, as on a page.
    Raises UserError if the script engine is not installed.
    """
    engine = needed("quickjs", "quickjs-ng").Context()
    engine.eval(sheet_script())
    shown = {key: _image(pixels) for key, pixels in images.items()}
    plain = scene if isinstance(scene, dict) else scene.as_dict()
    return engine.get("drawn")(json.dumps([plain, shown]))


def png(scene: Scene | dict[str, Any], images: Pictures, zoom: int = 2) -> bytes:
    """Return the same as PNG, with `zoom` pixels for one of the page."""
    font = _font()
    letters = {"font_files": [str(font)], "skip_system_fonts": True} if font else {}
    return needed("resvg_py", "resvg-py").svg_to_bytes(svg(scene, images), zoom=zoom, **letters)


def as_output(
    scene: Scene | dict[str, Any], images: Pictures, zoom: int = 2
) -> tuple[str, dict[str, int]]:
    """Return a PNG in base64, and the width of the page at which a notebook shows it."""
    drawn = png(scene, images, zoom)
    return base64.b64encode(drawn).decode(), {"width": int.from_bytes(drawn[16:20], "big") // zoom}


def kind_of_picture(path: str | Path | None) -> str:
    """Return ".png" or ".svg" by the ending of a path, and make its folder; ".png" without a path.

    Raises UserError for another ending, and where nothing can be written.
    """
    if path is None:
        return ".png"
    check_has_name(Path(path), f"path={str(path)!r}", "snapshot", (".png", ".svg"))
    kind = Path(path).suffix.lower()
    if kind not in (".png", ".svg"):
        raise UserError(
            "a snapshot is a PNG or SVG; name its file "
            f"{with_ending(Path(path), '.png', '.svg', name='snapshot')}, not {str(path)!r}"
        )
    make_room(Path(path))
    return kind


def write_picture(picture: bytes, path: Path) -> bytes:
    """Write a picture, whole or not at all, and return it."""
    with written(path, ELSEWHERE), atomic(path) as draft:
        draft.write_bytes(picture)
    return picture


def _image(pixels: UInt8[Tensor, "3 H W"]) -> dict[str, str | int]:
    _, height, width = pixels.shape
    picture = Image.fromarray(pixels.cpu().permute(1, 2, 0).contiguous().numpy())
    picture.save(file := io.BytesIO(), "PNG")
    href = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    return {"href": href, "width": width, "height": height}


def needed(module: str, package: str) -> Any:
    """Import a module that comes with the notebooks. Raises UserError if it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise UserError(
            f"a picture of an explorer needs {package}, which is not installed: "
            "pip install 'siamlab[notebook]'"
        ) from error


@lru_cache
def _font() -> Path | None:
    """DejaVu Sans, which captum's matplotlib brings: the same picture on every machine."""
    found = find_spec("matplotlib")
    for home in found.submodule_search_locations or () if found else ():
        path = Path(home, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
        if path.is_file():
            return path
    return None
