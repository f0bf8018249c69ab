"""Arrow files of strangers: a few kilobytes that stand for gigabytes are refused before anything is unpacked."""

import json
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest
from toyworld import TOY

from segfrontier.errors import BadInput, BadWorld
from segfrontier.lab.measures import ABOUT, FILE, Measures
from segfrontier.scenes import mirror
from segfrontier.scenes.arrow import read_arrow
from segfrontier.scenes.labels import LabelRow, LabelSet, labels_digest, write_labels
from segfrontier.scenes.manifest import IMAGE_SCHEMA

MEGABYTE = 2**20


def wrote(path, *batches, compression=None):
    options = pa.ipc.IpcWriteOptions(compression=compression, emit_dictionary_deltas=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return path


def row(scene="a", data=b"map"):
    return pa.record_batch({"scene": [scene], "map": pa.array([data], pa.large_binary())})


def labels(path):
    return LabelSet(path=str(path), kind="fine", digest="", count=1, classes=TOY)


def nothing(count):
    """So many rows of no type, for which no byte is needed."""
    return pa.Array.from_buffers(pa.null(), count, [None])


@contextmanager
def nothing_unpacked():
    """Memory that Arrow takes is counted: a pool of its own, whose peak nothing else has set."""
    before, pool = pa.default_memory_pool(), pa.system_memory_pool()
    ours = pa.proxy_memory_pool(pool)
    pa.set_memory_pool(ours)
    try:
        yield
    finally:
        pa.set_memory_pool(before)
    assert ours.max_memory() < MEGABYTE


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_a_compressed_label_file_is_refused_before_it_is_unpacked(tmp_path, codec):
    path = wrote(tmp_path / "x.arrow", row(data=bytes(96 * MEGABYTE)), compression=codec)
    assert path.stat().st_size < MEGABYTE, "a bomb is small"
    with nothing_unpacked(), pytest.raises(BadWorld, match=r"a label set must be a whole Arrow file; .* compressed"):
        labels(path).map("a")


def test_a_compressed_dictionary_is_refused_too(tmp_path):
    maps = pa.DictionaryArray.from_arrays(pa.array([0]), pa.array([bytes(96 * MEGABYTE)], pa.large_binary()))
    path = wrote(tmp_path / "x.arrow", pa.record_batch({"scene": ["a"], "map": maps}), compression="zstd")
    with nothing_unpacked(), pytest.raises(BadWorld, match="compressed"):
        labels(path).scenes()


def test_compression_as_the_first_versions_of_arrow_said_it_is_refused(tmp_path):
    """They named the codec in a message's own metadata, which Arrow still reads."""
    path = tmp_path / "x.arrow"
    batch = row()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch, custom_metadata={"ARROW:experimental_compression": "zstd"})
    with pytest.raises(OSError, match="compressed"):
        read_arrow(path)


def test_rows_that_no_byte_stands_for_are_refused(tmp_path):
    """One run of two thousand million names; as many names that are nothing; names that share one text."""
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2**31 - 1], pa.int32()), pa.array(["a"]))
    shared = pa.DictionaryArray.from_arrays(pa.array([0] * 9, pa.int8()), pa.array(["x" * 99]))
    for number, names in enumerate((runs, nothing(2**31 - 1), shared, pa.array(["a"], pa.string_view()))):
        path = wrote(tmp_path / f"{number}.arrow", pa.record_batch({"scene": names}))
        with pytest.raises(BadWorld, match="its column scene must be of type string"):
            labels(path).scenes()


def test_a_column_of_another_type_than_labels_have_is_refused(tmp_path):
    path = wrote(tmp_path / "x.arrow", pa.record_batch({"scene": ["a"], "map": pa.array([[1]])}))
    with pytest.raises(BadWorld, match="its column map must be of type large_binary"):
        labels(path).map("a")


