"""Values of wrong types, for laws over all public functions."""

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

from siamlab.component import UserError

WRONG = {
    "None": None,
    "text": "a",
    "a fraction": 2.5,
    "a negative": -1,
    "zero": 0,
    "true": True,
    "nan": math.nan,
    "an empty list": [],
    "a list": [1, 2],
    "a list of texts": ["a"],
    "floats for sizes": (2.0, 3.0),
    "three sizes": (2, 3, 1),
    "no sizes": (0, 0),
    "a dictionary": {"a": 3},
    "a dictionary of lists": {"a": [1, 2]},
    "nested dictionaries": {"a": {"b": "x"}},
    "bytes": b"a",
    "an object": object(),
    "a class": dict,
    "a function": lambda *_: "a",
    "a vector": torch.ones(3),
    "whole numbers": torch.ones(2, 2, dtype=torch.long),
    "five dimensions": torch.ones(1, 1, 1, 1, 1),
    "a layer": torch.nn.Linear(2, 2),
}


def parameters(function: Callable[..., Any]) -> list[str]:
    """The names of all parameters that are passed one by one."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = inspect.signature(function).parameters.values()
    return [p.name for p in found if p.kind in kinds]


def raw(function: Callable[..., Any], arguments: dict[str, Any], key: str) -> list[str]:
    """What is neither taken nor refused in one line that names the argument, and what came."""
    found = []
    for name, value in WRONG.items():
        if callable(value) and callable(arguments.get(key)):
            continue  # what a function does is its own affair
        try:
            result = function(**arguments | {key: value})
            if isinstance(result, Iterator):
                next(result)
        except UserError as error:
            if "\n" in str(error) or len(str(error)) > 400:
                found.append(f"{name}: {len(str(error))} letters: {str(error)[:80]!r}")
        except Exception as error:
            found.append(f"{name}: {type(error).__name__}: {str(error)[:100]!r}")
    return found
