"""The door to torch files: plain tensors alone, and no more of them than the file has bytes."""

from __future__ import annotations

import os
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import torch

from segfrontier.basics.reading import open_plain
from segfrontier.errors import BadInput

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

_ZIP = b"PK\x03\x04"  # by which torch tells its files from those of its versions before 1.6


def read_tensors(source: Path | BinaryIO, *, device: torch.device | str = "cpu") -> Any:
    """What `torch.save` wrote, without running any of it; BadInput where its entries are not as torch writes them."""
    with ExitStack() as stack:
        file = stack.enter_context(open_plain(source)) if isinstance(source, Path) else source
        if file.read(len(_ZIP)) == _ZIP:
            _require_stored(file, str(source) if isinstance(source, Path) else "the file")
        file.seek(0)
        return torch.load(file, map_location=device, weights_only=True)


def _require_stored(file: BinaryIO, name: str) -> None:
    """Refuse a zip file that would unpack to more than its bytes, by what its directory says."""
    try:
        entries = zipfile.ZipFile(file).infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise BadInput(f"{name} must be a whole torch file; it is not ({error}). Copy or write it again.") from None
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED:
            raise BadInput(
                f"{name}: the entries of a torch file must lie there as torch writes them, uncompressed; "
                f"{entry.filename!r} is compressed. Write the file again with torch.save."
            )
    size, total = file.seek(0, os.SEEK_END), sum(entry.file_size for entry in entries)
    if total > size:
        raise BadInput(
            f"{name}: the entries of a torch file must come to at most its own {size} bytes; they come to {total}. "
            f"Write the file again with torch.save."
        )
