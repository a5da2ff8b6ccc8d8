"""The network, where pretrained weights come from.

with cached_if_offline(): timm.create_model(name, pretrained=True)
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener, getproxies

PATIENCE = 3.0  # seconds until a server that does not answer counts as out of reach
PROXY_PATIENCE = 10.0  # the same behind a proxy, which has to reach the server first


@contextmanager
def cached_if_offline() -> Iterator[None]:
    """Within the block, only cached files of the Hugging Face Hub are used if it is out of reach.

    The Hub's own client repeats each request for most of a minute before it gives up.
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _reachable(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _reachable(address: str) -> bool:
    """Return whether a server accepts a connection, or answers through the proxy if one is set."""
    if getproxies():
        return _answers(address)
    parts = urlsplit(address)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    try:
        socket.create_connection((parts.hostname, port), timeout=PATIENCE).close()
    except OSError:
        return False
    return True


def _answers(address: str) -> bool:
    """Return whether a request gets an answer, and not a proxy's that the server is away."""
    request = Request(address, method="HEAD")
    try:
        build_opener().open(request, timeout=PROXY_PATIENCE).close()
    except HTTPError as error:
        return error.code not in (502, 503, 504)
    except OSError:
        return False
    return True
