"""The values of the options that take one of a few names; for the parser and for completion."""

SHELLS = ("bash", "zsh", "tcsh")
SUITES = ("quick", "full", "published", "imagenet-c")
SPLITS = ("all", "train", "test")
DEVICES = ("auto", "cpu", "cuda")
