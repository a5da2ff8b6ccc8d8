"""A page of `siamlab view`, served from this process for timing and testing.

with served(application(encoders, album, "secret")) as address: page.goto(address)
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.applications import Starlette

from siamlab.explore.view import server


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The address of an application whose token is "secret"; it ends with the block."""
    serving = server.server(app)
    with server.bound(0) as taken:
        thread = threading.Thread(target=serving.run, kwargs={"sockets": [taken]})
        thread.start()
        try:
            yield f"http://{server.HERE}:{taken.getsockname()[1]}/secret/"
        finally:
            serving.should_exit = True
            thread.join()
