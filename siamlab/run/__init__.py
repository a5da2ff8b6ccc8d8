"""The run: one field per axis, rules across axes, assignments, and choices that users add."""

from siamlab.run.run import BESIDE, AdamW, Compute, Run

__all__ = ["BESIDE", "AdamW", "Compute", "Run"]
