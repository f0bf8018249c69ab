"""The door to Arrow files: mapped into memory as they are, so that a file never comes to more than its own bytes.

Labels, measures and mirrors are written without compression, one message after the other. A stranger's file that is
not so may stand for gigabytes in a few kilobytes; it is refused by what its messages say, before any is unpacked.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pyarrow as pa

from segfrontier.basics.reading import open_plain

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

FAULTS = (OSError, pa.ArrowException)
"""What reading a file that is none raises."""
_MAGIC = 8  # bytes before the first message
_HEADER, _DATA, _COMPRESSION = 2, 1, 3
"""Fields of the tables Message, DictionaryBatch and RecordBatch in Arrow's format."""
_FORMER = b"ARROW:experimental_compression"  # how Arrow said it before its version 1


def read_arrow(path: str | Path) -> list[pa.RecordBatch]:
    """The record batches of an Arrow file, none of its buffers copied; one of `FAULTS` where it is not whole and plain.

    Messages are read as they follow one another: the footer might name the same bytes many times.
    """
    open_plain(path).close()  # Arrow would wait for a pipe
    whole = pa.memory_map(str(path)).read_buffer()
    file = pa.ipc.open_file(pa.BufferReader(whole))
    messages, dictionaries = pa.BufferReader(whole.slice(_MAGIC)), 0
    for message in pa.ipc.MessageReader.open_stream(messages):
        if message.type != "schema" and _is_compressed(message):
            raise OSError("its buffers must lie there as they are; they are compressed")
        dictionaries += message.type == "dictionary"
    if dictionaries > len(file.schema):
        raise OSError(f"it must have at most a dictionary a column; it has {dictionaries}")
    messages.seek(0)
    stream = pa.ipc.open_stream(messages)
    batches = list(stream)
    if len(batches) != file.num_record_batches or stream.schema != file.schema:
        raise OSError(f"its footer names {file.num_record_batches} record batches, and it holds {len(batches)}")
    for batch in batches:
        batch.validate(full=True)
    return batches


def require_types(batch: pa.RecordBatch, schema: pa.Schema) -> None:
    """Raise `OSError` unless columns have the types of a schema: those of other types may have rows without any bytes.

    Maps may stand in a dictionary, each once however many rows share it: nobody asks for all rows of them at once.
    """
    for column in batch.schema:
        found = column.type
        wanted = schema.field(column.name).type if column.name in schema.names else found
        if pa.types.is_dictionary(found) and pa.types.is_large_binary(wanted):
            found = found.value_type
        if found != wanted:
            raise OSError(f"its column {column.name} must be of type {wanted}; it is {found}")


def _is_compressed(message: pa.Message) -> bool:
    """Whether a batch's buffers are; Arrow tells only those who have them unpacked. It has checked the tables' form."""
    data = message.metadata.to_pybytes()
    (start,) = struct.unpack_from("<I", data)
    header = _follow(data, _field(data, start, _HEADER))
    if message.type == "dictionary":
        header = _follow(data, _field(data, header, _DATA))
    return bool(_field(data, header, _COMPRESSION)) or _FORMER in data


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a FlatBuffers table lies; 0 where the table has none."""
    vtable = table - int(struct.unpack_from("<i", data, table)[0])
    (size,) = struct.unpack_from("<H", data, vtable)
    slot = 4 + 2 * number
    offset = int(struct.unpack_from("<H", data, vtable + slot)[0]) if slot < size else 0
    return table + offset if offset else 0


def _follow(data: bytes, place: int) -> int:
    """The table that a field points to."""
    return place + int(struct.unpack_from("<I", data, place)[0])
