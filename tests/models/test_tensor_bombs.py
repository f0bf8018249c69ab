"""Weights and checkpoints of strangers: a torch file may come to its own bytes and no further, and runs nothing."""

import io
import re
import zipfile

import pytest
import torch

from segfrontier.errors import BadInput
from segfrontier.lab.handles import built
from segfrontier.lab.training import checkpoints
from segfrontier.models.checkpoints import read_state
from segfrontier.models.tensors import read_tensors
from segfrontier.scenes.files import digest

MEGABYTE = 2**20


@pytest.fixture
def saved(tmp_path):
    """A file as torch writes it."""
    path = tmp_path / "plain.pt"
    torch.save({"weight": torch.arange(6.0)}, path)
    return path


def rewritten(source, target, *, compression=zipfile.ZIP_STORED, data=None):
    """The file's entries in another zip file; `data` takes the place of the tensor's bytes."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, data if data is not None and re.search(r"/data/0$", name) else old.read(name))
    return target


def test_what_torch_writes_is_read(saved, tmp_path):
    assert read_tensors(saved)["weight"].tolist() == [0, 1, 2, 3, 4, 5]
    again = rewritten(saved, tmp_path / "stored.pt")
    assert read_tensors(io.BytesIO(again.read_bytes()))["weight"].sum() == 15
    torch.save({"weight": torch.ones(2)}, tmp_path / "former.pt", _use_new_zipfile_serialization=False)
    assert read_tensors(tmp_path / "former.pt")["weight"].sum() == 2


def test_an_entry_that_is_deflated_is_refused_before_it_is_unpacked(saved, tmp_path):
    bomb = rewritten(saved, tmp_path / "x.pt", compression=zipfile.ZIP_DEFLATED, data=bytes(64 * MEGABYTE))
    assert bomb.stat().st_size < MEGABYTE
    with pytest.raises(BadInput, match=r"x.pt: .* as torch writes them, uncompressed; .*/\w.* is compressed"):
        read_tensors(bomb)


def test_an_entry_that_says_it_is_larger_than_the_file_is_refused(saved):
    """The size in the directory, which nothing else is held against."""
    data = bytearray(saved.read_bytes())
    entry = data.rindex(b"data/0") - data[:].rindex(b"PK\x01\x02", 0, data.rindex(b"data/0"))
    place = data.rindex(b"data/0") - entry
    for field in (20, 24):  # packed and unpacked bytes
        data[place + field : place + field + 4] = (2**31).to_bytes(4, "little")
    saved.write_bytes(data)
    with pytest.raises(BadInput, match=rf"come to at most its own {len(data)} bytes; they come to 2147"):
        read_tensors(saved)


def test_entries_that_share_the_same_bytes_are_refused(tmp_path):
    """A directory that names one entry many times: each stored, none larger than the file."""
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data/0", bytes(MEGABYTE))
        (first,) = file.infolist()
        for number in range(1, 40):
            other = zipfile.ZipInfo(f"a/data/{number}")
            for name in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(other, name, getattr(first, name))
            file.filelist.append(other)
        file._didModify = True
    assert path.stat().st_size < 2 * MEGABYTE
    with pytest.raises(BadInput, match="come to at most its own"):
        read_tensors(path)


def test_a_file_that_begins_as_a_zip_and_is_none_is_refused(saved):
    saved.write_bytes(saved.read_bytes()[:200])
    with pytest.raises(BadInput, match="must be a whole torch file"):
        read_tensors(saved)


def test_every_reader_of_weights_goes_through_that_door(saved, tmp_path):
    bomb = rewritten(saved, tmp_path / "x.pt", compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(BadInput, match="is compressed"):
        read_state(bomb)
    data = bomb.read_bytes()
    checkpoint = tmp_path / f"step-000000001-{digest(data)}.pt"
    checkpoint.write_bytes(data)
    with (
        pytest.raises(checkpoints.Unusable, match="is compressed"),
        checkpoints.opened(checkpoint, device=torch.device("cpu")),
    ):
        pass
    with pytest.raises(BadInput, match="is compressed"):
        built(Toy(), bomb, "a", torch.device("cpu"))


class Toy:
    """A blueprint of one layer."""

    def build(self, *, seed):
        return torch.nn.Linear(1, 1)
