"""Random access to Parquet shards: each shard is unpacked once into a local, memory-mapped Arrow file.

A training sample then costs one offset look-up and no parsing; the operating system keeps what is used in memory and
shares it between workers. Mirrors are named by content, so they never go stale, and appear by rename, so they are
whole. One that was damaged later is noticed when it is opened, by its footer, rows and columns, and made again.
"""

from __future__ import annotations

from functools import lru_cache
from os.path import lexists
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from segfrontier.basics.atomic import staged_file
from segfrontier.errors import BadWorld
from segfrontier.scenes.arrow import FAULTS, read_arrow
from segfrontier.scenes.cache import Room, discard, room
from segfrontier.scenes.files import digest, resolve
from segfrontier.scenes.manifest import EXISTING_SCHEMA, IMAGE_SCHEMA, TRUTH_SCHEMA
from segfrontier.scenes.parquet import read_parquet

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

_SLACK, _HEADS = 2, 2**22
"""How many times its bytes a shard may come to in memory, and so many more for what a small one repeats."""
_SCENES = pa.schema([IMAGE_SCHEMA.field("scene")])


@lru_cache(maxsize=4096)
def open_shard(uri: str, content: str, nbytes: int, rows: int, truth: bool) -> pa.RecordBatch:
    """The memory-mapped rows of the Parquet file at `uri`, whose digest must be `content`."""
    mirror = _room(truth) / f"{content}.arrow"
    if truth and (former := room("mirror") / mirror.name).is_file():  # where all mirrors were kept once
        former.replace(mirror)
    batch = _mapped(mirror, rows, truth)
    if batch is None:
        _make_mirror(uri, content, nbytes, rows, truth)
        batch = _mapped(mirror, rows, truth)
    if batch is None:
        raise BadWorld(
            f"{mirror}: a mirror that was just written must be readable; it is not. Check the disk it is on."
        )
    return batch


def forget(content: str, *, truth: bool) -> None:
    """Let a shard be mirrored again: what its mirror holds is not what it should."""
    discard(_room(truth) / f"{content}.arrow")
    open_shard.cache_clear()


def scene_ids(uri: str, rows: int, nbytes: int) -> list[str]:
    """The scene ids of a Parquet shard, read without touching its images or maps."""
    filesystem, path = resolve(uri)
    try:
        _require_file(filesystem, path, nbytes)
        with filesystem.open_input_file(path) as stream:
            ids: list[str] = read_parquet(stream, most=_most(nbytes), schemas=[_SCENES])["scene"].to_pylist()
    except (OSError, KeyError, pa.ArrowException) as error:
        raise damaged(uri, f"it cannot be read ({error})") from error
    if len(ids) != rows or not all(ids):
        raise damaged(uri, f"it holds {sum(map(bool, ids))} scenes instead of {rows}")
    return ids


def require_shard(uri: str, nbytes: int, rows: int) -> None:
    """Raise unless a Parquet file of this size and so many rows is there, as its footer says."""
    filesystem, path = resolve(uri)
    try:
        _require_file(filesystem, path, nbytes)
        found = pq.read_metadata(path, filesystem=filesystem).num_rows
    except (OSError, pa.ArrowException) as error:
        raise damaged(uri, f"it cannot be read ({error})") from error
    if found != rows:
        raise damaged(uri, f"it holds {found} scenes instead of {rows}")


def count_absent(uri: str, column: str) -> int:
    """How many rows have no value in a column, as the footer says; 0 where it says nothing, or cannot be read."""
    filesystem, path = resolve(uri)
    try:
        metadata = pq.read_metadata(path, filesystem=filesystem)
        at = metadata.schema.names.index(column)
        found = (metadata.row_group(i).column(at).statistics for i in range(metadata.num_row_groups))
        return sum(one.null_count for one in found if one is not None and one.has_null_count)
    except (OSError, ValueError, pa.ArrowException):  # whoever reads it will say so
        return 0


def damaged(uri: str, what: str) -> BadWorld:
    """The error about a shard that is not what the manifest says."""
    return BadWorld(
        f"{uri}: a shard must be the file that the manifest describes; {what}. Copy the world again from where it is "
        f"whole, or import the dataset again."
    )


def _most(nbytes: int) -> int:
    """What a shard of so many bytes may come to: shards hold theirs as they are."""
    return _SLACK * nbytes + _HEADS


def _room(truth: bool) -> Path:
    which: Room = "truth" if truth else "mirror"
    return room(which)


def _mapped(mirror: Path, rows: int, truth: bool) -> pa.RecordBatch | None:
    """The rows of a mirror; None where there is none that is whole."""
    if not mirror.is_file():  # a folder, a pipe, a link to nowhere
        return None
    try:
        batches = read_arrow(mirror)
    except FAULTS:
        return None
    fits = len(batches) == 1 and batches[0].schema in _schemas(truth) and batches[0].num_rows == rows
    return batches[0] if fits else None


def _schemas(truth: bool) -> tuple[pa.Schema, ...]:
    return (TRUTH_SCHEMA, EXISTING_SCHEMA) if truth else (IMAGE_SCHEMA,)


def _require_file(filesystem: fs.FileSystem, path: str, nbytes: int) -> None:
    """Raise `OSError` unless a file of this size is there; so no pipe is ever waited for."""
    info = filesystem.get_file_info(path)
    if info.type != fs.FileType.File or info.size != nbytes:
        found = f"{info.size} bytes" if info.type == fs.FileType.File else f"{info.type.name.lower()}"
        raise OSError(f"a file of {nbytes} bytes must be there; found {found}")


def _make_mirror(uri: str, content: str, nbytes: int, rows: int, truth: bool) -> None:
    filesystem, path = resolve(uri)
    try:
        _require_file(filesystem, path, nbytes)
        with filesystem.open_input_file(path) as stream:
            data = stream.read_buffer()
    except OSError as error:
        raise damaged(uri, f"it cannot be read ({error})") from error
    if digest(memoryview(data)) != content:
        if Path(path).is_relative_to(room("worlds")):  # a built-in world without it is rendered again
            discard(Path(path))
            raise BadWorld(
                f"{uri}: a shard in the cache was damaged and has been removed. Start again: it is made anew."
            )
        raise damaged(uri, "its digest differs")
    try:
        table = read_parquet(pa.BufferReader(data), most=_most(len(data)), schemas=_schemas(truth)).combine_chunks()
    except (OSError, pa.ArrowException) as error:
        raise damaged(uri, f"it is no Parquet file ({error})") from error
    if table.num_rows != rows:
        raise damaged(uri, f"it holds {table.num_rows} scenes instead of {rows}")
    mirror = _room(truth) / f"{content}.arrow"
    try:
        # Where nothing is, another process may put its mirror in this very moment: only what is there and is none goes.
        if lexists(mirror) and not mirror.is_file():
            discard(mirror)
        with staged_file(mirror) as draft, draft.open("wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_batch(table.to_batches(max_chunksize=None)[0])
    except OSError as error:
        raise BadWorld(
            f"{mirror}: the local mirror of {uri} cannot be written ({error}). Free space there, or set "
            f"SEGFRONTIER_CACHE to a folder with room for the world."
        ) from error
