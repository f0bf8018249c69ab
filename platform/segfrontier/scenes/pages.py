"""What the pages of a Parquet file say they come to, read before any is unpacked.

A reader makes room for as many bytes as a page's own header names, whatever the footer said of the column. Headers are
Thrift's compact protocol: fields as (distance to the last one's number, kind), numbers as varints.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

_FIRST, _LARGEST = 1 << 12, 1 << 24
"""Bytes that are read for a header: of most, and of one with long statistics, as readers allow it."""
_DEEP = 8
_STOP, _TRUE, _FALSE = 0, 1, 2
_UNPACKED, _PACKED = 2, 3  # fields of a page's header


def unpacked_bytes(file: pq.ParquetFile, source: BinaryIO | pa.NativeFile, columns: set[str]) -> int:
    """The bytes that all pages of some columns say they come to; OSError where their headers cannot be read."""
    found = 0
    for group in range(file.metadata.num_row_groups):
        rows = file.metadata.row_group(group)
        for number in range(rows.num_columns):
            column = rows.column(number)
            if column.path_in_schema.partition(".")[0] in columns:
                found += sum(_pages(source, column))
    return found


def _pages(source: BinaryIO | pa.NativeFile, column: pq.ColumnChunkMetaData) -> Iterator[int]:
    """What each page of a column in a row group says it comes to."""
    starts = [column.data_page_offset, column.dictionary_page_offset]
    at = min(start for start in starts if start)
    end = at + column.total_compressed_size
    while at < end:
        unpacked, packed, length = _header(source, at)
        if unpacked < 0 or packed < 0:
            raise OSError("a page's size must not be negative")
        yield unpacked
        at += length + packed


def _header(source: BinaryIO | pa.NativeFile, at: int) -> tuple[int, int, int]:
    """A page's bytes unpacked and packed, and the length of its header."""
    size = _FIRST
    while True:
        source.seek(at)
        scan = _Scan(source.read(size))
        try:
            numbers = scan.struct(_DEEP)
        except IndexError:
            if len(scan.data) < size or size >= _LARGEST:
                raise OSError("the header of a page is cut off") from None
            size = _LARGEST
            continue
        if not {_UNPACKED, _PACKED} <= numbers.keys():
            raise OSError("the header of a page must say its size")
        return numbers[_UNPACKED], numbers[_PACKED], scan.at


class _Scan:
    """A walk through the fields of a struct; IndexError where the bytes end first."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def struct(self, deep: int) -> dict[int, int]:
        """The integers among a struct's own fields, by number; what it nests is passed over."""
        if not deep:
            raise OSError("the header of a page nests too deep")
        found, number = dict[int, int](), 0
        while (head := self._byte()) != _STOP:
            kind, step = head & 15, head >> 4
            number = number + step if step else self._integer()
            if kind in (4, 5, 6):
                found[number] = self._integer()
            elif kind not in (_TRUE, _FALSE):  # which are their own value
                self._skip(kind, deep)
        return found

    def _skip(self, kind: int, deep: int) -> None:
        match kind:
            case 1 | 2 | 3:  # a truth value in a list is a byte
                self._pass(1)
            case 4 | 5 | 6:
                self._varint()
            case 7:
                self._pass(8)
            case 8:
                self._pass(self._varint())
            case 9 | 10:
                head = self._byte()
                self._several([head & 15], head >> 4 if head >> 4 < 15 else self._varint(), deep)
            case 11:
                if count := self._varint():
                    kinds = self._byte()
                    self._several([kinds >> 4, kinds & 15], count, deep)
            case 12:
                self.struct(deep - 1)
            case _:
                raise OSError(f"the header of a page holds a field of no kind ({kind})")

    def _several(self, kinds: list[int], count: int, deep: int) -> None:
        if count > len(self.data):  # each takes a byte at least
            raise IndexError
        for _ in range(count):
            for kind in kinds:
                self._skip(kind, deep)

    def _integer(self) -> int:
        raw = self._varint()
        return (raw >> 1) ^ -(raw & 1)

    def _varint(self) -> int:
        found = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:
                return found
        raise OSError("the header of a page holds a number without an end")

    def _byte(self) -> int:
        self._pass(1)
        return self.data[self.at - 1]

    def _pass(self, count: int) -> None:
        if self.at + count > len(self.data):
            raise IndexError
        self.at += count
