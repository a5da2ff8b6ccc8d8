"""Inside: a page's addresses answered in this process, for a widget, without a server.

app = inside(encoders, album);  reply = asked(app, "features/0/3f2a…/6");  reply.body
"""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.types import Message

from siamlab.explore.view.encoders import Encoders
from siamlab.explore.view.photos import Album, Refused
from siamlab.explore.view.routes import photo_routes
from siamlab.explore.view.server import HANDLERS, HERE


class Reply(NamedTuple):
    status: int  # of HTTP
    body: bytes

    def checked(self) -> bytes:
        """Return the body. Raises Refused with the sentence of a refusal."""
        if self.status < 400:
            return self.body
        raise Refused(json.loads(self.body)["error"], self.status)


def inside(encoders: Encoders, album: Album) -> Starlette:
    """Return the application of a widget: that of a page, for photographs alone."""
    return Starlette(routes=photo_routes(encoders, album), exception_handlers=HANDLERS)


def asked(app: Starlette, address: str, method: str = "GET", body: bytes = b"") -> Reply:
    """Return what the application answers at an address below that of its page.

    Raises what its functions raise, unless it is a sentence for the user, which is a reply.
    """
    scope = _scope(address, method, len(body))
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def answer() -> None:
        await app(scope, receive, send)

    with ThreadPoolExecutor(1) as beside:  # a notebook's own thread has a loop that runs already
        beside.submit(lambda: asyncio.run(answer())).result()
    parts: list[Any] = [message.get("body", b"") for message in sent]
    return Reply(sent[0]["status"], b"".join(parts))


def _scope(address: str, method: str, size: int) -> dict[str, Any]:
    """A question as a server would hand it over."""
    path, _, query = address.partition("?")
    return {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "server": (HERE, 80),
        "method": method,
        "root_path": "",
        "path": f"/{unquote(path)}",
        "query_string": query.encode(),
        "headers": [(b"content-length", str(size).encode())],
    }
