"""Worlds whose small files stand for gigabytes, and weights and links that lead out of their folder."""

import json
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toyworld import write_toy

from segfrontier.errors import BadWorld
from segfrontier.scenes import mirror
from segfrontier.scenes.files import digest
from segfrontier.scenes.manifest import IMAGE_SCHEMA, MANIFEST
from segfrontier.scenes.world import World

MEGABYTE = 2**20


def packed(world_folder, *, rows, image, **how):
    """A toy world whose only image shard is replaced by a file that is small and holds so many such images."""
    write_toy(world_folder, target_train=2)
    path = next((world_folder / "images").iterdir())
    first = pq.read_table(path).slice(0, 1).to_pylist()[0]
    table = pa.Table.from_pylist([first | {"scene": f"s{n}", "image": image} for n in range(rows)], schema=IMAGE_SCHEMA)
    pq.write_table(table, path, **how)
    plain = json.loads((world_folder / MANIFEST).read_text())
    plain["shards"][0] |= {
        "rows": rows, "image_bytes": path.stat().st_size, "image_digest": digest(path.read_bytes())
    }  # fmt: skip
    (world_folder / MANIFEST).write_text(json.dumps(plain))
    return path


@pytest.mark.parametrize(
    "how",
    [
        {"compression": "zstd", "use_dictionary": False},
        {"compression": "none", "use_dictionary": ["image"]},
        {"compression": "none", "use_dictionary": False, "column_encoding": {"image": "DELTA_BYTE_ARRAY"}},
    ],
    ids=["compressed", "by a dictionary", "by prefixes"],
)
def test_a_small_shard_that_stands_for_a_large_one_is_refused_before_it_is_unpacked(tmp_path, how):
    path = packed(tmp_path / "w", rows=96, image=bytes(MEGABYTE), **how)
    assert path.stat().st_size < 3 * MEGABYTE, "a bomb is small"
    before = pa.total_allocated_bytes()
    peak = pa.default_memory_pool().max_memory()
    tracemalloc.start()
    with pytest.raises(BadWorld, match=r"a shard must be the file .* come to more than"):
        World.open(tmp_path / "w").pool().image("s0")
    assert pa.total_allocated_bytes() - before < MEGABYTE, "nothing is kept"
    assert max(0, pa.default_memory_pool().max_memory() - max(peak, before)) < 64 * MEGABYTE, "nor was it ever"
    tracemalloc.stop()


def test_a_name_column_that_repeats_itself_is_refused_too(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"scene": ["x" * MEGABYTE] * 96}), path)
    with pytest.raises(BadWorld, match="come to more than"):
        mirror.scene_ids(str(path), 96, path.stat().st_size)


def test_what_is_small_may_be_written_in_any_way(tmp_path):
    """Other tools write dictionaries and compress; where that saves little, the shard is read as any."""
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"scene": [f"s{n}" for n in range(50)]}), path, compression="zstd")
    assert mirror.scene_ids(str(path), 50, path.stat().st_size) == [f"s{n}" for n in range(50)]
