"""What the kill test knows of the data: the pipeline, who writes to it, and what must hold afterwards. Standard library, and DuckDB for
Parquet."""
import collections
import contextlib
import json
import random
import sqlite3
import threading

import duckdb

from millrace import wait_until

PIPELINE = """
name: killed
connections:
  files: { url: "file:./files", options: { format: parquet, rotate_bytes: 20kB } }
topics:
  people: { partitions: 4, schema: "id bigint, name text, moment timestamptz" }
  copies: { partitions: 2, schema: "id bigint, name text" }
  fleeting: { partitions: 1, schema: "id bigint, name text", retention: { size: 20kB } }
queries:
  into_table:
    into: crash.people
    sql: |
      SELECT id, name, moment, _partition AS part, _offset AS "offset" FROM people
  into_topic:
    into: copies
    sql: |
      SELECT id, name FROM people
  into_files:
    into: files.people
    sql: |
      SELECT id, name FROM people
  into_fleeting:
    into: crash.fleeting
    sql: |
      SELECT id, name FROM fleeting
tables:
  crash.people: { partition_key: [id] }
  crash.fleeting: { partition_key: [id] }
dags:
  work:
    schedule: null
    max_active_runs: 4
    tasks:
      first: { exec: [sh, -c, "echo $MILLRACE_RUN_ID $MILLRACE_TASK_ID $MILLRACE_TRY_NUMBER >> RAN"], retries: 9, retry_delay: 10ms }
      second: { exec: [sh, -c, "echo $MILLRACE_RUN_ID $MILLRACE_TASK_ID $MILLRACE_TRY_NUMBER >> RAN"], retries: 9, retry_delay: 10ms, after: [first] }
"""
BURST_RECORDS = 50_000  # above the 20,000 rows from which an epoch is ingested as sorted files
BAD_EVERY = 97          # ids that this divides have a moment that is none: dead letters of into_table


def line(number):
    moment = "never" if number % BAD_EVERY == 0 else "2026-01-01T00:00:00Z"
    return f'{{"id":{number},"name":"n{number}","moment":"{moment}"}}\n'


class Work:
    """All that is written, and what was answered. Ids are never sent twice; without an answer they are `unknown`."""

    def __init__(self, server, seed):
        self.server = server
        self.seed = seed
        self.up = threading.Event()        # there is a server to write to
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.next_id = 1
        self.acked = collections.defaultdict(set)    # by topic
        self.unknown = collections.defaultdict(set)
        self.answers = 0
        self.created = {}                  # acknowledged topics: the records acknowledged in them
        self.triggered = set()             # acknowledged runs
        self.threads = [threading.Thread(target=self.produce, args=(k,), daemon=True) for k in range(3)]
        for thread in self.threads:
            thread.start()

    def send(self, topic, count):
        with self.lock:
            ids = range(self.next_id, self.next_id + count)
            self.next_id = ids.stop
        body = "".join(map(line, ids)).encode()
        try:
            status, _ = self.server.http("POST", f"/v1/topics/{topic}/records", body, "application/x-ndjson", timeout=60)
        except (OSError, ValueError):
            status = None
        with self.lock:
            (self.acked if status == 200 else self.unknown)[topic].update(ids)
            self.answers += status is not None
        return status

    def produce(self, number):
        chance = random.Random(self.seed + number)
        while not self.stopping.is_set():
            if not self.up.wait(0.1):
                continue
            topic = "fleeting" if chance.random() < 0.3 else "people"
            if self.send(topic, chance.choice((1, 3, 50, 400))) is None:
                self.stopping.wait(0.02)
            self.stopping.wait(0.005)

    def burst(self):
        self.send("people", BURST_RECORDS)

    def create_topic(self):
        """A topic that the file does not name, and one record in it: nothing derives them again."""
        name = f"extra{len(self.created)}_{self.next_id}"
        with contextlib.suppress(OSError, ValueError):
            status, _ = self.server.http("POST", "/v1/topics", json.dumps({"topic": name}).encode(), timeout=60)
            if status == 201:
                self.created[name] = 0
                self.created[name] += self.send(name, 1) == 200

    def trigger(self):
        with contextlib.suppress(OSError, ValueError, KeyError):
            status, body = self.server.http("POST", "/v1/dags/work/runs", b"{}", timeout=60)
            if status == 200:
                self.triggered.add(json.loads(body)["dag_run_id"])

    def end(self):
        self.stopping.set()
        self.up.set()
        for thread in self.threads:
            thread.join()


