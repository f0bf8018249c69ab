"""Tables and records of strangers: a few kilobytes that stand for gigabytes, and pictures that lie elsewhere."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from madestudy import record, study
from PIL import Image

from segfrontier.basics.marks import mark
from segfrontier.errors import BadInput
from segfrontier.home.records import ModelNote, Record
from segfrontier.report.findings import findings
from segfrontier.report.load import harvest
from segfrontier.report.page import _failures, _sheets
from segfrontier.report.scores import read_scores
from segfrontier.tracking.files import _log

MEGABYTE = 2**20


def table(path, **columns):
    """A Parquet file in which every column repeats what it is given."""
    rows = max(map(len, columns.values()))
    plain = {"method": ["a"], "hours": [1.0], "score": [0.5], "seed": [0]}
    pq.write_table(pa.table({k: v * rows if len(v) == 1 else v for k, v in (plain | columns).items()}), path)
    assert path.stat().st_size < 4 * MEGABYTE, "a bomb is small"
    return path


def test_more_rows_than_a_table_of_scores_may_have_are_refused_by_the_footer(tmp_path, monkeypatch):
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *a, **k: pytest.fail("it was read"))
    with pytest.raises(BadInput, match="may have 100000 rows; found 100001"):
        read_scores(table(tmp_path / "x.parquet", seed=[0] * 100_001))


@pytest.mark.parametrize("how", ["plain", "as a dictionary"])
def test_one_long_text_in_every_row_is_refused(tmp_path, how):
    texts = pa.array(["x" * MEGABYTE] * 96)
    with pytest.raises(BadInput, match="its rows come to more than 67108864 bytes"):
        read_scores(table(tmp_path / "x.parquet", facet=texts.dictionary_encode() if how != "plain" else texts))


def test_a_compressed_column_is_refused_by_the_footer(tmp_path):
    path = tmp_path / "x.parquet"
    columns = {"method": ["y" * MEGABYTE + str(n) for n in range(70)], "hours": [1.0] * 70, "score": [0.5] * 70}
    pq.write_table(
        pa.table(columns | {"seed": list(range(70))}), path, compression="zstd", use_dictionary=False
    )  # fmt: skip
    assert path.stat().st_size < MEGABYTE
    with pytest.raises(BadInput, match="its columns come to more than 67108864 bytes"):
        read_scores(path)


def test_rows_inside_of_rows_are_refused(tmp_path):
    with pytest.raises(BadInput, match="those of method hold several in a row"):
        read_scores(table(tmp_path / "x.parquet", method=[[None] * 1000]))


def test_columns_that_no_table_has_are_refused_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *a, **k: pytest.fail("it was read"))
    with pytest.raises(BadInput, match="and no others; found 'extra'"):
        read_scores(table(tmp_path / "x.parquet", extra=["x"]))


def test_a_csv_file_of_more_than_a_megabyte_is_told(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("method,hours,score,seed\n" + "a,1,0.5,0\n" * 110_000)
    with pytest.raises(BadInput, match=r"must be a readable file; it is not \(it has 1100024 bytes, more than"):
        read_scores(path)


def test_texts_that_repeat_are_read_where_they_are_few(tmp_path):
    path = tmp_path / "x.parquet"
    methods = pa.array(["a"] * 40).dictionary_encode()
    harvest = read_scores(table(path, method=methods, hours=[float(n) for n in range(40)]))
    assert len(harvest.records) == 40


def page(found):
    """What a report shows of files: sheets of pictures, logs, the study's own."""
    return "".join([*_sheets(findings(found)), *_failures(found), found.yaml])


def strange(folder, secret, **more):
    """A home whose one failed and one done cell point at a file of their reader, in every way that a record has."""
    made = [record("fine", 6, 0, 0.4, acts={"fine": 4}, **more), record("fine", 6, 1, 0.0, state="failed", error="x")]
    place = study(folder, made)
    (place.home.cell(made[1].key) / "log.txt").symlink_to(secret)
    return place, made[0]


@pytest.fixture
def secret(tmp_path):
    """A picture of the reader's, named as the sheet of a score is, and a text."""
    (tmp_path / "mine").mkdir()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "mine" / "pictures.png")
    (tmp_path / "mine" / "secret.txt").write_text("my: secret")
    return tmp_path / "mine"


@pytest.mark.parametrize("way", ["absolute", "store", "dots", "link", "linked file"])
def test_a_record_shows_no_picture_from_outside_of_its_home(tmp_path, secret, way):
    home = tmp_path / "home"
    place, cell = strange(home, secret / "secret.txt")
    (home / "store/entries/k").mkdir(parents=True)
    (home / "store/entries/link").symlink_to(secret)
    (home / "store/entries/k/pictures.png").symlink_to(secret / "pictures.png")
    folder = {
        "absolute": str(secret), "store": f"/x/store/../../{secret.name}", "dots": "../mine",
        "link": "store/entries/link", "linked file": "store/entries/k",
    }[way]  # fmt: skip
    file = home / "cells" / cell.key / "record.json"
    note = ModelNote(stage="../../../mine", network="n", weights="secret.txt", looking={})
    plain = replace(cell, pictures=(f"{folder}/pictures.png",), score_folder=folder, model=note).plain()
    file.write_text(json.dumps(plain))
    found = Record.load(file.parent)
    assert (found.pictures, found.score_folder, found.sheet, found.model) == ((), "", None, None)
    assert "Predictions of" not in page(harvest(place))


def test_pictures_and_models_inside_of_it_are_shown(tmp_path, secret):
    """Also where its store lies elsewhere, behind a link of the owner's."""
    home = tmp_path / "home"
    mark(tmp_path / "disk", "store")
    (tmp_path / "disk/entries").mkdir()
    shutil.copytree(secret, tmp_path / "disk/entries/k")
    home.mkdir()
    (home / "store").symlink_to(tmp_path / "disk")
    note = ModelNote(stage="k", network="n", weights="weights.pt", looking={})
    entry = home / "store/entries/k"
    place, cell = strange(
        home, secret / "secret.txt", score_folder=str(entry), pictures=(str(entry / "pictures.png"),), model=note
    )
    found = Record.load(home / "cells" / cell.key)
    assert found.pictures == (str(found.sheet),) == (str(entry / "pictures.png"),) and found.model == note
    assert "Predictions of" in page(harvest(place))
    (tmp_path / "disk/.segfrontier.json").unlink()
    assert Record.load(home / "cells" / cell.key).sheet is None, "a link to what is no store is not followed"


def test_a_report_shows_no_file_that_a_log_or_a_study_links_to(tmp_path, secret):
    place, _ = strange(tmp_path / "home", secret / "secret.txt")
    place.file.unlink()
    place.file.symlink_to(secret / "secret.txt")
    found = harvest(place)
    assert any("study.yaml: a study's file must lie in its home; it is a link" in fault for fault in found.faults)
    assert "my: secret" not in page(found)
    assert _log(place.home.cell(found.ended("failed")[0].key)) == (), "nor is it sent to MLflow"
