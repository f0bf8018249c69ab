"""Images that do not decode, on Ray: too many end a pass. That one is left out as elsewhere, test_ray_lab sees."""

import pytest
from test_lab_undecodable import TRAIN, write_spoilt
from test_ray_lab import open_toy
from toylab import Plain, fine_part

from segfrontier.errors import StageError
from segfrontier.lab import LocalLab, Plan, Stream
from segfrontier.lab._ray import RayLab

pytestmark = pytest.mark.ray


def test_too_many_end_the_scoring_on_ray_too(ray_here, tmp_path):
    world = write_spoilt(tmp_path / "w", bad=(TRAIN, TRAIN + 1))
    with open_toy(tmp_path / "home", world, LocalLab) as lab:
        model = lab.train(Plain(), {"labelled": Stream(parts=(fine_part(world, tmp_path),), batch=4)}, Plan(steps=1))
    with (
        open_toy(tmp_path / "home", world, RayLab, workers=1, actors=1) as lab,
        pytest.raises(StageError, match="2 of 5 images could not be scored"),
    ):
        lab.score(model)
