"""The lab on a Ray cluster: training on Ray Train, labelling and scoring on Ray Data. Nothing else here imports Ray."""

from segfrontier.lab._ray import ending as ending
from segfrontier.lab._ray.lab import RayLab as RayLab
from segfrontier.lab._ray.start import start_ray as start_ray
from segfrontier.lab._ray.start import stop_ray as stop_ray
