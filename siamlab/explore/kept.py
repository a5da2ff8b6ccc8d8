"""Kept results of a method, which go with their object as soon as it is dropped.

self._views = kept(self._views, most=32)
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any
from weakref import WeakMethod


def kept(method: Callable[..., Any], most: int) -> Callable[..., Any]:
    """Return the bound method with its last `most` results kept.

    `lru_cache` of the method would hold the object, which holds the cache: a circle, with images
    and models in it, that stays in memory until the garbage collector comes.
    """
    weak = WeakMethod(method)

    @lru_cache(maxsize=most)
    def remembered(*arguments: Any) -> Any:
        return weak()(*arguments)

    return remembered
