"""The machine misbehaves: full disk, no descriptors, large requests, slow and failing syncs, signals. Ids are counted exactly."""
import collections
import contextlib
import itertools
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

import pytest

from flow import PIPELINE, Flow, Producers, judge
from millrace import BINARY, Server, run, wait_until

MIB = 1 << 20
PAUSE_S = float(os.environ.get("FAULT_PAUSE_S", "3"))  # how long a stopped process stands still

DAG = """
dags:
  beat:
    schedule: "every 1s"
    start_date: 2026-01-01T00:00:00Z
    catchup: false
    tasks:
      note: { exec: [sh, -c, "echo {{ run_id }} >> %s"] }
"""


@contextlib.contextmanager
def small_disk(size_mib=64, files=100_000):
    """A file system of its own in memory; skips where mounting is not allowed."""
    folder = tempfile.mkdtemp(prefix="millrace-disk-")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m,nr_inodes={files}", "tmpfs", folder],
                             capture_output=True, text=True)
    if mounted.returncode != 0:
        os.rmdir(folder)
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield pathlib.Path(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        os.rmdir(folder)


def free(disk):
    status = os.statvfs(disk)
    return status.f_bavail * status.f_frsize


def fill(disk, leave):
    """The ballast that leaves so many bytes."""
    ballast = disk / "ballast"
    with open(ballast, "ab") as file:
        while (missing := free(disk) - leave) > 0:
            file.write(b"\0" * min(missing, MIB))
            file.flush()
    return ballast


def metric(server, name):
    for line in server.http("GET", "/metrics")[1].decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


def reads_go_on(server):
    assert server.sql("SELECT count(*) AS n FROM people")[0]["n"] > 0
    assert server.http("GET", "/v1/tables/crash.people/0")[0] == 200
    assert server.command("topic", "tail", "people").stdout
    assert server.http("GET", "/v1/status")[0] == 200


def lines(path):
    return path.read_text().split() if path.exists() else []


# ---- the disk

def test_a_full_disk_refuses_writes_and_everything_resumes_by_itself():
    with small_disk() as disk, Server(PIPELINE, data=disk / "data", args=["--min-free", "0"]) as server:
        flow = Flow(server)
        flow.acked_once()
        ballast = fill(disk, 4 * MIB)
        for _ in range(40):
            status, answer = flow.send()
            assert status in (200, 507), answer
        assert status == 507
        error = json.loads(answer)
        assert error["code"] == "disk_full" and "No space left on device" in error["message"] and "free space" in error["hint"], error
        done = server.command("topic", "produce", "people", input="x" * (4 * MIB) + "\n", check=False)
        assert done.returncode == 1 and "No space left" in done.stderr and not done.stdout
        reads_go_on(server)
        ballast.unlink()
        wait_until(lambda: flow.send()[0] == 200, "writes go on")
        judge(server, [flow])


def test_a_store_without_room_resumes_its_queries():
    with small_disk() as disk, Server(PIPELINE, data=disk / "data", args=["--min-free", "0"]) as server:
        flow = Flow(server, pad=4000)
        flow.acked_once()
        wait_until(server.drained, "the first records are processed")
        for query in ("into_table", "into_topic"):
            server.command("query", "pause", query)
        for _ in range(10):
            flow.acked_once()
        ballast = fill(disk, 0)
        for query in ("into_table", "into_topic"):
            server.http("POST", f"/v1/queries/{query}/resume")
        wait_until(lambda: server.http("GET", "/readyz")[0] == 503, "a query says that it cannot commit")
        reads = json.loads(server.http("POST", "/v1/sql", b'{"sql": "SELECT count(*) AS n FROM crash.people"}')[1])
        assert reads[0]["n"] in (200, 2200)  # one of the two queries may still have found room
        assert server.http("GET", "/v1/tables/crash.people/7")[0] == 200
        ballast.unlink()
        wait_until(server.is_ready, "the queries run again")
        judge(server, [flow])


def test_a_disk_that_can_hold_no_more_files_refuses_what_needs_one():
    with small_disk(files=200) as disk, Server(PIPELINE, data=disk / "data", args=["--min-free", "0"]) as server:
        flow = Flow(server)
        flow.acked_once()
        wait_until(server.drained, "the first records are processed")
        ballast = []
        with contextlib.suppress(OSError):
            for n in itertools.count():
                ballast.append(disk / f"ballast{n}")
                ballast[-1].touch()
        status, answer = server.http("POST", "/v1/topics", b'{"topic": "more"}')
        assert status == 507 and b"No space left" in answer, answer
        flow.acked_once()  # needs no new file
        reads_go_on(server)
        for file in ballast:
            file.unlink(missing_ok=True)
        assert server.http("POST", "/v1/topics", b'{"topic": "more"}')[0] == 201
        flow.acked_once()
        judge(server, [flow])


def test_schedules_wait_for_room_and_the_server_can_be_restarted_without():
    with small_disk() as disk, tempfile.TemporaryDirectory() as folder:
        beats = pathlib.Path(folder) / "beats"
        with Server(PIPELINE + DAG % beats, data=disk / "data", args=["--min-free", "0"]) as server:
            flow = Flow(server)
            flow.acked_once()
            wait_until(lambda: len(lines(beats)) > 1, "the dag runs")
            ballast = fill(disk, 0)
            wait_until(lambda: b"the scheduler waits for room" in server.http("GET", "/readyz")[1], "the scheduler waits")
            assert server.http("POST", "/v1/dags/beat/runs", b"{}")[0] == 507
            assert server.stop() == 0, server.log()
            server.start(ready=False)
            wait_until(lambda: server.log().count("HTTP API on") == 2, "the server starts on a full disk")
            assert server.sql("SELECT count(*) AS n FROM people")[0]["n"] == 200
            ballast.unlink()
            wait_until(server.is_ready, "ready again")
            before = len(lines(beats))
            wait_until(lambda: len(lines(beats)) > before + 1, "the dag goes on")
            flow.acked_once()
            assert max(collections.Counter(lines(beats)).values()) == 1, "a run was run twice"
            judge(server, [flow])


def test_a_write_that_stops_half_way_is_taken_back():
    with Server(PIPELINE) as server:
        flow = Flow(server)
        flow.acked_once()
        wait_until(server.drained, "the first records are processed")
        for query in ("into_table", "into_topic"):
            server.command("query", "pause", query)
        pid = server.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        segment = server.data / "log" / "people-0" / "00000000000000000000.log"
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4 * MIB + 1234, before[1]))
        statuses = collections.Counter(flow.send()[0] for _ in range(60))
        assert set(statuses) == {200, 507} and segment.stat().st_size <= 4 * MIB + 1234, statuses
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        flow.acked_once()
        server.kill()  # what is on disk must be whole batches
        server.start()
        for query in ("into_table", "into_topic"):
            server.command("query", "resume", query)
        judge(server, [flow])


