"""Cell: the page of `siamlab view` as a widget, which asks the kernel what a page asks a server.

widget = page_of(app, link, follow);  widget.link = "#layer=3"
"""

import json
from collections.abc import Callable
from typing import Any

import anywidget
import traitlets
from starlette.applications import Starlette

from siamlab.explore.view.inside import Reply, asked
from siamlab.explore.view.photos import MOST_BYTES
from siamlab.explore.web.assets import cell_script, view_style


class Page(anywidget.AnyWidget):
    """The page of `siamlab view`: it asks by messages, and its state is `link`."""

    _esm = cell_script()
    _css = view_style()
    link: "traitlets.Unicode[str, str]" = traitlets.Unicode().tag(sync=True)


def page_of(app: Starlette, link: str, follow: Callable[[str], Any]) -> Page:
    """Return a widget whose questions `app` answers; `follow` gets its link when it changes."""
    page = Page(link=link)
    page.observe(lambda change: follow(change["new"]), "link")
    parts: dict[int, bytes] = {}  # of questions that come in several messages

    def take(_: Page, content: dict[str, Any], buffers: list[Any]) -> None:
        number = content["ask"]
        parts[number] = parts.get(number, b"") + b"".join(map(bytes, buffers))
        if len(parts[number]) > 2 * MOST_BYTES:  # never from this page: it knows the bound
            del parts[number]
        elif "address" in content:
            _reply(page, app, content, parts.pop(number))

    page.on_msg(take)
    return page


def _reply(page: Page, app: Starlette, content: dict[str, Any], body: bytes) -> None:
    """Send the answer to a question; a mistake of ours is told there, and raised here."""
    reply = Reply(500, json.dumps({"error": "the kernel failed; its log says why"}).encode())
    try:
        reply = asked(app, content["address"], content.get("method") or "GET", body)
    finally:
        page.send({"answer": content["ask"], "status": reply.status}, [reply.body])
