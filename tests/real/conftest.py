"""Every server starts at most once a session, when the first test asks for it, and is whole again after every test."""
import importlib.util
import itertools
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
if importlib.util.find_spec("cassandra") is None:  # not the environment of scripts/setup-real
    collect_ignore_glob = ["test_*.py"]
else:
    import servers
    from legs import KINDS, Leg, Place

_numbers = itertools.count(1)


def pytest_configure(config):
    config.addinivalue_line("markers", "short: what continuous integration runs, at most eight minutes on two cores")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.stash.setdefault("failed", False)
    item.stash["failed"] |= report.failed
    return report


def session_server(make):
    @pytest.fixture(scope="session")
    def started():
        server = make()
        try:
            yield server.start()
        finally:
            server.remove()

    return started


def whole(session_name):
    """The session's server, with its log shown when the test fails."""
    @pytest.fixture
    def server(request):
        server = request.getfixturevalue(session_name)
        yield server
        if request.node.stash.get("failed", False):
            print(server.logs())
        server.heal()

    return server


session_kafka = session_server(lambda: servers.Kafka())
session_kafka_zk = session_server(lambda: servers.Kafka(mode="zk"))
session_cassandra = session_server(lambda: servers.Cassandra())
session_cassandra_login = session_server(lambda: servers.Cassandra(login=True))
session_postgres = session_server(lambda: servers.Postgres())
session_registry = session_server(lambda: servers.Registry())
kafka, kafka_zk, cassandra, cassandra_login, postgres, registry = (
    whole(f"session_{name}") for name in ("kafka", "kafka_zk", "cassandra", "cassandra_login", "postgres", "registry"))


@pytest.fixture
def place():
    """Names that no other test has."""
    return Place(f"t{os.getpid()}_{next(_numbers)}")


@pytest.fixture
def leg(request, kafka, place):
    """Kafka, and the sink that the test was parametrized with (indirect)."""
    needs = KINDS[request.param]
    return Leg(request.param, place, kafka, request.getfixturevalue(needs) if needs else None)
