"""The scripts, pages and style sheets of explorers, which widget and pages share."""

from importlib.resources import files

HERE = files("siamlab") / "explore" / "web"
PANELS = ("shapes.js", "input.js", "heat.js", "panels.js")
VIEW = ("compute.js", "patches.js", "segments.js", "steps.js", "view.js", "scenes.js")
MAP = ("scatter.js", "lasso.js", "verdicts.js", "map.js", "matches.js", "plane.js")
SHELL = ("picture.js", "link.js", "files.js", "sections.js", "shell.js")
SITE = ("opened.js", "features.js")  # files of their own
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
EXPORT = "export default"  # the last line of the widget's module


def script(page: bool = False) -> str:
    """Return the module of the widget; a page uses it without its last line, the export."""
    return joined((*["compute.js"] * page, *PANELS))


def style() -> str:
    """Return the style sheet."""
    return joined(("panels.css",))


def view_script(source: str = "server.js") -> str:
    """Return the script of the page of `siamlab view`; `source` gives photographs and numbers."""
    lines = joined((*PANELS, *VIEW, *MAP, source, *SHELL)).splitlines()
    return "\n".join(line for line in lines if not line.startswith(EXPORT))


def view_style() -> str:
    """Return the style sheet of the page of `siamlab view`."""
    return joined(("panels.css", "view.css"))


def view_page() -> str:
    """Return the page of `siamlab view`, which asks the server for all else."""
    return joined(("view.html",))


def site_files() -> dict[str, str]:
    """Return the page of a static demo: the same, but it asks nothing of a server."""
    page = view_page()
    for before, after in TO_SITE:
        assert page.count(before) == 1, before
        page = page.replace(before, after)
    own = {name: (HERE / "site" / name).read_text("utf-8") for name in SITE}
    return own | {
        "index.html": page,
        "view.js": view_script("site/local.js"),
        "view.css": view_style(),
    }


def joined(names: tuple[str, ...]) -> str:
    """Return the text of files, one after the other."""
    return "\n".join((HERE / name).read_text("utf-8") for name in names)
