"""What a position stands for has gone: the query stops and says what is the matter, before it writes anything wrong."""
import contextlib

import pytest

from clients import cassandra_do
from millrace import run, wait_until
from outage import answers, failed_query

pytestmark = pytest.mark.short


@contextlib.contextmanager
def running(leg):
    millrace = leg.millrace()
    try:
        millrace.start(ready=False)
        answers(millrace)
        yield millrace
    finally:
        millrace.kill()
        millrace.folder.cleanup()


def again(millrace):
    millrace.start(ready=False)
    answers(millrace)


@pytest.mark.parametrize("leg", ["cassandra"], indirect=True)
@pytest.mark.parametrize("alive", [True, False], ids=["running", "stopped"])
def test_a_topic_made_again(leg, alive):
    with running(leg) as millrace:
        leg.send(300)
        leg.check(millrace)
        if not alive:
            assert millrace.stop() == 0
        leg.topics.delete(leg.place.topic)
        leg.topics.create(leg.place.topic, 3)
        if not alive:
            again(millrace)
        reason = failed_query(millrace)
        assert leg.place.topic in reason and "query reset" in reason, reason
        leg.check_rows()


@pytest.mark.parametrize("leg", ["cassandra"], indirect=True)
def test_records_that_retention_took_are_named(leg):
    with running(leg) as millrace:
        leg.send(300)
        leg.check(millrace)
        assert millrace.stop() == 0
        leg.send(300, seed=2)
        before = [leg.topics.bounds(leg.place.topic, p) for p in range(3)]
        leg.topics.configure(leg.place.topic, **{"retention.ms": 1000})  # the records are of 2023
        wait_until(lambda: all(leg.topics.bounds(leg.place.topic, p)[0] == before[p][1] for p in range(3)), "retention has taken all")
        again(millrace)
        reason = failed_query(millrace)
        assert "are gone" in reason and "query reset" in reason, reason


@pytest.mark.parametrize("leg", ["cassandra"], indirect=True)
def test_a_table_that_was_dropped_under_its_position(leg):
    with running(leg) as millrace:
        leg.send(300)
        leg.check(millrace)
        assert millrace.stop() == 0
        cassandra_do(leg.target, f"DROP TABLE {leg.place.table}")
        again(millrace)
        reason = failed_query(millrace)
        assert leg.place.table in reason and "query reset" in reason, reason


@pytest.mark.parametrize("leg", ["cassandra", "postgres"], indirect=True)
def test_a_table_that_is_there_and_differs(leg):
    columns = "id bigint PRIMARY KEY, name text, town text"
    if leg.kind == "cassandra":
        cassandra_do(leg.target, f"CREATE KEYSPACE {leg.place.name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
                     f"CREATE TABLE {leg.place.table} ({columns})")
    else:
        with leg.target.connect() as connection:
            connection.execute(f"CREATE SCHEMA {leg.place.name}")
            connection.execute(f"CREATE TABLE {leg.place.table} ({columns})")
    leg.send(10)
    millrace = leg.millrace()
    with millrace.folder:
        done = run("run", millrace.file, "--data", millrace.data, "--profile", "real", "--for", "5s", check=False)
        assert done.returncode in (1, 3), done.stderr
        assert leg.place.table in done.stderr and "city" in done.stderr and "amount" in done.stderr, done.stderr
    assert leg.rows(None) == []
