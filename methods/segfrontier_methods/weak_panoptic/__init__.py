"""Paper 002: panoptic segmentation from boxes and image tags."""

from segfrontier_methods.weak_panoptic.method import WeakPanoptic as WeakPanoptic
