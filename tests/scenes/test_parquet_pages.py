"""Pages that say other than their file's footer, and headers that are none."""

import io
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segfrontier.scenes.pages import _Scan, unpacked_bytes
from segfrontier.scenes.parquet import opened, read_rows

MEGABYTE = 2**20
TABLE = pa.table({"name": [f"scene {n % 7}" for n in range(4000)], "size": pa.array(range(4000), pa.int64())})


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "zstd", "snappy"])
@pytest.mark.parametrize("how", [{}, {"use_dictionary": False}, {"data_page_size": 500}, {"row_group_size": 900}])
def test_pages_come_to_what_the_footer_says_but_for_their_headers(tmp_path, version, compression, how):
    path = tmp_path / "x.parquet"
    pq.write_table(TABLE, path, data_page_version=version, compression=compression, write_batch_size=100, **how)
    with opened(path) as (file, source):
        for names in (["name"], ["name", "size"]):
            groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
            columns = [g.column(n) for g in groups for n in range(g.num_columns)]
            said = sum(c.total_uncompressed_size for c in columns if c.path_in_schema in names)
            found = unpacked_bytes(file, source, set(names))
            assert 0.5 * said < found < said, "a header takes some bytes, and all pages are counted"
            assert read_rows(file, source, most=MEGABYTE, columns=names).equals(TABLE.select(names))


def test_headers_and_pages_are_the_footers_sum(tmp_path):
    """Exactly, where pages are not compressed: what is walked over is what is there."""
    path = tmp_path / "x.parquet"
    pq.write_table(TABLE, path, compression="none", data_page_size=300, write_batch_size=50)
    with opened(path) as (file, source):
        for number in range(2):
            column = file.metadata.row_group(0).column(number)
            start = min(filter(None, (column.data_page_offset, column.dictionary_page_offset)))
            at, pages = start, 0
            while at < start + column.total_compressed_size:
                source.seek(at)
                scan = _Scan(source.read(4096))
                at, pages = at + scan.struct(8)[3] + scan.at, pages + 1
            assert at == start + column.total_compressed_size and pages > 3


def lying(folder, unpacked):
    """A file of a page of zeros whose header alone says that it comes to so many bytes."""
    path = folder / "x.parquet"
    table = pa.table({"image": [bytes(3 * MEGABYTE // 2)]})
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)
    column = pq.read_metadata(path).row_group(0).column(0)
    data, at = bytearray(path.read_bytes()), column.data_page_offset
    scan = _Scan(bytes(data[at : at + 64]))
    honest, forged = varint(2 * scan.struct(8)[2]), varint(2 * unpacked)
    assert len(honest) == len(forged) and column.total_uncompressed_size < 2 * MEGABYTE
    where = data.index(honest, at)
    data[where : where + len(forged)] = forged
    path.write_bytes(data)
    return path


def test_a_page_that_says_more_than_the_footer_is_refused_before_it_is_unpacked(tmp_path):
    path = lying(tmp_path, 128 * MEGABYTE - 1)
    before = pa.default_memory_pool().max_memory()
    with opened(path) as (file, source), pytest.raises(OSError, match=f"pages come to more than {2 * MEGABYTE} bytes"):
        read_rows(file, source, most=2 * MEGABYTE, columns=["image"])
    assert pa.default_memory_pool().max_memory() - before < 16 * MEGABYTE


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"", "cut off"),
        (b"\x15", "cut off"),
        (b"\x15\x00\x00", "must say its size"),
        (b"\x15" + b"\xff" * 11, "without an end"),
        (b"\x1c" * 20, "nests too deep"),
        (b"\x1d\x00", "of no kind"),
        (b"\x19\xf5" + varint(2**40), "cut off"),
        (b"\x18" + varint(2**50), "cut off"),
        (b"\x15\x00" + b"\x15" + varint(1) + b"\x15\x02\x00", "must not be negative"),
    ],
)
def test_headers_that_are_none(tmp_path, header, said):
    path = tmp_path / "x.parquet"
    pq.write_table(TABLE, path)
    file = pq.ParquetFile(path)
    column = file.metadata.row_group(0).column(0)
    at = min(filter(None, (column.data_page_offset, column.dictionary_page_offset)))
    source = io.BytesIO(path.read_bytes()[:at] + header)
    with pytest.raises(OSError, match=said):
        unpacked_bytes(file, source, {"name"})


def test_all_kinds_of_fields_are_passed_over():
    """A truth, bytes, a float, a text, lists, a set, maps, a struct, and one whose number is far from the last."""
    nested = b"\x15\x02\x00"
    fields = [
        b"\x11", b"\x12", b"\x13\x07", b"\x17" + struct.pack("<d", 1.5), b"\x18\x03abc", b"\x19\x25\x02\x04",
        b"\x19\xf1" + varint(16) + bytes(16), b"\x1a\x18\x01z", b"\x1b\x00", b"\x1b\x01\x85\x01k\x06", b"\x1c" + nested,
        b"\x05" + varint(2 * 300) + varint(2 * 77),
    ]  # fmt: skip
    scan = _Scan(b"".join(fields) + b"\x00rest")
    assert scan.struct(8) == {300: 77} and scan.data[scan.at :] == b"rest"
