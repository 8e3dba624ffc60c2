"""Bad records: every one ends as a row, a dead letter with its bytes, or a request refused in words; nothing is lost and memory stays bounded."""
import base64
import json
import pathlib
import select
import socket

import pytest

from millrace import Server, wait_until

PIPELINE = """
name: bad
topics:
  events: { partitions: 2, schema: "id bigint, name text, n double, d decimal(10,2)" }
queries:
  q: { into: app.events, sql: "SELECT id, name, n, d FROM events" }
tables:
  app.events: { partition_key: [id] }
"""

DEEP = 100_000
GOOD = {
    b'{"id":1,"name":"x","n":1.5}': {"id": 1, "name": "x", "n": 1.5, "d": None},
    b'{"id":2,"name":"first","name":"last"}': {"id": 2, "name": "last", "n": None, "d": None},  # of equal names the last counts
    b'{"id":9223372036854775807}': {"id": "9223372036854775807", "name": None, "n": None, "d": None},
    b'{"id":3,"name":"\\ud83d\\ude00"}': {"id": 3, "name": "\U0001f600", "n": None, "d": None},
    b'{"id":4,"name":"a\\u0000b"}': {"id": 4, "name": "a\0b", "n": None, "d": None},
    b'{"id":5,"name":12345678901234567890123}': {"id": 5, "name": "12345678901234567890123", "n": None, "d": None},
    b'{"id":6' + b"".join(b',"k%d":1' % i for i in range(100_000)) + b"}": {"id": 6, "name": None, "n": None, "d": None},
}
DEAD = {
    b'{"id":2,"x":' + b"[" * DEEP + b"]" * DEEP + b"}": ("decode", "too_deep"),
    b'{"id":2,"x":' + b'{"a":' * DEEP + b"1" + b"}" * (DEEP + 1): ("decode", "too_deep"),
    b'{"id":3,"name":"\xff\xfe"}': ("decode", "not_utf8"),
    b'{"id":3,"name":"\xc0\xaf"}': ("decode", "not_utf8"),
    b'{"id":3,"name":"\xed\xa0\x80"}': ("decode", "not_utf8"),
    b'{"id":3,"name":"\\ud800"}': ("decode", "not_utf8"),
    b'{"id":9223372036854775808}': ("decode", "out_of_range"),
    b'{"id":-9223372036854775809}': ("decode", "out_of_range"),
    b'{"id":1.5}': ("decode", "type_mismatch"),
    b'{"id":1e3}': ("decode", "type_mismatch"),
    b'{"id":true}': ("decode", "type_mismatch"),
    b'{"id":"abc"}': ("decode", "type_mismatch"),
    b'{"id":7,"n":1e400}': ("decode", "out_of_range"),
    b'{"id":7,"d":123456789012.5}': ("decode", "out_of_range"),
    b'{"id":7,"n":NaN}': ("decode", "not_json"),
    b'{"id":7,"n":-Infinity}': ("decode", "not_json"),
    b'{"id":7,"name":"a\x00b"}': ("decode", "not_json"),
    b'{"id":7,"name":"a\tb"}': ("decode", "not_json"),
    b'\xef\xbb\xbf{"id":7}': ("decode", "not_json"),
    b'{"id":0x10}': ("decode", "not_json"),
    b'{"id":01}': ("decode", "not_json"),
    b'{"id":7,}': ("decode", "not_json"),
    b'{"id":7': ("decode", "not_json"),
    b'{"id":7} x': ("decode", "not_json"),
    b"<html><body>no</body></html>": ("decode", "not_json"),
    b"": ("decode", "empty"),
    b"   ": ("decode", "empty"),
    b"[1]": ("decode", "not_object"),
    b"null": ("decode", "not_object"),
    b'{"id":null}': ("sink", "bad_key"),
    b'{"name":"no id"}': ("sink", "bad_key"),
}


def peak_mib(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) >> 10


def text_of(value):
    """A value as the API shows it: text, or base64 where it is not UTF-8."""
    text = value["value"]
    return base64.b64decode(text[7:]) if text.startswith("base64:") else text.encode()


def balance(server):
    return server.json("query", "list")[0]["balance"]


def test_every_oddity_of_json_is_a_row_or_a_dead_letter():
    lines = list(GOOD) + list(DEAD)
    with Server(PIPELINE) as server:
        status, answer = server.http("POST", "/v1/topics/events/records", b"\n".join(lines) + b"\n", content_type="text/plain")
        assert status == 200 and sum(batch["count"] for batch in json.loads(answer)) == len(lines)
        wait_until(server.drained, "the query has seen all")
        rows = server.sql("SELECT id, name, n, d FROM app.events")
        assert sorted(map(str, rows)) == sorted(map(str, GOOD.values()))
        letters = json.loads(server.http("GET", "/v1/dead-letters?limit=1000")[1])
        assert {text_of(letter): (letter["stage"], letter["code"]) for letter in letters} == DEAD
        assert all(letter["topic"] == "events" and letter["partition"] in (0, 1) and letter["message"] for letter in letters)
        assert len({(letter["partition"], letter["offset"]) for letter in letters}) == len(DEAD)
        counts = balance(server)
        assert (counts["in"], counts["out"], counts["dead"]) == (len(lines), len(GOOD), len(DEAD))


