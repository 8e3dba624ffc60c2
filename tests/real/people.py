"""Seeded records about people, the query over them, and in plain Python what must come out.

Every record is keyed and knows its partition and offset, so that dead letters can be compared to the byte. Null values, which only
Kafka can hold, stand at the end of their partition: without them nothing else moves.
"""
import dataclasses
import datetime
import decimal
import json
import random

TOPIC = "people"
TABLE = "census.people"
SCHEMA = "id bigint, name text, city text, amount decimal(18,4), born timestamptz, day date, score double, active boolean, note text, op text"
SQL = "SELECT id, name, city || '!' AS city, amount * 2 AS amount, born, day, score, active, note, op, CAST(nullif(note, 'null') AS bigint) AS number " \
      "FROM people WHERE score IS NULL OR score >= 0"
NAMES = "Zoë|O'Connor|Đorđe Ćosić|林 小明|Ülkü \"İpek\"|محمد|🙂 Emma|a\tb\\c|Ana  Lía ".split("|")
CITIES = ["Köln", "Århus", "São Paulo", "東京", "Leeds", ""]
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def profile(name="real", **parts):
    """A profile for pipeline(): log, tables, metadata, registry, each a URL, or a URL and its options."""
    lines = [f"  {name}:" if parts else f"  {name}: {{}}"]
    for part, where in parts.items():
        url, options = (where, {}) if isinstance(where, str) else where
        lines.append(f"    {part}: {json.dumps({'url': url, 'options': {key: str(value) for key, value in options.items()}})}")
    return "\n".join(lines)


def pipeline(profiles="", name="census", topic=TOPIC, table=TABLE, topic_options="", partitions=3, copy_into=None):
    """The file. `copy_into`: another query writes the place of each record into that topic, instead of the one into the table."""
    into_table = f"""
  keep:
    into: {table}
    sql: |
      {SQL.replace("FROM people", f"FROM {topic}")}
tables:
  {table}: {{ partition_key: [id], delete_when: "op = 'gone'" }}
"""
    into_topic = f"""
  keep:
    into: {copy_into}
    sql: |
      SELECT _key, _partition AS p, _offset AS o, name FROM {topic}
"""
    return f"""
name: {name}
profiles:
  dev: {{}}
{profiles}
topics:
  {topic}: {{ partitions: {partitions}, schema: "{SCHEMA}", contract: {{ named: "name <> ''" }}{topic_options} }}
queries:{into_topic if copy_into else into_table}"""


@dataclasses.dataclass
class Entry:
    key: bytes
    value: bytes | None
    timestamp_ms: int
    partition: int
    offset: int
    outcome: tuple  # ("row", {…}), ("delete", id), ("filtered",), ("dead", stage, code)


