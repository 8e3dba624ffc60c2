"""Records with ids of their own through the pipeline of a test, and the count at the end: ids in = ids out."""
import collections
import itertools
import json
import threading

from millrace import run, wait_until

PIPELINE = """
name: faults
topics:
  people: { partitions: 2, schema: "id bigint, pad text" }
  copies: { partitions: 1, schema: "id bigint" }
queries:
  into_table: { into: crash.people, sql: "SELECT id, pad FROM people" }
  into_topic: { into: copies, sql: "SELECT id FROM people" }
tables:
  crash.people: { partition_key: [id] }
"""


class Flow:
    """Sends records with ids of their own and remembers what became of them."""

    def __init__(self, server, first_id=0, pad=1000):
        self.server, self.pad = server, "x" * pad
        self.ids = itertools.count(first_id)
        self.acked, self.refused, self.unknown = set(), set(), set()

    def send(self, count=200, timeout=60):
        """(status, answer) of one batch; OSError when the server is gone."""
        ids = list(itertools.islice(self.ids, count))
        body = "".join(json.dumps({"id": i, "pad": self.pad}) + "\n" for i in ids).encode()
        try:
            status, answer = self.server.http("POST", "/v1/topics/people/records", body, "application/x-ndjson", timeout=timeout)
        except (OSError, ValueError):
            self.unknown.update(ids)
            raise
        (self.acked if status == 200 else self.refused).update(ids)
        return status, answer

    def acked_once(self):
        status, answer = self.send()
        assert status == 200, answer
        return True


class Producers:
    """Threads that send until they are told to stop."""

    def __init__(self, server, count=3, batch=50):
        self.flows = [Flow(server, first_id=k * 10**9, pad=50) for k in range(count)]
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(flow, batch), daemon=True) for flow in self.flows]
        for thread in self.threads:
            thread.start()

    def work(self, flow, batch):
        while not self.stopping.is_set():
            try:
                flow.send(batch)
            except (OSError, ValueError):
                self.stopping.wait(0.02)

    def acked(self):
        return sum(len(flow.acked) for flow in self.flows)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        return self.flows


def judge(server, flows, stop=True):
    """Everything acknowledged is there once, nothing refused is, the queries have it all, and the files are sound."""
    acked, refused, unknown = (set().union(*(getattr(flow, name) for flow in flows)) for name in ("acked", "refused", "unknown"))
    wait_until(server.drained, "the queries have caught up")
    topic = collections.Counter(int(row["id"]) for row in server.sql("SELECT id FROM people"))
    assert set(topic.values()) <= {1}, "records are in the topic twice"
    assert acked <= topic.keys(), f"{len(acked - topic.keys())} acknowledged records are lost"
    assert not refused & topic.keys(), "what was refused is there"
    assert topic.keys() <= acked | unknown, "nobody sent that"
    assert {int(row["id"]) for row in server.sql("SELECT id FROM crash.people")} == topic.keys()
    assert collections.Counter(int(row["id"]) for row in server.sql("SELECT id FROM copies")) == topic
    for query in server.json("query", "list"):
        b = query["balance"]
        assert b["in"] == len(topic) == sum(b[k] for k in b if k != "in"), b
    if stop:
        assert server.stop() == 0, server.log()
        run("verify", server.data)
    return len(topic)
