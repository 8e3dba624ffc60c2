#!/usr/bin/env python3
"""The main job side by side: Millrace, DuckDB alone, Kafka Streams and Bytewax on the same bytes in one run, each on one core.

  PEER_ROWS=2000000 PEER_ONLY=duckdb,streams bench/peers/run.py

`make bench-peers` builds and installs what it needs. A line a case on the terminal, JSON in bench/out/peers.json. The peers run in random
order, one at a time, on the first core; Kafka's broker has the last core, and its CPU is nobody's. A row beside which other processes
took more than 15 % of the machine is taken again, three times at most.
"""
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from meter import CORES, FOREIGN_MAX, Meter, on_core, results

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / ".deps/peers"
CLASSES = ROOT / "build/java"
PIPELINE_BENCH = pathlib.Path(os.environ.get("PIPELINE_BENCH", ROOT / "build/release/bench/pipeline_bench"))
ROWS = int(os.environ.get("PEER_ROWS", 2_000_000))
ONLY = [name for name in os.environ.get("PEER_ONLY", "").split(",") if name]
WARM_AFTER = 4_000_000  # records a JVM has seen before a pass counts as warm
PASSES_MAX = 9  # so that a smoke run ends; then PEER_ROWS below 500,000 are not warm
TRIES = int(os.environ.get("PEER_TRIES", 4))  # of a row beside which others took too much


def java(*arguments):
    return ["java", "-Xmx1g", "-Dlog4j2.level=ERROR", "-cp", f"{PEERS}/jars/*:{CLASSES}", *map(str, arguments)]


