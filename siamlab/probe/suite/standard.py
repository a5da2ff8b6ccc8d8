"""The rows of the catalogue that standard sets with a task of their own are scored by.

Each is measured by its set in `siamlab.evaluate.standard`, not by a suite: `measure` is None.
"""

from siamlab.data.coco import COCO_CLASSES
from siamlab.data.voc import VOC_CLASSES
from siamlab.probe.catalogue import Doc, Probe
from siamlab.probe.precision import UNIT

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
    *(Probe(f"spair_viewpoint_{change}", f"SPair-71k PCK@0.10, viewpoint {title}", "spatial",
            POINTS, "higher", None,
            Doc("`keypoints.pck`", "the same of the pairs whose viewpoint is annotated to vary by "
                "0, 1 or 2", "0–1"))
      for change, title in enumerate(("kept", "changed", "changed much"))),
    *(Probe(f"spair_{name}", f"SPair-71k PCK@0.10, {name}", "spatial", POINTS, "higher", None,
            Doc("`keypoints.pck`", "the share of points in one category", "0–1"))
      for name in SPAIR_CATEGORIES),
)
DAVIS = (
    Probe("davis", "DAVIS 2017 label propagation, J&F", "spatial", "mean of J and F", "higher",
          None,
          Doc("`propagation.propagate`", "objects outlined in a video's first frame, followed to "
              "the last by nearest features: mean of the next two; chance: the outlines of the "
              "first frame, unmoved", "0–1")),
    Probe("davis_j", "DAVIS 2017 label propagation, J", "spatial", "mean IoU", "higher", None,
          Doc("`propagation.overlap`", "intersection over union of each object in each frame, "
              "mean over frames, then over objects", "0–1")),
    Probe("davis_f", "DAVIS 2017 label propagation, F", "spatial", "mean F of contours", "higher",
          None,
          Doc("`propagation.contour_score`", "harmonic mean of precision and recall of the "
              "object's contour", "0–1")),
)
NYU = (
    Probe("nyu", "NYU depth, δ₁", "spatial", "share of pixels", "higher", None,
          Doc("`depth.fit_depth`, `depth.depth_errors`", "pixels whose depth, by a linear layer or "
              "a DPT head on frozen features, is less than 1.25 times too large or too small; "
              "chance: one depth for all pixels", "0–1")),
    Probe("nyu_rmse", "NYU depth, rmse", "spatial", "metres", "lower", None,
          Doc("`depth.depth_errors`", "root mean square error of each image, mean over images",
              "0 or more, metres")),
    Probe("nyu_relative", "NYU depth, relative error", "spatial", "share of depth", "lower", None,
          Doc("`depth.depth_errors`", "mean of |answer − depth| / depth", "0 or more")),
)
NORMALS = (
    Probe("normals", "NYU normals, mean angle", "spatial", "degrees", "lower", None,
          Doc("`normals.fit_normals`, `normals.normal_errors`", "angle between the true surface "
              "normal and that of a linear layer or a DPT head on frozen features, mean over "
              "pixels, then images; chance: one direction for all pixels", "0–180 degrees")),
    Probe("normals_median", "NYU normals, median angle", "spatial", "degrees", "lower", None,
          Doc("`normals.normal_errors`", "median angle of each image, mean over images",
              "0–180 degrees")),
    *(Probe(f"normals_{key}", f"NYU normals, within {limit}°", "spatial", "share of pixels",
            "higher", None,
            Doc("`normals.normal_errors`", "pixels whose angle is below 11.25, 22.5 or 30 degrees",
                "0–1"))
      for key, limit in {"11": "11.25", "22": "22.5", "30": "30"}.items()),
)
HPATCHES = (
    *(Probe(f"hpatches_{limit}", f"HPatches matching accuracy at {limit} px", "spatial",
            "share of matches", "higher", None,
            Doc("`matching.mutual`, `matching.matched`", "mutual nearest patches of two "
                "photographs of a flat scene within 1, 3, 5 or 10 pixels of the true place; mean "
                "over pairs", "0–1"))
      for limit in (1, 3, 5, 10)),
    *(Probe(f"hpatches_{change}", f"HPatches matching accuracy at 5 px, {change}", "spatial",
            "share of matches", "higher", None,
            Doc("`matching.matched`", "the same at 5 pixels, where one of the two changes", "0–1"))
      for change in ("illumination", "viewpoint")),
)
WARPS = tuple(
    Probe(f"warps_{limit}", f"Matches of warped images within {limit} px", "spatial",
          "share of matches", "higher", None,
          Doc("`matching.distinct`, `matching.matched`", "patches of an image that are clearly "
              "nearest to one of its homography, within 1, 2, 5 or 10 pixels of the true place; "
              "over all matches", "0–1"))
    for limit in (1, 2, 5, 10)
)
REGION_SETS = {"voc": "PASCAL VOC 2012", "ade20k": "ADE20K", "cityscapes": "Cityscapes",
               "regions": "Own images and masks,"}
REGIONS = tuple(
    Probe(key, f"{title} linear segmentation, mIoU", "spatial", "mean IoU", "higher", None,
          Doc("`windows.fit_regions`, `windows.blended`", "mean IoU of regions named by a linear "
              "layer on patches of sliding windows, at each image's own size; chance: the "
              "commonest region everywhere", "0–1"))
    for key, title in REGION_SETS.items()
) + tuple(
    Probe(f"{key}_in_context", f"{title} in-context segmentation, mIoU", "spatial", "mean IoU",
          "higher", None,
          Doc("`in_context.remember`, `in_context.recall`", "the same with "
              "`data.protocol=hummingbird`: the 30 nearest patches of a memory vote with their "
              "shares of regions, without training", "0–1"))
    for key, title in REGION_SETS.items()
)
KNN_REGIONS = tuple(
    Probe(f"{key}_knn", f"{title} k-NN segmentation, mIoU", "spatial", "mean IoU", "higher", None,
          Doc("`votes.fit_votes`", "the same with `data.protocol=capi`: the commonest region of "
              "the nearest patches, whose number and distance are best on held-out images; whole "
              "photographs as squares of 224 pixels", "0–1"))
    for key, title in REGION_SETS.items()
)
BOXES = tuple(
    probe
    for kind, title, classes in (
        ("voc_boxes", "PASCAL VOC", VOC_CLASSES), ("coco_boxes", "COCO", COCO_CLASSES)
    )
    for probe in (
        *(Probe(key, f"{title} detection by a light head, {name}", "spatial", UNIT, "higher", None,
                Doc("`detection`", "average precision of boxes and their classes by a head after "
                    "FCOS on frozen patches, mean over classes: over overlaps 0.5 to 0.95, or at "
                    "0.5", "0–1"))
          for key, name in {kind: "AP", f"{kind}_50": "AP50"}.items()),
        *(Probe(f"{kind}_{name.replace(' ', '_')}", f"{title} detection by a light head, {name}",
                "spatial", UNIT, "higher", None,
                Doc("`detection`", "the same in one class, over overlaps 0.5 to 0.95", "0–1"))
          for name in classes),
    )
)
STANDARD = (*SPAIR, *DAVIS, *NYU, *NORMALS, *HPATCHES, *WARPS, *REGIONS, *KNN_REGIONS, *BOXES)
# fmt: on
