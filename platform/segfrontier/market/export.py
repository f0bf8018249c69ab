"""The acts of a ledger as one Parquet file, for any tool that reads tables."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from segfrontier.basics.atomic import staged_file
from segfrontier.errors import LedgerError
from segfrontier.market.ledger import Ledger

SCHEMA = pa.schema(
    [
        ("cell", pa.string()),
        ("stage", pa.string()),
        ("kind", pa.string()),
        ("scene", pa.string()),
        ("item", pa.int64()),
        ("units", pa.int64()),
        ("asked", pa.int64()),
        ("purchase", pa.int64()),
        ("time", pa.string()),
        ("prices", pa.string()),
        ("prices_version", pa.int64()),
        ("prices_digest", pa.string()),
    ]
)


def export_acts(ledger: Ledger, path: str | Path) -> int:
    """Write every act with its purchase to `path`, whole or not at all; returns how many there are."""
    target = Path(path).absolute()
    count = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with staged_file(target) as draft, pq.ParquetWriter(draft, SCHEMA, compression="zstd") as writer:
            for rows in ledger.rows():
                columns = zip(zip(*rows, strict=True), SCHEMA, strict=True)
                arrays = [pa.array(values, field.type) for values, field in columns]
                writer.write_batch(pa.record_batch(arrays, schema=SCHEMA))
                count += len(rows)
    except OSError as error:
        raise LedgerError(
            f"{target}: acts must be exported to a place that can be written; it could not be ({error}). The ledger "
            f"is untouched; choose another place."
        ) from error
    return count
