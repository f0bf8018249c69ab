"""The built-in street world: procedural street scenes in the Cityscapes classes, with exact truth, in two domains."""

from segfrontier.scenes.street.render import StreetScene as StreetScene
from segfrontier.scenes.street.render import render_scene as render_scene

VERSION = 1
"""Raised when the same seed gives other pixels: worlds in the cache are named by it."""
