"""The HTTP source against APIs that err or attack: each answer becomes records or a counted failure in words, and never holds up the process."""
import contextlib
import gzip
import json
import pathlib
import socket
import threading
import time

from millrace import Server, wait_until

TWO = b'{"results":[{"id":1},{"id":2}]}'


def answer(body, status=b"200 OK", headers=b"", length=None):
    return (b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\nConnection: close\r\n" + headers +
            b"Content-Length: %d\r\n\r\n" % (len(body) if length is None else length) + body)


def drip(client):
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(60):
        client.sendall(b"[")
        time.sleep(1)


def endless_header(client):
    client.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        client.sendall(b"X: " + b"a" * 1000 + b"\r\n")


def a_gigabyte(client):
    client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(1024):
        client.sendall(b"100000\r\n" + b" " * (1 << 20) + b"\r\n")


# What the API answers, and what `status` says of it then.
BAD = {
    "html": (answer(b"<!doctype html><p>maintenance"), "HTML or XML, not JSON"),
    "empty": (answer(b""), "an empty body"),
    "no_content": (b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", "answered 204 with an empty body"),
    "cut_body": (answer(TWO, length=1000), "bytes remaining to read"),
    "short_length": (answer(TWO, length=5), "what is not JSON"),
    "negative_length": (answer(TWO, length=-5), "Content-Length"),
    "cut_json": (answer(TWO[:-3]), "what is not JSON"),
    "deep": (answer(b"[" * 100_000), "nests deeper than 128 levels"),
    "not_utf8": (answer(b'{"results":[{"id":"\xff"}]}'), "not UTF-8"),
    "utf16": (answer(TWO.decode().encode("utf-16")), "UTF-16"),
    "lines": (answer(b'{"id":1}\n{"id":2}\n'), "one JSON value a line"),
    "gzip_bomb": (answer(gzip.compress(b" " * (200 << 20), 1), headers=b"Content-Encoding: gzip\r\n"), "larger than 67108864 bytes"),
    "gzip_lie": (answer(b"plain", headers=b"Content-Encoding: gzip\r\n"), "unencoding"),
    "coding": (answer(TWO, headers=b"Content-Encoding: foo\r\n"), "content encoding"),
    "gigabyte": (a_gigabyte, "larger than 67108864 bytes"),
    "endless_header": (endless_header, "header is too long"),
    "drip": (drip, "no whole answer within 2s"),
    "loop": (answer(b"", b"302 Found", b"Location: /loop\r\n"), "more than 5 redirects"),
    "to_file": (answer(b"", b"302 Found", b"Location: file:///etc/passwd\r\n"), "neither http nor https"),
    "to_gopher": (answer(b"", b"302 Found", b"Location: gopher://127.0.0.1/\r\n"), "neither http nor https"),
    "not_http": (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP"),
    "hangs_up": (b"", "Empty reply"),
    "years": (answer(b"", b"503 Busy", b"Retry-After: 99999999999999999999\r\n"), "answered 503, asked again after 5m"),
    "in_9999": (answer(b"", b"429 Slow", b"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n"), "answered 429, asked again after 5m"),
    "negative_pause": (answer(b"", b"503 Busy", b"Retry-After: -5\r\n"), "failed twice (last: answered 503)"),
    "no_match": (answer(b'{"error":"later"}'), "'$.results[*]' finds no list"),
    "object": (answer(b'{"results":{"id":1}}'), "'$.results[*]' finds no list"),
    "terminal": (answer(b"\x1b[2Jboom", b"500 X"), "answered 500:  [2Jboom"),
}
GOOD = {
    "mark": (answer(b"\xef\xbb\xbf" + TWO), 2),
    "zipped": (answer(gzip.compress(TWO), headers=b"Content-Encoding: gzip\r\n"), 2),
    "none": (answer(b'{"results":[]}'), 0),
    "no_list": (answer(b'{"results":null}'), 0),
}


class Api:
    """Answers GET /name with what stands under the name: bytes, or a function of the socket."""

    def __init__(self, answers):
        self.answers = answers
        self.asked = dict.fromkeys(answers, 0)
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self.socket.accept()[0],), daemon=True).start()

    def _serve(self, client):
        with client, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                piece = client.recv(65536)
                if not piece:
                    return
                request += piece
            name = request.split(b" ")[1].split(b"?")[0].decode().strip("/")
            self.asked[name] += 1
            found = self.answers[name]
            if callable(found):
                found(client)
            else:
                client.sendall(found)


def pipeline(api, names, every="1h"):
    text = "name: bad\ntopics:\n" + "".join(f'  t_{name}: {{ schema: "id int" }}\n' for name in names) + "sources:\n"
    for name in names:
        text += (f'  {name}: {{ http: {{ url: "http://user:hunter2@127.0.0.1:{api.port}/{name}?token=hunter2", records: "$.results[*]", '
                 f"timeout: 2s, retry: {{ attempts: 2, delay: 20ms }} }}, every: {every}, into: t_{name} }}\n")
    return text


def sources(server):
    status = json.loads(server.command("status", "-o", "json", check=False).stdout)
    return {source["source"]: source for source in status["sources"]}


def test_every_bad_answer_is_a_failure_in_words():
    with Api({name: given for name, (given, _) in {**BAD, **GOOD}.items()}) as api:
        with Server(pipeline(api, api.answers)) as server:
            wait_until(lambda: all(source["polls"] >= 1 for source in sources(server).values()), "every source has polled")
            seen = sources(server)
            for name, (_, words) in BAD.items():
                assert seen[name]["failed_polls"] == 1 and seen[name]["out"] == 0, name
                assert words in seen[name]["last_error"], (name, seen[name]["last_error"])
                assert f"source {name}: GET http://127.0.0.1:{api.port}/{name}" in server.log()
            for name, (_, records) in GOOD.items():
                assert (seen[name]["failed_polls"], seen[name]["out"]) == (0, records), (name, seen[name])
            assert "hunter2" not in server.log() + json.dumps(seen)
            metrics = server.http("GET", "/metrics")[1].decode()
            assert 'millrace_source_failed_polls_total{source="html"} 1\n' in metrics
            peak = int(pathlib.Path(f"/proc/{server.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]) >> 10
            assert peak < 1000


def test_an_api_that_fails_for_a_while_is_asked_again():
    failures = 7
    ids = iter(range(1, 1000))

    def sometimes(client):
        client.sendall(answer(b"", b"500 Sick") if api.asked["api"] <= failures else answer(b'{"results":[{"id":%d}]}' % next(ids)))

    with Api({"api": sometimes}) as api, Server(pipeline(api, ["api"], every="50ms")) as server:
        wait_until(lambda: sources(server)["api"]["out"] >= 3, "records come in again")
        seen = sources(server)["api"]
        assert seen["failed_polls"] == failures // 2 and "answered 500" in seen["last_error"]  # two requests each; the last one's second succeeds
        wait_until(lambda: f"answers again, after {failures // 2} failed polls" in server.log(), "the log says that it is over")
        assert server.log().count("warning ingest: source api: ") == 1
        assert [row["id"] for row in server.sql("SELECT id FROM t_api ORDER BY _offset LIMIT 3")] == [1, 2, 3]
