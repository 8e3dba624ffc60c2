"""The HTTP API against clients that err or attack: each gets a refusal in words, none harms the others, and nothing is smuggled."""
import gzip
import json
import pathlib
import socket

from millrace import Server, wait_until

PIPELINE = 'name: bad\ntopics: { events: { schema: "id bigint" } }\n'
POST = "POST /v1/topics/events/records HTTP/1.1\r\n"


class Door:
    """The server's socket, and a sound header for it."""

    def __init__(self, server):
        info = json.loads((server.data / "server.json").read_text())
        self.port = int(info["url"].rsplit(":", 1)[1].strip("/"))
        self.token = pathlib.Path(info["token_file"]).read_text().strip()
        self.sound = f"Host: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.token}\r\n"

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def ask(self, request):
        """All answers up to the end of the connection, which the server has to close."""
        with self.connect() as client:
            client.sendall(request if isinstance(request, bytes) else request.encode("latin-1"))
            answer = b""
            while piece := client.recv(65536):
                answer += piece
            return answer


def statuses(answer):
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def test_what_is_not_sound_http_is_refused_and_the_connection_closed():
    with Server(PIPELINE) as server:
        door = Door(server)
        get, head = f"GET /livez HTTP/1.1\r\n{door.sound}", f"{POST}{door.sound}Content-Type: text/plain\r\n"
        inner = f"DELETE /v1/topics/events HTTP/1.1\r\n{door.sound}Connection: close\r\n\r\n"
        cases = [
            (400, "GET /livez\r\n"), (505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), (505, f"GET /livez HTTP/1.2\r\n{door.sound}\r\n"),
            (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), (400, f"GET /v1/\0x HTTP/1.1\r\n{door.sound}\r\n"),
            (400, f"GET /v1/topics/%00 HTTP/1.1\r\n{door.sound}\r\n"), (400, f"GET /v1/../etc HTTP/1.1\r\n{door.sound}\r\n"),
            (400, f"GET /v1/%2e%2E/etc HTTP/1.1\r\n{door.sound}\r\n"), (400, f"CONNECT a:80 HTTP/1.1\r\n{door.sound}\r\n"),
            (421, f"GET http://evil.example/livez HTTP/1.1\r\n{door.sound}\r\n"), (421, "GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
            (400, "GET /livez HTTP/1.1\r\n\r\n"), (400, f"{get}Host: localhost\r\n\r\n"), (400, "GET /livez HTTP/1.1\r\nHost: a@127.0.0.1\r\n\r\n"),
            (403, f"{get}Origin: http://evil.example\r\n\r\n"), (403, f"{get}Origin: null\r\n\r\n"),
            (401, "GET /v1/topics HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            (401, "GET /v1/topics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n\r\n"),
            (401, f"GET /v1/topics HTTP/1.1\r\n{door.sound}Authorization: Bearer x\r\n\r\n"),
            (431, f"{get}X: {'a' * 100_000}\r\n\r\n"), (431, get + "X: a\r\n" * 20_000 + "\r\n"),
            (431, f"GET /{'a' * 100_000} HTTP/1.1\r\n{door.sound}\r\n"), (400, f"GET /livez?{'a&' * 2000} HTTP/1.1\r\n{door.sound}\r\n"),
            (400, f"{get}X : a\r\n\r\n"), (400, f"{get}X: a\rb\r\n\r\n"), (400, f"{get}X: a\0b\r\n\r\n"), (400, f"{get}Content-Length: 5\r\n\r\nhello"),
            (400, f"{head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}{inner}"), (400, f"{head}Content-Length: 2, 2\r\n\r\n{{}}{inner}"),
            (400, f"{head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
            (400, f"{head}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n{inner}"),
            (400, f"{head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{inner}"), (400, f"{head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{inner}"),
            (400, f"{head}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{inner}"),
            (400, f"{head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{inner}"), (400, f"{head}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n{inner}"),
            (400, f"{head.replace('1.1', '1.0')}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
            (400, f"{head}Content-Length: -1\r\n\r\n{inner}"), (400, f"{head}Content-Length: +2\r\n\r\n{{}}{inner}"),
            (400, f"{head}Content-Length: 99999999999999999999999\r\n\r\n{inner}"), (413, f"{head}Content-Length: {1 << 40}\r\n\r\n{inner}"),
            (400, f"{head}Transfer-Encoding: chunked\r\n\r\n-2\r\n{{}}\r\n0\r\n\r\n{inner}"),
            (400, f"{head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{{}}\r\n{inner}"),
            (413, f"{head}Transfer-Encoding: chunked\r\n\r\nffffffff\r\n{{}}\r\n{inner}"), (400, f"{head}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}{{}}\r\n0\r\n\r\n{inner}"),
            (431, f"{head}Transfer-Encoding: chunked\r\n\r\n2;a={'x' * 200_000}\r\n{{}}\r\n0\r\n\r\n{inner}"),
            (431, f"{head}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n{'X: y' * 50_000}\r\n\r\n{inner}"),
            (415, f"{head}Content-Encoding: gzip\r\nContent-Length: 30\r\n\r\n".encode() + gzip.compress(b'{"id":1}') + inner.encode()),
            (401, f"{POST}Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\nAuthorization: Bearer {door.token}\r\n\r\n{inner}"),
        ]
        for status, request in cases:
            answer = door.ask(request)
            assert statuses(answer) == [status], (request[:300], answer[:300])
            assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["message"], request[:300]
        # Nothing of all that was taken, and the smuggled DELETE did not happen.
        assert server.sql("SELECT count(*) AS n FROM events") == [{"n": 0}]


def test_what_is_sound_is_answered():
    with Server(PIPELINE) as server:
        door = Door(server)
        close = f"{door.sound}Connection: close\r\n"
        record = f"{POST}{close}Content-Type: text/plain\r\n"
        for request, expected in [
                (f"GET /livez HTTP/1.0\r\n{door.sound}\r\n", [200]), (f"GET http://localhost/livez HTTP/1.1\r\n{close}\r\n", [200]),
                (f"GET /livez HTTP/1.1\r\n{door.sound}\r\nGET /readyz HTTP/1.1\r\n{close}\r\n", [200, 200]),
                (f"GET /v1/topics/a%2Fb HTTP/1.1\r\n{close}\r\n", [404]), (f"GET /v1/topics/..%2f..%2fetc HTTP/1.1\r\n{close}\r\n", [404]),
                (f"GET /v1/topics/a%252Fb HTTP/1.1\r\n{close}\r\n", [404]), (f"GET //v1//topics HTTP/1.1\r\n{close}\r\n", [404]),
                (f"FOO /v1/topics HTTP/1.1\r\n{close}\r\n", [405]),
                (f"GET /v1/topics/events HTTP/1.1\r\nX-HTTP-Method-Override: DELETE\r\n{close}\r\n", [200]),
                (f"{record}Content-Encoding: identity\r\nContent-Length: 8\r\n\r\n{{\"id\":1}}", [200]),
                (f"{record}Transfer-Encoding: chunked\r\n\r\n3\r\n{{\"i\r\n5;x=y\r\nd\":2}}\r\n0\r\nX: trailer\r\n\r\n", [200])]:
            assert statuses(door.ask(request)) == expected, request
        with door.connect() as client:
            client.sendall(f"{record}Expect: 100-continue\r\nContent-Length: 8\r\n\r\n".encode())
            assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(b'{"id":3}')
            assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert server.sql("SELECT count(*) AS n FROM events") == [{"n": 3}]


def test_half_open_connections_starve_nobody():
    with Server(PIPELINE) as server:
        door = Door(server)
        silent = []
        try:
            for i in range(400):
                client = door.connect()
                client.sendall([b"", b"GET /livez HTTP/1.1\r\nHost: loc", f"GET /livez HTTP/1.1\r\n{door.sound}X: ".encode()][i % 3])
                silent.append(client)
                if i >= 256 and i % 20 == 0:
                    assert server.http("GET", "/livez", timeout=5)[0] == 200
                    assert server.http("POST", "/v1/topics/events/records", b'{"id":1}', timeout=5)[0] == 200
            metrics = server.http("GET", "/metrics")[1].decode()
            assert int(metrics.split("\nmillrace_http_connections_evicted_total ")[1].split("\n")[0]) >= 100
            assert "\nmillrace_http_connections_refused_total 0\n" in metrics
        finally:
            for client in silent:
                client.close()


def test_a_header_that_drips_in_ends():
    with Server(PIPELINE) as server:
        door = Door(server)
        with door.connect() as client:
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ")
            client.setblocking(False)

            def drip():
                try:
                    client.send(b"x")
                    return client.recv(1000)
                except BlockingIOError:
                    return None
                except OSError:
                    return b"closed"
            assert wait_until(drip, "the slow header is refused")
        assert server.http("GET", "/livez")[0] == 200
