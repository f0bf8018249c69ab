"""Paper 000: coarse labels and synthetic scenes, coarse-to-fine self-training; and its semi-supervised yardstick."""

from segfrontier_methods.coarse_to_fine.method import CoarseToFine as CoarseToFine
from segfrontier_methods.coarse_to_fine.naive_student import NaiveStudent as NaiveStudent
