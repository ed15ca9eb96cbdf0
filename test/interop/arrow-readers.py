"""Reads an Arrow or Parquet file with pyarrow, DuckDB and Polars; prints each one's rows as a line of JSON.

Usage: arrow-readers.py PATH file|stream|parquet
"""

import datetime
import json
import math
import sys

import duckdb
import polars
import pyarrow
import pyarrow.parquet

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(value):
    """Drops nulls from objects; times become milliseconds since 1970."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime.datetime):
        return round((value.astimezone(datetime.timezone.utc) - EPOCH) / datetime.timedelta(milliseconds=1))
    if isinstance(value, bytes):
        # Polars takes JSON text in Parquet for binary.
        return value.decode()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("JSON has no such number")
    return value


def main(path, form):
    if form == "parquet":
        table = pyarrow.parquet.read_table(path)
    else:
        opened = pyarrow.ipc.open_file(path) if form == "file" else pyarrow.ipc.open_stream(path)
        table = opened.read_all()
    table.validate(full=True)
    yield "pyarrow", table.to_pylist()

    database = duckdb.connect()
    relation = database.read_parquet(path) if form == "parquet" else database.from_arrow(table)
    names = relation.columns
    yield "duckdb", [dict(zip(names, row)) for row in relation.fetchall()]

    readers = {"file": polars.read_ipc, "stream": polars.read_ipc_stream, "parquet": polars.read_parquet}
    frame = readers[form](path)
    yield "polars", frame.to_dicts()


if __name__ == "__main__":
    for engine, rows in main(*sys.argv[1:]):
        print(json.dumps({"engine": engine, "rows": plain(rows)}))
