"""Draft folders: beside their target while they are filled, and gone afterwards, also where nothing was moved out."""

import pytest

from segfrontier.basics.atomic import draft_folder, sweep


def test_what_is_moved_out_of_a_draft_stays_and_the_rest_is_gone(tmp_path):
    with draft_folder(tmp_path / "labels") as draft:
        assert draft.is_dir() and sweep(tmp_path) == 0, "its writer lives"
        (draft / "kept").write_text("a")
        (draft / "dropped").write_text("b")
        (draft / "kept").rename(tmp_path / "kept")
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), draft_folder(tmp_path / "labels") as draft:
        (draft / "x").write_text("a")
        raise KeyError
    assert list(tmp_path.iterdir()) == []
