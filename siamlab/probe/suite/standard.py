"""The rows of the catalogue that standard sets with a task of their own are scored by.

Each is measured by its set in `siamlab.evaluate.standard`, not by a suite: `measure` is None.
"""

from siamlab.probe.catalogue import Doc, Probe

POINTS, IMAGES = "share of points", "mean share of points"
SPAIR_CATEGORIES = (
    "aeroplane bicycle bird boat bottle bus car cat chair cow dog horse motorbike person "
    "pottedplant sheep train tvmonitor"
).split()

# fmt: off
SPAIR = (
    *(Probe(f"spair{key}", f"SPair-71k PCK@{alpha}, per point", "spatial", POINTS, "higher", None,
            Doc("`keypoints.pck`", "keypoints of one object whose nearest feature in another lies "
                f"within {alpha} of its box's longer side of the same part", "0–1"))
      for key, alpha in {"": "0.10", "_05": "0.05"}.items()),
    *(Probe(f"spair_image{key}", f"SPair-71k PCK@{alpha}, per image", "spatial", IMAGES, "higher",
            None, Doc("`keypoints.pck`", "the same share of each pair of images, mean over pairs",
                      "0–1"))
      for key, alpha in {"": "0.10", "_05": "0.05"}.items()),
    Probe("spair_categories", "SPair-71k PCK@0.10, mean over categories", "spatial", POINTS,
          "higher", None,
          Doc("`keypoints.pck`", "mean over the 18 categories of the share of points", "0–1")),
    *(Probe(f"spair_{name}", f"SPair-71k PCK@0.10, {name}", "spatial", POINTS, "higher", None,
            Doc("`keypoints.pck`", "the share of points in one category", "0–1"))
      for name in SPAIR_CATEGORIES),
)
STANDARD = SPAIR
# fmt: on