def murmur2(key):
    """The hash of Kafka's clients: MurmurHash2 with the seed 0x9747b28c."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(key[i:i + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    if key[whole:]:
        h = (h ^ int.from_bytes(key[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_of(key, partitions):
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def good(i, chance):
    """(the record as an object, the row it makes or None when the WHERE leaves it out)"""
    def maybe(value):
        return None if chance.random() < 0.15 else value

    amount = maybe(decimal.Decimal(chance.randrange(-10**17, 10**17)).scaleb(-4))
    born_ms = maybe(chance.randrange(-2 * 10**12, 4 * 10**12))
    zone = datetime.timezone(datetime.timedelta(minutes=chance.choice([0, 0, 120, -570, 345])))
    born = None if born_ms is None else EPOCH + datetime.timedelta(milliseconds=born_ms)
    day = maybe(datetime.date.fromordinal(chance.randrange(1, 3_652_059)))
    name, city, active = chance.choice(NAMES) + str(i), maybe(chance.choice(CITIES)), maybe(chance.random() < 0.5)
    score = maybe(chance.choice([0.0, 1e-300, chance.random() * 1e6, 0.1, 1.7976931348623157e308, -1.0]))
    number = maybe(chance.choice([0, -1, 2**63 - 1, -2**63, chance.randrange(10**9)]))
    note = None if number is None else str(number)
    record = {"id": i, "name": name, "city": city, "amount": None if amount is None else str(amount),
              "born": None if born is None else born.astimezone(zone).isoformat(timespec="milliseconds"),
              "day": None if day is None else day.isoformat(), "score": score, "active": active, "note": note, "extra": {"ignored": [1, {}]}}
    if chance.random() < 0.3:  # an absent field is a NULL
        record = {field: value for field, value in record.items() if value is not None}
    row = {"id": i, "name": name, "city": None if city is None else city + "!", "amount": None if amount is None else amount * 2, "born": born,
           "day": day, "score": score, "active": active, "note": note, "op": None, "number": number}
    return record, None if score is not None and score < 0 else row


def bad(i, chance):
    """(value, stage, code)"""
    record = {"id": i, "name": f"Bad {i}"}
    return chance.choice([
        (b"not json", "decode", "not_json"), (b'["a list"]', "decode", "not_object"), (b"", "decode", "empty"),
        (json.dumps(record).encode()[:-2], "decode", "not_json"),
        (json.dumps({**record, "amount": "much"}).encode(), "decode", "type_mismatch"),
        (json.dumps({**record, "id": 2**63}).encode(), "decode", "out_of_range"),
        (json.dumps({**record, "name": ""}).encode(), "contract", "named"), (json.dumps({"id": i}).encode(), "contract", "named"),
        (json.dumps({**record, "note": "ü"}).encode(), "sql", "expression_error"), (b'{"name": "no key"}', "sink", "bad_key")])


def one(i, chance):
    """(value, outcome)"""
    kind = chance.random()
    if kind < 0.07:
        value, stage, code = bad(i, chance)
        return value, ("dead", stage, code)
    if kind < 0.12:
        return json.dumps({"id": i, "name": "x", "op": "gone"}).encode(), ("delete", i)
    record, row = good(i, chance)
    return json.dumps(record, ensure_ascii=chance.random() < 0.5).encode(), ("row", row) if row else ("filtered",)


def entries(seed, count, partitions=3, tombstones=0, first=0):
    """`count` records over a third as many ids, in the order to send them; offsets begin at `first` in each partition."""
    chance = random.Random(seed)
    ids = [chance.randrange(-2**53 + 1, 2**53) if chance.random() < 0.1 else chance.randrange(count) for _ in range(max(count // 3, 1))]
    next_offset = [first] * partitions
    out = []
    for n in range(count + tombstones):
        i = chance.choice(ids)
        value, outcome = one(i, chance) if n < count else (None, ("dead", "contract", "named"))
        key = str(i).encode()
        partition = partition_of(key, partitions)
        timestamp = 1_700_000_000_000 + chance.randrange(-3_600_000, 3_600_000)  # out of order by an hour
        out.append(Entry(key, value, timestamp, partition, next_offset[partition], outcome))
        next_offset[partition] += 1
    return out


def expected_rows(sent):
    """Rows by id: of one key, which is in one partition, the last record counts."""
    rows = {}
    for entry in sent:
        if entry.outcome[0] == "row":
            rows[entry.outcome[1]["id"]] = entry.outcome[1]
        elif entry.outcome[0] == "delete":
            rows.pop(entry.outcome[1], None)
    return rows


def expected_letters(sent):
    """(partition, offset): (stage, code, key, value), as Millrace.letters()"""
    return {(entry.partition, entry.offset): (*entry.outcome[1:], entry.key.decode(), None if entry.value is None else entry.value.decode())
            for entry in sent if entry.outcome[0] == "dead"}


def instant(value):
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    return (value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)).astimezone(datetime.timezone.utc)


READ = {"id": int, "name": str, "city": str, "amount": lambda v: decimal.Decimal(str(v)), "born": instant,
        "day": lambda v: datetime.date.fromisoformat(str(v)), "score": float, "active": bool, "note": str, "op": str, "number": int}


def by_id(rows):
    """Rows of any client, in the values of expected_rows."""
    out = {}
    for row in rows:
        assert row.keys() == READ.keys(), row.keys()
        clean = {name: None if value is None else READ[name](value) for name, value in row.items()}
        assert clean["id"] not in out, f"id {clean['id']} is there twice"
        out[clean["id"]] = clean
    return out


def differences(what, ours, theirs):
    """Lines for what differs between two dicts."""
    return [f"{what} {key}:\n  expected {ours.get(key, 'nothing')}\n  found    {theirs.get(key, 'nothing')}"
            for key in sorted(ours.keys() | theirs.keys()) if ours.get(key) != theirs.get(key)]
