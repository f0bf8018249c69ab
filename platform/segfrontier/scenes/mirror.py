"""Random access to Parquet shards: each shard is unpacked once into a local, memory-mapped Arrow file.

A training sample then costs one offset look-up and no parsing; the operating system keeps what is used in memory and
shares it between workers. Mirrors are named by content, so they never go stale, and appear by rename, so they are
whole.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from segfrontier.errors import BadWorld
from segfrontier.scenes.files import cache_folder, digest, resolve, staging_name

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does


@lru_cache(maxsize=4096)
def open_shard(uri: str, content: str, nbytes: int) -> pa.RecordBatch:
    """The memory-mapped rows of the Parquet file at `uri`, whose digest must be `content`."""
    mirror = cache_folder() / "mirror" / f"{content}.arrow"
    if not mirror.exists():
        _make_mirror(uri, content, nbytes, mirror)
    return pa.ipc.open_file(pa.memory_map(str(mirror))).get_batch(0)


def scene_ids(uri: str, rows: int) -> list[str]:
    """The scene ids of a Parquet shard, read without touching its images or maps."""
    filesystem, path = resolve(uri)
    try:
        ids: list[str] = pq.read_table(path, columns=["scene"], filesystem=filesystem)["scene"].to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise _damaged(uri, f"it cannot be read ({error})") from error
    if len(ids) != rows:
        raise _damaged(uri, f"it holds {len(ids)} scenes instead of {rows}")
    return ids


def _damaged(uri: str, what: str) -> BadWorld:
    return BadWorld(
        f"{uri}: a shard must be the file that the manifest describes; {what}. Copy the world again from where it is "
        f"whole, or import the dataset again."
    )


def _make_mirror(uri: str, content: str, nbytes: int, mirror: Path) -> None:
    filesystem, path = resolve(uri)
    try:
        with filesystem.open_input_file(path) as stream:
            data = stream.read_buffer()
    except OSError as error:
        raise _damaged(uri, f"it cannot be read ({error})") from error
    if len(data) != nbytes or digest(memoryview(data)) != content:
        raise _damaged(uri, f"{len(data)} bytes of {nbytes} are there, or their digest differs")
    table = pq.read_table(pa.BufferReader(data)).combine_chunks()
    staged = staging_name(mirror)
    try:
        mirror.parent.mkdir(parents=True, exist_ok=True)
        with pa.OSFile(str(staged), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_batch(table.to_batches(max_chunksize=None)[0])
        staged.replace(mirror)
    except OSError as error:
        raise BadWorld(
            f"{mirror}: the local mirror of {uri} cannot be written ({error}). Free space there, or set "
            f"SEGFRONTIER_CACHE to a folder with room for the world."
        ) from error
    finally:
        staged.unlink(missing_ok=True)
