"""SQL that wants the host, all memory or all time dies alone; a record that kills the process is found and put aside."""
import json
import re
import threading

import pytest
from millrace import Server, run, wait_until

PIPELINE = """
name: limits
topics:
  events: { partitions: 2, schema: "id bigint, n bigint" }
queries:
  q: { into: t.events, sql: "SELECT id, n FROM events" }
tables:
  t.events: { partition_key: [id] }
"""

# What SQL could reach the machine, the settings or other data by.
REACHING = [
    "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_csv_auto('/etc/passwd')", "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')", "SELECT * FROM read_json('/etc/passwd')", "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'", "SELECT * FROM '/etc/passwd.csv'", "SELECT * FROM glob('/*')", "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM duckdb_secrets()", "SELECT * FROM duckdb_settings()", "SELECT * FROM pragma_database_list()",
    "SELECT * FROM information_schema.tables", "SELECT * FROM sqlite_master", "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('events')", "SELECT * FROM parquet_metadata('x')", "SELECT * FROM which_secret('s3://x', 's3')",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))", "SELECT 1 WHERE EXISTS (FROM glob('/*'))",
    "WITH x AS (FROM read_text('/etc/passwd')) FROM x", "SELECT getenv('PATH')", "COPY (SELECT 1) TO '/tmp/millrace-copied'",
    "COPY t.events FROM '/etc/passwd'", "EXPORT DATABASE '/tmp/millrace-exported'", "IMPORT DATABASE '/tmp/x'",
    "ATTACH '/tmp/millrace-attached.db'", "DETACH memory", "INSTALL httpfs", "LOAD httpfs", "PRAGMA database_list", "PRAGMA threads=4",
    "SET threads = 4", "SET enable_external_access = true", "RESET threads", "CALL pragma_version()", "CREATE TABLE x AS SELECT 1",
    "CREATE MACRO f(x) AS x", "CREATE SECRET (TYPE s3)", "INSERT INTO t.events VALUES (1, 2)", "UPDATE t.events SET n = 1",
    "DELETE FROM t.events", "DROP TABLE t.events", "USE memory", "CHECKPOINT", "SELECT 1; SELECT 2",
    "SELECT 1; COPY (SELECT 1) TO '/tmp/millrace-copied'", "EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/millrace-copied'",
]

GREEDY = [
    "SELECT length(format('{:>2000000000}', 'x'))", "SELECT length(printf('%2000000000d', 1))",
    "SELECT length(repeat('x', (2000000000 + i)::BIGINT)) FROM range(2048) t(i)", "SELECT len(range(1000000000 + i)) FROM range(9) t(i)",
    "SELECT list_transform(range(100000), lambda x: range(100000))", "SELECT list(repeat('x', 100000)) FROM range(1000000)",
    "WITH RECURSIVE t(a, n) AS (SELECT 'x', 0 UNION ALL SELECT a || a, n + 1 FROM t WHERE n < 40) SELECT max(length(a)) FROM t",
    "SELECT repeat(i::VARCHAR, 10000) AS k, count(*) FROM range(1000000) t(i) GROUP BY k",
    "SELECT count(*) FROM range(100000000) a(i) JOIN range(100000000) b(j) ON i = j",
]


@pytest.fixture(scope="module")
def server():
    with Server(PIPELINE) as running:
        yield running


def answer(server, statement):
    """The status and the message."""
    status, body = server.http("POST", "/v1/sql", json.dumps({"sql": statement}).encode())
    return status, body.decode(errors="replace")


def is_well(server):
    status, body = answer(server, "SELECT 41 + 1 AS n")
    return status == 200 and "42" in body


def peak_mib(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) // 1024


def test_sql_does_not_reach_the_host(server):
    for statement in REACHING:
        status, body = answer(server, statement)
        assert 400 <= status < 500, (statement, status, body)
        assert "root:" not in body and json.loads(body), statement
    assert is_well(server)
    done = run("sql", "SELECT * FROM read_text('/etc/passwd')", "--data", server.data, check=False)
    assert done.returncode == 1 and "not available" in done.stderr


@pytest.mark.parametrize("text", ["SELECT id, (SELECT content FROM read_text('/etc/passwd')) AS n FROM events", "COPY events TO '/tmp/x'",
                                  "SELECT id, getenv('PATH') AS n FROM events", "SELECT id, n FROM read_csv('/etc/passwd')",
                                  "SELECT id, n FROM events; COPY events TO '/tmp/x'"])
def test_a_pipeline_does_not_reach_the_host(tmp_path, text):
    file = tmp_path / "p.yaml"
    file.write_text(PIPELINE.replace('"SELECT id, n FROM events"', json.dumps(text)))
    assert run("check", file, check=False).returncode == 3


@pytest.mark.parametrize("place", ['partitions: 2, contract: { c: EXPRESSION }', 'partitions: 2, event_time: EXPRESSION'])
@pytest.mark.parametrize("text", ["(SELECT content FROM read_text('/etc/passwd')) = 'x'", "getenv('PATH') = 'x'", "true); COPY events TO '/tmp/x'; ("])
def test_expressions_of_a_topic_do_not_reach_the_host(tmp_path, place, text):
    file = tmp_path / "p.yaml"
    file.write_text(PIPELINE.replace("partitions: 2", place.replace("EXPRESSION", json.dumps(text))).replace("SELECT id, n", "SELECT id, n, event_time AS e"))
    assert run("check", file, check=False).returncode == 3