def test_enospc_now_and_then_loses_nothing():
    """The twin by fault points: every third write of the log and of the store fails."""
    with Server(PIPELINE) as server:
        server.stop()
        server.start(faults="file.write=enospc,path=/people-,odds=0.3,seed=3;store.before_commit=enospc,odds=0.3,seed=4,after=20")
        flow = Flow(server, pad=50)
        statuses = collections.Counter(flow.send(20)[0] for _ in range(60))
        assert statuses[200] > 5 and statuses[507] > 5 and set(statuses) == {200, 507}, statuses
        judge(server, [flow])


LOW = PIPELINE + """
sources:
  fast: { http: { url: "builtin:randomuser", records: "$.results[*]" }, every: 50ms, into: polled }
  asked: { http: { url: "builtin:randomuser", records: "$.results[*]" }, every: 50ms, run: dag, into: asked }
dags:
  fetch: { schedule: null, tasks: { poll: { ingest: asked } } }
  hourly: { schedule: "every 1h", start_date: 2026-01-01T00:00:00Z, catchup: false, tasks: { poll: { ingest: asked } } }
"""
LOW = LOW.replace("topics:\n", 'topics:\n  polled: { partitions: 1, schema: "email text" }\n  asked: { partitions: 1, schema: "email text" }\n')


