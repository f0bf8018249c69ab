"""The door to Parquet files: read a few rows at a time, and no further than they may come to.

A stranger's file of a few kilobytes may stand for as many gigabytes, compressed or by repetition, and its pages may say
other than its footer: pyarrow has no limit for either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from segfrontier.basics.reading import open_plain
from segfrontier.scenes.pages import unpacked_bytes

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

FAULTS = (OSError, pa.ArrowException)
"""What reading a file that is none raises."""
_ROWS = 16  # that are read at once


@contextmanager
def opened(path: Path) -> Iterator[tuple[pq.ParquetFile, BinaryIO]]:
    """A regular file, of which nothing but its footer has been read, and its bytes."""
    with open_plain(path) as file, pq.ParquetFile(file) as parquet:
        yield parquet, file


def read_parquet(source: pa.NativeFile, *, most: int, schemas: Sequence[pa.Schema]) -> pa.Table:
    """The columns of one of these schemas, all of them or its only one; see `read_rows`. OSError where none fits."""
    with pq.ParquetFile(source) as file:
        found = file.schema_arrow
        if len(schemas[0]) == 1 and schemas[0].names[0] in found.names:
            found = pa.schema([found.field(schemas[0].names[0])])
        if not any(found.equals(schema) for schema in schemas):
            raise OSError(f"its columns must be {_words(schemas[0])}; they are {_words(found)}")
        return read_rows(file, source, most=most, columns=found.names)


def read_rows(file: pq.ParquetFile, source: BinaryIO | pa.NativeFile, *, most: int, columns: Sequence[str]) -> pa.Table:
    """All rows of some columns; OSError where they come to more than `most` bytes, or nest values.

    A text that a dictionary has once counts as often as it stands. Rows inside of rows may need no bytes at all.
    """
    groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
    if sum(group.total_byte_size for group in groups) > most:
        raise OSError(f"its columns come to more than {most} bytes")
    fields = [file.schema_arrow.field(name) for name in columns]
    if nested := [field.name for field in fields if pa.types.is_nested(field.type)]:
        raise OSError(f"a column must hold numbers or texts; those of {', '.join(nested)} hold several in a row")
    if unpacked_bytes(file, source, set(columns)) > most:
        raise OSError(f"its pages come to more than {most} bytes")
    batches, left = [], most
    for batch in file.iter_batches(batch_size=_ROWS, columns=columns, use_threads=False):
        plain = pa.record_batch([_plain(column) for column in batch.columns], names=batch.schema.names)
        if (left := left - plain.nbytes) < 0:
            raise OSError(f"its rows come to more than {most} bytes")
        batches.append(plain)
    return pa.Table.from_batches(batches, None if batches else pa.schema(fields))


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _words(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in schema)[:300]
