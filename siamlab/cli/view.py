"""The command `siamlab view`: models and photographs by name in, a page in the browser out.

view(["zoo:mae"], ["cat.jpg"], ["data=scenes"], Options())       # until it is interrupted
"""

import secrets
import webbrowser
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from siamlab.cli.probe import folder_or_source, print_about
from siamlab.evaluate.evaluate import feature_shelf
from siamlab.evaluate.models import NamedModel, distinct, open_model
from siamlab.explore.plane.results import results_place, study_results
from siamlab.explore.view.collection import Collection
from siamlab.explore.view.encoders import Encoders
from siamlab.explore.view.photos import Album, opened, shipped
from siamlab.explore.view.server import HERE, application, bound, serve
from siamlab.explore.view.studies import Studies
from siamlab.machine.console import Console
from siamlab.machine.device import device_named, lent
from siamlab.machine.terminal import say

TEXT_BROWSERS = ("www-browser", "links", "elinks", "lynx", "w3m")  # they would take the terminal


class Options(NamedTuple):
    port: int = 0  # 0: a free one
    device: str = "auto"  # cpu, cuda, or auto: a GPU if there is one
    browser: bool = True  # open the page
    size: int | None = None  # side of every model's input, pixels
    data: str | None = None  # images for a map: a folder, or a source by name
    images: int = 500  # on the map, at most
    studies: tuple[str, ...] = ()  # for the plane; none: those of this folder


def view(
    names: Sequence[str], photos: Sequence[str], words: Sequence[str], options: Options
) -> None:
    """Serve the page of these models and photographs, and say where it is, until interrupted.

    With `words` such as data=cifar10, or options.data, it has a map of images too, and where there
    are results of studies, their plane.
    """
    device = device_named(options.device)
    with ExitStack() as until_the_end:
        taken = until_the_end.enter_context(bound(options.port))
        for word in options.studies:  # damaged ones are refused now, not on the page
            study_results(word)
        studies = Studies([str(results_place(word)) for word in options.studies])
        with Console(stderr=True).status("opening models and photographs"):
            album = Album(opened(photos) if photos else shipped())
            models = distinct(names, [open_model(name, size=options.size) for name in names])
            collection = mapped(models, words, options)
        print_about(models)
        for named in models:
            until_the_end.enter_context(lent(named.model, device))
        token = secrets.token_urlsafe(16)
        url = f"http://{HERE}:{taken.getsockname()[1]}/{token}/"
        say(f"{url}  (Ctrl-C ends it)")
        if options.browser:
            open_browser(url)
        encoders = Encoders(models, device, options.size)
        serve(application(encoders, album, token, collection, studies), taken)


def mapped(
    models: Sequence[NamedModel], words: Sequence[str], options: Options
) -> Collection | None:
    """Return the test images that the words choose, for the map; None without such words."""
    if not words and not options.data:
        return None
    source = folder_or_source(options.data, models, words)
    return Collection(source.sample("test", options.images).images, source.kind, feature_shelf())


def open_browser(url: str) -> None:
    """Open an address, unless the only browsers are those of a terminal."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:  # there is none: the address was printed
        return
    if getattr(browser, "name", "") not in TEXT_BROWSERS:
        browser.open(url)
