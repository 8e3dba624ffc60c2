"""Files, the standard output and webhooks behind a query: each row arrives as promised, through kills; nothing secret is ever said."""
import collections
import contextlib
import http.server
import json
import re
import threading

import duckdb
import pytest

from millrace import Server, run, wait_until

SCHEMA = "id bigint, name text, amount decimal(12,2), moment timestamptz"


def pipeline(connections, queries, partitions=2):
    """Queries are `name: (into, sql)`."""
    text = "name: outputs\nconnections:\n" + "".join(f"  {name}: {json.dumps(one)}\n" for name, one in connections.items())
    text += f'topics:\n  events: {{ partitions: {partitions}, schema: "{SCHEMA}" }}\nqueries:\n'
    for name, (into, sql) in queries.items():
        text += f"  {name}:\n    into: {into}\n    sql: |\n      {sql}\n"
    return text


def events(begin, end):
    names = ['plain', 'a,b', 'say "x"', 'two\nlines', 'Zoë Ünï', '', None]
    return [json.dumps({"id": i, "name": names[i % 7], "amount": f"{i}.25", "moment": "2026-01-01T00:00:00.5Z"}) for i in range(begin, end)]


# Files

ALL = "SELECT id, name, amount, moment FROM events"
FILES = pipeline({"lines": {"url": "file:./lines", "options": {"rotate_bytes": "20kB"}},
                  "cells": {"url": "file:cells", "options": {"format": "csv", "rotate_bytes": "20kB"}},
                  "columns": {"url": "file:./columns/", "options": {"format": "parquet", "rotate_bytes": "20kB"}}},
                 {"to_lines": ("lines.events", ALL), "to_cells": ("cells.events", ALL), "to_columns": ("columns.events", ALL),
                  "to_table": ("t.events", ALL)}) + "tables:\n  t.events: { partition_key: [id] }\n"
READERS = {"lines": "read_json('{}/*.jsonl', format = 'newline_delimited', columns = {{id: 'BIGINT', name: 'VARCHAR', amount: 'DECIMAL(12,2)', "
                    "moment: 'TIMESTAMPTZ'}})",
           "cells": "read_csv('{}/*.csv', header = true, nullstr = '', allow_quoted_nulls = false, columns = {{id: 'BIGINT', name: 'VARCHAR', "
                    "amount: 'DECIMAL(12,2)', moment: 'TIMESTAMPTZ'}})",
           "columns": "read_parquet('{}/*.parquet')"}


def rows_in_files(folder):
    shown = "id, name, amount::varchar, epoch_us(moment)"
    return duckdb.sql(f"SELECT {shown} FROM {READERS[folder.name].format(folder)} ORDER BY id").fetchall()


def test_files_hold_the_rows_of_the_table_once():
    with Server(FILES) as server:
        server.produce("events", events(0, 50))
        wait_until(server.drained, "every file has its first rows")
        server.produce("events", events(50, 200))
        server.kill()  # somewhere in the work
        for begin, faults in ((1000, "file_sink.before_commit=exit,after=2"), (2000, "file_sink.before_rename=exit,after=1"),
                              (3000, "file_sink.before_remove=exit")):
            server.start(faults=faults, ready=False)
            with contextlib.suppress(AssertionError, OSError):  # it ends under way
                wait_until(server.is_ready, "the server is ready")
                server.produce("events", events(begin, begin + 500))
            wait_until(lambda: server.process.poll() is not None, f"it ends at {faults}")
            assert server.process.returncode == 137
        server.start()
        server.produce("events", events(9000, 9200))
        wait_until(server.drained, "the queries have caught up")
        table = server.sql("SELECT id, name, amount, moment FROM t.events ORDER BY id")
        count = server.sql("SELECT count(*) AS n FROM events")[0]["n"]
        assert server.stop() == 0
        expected = [(row["id"], row["name"], f"{row['id']}.25", 1767225600500000) for row in table]
        assert len(expected) == count >= 400
        for name, end in (("lines", ".jsonl"), ("cells", ".csv"), ("columns", ".parquet")):
            folder = server.file.parent / name
            files = sorted(path.name for path in folder.iterdir())
            assert len(files) > 1, f"{name} are rotated"
            assert files == [f"events-{i + 1:06}{end}" for i in range(len(files))], "a clean stop completes every file"
            assert rows_in_files(folder) == expected, name


