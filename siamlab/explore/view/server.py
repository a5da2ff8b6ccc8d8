"""The server of a page: an ASGI application only on this machine, whose addresses hold a secret.

serve(application(Encoders(models), Album(shipped()), token), bound(0))
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from siamlab.component import UserError
from siamlab.explore.view.collection import Collection
from siamlab.explore.view.encoders import Encoders
from siamlab.explore.view.photos import Album
from siamlab.explore.view.responses import failed, refused, stranger
from siamlab.explore.view.routes import routes
from siamlab.explore.view.studies import Studies

if TYPE_CHECKING:
    from uvicorn import Server

HERE = "127.0.0.1"
HANDLERS: dict[Any, Callable[[Request, Exception], Response]] = {
    UserError: refused,
    HTTPException: failed,
    Exception: failed,
}


def application(
    encoders: Encoders,
    album: Album,
    token: str,
    collection: Collection | None = None,
    studies: Studies | None = None,
) -> Starlette:
    """Return the application; every address below `/token/` answers, any other refuses.

    With a collection of images, the page has their map too; with studies, their plane (None: those
    that are found below the working folder).
    """
    return Starlette(
        routes=[
            Mount(f"/{token}", routes=routes(encoders, album, collection, studies or Studies())),
            Route("/{path:path}", stranger, methods=["GET", "POST", "DELETE", "PUT"]),
        ],
        # names that resolve to this machine, which a stranger's page may use, are refused
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HERE, "localhost"])],
        exception_handlers=HANDLERS,
    )


def bound(port: int) -> socket.socket:
    """Return a socket of this machine at a port, 0 for a free one. Raises UserError if it is taken.

    The port is bound before models are opened, so that a mistake is reported at once.
    """
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((HERE, port))
        taken.listen()
    except (OSError, OverflowError) as error:
        taken.close()
        raise UserError(
            f"--port {port} cannot be used ({getattr(error, 'strerror', error)}); leave it out for "
            "a free one, or name another"
        ) from error
    return taken


def serve(app: Starlette, taken: socket.socket) -> None:
    """Answer until the process is interrupted, for example by Ctrl-C."""
    with suppress(KeyboardInterrupt):
        server(app).run(sockets=[taken])


def server(app: Starlette) -> "Server":
    """Return a server that prints nothing and does not wait for browsers when it ends."""
    import uvicorn

    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    return uvicorn.Server(config)
