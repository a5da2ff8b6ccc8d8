"""A page of `siamlab view`, served from the process of the tests."""

import threading
from contextlib import contextmanager

from siamlab.explore.view import server


@contextmanager
def served(app):
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
