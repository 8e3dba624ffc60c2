#!/usr/bin/env python3
"""The main job as a Bytewax program: a topic of JSON, 11 of its 12 fields, into nothing.   bytewax_peer.py ADDRESS RECORDS [TOPIC]"""
import json
import resource
import sys
import time
import uuid

import orjson
from bytewax.connectors.kafka import KafkaSource
from bytewax import operators
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

TEXTS = "first_name last_name gender address post_code email username registered_date phone picture".split()


class Null(StatelessSinkPartition):
    """Counts the rows that have all fields, and ends the program after the last."""

    def __init__(self, records):
        self.records, self.seen, self.complete, self.begin, self.cpu_begin = records, 0, 0, 0, 0

    def write_batch(self, items):
        if not self.seen:
            self.begin, self.cpu_begin = time.monotonic(), time.process_time()
        self.seen += len(items)
        self.complete += sum(None not in row for row in items)
        if self.seen == self.records:
            self.report()

    def report(self):
        seconds, cpu = time.monotonic() - self.begin, time.process_time() - self.cpu_begin
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps({"case": "null", "records": self.complete, "begin": self.begin, "seconds": seconds, "cpu_seconds": cpu,
                          "peak_mib": peak}))


class NullSink(DynamicSink):
    def __init__(self, records):
        self.records = records

    def build(self, step_id, worker_index, worker_count):
        return Null(self.records)


def project(message):
    user = orjson.loads(message.value)
    return (uuid.UUID(user["id"]), *[user[name] for name in TEXTS])


def main():
    address, records, topic = (*sys.argv[1:], "users")[:3]
    flow = Dataflow("peer")
    messages = operators.input("in", flow, KafkaSource([address], [topic], tail=False, batch_size=5000))
    operators.output("out", operators.map("project", messages, project), NullSink(int(records)))
    cli_main(flow)


if __name__ == "__main__":
    main()
