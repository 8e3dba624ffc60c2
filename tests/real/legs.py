"""People from Kafka into each kind of sink, and what must be there at the end."""
import collections
import json
import threading

import pytest

import people
from clients import Millrace, Topics, cassandra_tables, postgres_tables
from millrace import wait_until

KINDS = {"embedded": None, "cassandra": "cassandra", "postgres": "postgres", "topic": None}  # the sink, and the server it needs beside Kafka
# The copy does not read `note`, so a text that is no number passes; nor `id`, `amount`.
COPY_REFUSES = {"not_json", "not_object", "empty", "named"}


def sinks(name, *short, of=tuple(KINDS)):
    """Parametrizes `name` with the kinds `of`; those of `short` are in the short form."""
    params = [pytest.param(kind, marks=pytest.mark.short if kind in short else ()) for kind in of]
    return pytest.mark.parametrize(name, params, indirect=name == "leg")


class Place:
    """Names of a test's own, for all that outlives a pipeline."""

    def __init__(self, name):
        self.name, self.topic, self.copies, self.table, self.group = name, f"{name}_people", f"{name}_copies", f"{name}.people", f"{name}_group"


class Leg:
    def __init__(self, kind, place, kafka, target=None, partitions=3):
        self.kind, self.place, self.kafka, self.target, self.partitions = kind, place, kafka, target, partitions
        self.topics = Topics(kafka.address)
        self.topics.create(place.topic, partitions)
        if kind == "topic":
            self.topics.create(place.copies, 2)
        self.sent = []

    def pipeline(self, through=(), log_options=None):
        """`through`: which of `kafka` and the sink's server are talked to through their proxies."""
        parts = {"log": (self.kafka.proxied if "kafka" in through else self.kafka.url, log_options or {})}
        if self.target:
            parts["tables"] = self.target.proxied if self.kind in through else self.target.url
        return people.pipeline(people.profile(**parts), self.place.name, self.place.topic, self.place.table, partitions=self.partitions,
                               copy_into=self.place.copies if self.kind == "topic" else None)

    def millrace(self, through=(), log_options=None, **more):
        return Millrace(self.pipeline(through, log_options), **more)

    def send(self, count, seed=1):
        """Sends `count` records more, behind those that were sent."""
        more = people.entries(seed, count, self.partitions)
        behind = collections.Counter(entry.partition for entry in self.sent)
        for entry in more:
            entry.offset += behind[entry.partition]
        self.topics.send_people(self.place.topic, more)
        self.sent += more

    def sending(self, rounds, count, seed=100):
        """A thread that sends until `rounds` batches are out; join() it."""
        def work():
            for i in range(rounds):
                self.send(count, seed + i)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    def rows(self, millrace):
        if self.kind == "embedded":
            return millrace.sql(f"SELECT * FROM {self.place.table}")
        read, _ = (cassandra_tables if self.kind == "cassandra" else postgres_tables)(self.target)
        return read(self.place.table)

    def check(self, millrace):
        """Once all is processed: the rows and dead letters are those of people.py, and of a topic every record is there once."""
        millrace.processed("keep", len(self.sent))
        self.check_output(millrace)
        self.check_letters(millrace.letters())

    def check_letters(self, letters):
        wanted = people.expected_letters(self.sent)
        if self.kind == "topic":
            wanted = {place: letter for place, letter in wanted.items() if letter[1] in COPY_REFUSES}
        found = people.differences("dead letter", wanted, letters)
        assert not found, "\n".join(found[:20])

    def check_output(self, millrace=None, deleted_may_be_back=False):
        if self.kind == "topic":
            self.check_copies()
        else:
            self.check_rows(millrace, deleted_may_be_back)

    def check_rows(self, millrace=None, deleted_may_be_back=False):
        wanted, rows = people.expected_rows(self.sent), people.by_id(self.rows(millrace))
        if deleted_may_be_back:
            deleted = {entry.outcome[1] for entry in self.sent if entry.outcome[0] == "delete"} - wanted.keys()
            rows = {key: row for key, row in rows.items() if key not in deleted}
        found = people.differences("row", wanted, rows)
        assert not found, "\n".join(found[:20])

    def check_copies(self):
        """What a reader of committed records sees: each record that was read as one, once, with its key."""
        copies = [(json.loads(message.value()), message.key()) for message in self.topics.read(self.place.copies)]
        copied = collections.Counter((row["p"], row["o"], key) for row, key in copies)
        wanted = collections.Counter((entry.partition, entry.offset, entry.key) for entry in self.sent
                                     if entry.outcome[0] != "dead" or entry.outcome[2] not in COPY_REFUSES)
        lost, more = wanted - copied, copied - wanted
        assert not lost and not more, f"{len(lost)} lost, {len(more)} too many: {list(lost)[:5]} {list(more)[:5]}"

    def processed_some(self, millrace, count):
        wait_until(lambda: millrace.balance("keep")["in"] >= count, f"{count} records are processed")