def test_a_second_writer_of_a_file_is_refused(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text(pipeline({"out": {"url": "file:./out"}}, {"a": ("out.events", ALL), "b": ("out.events", ALL)}))
    checked = run("check", file, check=False)
    assert checked.returncode == 3 and "two-writers" in checked.stdout + checked.stderr


FAULTS = {"escape": ({"url": "file:./out"}, "out.../evil", "bad-name", "name"),
          "folder": ({"url": "file:./out"}, "out.a/b", "bad-name", "name"),
          "no_directory": ({"url": "file:"}, "out.a", "bad-url", "file:./out"),
          "file_option": ({"url": "file:./out", "options": {"rotate_byte": "1kB"}}, "out.a", "bad-url", "rotate_bytes"),
          "file_format": ({"url": "file:./out", "options": {"format": "parket"}}, "out.a", "bad-url", "json, csv, parquet"),
          "stdout_option": ({"url": "stdout:", "options": {"format": "csv"}}, "out.a", "bad-url", "JSON lines"),
          "webhook_option": ({"url": "http://127.0.0.1/", "options": {"row_max": "1"}}, "out.a", "bad-url", "rows_max"),
          "webhook_header": ({"url": "http://127.0.0.1/", "options": {"header.Idempotency-Key": "1"}}, "out.a", "bad-url", "set by millrace"),
          "webhook_auth": ({"url": "http://127.0.0.1/", "options": {"auth.basic.user": "me"}}, "out.a", "bad-url", "auth.basic.password"),
          "scheme": ({"url": "ftp://127.0.0.1/"}, "out.a", "bad-url", "stdout")}


@pytest.mark.parametrize("case", FAULTS)
def test_check_finds_what_a_connection_cannot_be(case, tmp_path):
    connection, into, code, remedy = FAULTS[case]
    file = tmp_path / "p.yaml"
    file.write_text(pipeline({"out": connection}, {"q": (into, ALL)}))
    checked = run("check", file, "-o", "json", check=False)
    assert checked.returncode == 3
    faults = [json.loads(line) for line in checked.stdout.splitlines()] if checked.stdout.startswith('{"') else json.loads(checked.stdout)
    text = json.dumps(faults)
    assert code in text and remedy in text
    assert not (tmp_path / "out").exists()


# The standard output

def test_rows_go_to_stdout_and_words_to_stderr(tmp_path):
    (tmp_path / "in.jsonl").write_text("".join(line + "\n" for line in events(0, 300)))
    file = tmp_path / "p.yaml"
    file.write_text(pipeline({"print": {"url": "stdout:"}}, {"q": ("print.events", "SELECT id, name FROM events WHERE id % 3 = 0")}) +
                    "sources:\n  s: { file: { path: in.jsonl, follow: false }, into: events }\n")
    done = run("run", file, "--data", tmp_path / "d", "--for", "2s")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(row["id"] for row in rows) == list(range(0, 300, 3))
    assert all(set(row) == {"id", "name"} for row in rows)
    assert "pipeline outputs runs" in done.stderr and '{"id"' not in done.stderr


# Webhooks

class Receiver:
    """An HTTP server that keeps what it was sent; `answer(rows)` is the status of each request."""

    def __init__(self, answer):
        self.taken = []   # (path, key, body) answered with 200
        self.seen = collections.defaultdict(set)  # the bodies of each key, whatever was answered
        self.headers = []
        self.lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                key = self.headers["Idempotency-Key"]
                status = answer(json.loads(body))
                with receiver.lock:
                    receiver.seen[key].add(body)
                    receiver.headers.append(dict(self.headers))
                    if status == 200:
                        receiver.taken.append((self.path, key, body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class HttpServer(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):  # who is killed says no goodbye
                pass

        self.server = HttpServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def ids(self):
        with self.lock:
            return collections.Counter(row["id"] for _, _, body in self.taken for row in json.loads(body))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_a_webhook_gets_every_row_and_equal_keys_have_equal_bodies():
    down = threading.Event()
    refused = []

    def answer(rows):
        if down.is_set():
            refused.append(len(rows))
        return 503 if down.is_set() else 200

    with Receiver(answer) as receiver:
        text = pipeline({"hook": {"url": receiver.url + "/in/{name}", "options": {"rows_max": "40"}}}, {"q": ("hook.events", ALL)}, partitions=1)
        with Server(text) as server:
            server.produce("events", events(0, 100))
            wait_until(lambda: len(receiver.ids()) == 100, "100 rows have arrived")
            down.set()
            server.produce("events", events(100, 130))
            wait_until(lambda: len(refused) > 1, "a request was tried again")
            server.produce("events", events(130, 300))  # the epoch that is tried again goes further
            server.kill()
            server.start()
            before = len(refused)
            wait_until(lambda: len(refused) > before, "the new process has asked")
            down.clear()
            wait_until(lambda: len(receiver.ids()) == 300, "all rows have arrived")
            for begin in (300, 600, 900):
                server.produce("events", events(begin, begin + 300))
                server.kill()
                server.start()
            wait_until(lambda: len(receiver.ids()) == 1200, "all rows have arrived")
            wait_until(server.drained, "the query has caught up")
            assert server.stop() == 0
    assert set(receiver.ids()) == set(range(1200))
    assert all(len(bodies) == 1 for bodies in receiver.seen.values())
    assert all(re.fullmatch(r"outputs/q/0/\d+\.0-\d+\.0/[0-9a-f]{16}", key) for key in receiver.seen)
    assert {path for path, _, _ in receiver.taken} == {"/in/events"}
    # What a receiver has that remembers keys, also if each 503 was an answer that was lost behind it.
    once = collections.Counter(row["id"] for bodies in receiver.seen.values() for body in bodies for row in json.loads(body))
    assert set(once.values()) == {1}


def test_a_row_that_is_refused_alone_is_a_dead_letter():
    with Receiver(lambda rows: 400 if rows[0]["id"] == 13 else 200) as receiver:
        text = pipeline({"hook": {"url": receiver.url, "options": {"rows_max": "1"}}}, {"q": ("hook.events", ALL)})
        with Server(text) as server:
            server.produce("events", events(0, 30))
            wait_until(server.drained, "the query has caught up")
            letters = server.sql("SELECT value, code, message FROM dead_letters WHERE query = 'q'")
    assert set(receiver.ids()) == set(range(30)) - {13}
    assert [(json.loads(letter["value"])["id"], letter["code"]) for letter in letters] == [(13, "http_400")]
    assert "answered 400" in letters[0]["message"]


# Secrets

def test_no_secret_is_ever_said(tmp_path):
    secrets = {"PASSWORD": "pw-Oov7eeBe", "TOKEN": "tok-Ahth4iech", "HEADER": "hd-uuSae6ie", "QUERY": "qy-Xo8ahqu4"}
    (tmp_path / "token").write_text(secrets["TOKEN"] + "\n")
    (tmp_path / "header").write_text(secrets["HEADER"] + "\n")
    with Receiver(lambda rows: 401) as receiver:
        url = receiver.url.replace("http://", f"http://me:{secrets['PASSWORD']}@") + f"/in?key={secrets['QUERY']}"
        text = pipeline({"hook": {"url": url, "options": {"auth.bearer": f"${{file:{tmp_path}/token}}",
                                                          "header.X-Api-Key": f"${{file:{tmp_path}/header}}"}},
                         "nobody": {"url": f"http://me:{secrets['PASSWORD']}@127.0.0.1:1/?key={secrets['QUERY']}"}},
                        {"q": ("hook.events", ALL), "r": ("nobody.events", ALL)})
        with Server(text) as server:
            server.produce("events", events(0, 10))
            wait_until(lambda: receiver.headers, "the receiver was asked")
            wait_until(lambda: "answered 401" in server.log() and "127.0.0.1:1" in server.log(), "both failures are in the log")
            said = [server.command(*words, check=False) for words in (
                ("status",), ("status", "-o", "json"), ("query", "list", "-o", "json"), ("query", "why-empty", "q"),
                ("sql", "SELECT * FROM dead_letters"), ("doctor",), ("check", server.file), ("explain", server.file), ("apply", server.file))]
            texts = [done.stdout + done.stderr for done in said] + [server.http("GET", "/metrics")[1].decode(), server.log()]
            server.file.write_text(text.replace("auth.bearer", "auth.bear"))
            bad = run("check", server.file, check=False)
            texts.append(bad.stdout + bad.stderr)
            assert bad.returncode == 3
    assert receiver.headers[0]["Authorization"] == f"Bearer {secrets['TOKEN']}"
    assert receiver.headers[0]["X-Api-Key"] == secrets["HEADER"]
    for name, secret in secrets.items():
        assert not [said for said in texts if secret in said], name
