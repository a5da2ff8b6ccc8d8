"""Responses of a page's server, and what is read from its requests; nothing of it is stored.

return numbers(patches)     return as_json({"id": photo.id})     data = await body(request, name)
"""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from torch import Tensor

from siamlab.explore.view.photos import MOST_BYTES, Photo, Refused, too_large

HEADERS = {  # a page asks for nothing from elsewhere, and nothing of it is written to disk
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' "
    "'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


async def body(request: Request, name: str) -> bytes:
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


def step_of(request: Request, name: str = "step") -> int | None:
    """Return the step that an address asks for. Raises Refused (404) for what is none."""
    word = request.query_params.get(name)
    if word is not None and not (word.isascii() and word.isdecimal() and len(word) < 10):
        raise Refused(f"{name}={word[:20]} must be one of the steps that the page names", 404)
    return None if word is None else int(word)


def described(photo: Photo) -> dict[str, Any]:
    crop = photo.crop and photo.crop._asdict()
    return {"id": photo.id, "name": photo.name, "side": photo.pixels.shape[1], "crop": crop}


def numbers(values: Tensor) -> Response:
    """Half-precision numbers, the lower byte first, row by row."""
    data = values.contiguous().numpy().astype("<f2").tobytes()
    return Response(data, media_type="application/octet-stream", headers=HEADERS)


def picture(data: bytes, kind: str) -> Response:
    return Response(data, media_type=f"image/{kind}", headers=HEADERS)


def text(content: str, kind: str) -> Response:
    return Response(content, media_type=kind, headers=HEADERS)


def as_json(content: Any, status: int = 200) -> Response:
    return JSONResponse(content, status, headers=HEADERS)


def stranger(request: Request) -> Response:
    raise Refused(
        "this address lacks the secret of the page; open the one that `siamlab view` printed", 403
    )


def refused(_: Request, error: Exception) -> Response:
    return as_json({"error": str(error)}, error.status if isinstance(error, Refused) else 400)


def failed(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    said = getattr(error, "detail", "the server failed; its terminal says why")
    return as_json({"error": said}, status)
