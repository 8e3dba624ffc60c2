"""Commands and the HTTP API as a stranger meets them: help, faults, exit codes, refusals."""
import json
import os
import pty
import resource
import signal
import subprocess

import pytest

from millrace import BINARY, DEADLINE_S, ROOT, Server, run, wait_until

PIPELINE = """
name: small
topics:
  t: { partitions: 2, schema: "id bigint, v text" }
queries:
  q:
    into: k.t
    sql: |
      SELECT id, v FROM t
tables:
  k.t: { partition_key: [id] }
"""

COMMANDS = ["run", "check", "explain", "sql", "topic", "table", "query", "dags", "dead-letters", "status", "verify", "doctor", "init", "apply", "randomuser", "version",
            "completions"]


@pytest.fixture(scope="module")
def server():
    with Server(PIPELINE) as started:
        yield started


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command):
    assert "Usage" in run(command, "--help").stdout


def test_wrong_usage_is_2():
    for arguments in ([], ["nonsense"], ["run"], ["sql", "--bad"], ["topic"], ["run", "x.yaml", "--for", "abc"], ["run", "x.yaml", "--listen", "nonsense"]):
        assert run(*arguments, check=False).returncode == 2, arguments
    assert "unknown command 'nonsense'" in run("nonsense", check=False).stderr


def test_an_unset_variable_is_no_value(server, tmp_path):
    for time in ("", "0s", "0ms"):
        done = run("run", server.file, "--data", tmp_path / "d", "--for", time, check=False)
        assert done.returncode == 2 and "write" in done.stderr, (time, done)
    for arguments in (["run", server.file, "--for", "1s"], ["sql", "SELECT 1"], ["verify"], ["backup", tmp_path / "b"], ["topic", "list"]):
        done = run(*arguments, "--data", "", check=False)
        assert done.returncode == 2 and "--data" in done.stderr and "empty" in done.stderr, (arguments, done)
    assert not (tmp_path / "d").exists() and not (tmp_path / "b").exists()


def test_in_use_is_said_only_of_a_directory_that_is(server, tmp_path):
    at_rest = tmp_path / "d"
    run("run", server.file, "--data", at_rest, "--for", "100ms")
    commands = [["verify", at_rest], ["backup", tmp_path / "b", "--data", at_rest], ["run", server.file, "--data", at_rest, "--for", "100ms"]]

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    for arguments in commands:
        done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, preexec_fn=no_room, timeout=DEADLINE_S)
        assert done.returncode == 1 and "LOCK: File too large" in done.stderr and "free space" in done.stderr, done
        assert "in use" not in done.stderr
    (at_rest / "LOCK").unlink()
    (at_rest / "LOCK").mkdir()
    for arguments in commands:
        done = run(*arguments, check=False)
        assert done.returncode == 1 and "LOCK: Is a directory" in done.stderr and "in use" not in done.stderr, done
    assert not (tmp_path / "b").exists()
    for arguments in (["verify", server.data], ["run", server.file, "--data", server.data, "--for", "100ms"]):
        done = run(*arguments, check=False)
        assert done.returncode == 5 and f"in use by process {server.process.pid}" in done.stderr, done


def test_a_hangup_is_a_clean_stop():
    with Server(PIPELINE) as started:
        started.process.send_signal(signal.SIGHUP)
        started.process.send_signal(signal.SIGHUP)
        assert started.process.wait(timeout=DEADLINE_S) == 0, started.log()
        assert (started.data / "seal").exists()


def test_a_closed_terminal_is_a_clean_stop(tmp_path):
    file, data = tmp_path / "p.yaml", tmp_path / "d"
    file.write_text(PIPELINE)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(BINARY, [str(BINARY), "run", str(file), "--data", str(data)])
    shown = b""
    while b"HTTP API on" not in shown:
        shown += os.read(terminal, 4096)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(wait_until(lambda: (ended := os.waitpid(pid, os.WNOHANG))[0] and ended, "it has stopped")[1]) == 0
    assert (data / "seal").exists()


