"""Scenes and worlds: images with whatever truth their dataset holds."""
