"""The scripts, pages and style sheets of explorers, which widget and pages share.

The scripts in `built/` are made from `src/` by `make web`.
"""

from importlib.resources import files

HERE = files("siamlab") / "explore" / "web"
POLICY = (
    "default-src 'none'; connect-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)
TITLE = "What do these networks see?"
TO_SITE = (  # what differs in the page of a demo
    ("siamlab view</title>", f"{TITLE}</title>"),
    ("<h1>siamlab view</h1>", f"<h1>{TITLE}</h1>"),
    (
        "Photographs stay on this machine and are forgotten at the end",
        "Networks run in this browser: photographs stay on your device",
    ),
    ('<script type="module"', '<script src="opened.js" defer></script>\n<script type="module"'),
    (
        '<link rel="icon"',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n<link rel="icon"',
    ),
)


def widget_script() -> str:
    """Return the module of the widget."""
    return _text("built/widget.js")


def page_script() -> str:
    """Return the script of an exported page."""
    return _text("built/page.js")


def sheet_script() -> str:
    """Return the script that draws a scene as SVG where there is no browser."""
    return _text("built/sheet.js")


def style() -> str:
    """Return the style sheet of the widget and of exported pages."""
    return _text("shapes.css") + _text("panels.css")


def viewer_script() -> str:
    """Return the script that answers in Python's engine what the page would show."""
    return _text("built/viewer.js")


def cell_script() -> str:
    """Return the module of the page as a widget."""
    return _text("built/cell.js")


def view_script() -> str:
    """Return the script of the page of `siamlab view`."""
    return _text("built/view.js")


def view_style() -> str:
    """Return the style sheet of the page of `siamlab view`."""
    return style() + _text("view.css")


def view_page() -> str:
    """Return the page of `siamlab view`, which asks the server for all else."""
    return _text("view.html")


def site_files() -> dict[str, str]:
    """Return the page of a static demo: the same, but it asks nothing of a server."""
    page = view_page()
    for before, after in TO_SITE:
        assert page.count(before) == 1, before
        page = page.replace(before, after)
    return {
        "index.html": page,
        "view.js": _text("built/demo.js"),
        "features.js": _text("built/features.js"),
        "opened.js": _text("opened.js"),
        "view.css": view_style(),
    }


def _text(name: str) -> str:
    return HERE.joinpath(*name.split("/")).read_text("utf-8")