def records(server, topic):
    return server.sql(f"SELECT count(*) AS n FROM {topic}")[0]["n"]


def test_below_the_low_water_mark_nothing_new_comes_in():
    with small_disk(128) as disk, Server(LOW, data=disk / "data", args=["--min-free", "20MiB"]) as server:
        flow = Flow(server)
        flow.acked_once()
        assert metric(server, "millrace_disk_min_free_bytes") == 20 * MIB
        wait_until(lambda: records(server, "polled") > 0, "the source polls")
        for query in ("into_table", "into_topic"):
            server.command("query", "pause", query)
        flow.acked_once()
        ballast = fill(disk, 18 * MIB)
        wait_until(lambda: flow.send()[0] == 507, "produce is refused")
        assert metric(server, "millrace_disk_free_bytes") < 20 * MIB
        status, answer = flow.send()
        error = json.loads(answer)
        assert status == 507 and "nearly full" in error["message"] and "--min-free" in error["hint"], answer
        refused = server.command("topic", "produce", "people", input="x\n", check=False)
        assert refused.returncode == 1 and "nearly full" in refused.stderr
        status, why = server.http("GET", "/readyz")
        assert status == 503 and b"nearly full" in why
        # What is there goes on: reading, deleting, and the queries.
        reads_go_on(server)
        for query in ("into_table", "into_topic"):
            server.command("query", "resume", query)
        wait_until(server.drained, "the queries commit below the mark")
        polled = records(server, "polled")
        fetched = server.http("POST", "/v1/dags/fetch/runs", b"{}")
        assert fetched[0] == 507, fetched
        assert records(server, "polled") == polled
        ballast.unlink()
        wait_until(lambda: flow.send()[0] == 200, "produce goes on")
        wait_until(lambda: records(server, "polled") > polled, "the source goes on")
        wait_until(server.is_ready, "ready again")
        server.command("dags", "trigger", "fetch")
        wait_until(lambda: records(server, "asked") > 0, "a dag's ingest goes on")
        judge(server, [flow])


def test_a_mark_above_the_disk_is_the_twin_without_a_mount():
    server = Server(LOW, args=["--min-free", "1000TB"])
    server.start(ready=False)
    try:
        wait_until(lambda: "HTTP API on" in server.log(), "the server runs")
        flow = Flow(server)
        assert flow.send()[0] == 507
        assert b"nearly full" in server.http("GET", "/readyz")[1]
        wait_until(lambda: server.json("dags", "runs", "hourly")[0]["state"] == "running", "a scheduled ingest waits")
        assert records(server, "polled") == records(server, "asked") == records(server, "people") == 0
        assert server.stop() == 0, server.log()
        server.args, server.env = [], {"MILLRACE_MIN_FREE": "1MB"}
        server.start()
        flow.acked_once()
        wait_until(lambda: records(server, "polled") > 0, "the source polls")
        judge(server, [flow])
    finally:
        server.kill()
        server.folder.cleanup()


# ---- descriptors and memory

def limited(limit):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def test_too_few_descriptors_are_named_at_the_start():
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "p.yaml"
        file.write_text(PIPELINE)
        done = subprocess.run([BINARY, "run", file, "--data", folder + "/data", "--for", "1s"], preexec_fn=limited(64),
                              capture_output=True, text=True)
        assert done.returncode == 1 and "64 files" in done.stderr and "ulimit -n" in done.stderr, done
        # The soft limit is raised to the hard one.
        def soft_only():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 256))
        done = subprocess.run([BINARY, "run", file, "--data", folder + "/data", "--for", "500ms"], preexec_fn=soft_only,
                              capture_output=True, text=True)
        assert done.returncode == 0, done


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connect(server):
    url = urllib.parse.urlparse(json.loads((server.data / "server.json").read_text())["url"])
    return socket.create_connection((url.hostname, url.port), timeout=60)


