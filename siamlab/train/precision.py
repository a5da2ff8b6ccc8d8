"""Precision: what a run's networks compute in, where bfloat16 pays, and what is said about it.

precision = choose_precision(run, device)       # torch.float32 or torch.bfloat16

Weights, optimiser, views, places and losses are float32 whatever the networks compute in.
"""

import platform
from math import inf

import torch

from siamlab.run import Run
from siamlab.train.folder import Folder, Line

# Narrowest encoder that is known to train clearly faster in bfloat16, by the processor's products:
# AMX tiles 1.9 × at 128; AVX512_BF16 1.9 × at 192 and 0.86 to 1.11 × at 96 (docs/speed.md).
WITH_AMX, WITH_AVX512 = 128, 192

# Said where nobody asked for it: on processors it is not what torch does by itself.
CHOSEN = "computes in bfloat16, faster on this processor; compute.precision=float32 if unwanted"


def choose_precision(run: Run, device: torch.device) -> torch.dtype:
    """What was asked for; by default bfloat16 where the device and the encoder's width gain by it.

    A rule, not a timing: a run that goes on where it was gets the same numbers, bit for bit.
    """
    if run.compute.precision != "auto":
        return getattr(torch, run.compute.precision)
    return torch.bfloat16 if run.model.width >= pays_from(device) else torch.float32


def pays_from(device: torch.device) -> int | float:
    """Width of the encoder from which bfloat16 is known to be faster on the device.

    0 on a GPU that has it: always. inf where it is slower or, as on ARM, torch cannot tell: never.
    """
    if device.type == "cuda":
        return 0 if multiplies_bfloat16(device) else inf
    if torch.cpu._is_amx_tile_supported():
        return WITH_AMX
    return WITH_AVX512 if torch.cpu._is_avx512_bf16_supported() else inf


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for it, as far as torch can tell."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if platform.machine() not in ("x86_64", "AMD64"):
        return True  # torch does not tell
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def note_precision(run: Run, device: torch.device, folder: Folder, first: int) -> list[Line]:
    """Keep in the folder what steps after `first` are computed in; what is to be said about it."""
    if first == run.steps:
        return []
    now = str(choose_precision(run, device)).removeprefix("torch.")
    before = folder.note_precision(first, now)
    said = [_slow(now, device), _changed(run, before, now) or _chosen(run, device, before, now)]
    return [{"said": sentence} for sentence in said if sentence]


def _slow(now: str, device: torch.device) -> str:
    if now == "float32" or multiplies_bfloat16(device):
        return ""
    return (
        "compute.precision=bfloat16: this processor has no products of bfloat16 and takes several "
        "times as long as in float32; stop, and go on with --resume compute.precision=float32"
    )


def _changed(run: Run, before: str, now: str) -> str:
    """For a run that goes on elsewhere, or as somebody wants it to."""
    if before in ("", now):
        return ""
    asked = run.compute.precision != "auto"
    hint = "" if asked else f"; compute.precision={before} would stay with that"
    return f"computes in {now} from here on, until now in {before}{hint}"


def _chosen(run: Run, device: torch.device, before: str, now: str) -> str:
    """At the start alone."""
    if before or now == "float32" or run.compute.precision != "auto" or device.type == "cuda":
        return ""
    return CHOSEN