class Judge:
    """Compares what a server at rest or drained holds with what Work knows. `faults` is what does not hold."""

    def __init__(self, work, ran):
        self.work, self.server, self.ran = work, work.server, ran
        self.faults = []
        self.in_files = collections.Counter()  # what the output files must hold

    def demand(self, holds, text):
        if not holds:
            self.faults.append(text)

    def column(self, statement):
        return [int(row["id"]) for row in self.server.sql(statement)]

    def live(self):
        """With the server running."""
        try:
            wait_until(self.server.drained, "the queries have caught up", 60)
        except AssertionError as error:
            self.faults.append(str(error))
        people = collections.Counter(self.column("SELECT id FROM people"))
        self.people(people)
        self.fleeting()
        self.topics()
        self.runs()
        sizes = {"into_table": sum(people.values()), "into_topic": sum(people.values()), "into_files": sum(people.values()),
                 "into_fleeting": len(self.column("SELECT id FROM crash.fleeting")) + len(self.dead_letters("into_fleeting")[0])}
        for query in self.server.json("query", "list"):
            b = query["balance"]
            parts = sum(b[k] for k in ("out", "filtered", "absorbed", "dead", "skipped", "late", "expired", "in_flight"))
            self.demand(b["in"] == parts, f"the balance of {query['query']} does not add up: {b}")
            self.demand(b["in"] == sizes[query["query"]], f"{query['query']} counts {b['in']} records, there are {sizes[query['query']]}")
        return sum(people.values())

    def people(self, in_topic):
        acked, unknown = self.work.acked["people"], self.work.unknown["people"]
        lost = acked - in_topic.keys()
        self.demand(not lost, f"{len(lost)} acknowledged records are lost")
        twice = sum(count - 1 for count in in_topic.values())
        self.demand(twice == 0, f"{twice} records are in the topic twice")
        strangers = in_topic.keys() - acked - unknown
        self.demand(not strangers, f"the topic has {len(strangers)} records that nobody sent")
        bad = {i for i in in_topic if i % BAD_EVERY == 0}
        rows = set(self.column("SELECT id FROM crash.people"))
        letters, condemned = self.dead_letters("into_table")
        bad |= condemned
        self.demand(rows == in_topic.keys() - bad, f"table and topic differ by {len(rows ^ (in_topic.keys() - bad))} records")
        self.demand(letters == collections.Counter(bad), f"dead letters and bad records differ by {len(letters.keys() ^ bad)} records")
        copies = collections.Counter(self.column("SELECT id FROM copies")) + self.dead_letters("into_topic")[0]
        differing = sum(((copies - in_topic) + (in_topic - copies)).values())
        self.demand(differing == 0, f"the output topic differs by {differing} records")
        self.in_files = in_topic - self.dead_letters("into_files")[0]

    def dead_letters(self, query):
        """Ids of the letters, and which of them are sound: what was worked on alone at several ends is held to be their cause."""
        letters = self.server.sql(f"SELECT value, code FROM dead_letters WHERE query = '{query}'")
        ids = [(json.loads(row["value"])["id"], row["code"]) for row in letters]
        return collections.Counter(number for number, _ in ids), {number for number, code in ids if code == "crashed"}

    def fleeting(self):
        """Retention takes records only after the query has them, so the table has all."""
        acked, unknown = self.work.acked["fleeting"], self.work.unknown["fleeting"]
        rows = set(self.column("SELECT id FROM crash.fleeting")) | self.dead_letters("into_fleeting")[0].keys()
        self.demand(acked <= rows, f"{len(acked - rows)} acknowledged records of the topic with retention are lost")
        self.demand(rows <= acked | unknown, "the table of the topic with retention has rows that nobody sent")
        left = collections.Counter(self.column("SELECT id FROM fleeting"))
        self.demand(left.keys() <= rows and all(count == 1 for count in left.values()), "the topic with retention has other records than its table")

    def topics(self):
        there = {topic["topic"]: topic["records"] for topic in self.server.json("topic", "list")}
        gone = [name for name in self.work.created if name not in there]
        self.demand(not gone, f"{len(gone)} acknowledged topics are lost")
        for name, records in self.work.created.items():
            self.demand(there.get(name, records) >= records, f"an acknowledged record of topic {name} is lost")

    def runs(self):
        if not self.work.triggered:
            return

        def ended():
            runs = json.loads(self.server.http("GET", "/v1/dags/work/runs?limit=10000")[1])
            return all(run["state"] in ("success", "failed") for run in runs) and {run["dag_run_id"]: run["state"] for run in runs}

        states = wait_until(ended, "every run has ended")
        lost = self.work.triggered - states.keys()
        self.demand(not lost, f"{len(lost)} acknowledged runs are lost")
        failed = [run for run, state in states.items() if state != "success"]
        self.demand(not failed, f"{len(failed)} runs of tasks that cannot fail have failed")

    def files(self):
        """With the server at rest after a clean stop: whole files alone, which hold each row once."""
        folder = self.server.file.parent / "files"
        others = [path.name for path in folder.iterdir() if path.suffix != ".parquet"]
        self.demand(not others, f"a clean stop has left {others} beside the output files")
        found = collections.Counter()
        if any(folder.glob("*.parquet")):
            rows = duckdb.sql(f"SELECT id, name FROM read_parquet('{folder}/*.parquet')").fetchall()
            found.update(number for number, _ in rows)
            self.demand(all(name == f"n{number}" for number, name in rows), "a row of the output files is not what was sent")
        lost, more = self.in_files - found, found - self.in_files
        self.demand(not lost, f"the output files lack {lost.total()} rows")
        self.demand(not more, f"the output files have {more.total()} rows twice, or that nobody sent")

    def recorded_tries(self):
        """With the server at rest: each try has one recorded result, a task one success, and what succeeded was carried out."""
        if not self.work.triggered:
            return
        ran = collections.Counter(tuple(text.split()) for text in self.ran.read_text().splitlines()) if self.ran.exists() else {}
        with contextlib.closing(sqlite3.connect(self.server.data / "meta.db")) as db:
            tries = db.execute("SELECT run_id, task_id, try_number, tries.state FROM tries JOIN runs USING (run)").fetchall()
        successes = collections.Counter((run, task) for run, task, _, state in tries if state == "success")
        self.demand(all(count == 1 for count in successes.values()), "a task has succeeded more than once")
        unfinished = [t for t in tries if t[3] not in ("success", "failed", "up_for_retry")]
        self.demand(not unfinished, f"tries without a legal result: {unfinished[:3]}")
        idle = [t for t in tries if t[3] == "success" and (t[0], t[1], str(t[2])) not in ran]
        self.demand(not idle, f"{len(idle)} tries succeeded that were not carried out")
        recorded = {(run, task, str(number)) for run, task, number, _ in tries}
        strangers = ran.keys() - recorded
        self.demand(not strangers, f"{len(strangers)} tries were carried out that are not recorded")
