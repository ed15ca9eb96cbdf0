"""Writes Arrow and Parquet files with pyarrow, and beside each its rows as JSON lines.

Usage: arrow-writers.py FOLDER
"""

import base64
import datetime
import decimal
import json
import math
import os
import sys

import pyarrow as pa
import pyarrow.parquet as pq

EPOCH = datetime.datetime(1970, 1, 1)
TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def fraction(ticks, unit):
    return "" if unit == "s" else ".%0*d" % (DIGITS[unit], ticks)


def instant(value, unit, zone):
    seconds, rest = divmod(value, TICKS[unit])
    text = (EPOCH + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return text + fraction(rest, unit) + ("Z" if zone else "")


def clock(value, unit):
    seconds, rest = divmod(value, TICKS[unit])
    text = "%02d:%02d:%02d" % (seconds // 3600, seconds // 60 % 60, seconds % 60)
    return text + fraction(rest, unit)


def plain(array):
    """The values as JSON has them, by type; an implementation of its own."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return plain(array.cast(kind.value_type))
    if pa.types.is_timestamp(kind):
        ticks = array.cast(pa.int64()).to_pylist()
        return [None if v is None else instant(v, kind.unit, kind.tz) for v in ticks]
    if pa.types.is_time(kind):
        ticks = array.cast(pa.int32() if kind.bit_width == 32 else pa.int64()).to_pylist()
        return [None if v is None else clock(v, kind.unit) for v in ticks]
    if pa.types.is_duration(kind):
        return array.cast(pa.int64()).to_pylist()
    if pa.types.is_struct(kind):
        columns = {field.name: plain(array.field(i)) for i, field in enumerate(kind)}
        return [
            {name: values[i] for name, values in columns.items()} if array[i].is_valid else None
            for i in range(len(array))
        ]
    if pa.types.is_map(kind):
        return [
            None if not each.is_valid else dict(zip(keys_of(each), plain(each.values.field(1))))
            for each in array
        ]
    if pa.types.is_nested(kind) and not pa.types.is_union(kind):
        return [plain(each.values) if each.is_valid else None for each in array]
    return [scalar(value) for value in array.to_pylist()]


def keys_of(each):
    return [key if isinstance(key, str) else json.dumps(key) for key in plain(each.values.field(0))]


def scalar(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()[:10]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, tuple):
        return dict(zip(("months", "days", "nanoseconds"), value))
    return value


def many_types(seed):
    """Columns of five rows; the second row is null wherever that can be."""
    D = decimal.Decimal
    texts = ["plain", None, "é\"\\\n\x01\u2028😀", "", "x" * 100 + str(seed)]
    raw = [b"a", None, b"\x00\xff\xfe", b"", bytes(range(100))]
    numbers = [seed, None, -1, 0, 100]
    ticks = [0, None, -1, 86_399, 1_234_567_890 + seed]
    days = [0, None, -1, 11_016, 19_000 + seed]
    columns = {
        "nothing": pa.nulls(5),
        "bool": pa.array([True, None, False, True, True]),
        "date32": pa.array(days, pa.date32()),
        "date64": pa.array(days, pa.date32()).cast(pa.date64()),
        "time32s": pa.array([0, None, 86_399, 1, 3600], pa.time32("s")),
        "time32ms": pa.array([0, None, 86_399_999, 1, 3600], pa.time32("ms")),
        "time64us": pa.array([0, None, 86_399_999_999, 1, 3600], pa.time64("us")),
        "time64ns": pa.array([0, None, 86_399_999_999_999, 1, 3600], pa.time64("ns")),
        "decimal": pa.array([D("1.50"), None, D("-0.01"), D("0.00"), D("12345678901234567890.12")], pa.decimal128(30, 2)),
        "decimal256": pa.array([D("1"), None, D("-7"), D(0), D(10) ** 60], pa.decimal256(70, 0)),
        "float16": pa.array([0.5, None, -2.0, 65504.0, 6e-8], pa.float16()),
        "float32": pa.array([0.1, None, -0.5, math.nan, 1e30], pa.float32()),
        "float64": pa.array([0.1, None, -1 / 3, math.inf, 1.5e-300], pa.float64()),
        "fixed": pa.array([b"abcd", None, b"\x00\x01\x02\x03", b"efgh", b"ijkl"], pa.binary(4)),
        "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}, {}, {"a": 2, "b": None}], pa.struct([("a", pa.int32()), ("b", pa.string())])),
        "list": pa.array([[1, 2], None, [], [None], [3]], pa.list_(pa.int64())),
        "large_list": pa.array([["a"], None, [], [None, "b"], ["c"]], pa.large_list(pa.string())),
        "fixed_list": pa.array([[1, 2], None, [3, None], [5, 6], [7, 8]], pa.list_(pa.int8(), 2)),
        "deep": pa.array([[{"k": [[1]]}], None, [], [None, {"k": None}], [{"k": [[], None]}]], pa.list_(pa.struct([("k", pa.list_(pa.list_(pa.int32())))]))),
        "map": pa.array([[("a", 1)], None, [], [("b", None), ("é", 2)], [("z", 3)]], pa.map_(pa.string(), pa.int32())),
        "int_map": pa.array([[(1, "x")], None, [], [(2, None)], [(-3, "y")]], pa.map_(pa.int64(), pa.string())),
        "dictionary": pa.array(["a", None, "b", "a", "é" + str(seed)]).dictionary_encode(),
    }
    for kind in ("int8", "int16", "int32", "int64"):
        columns[kind] = pa.array(numbers, getattr(pa, kind)())
    for kind in ("uint8", "uint16", "uint32", "uint64"):
        columns[kind] = pa.array([seed, None, 1, 0, 200], getattr(pa, kind)())
    for kind in ("string", "large_string"):
        columns[kind] = pa.array(texts, getattr(pa, kind)())
    for kind in ("binary", "large_binary"):
        columns[kind] = pa.array(raw, getattr(pa, kind)())
    for unit in TICKS:
        columns["naive_" + unit] = pa.array(ticks, pa.timestamp(unit))
        columns["zoned_" + unit] = pa.array(ticks, pa.timestamp(unit, "Europe/Berlin"))
        columns["duration_" + unit] = pa.array(ticks, pa.duration(unit))
    return columns


def arrow_only(seed):
    """Types that Parquet has not."""
    index = pa.array([0, 1, 0, 1, 0], pa.int8())
    parts = [pa.array([1, None, 3, 4, 5]), pa.array(["a", "b", "c", None, "e"])]
    dense = pa.array([0, 0, 1, 1, 2], pa.int32())
    return {
        "string_view": pa.array(["short", None, "é" * 30, "", "twelve bytes"], pa.string_view()),
        "binary_view": pa.array([b"short", None, b"\xff" * 30, b"", b"x" * 13], pa.binary_view()),
        "interval": pa.array([(1, 2, 3), None, (-1, 0, 10**15), (0, 0, 0), (5, 6, seed)], pa.month_day_nano_interval()),
        "sparse": pa.UnionArray.from_sparse(index, parts),
        "dense": pa.UnionArray.from_dense(index, dense, parts),
        "decimal32": pa.array([decimal.Decimal("1.5"), None, decimal.Decimal("-9.9"), None, None], pa.decimal32(3, 1)),
        "decimal64": pa.array([decimal.Decimal("1.5"), None, decimal.Decimal("-123456789012.5"), None, None], pa.decimal64(15, 1)),
        "dictionary_of_dates": pa.array([1, None, 2, 1, 2], pa.date32()).dictionary_encode(),
        "int8_keys": pa.DictionaryArray.from_arrays(pa.array([0, None, 1, 1, 0], pa.uint8()), pa.array(["x", None])),
    }


def wide_integers():
    bounds = [2**63 - 1, -(2**63), 2**53, 2**53 + 1, -(2**53) - 1, 2**32, -(2**32), 2**31, 0, -1]
    unsigned = [2**64 - 1, 2**63, 2**53 + 1, 2**32, 2**32 - 1, 2**31, 10, 9, 1, 0]
    return {"signed": pa.array(bounds, pa.int64()), "unsigned": pa.array(unsigned, pa.uint64())}


def write_ipc(path, batches, form, codec=None):
    options = pa.ipc.IpcWriteOptions(compression=codec, emit_dictionary_deltas=form == "stream")
    make = pa.ipc.new_file if form == "file" else pa.ipc.new_stream
    with make(path, batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)


def write_rows(path, batches):
    with open(path + ".jsonl", "w") as out:
        for batch in batches:
            columns = {name: plain(batch.column(name)) for name in batch.schema.names}
            for i in range(batch.num_rows):
                row = {name: values[i] for name, values in columns.items()}
                out.write(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n")


def main(folder):
    both = [pa.record_batch({**many_types(n), **arrow_only(n)}) for n in range(3)]
    # Cut from larger ones: buffers and bitmaps begin in the middle.
    both.append(both[0].slice(1, 3))
    both.append(both[0].slice(0, 0))
    for form in ("file", "stream"):
        for codec in (None, "lz4", "zstd"):
            # Files may not replace a dictionary.
            batches = [both[0], both[3], both[4]] if form == "file" else both
            path = os.path.join(folder, f"types-{codec}.{form}.arrow")
            write_ipc(path, batches, form, codec)
            write_rows(path, batches)
    wide = [pa.record_batch(wide_integers())]
    path = os.path.join(folder, "wide.arrow")
    write_ipc(path, wide, "file")
    write_rows(path, wide)

    tables = [pa.record_batch(many_types(n)) for n in range(3)]
    tables.append(tables[0].slice(1, 3))
    for codec in ("none", "snappy", "gzip", "zstd", "lz4", "brotli"):
        for version in ("1.0", "2.0"):
            path = os.path.join(folder, f"types-{codec}-{version}.parquet")
            table = parquet_types(pa.Table.from_batches(tables))
            pq.write_table(table, path, compression=codec, data_page_version=version, row_group_size=7)
            write_rows(path, table.combine_chunks().to_batches())
    path = os.path.join(folder, "wide.parquet")
    pq.write_table(pa.Table.from_batches(wide), path)
    write_rows(path, wide)


def parquet_types(table):
    """Without what pyarrow writes in Parquet as something else, or cannot."""
    drop = [name for name in table.schema.names if name.startswith("duration_")]
    drop += ["naive_s", "zoned_s", "time32s", "date64", "nothing", "decimal256"]
    return table.drop_columns(drop)


if __name__ == "__main__":
    main(sys.argv[1])