def test_batches_that_a_footer_names_twice_are_refused(tmp_path):
    """A footer may point to the same bytes a million times; what follows one another in the file is what counts."""
    whole = bytearray(wrote(tmp_path / "two.arrow", row("a"), row("b")).read_bytes())
    alone = wrote(tmp_path / "one.arrow", row("a")).read_bytes()
    footer = int.from_bytes(whole[-10:-6], "little") + 10
    (tmp_path / "x.arrow").write_bytes(alone[: -(int.from_bytes(alone[-10:-6], "little") + 10)] + whole[-footer:])
    with pytest.raises(BadWorld, match="its footer names 2 record batches, and it holds 1"):
        labels(tmp_path / "x.arrow").scenes()


def test_dictionaries_that_grow_from_batch_to_batch_are_refused(tmp_path):
    """Each batch would hold a copy of all that came before it."""

    def grown(count):
        words = pa.array([bytes([n]) for n in range(count)], pa.large_binary())
        return pa.record_batch({"scene": [str(count)], "map": pa.DictionaryArray.from_arrays(pa.array([0]), words)})

    path = wrote(tmp_path / "x.arrow", *map(grown, range(1, 9)))
    with pytest.raises(BadWorld, match="a dictionary a column; it has 8"):
        labels(path).scenes()


def test_names_that_overlap_are_refused(tmp_path):
    ends = pa.py_buffer(np.array([0, 9, 0, 9], np.int32).tobytes())
    names = pa.Array.from_buffers(pa.string(), 3, [None, ends, pa.py_buffer(b"x" * 9)])
    with pytest.raises(BadWorld, match="cannot be read"):
        labels(wrote(tmp_path / "x.arrow", pa.record_batch({"scene": names}))).scenes()


def test_points_on_a_scene_of_any_size_take_no_memory_for_it(tmp_path):
    points = pa.array([np.zeros(3, "<i4").tobytes()], pa.large_binary())
    size = {"height": pa.array([2**20], pa.int32()), "width": pa.array([2**15], pa.int32())}
    wrote(path := tmp_path / "x.arrow", pa.record_batch({"scene": ["a"], **size, "values": points}))
    with pytest.raises(BadWorld, match="must have 1 to 67108864 pixels; its header says 32768x1048576"):
        LabelSet(path=str(path), kind="points", digest="", count=1, classes=TOY).map("a")


def test_measures_that_are_compressed_are_refused(tmp_path):
    numbers = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(24 * MEGABYTE, np.float32)), 24 * MEGABYTE)
    batch = pa.record_batch({"scene": pa.array(["a"], pa.large_string()), "e": numbers})
    batch = batch.replace_schema_metadata({"shapes": json.dumps({"e": [24 * MEGABYTE]})})
    path = wrote(tmp_path / FILE, batch, compression="lz4")
    (tmp_path / ABOUT).write_text(json.dumps({"digest": "", "count": 1, "faults": []}))
    with nothing_unpacked(), pytest.raises(BadInput, match="measures must be .* compressed"):
        Measures.at(path).scenes()


def test_measures_whose_rows_no_byte_stands_for_are_refused(tmp_path):
    path = wrote(tmp_path / FILE, pa.record_batch({"scene": nothing(2**31 - 1)}))
    (tmp_path / ABOUT).write_text(json.dumps({"digest": "", "count": 1, "faults": []}))
    with pytest.raises(BadInput, match="its column scene must be of type large_string"):
        Measures.at(path).scenes()


def test_a_compressed_mirror_is_none(tmp_path):
    images = pa.array([bytes(96 * MEGABYTE)], IMAGE_SCHEMA.field("image").type)
    columns = [images if f.name == "image" else pa.nulls(1, f.type) for f in IMAGE_SCHEMA]
    path = wrote(tmp_path / "x.arrow", pa.record_batch(columns, schema=IMAGE_SCHEMA), compression="zstd")
    with nothing_unpacked():
        assert mirror._mapped(path, 1, truth=False) is None


def test_what_is_written_here_is_read_without_a_copy(tmp_path):
    rows = [LabelRow(f"s{n}", 40, 50, map=np.full((40, 50), n % 3, np.uint8)) for n in range(600)]
    made = write_labels(tmp_path, kind="fine", classes=TOY, rows=rows)
    with nothing_unpacked():
        assert [batch.num_rows for batch in read_arrow(made.path)] == [256, 256, 88]
    assert made.map("s4")[0, 0] == 1 and labels_digest(made) == made.digest