def test_what_nohup_started_outlives_its_terminal():
    started = Server(PIPELINE)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with started:
            started.process.send_signal(signal.SIGHUP)
            started.produce("t", ['{"id": 1, "v": "x"}'])
            assert started.process.poll() is None
            assert started.stop() == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_check_finds_every_fault_at_once(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text("""name: bad
topics:
  t:
    partitons: 4
    schema: "id bigint, v text"
queries:
  q:
    into: k.t
    sql: |
      SELECT id,
             vv
      FROM t
  windowed:
    into: k.w
    sql: |
      SELECT window_start, count(*) AS n FROM TUMBLE(t, event_time, INTERVAL 1 MINUTE) GROUP BY ALL
tables:
  k.t: { partition_key: [id] }
  k.w: { partition_key: [window_start] }
""")
    done = run("check", file, "-o", "json", check=False)
    assert done.returncode == 3
    faults = json.loads(done.stdout)
    assert {"file", "line", "column", "severity", "code", "message", "hint"} == set(faults[0])
    assert any(f["line"] == 4 and f["code"] == "unknown-key" and "partitions" in f["hint"] for f in faults)
    assert any(f["line"] == 11 and "vv" in f["message"] for f in faults), faults
    file.write_text(file.read_text().replace("partitons", "partitions"))
    faults = json.loads(run("check", file, "-o", "json", check=False).stdout)
    assert any(f["line"] == 11 and f["column"] == 14 and "vv" in f["message"] for f in faults), faults
    assert any(f["line"] == 16 and f["code"] == "not-yet" for f in faults), faults
    assert run("check", ROOT / "examples" / "users.yaml").returncode == 0


def test_columns_of_query_and_table_are_compared(tmp_path):
    file = tmp_path / "columns.yaml"
    file.write_text(PIPELINE.replace("k.t: { partition_key: [id] }", 'k.t: { columns: "id uuid, value text", partition_key: [id] }'))
    faults = json.loads(run("check", file, "-o", "json", check=False).stdout)
    assert {f["code"] for f in faults} >= {"column-mismatch"}
    assert any("'v'" in f["message"] for f in faults) and any("UUID" in f["message"] for f in faults)


def test_run_refuses_what_check_refuses(tmp_path):
    file = tmp_path / "dag.yaml"
    file.write_text(PIPELINE + "dags:\n  d: { tasks: { t: { sql: \"SELECT '{{ nope }}'\" } } }\n")
    assert run("check", file, check=False).returncode == 3
    refused = run("run", file, "--data", tmp_path / "d", "--for", "1s", check=False)
    assert refused.returncode == 3 and "nope" in refused.stderr


def test_explain_says_the_guarantee(tmp_path):
    text = run("explain", ROOT / "examples" / "users.yaml").stdout
    assert "exactly-once" in text and "weakest link" in text and "decode" in text


def test_topics(server):
    assert server.json("topic", "create", "extra", "--partitions", "3")["partitions"] == 3
    assert server.command("topic", "create", "extra", check=False).returncode == 1
    assert server.command("topic", "create", "../x", check=False).returncode == 1
    server.command("topic", "create", "__")
    assert server.command("topic", "delete", "..", check=False).returncode == 1
    server.command("topic", "delete", "__")
    for name in ("T", "dead_letters", "k.t"):
        assert server.command("topic", "create", name, check=False).returncode == 1, name
    batches = server.produce("extra", ["k1:a", "k2:b", "k1:"], key_separator=":")
    assert sum(b["count"] for b in batches) == 3
    records = server.sql("SELECT _key, _value, _partition FROM extra ORDER BY _key, _offset")
    assert [(r["_key"], r["_value"]) for r in records] == [("k1", "a"), ("k1", ""), ("k2", "b")]
    assert records[0]["_partition"] == records[1]["_partition"]
    tail = server.command("topic", "tail", "extra", "-n", "2", "-o", "json").stdout.splitlines()
    assert len(tail) == 2 and {"topic", "partition", "offset", "timestamp", "key", "value"} <= set(json.loads(tail[0]))
    assert server.json("topic", "truncate", "extra")["deleted_records"] == 3
    assert server.sql("SELECT count(*) AS n FROM extra") == [{"n": 0}]
    server.json("topic", "delete", "extra")
    assert "extra" not in [t["topic"] for t in server.json("topic", "list")]
    refused = server.command("topic", "delete", "t", check=False)
    assert refused.returncode == 1 and "query q" in refused.stderr


def test_empty_line_is_an_empty_value(server):
    server.command("topic", "create", "lines")
    server.command("topic", "produce", "lines", input="a\n\nb\n")
    server.command("topic", "produce", "lines", "--key-separator", ":", input="k:c\n\n")
    rows = server.sql("SELECT _key, _value FROM lines ORDER BY _offset")
    assert [(r["_key"], r["_value"]) for r in rows] == [(None, "a"), (None, ""), (None, "b"), ("k", "c"), (None, "")]


def test_sql_shapes(server):
    rows = server.sql("SELECT 9007199254740993 AS big, 1.50::decimal(10,2) AS d, TIMESTAMPTZ '2026-01-01 02:00:00+02' AS t, '\\xAA'::blob AS b, NULL AS n, [1,2] AS l, 12 AS i")
    assert rows == [{"big": "9007199254740993", "d": "1.50", "t": "2026-01-01T00:00:00Z", "b": "qg==", "n": None, "l": [1, 2], "i": 12}]
    lines = server.command("sql", "-o", "json", input="SELECT 1 AS a\nSELECT 2 AS a\n").stdout.splitlines()
    assert [json.loads(line) for line in lines if line] == [[{"a": 1}], [{"a": 2}]]
    for refused in ("SELECT * FROM read_csv('/etc/passwd')", "COPY (SELECT 1) TO '/tmp/x'", "ATTACH '/tmp/x.db'", "INSTALL httpfs", "CREATE TABLE x(a int)", "SELECT * FROM nope"):
        done = server.command("sql", refused, check=False)
        assert done.returncode == 1 and done.stderr, refused
    did = server.command("sql", "SELECT * FROM tt", check=False)
    assert "tt" in did.stderr


def test_http_api(server):
    status, body = server.http("POST", "/v1/topics/t/records", b'[{"id": 1, "v": "x"}, {"id": 2}]')
    assert status == 200 and sum(b["count"] for b in json.loads(body)) == 2
    status, body = server.http("POST", "/v1/sql", json.dumps({"sql": "SELECT 1 AS one"}).encode())
    assert (status, json.loads(body)) == (200, [{"one": 1}])
    assert server.http("GET", "/v1/tables/k.t/404")[0] == 404
    assert server.http("GET", "/livez")[0] == 200 and server.http("GET", "/readyz")[0] == 200
    metrics = server.http("GET", "/metrics")[1].decode()
    assert "millrace_stream_input_records_total" in metrics
    assert server.http("GET", "/v1/status", headers={"Authorization": "Bearer wrong"})[0] == 401
    assert server.http("GET", "/v1/status", headers={"Host": "evil.example"})[0] in (403, 421)
    assert server.http("POST", "/v1/topics/t/records", b"{}", headers={"Origin": "http://evil.example"})[0] == 403
    for wrong in (b'{"topic": "x", "partitions": "two"}', b'{"topic": "x", "sync": 5}', b'{"topic": "x", "retention_bytes": -1}', b'{"topic": "x", "colour": 1}'):
        assert server.http("POST", "/v1/topics", wrong)[0] == 400, wrong
    assert server.http("GET", "/v1/nothing")[0] == 404
    assert server.http("DELETE", "/v1/status")[0] == 405
    status, body = server.http("POST", "/v1/sql", b"SELEC 1", "text/plain")
    assert status == 400 and set(json.loads(body)) == {"code", "message", "hint"}


def test_listen_beyond_loopback_needs_insecure(server, tmp_path):
    done = run("run", server.file, "--data", tmp_path / "d", "--listen", "0.0.0.0:0", check=False)
    assert done.returncode == 2 and "--insecure" in done.stderr


def test_doctor_and_version(server):
    doctor = json.loads(run("doctor", "-o", "json", "--data", server.data).stdout)
    assert "log.before_sync" in [point["name"] for point in doctor["fault_points"]]
    assert run("version").stdout.startswith("millrace ")


def test_bad_fault_specification_is_refused():
    done = subprocess.run([BINARY, "version"], env={"MILLRACE_FAULTS": "no.such.point=exit"}, capture_output=True, text=True)
    assert done.returncode == 2 and "no.such.point" in done.stderr


def test_a_shell_at_rest_is_no_obstacle_to_the_server_that_starts_meanwhile():
    """Reading changes nothing, whoever else comes and goes: neither the files nor what the seal says of them."""
    pipeline = "name: beat\ndags: { d: { schedule: every 1s, start_date: 2026-01-01T00:00:00Z, tasks: { t: { exec: ['true'] } } } }\n"
    server = Server(pipeline)
    server.start()
    wait_until(lambda: server.json("dags", "runs", "d"), "the dag has run")
    assert server.stop() == 0
    shell = subprocess.Popen([BINARY, "sql", "--data", server.data], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    shell.stdin.write("SELECT 1 AS one;\n")
    shell.stdin.flush()
    shell.stdout.readline()  # it has the directory open
    runs = len(server.json("dags", "runs", "d"))
    server.start()
    wait_until(lambda: len(server.json("dags", "runs", "d")) > runs, "the dag has run again")
    assert server.stop() == 0
    shell.communicate(timeout=60)
    assert server.command("verify").returncode == 0
    server.start()
    assert server.stop() == 0
