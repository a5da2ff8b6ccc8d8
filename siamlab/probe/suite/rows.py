"""The rows of the catalogue: every probe of the suites, by property.

Here are the rows that share a measure or need passes of their own; the others stand beside their
functions, such as that of `siamlab.probe.contrast`, and are added by `add_probe`.
"""

from math import nan

from siamlab.probe.catalogue import Doc, Probe, added_probes
from siamlab.probe.corruption import KINDS
from siamlab.probe.suite import attention, papers, representation, semantic, spatial
from siamlab.probe.suite.representation import layers

IMAGES = "share of images"
PCK = "share of points"
IOU = "mean IoU"
LOST = "share of unrelated features'"
CORRUPTED = {"noise": "under noise", "blur": "under blur", "contrast": "at low contrast",
             "pixelation": "under pixelation", "jpeg": "under JPEG"}  # fmt: skip

# fmt: off
SUMMARIES = (
    Probe("semantic", "Semantic score: k-NN and linear probe", "semantic",
          "0 chance, 1 ceiling", "higher", None,
          Doc("`combine`", "the semantic score: [scores.md](scores.md)", "0 chance, 1 ceiling"),
          chance=0.0, ceiling=1.0),
    Probe("spatial", "Spatial score: correspondences without positions", "spatial",
          "0 chance, 1 ceiling", "higher", None,
          Doc("`combine`", "the spatial score: [scores.md](scores.md)", "0 chance, 1 ceiling"),
          chance=0.0, ceiling=1.0),
)
TRAINED = (
    Probe("fine_tuning", "Accuracy after fine-tuning", "semantic", IMAGES, "higher", None,
          Doc("`finetune.fine_tune`", "accuracy after fine-tuning all weights: `siamlab probe A "
              "fine_tune.epochs=10`, minutes to hours; the defaults are those of ViT-B on ImageNet",
              "0–1"), ceiling=1.0),
    Probe("linear_augmented", "Linear probe accuracy, augmented images", "semantic", IMAGES,
          "higher", None,
          Doc("`finetune.fine_tune`", "a linear layer trained by LARS for 90 epochs on crops and "
              "mirrored images, as MAE and SiameseIM are compared on ImageNet: `siamlab probe A "
              "fine_tune=linear fine_tune.batch=512`", "0–1"), ceiling=1.0),
)

