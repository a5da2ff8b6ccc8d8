"""The values of the options that take one of a few names; for the parser and for completion."""

SHELLS = ("bash", "zsh", "tcsh")
# sets with a task of their own
STANDARD = (
    "spair", "davis", "nyu", "normals", "hpatches", "warps", "voc", "ade20k", "cityscapes",
    "regions", "voc_boxes", "coco_boxes",
)  # fmt: skip
SUITES = ("quick", "full", "published", "imagenet-c", *STANDARD)
SPLITS = ("all", "train", "test")
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("float32", "bfloat16", "float16")
