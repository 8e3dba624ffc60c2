"""Every SQL type into Cassandra and PostgreSQL and back: NULLs, extremes, zones, non-ASCII. The other side is never our code."""
import base64
import datetime
import decimal
import json
import math
import struct
import uuid

import cassandra.util
import pytest

import people
from clients import Millrace, cassandra_do, postgres_rows
from millrace import wait_until

pytestmark = pytest.mark.short
UTC = datetime.timezone.utc
FAR = decimal.Decimal("1234567890123456789012345678.0123456789")
UUIDS = ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "0f3c5a77-8d21-4a9b-b1a5-00112233ffee"]



def single(value):
    """The nearest 32-bit float."""
    return struct.unpack("f", struct.pack("f", value))[0]


# name, type of the topic's column, expression over it, the value of each record (as JSON, and as it must come out)
COLUMNS = [
    ("flag", "boolean", "flag", [(True, True), (False, False)]),
    ("i8", "tinyint", "i8", [(-128, -128), (127, 127)]),
    ("i16", "smallint", "i16", [(-2**15, -2**15), (2**15 - 1, 2**15 - 1)]),
    ("i32", "integer", "i32", [(-2**31, -2**31), (2**31 - 1, 2**31 - 1)]),
    ("i64", "bigint", "i64", [(-2**63, -2**63), (2**63 - 1, 2**63 - 1)]),
    ("i128", "text", "CAST(i128 AS hugeint)", [(str(-2**127 + 1), -2**127 + 1), (str(2**127 - 1), 2**127 - 1), ("0", 0)]),
    ("u8", "utinyint", "u8", [(0, 0), (255, 255)]),
    ("u16", "usmallint", "u16", [(0, 0), (2**16 - 1, 2**16 - 1)]),
    ("u32", "uinteger", "u32", [(0, 0), (2**32 - 1, 2**32 - 1)]),
    ("u64", "ubigint", "u64", [(0, 0), (2**64 - 1, 2**64 - 1)]),
    ("f32", "float", "f32", [(0.5, 0.5), (-1.5e38, single(-1.5e38)), (0, 0.0)]),
    ("f64", "text", "CAST(f64 AS double)", [("1.7976931348623157e308", 1.7976931348623157e308), ("5e-324", 5e-324), ("inf", math.inf), ("nan", math.nan)]),
    ("dec", "text", "CAST(dec AS decimal(38,10))", [(str(FAR), FAR), (str(-FAR), -FAR), ("0", decimal.Decimal(0))]),
    ("txt", "text", "txt", [("", ""), ("Zoë 東京 🙂 \"'\\\n\t", "Zoë 東京 🙂 \"'\\\n\t"), ("x" * 70_000, "x" * 70_000)]),
    ("bin", "text", "unhex(bin)", [("", b""), ("00ff80c3", b"\x00\xff\x80\xc3")]),
    ("uid", "uuid", "uid", [(text, uuid.UUID(text)) for text in UUIDS]),
    ("day", "date", "day", [("0001-01-01", datetime.date(1, 1, 1)), ("9999-12-31", datetime.date(9999, 12, 31)), ("1970-01-01", datetime.date(1970, 1, 1))]),
    ("tod", "time", "tod", [("00:00:00", datetime.time(0)), ("23:59:59.999999", datetime.time(23, 59, 59, 999999))]),
    ("ts", "timestamp", "ts", [("1969-12-31T23:59:59.999", datetime.datetime(1969, 12, 31, 23, 59, 59, 999000)),
                               ("2262-04-11T23:47:16.854", datetime.datetime(2262, 4, 11, 23, 47, 16, 854000))]),
    ("tz", "timestamptz", "tz", [("2026-03-29T02:30:00.123+05:45", datetime.datetime(2026, 3, 28, 20, 45, 0, 123000, UTC)),
                                 ("0001-01-01T00:00:00Z", datetime.datetime(1, 1, 1, tzinfo=UTC)),
                                 ("9999-12-31T23:59:59.999Z", datetime.datetime(9999, 12, 31, 23, 59, 59, 999000, UTC))]),
    ("tags", "text[]", "tags", [(["a", "ü", ""], ["a", "ü", ""]), (["one"], ["one"])]),
    ("pair", "STRUCT(a bigint, b text)", "pair", [({"a": 2**53 + 1, "b": "ž"}, {"a": 2**53 + 1, "b": "ž"}), ({"a": 1, "b": None}, {"a": 1, "b": None})]),
]
ROWS = max(len(values) for *_, values in COLUMNS)


