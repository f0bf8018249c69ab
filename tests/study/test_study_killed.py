"""What a killed or starved run leaves: the same curves after resuming, no record of a failure on a full disk."""

import errno
import json
import sqlite3

import pytest
from terminal import segfrontier
from toystudy import toy_study

from segfrontier.basics import marks
from segfrontier.basics.disk import is_full
from segfrontier.errors import BadInput
from segfrontier.home import layout as home
from segfrontier.home.layout import Home, find_home, open_home
from segfrontier.home.records import RECORD, Record, records
from segfrontier.home.status import Board, counts
from segfrontier.lab import Lab, LocalLab
from segfrontier.study import cellwork, deaths
from segfrontier.study import run as running
from segfrontier.study.run import run_study

ONE = {"methods": ["fine"], "seeds": [0], "budgets": [0.1]}


class Killed(BaseException):
    """As SIGKILL: nothing handles it."""


def run(study, folder):
    return run_study(study, home=folder / "runs", tracking="none")


def test_what_tune_left_of_a_run_that_was_killed_at_its_very_end_goes_with_the_next(tmp_path):
    """All cells have ended, so that Ray is not even started."""
    study = run(toy_study(tmp_path, **ONE), tmp_path).study
    (tune := study.path / "tune").mkdir()
    (tune / ".validate_storage_marker").touch()
    again = run(toy_study(tmp_path, executor={"kind": "ray"}, **ONE), tmp_path)
    assert again.outcomes == {} and len(records(study)) == 1 and not tune.exists()


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["score", "label"])
def test_curves_of_a_cell_that_was_killed_after_its_training_are_those_of_an_undisturbed_one(
    tmp_path, monkeypatch, verb
):
    study = toy_study(tmp_path, **ONE | {"methods": ["coarse_to_fine"] if verb == "label" else ["fine"]})
    with monkeypatch.context() as patch, pytest.raises(Killed):

        def kill(self, kind, *_, **__):
            if kind.startswith(verb):
                raise Killed
            return usual(self, kind, *_, **__)

        usual = Lab._stage
        patch.setattr(Lab, "_stage", kill)
        run(study, tmp_path)
    assert not list((tmp_path / "runs").glob("cells/*/record.json"))
    (resumed,) = records(run(study, tmp_path).study)
    (whole,) = records(run_study(study, home=tmp_path / "whole", tracking="none").study)
    assert resumed.curves == whole.curves and resumed.curves
    assert any(s.found for s in resumed.stages if s.kind == "train"), "the training was not computed twice"
    assert not any(name.endswith(("samples_a_second", "data_wait")) for name in whole.curves)


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        sqlite3.OperationalError("database or disk is full"),
    ],
)
def test_a_full_disk_stops_the_run_in_a_sentence_and_is_no_failure_of_a_cell(tmp_path, monkeypatch, error):
    study, tried = toy_study(tmp_path), []

    def full(*_, **__):
        tried.append(True)
        raise RuntimeError("saving failed") from error

    with monkeypatch.context() as patch:
        patch.setattr(LocalLab, "_train", full)
        finished = run(study, tmp_path)
    assert len(tried) == 1, "the other cells are not tried"
    assert "there must be room on the disk of" in finished.why and list(finished.outcomes.values()) == ["full"]
    assert counts(Board(finished.study).look()) == {"stopped": 1, "waiting": 7}
    assert not list((tmp_path / "runs").glob("cells/*/record.json"))
    log = next((tmp_path / "runs").glob("cells/*/log.txt")).read_text()
    assert "the disk is full" in log and "Traceback" not in log
    assert set(run(study, tmp_path).outcomes.values()) == {"done"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["write_cell", "write_report", "write_text"])
def test_a_disk_that_is_full_for_the_studys_own_files_is_told_in_a_sentence(tmp_path, monkeypatch, name):
    study = toy_study(tmp_path, **ONE)
    (tmp_path / "study.yaml").write_text(study.to_yaml())

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(running, name, full)
        told = segfrontier("run", "study.yaml", "--tracking", "none", folder=tmp_path)
    assert told.returncode == 1 and "there must be room on the disk of" in told.stderr
    assert "Traceback" not in told.stderr
    assert segfrontier("run", "study.yaml", "--tracking", "none", folder=tmp_path).returncode == 0


@pytest.mark.slow
def test_a_cell_survives_that_its_own_last_words_find_no_room(tmp_path, monkeypatch):
    study = toy_study(tmp_path, **ONE)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cellwork.CellWatch, "log", full)
    assert list(run(study, tmp_path).outcomes.values()) == ["full"]


def test_what_counts_as_full():
    assert is_full(sqlite3.OperationalError("database or disk is full"))
    assert not is_full(sqlite3.OperationalError("database is locked"))


# ------------------------------------------------------------------------------------------------- damaged files

WRONG = ["", "7", '"text"', "[[1]]", '{"a": {"b": 1}}', "[" * 200_000]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("done")
    study = toy_study(folder, **ONE)
    (folder / "study.yaml").write_text(study.to_yaml())
    return folder, run(study, folder).study


def put(file, text):
    """Write a file, and how to have it as it was."""
    before = file.read_bytes() if file.exists() else None
    file.write_text(text)
    return lambda: file.unlink() if before is None else file.write_bytes(before)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::segfrontier.home.layout.DamagedFile")
