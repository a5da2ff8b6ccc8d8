"""Notebooks as pages: their text, code and committed outputs, nothing is run.

tutorials()     # {"tutorials/01_the_plane.md": text, "tutorials/01_the_plane_3.png": bytes, ...}
"""

import base64
import re
from functools import cache
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
INDEX = """# Tutorials

Each tutorial is a notebook that asks one question and answers it with the encoders that ship with
siamlab. `siamlab lab` (or `make lab` in a clone) opens them in JupyterLab, where explorers answer
clicks; here they are shown with the outputs that are in the repository. Set your own models and
images in the first cell.

"""


@cache
def tutorials() -> dict[str, str | bytes]:
    """Return every page and picture by its address."""
    pages: dict[str, str | bytes] = {"tutorials/index.md": ""}
    listed = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        text, pictures = _page(notebook, path.stem)
        pages |= {f"tutorials/{path.stem}.md": text}
        pages |= {f"tutorials/{name}": picture for name, picture in pictures.items()}
        listed.append(f"{len(listed) + 1}. [{text.splitlines()[0].lstrip('# ')}]({path.stem}.md)")
    pages["tutorials/index.md"] = INDEX + "\n".join(listed) + "\n"
    return pages


def _page(notebook: nbformat.NotebookNode, stem: str) -> tuple[str, dict[str, bytes]]:
    parts, pictures = [], {}
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for i, output in enumerate(cell.outputs):
            name = f"{stem}_{number}_{i}.png"
            shown = _shown(output, name)
            parts.append(shown)
            if name in shown:
                pictures[name] = base64.b64decode(output.data["image/png"])
    return "\n\n".join(parts) + "\n", pictures


def _shown(output: nbformat.NotebookNode, picture: str) -> str:
    """One output: a picture where there is one, else prose, else a table, else text."""
    data = output.get("data", {})
    if "text/markdown" in data:
        return data["text/markdown"]
    if "image/png" in data:
        return f"![The output of the cell above]({picture})"
    if "text/html" in data:
        return _table(data["text/html"])
    return f"```text\n{(output.get('text') or data['text/plain']).rstrip()}\n```"


def _table(html: str) -> str:
    """A table of polars in the style of the site."""
    html = re.sub(r"<style>.*?</style>|<small>.*?</small>", "", html, flags=re.DOTALL)
    html = re.sub(r"<table[^>]*>", "<table>", html)
    html = re.sub(r"<tr><td>(str|f64|i64|u32)</td>.*?</tr>", "", html)  # the types of columns
    return html.replace("&quot;", "").replace("\n", "")
