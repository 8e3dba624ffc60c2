#!/usr/bin/env python3
"""1, 2 and 3 processes of one consumer group on 6 partitions of a real Kafka, rows into PostgreSQL: how long until the partitions are
shared evenly, and, after one is killed, until the others have its share and have read on in it.   takeover.py

A line of JSON a case. The timings are those a user gets: session.timeout.ms as Millrace sets it. Runs with the tests' tools and servers.
"""
import json
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests/real"), str(ROOT / "tests")]
from legs import Leg, Place  # noqa: E402
from millrace import wait_until  # noqa: E402
from servers import Kafka, Postgres  # noqa: E402
from test_groups import PARTITIONS, Group  # noqa: E402

SESSION = {"session.timeout.ms": 8000, "heartbeat.interval.ms": 2000}


def say(case, processes, seconds):
    print(json.dumps({"case": case, "processes": processes, "seconds": round(seconds, 2), "load": os.getloadavg()[0]}), flush=True)


def even(processes):
    return [PARTITIONS // processes] * processes


def shared(kafka, postgres, processes):
    leg = Leg("postgres", Place(f"takeover{processes}"), kafka, postgres, PARTITIONS)
    group = Group(leg, processes, **SESSION)
    begin = time.monotonic()
    with group:
        group.settle(*even(processes))
        say("started and shared evenly", processes, time.monotonic() - begin)
        leg.send(2000)
        group.done()
        if processes > 1:
            killed(leg, group, processes - 1)


def killed(leg, group, left):
    before = group.offsets()
    group.members[0].kill()
    begin = time.monotonic()
    leg.send(2000, seed=5)
    group.settle(*even(left))
    say("killed, the share is taken over", left + 1, time.monotonic() - begin)
    wait_until(lambda: all(offset > before[partition] for partition, offset in group.offsets().items()), "all partitions are read on")
    say("killed, every partition is read on", left + 1, time.monotonic() - begin)
    group.done()


def main():
    with Kafka() as kafka, Postgres() as postgres:
        for processes in (1, 2, 3):
            shared(kafka, postgres, processes)


if __name__ == "__main__":
    main()