NEAREST = (
    Probe("knn", "k-NN accuracy", "semantic", IMAGES, "higher", semantic.nearest,
          Doc("`knn`", "the 20 nearest training images vote with weight exp(cos / 0.07)", "0–1"),
          by_layer=layers, ceiling=1.0),
    Probe("knn_standardised", "k-NN accuracy, standardised features", "semantic", IMAGES, "higher",
          semantic.nearest,
          Doc("`knn_standardised`", "the same after each dimension is scaled to variance 1", "0–1"),
          ceiling=1.0),
    Probe("knn_class_token", "k-NN accuracy, class token", "semantic", IMAGES, "higher",
          semantic.nearest,
          Doc("`knn`", "k-NN on the class token, where the model has one", "0–1"), ceiling=1.0),
    Probe("linear", "Linear probe accuracy", "semantic", IMAGES, "higher", semantic.linear_probe,
          Doc("`linear`", "logistic regression on standardised features, to convergence", "0–1"),
          ceiling=1.0),
    Probe("linear_present", "Linear accuracy among classes of the test images",
          "semantic", IMAGES, "higher", semantic.linear_probe,
          Doc("`linear(..., present=True)`", "the same where only classes that the test images "
              "have can be the answer, if these lack some, such as ImageNet-A and -R", "0–1"),
          ceiling=1.0),
)
CORRESPONDENCES = (
    Probe("correspondence", "Correspondence of two views (PCK)", "spatial", PCK, "higher",
          spatial.correspondences,
          Doc("`correspondence`", "the patch of another crop with the nearest feature lies within "
              "0.1 · side of the true place (PCK)", "0–1")),
    Probe("correspondence_centred", "Correspondence without positions (PCK)", "spatial", PCK,
          "higher", spatial.correspondences,
          Doc("`without_positions`", "the same after the mean feature of each position is "
              "subtracted; needs 10 test images or more, since each is part of the mean, and so "
              "does the spatial score", "0–1"),
          by_layer=layers),
    *(Probe(key, title, "spatial", PCK, "higher", spatial.across_scenes,
            Doc("`object_match`", "the same between two scenes that show one object at another "
                "place, size and colour", "0–1"))
      for key, title in {
          "scene_correspondence": "Correspondence across scenes (PCK)",
          "scene_correspondence_centred": "Correspondence across scenes without positions (PCK)",
      }.items()),
)
SEMANTIC = (
    Probe("alignment", "Alignment of two views", "semantic", "squared distance", "lower",
          semantic.two_views,
          Doc("`alignment`", "squared distance of two crops of an image, on unit vectors", "0–4"),
          chance=2.0, ceiling=0.0),
    Probe("uniformity", "Uniformity on the sphere", "semantic", "log of a mean", "lower",
          semantic.two_views,
          Doc("`uniformity`", "log of the mean of exp(−2 distance²) over pairs", "about −4–0"),
          chance=nan),
    *(Probe(f"knn_{k}", f"k-NN accuracy, k = {k}", "semantic", IMAGES, "higher",
            semantic.other_neighbours, Doc("`knn`", "k-NN with other k", "0–1"), ceiling=1.0)
      for k in semantic.OTHER_K),
    *(Probe(key, f"Few-shot accuracy, {labels}", "semantic", IMAGES, "higher", semantic.few_shot,
            Doc("`few_shot_per_class`, `few_shot_share`", "logistic regression on 1 or 5 images "
                "per class, or 1 % of the labels; mean of five draws", "0–1"), ceiling=1.0)
      for key, labels in {"few_shot_1": "1 image a class", "few_shot_5": "5 images a class",
                          "few_shot_share": "1 % of the labels"}.items()),
    *(Probe(key, f"Long-tail accuracy{classes}", "semantic", IMAGES, "higher", semantic.tail,
            Doc("`long_tail`", "linear probe fitted on classes of exponentially falling size, the "
                "commonest 100 times the rarest; and by thirds of the classes", "0–1"), ceiling=1.0)
      for key, classes in {"long_tail": "", "long_tail_many": ", common classes",
                           "long_tail_medium": ", medium classes",
                           "long_tail_few": ", rare classes"}.items()),
    Probe("retrieval", "Retrieval of the same class (mAP)", "semantic", "mean average precision",
          "higher", semantic.ranking,
          Doc("`retrieval`", "mean average precision of the same class, ranked by cosine; the "
              "interval counts each image as a query and as part of all other rankings", "0–1"),
          ceiling=1.0),
    Probe("class_separation", "Class separation", "semantic", "share of distance", "higher",
          semantic.ranking,
          Doc("`class_separation`", "1 − distance within classes / distance of all", "0–1"),
          ceiling=1.0),
    Probe("robustness", "Accuracy on corrupted images", "semantic", IMAGES, "higher",
          semantic.corruptions,
          Doc("`robustness`, `corrupted`", "the linear probe of clean images on corrupted ones, "
              "mean of five severities", "0–1"), ceiling=1.0),
    Probe("robustness_drop", "Accuracy lost to corruption", "semantic", "share of clean accuracy",
          "lower", semantic.corruptions,
          Doc("`robustness`", "share of the clean accuracy that corruption costs", "≤ 1"),
          chance=nan, ceiling=0.0),
    *(Probe(f"robustness_{kind}", f"Accuracy {CORRUPTED[kind]}", "semantic", IMAGES, "higher",
            semantic.corruptions,
            Doc("`robustness`, `corrupted`", "the same for one kind of corruption", "0–1"),
            ceiling=1.0)
      for kind in KINDS),
    *added_probes("semantic"),
)
SPATIAL = (
    Probe("segmentation", "Linear segmentation mIoU", "spatial", IOU, "higher",
          spatial.segmentations,
          Doc("`segmentation`", "mean IoU of a linear layer on patch features, at the masks' own "
              "size", "0–1")),
    Probe("in_context", "In-context segmentation mIoU", "spatial", IOU, "higher",
          spatial.remembered,
          Doc("`in_context`", "mean IoU of labels borrowed from the 30 nearest patches of a memory",
              "0–1")),
    *(Probe(f"equivariance_{move}", f"Equivariance error under {title}", "spatial", LOST, "lower",
            spatial.equivariance,
            Doc("`equivariance_error`, `moves`, `warped`", "squared error of f(Tx) against T f(x), "
                "over that of unrelated features", "0–2"), chance=1.0, ceiling=0.0)
      for move, title in {"shift": "shifts", "zoom": "zoom", "flip": "mirroring"}.items()),
    *added_probes("spatial"),
)
REPRESENTATION = (
    Probe("rankme", "RankMe", "representation", "directions", "higher", representation.spectrum,
          Doc("`rankme`", "smooth rank, uncentred", "1–D"), by_layer=layers, chance=1.0),
    Probe("participation", "Participation ratio", "representation", "directions", "higher",
          representation.spectrum,
          Doc("`participation_ratio`", "(Σλ)² / Σλ² of the variances", "1–D"), chance=1.0),
    Probe("alpha_req", "α-ReQ", "representation", "no unit", "neither", representation.spectrum,
          Doc("`alpha_req`", "how fast the variances fall, i^−α; for features with more than 4 "
              "directions", "near 1 is best"), chance=nan, ceiling=nan),
    Probe("lidar", "LiDAR", "representation", "directions", "higher", representation.spectrum,
          Doc("`lidar`", "effective rank of between-image scatter relative to that among views",
              "1–D"), chance=1.0),
    Probe("fourier", "Fourier amplitude, highest less lowest", "representation",
          "natural logarithm of amplitude", "neither", representation.frequencies,
          Doc("`fourier_amplitude`", "log amplitude of feature maps, highest less lowest frequency",
              "about −3–0"), by_layer=layers, chance=0.0, ceiling=nan),
    *added_probes("representation"),
)
ATTENTION = (
    Probe("outlier_tokens", "Outlier tokens", "attention", "share of patches", "lower",
          attention.outliers,
          Doc("`outlier_tokens`", "share of patches whose norm stands apart from the model's own "
              "histogram", "0–½"), chance=nan, ceiling=0.0),
    Probe("attention_distance", "Attention distance", "attention", "pixels", "neither", None,
          Doc("`distance`", "mean distance between query and attended patch, pixels",
              "0–diagonal"), by_layer=attention.profile, ceiling=nan),
    Probe("attention_entropy", "Attention entropy", "attention", "nats", "neither", None,
          Doc("`entropy`", "entropy of a query's attention, nats", "0–log N"),
          by_layer=attention.profile, ceiling=nan),
    Probe("attention_nmi", "Query–key information (NMI)", "attention", "share", "neither", None,
          Doc("`nmi`", "what the attended key reveals about the query, normalised; 0 where all "
              "queries attend to the same patches", "0–1"),
          by_layer=attention.profile, chance=0.0, ceiling=nan),
    Probe("head_divergence", "Divergence between heads", "attention", "nats", "neither", None,
          Doc("`head_similarity`", "Jensen–Shannon divergence between heads, nats", "0–log 2"),
          by_layer=attention.profile, chance=0.0, ceiling=nan),
    *(Probe(key, f"Class-token saliency{title}", "attention", "Jaccard index", "higher",
            attention.class_saliency,
            Doc("`saliency`", "Jaccard index of the object's mask and the patches that hold 60 % "
                "of the class token's attention; mean over heads, each head, and the head that is "
                "best on other images", "0–1"))
      for key, title in {"saliency": " against masks", "saliency_best": ", best head"}.items()),
    *added_probes("attention"),
)
PUBLISHED = (
    *(Probe(f"knn_class_token_{k}", f"k-NN accuracy, class token, k = {k}", "semantic", IMAGES,
            "higher", papers.other_token_neighbours,
            Doc("`knn`", "k-NN on the class token with the other k of DINO, DINOv2 and DINOv3",
                "0–1"), ceiling=1.0)
      for k in semantic.OTHER_K),
    Probe("linear_tuned", "Linear probe accuracy, penalty chosen", "semantic", IMAGES, "higher",
          papers.tuned,
          Doc("`linear_tuned`", "logistic regression with the C, of 45 from 10⁻⁶ to 10⁵, that is "
              "best on a tenth of the training images (DINOv2, DINOv3)", "0–1"), ceiling=1.0),
    Probe("linear_tuned_class_token", "Linear probe accuracy, class token, penalty chosen",
          "semantic", IMAGES, "higher", papers.tuned_token,
          Doc("`linear_tuned`", "the same on the class token, where the model has one, as both "
              "papers have it", "0–1"), ceiling=1.0),
    Probe("few_shot_listed", "Few-shot accuracy, labels of a list", "semantic", IMAGES, "higher",
          papers.listed,
          Doc("`few_shot_share(..., share=1)`", "the head of `few_shot_share` on the class token "
              "of all training images, where `data.subset` lists them, such as ImageNet's "
              "`1percent.txt` (MSN)", "0–1"), ceiling=1.0),
    Probe("linear_lars", "Linear probe accuracy, trained by LARS", "semantic", IMAGES, "higher",
          papers.stepwise,
          Doc("`linear_lars`", "the layer of MAE's and SiameseIM's linear probe, trained by LARS "
              "for 90 epochs, and 7,020 steps or more, on features of images as they are", "0–1"),
          ceiling=1.0),
    Probe("attentive", "Attentive probe accuracy", "semantic", IMAGES, "higher",
          papers.attending,
          Doc("`attentive`", "a classifier that learns which patches to pool, by eight queries "
              "(Psomas et al. 2026)", "0–1"), ceiling=1.0),
    Probe("in_context_sampled", "In-context segmentation mIoU, large memory", "spatial", IOU,
          "higher", spatial.remembered_widely,
          Doc("`in_context`, `rare_patches`", "the same with patches of all training images, those "
              "of rare regions first, and all test images (Hummingbird)", "0–1")),
)
# fmt: on
