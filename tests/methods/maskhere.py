"""What tests of masks from boxes share: a red disc before green, with its mask and tight box."""

import numpy as np

from segfrontier_methods.weak_panoptic.grabcut import OBJECT, OPEN, Box, Guard


def disc(size=(60, 80), centre=(30, 40), radius=12, noise=12):
    """A red disc before green, with its mask and tight box."""
    y, x = np.mgrid[: size[0], : size[1]]
    mask = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2
    colours = np.where(mask[..., None], (200, 60, 50), (40, 150, 60))
    image = np.clip(colours + np.random.default_rng(0).normal(0, noise, colours.shape), 0, 255).astype(np.uint8)
    return image, mask, box_of(mask)


def box_of(mask):
    y, x = mask.nonzero()
    return Box(int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)


def inside(mask, box):
    return mask[box.y0 : box.y1, box.x0 : box.x1]


def iou(first, second):
    return (first & second).sum() / (first | second).sum()


def only_core(patch, guard=None):
    rows, columns = (guard or Guard()).core_of(patch.shape)
    expected = np.full(patch.shape, OPEN)
    expected[rows, columns] = OBJECT
    return (patch == expected).all()