class Broker:
    """Kafka of one node (KRaft) on a free port, as it comes."""

    def __init__(self, directory):
        with socket.socket() as a, socket.socket() as b:
            a.bind(("127.0.0.1", 0))
            b.bind(("127.0.0.1", 0))
            port, controller = a.getsockname()[1], b.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        config = directory / "broker.properties"
        config.write_text("\n".join([
            "node.id=1", "process.roles=broker,controller", "controller.listener.names=CONTROLLER",
            f"controller.quorum.voters=1@127.0.0.1:{controller}", f"listeners=PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{controller}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT", f"log.dirs={directory}/log",
            "offsets.topic.replication.factor=1", "transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
            "group.initial.rebalance.delay.ms=0", ""]))
        storage = java("kafka.tools.StorageTool", "format", "-t", "MillraceBenchPeersQ001", "-c", config)
        self.log = open(directory / "broker.log", "w", encoding="utf-8")
        subprocess.run(storage, check=True, stdout=self.log, stderr=self.log)
        self.process = subprocess.Popen(on_core(CORES[-1], *java("kafka.Kafka", config)), stdout=self.log, stderr=self.log)
        self.wait(port)

    def wait(self, port):
        deadline = time.monotonic() + 120
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        self.stop()
        sys.exit(f"bench-peers: the broker did not start; see {self.log.name}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def peers(data, broker, directory):
    """name -> (command, {case of its output: (sink, name of the row)})"""
    passes = min(max(2, -(-WARM_AFTER // ROWS) + 1), PASSES_MAX)
    everything = {}
    for case, rows in {"p2": {"P2 log -> project -> null": ("null", "Millrace")},
                       "p1": {"P1 log -> table, ingested": ("table", "Millrace, ingested"),
                              "P1 log -> table, settled": ("table", "Millrace")}}.items():
        command = [PIPELINE_BENCH, "--case", case, "--input", data, "--dir", directory / "millrace"]
        everything[f"millrace-{case}"] = (command, rows)
    for case, row in {"null": ("null", "DuckDB alone"), "table": ("table", "DuckDB alone"), "keyed": ("table", "DuckDB alone, primary key")}.items():
        command = [ROOT / ".deps/venv/bin/python", ROOT / "bench/peers/duckdb_alone.py", case, data, directory]
        everything[f"duckdb-{case}"] = (command, {case: row})
    for sink, name in {"null": "Kafka Streams", "table": "Kafka Streams, store"}.items():
        times = passes if sink == "null" else 2  # a table takes long enough to be warm after one pass
        command = java("StreamsPeer", sink, broker.address, ROWS, times, directory / "streams")
        everything[f"streams-{sink}"] = (command, {"pass 1": (sink, name + ", cold"), f"pass {times}": (sink, name + ", warm")})
    command = [PEERS / "venv/bin/python", ROOT / "bench/peers/bytewax_peer.py", broker.address, ROWS]
    everything["bytewax-null"] = (command, {"null": ("null", "Bytewax")})
    return {name: peer for name, peer in everything.items() if not ONLY or any(name.startswith(o) for o in ONLY)}


def measure(meter, command, wanted):
    """One run of a peer: its rows, with the share of the machine that others took meanwhile."""
    rows = []
    for result in results("bench-peers", on_core(CORES[0], *command)):
        if result["case"] not in wanted:
            continue
        sink, name = wanted[result["case"]]
        if result["records"] != ROWS:
            sys.exit(f"bench-peers: {name} gave {result['records']} of {ROWS} rows")
        rows.append(meter.row(result, sink=sink, case=name))
    if len(rows) != len(wanted):
        sys.exit(f"bench-peers: {' '.join(map(str, command))} did not report {', '.join(wanted)}")
    return rows


def keep_best(best, rows):
    """Of each case the try with the least foreign CPU stays. True when none of these cases needs another."""
    for row in rows:
        key = row["sink"], row["case"]
        if key not in best or row["foreign"] < best[key]["foreign"]:
            best[key] = row
    return all(best[row["sink"], row["case"]]["foreign"] <= FOREIGN_MAX for row in rows)


def print_table(rows):
    print(f"{'sink':<6}{'case':<30}{'k rec/s':>9}{'CPU-s/M':>9}{'peak MiB':>10}{'foreign':>9}{'x rate':>8}{'x CPU':>8}")
    for row in rows:
        noisy = "*" if row["foreign"] > FOREIGN_MAX else " "
        print(f"{row['sink']:<6}{row['case']:<30}{row['records_per_s'] / 1000:>9.0f}{row['cpu_s_per_million']:>9.2f}{row['peak_mib']:>10}"
              f"{row['foreign']:>8.0%}{noisy}{row.get('millrace_is_faster', 0):>8.2f}{row.get('peer_cpu_ratio', 0):>8.2f}")
    print(f"x rate: Millrace's records/s by the case's; x CPU: the case's CPU-s/M by Millrace's. Above 1 Millrace is ahead. "
          f"*: others had more than {FOREIGN_MAX:.0%} of the machine in every try; trust its CPU-s/M only.")


def add_ratios(rows):
    ours = {row["sink"]: row for row in rows if row["case"] == "Millrace"}
    for row in rows:
        if mine := ours.get(row["sink"]):
            row["millrace_is_faster"] = round(mine["records_per_s"] / row["records_per_s"], 3)
            row["peer_cpu_ratio"] = round(row["cpu_s_per_million"] / mine["cpu_s_per_million"], 3)


def compare(directory):
    data = directory / "users.jsonl"
    subprocess.run([PIPELINE_BENCH, "--rows", str(ROWS), "--write", data], check=True)
    CLASSES.mkdir(parents=True, exist_ok=True)
    subprocess.run(["javac", "-cp", f"{PEERS}/jars/*", "-d", CLASSES, ROOT / "bench/peers/StreamsPeer.java"], check=True)
    meter, best = Meter(), {}
    broker = Broker(directory)
    try:
        meter.beside = [broker.process.pid]
        subprocess.run(java("StreamsPeer", "load", broker.address, data), check=True)
        waiting = peers(data, broker, directory)
        for _ in range(TRIES):
            for name in random.sample(sorted(waiting), len(waiting)):
                print(f"bench-peers: {name}", file=sys.stderr)
                if keep_best(best, measure(meter, *waiting[name])):
                    del waiting[name]
                for leftover in directory.glob("duckdb-*"):
                    leftover.unlink()
    finally:
        meter.beside = []
        broker.stop()
    rows = sorted(best.values(), key=lambda row: (row["sink"], row["case"] != "Millrace", row["cpu_s_per_million"]))
    add_ratios(rows)
    print_table(rows)
    out = ROOT / "bench/out/peers.json"
    out.parent.mkdir(exist_ok=True)
    size = data.stat().st_size / ROWS
    out.write_text(json.dumps({"records": ROWS, "bytes_a_record": round(size, 1), "cores": len(CORES), "rows": rows}, indent=1) + "\n")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench-peers: stopped"))  # so that the broker is stopped too
    directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-peers-"))
    try:
        compare(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
