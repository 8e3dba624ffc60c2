"""PostgreSQL as Debian packages it, with a cluster of its own; login by password, as it comes."""
import contextlib
import os
import pathlib
import signal
import subprocess

import psycopg

from proxy import Proxy

from .process import HOST, Process, RealServer, free_port

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
USER, PASSWORD = "postgres", "postgres"


class Postgres(RealServer):
    """At `url`, and through `proxy` at `proxied`."""

    user = "postgres" if os.geteuid() == 0 else None  # the server refuses root

    def __init__(self):
        super().__init__("postgres")
        self.port = free_port()
        self.proxy = Proxy((HOST, self.port))
        self.url, self.proxied = self.url_at(self.port), self.url_at(self.proxy.port)
        data = self.folder / "data"
        password = self.folder / "password"
        password.write_text(PASSWORD + "\n")
        password.chmod(0o644)
        as_user = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        done = subprocess.run([BIN / "initdb", "-D", data, "-U", USER, f"--pwfile={password}", "-A", "scram-sha-256", "-E", "UTF8",
                               "--locale=C.UTF-8", "--no-sync"], capture_output=True, text=True, cwd="/", **as_user)
        assert done.returncode == 0, done.stdout + done.stderr
        settings = {"listen_addresses": HOST, "unix_socket_directories": "", "logging_collector": "off", "log_min_messages": "info"}
        self.processes = [Process("postgres", self.folder, [BIN / "postgres", "-D", data, "-p", self.port,
                                                            *(word for key, value in settings.items() for word in ("-c", f"{key}={value}"))],
                                  user=self.user, stop_signal=signal.SIGINT)]  # a fast shutdown: sessions are cut

    @staticmethod
    def url_at(port):
        return f"postgresql://{USER}:{PASSWORD}@{HOST}:{port}/postgres"

    def database(self, name):
        """A new database: its URL, directly and through the proxy."""
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return tuple(url.removesuffix("postgres") + name for url in (self.url, self.proxied))

    def connect(self):
        return psycopg.connect(self.url, autocommit=True, connect_timeout=5)

    def answers(self, _):
        with contextlib.suppress(psycopg.Error), self.connect() as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
        return False
