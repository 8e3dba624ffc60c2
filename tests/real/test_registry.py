"""Values whose schemas are kept in a registry: read what others wrote, write what others read."""
import io
import json
import urllib.error

import fastavro
import pytest

import people
from clients import Millrace, Topics
from millrace import wait_until
from outage import answers, failed_query

pytestmark = pytest.mark.short
V1 = {"type": "record", "name": "person", "fields": [
    {"name": "id", "type": "long"}, {"name": "name", "type": "string"}, {"name": "city", "type": ["null", "string"], "default": None},
    {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 4}},
    {"name": "born", "type": {"type": "long", "logicalType": "timestamp-millis"}}, {"name": "tags", "type": {"type": "array", "items": "string"}}]}
V2 = {**V1, "fields": [{"name": "score", "type": "double", "default": 0.5}, *V1["fields"][::-1]]}  # other order, one more
COLUMNS = "id bigint, name text, city text, amount decimal(18,4), born timestamptz, tags text[], score double"


def pipeline(kafka, registry, place, read_as="avro", write_as="avro"):
    return f"""
name: {place.name}
profiles:
{people.profile(log=kafka.url, registry=registry.url)}
topics:
  {place.topic}: {{ partitions: 1, format: {read_as}, schema: "{COLUMNS}" }}
  {place.copies}: {{ partitions: 1, format: {write_as}, schema: "{COLUMNS}" }}
queries:
  keep:
    into: {place.table}
    sql: |
      SELECT * FROM {place.topic}
  copy:
    into: {place.copies}
    sql: |
      SELECT _key, * FROM {place.topic}
tables:
  {place.table}: {{ partition_key: [id] }}
"""


def register(registry, subject, schema, kind="AVRO"):
    return registry.ask("POST", f"/subjects/{subject}/versions", {"schema": json.dumps(schema), "schemaType": kind})["id"]


def framed(schema_id, body):
    """Confluent's wire format: a zero, the schema's number, the value."""
    return b"\0" + schema_id.to_bytes(4, "big") + body


def unframed(registry, value):
    """(the registered schema, the value's bytes)"""
    assert value[0] == 0
    return json.loads(registry.ask("GET", f"/schemas/ids/{int.from_bytes(value[1:5], 'big')}")["schema"]), value[5:]


def avro(schema, record):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), record)
    return out.getvalue()


def person(i):
    return {"id": i, "name": f"Zoë {i}", "city": None if i % 3 else "東京", "amount": people.decimal.Decimal(i * 1001).scaleb(-4),
            "born": people.EPOCH + people.datetime.timedelta(milliseconds=i * 10**9), "tags": ["a", "ü"][:i % 3], "score": i / 4}


def row_of(person, with_score):
    return {**person, "amount": person["amount"], "score": person["score"] if with_score else None}


def clean(row):
    return {**row, "amount": people.decimal.Decimal(str(row["amount"])), "born": people.instant(row["born"])}


@pytest.fixture
def topics(kafka, place):
    topics = Topics(kafka.address)
    topics.create(place.topic)
    topics.create(place.copies)
    return topics


def test_avro_in_and_out_through_a_change_of_schema(kafka, registry, place, topics):
    first, second = (register(registry, f"{place.topic}-value", schema) for schema in (V1, V2))
    old = [framed(first, avro(V1, {k: v for k, v in person(i).items() if k != "score"})) for i in range(50)]
    new = [framed(second, avro(V2, person(i))) for i in range(50, 100)]
    bad = [b"", b"{}", framed(10**9, b"x"), framed(first, b"\x02")]
    topics.send(place.topic, [(0, b"k", value, 1_700_000_000_000) for value in old + bad[:2] + new + bad[2:]])
    wanted = [row_of(person(i), i >= 50) for i in range(100)]
    with Millrace(pipeline(kafka, registry, place)) as millrace:
        millrace.processed("keep", 104)
        millrace.processed("copy", 104)
        assert [clean(row) for row in millrace.sql(f"SELECT * FROM {place.table} ORDER BY id")] == wanted
        letters = millrace.sql("SELECT \"offset\", stage FROM dead_letters WHERE query = 'keep' ORDER BY 1")
        assert letters == [{"offset": offset, "stage": "decode"} for offset in (50, 51, 102, 103)]
    copied = []
    for message in topics.read(place.copies):
        assert message.key() == b"k"
        schema, body = unframed(registry, message.value())
        copied.append(fastavro.schemaless_reader(io.BytesIO(body), fastavro.parse_schema(schema)))
    assert [clean(row) for row in copied] == wanted


def test_json_schema_out(kafka, registry, place, topics):
    register(registry, f"{place.topic}-value", V2)
    topics.send(place.topic, [(0, b"k", framed(register(registry, f"{place.topic}-value", V2), avro(V2, person(i))), 1_700_000_000_000) for i in range(20)])
    with Millrace(pipeline(kafka, registry, place, write_as="json_schema")) as millrace:
        millrace.processed("copy", 20)
    for i, message in enumerate(topics.read(place.copies)):
        schema, body = unframed(registry, message.value())
        assert set(schema["properties"]) == set(person(0)) and json.loads(body)["name"] == person(i)["name"]


def test_a_schema_that_is_not_compatible_stops_the_query_with_the_words_of_the_registry(kafka, registry, place, topics):
    register(registry, f"{place.copies}-value", {"type": "record", "name": "other", "fields": [{"name": "must", "type": "long"}]})
    topics.send(place.topic, [(0, b"k", framed(register(registry, f"{place.topic}-value", V2), avro(V2, person(1))), 1_700_000_000_000)])
    with pytest.raises(urllib.error.HTTPError):
        register(registry, f"{place.copies}-value", V2)
    millrace = Millrace(pipeline(kafka, registry, place))
    with millrace.folder:
        try:
            millrace.start(ready=False)
            answers(millrace)
            assert "compatib" in failed_query(millrace, "copy").lower()
        finally:
            millrace.kill()


def test_the_registry_is_away_and_comes_back(kafka, registry, place, topics):
    number = register(registry, f"{place.topic}-value", V2)
    registry.kill()
    topics.send(place.topic, [(0, b"k", framed(number, avro(V2, person(i))), 1_700_000_000_000) for i in range(20)])
    millrace = Millrace(pipeline(kafka, registry, place))
    with millrace.folder:
        try:
            millrace.start(ready=False)
            answers(millrace)
            registry.start()
            millrace.processed("copy", 20)
            assert millrace.json("dead-letters", "list") == []
            wait_until(lambda: len(topics.read(place.copies)) == 20, "all are copied")
        finally:
            millrace.kill()
