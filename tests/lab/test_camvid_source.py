"""CamVid, as it is imported, with the built-in street as its free synthetic source."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from toylab import toy_lab

from segfrontier.errors import BadWorld
from segfrontier.scenes.builtin import open_world
from segfrontier.scenes.camvid import camvid_spec
from segfrontier.scenes.classes import CAMVID, CITYSCAPES_TO_CAMVID
from segfrontier.scenes.importing import import_folders

STREET = "street:train=1,val=1,synthetic=2,size=64x128"


@pytest.fixture
def camvid(tmp_path):
    """A folder in the SegNet layout, imported: its table has another name than ours, and the same classes."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for folder in (split, f"{split}annot"):
            (tmp_path / "CamVid" / folder).mkdir(parents=True)
        for i in range(2):
            labels = np.repeat(np.arange(12, dtype=np.uint8), 4)[None].repeat(36, axis=0)
            image = rng.integers(0, 255, (36, 48, 3)).astype(np.uint8)
            cv2.imwrite(str(tmp_path / "CamVid" / split / f"{i}.png"), image)
            cv2.imwrite(str(tmp_path / "CamVid" / f"{split}annot" / f"{i}.png"), labels)
    return import_folders(camvid_spec(tmp_path / "CamVid"), tmp_path / "world")


def test_the_street_teaches_camvid(camvid, tmp_path):
    assert camvid.classes != CAMVID
    street = open_world(STREET)
    with toy_lab(tmp_path / "home", camvid, source=street) as lab:
        part = lab.synthetic
        assert part.labels.classes.names == CAMVID.names
        scene = part.names()[0]
        given, made = street.truth(domain="source").semantic(scene), part.labels.map(scene)
        for label, name in enumerate(street.classes.names):
            assert set(made[given == label].tolist()) <= {CAMVID.index(CITYSCAPES_TO_CAMVID[name])}
        assert len(np.unique(made)) > 4


def test_classes_that_nobody_can_translate_are_named(toy_world, tmp_path):
    with (
        pytest.raises(BadWorld, match="the synthetic world 'street.*differing"),
        toy_lab(tmp_path / "home", toy_world, source=open_world(STREET)),
    ):
        pass
