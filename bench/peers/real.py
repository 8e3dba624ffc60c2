#!/usr/bin/env python3
"""Millrace between real servers, beside those who do the same job: JSON from Kafka into nothing, Cassandra and PostgreSQL.

  REAL_ROWS=2000000 REAL_ONLY=p3,p5-gocql REAL_TRIES=3 bench/peers/real.py

`make bench-real` builds and installs what it needs. The servers are those that MILLRACE_TEST_KAFKA, _CASSANDRA and _POSTGRES name (here,
not on another machine, or their CPU counts for nothing), else they are started, as they come. A line a case on the terminal, JSON in
bench/out/real.json. The cases run in random order, one at a time: p3 on the first core, the others on all, as the servers are. What
was not installed (`scripts/setup-peers --spark`) is left out. A row beside which others took more than 15 % of the machine is taken again.
"""
import contextlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

from meter import CORES, FOREIGN_MAX, Meter, listener, on_core, results

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE, PEERS, CLASSES = ROOT / "bench/peers", ROOT / ".deps/peers", ROOT / "build/java"
REAL_PYTHON = ROOT / ".deps/real/venv/bin/python"
BENCHES = pathlib.Path(os.environ.get("BENCHES", ROOT / "build/release/bench"))
ROWS = int(os.environ.get("REAL_ROWS", 2_000_000))  # of p3
SINK_ROWS = int(os.environ.get("REAL_SINK_ROWS", 400_000))  # of p5: Cassandra is slower by so much
ONLY = [name for name in os.environ.get("REAL_ONLY", "").split(",") if name]
TRIES = int(os.environ.get("REAL_TRIES", 3))
PASSES = min(max(2, -(-4_000_000 // ROWS) + 1), 5)  # a JVM is warm after 4 M records
SMALL = {"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"}  # what the tests' servers have to be small


class Places:
    """Where the servers are."""

    def __init__(self, stack):
        given = {kind: os.environ.get(f"MILLRACE_TEST_{kind.upper()}") for kind in ("kafka", "cassandra", "postgres")}
        if not all(given.values()):
            sys.path[:0] = [str(ROOT / "tests/real"), str(ROOT / "tests")]
            import servers
            for kind, make in {"kafka": lambda: servers.Kafka(heap="1g"), "cassandra": lambda: servers.Cassandra(heap="2g"),
                               "postgres": servers.Postgres}.items():
                given[kind] = given[kind] or self.start(stack, make())
        self.kafka, self.cassandra, self.postgres = given["kafka"], given["cassandra"], given["postgres"]

    @staticmethod
    def start(stack, server):
        for process in server.processes:
            process.argv = [arg for arg in process.argv if arg not in SMALL]
        stack.enter_context(server)
        return server.url if server.url.startswith("postgresql:") else server.url.split("://")[1]

    def processes(self):
        ports = [place.rsplit(":", 1)[1].split("/")[0] for place in (self.kafka, self.cassandra, self.postgres)]
        return [pid for port in ports if (pid := listener(int(port)))]


def java(*arguments):
    return ["java", "-Xmx1g", "-Dlog4j2.level=ERROR", *arguments]


def millrace(places, case, rows):
    return [BENCHES / "real_bench", "--case", case, "--rows", rows, "--kafka", places.kafka, "--cassandra", places.cassandra,
            "--postgres", places.postgres]


def cases(places, lines):
    """name -> (job, name in the table, command, which of its results)"""
    topic, small_topic, last = f"millrace_bench_{ROWS}", f"millrace_bench_{SINK_ROWS}", f"pass {PASSES}"
    spark = [PEERS / "spark-venv/bin/python", HERE / "spark_peer.py"]
    every = {
        "p3-millrace": ("P3", "Millrace", millrace(places, "p3", ROWS), "P3 kafka -> project -> null"),
        "p3-streams": ("P3", "Kafka Streams", java("-cp", f"{PEERS}/jars/*:{CLASSES}", f"-Dtopic={topic}", "StreamsPeer", "null", places.kafka,
                                                   ROWS, PASSES, lines.parent / "streams"), last),
        "p3-flink": ("P3", "Flink SQL", java("-cp", f"{PEERS}/flink/*:{CLASSES}", "FlinkPeer", places.kafka, topic, ROWS, PASSES), last),
        "p3-spark": ("P3", "Spark", [*spark, "null", places.kafka, topic, ROWS, PASSES, 1], last),
        "p3-bytewax": ("P3", "Bytewax", [PEERS / "venv/bin/python", HERE / "bytewax_peer.py", places.kafka, ROWS, topic], "null"),
        "p5-millrace": ("P5 Cassandra", "Millrace", millrace(places, "p5", SINK_ROWS), "P5 kafka -> cassandra, pass 2"),
        "p5-gocql": ("P5 Cassandra", "gocql, rows in memory", [PEERS / "cassandra_load", places.cassandra, lines, SINK_ROWS, SINK_ROWS], "load"),
        "p5-spark": ("P5 Cassandra", "Spark", [*spark, "cassandra", places.kafka, small_topic, SINK_ROWS, places.cassandra], "cassandra"),
        "pg-millrace": ("P5 PostgreSQL", "Millrace", millrace(places, "p5-pg", SINK_ROWS), "P5 kafka -> postgresql, pass 2"),
        "pg-copy": ("P5 PostgreSQL", "COPY, text in memory", [REAL_PYTHON, HERE / "postgres_copy.py", places.postgres, lines, SINK_ROWS],
                    "copy"),
        "latency-millrace": ("latency", "Millrace", millrace(places, "latency", SINK_ROWS), "produce -> readable, 500/s"),
    }
    lacking = {name for name, needs in {"p3-flink": "flink", "p3-spark": "spark", "p5-spark": "spark", "p5-gocql": "cassandra_load"}.items()
               if not (PEERS / needs).exists()}
    for name in lacking:
        print(f"bench-real: {name} is not installed and left out", file=sys.stderr)
    return {name: case for name, case in every.items() if name not in lacking and (not ONLY or any(name.startswith(o) for o in ONLY))}


def measure(meter, case):
    job, name, command, wanted = case
    found = results("bench-real", on_core(CORES[0], *command) if job == "P3" else command)
    result = next((result for result in found if result["case"] == wanted), None)
    if result is None:
        sys.exit(f"bench-real: {name} did not report {wanted}: {found}")
    if job != "latency" and not name == "Spark" and result["records"] != (ROWS if job == "P3" else SINK_ROWS):
        sys.exit(f"bench-real: {name} gave {result['records']} rows")
    times = {key: result[key] for key in ("p50_ms", "p99_ms", "max_ms") if key in result}
    return meter.row(result, job=job, case=name) | times


def compare(places, lines):
    for rows in (ROWS, SINK_ROWS):
        subprocess.run(list(map(str, millrace(places, "fill", rows))), check=True, stdout=subprocess.DEVNULL)
    subprocess.run([BENCHES / "pipeline_bench", "--rows", str(SINK_ROWS), "--write", lines], check=True)
    CLASSES.mkdir(parents=True, exist_ok=True)
    for program, jars in {"StreamsPeer": "jars", "FlinkPeer": "flink"}.items():
        if (PEERS / jars).exists():
            subprocess.run(["javac", "-cp", f"{PEERS}/{jars}/*", "-d", CLASSES, HERE / f"{program}.java"], check=True)
    meter, best, waiting = Meter(), {}, cases(places, lines)
    meter.beside = places.processes()
    for _ in range(TRIES):
        for name in random.sample(sorted(waiting), len(waiting)):
            row = measure(meter, waiting[name])
            print(f"bench-real: {name}: {row['records_per_s']} records/s, {row['cpu_s_per_million']} CPU-s/M, "
                  f"{row['peak_mib']} MiB, beside {row['foreign']:.0%} foreign CPU", file=sys.stderr)
            if name not in best or row["foreign"] < best[name]["foreign"]:
                best[name] = row
            if row["foreign"] <= FOREIGN_MAX:
                del waiting[name]
    return sorted(best.values(), key=lambda row: (row["job"], row["case"] != "Millrace", row["cpu_s_per_million"]))


def print_table(rows):
    print(f"{'job':<15}{'case':<24}{'k rec/s':>9}{'CPU-s/M':>9}{'servers':>9}{'peak MiB':>10}{'foreign':>9}{'x rate':>8}{'x CPU':>8}{'x MiB':>8}")
    for row in rows:
        noisy = "*" if row["foreign"] > FOREIGN_MAX else " "
        times = "  p50 {p50_ms} ms, p99 {p99_ms} ms, max {max_ms} ms".format(**row) if "p50_ms" in row else ""
        print(f"{row['job']:<15}{row['case']:<24}{row['records_per_s'] / 1000:>9.1f}{row['cpu_s_per_million']:>9.2f}"
              f"{row['servers_cpu_s_per_million']:>9.1f}{row['peak_mib']:>10}{row['foreign']:>8.0%}{noisy}"
              f"{row.get('x_rate', 0):>8.2f}{row.get('x_cpu', 0):>8.2f}{row.get('x_mib', 0):>8.2f}{times}")
    print("x rate: Millrace's records/s by the case's; x CPU and x MiB: the case's by Millrace's. Above 1 Millrace is ahead. servers: CPU-s/M of "
          f"Kafka, Cassandra and PostgreSQL. *: others had more than {FOREIGN_MAX:.0%} of the machine in every try; trust its CPU-s/M only.")


def add_ratios(rows):
    ours = {row["job"]: row for row in rows if row["case"] == "Millrace"}
    for row in rows:
        if mine := ours.get(row["job"]):
            row["x_rate"] = round(mine["records_per_s"] / row["records_per_s"], 3)
            row["x_cpu"] = round(row["cpu_s_per_million"] / mine["cpu_s_per_million"], 3)
            row["x_mib"] = round(row["peak_mib"] / mine["peak_mib"], 2)


def main():
    with contextlib.ExitStack() as stack:
        places = Places(stack)
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="millrace-real-bench-"))
        rows = compare(places, pathlib.Path(directory) / "users.jsonl")
    add_ratios(rows)
    print_table(rows)
    out = ROOT / "bench/out/real.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"cores": len(CORES), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
