"""The built binary as tests see it: start it on a data directory, talk to it, kill it. Standard library only."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("MILLRACE", ROOT / "millrace"))
DEADLINE_S = 120  # for conditions that hold within a second on a healthy machine


def wait_until(condition, what, deadline_s=DEADLINE_S):
    """Polls `condition` until it returns something true, and returns that."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline_s} s in vain for: {what}")
        time.sleep(0.01)


def run(*args, input=None, data=None, check=True, env=None, timeout=DEADLINE_S):
    """One command to its end; `check` demands exit code 0."""
    environment = {**os.environ, **(env or {})}
    if data is not None:
        environment["MILLRACE_DATA"] = str(data)
    done = subprocess.run([str(BINARY), *map(str, args)], input=input, capture_output=True, env=environment, timeout=timeout,
                          text=not isinstance(input, bytes))
    if check and done.returncode != 0:
        raise AssertionError(f"millrace {' '.join(map(str, args))} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


class Server:
    """`millrace run` of one pipeline text in one data directory."""

    def __init__(self, pipeline, data=None, env=None, args=()):
        self.folder = tempfile.TemporaryDirectory(prefix="millrace-test-")
        self.data = pathlib.Path(data) if data else pathlib.Path(self.folder.name) / "data"
        self.file = pathlib.Path(self.folder.name) / "pipeline.yaml"
        self.file.write_text(pipeline)
        self.env = env or {}
        self.args = args
        self.process = None

    def start(self, faults=None, ready=True):
        environment = {**os.environ, **self.env}
        environment.pop("MILLRACE_FAULTS", None)
        if faults:
            environment["MILLRACE_FAULTS"] = faults
        log = open(pathlib.Path(self.folder.name) / "server.log", "ab")
        self.process = subprocess.Popen([str(BINARY), "run", str(self.file), "--data", str(self.data), *self.args],
                                        stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)
        if ready:
            wait_until(self.is_ready, "the server is ready")
        return self

    def log(self):
        return (pathlib.Path(self.folder.name) / "server.log").read_text(errors="replace")

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()}")
        with contextlib.suppress(OSError, ValueError, KeyError):
            if json.loads((self.data / "server.json").read_text())["pid"] != self.process.pid:
                return False
            return self.http("GET", "/readyz")[0] == 200
        return False

    def http(self, method, path, body=None, content_type="application/json", timeout=DEADLINE_S, headers=None):
        """(status, body bytes); OSError when the server is gone."""
        info = json.loads((self.data / "server.json").read_text())
        token = pathlib.Path(info["token_file"]).read_text().strip()
        request = urllib.request.Request(info["url"].rstrip("/") + path, data=body, method=method,
                                         headers={"Authorization": f"Bearer {token}", "Content-Type": content_type, **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def produce(self, topic, lines, key_separator=None):
        """Values as lines through the command; returns the acknowledged batches."""
        args = ["topic", "produce", topic, "-o", "json"]
        if key_separator:
            args += ["--key-separator", key_separator]
        done = run(*args, "--data", self.data, input="".join(line + "\n" for line in lines))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def sql(self, statement):
        return json.loads(run("sql", statement, "-o", "json", "--data", self.data).stdout)

    def command(self, *args, **kwargs):
        return run(*args, "--data", self.data, **kwargs)

    def json(self, *args):
        return json.loads(self.command(*args, "-o", "json").stdout)

    def drained(self):
        """True when every query has processed everything that its topic holds."""
        return all(query["balance"]["in_flight"] == 0 for query in self.json("query", "list"))

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def stop(self):
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=DEADLINE_S)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()
        self.folder.cleanup()