def test_a_greedy_statement_ends_with_the_limit_and_the_process_lives(server):
    for statement in GREEDY:
        status, body = answer(server, statement)
        assert status >= 400 and "memory" in body, (statement, status, body)
        assert is_well(server)
    # 1 GiB for statements, a quarter of that beyond, and what the server itself has.
    assert peak_mib(server) < 1024 + 256 + 512


def test_greedy_statements_at_once_share_the_limit(server):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(answer(server, GREEDY[5]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4 and all(status >= 400 and "memory" in body for status, body in answers), answers
    assert is_well(server)
    assert peak_mib(server) < 1024 + 4 * 256 + 512


def chained(count, link):
    return "SELECT 1 AS a0, " + ", ".join(link.replace("B", f"a{i}") + f" AS a{i + 1}" for i in range(count))


def test_text_that_is_too_much_is_refused(server):
    deep = 10_000
    for statement in ["SELECT '" + "x" * 10_000_000 + "'", "SELECT " + "(" * deep + "1" + ")" * deep, "SELECT " + "abs(" * deep + "1" + ")" * deep,
                      "SELECT " + "CASE WHEN true THEN " * deep + "1" + " END" * deep, "SELECT " + "NOT " * deep + "true",
                      "SELECT * FROM " + "(SELECT * FROM " * deep + "t.events" + ")" * deep, "SELECT " + "- " * deep + "1",
                      "WITH " + ", ".join(f"c{i} AS (SELECT 1)" for i in range(deep)) + " SELECT 1",
                      "SELECT 1 FROM t.events" + " JOIN t.events USING (id)" * deep, "SELECT 1 IN (" + ",".join(map(str, range(100_000))) + ")",
                      chained(100, "B + B"), chained(3000, "B + 1"), chained(40, "[B, B, B]"),
                      "SELECT " + "[" * deep + "]" * deep, "SELECT 1" + " UNION SELECT 1" * deep]:
        status, body = answer(server, statement)
        assert 400 <= status < 500, (statement[:60], status, body[:200])
        assert is_well(server), statement[:60]


def test_numbers_overflow_into_errors_or_wider_types(server):
    for statement in ["SELECT CAST(300 AS TINYINT)", "SELECT 9223372036854775807::BIGINT + 1::BIGINT", "SELECT CAST('x' AS INTEGER)",
                      "SELECT DATE '294246-01-01' + INTERVAL 100000000 YEAR", "SELECT 1 LIMIT -1", "SELECT 1 OFFSET -1", "SELECT 1e400",
                      "SELECT CAST(1e300 AS BIGINT)", "SELECT INTERVAL 9223372036854775807 MONTH", "SELECT CAST(99999 AS DECIMAL(4, 0))"]:
        status, body = answer(server, statement)
        assert 400 <= status < 500, (statement, status, body)
    # SUM of BIGINT is HUGEINT, which is a string beyond 2^53; an INTEGER literal that does not fit is the next wider type.
    assert server.sql("SELECT sum(x) AS s FROM (VALUES (9223372036854775807), (9223372036854775807)) AS v(x)") == [{"s": "18446744073709551614"}]
    assert server.sql("SELECT 2147483648 AS n") == [{"n": 2147483648}]


VALUES = ['{"id": %d, "n": 1}' % i for i in range(200)]


def deaths_until_up(faults, limit):
    """Starts the server again and again while one record ends it; the number of ends and the server that runs on."""
    pipeline = PIPELINE.replace("partitions: 2", "partitions: 1")
    server = Server(pipeline[:pipeline.index("queries:")])
    server.start()
    server.produce("events", VALUES)
    assert server.stop() == 0
    server.file.write_text(pipeline)
    for deaths in range(limit + 1):
        server.start(faults=faults, ready=False)
        wait_until(lambda: server.process.poll() is not None or is_drained(server), "an end, or the work done")
        if server.process.poll() is None:
            break
    return deaths, server


def is_drained(server):
    """The process can end at any moment."""
    try:
        return server.is_ready() and server.drained()
    except AssertionError:
        return False


@pytest.mark.parametrize("action, deaths_expected", [("abort", 2), ("exit", 4)])
def test_a_record_that_kills_the_process_becomes_a_dead_letter(action, deaths_expected):
    deaths, server = deaths_until_up(f"stream.decode={action},path=events/0/42/", 6)
    try:
        assert deaths == deaths_expected
        letters = server.json("dead-letters", "list")
        assert [(letter["stage"], letter["code"], letter["offset"], letter["value"]) for letter in letters] == [("process", "crashed", 42, VALUES[42])]
        assert server.sql("SELECT count(*) AS n FROM t.events") == [{"n": 199}]
        edge = server.json("status")["edges"][0]
        assert edge["in"] == 200 and edge["out"] == 199 and edge["dead"] == 1
        server.produce("events", ['{"id": 1000, "n": 1}'])
        wait_until(server.drained, "the query goes on")
        assert server.stop() == 0
    finally:
        server.kill()
        server.folder.cleanup()
