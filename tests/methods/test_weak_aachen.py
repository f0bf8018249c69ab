"""The published label pipeline's own example, aachen_000000_000019: how many pixels each class has after each step.

It runs where SEGFRONTIER_AACHEN names a checkout of the code that came with paper 002, which ships every input and is
not ours to ship. The numbers are those of its five scripts written anew in NumPy, whole boxes in the last step, too.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

from segfrontier.lab import PAPER_002
from segfrontier.maths import (
    Evidence,
    filled_boxes,
    first_labels,
    inside_boxes,
    instances_by_boxes,
    merged_with_first,
    sure_labels,
    tag_checked,
)
from segfrontier.maths.label_cleaning import PUBLISHED

FOLDER, SCENE = Path(os.environ.get("SEGFRONTIER_AACHEN", "not-given")), "aachen_000000_000019"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="SEGFRONTIER_AACHEN names no folder")
SIZE, CLASSES, STUFF, THINGS, VOID = (1024, 2048), 19, range(11), tuple(range(11, 19)), 255
RAW = {
    0: 943984, 1: 16146, 2: 657791, 5: 13497, 7: 23250, 8: 226512, 9: 114936, 10: 43400, 11: 1055, 12: 2020, 13: 52366,
    18: 2195,
}  # fmt: skip
SURE = {
    0: 926696, 1: 1889, 2: 617419, 5: 4533, 7: 13841, 8: 203764, 9: 98148, 10: 38650, 11: 201, 12: 885, 13: 44710,
    18: 891, VOID: 145525,
}  # fmt: skip
MERGED = SURE | {2: 617205, 7: 13597, 8: 203613, 11: 1170, 12: 905, 13: 31366, 18: 1680, VOID: 157700}
INSIDE = MERGED | {11: 1153, 12: 816, 13: 30957, VOID: 158215}
FILLED = INSIDE | {2: 616291, 8: 203238, 9: 97808, 11: 2205, 12: 2878, 13: 42004, 18: 4714, VOID: 142649}
FIRST = {
    0: 122412, 1: 10208, 2: 289753, 5: 15415, 7: 13110, 8: 94435, 9: 53543, 10: 8510, 11: 2205, 12: 2878, 13: 42004,
    18: 4714, VOID: 1437965,
}  # fmt: skip


def picture(*parts):
    """Numbers of a PNG, those of its colours where it has a palette."""
    return np.array(Image.open(FOLDER.joinpath(*parts)))


def result(kind):
    return picture("results", kind, f"{SCENE}_leftImg8bit.png").astype(np.uint8)


@pytest.fixture(scope="module")
def evidence():
    """What the annotated map says as boxes and tags: numbers over 1000 are objects, by class, and others classes."""
    place = ("data", "Cityscapes", "gtFine", "train", "aachen", f"{SCENE}_gtFine_instanceTrainIds.png")
    ids = picture(*place).astype(np.int64)
    rows = []
    for number in np.unique(ids[ids > 1000]):
        y, x = np.nonzero(ids == number)
        rows.append((x.min(), y.min(), x.max() + 1, y.max() + 1, number // 1000, 0))
    labels, tiles = np.where(ids > 1000, ids // 1000, ids), PAPER_002.crops(*SIZE)
    shown = [[(labels[y0:y1, x0:x1] == label).any() for label in range(CLASSES)] for x0, y0, x1, y1 in tiles]
    first = result("mcg_and_grabcut/train")
    return Evidence(things=THINGS, boxes_B6=np.array(rows), tiles_T4=tiles, present_TK=np.array(shown), first_HW=first)


def counts(labels_HW):
    return {label: number for label, number in enumerate(np.bincount(labels_HW.ravel()).tolist()) if number}


def test_the_boxes_are_those_of_thirteen_things(evidence):
    assert evidence.boxes_B6[:, 4].tolist() == [11, 11, 12, *[13] * 8, 18, 18]
    assert evidence.boxes_B6[0, :4].tolist() == [892, 446, 912 + 1, 498 + 1]


def test_each_step_and_the_instances(evidence):
    sure = loadmat(FOLDER / "results" / "pred_flat_feat" / f"{SCENE}_leftImg8bit.mat")["feat"]
    labels = result("pred_sem_raw")
    assert counts(labels) == RAW
    labels = sure_labels(labels, sure.astype(np.float32), least=0.99)
    assert counts(labels) == SURE
    labels = tag_checked(labels, evidence.tiles_T4, evidence.present_TK)
    assert counts(labels) == SURE
    labels = merged_with_first(labels, evidence.first_HW, things=THINGS)
    assert counts(labels) == MERGED
    labels = inside_boxes(labels, evidence.boxes_B6, things=THINGS, outside=VOID)
    assert counts(labels) == INSIDE
    labels = filled_boxes(labels, evidence.boxes_B6, things=THINGS, least=0.5, groups=False)
    assert counts(labels) == FILLED
    ids = counts(instances_by_boxes(labels, evidence.boxes_B6, stuff=STUFF))
    assert set(ids) == set(range(22)) and ids[0] == 148739 and ids[11] == 2878
    assert [ids[number] for number in range(12, 20)] == [1427, 2485, 2151, 89, 1627, 6600, 8195, 13976]


def test_the_first_labels_are_united_seeds_and_masks(evidence):
    assert counts(first_labels(result("cam/train"), evidence, PUBLISHED)) == FIRST
