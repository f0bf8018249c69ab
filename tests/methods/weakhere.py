"""What tests of weak_panoptic as a whole share: knobs that make it small, and another value for each of them."""

KNOBS = {
    "box_share": 0.4, "rounds": 1, "lr": None, "tag_lr": None, "detector_width": 8, "detector_hidden": 16,
    "anchor": 2.0, "least_score": 0.3, "crf_scale": 0.1, "crf_rounds": 2, "regions": [4, 8], "ap": "voc", "above": 0.05,
    "judged_scenes": 1, "pictures": 1, "side": 24, "grabcut_rounds": 1, "edge_scales": [1.0],
}  # fmt: skip

VALUES = {
    "split": 0.5, "box_share": 0.5, "background": "background", "masks": "grabcut", "margin": 0.4, "side": 64,
    "guard": [0.1, 0.9], "core": [0.4, 0.6], "grabcut_rounds": 3, "hierarchy": "higra", "regions": [4, 8],
    "edges": "learned",
    "grouped": 3, "edge_scales": [1.0, 2.0], "rejected": "background", "clash": "smaller", "thing_tags": "none",
    "tag_stride": None, "tag_zoom": 2.0, "cam_share": 0.15, "rounds": 3, "round_lr": 1.0, "steps": ["prior"],
    "least_score": 0.9, "scores_of": "crf", "merge_rounds": 2, "least_coverage": 0.3, "fill_groups": True, "crf": False,
    "crf_scale": 0.5, "crf_rounds": 5, "instances": "piecewise", "learns": "crf", "pairwise": False,
    "filtering": "exact", "box_term": False, "global_term": False, "boxed_stuff": False, "detection_score": "code",
    "eps": 1e-8, "weights_lr": 1.0, "beside": 1.0, "above": 0.4, "nms": 0.5, "rank": "detection", "ap": "voc",
    "detector_width": 32, "detector_hidden": 64, "anchor": 4.0, "lr": None, "momentum": 0.8, "weight_decay": 1e-4,
    "instance_lr": 0.5, "tag_lr": None, "detector_clip": 1.0, "judged_scenes": 3, "pictures": 0,
}  # fmt: skip
"""Of each knob something else than its default."""
