"""Supervised baselines."""

from segfrontier_methods.supervised.method import CoarseOnly as CoarseOnly
from segfrontier_methods.supervised.method import FineAfterCoarse as FineAfterCoarse
from segfrontier_methods.supervised.method import FineOnly as FineOnly
from segfrontier_methods.supervised.method import Oracle as Oracle
from segfrontier_methods.supervised.method import SyntheticOnly as SyntheticOnly
from segfrontier_methods.supervised.method import fit as fit