def ask(connection):
    connection.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return connection.recv(4096).split(b"\r\n")[0]


def test_without_descriptors_accepting_pauses_and_recovers():
    with Server(PIPELINE) as server:
        flow = Flow(server)
        flow.acked_once()
        wait_until(server.drained, "the queries have caught up")
        old = connect(server)
        assert ask(old) == b"HTTP/1.1 200 OK"
        pid = server.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, before[1]))
        waiting = connect(server)  # in the backlog
        waiting.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        wait_until(lambda: "cannot accept" in server.log(), "the server says so")
        cpu, begin = cpu_seconds(pid), time.monotonic()
        for _ in range(200):
            assert ask(old) == b"HTTP/1.1 200 OK"
        wait_until(lambda: time.monotonic() - begin > 2, "two seconds without descriptors")
        assert cpu_seconds(pid) - cpu < 0.3, "the server spins"
        assert server.log().count("cannot accept") < 60
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        assert waiting.recv(4096).startswith(b"HTTP/1.1 200 OK")
        flow.acked_once()
        judge(server, [flow])


def test_large_bodies_share_a_bound_and_small_ones_still_pass():
    with Server(PIPELINE) as server:
        flow = Flow(server)
        token = pathlib.Path(json.loads((server.data / "server.json").read_text())["token_file"]).read_text().strip()
        head = (f"POST /v1/topics/people/records HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: text/plain\r\nContent-Length: {60 * MIB}\r\n\r\n").encode()
        large = [connect(server) for _ in range(12)]
        for connection in large:
            connection.sendall(head + b"x" * 1000)
        refused = []
        for connection in large[8:]:
            refused.append(connection.recv(4096))
        assert all(answer.startswith(b"HTTP/1.1 503") for answer in refused), refused
        flow.acked_once()
        for connection in large:
            connection.close()
        flow.acked_once()
        assert metric(server, "millrace_process_resident_memory_max_bytes") < 1024 * MIB
        judge(server, [flow])


def test_without_memory_the_large_request_alone_fails():
    with Server(PIPELINE) as server:
        flow = Flow(server)
        flow.acked_once()
        wait_until(server.drained, "the queries have caught up")
        pid = server.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_AS)
        for left in (100 * MIB, 30 * MIB):  # too little for its records, too little for its bytes
            used = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
            resource.prlimit(pid, resource.RLIMIT_AS, (used + left, before[1]))
            with contextlib.suppress(ConnectionError):  # it is refused before all of it is sent
                status, answer = server.http("POST", "/v1/topics/people/records", b"x" * (60 * MIB), "text/plain")
                assert status == 503, answer
            resource.prlimit(pid, resource.RLIMIT_AS, before)
            assert "no memory for" in server.log()
            flow.acked_once()
        judge(server, [flow])


# ---- syncs and reads

def test_a_slow_disk_makes_producers_wait_and_fails_nobody():
    with Server(PIPELINE) as server:
        server.stop()
        server.start(faults="log.before_sync=delay,ms=150;file.sync=delay,ms=50")
        producers = Producers(server, count=6)
        wait_until(lambda: producers.acked() > 2000, "producers get on")
        flows = producers.stop()
        assert not any(flow.refused or flow.unknown for flow in flows)
        judge(server, flows)


