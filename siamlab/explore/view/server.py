"""The server of a page: an ASGI application only on this machine, whose addresses hold a secret.

serve(application(Encoders(models), Album(shipped()), token), bound(0))
"""

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from torch import Tensor

from siamlab import probe
from siamlab.component import UserError
from siamlab.explore.scene import STOPS
from siamlab.explore.view.collection import Collection
from siamlab.explore.view.crops import Crops
from siamlab.explore.view.encoders import Encoders
from siamlab.explore.view.matches import disagreements
from siamlab.explore.view.photos import MOST_BYTES, Album, Photo, Refused, encoded, too_large
from siamlab.explore.web.assets import view_page, view_script, view_style

if TYPE_CHECKING:
    from uvicorn import Server

HERE = "127.0.0.1"
HEADERS = {  # a page asks for nothing from elsewhere, and nothing of it is written to disk
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' "
    "'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Number(Convertor[int]):
    """A whole number in an address, of few digits: Python refuses to read thousands of them."""

    regex: str = "[0-9]{1,9}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("number", Number())


def application(
    encoders: Encoders, album: Album, token: str, collection: Collection | None = None
) -> Starlette:
    """Return the application; every address below `/token/` answers, any other refuses.

    With a collection of images, the page has their map too.
    """
    return Starlette(
        routes=[
            Mount(f"/{token}", routes=_page_routes() + _routes(encoders, album, collection)),
            Route("/{path:path}", _stranger, methods=["GET", "POST", "DELETE", "PUT"]),
        ],
        # names that resolve to this machine, which a stranger's page may use, are refused
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HERE, "localhost"])],
        exception_handlers={UserError: _refused, HTTPException: _failed, Exception: _failed},
    )


def _routes(encoders: Encoders, album: Album, collection: Collection | None) -> list[Route]:
    crops = cropped(encoders, album, collection)

    def about(_: Request) -> Response:
        told = {"models": encoders.about(), "photos": [_described(photo) for photo in album]}
        told |= {"stops": list(STOPS), "most_bytes": MOST_BYTES, "pairs": len(crops)}
        return _json(told | {"map": collection.about() if collection else None})

    def photo(request: Request) -> Response:
        return _picture(encoded(album[request.path_params["photo"]]), "png")

    async def add(request: Request) -> Response:
        name = request.query_params.get("name", "")
        data = await _body(request, name)
        return _json(_described(await run_in_threadpool(album.add, name, data)), 201)

    def features(request: Request) -> Response:
        where = request.path_params
        photo, step = album[where["photo"]], where.get("step")
        return _numbers(encoders.patches(where["model"], photo, where["layer"], step))

    def attention(request: Request) -> Response:
        where = request.path_params
        return _numbers(encoders.attention(where["model"], album[where["photo"]], where["layer"]))

    def rollout(request: Request) -> Response:
        where = request.path_params
        return _numbers(encoders.rollout(where["model"], album[where["photo"]]))

    maps = _map_routes(encoders, album, collection) if collection else []
    place = "{model:number}/{photo}/{layer:number}"
    return [
        Route("/about", about),
        Route("/photos/{photo}", photo),
        Route("/photos", add, methods=["POST"]),
        Route(f"/features/{place}", features),
        Route(f"/features/{place}/{{step:number}}", features),
        Route(f"/attention/{place}", attention),
        Route("/rollout/{model:number}/{photo}", rollout),
        *_match_routes(encoders, album, crops),
        *maps,
    ]


def _page_routes() -> list[Route]:
    return [
        Route("/", lambda _: _text(view_page(), "text/html")),
        Route("/view.js", lambda _: _text(view_script(), "text/javascript")),
        Route("/view.css", lambda _: _text(view_style(), "text/css")),
    ]


def _map_routes(encoders: Encoders, album: Album, collection: Collection) -> list[Route]:
    def pooled(request: Request) -> Response:
        return _numbers(encoders.pooled(request.path_params["model"], collection))

    def votes(request: Request) -> Response:
        found = encoders.votes(request.path_params["model"], collection)
        share = [round(value, 3) for value in found.share.tolist()]
        return _json({"label": found.label.tolist(), "share": share})

    def tsne(request: Request) -> Response:
        return _numbers(encoders.tsne(request.path_params["model"], collection))

    def sheet(_: Request) -> Response:
        return _picture(collection.sheet(), "jpeg")

    def look(request: Request) -> Response:
        found = collection.photo(request.path_params["image"])
        return _json(_described(album.keep(found)), 201)

    return [
        Route("/map/{model:number}", pooled),
        Route("/map/{model:number}/votes", votes),
        Route("/map/{model:number}/tsne", tsne),
        Route("/map/sheet", sheet),
        Route("/map/look/{image:number}", look, methods=["POST"]),
    ]


def cropped(encoders: Encoders, album: Album, collection: Collection | None) -> Crops:
    """Return two crops of each photograph and of some images, no smaller than models take them."""
    side = max(max(probe.inputs(named.model).size) for named in encoders.models)
    return Crops(album, collection and collection.images, side)


def _match_routes(encoders: Encoders, album: Album, crops: Crops) -> list[Route]:
    def matches(request: Request) -> Response:
        return _json(disagreements(encoders, crops, *request.path_params.values()))

    def crop(request: Request) -> Response:
        return _picture(encoded(crops[request.path_params["photo"]]), "png")

    def look(request: Request) -> Response:
        return _json(_described(album.keep(crops[request.path_params["photo"]])), 201)

    return [
        Route("/matches/{first:number}/{second:number}", matches),
        Route("/crops/{photo}", crop),
        Route("/crops/{photo}", look, methods=["POST"]),
    ]


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


async def _body(request: Request, name: str) -> bytes:
    """Return what was sent. Raises Refused as soon as it is too large."""
    name = name.strip() or "photograph"
    told = request.headers.get("content-length", "0")
    if len(told) > 15 or int(told) > MOST_BYTES:  # only digits: the server refuses others
        raise too_large(name)
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MOST_BYTES:
                raise too_large(name)
            parts.append(part)
    except ClientDisconnect:
        raise Refused(f"{name} was not sent to its end; add it again") from None
    return b"".join(parts)


def _described(photo: Photo) -> dict[str, Any]:
    crop = photo.crop and photo.crop._asdict()
    return {"id": photo.id, "name": photo.name, "side": photo.pixels.shape[1], "crop": crop}


def _numbers(values: Tensor) -> Response:
    """Half-precision numbers, the lower byte first, row by row."""
    data = values.contiguous().numpy().astype("<f2").tobytes()
    return Response(data, media_type="application/octet-stream", headers=HEADERS)


def _picture(data: bytes, kind: str) -> Response:
    return Response(data, media_type=f"image/{kind}", headers=HEADERS)


def _text(text: str, kind: str) -> Response:
    return Response(text, media_type=kind, headers=HEADERS)


def _json(content: Any, status: int = 200) -> Response:
    return JSONResponse(content, status, headers=HEADERS)


def _stranger(request: Request) -> Response:
    raise Refused(
        "this address lacks the secret of the page; open the one that `siamlab view` printed", 403
    )


def _refused(_: Request, error: Exception) -> Response:
    return _json({"error": str(error)}, error.status if isinstance(error, Refused) else 400)


def _failed(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    said = getattr(error, "detail", "the server failed; its terminal says why")
    return _json({"error": said}, status)
