"""Execute the notebooks and keep their outputs as pictures, so that they read without a kernel.

python docs/build_notebooks.py notebooks/*.ipynb        # all of them; some minutes
"""

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

VIEW = "application/vnd.jupyter.widget-view+json"  # needs a kernel that is gone
LIMIT = 600  # seconds per cell
NOISE = "choreographer"  # what draws the pictures complains on stderr of its browser's messages


def run(path: Path) -> nbformat.NotebookNode:
    """Return the notebook with the outputs of a fresh kernel, started in its folder."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=LIMIT, resources={"metadata": {"path": path.parent}})
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
    return notebook


def main(names: list[str]) -> None:
    """Execute each notebook in place."""
    os.environ["PLOTLY_RENDERER"] = "plotly_mimetype+png"
    for name in names:
        path = Path(name)
        nbformat.write(keep_still(run(path)), path)
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