def test_a_sync_that_stalls_is_reported_and_passes():
    with Server(PIPELINE) as server:
        server.stop()
        server.start(faults="log.before_sync=delay,ms=8000,after=1")
        flow = Flow(server)
        sent = threading.Thread(target=flow.acked_once)
        flow.acked_once()
        sent.start()
        status, why = wait_until(lambda: (answer := server.http("GET", "/readyz"))[0] == 503 and answer, "not ready")
        assert b"a sync of the log has taken" in why
        assert server.sql("SELECT count(*) AS n FROM people")[0]["n"] == 200  # reads go on
        sent.join()
        wait_until(lambda: "a sync of the log has taken" in server.log(), "the log says it too")
        server.kill()
        server.start()
        judge(server, [flow])


@pytest.mark.parametrize("point", ["file.sync=eio,path=/people-,after=3", "log.before_sync=eio,after=3"])
def test_a_failed_sync_ends_the_process_and_loses_nothing(point):
    with Server(PIPELINE) as server:
        flow = Flow(server)
        flow.acked_once()
        server.stop()
        server.start(faults=point)
        with contextlib.suppress(OSError, ValueError):
            for _ in range(50):
                flow.send()
        assert server.process.wait(60) == 70
        assert "partition 0: sync failed, what was not acknowledged may be lost" in server.log()
        server.start()
        judge(server, [flow])


def test_a_read_error_names_file_and_byte_and_others_are_served():
    pipeline = PIPELINE.replace("topics:\n", 'topics:\n  orders: { partitions: 1, schema: "id bigint" }\n').replace(
        "queries:\n", 'queries:\n  sold: { into: crash.orders, sql: "SELECT id FROM orders" }\n').replace(
        "tables:\n", "tables:\n  crash.orders: { partition_key: [id] }\n")
    with Server(pipeline) as server:
        server.stop()
        server.start(faults="file.read=eio,path=/orders-0/0")
        flow = Flow(server)
        flow.acked_once()
        server.produce("orders", ['{"id": 1}'])
        status, why = wait_until(lambda: (answer := server.http("GET", "/readyz"))[0] == 503 and answer, "the query fails")
        assert b"query sold has failed" in why and b"orders-0/00000000000000000000.log at byte 0" in why, why
        failed = server.command("topic", "tail", "orders", check=False)
        assert failed.returncode == 1 and "at byte 0" in failed.stderr
        flow.acked_once()
        assert server.http("GET", "/v1/tables/crash.people/0")[0] == 200
        server.stop()
        server.start()
        wait_until(lambda: server.sql("SELECT count(*) AS n FROM crash.orders")[0]["n"] == 1, "the query has caught up")
        flow.acked_once()
        wait_until(server.drained, "all queries have caught up")
        assert {int(r["id"]) for r in server.sql("SELECT id FROM crash.people")} == flow.acked


# ---- processes and signals

def test_a_second_server_names_the_holder_and_a_stale_lock_is_none():
    with Server(PIPELINE) as server:
        flow = Flow(server)
        flow.acked_once()
        second = run("run", server.file, "--data", server.data, "--for", "1s", check=False)
        assert second.returncode == 5 and str(server.process.pid) in second.stderr, second
        flow.acked_once()
        server.kill()
        assert (server.data / "LOCK").exists()
        server.start()
        flow.acked_once()
        judge(server, [flow])


def test_sigterm_under_load_ends_in_order():
    with tempfile.TemporaryDirectory() as folder:
        beats = pathlib.Path(folder) / "beats"
        with Server(PIPELINE + DAG % beats) as server:
            producers = Producers(server)
            wait_until(lambda: producers.acked() > 1000 and len(lines(beats)) > 0, "there is load")
            assert server.stop() == 0, server.log()
            flows = producers.stop()
            run("verify", server.data)
            server.start()
            judge(server, flows)
            assert max(collections.Counter(lines(beats)).values()) == 1, "a run was run twice"


STUBBORN = PIPELINE + """
dags:
  stubborn: { schedule: null, tasks: { wait: { exec: [sh, -c, "trap '' TERM; echo up > %s; while :; do sleep 0.05; done"] } } }
"""


