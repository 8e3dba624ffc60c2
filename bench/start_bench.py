#!/usr/bin/env python3
"""P10: from the start of the process to the first row in the table, and memory when idle. A line and JSON."""
import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from millrace import BINARY, ROOT, Server, wait_until

PIPELINE = """
name: start
sources:
  people: { http: { url: "builtin:randomuser", records: "$.results[*]" }, every: 1h, into: users, key: "$.login.uuid" }
topics:
  users: { partitions: 1, schema: "login STRUCT(uuid uuid), email text" }
queries:
  q:
    into: t.users
    sql: |
      SELECT login.uuid AS id, email FROM users
tables:
  t.users: { partition_key: [id] }
"""


def rss_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def main():
    server = Server(PIPELINE)
    begin = time.monotonic()
    server.start(ready=False)

    def row():
        try:
            return server.is_ready() and b'"out":1' in server.http("GET", "/v1/queries")[1]
        except (OSError, ValueError):
            return False

    wait_until(row, "the first row")
    first_row = time.monotonic() - begin
    ticks = os.sysconf("SC_CLK_TCK")

    def cpu():
        fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / ticks

    cpu_before, wall_before = cpu(), time.monotonic()
    time.sleep(5)
    idle_cpu = (cpu() - cpu_before) / (time.monotonic() - wall_before)
    memory = rss_mib(server.process.pid)
    server.stop()
    installed = sum(p.stat().st_size for p in (BINARY.resolve(), ROOT / ".deps/duckdb/lib/libduckdb.so")) / 2**20
    print(f"P10 start -> first row {first_row:.2f} s; idle {memory:.0f} MiB, {idle_cpu * 100:.1f} % CPU; installed {installed:.0f} MiB", file=sys.stderr)
    print(json.dumps({"case": "P10", "first_row_s": round(first_row, 3), "idle_pss_mib": round(memory, 1), "idle_cpu": round(idle_cpu, 4),
                      "installed_mib": round(installed, 1)}))


if __name__ == "__main__":
    main()
