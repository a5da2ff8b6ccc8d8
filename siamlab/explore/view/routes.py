"""The addresses of a page, each with the function that answers it.

Mount(f"/{token}", routes=routes(encoders, album, collection))
"""

from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from siamlab import probe
from siamlab.explore.view.collection import Collection
from siamlab.explore.view.crops import Crops
from siamlab.explore.view.encoders import Encoders
from siamlab.explore.view.matches import disagreements
from siamlab.explore.view.photos import MOST_BYTES, Album, encoded
from siamlab.explore.view.responses import as_json, body, described, numbers, picture, step_of, text
from siamlab.explore.view.studies import Studies
from siamlab.explore.web.assets import view_page, view_script, view_style
from siamlab.figure.heat import STOPS


class Number(Convertor[int]):
    """A whole number in an address, of few digits: Python refuses to read thousands of them."""

    regex: str = "[0-9]{1,9}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("number", Number())


def routes(
    encoders: Encoders, album: Album, collection: Collection | None, studies: Studies
) -> list[Route]:
    """Return the addresses of a page: itself, photographs, models, matches, studies, a map."""
    crops = cropped(encoders, album, collection)
    maps = _map_routes(encoders, album, collection) if collection else []
    further = lambda: {"pairs": len(crops), "studies": studies.names,  # noqa: E731
                       "map": collection.about() if collection else None}  # fmt: skip
    about = _about_route(encoders, album, further)
    return [
        *_page_routes(),
        about,
        *_photo_routes(album),
        *_model_routes(encoders, album),
        *_match_routes(encoders, album, crops),
        *_plane_routes(encoders, studies),
        *maps,
    ]


def photo_routes(encoders: Encoders, album: Album) -> list[Route]:
    """Return the addresses of photographs and models alone, without matches, studies and a map."""
    about = _about_route(encoders, album, lambda: {"map": None})
    return [about, *_photo_routes(album), *_model_routes(encoders, album)]


def _about_route(encoders: Encoders, album: Album, further: Callable[[], dict[str, Any]]) -> Route:
    def about(_: Request) -> Response:
        found = {"models": encoders.about(), "photos": [described(photo) for photo in album]}
        found |= {"stops": list(STOPS), "most_bytes": MOST_BYTES}
        return as_json(found | further())

    return Route("/about", about)


def _photo_routes(album: Album) -> list[Route]:
    def photo(request: Request) -> Response:
        return picture(encoded(album[request.path_params["photo"]]), "png")

    async def add(request: Request) -> Response:
        name = request.query_params.get("name", "")
        data = await body(request, name)
        return as_json(described(await run_in_threadpool(album.add, name, data)), 201)

    return [Route("/photos/{photo}", photo), Route("/photos", add, methods=["POST"])]


def _model_routes(encoders: Encoders, album: Album) -> list[Route]:
    def features(request: Request) -> Response:
        where = request.path_params
        photo, step = album[where["photo"]], step_of(request)
        return numbers(encoders.patches(where["model"], photo, where["layer"], step))

    def attention(request: Request) -> Response:
        where = request.path_params
        photo, step = album[where["photo"]], step_of(request)
        return numbers(encoders.attention(where["model"], photo, where["layer"], step))

    def rollout(request: Request) -> Response:
        where = request.path_params
        return numbers(encoders.rollout(where["model"], album[where["photo"]], step_of(request)))

    place = "{model:number}/{photo}/{layer:number}"
    return [
        Route(f"/features/{place}", features),
        Route(f"/attention/{place}", attention),
        Route("/rollout/{model:number}/{photo}", rollout),
    ]


def _page_routes() -> list[Route]:
    return [
        Route("/", lambda _: text(view_page(), "text/html")),
        Route("/view.js", lambda _: text(view_script(), "text/javascript")),
        Route("/view.css", lambda _: text(view_style(), "text/css")),
    ]


def _map_routes(encoders: Encoders, album: Album, collection: Collection) -> list[Route]:
    def pooled(request: Request) -> Response:
        return numbers(encoders.pooled(request.path_params["model"], collection, step_of(request)))

    def votes(request: Request) -> Response:
        found = encoders.votes(request.path_params["model"], collection, step_of(request))
        share = [round(value, 3) for value in found.share.tolist()]
        return as_json({"label": found.label.tolist(), "share": share})

    def tsne(request: Request) -> Response:
        return numbers(encoders.tsne(request.path_params["model"], collection, step_of(request)))

    def umap(request: Request) -> Response:
        return numbers(encoders.umap(request.path_params["model"], collection, step_of(request)))

    def sheet(_: Request) -> Response:
        return picture(collection.sheet(), "jpeg")

    def look(request: Request) -> Response:
        found = collection.photo(request.path_params["image"])
        return as_json(described(album.keep(found)), 201)

    return [
        Route("/map/{model:number}", pooled),
        Route("/map/{model:number}/votes", votes),
        Route("/map/{model:number}/tsne", tsne),
        Route("/map/{model:number}/umap", umap),
        Route("/map/sheet", sheet),
        Route("/map/look/{image:number}", look, methods=["POST"]),
    ]


def _plane_routes(encoders: Encoders, studies: Studies) -> list[Route]:
    def scene(request: Request) -> Response:
        return as_json(studies.scene(request.query_params, encoders.models))

    def matches(request: Request) -> Response:
        number = request.path_params["number"]
        pair = studies.encoders(request.query_params, number, encoders.models)
        first, second = (encoders.open(encoder) for encoder in pair)
        return as_json({"first": first, "second": second}, 201)

    return [
        Route("/plane", scene),
        Route("/plane/matches/{number:number}", matches, methods=["POST"]),
    ]


def cropped(encoders: Encoders, album: Album, collection: Collection | None) -> Crops:
    """Return two crops of each photograph and of some images, no smaller than models take them."""
    side = max((max(probe.inputs(named.model).size) for named in encoders.models), default=0)
    return Crops(album, collection and collection.images, side)


def _match_routes(encoders: Encoders, album: Album, crops: Crops) -> list[Route]:
    def matches(request: Request) -> Response:
        steps = step_of(request), step_of(request, "second_step")
        return as_json(disagreements(encoders, crops, *request.path_params.values(), steps))

    def crop(request: Request) -> Response:
        return picture(encoded(crops[request.path_params["photo"]]), "png")

    def look(request: Request) -> Response:
        return as_json(described(album.keep(crops[request.path_params["photo"]])), 201)

    return [
        Route("/matches/{first:number}/{second:number}", matches),
        Route("/crops/{photo}", crop),
        Route("/crops/{photo}", look, methods=["POST"]),
    ]
