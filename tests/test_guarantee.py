"""`explain` says what a pipeline promises from its topic on, for every kind of sink, and the links that weaken it; it needs no server."""
import json

import pytest

from millrace import run

PIPELINE = """
name: promises
connections:
  files: { url: "file:./out" }
  print: { url: "stdout:" }
  hook: { url: "http://127.0.0.1:9/{name}" }
  kafka2: { url: "kafka://127.0.0.1:9" }
  cass2: { url: "cassandra://127.0.0.1:9" }
  pg2: { url: "postgresql://127.0.0.1:9/db" }
SOURCE
topics:
  people: { schema: "id bigint, name text", sync: SYNC }
queries:
  q:
    into: INTO
    sql: |
      SELECT id, name FROM people
tables:
  t.people: { partition_key: [id] }
  pg2.people: { partition_key: [id] }
  cass2.people: { partition_key: [id] }
profiles:
  kafka: { log: "kafka://127.0.0.1:9" }
  group: { log: { url: "kafka://127.0.0.1:9", options: { group.id: g } }, tables: "TABLES" }
  cassandra: { tables: "cassandra://127.0.0.1:9" }
  postgresql: { tables: "postgresql://127.0.0.1:9/db" }
"""
EXACT, EFFECTIVE, LEAST = (f"{how} from the topic on" for how in ("exactly-once", "effectively-once", "at-least-once"))
# profile, into: the promise, what it says besides, and how many links are called the weakest.
SINKS = {
    "table": ("dev", "t.people", EXACT, "one commit", 0),
    "topic": ("dev", "copies", EXACT, "one commit", 0),
    "file": ("dev", "files.people", EXACT, "the rest is cut off", 0),
    "stdout": ("dev", "print.people", LEAST, "cannot be taken back", 1),
    "webhook": ("dev", "hook.people", LEAST, "effectively-once where the receiver honours Idempotency-Key", 1),
    "kafka_beside": ("dev", "kafka2.people", EXACT, "isolation.level=read_committed", 0),
    "cassandra_beside": ("dev", "cass2.people", EFFECTIVE, "the same key and write timestamp", 1),
    "postgresql_beside": ("dev", "pg2.people", EXACT, "the epoch's number are one transaction", 0),
    "kafka": ("kafka", "copies", EXACT, "the epoch's number are one transaction", 0),
    "kafka_to_table": ("kafka", "t.people", EXACT, "one commit", 0),
    "cassandra": ("cassandra", "t.people", EFFECTIVE, "Cassandra has no transaction", 1),
    "cassandra_topic": ("cassandra", "copies", EXACT, "one commit", 0),
    "postgresql": ("postgresql", "t.people", EXACT, "the epoch's number are one transaction", 0),
    "group_topic": ("group", "copies", EXACT, "the group's offsets are one transaction", 0),
    "group_cassandra": ("group:cassandra://127.0.0.1:9", "t.people", EFFECTIVE, "write timestamp", 1),
    "group_postgresql": ("group:postgresql://127.0.0.1:9/db", "t.people", EFFECTIVE, "the greater version wins", 1),
}
SOURCES = {"http": ('http: { url: "http://127.0.0.1:9/" }', "an HTTP API cannot be read again"),
           "file": ("file: { path: in.jsonl }", "after a crash some may come twice"),
           "postgres": ("postgres: { connection: pg2, table: t, column: id }", "after a crash some may come twice")}


def guarantee(tmp_path, into, profile="dev", source="", sync="always"):
    profile, _, tables = profile.partition(":")
    text = PIPELINE.replace("INTO", into).replace("SYNC", sync).replace("TABLES", tables or "embedded")
    text = text.replace("SOURCE", f"sources:\n  s: {{ {source}, into: people }}\n" if source else "")
    declared = [name for name in ("t.people", "pg2.people", "cass2.people") if name != into]
    for name in declared:
        text = text.replace(f"  {name}: {{ partition_key: [id] }}\n", "")
    if into not in ("t.people", "pg2.people", "cass2.people"):
        text = text.replace("tables:\nprofiles", "profiles")
    file = tmp_path / "p.yaml"
    file.write_text(text)
    shown = run("explain", file, "--profile", profile).stdout
    (line,) = [line.strip() for line in shown.splitlines() if line.strip().startswith("guarantee: ")]
    return line.removeprefix("guarantee: ")


@pytest.mark.parametrize("sink", SINKS)
def test_a_sink(sink, tmp_path):
    profile, into, promise, reason, weak = SINKS[sink]
    text = guarantee(tmp_path, into, profile)
    assert text.startswith(promise) and reason in text
    assert text.count("weakest link") == weak


@pytest.mark.parametrize("kind", SOURCES)
def test_a_source_weakens_what_comes_before_the_topic(kind, tmp_path):
    source, why = SOURCES[kind]
    text = guarantee(tmp_path, "t.people", source=source)
    assert text.startswith("exactly-once from the topic on") and f"weakest link: source s (" in text and why in text


@pytest.mark.parametrize("sync", ["interval", "never"])
def test_a_topic_that_acknowledges_early_is_a_weak_link(sync, tmp_path):
    assert f"weakest link: topic people acknowledges before the disk has the records (sync: {sync})" in guarantee(tmp_path, "t.people", sync=sync)
    assert "sync:" not in guarantee(tmp_path, "t.people", "kafka", sync=sync), "an embedded topic's promise is none of Kafka's"
