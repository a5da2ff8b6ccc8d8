"""Pages that are made when the site is built: tutorials, reference and files of the root.

A hook of mkdocs (see mkdocs.yml); `make docs` runs it.
"""

import posixpath
import re
import sys
from pathlib import Path

from mkdocs.structure.files import File

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]

from build_reference import reference  # noqa: E402
from build_tutorials import tutorials  # noqa: E402

# file of the repository: its page
INCLUDED = {
    "CONTRIBUTING.md": "contributing.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "siamlab/zoo/README.md": "zoo.md",
    "studies/results/README.md": "studies/results.md",
} | {
    f"studies/results/{folder.name}/summary.md": f"studies/{folder.name}.md"
    for folder in sorted((ROOT / "studies" / "results").iterdir())
    if (folder / "summary.md").exists()
}
TUTORIALS = {
    f"notebooks/{path.name}": f"tutorials/{path.stem}.md"
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
}
PAGES = INCLUDED | TUTORIALS
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
# the words after the language of a block are for tests/test_docs.py
INFO = re.compile(r"^(```\w+) [\w -]+$", re.MULTILINE)


def on_config(config):
    """Put the lists of generated pages into the navigation."""
    made = {"tutorials": _titles(tutorials()), "reference": _titles(reference())}
    for entry in config.nav:
        for title, pages in entry.items():
            if isinstance(pages, str) and pages in made:
                entry[title] = made[pages]
    return config


def on_files(files, config):
    """Add the generated pages and the pictures of tutorials."""
    pages = tutorials() | reference()
    pages |= {page: (ROOT / file).read_text("utf-8") for file, page in INCLUDED.items()}
    for page, content in pages.items():
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown, page, **_):
    """Links between files of the repository become links between pages."""
    home = posixpath.dirname(_file_of(page.file.src_uri))
    here = posixpath.dirname(page.file.src_uri)
    linked = LINK.sub(lambda link: _link(link, home, here), markdown)
    return INFO.sub(r"\1", linked)


def _file_of(page: str) -> str:
    """The file of the repository that a page is made from."""
    return {made: file for file, made in PAGES.items()}.get(page, f"docs/{page}")


def _link(link: re.Match, home: str, here: str) -> str:
    """One link; to a file of the repository that has no page, only its path."""
    image, text, target = link.groups()
    path, _, anchor = target.partition("#")
    if image or not path or "://" in target:
        return link.group() if not image else _picture(link, home, here)
    file = posixpath.normpath(posixpath.join(home, path))
    page = PAGES.get(file) or file.removeprefix("docs/")
    if file not in PAGES and not file.startswith("docs/"):
        return f"{text} (`{file}`)" if text.strip("`") not in file else f"`{file}`"
    return f"[{text}]({posixpath.relpath(page, here or '.')}{'#' + anchor if anchor else ''})"


def _picture(link: re.Match, home: str, here: str) -> str:
    """A picture of docs/, as seen from the page."""
    _, text, path = link.groups()
    file = posixpath.normpath(posixpath.join(home, path))
    if not file.startswith("docs/"):
        return link.group()
    return f"![{text}]({posixpath.relpath(file.removeprefix('docs/'), here or '.')})"


def _titles(pages: dict[str, str | bytes]) -> list[dict[str, str]]:
    """Title and address of each page, for the navigation."""
    texts = {page: text for page, text in pages.items() if page.endswith(".md")}
    return [
        page if page.endswith("index.md") else {text.split("\n", 1)[0].lstrip("# "): page}
        for page, text in texts.items()
    ]
