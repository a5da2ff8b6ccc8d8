"""Precision: what a run's networks compute in, where bfloat16 pays, and notices about it.

precision = choose_precision(run, device)       # torch.float32 or torch.bfloat16

Weights, optimiser, views, places and losses are float32 whatever the networks compute in.
"""

import platform
from math import inf

import torch

from siamlab.machine.internals import has_amx, has_avx512_bf16
from siamlab.run import Run
from siamlab.train.events import Notice
from siamlab.train.folder import RunFolder

# Narrowest encoder known to train clearly faster in bfloat16 on a processor that multiplies it:
# AMX tiles 1.9 × at 128; AVX512_BF16 1.5 to 1.9 × at 128 and 0.86 to 1.5 × at 96 (docs/speed.md).
PAYS_FROM = 128

# A notice, since torch by itself would not do this on a processor.
CHOSEN = "computes in bfloat16, faster on this processor; compute.precision=float32 if unwanted"


def choose_precision(run: Run, device: torch.device) -> torch.dtype:
    """Return the precision of a run; by default bfloat16 where device and width gain by it.

    A rule, not a timing: a run that is resumed on the same machine gives the same bits.
    """
    if run.compute.precision != "auto":
        return getattr(torch, run.compute.precision)
    return torch.bfloat16 if run.model.width >= pays_from(device) else torch.float32


def pays_from(device: torch.device) -> int | float:
    """Return the encoder's width from which bfloat16 is known to be faster on the device.

    0 (always) on a GPU that has it; inf (never) where it is slower, or unknown to torch as on ARM.
    """
    if device.type == "cuda":
        return 0 if multiplies_bfloat16(device) else inf
    return PAYS_FROM if has_amx() or has_avx512_bf16() else inf


def multiplies_bfloat16(device: torch.device) -> bool:
    """Return whether the device has instructions for bfloat16, as far as torch knows."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if platform.machine() not in ("x86_64", "AMD64"):
        return True  # torch does not report it
    return has_avx512_bf16() or has_amx()


def note_precision(run: Run, device: torch.device, folder: RunFolder, first: int) -> list[Notice]:
    """Record in the folder the precision of the steps after `first`; return notices about it."""
    if first == run.steps:
        return []
    now = str(choose_precision(run, device)).removeprefix("torch.")
    before = folder.note_precision(first, now)
    texts = [_slow(now, device), _changed(run, before, now) or _chosen(run, device, before, now)]
    return [Notice(text) for text in texts if text]


def _slow(now: str, device: torch.device) -> str:
    if now == "float32" or multiplies_bfloat16(device):
        return ""
    return (
        "compute.precision=bfloat16: this processor cannot multiply bfloat16 and takes several "
        "times as long as in float32; stop, then continue with --resume compute.precision=float32"
    )


def _changed(run: Run, before: str, now: str) -> str:
    """The notice for a run that is resumed in another precision."""
    if before in ("", now):
        return ""
    asked = run.compute.precision != "auto"
    hint = "" if asked else f"; set compute.precision={before} to stay with that"
    return f"computes in {now} from here on (in {before} until now){hint}"


def _chosen(run: Run, device: torch.device, before: str, now: str) -> str:
    """The notice at the start of a run that was not asked to compute in bfloat16 but does."""
    if before or now == "float32" or run.compute.precision != "auto" or device.type == "cuda":
        return ""
    return CHOSEN
