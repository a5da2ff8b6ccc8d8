"""Execute the notebooks and keep their outputs as pictures, so that they read without a kernel.

python docs/build_notebooks.py notebooks/*.ipynb        # all of them; some minutes
"""

import os
import sys
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

VIEW = "application/vnd.jupyter.widget-view+json"  # needs a kernel that is gone
PNG = "image/png"
LIMIT = 600  # seconds per cell
SCALE = 2  # pixels of a picture for one of the page: sharp on dense screens
COLOURS = 96  # of a picture: a quarter of the bytes of all colours
SHARP = f"__import__('plotly.io').io.renderers['png'].scale = {SCALE}"
NOISE = "choreographer"  # what draws the pictures complains on stderr of its browser's messages


def run(path: Path) -> nbformat.NotebookNode:
    """Return the notebook with the outputs of a fresh kernel, started in its folder."""
    notebook = nbformat.read(path, as_version=4)
    begin = [f"--IPKernelApp.exec_lines={SHARP}"]
    place = {"metadata": {"path": path.parent}}
    client = NotebookClient(notebook, timeout=LIMIT, resources=place, extra_arguments=begin)
    client.execute()
    return notebook


def keep_still(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Remove widgets, times and complaints from the outputs; pictures and text stay."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if "outputs" in cell:
            cell.outputs = [out for out in cell.outputs if NOISE not in out.get("text", "")]
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(VIEW, None)
            if PNG in output.get("data", {}):
                keep_picture(output)
    return notebook


def keep_picture(output: nbformat.NotebookNode) -> None:
    """Store a picture of SCALE with few colours, and the width at which it is shown."""
    drawn = Image.open(BytesIO(b64decode(output.data[PNG]))).convert("RGBA")
    white = Image.new("RGBA", drawn.size, "white")
    few = Image.alpha_composite(white, drawn).convert("RGB").quantize(COLOURS, dither=0)
    few.save(kept := BytesIO(), "PNG", optimize=True)
    output.data[PNG] = b64encode(kept.getvalue()).decode()
    output.metadata[PNG] = {"width": drawn.width // SCALE}


def main(names: list[str]) -> None:
    """Execute each notebook in place."""
    os.environ["PLOTLY_RENDERER"] = "plotly_mimetype+png"
    for name in names:
        path = Path(name)
        nbformat.write(keep_still(run(path)), path)
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