@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
@pytest.mark.parametrize("name", ["cell.json", "record.json", "status.json", "cells.json", "runs.json", "run.json"])
def test_no_verb_stumbles_over_a_damaged_file(done, name, text):
    folder, place = done
    (key,) = json.loads((place.path / "cells.json").read_text())
    file = (place.path if name in ("cells.json", "runs.json", "run.json") else place.home.cell(key)) / name
    back = put(file, text)
    try:
        for words in (("status", "toy", "--cells"), ("status", "--json"), ("logs", key[:8]), ("frontier", "toy")):
            told = segfrontier(*words, folder=folder)
            assert told.returncode in (0, 1, 3) and "Traceback" not in told.stderr, (words, told.stderr[-2000:])
    finally:
        back()


def test_a_record_of_wrong_values_counts_as_absent_with_a_word(done):
    _, place = done
    (record,) = records(place)
    file = place.home.cell(record.key) / RECORD
    plain = json.loads(file.read_text())
    for change in ({"key": "b" * 32}, {"state": "fine"}, {"values": {"miou_present": "much"}}, {"cell": {"label": 1}}):
        back = put(file, json.dumps(plain | change))
        with pytest.warns(home.DamagedFile, match="must hold the record of its cell"):
            assert Record.read(file.parent) is None
        back()
    assert Record.read(file.parent) is not None


@pytest.mark.parametrize("keys", [["../../etc"], ["a/b"], [1], {"a": 1}])
def test_a_list_of_cells_that_leads_elsewhere_counts_as_absent(tmp_path, keys):
    place = Home(tmp_path).study("toy")
    place.path.mkdir(parents=True)
    (place.path / "cells.json").write_text(json.dumps(keys))
    with pytest.warns(home.DamagedFile, match="a list of cell keys"):
        assert place.cell_keys() == []


# ------------------------------------------------------------------------------------------------- homes


@pytest.mark.parametrize("words", [["status"], ["status", "toy"], ["logs", "ab"], ["stop", "toy"], ["ui"]])
def test_a_mistyped_home_is_refused(tmp_path, words):
    (tmp_path / "file").write_text("text")
    (tmp_path / "other").mkdir()
    for name, why in (("nowhere", "no such folder"), ("file", "it is a file"), ("other", "has no mark of one")):
        told = segfrontier(*words, "--home", name, folder=tmp_path)
        assert told.returncode == 3 and why in told.stderr, (name, told.stderr)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "other"] and not list((tmp_path / "other").iterdir())


@pytest.mark.parametrize("cell", ["", "*", "**", "../studies", "[ab]", "a\0b", "?" * 300])
def test_logs_takes_the_beginning_of_a_key_and_no_pattern(done, cell):
    folder, _ = done
    told = segfrontier("logs", cell, folder=folder)
    rule = "must hold no NUL" if "\0" in cell else "must be the beginning of one cell's key"
    assert told.returncode == 3 and rule in told.stderr


def test_a_home_says_what_it_is_and_a_file_is_none(tmp_path):
    assert find_home(open_home(tmp_path / "runs").path).studies() == []
    (tmp_path / "file").write_text("text")
    for path in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(BadInput, match="the home must be a folder that can be written to"):
            open_home(path)


def test_a_home_that_cannot_be_written_to_is_refused_and_can_be_looked_at(done, monkeypatch):
    folder, _ = done

    def read_only(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(marks.tempfile, "TemporaryFile", read_only)
    told = segfrontier("run", "study.yaml", folder=folder)
    assert told.returncode == 3 and "can be written to" in told.stderr and "Read-only file system" in told.stderr
    assert segfrontier("status", folder=folder).returncode == 0


def test_a_home_of_an_older_version_gets_its_mark_at_the_next_run(done):
    folder, place = done
    (place.home.path / ".segfrontier.json").unlink()
    assert find_home(place.home.path).studies() == ["toy"]
    assert segfrontier("run", "study.yaml", "--tracking", "none", folder=folder).returncode == 0
    assert (place.home.path / ".segfrontier.json").exists()


# ------------------------------------------------------------------------------------------------- why it died


class ActorDiedError(Exception):
    """Named as Ray's."""


@pytest.mark.parametrize(
    ("said", "log", "kills", "cause"),
    [
        ("the actor died", "step 3", 0, "nothing says why, so it was likely killed from outside"),
        ("the actor died", "step 3", 2, "out of memory: the kernel ended 2 processes"),
        (
            "Task was killed: the node is running low on memory.",
            "",
            0,
            "Ray ended it because its node ran out of memory",
        ),
        ("The actor died because its node has died.", "", 0, "its node was lost"),
        ("it died", "Fatal Python error: Segmentation fault\n\nCurrent thread", 1, "Python says: Segmentation fault"),
    ],
)
def test_the_cause_of_a_death_is_told_as_far_as_it_is_known(tmp_path, said, log, kills, cause):
    (tmp_path / "log.txt").write_text(log)
    told = deaths.cause(ActorDiedError(said), tmp_path / "log.txt", kills=kills)
    assert told.startswith(cause) and (log.split("\n")[-1] in told) and ("memory" in told) == ("memory" in cause)


def test_kills_for_memory_are_counted_where_the_kernel_counts_them():
    assert deaths.oom_kills() >= 0
