"""Tables and records of strangers: a few kilobytes that stand for gigabytes, and pictures that lie elsewhere."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segfrontier.errors import BadInput
from segfrontier.report.scores import read_scores

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
