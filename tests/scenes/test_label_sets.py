"""Label sets: random access, atomic writing, identity by content."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from toyworld import TOY, toy_scene

from segfrontier.errors import BadWorld
from segfrontier.scenes.labels import LabelRow, write_labels


def fine_rows(numbers):
    return [LabelRow(s.id, s.height, s.width, map=s.semantic, instance=s.instance) for s in map(toy_scene, numbers)]


def test_maps_and_instances_come_back(tmp_path):
    labels = write_labels(tmp_path, kind="fine", classes=TOY, rows=fine_rows(range(600)))
    again = pickle.loads(pickle.dumps(labels))
    assert len(again) == 600 and again.scenes() == [s.scene for s in fine_rows(range(600))]
    for number in (599, 0, 256):
        scene = toy_scene(number)
        assert scene.id in again and again.size(scene.id) == (24, 32)
        np.testing.assert_array_equal(again.map(scene.id), scene.semantic)
        np.testing.assert_array_equal(again.instance(scene.id), scene.instance)
    assert "elsewhere" not in again
    with pytest.raises(BadWorld, match="has no fine labels in this set of 600"):
        again.map("elsewhere")


def test_points_draw_a_map_with_void_everywhere_else(tmp_path):
    values = np.array([[3, 2, 1], [31, 23, 2], [0, 0, 255]], np.int32)
    row = LabelRow("a", 24, 32, values=values)
    labels = write_labels(tmp_path, kind="points", classes=TOY, rows=[row])
    np.testing.assert_array_equal(labels.values("a"), values)
    drawn = labels.map("a")
    assert drawn[2, 3] == 1 and drawn[23, 31] == 2 and (drawn != 255).sum() == 2
    none = write_labels(tmp_path, kind="points", classes=TOY, rows=[LabelRow("a", 24, 32, values=values[:0])])
    assert none.values("a").shape == (0, 3) and (none.map("a") == 255).all()


def test_identity_is_the_content(tmp_path):
    first = write_labels(tmp_path / "a", kind="fine", classes=TOY, rows=fine_rows([1, 2]))
    same = write_labels(tmp_path / "b", kind="fine", classes=TOY, rows=fine_rows([1, 2]))
    assert first.digest == same.digest and first.path != same.path
    others = [
        write_labels(tmp_path / "a", kind="fine", classes=TOY, rows=fine_rows([2, 1])),
        write_labels(tmp_path / "a", kind="coarse", classes=TOY, rows=fine_rows([1, 2])),
        write_labels(tmp_path / "a", kind="fine", classes=TOY, rows=fine_rows([1, 3])),
    ]
    assert len({first.digest, *(o.digest for o in others)}) == 4
    assert len(list((tmp_path / "a").iterdir())) == 4


def test_a_broken_writer_leaves_nothing(tmp_path):
    def rows():
        yield from fine_rows([1])
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        write_labels(tmp_path, kind="fine", classes=TOY, rows=rows())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "row", "message"),
    [
        ("fine", LabelRow("a", 2, 2, map=np.zeros((3, 3), np.uint8)), r"must be \(2, 2\) uint8"),
        ("fine", LabelRow("a", 2, 2, map=np.full((2, 2), 9, np.uint8)), r"labels must be 0\.\.2 or 255"),
        ("fine", LabelRow("a", 2, 2), "need a map"),
        ("boxes", LabelRow("a", 2, 2, values=np.zeros((1, 3), np.int32)), "x0, y0, x1, y1, label, group"),
        ("squiggles", LabelRow("a", 2, 2), "kind must be one of"),
    ],
)
def test_rows_that_do_not_fit_are_refused(tmp_path, kind, row, message):
    with pytest.raises(ValueError, match=message):
        write_labels(tmp_path, kind=kind, classes=TOY, rows=[row])


def test_a_scene_stands_once_and_kinds_are_read_as_what_they_are(tmp_path):
    with pytest.raises(ValueError, match="came twice"):
        write_labels(tmp_path, kind="fine", classes=TOY, rows=fine_rows([1, 1]))
    fine = write_labels(tmp_path, kind="fine", classes=TOY, rows=fine_rows([1]))
    with pytest.raises(BadWorld, match="no values"):
        fine.values(fine.scenes()[0])
    boxes = write_labels(
        tmp_path, kind="boxes", classes=TOY, rows=[LabelRow("a", 2, 2, values=np.zeros((0, 6), np.int32))]
    )
    with pytest.raises(BadWorld, match="no map"):
        boxes.map("a")


def test_a_cut_label_file_is_named(tmp_path):
    labels = write_labels(tmp_path, kind="fine", classes=TOY, rows=fine_rows([4, 5]))
    path = Path(labels.path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadWorld, match="must be a whole Arrow file"):
        labels.scenes()
