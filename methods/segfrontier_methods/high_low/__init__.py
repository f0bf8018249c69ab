"""Paper 004: few masks and many unlabelled images, a discriminator and a classifier that judge; its rivals."""

from segfrontier_methods.high_low.adversarial import AdversarialSemi as AdversarialSemi
from segfrontier_methods.high_low.mean_teacher import MeanTeacher as MeanTeacher
from segfrontier_methods.high_low.method import HighLow as HighLow
