#!/usr/bin/env python3
"""Kills the server again and again while records flow, and counts exactly.

The driver keeps the model: which ids were sent, and which were acknowledged. Half of the kills are SIGKILL at a random moment,
the other half the process ends itself at a named fault point. After the last restart:
  - every acknowledged record is in the topic once; what was sent without an answer is there at most once a try
  - the table has exactly the ids of the topic; the output topic has exactly the topic's records, once each
  - the balance of every edge adds up; `verify` is clean; no step was done by hand
"""
import argparse
import collections
import json
import random
import sys
import threading
import time

from millrace import Server, run, wait_until

PIPELINE = """
name: killed
topics:
  people: { partitions: 4, schema: "id bigint, name text, moment timestamptz" }
  copies: { partitions: 2, schema: "id bigint, name text" }
queries:
  into_table:
    into: crash.people
    sql: |
      SELECT id, name, moment, _partition AS part, _offset AS "offset" FROM people
  into_topic:
    into: copies
    sql: |
      SELECT id, name FROM people
tables:
  crash.people: { partition_key: [id] }
"""

POINTS = ["log.after_append", "log.before_sync", "log.after_sync", "log.roll", "stream.before_commit", "stream.after_commit",
          "stream.between_output_and_commit", "store.before_commit", "log.recovery"]


class Producer(threading.Thread):
    """Sends batches with ids of its own until it is told to stop. A batch without an answer is `unknown` and never sent again."""

    def __init__(self, server, first_id, seed):
        super().__init__(daemon=True)
        self.server, self.next_id, self.random = server, first_id, random.Random(seed)
        self.acked, self.unknown = set(), set()
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            ids = range(self.next_id, self.next_id + self.random.choice((1, 3, 50, 400)))
            self.next_id = ids.stop
            body = "".join(json.dumps({"id": i, "name": f"n{i}", "moment": "2026-01-01T00:00:00Z"}) + "\n" for i in ids).encode()
            try:
                status, _ = self.server.http("POST", "/v1/topics/people/records", body, "application/x-ndjson", timeout=20)
                (self.acked if status == 200 else self.unknown).update(ids)
            except (OSError, ValueError):
                self.unknown.update(ids)
                self.stopping.wait(0.02)


def one_life(server, chance, cycle):
    """Starts the server, lets it work, and ends it; returns how it ended."""
    point = POINTS[cycle // 2 % len(POINTS)] if cycle % 2 else None
    faults = f"{point}=exit,after={chance.choice((0, 1, 5, 20))}" if point else None
    server.start(faults=faults, ready=False)
    try:
        wait_until(lambda: server.process.poll() is not None or server.is_ready(), "the server is ready")
    except AssertionError:
        if point is None:
            raise
    if point:
        # A point that is not reached within a moment is followed by a kill.
        end = time.monotonic() + 1.5
        while server.process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
    else:
        time.sleep(chance.uniform(0.0, 0.6))
    reached = server.process.poll() is not None
    server.kill()
    return point if reached else "SIGKILL"


def judge(server, producers):
    acked = set().union(*(p.acked for p in producers))
    unknown = set().union(*(p.unknown for p in producers))
    faults = []

    def demand(holds, text):
        if not holds:
            faults.append(text)

    in_topic = collections.Counter(int(row["id"]) for row in server.sql("SELECT id FROM people"))
    in_table = {int(row["id"]) for row in server.sql("SELECT id FROM crash.people")}
    in_copies = collections.Counter(int(row["id"]) for row in server.sql("SELECT id FROM copies"))
    demand(acked <= in_topic.keys(), f"{len(acked - in_topic.keys())} acknowledged records are lost")
    demand(all(count == 1 for count in in_topic.values()), "records are in the topic twice")
    demand(in_topic.keys() <= acked | unknown, "the topic has records that nobody sent")
    demand(in_table == set(in_topic), f"table and topic differ by {len(in_table ^ set(in_topic))} ids")
    demand(in_copies == in_topic, f"the output topic differs by {sum(((in_copies - in_topic) + (in_topic - in_copies)).values())} records")
    for query in server.json("query", "list"):
        b = query["balance"]
        parts = sum(b[k] for k in ("out", "filtered", "absorbed", "dead", "skipped", "late", "expired", "in_flight"))
        demand(b["in"] == parts, f"the balance of {query['query']} does not add up: {b}")
        demand(b["in"] == sum(in_topic.values()), f"{query['query']} counts {b['in']} records, the topic has {sum(in_topic.values())}")
    return faults, len(acked), len(unknown), sum(in_topic.values())


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=24)
    options.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = options.parse_args()
    print(f"seed {args.seed}", flush=True)
    chance = random.Random(args.seed)
    server = Server(PIPELINE)
    producers = [Producer(server, first_id=k * 10**9, seed=args.seed + k) for k in range(3)]
    for producer in producers:
        producer.start()
    ends = collections.Counter(one_life(server, chance, cycle) for cycle in range(args.kills))
    for producer in producers:
        producer.stopping.set()
        producer.join()
    server.start()
    wait_until(server.drained, "the queries have caught up")
    faults, acked, unknown, total = judge(server, producers)
    stopped = server.stop()
    if stopped != 0:
        faults.append(f"SIGTERM ended with exit code {stopped}")
    verified = run("verify", server.data, check=False)
    if verified.returncode != 0:
        faults.append(f"verify: {verified.stdout} {verified.stderr}")
    print(f"{args.kills} kills ({', '.join(f'{name} {n}' for name, n in sorted(ends.items()))}): "
          f"{acked} acked, {unknown} unknown, {total} in the topic")
    for fault in faults:
        print(f"FAULT: {fault}")
    if faults:
        print(server.log()[-4000:])
        print(f"data kept in {server.data}")
        server.folder._finalizer.detach()
    print(f"{0 if faults else 1} passed, {1 if faults else 0} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