def test_a_bad_json_body_is_refused_whole():
    with Server(PIPELINE) as server:
        for body in [b"", b"  ", b"<html>", b'{"id":1', b'[{"id":1},{"id":NaN}]', b"[" * DEEP, b'{"a":"\xff"}', b'{"a":"\\ud800"}',
                     b'\xef\xbb\xbf{"id":1}', '{"id":1}'.encode("utf-16")]:
            status, answer = server.http("POST", "/v1/topics/events/records", body)
            assert status == 400 and json.loads(answer)["message"], body[:40]
        assert server.http("POST", "/v1/topics/events/records", b"a,b\n", content_type="text/csv")[0] == 415
        assert server.sql("SELECT count(*) AS n FROM events") == [{"n": 0}]


def test_one_poison_record_among_many():
    count = 1_000_000
    with Server(PIPELINE) as server:
        for start in range(0, count, 200_000):
            lines = [b'{"id":%d,"name":"n"}' % i for i in range(start, start + 200_000)]
            if start == 400_000:
                lines[77_777] = b'{"id":477777,"name":'
            assert server.http("POST", "/v1/topics/events/records", b"\n".join(lines), content_type="text/plain")[0] == 200
        wait_until(server.drained, "the query has seen all")
        counts = balance(server)
        assert (counts["in"], counts["out"], counts["dead"]) == (count, count - 1, 1)
        letters = server.sql('SELECT CAST(value AS VARCHAR) AS v, topic, stage, code, partition, "offset" FROM dead_letters')
        assert [(letter["v"], letter["topic"], letter["stage"], letter["code"]) for letter in letters] == [
            ('{"id":477777,"name":', "events", "decode", "not_json")]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_a_gigabyte_is_refused_early(chunked):
    with Server(PIPELINE) as server:
        info = json.loads((server.data / "server.json").read_text())
        token = pathlib.Path(info["token_file"]).read_text().strip()
        before = peak_mib(server)
        with socket.create_connection(("127.0.0.1", int(info["url"].rsplit(":", 1)[1].strip("/")))) as client:
            length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {1 << 30}"
            client.sendall(f"POST /v1/topics/events/records HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
                           f"Content-Type: text/plain\r\n{length}\r\n\r\n".encode())
            sent = 0
            piece = b"x" * (1 << 20)
            while chunked and sent < 1 << 30 and not select.select([client], [], [], 0)[0]:
                client.sendall(b"%x\r\n" % len(piece) + piece + b"\r\n")
                sent += len(piece)
            assert b" 413 " in client.recv(200)
        assert sent < 200 << 20  # far less than was announced
        assert peak_mib(server) - before < 300
        assert server.http("GET", "/livez")[0] == 200


def test_a_record_of_the_largest_size_is_a_row_or_a_dead_letter():
    with Server(PIPELINE) as server:
        large = b'{"id":1,"name":"%s"}' % (b"x" * (40 << 20))
        status, answer = server.http("POST", "/v1/topics/events/records", large + b'\n{"id":2}', content_type="text/plain")
        if status == 200:
            wait_until(server.drained, "the query has seen both")
            counts = balance(server)
            assert counts["in"] == counts["out"] + counts["dead"] == 2
        else:
            assert status in (400, 413) and json.loads(answer)["message"]
        assert peak_mib(server) < 1500


def test_records_cannot_drive_a_terminal():
    with Server(PIPELINE) as server:
        server.http("POST", "/v1/topics/events/records", b'{"id":1,"name":"\\u001b[2J\\u009b31m\\u202e"}', headers={})
        server.http("POST", "/v1/topics/events/records", b"\x1b]0;owned\x07 \xc2\x9b2J not JSON", content_type="text/plain")
        wait_until(server.drained, "the query has seen both")
        letter = server.json("dead-letters", "list")[0]["id"]
        for args in [("topic", "tail", "events"), ("dead-letters", "list"), ("dead-letters", "show", letter), ("sql", "SELECT * FROM app.events"),
                     ("sql", "SELECT value FROM dead_letters"), ("table", "get", "app.events", "1"), ("sql", "SELECT '\x1b[2J' FROM nothing_here"),
                     ("topic", "describe", "\x1b[2J")]:
            done = server.command(*args, check=False)
            for bad in ("\x1b", "\x07", "\x9b", "\u202e"):
                assert bad not in done.stdout + done.stderr, (args, done.stdout, done.stderr)


def test_numbers_of_the_command_line():
    with Server(PIPELINE) as server:
        server.produce("events", ['{"id":1}'])
        for args in [("query", "reset", "q", "--from", "-5"), ("query", "reset", "q", "--from", "99999999999999999999"),
                     ("query", "reset", "q", "--from", "yesterday"), ("topic", "tail", "events", "--from", "-1"),
                     ("topic", "tail", "events", "-n", "99999999999999999999"), ("topic", "tail", "events", "-n", "0"),
                     ("topic", "create", "t", "-p", "0"), ("topic", "create", "t", "-p", "4294967297"),
                     ("topic", "create", "t", "--retention-bytes", "-1"), ("topic", "create", "t", "--retention-time", "-5s"),
                     ("topic", "create", "t", "--retention-time", "99999999999999d"), ("dead-letters", "list", "-n", "-1"),
                     ("topic", "create", "../t"), ("topic", "create", "a/b"), ("topic", "create", "x" * 300), ("topic", "create", "")]:
            done = server.command(*args, check=False)
            assert done.returncode in (1, 2) and done.stderr, (args, done)
        assert [topic["topic"] for topic in server.json("topic", "list")] == ["events"]
        assert server.json("query", "list")[0]["state"] == "running"
