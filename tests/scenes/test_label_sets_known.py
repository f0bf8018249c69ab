"""A label set reads as one object whatever its kind, and holds all that a rule may say of a scene."""

import numpy as np
import pyarrow as pa
import pytest
from toyworld import TOY

from segfrontier.lab import Part
from segfrontier.scenes.known import Detections, SceneLabels
from segfrontier.scenes.labels import LabelRow, LabelSet, stored_row, write_labels

SIZE = (5, 7)


def everything():
    rng = np.random.default_rng(0)
    return SceneLabels(
        size=SIZE,
        semantic=rng.integers(0, 3, SIZE, dtype=np.uint8),
        instance=rng.integers(0, 400, SIZE).astype(np.uint16),
        points=np.array([[1, 2, 0]], np.int32),
        boxes=np.array([[0, 0, 3, 2, 1, 0]], np.int32),
        tags=np.zeros((0, 2), np.int32),
        detections=Detections(
            label=np.array([2, 1], np.uint8),
            score=np.array([0.25, 0.7], np.float32),
            mask=rng.random((2, *SIZE)) > 0.5,
        ),
    )


def written(folder, known, kind="pseudo"):
    return write_labels(folder, kind=kind, classes=TOY, rows=[stored_row("a", known, TOY)])


def test_all_that_a_rule_says_comes_back(tmp_path):
    known = everything()
    found = written(tmp_path, known).labels("a")
    for name in ("semantic", "instance", "points", "boxes", "tags"):
        mine, theirs = getattr(known, name), getattr(found, name)
        assert np.array_equal(mine, theirs) and mine.shape == theirs.shape and mine.dtype == theirs.dtype, name
    for name in ("label", "score", "mask"):
        mine, theirs = getattr(known.detections, name), getattr(found.detections, name)
        assert np.array_equal(mine, theirs) and mine.dtype == theirs.dtype, name


@pytest.mark.parametrize("name", ["semantic", "instance", "points", "boxes", "tags", "detections"])
def test_one_part_alone_is_a_label_set_and_the_rest_stays_unknown(tmp_path, name):
    labels = written(tmp_path, SceneLabels(size=SIZE, **{name: getattr(everything(), name)}))
    found = labels.labels("a")
    others = {"semantic", "instance", "points", "boxes", "tags", "detections"} - {name}
    assert getattr(found, name) is not None and all(getattr(found, other) is None for other in others)
    shown = int((labels.map("a") != 255).sum())
    assert shown == {"semantic": 35, "points": 1}.get(name, 0)


def test_bought_kinds_read_as_the_same_object(tmp_path):
    values = {"points": [[1, 2, 0]], "boxes": [[0, 0, 3, 2, 1, 0]], "tags": [[0, 2]]}
    for kind, rows in values.items():
        row = LabelRow("a", *SIZE, values=np.array(rows, np.int32))
        found = write_labels(tmp_path, kind=kind, classes=TOY, rows=[row]).labels("a")
        assert getattr(found, kind).tolist() == rows and found.size == SIZE and found.semantic is None


def test_files_of_the_first_form_stay_readable_and_keep_their_digest(tmp_path):
    """Ledgers refer to them by content."""
    row = LabelRow("a", *SIZE, map=np.zeros(SIZE, np.uint8))
    labels = write_labels(tmp_path, kind="fine", classes=TOY, rows=[row])
    assert labels.digest == "c3233bba29cad322ea113c352d36f9a6"
    table = pa.ipc.open_file(labels.path).read_all().select(["scene", "height", "width", "map", "instance", "values"])
    with pa.OSFile(str(tmp_path / "old.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    old = LabelSet(path=str(tmp_path / "old.arrow"), kind="fine", digest="d", count=1, classes=TOY)
    assert old.labels("a").points is None and old.labels("a").detections is None
    assert np.array_equal(old.map("a"), labels.map("a")) and old.instance("a") is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "need a map"),
        ({"boxes": np.zeros((1, 3), np.int32)}, "x0, y0, x1, y1, label, group"),
        ({"instance": np.zeros((5, 6), np.uint16)}, "instances must be"),
        ({"detections": Detections(label=np.array([9], np.uint8), score=np.ones(1, np.float32),
                                   mask=np.ones((1, *SIZE), np.bool_))}, r"labels 0\.\.2"),
        ({"detections": Detections(label=np.array([1], np.uint8), score=np.ones(2, np.float32),
                                   mask=np.ones((1, *SIZE), np.bool_))}, "a label, a score and a mask"),
    ],
)  # fmt: skip
def test_what_no_scene_can_have_is_refused(tmp_path, changes, told):
    with pytest.raises(ValueError, match=told):
        written(tmp_path, SceneLabels(size=SIZE, **changes))


def test_a_part_carries_several_sets_by_name(tmp_path, toy_world):
    pool = toy_world.pool()
    first, second, third = pool.scenes()[:3]
    size = pool.size(first)
    box = np.array([[0, 0, 3, 2, 1, 0]], np.int32)
    boxes = write_labels(
        tmp_path, kind="boxes", classes=TOY, rows=[LabelRow(s, *size, values=box) for s in (second, first)]
    )
    seeds = np.array([[1, 2, 0]], np.int32)
    points = write_labels(
        tmp_path, kind="points", classes=TOY, rows=[LabelRow(s, *size, values=seeds) for s in (first, third)]
    )
    part = Part(images=pool, labels={"boxes": boxes, "seeds": points})
    assert part.names() == (second, first, third)
    known = part.known(third)
    assert known["boxes"].boxes is None and known["seeds"].points.tolist() == seeds.tolist()
    assert part.pixels(first).map()[2, 1] == 0 and int((part.pixels(first).map() != 255).sum()) == 1
    alone = Part(images=pool, labels=boxes)
    assert alone.known(first).boxes.tolist() == box.tolist() and Part(images=pool).known(first) is None
    assert alone.pixels(first) is None, "a box says nothing of any single pixel"
    assert list(alone.sparse(first)) == ["boxes"] and list(part.sparse(third)) == ["seeds"]


def test_of_several_that_know_a_pixel_the_upper_has_it():
    size = (2, 3)
    dense = np.array([[255, 1, 1], [255, 255, 2]], np.uint8)
    upper = SceneLabels(size=size, semantic=dense, points=np.array([[0, 1, 2]], np.int32))
    below = SceneLabels(
        size=size,
        semantic=np.array([[0, 0, 255], [0, 255, 255]], np.uint8),
        instance=np.ones(size, np.uint16),
        points=np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1]], np.int32),
    )
    merged = upper.over(below)
    assert merged.map().tolist() == [[0, 1, 1], [2, 0, 2]]
    assert merged.points.tolist() == [[1, 1, 0], [0, 1, 2]], "points stay points, but those that the upper one knows"
    assert merged.instance is below.instance
    assert below.over(upper).map().tolist() == [[0, 0, 1], [1, 0, 2]]
    only = SceneLabels(size=size, points=np.array([[2, 1, 1]], np.int32))
    assert only.over(SceneLabels(size=size)).semantic is None and only.over(upper).map()[1, 2] == 1
