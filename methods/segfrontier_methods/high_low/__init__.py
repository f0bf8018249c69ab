"""Paper 004: few masks and many unlabelled images, judged by a discriminator and silenced by a classifier."""

from segfrontier_methods.high_low.method import HighLow as HighLow
