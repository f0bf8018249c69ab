"""Panoptic segmentation from boxes and tags (Li, Arnab, Torr)."""
