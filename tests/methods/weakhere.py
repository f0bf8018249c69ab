"""What tests of weak_panoptic as a whole share: knobs that make it small."""

KNOBS = {
    "box_share": 0.4, "rounds": 1, "lr": None, "tag_lr": None, "detector_width": 8, "detector_hidden": 16,
    "anchor": 2.0, "least_score": 0.3, "crf_scale": 0.1, "crf_rounds": 2, "regions": [4, 8], "ap": "voc", "above": 0.05,
    "judged_scenes": 1, "pictures": 1, "side": 24, "grabcut_rounds": 1, "edge_scales": [1.0],
}  # fmt: skip
