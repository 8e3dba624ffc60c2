"""The Apicurio registry, which speaks the REST API of Confluent's Schema Registry."""
import contextlib
import json
import urllib.request

from .process import HOST, INSTALLED, Process, RealServer, free_port, java


class Registry(RealServer):
    def __init__(self, heap="256m"):
        super().__init__("registry")
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}/apis/ccompat/v7"
        jar = next((INSTALLED / "registry").glob("apicurio-registry-app-*-runner.jar"))
        argv = [*java(), f"-Xmx{heap}", f"-Dquarkus.http.host={HOST}", f"-Dquarkus.http.port={self.port}", "-jar", jar]
        database = f"jdbc:h2:file:{self.folder}/registry;WRITE_DELAY=0"  # else SIGKILL takes the last half second
        self.processes = [Process("registry", self.folder, argv, env={"REGISTRY_DATASOURCE_URL": database})]

    def ask(self, method, path, body=None):
        """The parsed answer; urllib.error.HTTPError for what it refuses."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def answers(self, _):
        with contextlib.suppress(OSError, ValueError):
            return isinstance(self.ask("GET", "/subjects"), list)
        return False

    def start(self):
        super().start()
        self.ask("PUT", "/config", {"compatibility": "BACKWARD"})  # Confluent's default; Apicurio's own is NONE
        return self
