"""The catalogue: what each probe of the suites is called, and which property it is about.

about("knn_10") == About("k-NN accuracy, k = 10", "semantic")
"""

from typing import Literal, NamedTuple

Property = Literal["semantic", "spatial", "attention", "representation"]


class About(NamedTuple):
    title: str
    property: Property


_SEMANTIC = {
    "semantic": "Semantic score: k-NN and linear probe",
    "knn": "k-NN accuracy",
    "knn_standardised": "k-NN accuracy, standardised features",
    "knn_class_token": "k-NN accuracy, class token",
    "knn_10": "k-NN accuracy, k = 10",
    "knn_100": "k-NN accuracy, k = 100",
    "knn_200": "k-NN accuracy, k = 200",
    "linear": "Linear probe accuracy",
    "few_shot_1": "Few-shot accuracy, 1 image a class",
    "few_shot_5": "Few-shot accuracy, 5 images a class",
    "few_shot_share": "Few-shot accuracy, 1 % of the labels",
    "long_tail": "Long-tail accuracy",
    "long_tail_many": "Long-tail accuracy, common classes",
    "long_tail_medium": "Long-tail accuracy, medium classes",
    "long_tail_few": "Long-tail accuracy, rare classes",
    "robustness": "Accuracy on corrupted images",
    "robustness_drop": "Accuracy lost to corruption",
    "robustness_noise": "Accuracy under noise",
    "robustness_blur": "Accuracy under blur",
    "robustness_contrast": "Accuracy at low contrast",
    "robustness_pixelation": "Accuracy under pixelation",
    "robustness_jpeg": "Accuracy under JPEG",
    "retrieval": "Retrieval of the same class (mAP)",
    "alignment": "Alignment of two views",
    "uniformity": "Uniformity on the sphere",
    "class_separation": "Class separation",
    "fine_tuning": "Accuracy after fine-tuning",
}
_SPATIAL = {
    "spatial": "Spatial score: correspondences without positions",
    "correspondence": "Correspondence of two views (PCK)",
    "correspondence_centred": "Correspondence without positions (PCK)",
    "scene_correspondence": "Correspondence across scenes (PCK)",
    "scene_correspondence_centred": "Correspondence across scenes without positions (PCK)",
    "segmentation": "Linear segmentation mIoU",
    "in_context": "In-context segmentation mIoU",
    "position": "Position decoding",
    "position_centred": "Position decoding without position means",
    "position_null": "Position decoding, shuffled",
    "local_contrast": "Local contrast",
    "equivariance_shift": "Equivariance error under shifts",
    "equivariance_zoom": "Equivariance error under zoom",
    "equivariance_flip": "Equivariance error under mirroring",
    "variance_image": "Variance of patches between images",
    "variance_position": "Variance of patches between positions",
    "variance_rest": "Variance of patches, the rest",
}
_ATTENTION = {
    "attention_distance": "Attention distance",
    "attention_entropy": "Attention entropy",
    "attention_nmi": "Query–key information (NMI)",
    "head_divergence": "Divergence between heads",
    "saliency": "Class-token saliency against masks",
    "saliency_best": "Class-token saliency, best head",
    "outlier_tokens": "Outlier tokens",
}
_REPRESENTATION = {
    "rankme": "RankMe",
    "lidar": "LiDAR",
    "alpha_req": "α-ReQ",
    "participation": "Participation ratio",
    "fourier": "Fourier amplitude, highest less lowest",
}
PROBES: dict[str, About] = {
    key: About(title, subject)
    for subject, titles in (
        ("semantic", _SEMANTIC),
        ("spatial", _SPATIAL),
        ("attention", _ATTENTION),
        ("representation", _REPRESENTATION),
    )
    for key, title in titles.items()
}


def about(probe: str) -> About:
    """Title and property of a probe of the suites."""
    return PROBES[probe]
