#!/usr/bin/env python3
"""The same records through the same pipeline file on every mix of embedded and real parts: the rows and dead letters must be equal.

The reference is what people.py computes in plain Python. Rows of real tables are read by clients that are not ours. Prints what
differs; exit 1 if anything does.
"""
import argparse
import contextlib
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = HERE.parent.parent / ".deps" / "real" / "venv" / "bin" / "python"
if __name__ == "__main__" and pathlib.Path(sys.prefix) != PYTHON.parent.parent:
    os.execv(PYTHON, [PYTHON, *sys.argv])
sys.path[:0] = [str(HERE), str(HERE.parent)]
import people  # noqa: E402
from clients import Millrace, Topics, cassandra_tables, postgres_tables  # noqa: E402
from servers import Cassandra, Kafka, Postgres  # noqa: E402

LEGS = {  # what runs elsewhere
    "dev": {},
    "kafka": {"log": "kafka"},
    "cassandra": {"tables": "cassandra"},
    "postgres": {"tables": "postgres"},
    "kafka + cassandra": {"log": "kafka", "tables": "cassandra"},
    "kafka + postgres": {"log": "kafka", "tables": "postgres"},
    "kafka with zookeeper + cassandra": {"log": "zk", "tables": "cassandra"},
}


SERVERS = {"kafka": Kafka, "zk": lambda: Kafka(mode="zk"), "cassandra": Cassandra, "postgres": Postgres}


class Bed:
    """Servers by their names in SERVERS, with the records in the topics of those that have topics."""

    def __init__(self, running, sent):
        self.running, self.sent = running, sent
        for name in {"kafka", "zk"} & set(running):
            topics = Topics(running[name].address)
            topics.create(people.TOPIC, 3)
            topics.send_people(people.TOPIC, sent)

    def profile(self, leg):
        return people.profile("leg", **{part: self.running[name].url for part, name in leg.items()})

    def tables(self, leg, millrace):
        """(read a table, make room for the next leg)"""
        if leg.get("tables") == "cassandra":
            return cassandra_tables(self.running["cassandra"])
        if leg.get("tables") == "postgres":
            return postgres_tables(self.running["postgres"])
        return lambda table: millrace.sql(f"SELECT * FROM {table}"), lambda keyspace: None

    def run(self, leg):
        """The differences, and how much there was, in words."""
        sent = self.sent if "log" in leg else [entry for entry in self.sent if entry.value is not None]
        with Millrace(people.pipeline(self.profile(leg)), profile="leg") as millrace:
            if "log" not in leg:
                millrace.produce_bytes(people.TOPIC, sent)
            millrace.processed("keep", len(sent))
            read, drop = self.tables(leg, millrace)
            rows, letters = people.by_id(read(people.TABLE)), millrace.letters()
            assert millrace.stop() == 0, millrace.log()
        drop(people.TABLE.split(".")[0])
        return (people.differences("row", people.expected_rows(sent), rows) +
                people.differences("dead letter", people.expected_letters(sent), letters),
                f"{len(sent)} records, {len(rows)} rows, {len(letters)} dead letters")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=50_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", action="append", choices=LEGS, help="a leg; may be given several times")
    args = options.parse_args()
    legs = {name: LEGS[name] for name in args.only or LEGS}
    sent = people.entries(args.seed, args.records, tombstones=args.records // 100)
    failed = 0
    with contextlib.ExitStack() as stack:
        wanted = {part for leg in legs.values() for part in leg.values()}
        bed = Bed({name: stack.enter_context(make()) for name, make in SERVERS.items() if name in wanted}, sent)
        for name, leg in legs.items():
            begin = time.monotonic()
            try:
                different, seen = bed.run(leg)
            except AssertionError as error:
                different, seen = [str(error)], "broken off"
            print(f"{name:34} {seen}, {len(different)} differences, {time.monotonic() - begin:.1f} s", flush=True)
            print(*different[:20], sep="\n", end="\n" if different else "", flush=True)
            failed += bool(different)
    print(f"{len(legs) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