def records():
    """JSON texts: a row with every case of each column, by turns, then one without anything."""
    full = [{"id": i, **{name: values[i % len(values)][0] for name, _, _, values in COLUMNS}} for i in range(ROWS)]
    return [json.dumps(record, ensure_ascii=False) for record in [*full, {"id": ROWS}, {"id": ROWS + 1, **{name: None for name, *_ in COLUMNS}}]]


def expected():
    rows = {i: {name: values[i % len(values)][1] for name, _, _, values in COLUMNS} for i in range(ROWS)}
    nothing = {name: None for name, *_ in COLUMNS}
    return {**rows, ROWS: nothing, ROWS + 1: nothing}


def plain(name, value):
    """A driver's value as Python's own; whatever the store keeps a struct in."""
    if value is None:
        return None
    if isinstance(value, cassandra.util.Date):
        return value.date()
    if isinstance(value, cassandra.util.Time):
        return value.time()
    if name in ("ts", "tz"):
        aware = people.instant(value) + datetime.timedelta(microseconds=499)  # Cassandra's driver counts in floats, and is some µs off
        milliseconds = aware.replace(microsecond=aware.microsecond // 1000 * 1000)
        return milliseconds if name == "tz" else milliseconds.replace(tzinfo=None)
    if name == "f32":
        return single(value)
    if name == "i128" or (name.startswith("u") and name[1:].isdigit()):
        return int(value)
    if name == "pair":
        fields = json.loads(value) if isinstance(value, str) else dict(value._asdict() if hasattr(value, "_asdict") else value)
        return {**fields, "a": int(fields["a"])}
    if name == "bin":
        return bytes(value)
    return list(value) if name == "tags" else value


def same(a, b):
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


def differences(found):
    """Lines for what is not as expected. `found`: id -> plain values."""
    wanted = expected()
    assert found.keys() == wanted.keys(), found.keys()
    return [f"id {i} {name}: expected {value!r}, found {found[i][name]!r}"[:300] for i, row in wanted.items() for name, value in row.items()
            if not same(value, found[i][name])]


def from_json(name, value):
    """What `millrace sql -o json` says, as Python's own value."""
    if value is None:
        return None
    reads = {"i64": int, "i128": int, "u64": int, "dec": decimal.Decimal, "uid": uuid.UUID, "day": datetime.date.fromisoformat,
             "tod": datetime.time.fromisoformat, "ts": datetime.datetime.fromisoformat, "tz": people.instant, "bin": base64.b64decode,
             "f64": float, "f32": lambda v: single(float(v)), "pair": lambda v: {"a": int(v["a"]), "b": v["b"]}}
    return reads.get(name, lambda v: v)(value)


def pipeline(profile, place):
    schema = ", ".join(f"{name} {kind}" for name, kind, *_ in COLUMNS)
    select = ", ".join(f"{expression} AS {name}" for name, _, expression, _ in COLUMNS)
    return f"""
name: {place.name}
profiles:
{profile}
topics:
  typed: {{ partitions: 1, schema: '{"id bigint, " + schema}' }}
queries:
  keep:
    into: {place.name}.typed
    sql: |
      SELECT id, {select} FROM typed
tables:
  {place.name}.typed: {{ partition_key: [id] }}
"""


def test_every_type_comes_back_embedded(place):
    with Millrace(pipeline(people.profile(), place)) as millrace:
        millrace.produce("typed", records())
        millrace.processed("keep", len(records()))
        assert not differences({row["id"]: {name: from_json(name, row[name]) for name, *_ in COLUMNS} for row in millrace.sql(f"SELECT * FROM {place.name}.typed")})


@pytest.mark.parametrize("store", ["cassandra", "postgres"])
def test_every_type_arrives_and_is_read_back(store, request, place):
    server = request.getfixturevalue(store)
    with Millrace(pipeline(people.profile(tables=server.url), place)) as millrace:
        millrace.produce("typed", records())
        millrace.processed("keep", len(records()))
        assert millrace.json("dead-letters", "list") == []
        statement = f"SELECT * FROM {place.name}.typed"
        rows = cassandra_do(server, statement) if store == "cassandra" else postgres_rows(server, statement)
        outside = differences({row["id"]: {name: plain(name, row[name]) for name, *_ in COLUMNS} for row in rows})
        assert not outside, "\n".join(outside)
        inside = differences({row["id"]: {name: from_json(name, row[name]) for name, *_ in COLUMNS} for row in millrace.sql(statement)})
        assert not inside, "\n".join(inside)


@pytest.mark.parametrize("store", ["cassandra", "postgres"])
def test_rows_that_others_write_are_read(store, request, place):
    """The table is made by the pipeline, its rows by the other client."""
    server = request.getfixturevalue(store)
    with Millrace(pipeline(people.profile(tables=server.url), place)) as millrace:
        table = f"{place.name}.typed"
        if store == "cassandra":
            wait_until(lambda: cassandra_do(server, f"SELECT table_name FROM system_schema.tables WHERE keyspace_name = '{place.name}'"), "the table is there")
            cassandra_do(server, f"INSERT INTO {table} (id, flag, i64, f64, dec, txt, bin, uid, day, tod, tz, tags) VALUES (7, true, -9223372036854775808, "
                         f"-Infinity, -0.0000000001, 'Zoë 東京', 0x00ff, {UUIDS[2]}, '1969-12-31', '12:34:56.789012', '2026-01-01 00:00:00.001+0200', ['ü'])")
        else:
            wait_until(lambda: postgres_rows(server, f"SELECT 1 FROM pg_tables WHERE schemaname = '{place.name}'"), "the table is there")
            with server.connect() as connection:
                connection.execute(f"INSERT INTO {table} (id, flag, i64, f64, dec, txt, bin, uid, day, tod, tz, tags) VALUES (7, true, -9223372036854775808, "
                                   "'-Infinity', -0.0000000001, 'Zoë 東京', '\\x00ff', %s, '1969-12-31', '12:34:56.789012', "
                                   "'2026-01-01 00:00:00.001+0200', %s)", (UUIDS[2], ["ü"]))
        found = millrace.sql(f"SELECT * FROM {table} WHERE id = 7")[0]
        read = {name: from_json(name, found[name]) for name, *_ in COLUMNS}
        assert read == {**{name: None for name, *_ in COLUMNS}, "flag": True, "i64": -2**63, "f64": -math.inf, "dec": decimal.Decimal("-0.0000000001"),
                        "txt": "Zoë 東京", "bin": b"\x00\xff", "uid": uuid.UUID(UUIDS[2]), "day": datetime.date(1969, 12, 31),
                        "tod": datetime.time(12, 34, 56, 789012), "tz": datetime.datetime(2025, 12, 31, 22, 0, 0, 1000, UTC), "tags": ["ü"]}


def test_text_that_postgres_cannot_hold_is_a_dead_letter(postgres, place):
    with Millrace(pipeline(people.profile(tables=postgres.url), place)) as millrace:
        millrace.produce("typed", [json.dumps({"id": 1, "txt": "a"}), json.dumps({"id": 2, "txt": "nul \0 here"}), json.dumps({"id": 3, "txt": "b"})])
        millrace.processed("keep", 3)
        assert [row["id"] for row in postgres_rows(postgres, f"SELECT id FROM {place.name}.typed ORDER BY id")] == [1, 3]
        assert [letter["stage"] for letter in millrace.json("dead-letters", "list")] == ["sink"]
