"""Releases: whole checkpoints of SiameseIM and MAE as runs, and runs as such checkpoints."""