def test_a_second_sigterm_hastens():
    with tempfile.TemporaryDirectory() as folder:
        up = pathlib.Path(folder) / "up"
        with Server(STUBBORN % up) as server:
            flow = Flow(server)
            flow.acked_once()
            server.command("dags", "trigger", "stubborn")
            wait_until(up.exists, "the task runs")
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: "stopping; once more" in server.log(), "the server stops")
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(60) == 130
            server.start()  # ends the task that was left
            judge(server, [flow])


def test_a_stopped_process_goes_on_where_it_was():
    with tempfile.TemporaryDirectory() as folder:
        beats = pathlib.Path(folder) / "beats"
        with Server(PIPELINE + DAG % beats) as server:
            producers = Producers(server)
            wait_until(lambda: producers.acked() > 500 and len(lines(beats)) > 0, "there is load")
            server.process.send_signal(signal.SIGSTOP)
            before = len(lines(beats))
            time.sleep(PAUSE_S)
            server.process.send_signal(signal.SIGCONT)
            acked = producers.acked()
            wait_until(lambda: producers.acked() > acked + 1000 and len(lines(beats)) > before + 2, "load goes on")
            flows = producers.stop()
            assert not any(flow.refused or flow.unknown for flow in flows)
            runs = [run["dag_run_id"] for run in server.json("dags", "runs", "beat")]
            assert len(runs) == len(set(runs))
            assert max(collections.Counter(lines(beats)).values()) == 1, "a run was run twice"
            judge(server, flows)


def test_what_leaves_its_group_ends_with_its_task():
    with tempfile.TemporaryDirectory() as folder:
        left = pathlib.Path(folder) / "pid"
        pipeline = PIPELINE + f"""
dags:
  leaver: {{ schedule: null, tasks: {{ go: {{ exec: [sh, -c, "setsid -f sh -c 'echo $$$$ > {left}; exec sleep 1000'; while ! test -s {left}; do sleep 0.01; done"] }} }} }}
"""
        with Server(pipeline) as server:
            server.command("dags", "trigger", "leaver")
            wait_until(lambda: (runs := server.json("dags", "runs", "leaver")) and runs[0]["state"] == "success", "the task ends")
            pid = int(left.read_text())

            def ended():
                try:
                    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
                except OSError:
                    return True
            wait_until(ended, "the process that left is gone", 20)


# ---- what a query reads is taken away

def test_a_topic_made_again_stops_its_query_and_says_so():
    with Server(PIPELINE) as server:
        flow = Flow(server)
        flow.acked_once()
        wait_until(server.drained, "the queries have caught up")
        refused = server.command("topic", "delete", "people", check=False)
        assert refused.returncode == 1 and "query into_table reads topic people" in refused.stderr, refused
        server.stop()
        whole = server.file.read_text()
        server.file.write_text("name: faults\n")
        server.start()
        server.command("topic", "delete", "people")
        server.stop()
        server.file.write_text(whole)
        server.start(ready=False)
        wait_until(lambda: server.log().count("HTTP API on") == 3, "the server runs")
        queries = {q["query"]: q for q in server.json("query", "list")}
        for query in queries.values():
            assert query["state"] == "failed" and "topic id changed" in query["reason"] and "query reset" in query["reason"], query
        assert server.http("GET", "/v1/tables/crash.people/0")[0] == 200


def test_records_that_went_before_a_query_read_them_are_counted():
    with Server(PIPELINE) as server:
        flow = Flow(server)
        flow.acked_once()
        wait_until(server.drained, "the queries have caught up")
        server.command("query", "pause", "into_table")
        flow.acked_once()
        server.command("topic", "truncate", "people")
        server.command("query", "resume", "into_table")
        reason = wait_until(lambda: server.json("query", "list")[0]["reason"], "the query fails")
        assert "200 records" in reason and "query reset" in reason, reason
        assert server.http("GET", "/readyz")[0] == 503
        gone = server.http("GET", "/v1/topics/people/records?positions=0,0&limit=5")
        assert gone[0] == 200 and json.loads(gone[1])["records"] == [], gone
