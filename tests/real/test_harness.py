"""The servers, the proxy and the clients do what the other tests take for granted. Millrace has no part in it."""
import socket
import threading

import psycopg
import pytest
from confluent_kafka import KafkaException, Producer

import people
from clients import Topics, cassandra_do, postgres_rows
from millrace import wait_until
from proxy import Proxy
from servers.kafka import PASSWORD, USER

each_means = pytest.mark.parametrize("means", ["restart", pytest.param("kill", marks=pytest.mark.short), "pause"])


def disturb(server, means):
    if means == "restart":
        server.restart()
    elif means == "kill":
        server.kill()
        server.start()
    else:
        server.pause()
        server.resume()


@pytest.mark.parametrize("means", ["restart", "kill", "pause"])
@pytest.mark.parametrize("name", ["kafka", "kafka_zk"])
def test_kafka_keeps_its_records(request, name, means, place):
    server = request.getfixturevalue(name)
    topics = Topics(server.address)
    topics.create(place.topic, 3)
    sent = people.entries(5, 500, tombstones=5)
    topics.send_people(place.topic, sent)
    disturb(server, means)
    found = {(m.partition(), m.offset()): (m.key(), m.value(), m.timestamp()[1]) for m in topics.read(place.topic)}
    assert found == {(e.partition, e.offset): (e.key, e.value, e.timestamp_ms) for e in sent}
    topics.delete(place.topic)
    topics.create(place.topic, 3)
    assert topics.bounds(place.topic, 0) == (0, 0)


@pytest.mark.short
def test_our_murmur2_is_that_of_kafkas_clients(kafka, place):
    topics = Topics(kafka.address)
    topics.create(place.topic, 7)
    producer = Producer({**topics.settings, "partitioner": "murmur2_random"})
    keys = ["x" * n for n in range(1, 20)] + ["Zoë", "-9007199254740991"]
    for key in keys:
        producer.produce(place.topic, b"", key.encode())
    assert producer.flush(60) == 0
    found = {m.key().decode(): m.partition() for m in topics.read(place.topic)}
    assert found == {key: people.partition_of(key.encode(), 7) for key in keys}


@pytest.mark.short
def test_the_secure_door_of_kafka_wants_certificate_and_password(kafka, place):
    secure = {"security.protocol": "SASL_SSL", "ssl.ca.location": str(kafka.ca), "sasl.mechanism": "SCRAM-SHA-256", "sasl.username": USER}
    topics = Topics(kafka.secure_address, **secure, **{"sasl.password": PASSWORD})
    topics.create(place.topic)
    topics.send(place.topic, [(0, b"k", b"v", 1)])
    assert [m.value() for m in topics.read(place.topic)] == [b"v"]
    with pytest.raises(KafkaException):
        Topics(kafka.secure_address, **secure, **{"sasl.password": "wrong"}).exists(place.topic, timeout=2)


@each_means
def test_cassandra_keeps_its_rows(cassandra, means, place):
    cassandra_do(cassandra, f"CREATE KEYSPACE {place.name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
                 f"CREATE TABLE {place.table} (id bigint PRIMARY KEY, name text)", f"INSERT INTO {place.table} (id, name) VALUES (1, 'Zoë')")
    disturb(cassandra, means)
    assert cassandra_do(cassandra, f"SELECT * FROM {place.table}") == [{"id": 1, "name": "Zoë"}]


@each_means
def test_postgres_keeps_its_rows(postgres, means, place):
    with postgres.connect() as connection:
        connection.execute(f"CREATE TABLE {place.name} AS SELECT 1 AS id, 'Zoë' AS name")
    disturb(postgres, means)
    assert postgres_rows(postgres, f"SELECT * FROM {place.name}") == [{"id": 1, "name": "Zoë"}]


@each_means
def test_the_registry_keeps_its_schemas(registry, means, place):
    made = registry.ask("POST", f"/subjects/{place.topic}-value/versions", {"schema": '{"type": "string"}'})
    disturb(registry, means)
    assert registry.ask("GET", f"/schemas/ids/{made['id']}")["schema"] == '{"type": "string"}'


@pytest.mark.short
def test_all_of_a_kafka_client_goes_through_the_proxy(kafka, place):
    Topics(kafka.address).create(place.topic)
    through = Topics(kafka.proxied_address)
    through.send(place.topic, [(0, b"k", b"v", 1)])
    assert len(through.read(place.topic)) == 1 and kafka.proxy.accepted >= 2
    kafka.proxy.down()
    with pytest.raises(KafkaException):
        Topics(kafka.proxied_address).exists(place.topic, timeout=2)
    kafka.proxy.heal()
    assert len(Topics(kafka.proxied_address).read(place.topic)) == 1


@pytest.mark.short
@pytest.mark.parametrize("committed", [True, False])
def test_postgres_dies_before_or_after_a_commit(postgres, place, committed):
    with postgres.connect() as connection:
        connection.execute(f"CREATE TABLE {place.name} (id int)")
    with psycopg.connect(postgres.proxied, autocommit=True) as client:
        client.execute("BEGIN")
        client.execute(f"INSERT INTO {place.name} VALUES (1)")
        sprung = (postgres.proxy.lose_answer if committed else postgres.proxy.lose_request)(b"COMMIT", postgres.kill)
        with pytest.raises(psycopg.OperationalError):
            client.execute("COMMIT")
        assert sprung.wait(60)
    postgres.start()
    assert postgres_rows(postgres, f"SELECT * FROM {place.name}") == ([{"id": 1}] if committed else [])


@pytest.fixture
def echo():
    """A proxy before a server that sends everything back."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(client):
        try:
            while data := client.recv(4096):
                client.sendall(data)
        except OSError:
            pass
        client.close()

    def serve():
        try:
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    proxy = Proxy(listener.getsockname())
    yield proxy
    proxy.close()
    listener.close()


def talk(proxy, data, client=None, timeout=0.3):
    """The echo; None when nothing comes, an exception when the connection is cut."""
    client = client or socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    client.settimeout(timeout)
    client.sendall(data)
    try:
        answer = client.recv(4096)
    except TimeoutError:
        return None
    if not answer:
        raise ConnectionError("closed")
    return answer


@pytest.mark.short
def test_proxy_commands(echo):
    def connect():
        return socket.create_connection(("127.0.0.1", echo.port), timeout=10)

    client = connect()
    assert talk(echo, b"one", client, 10) == b"one"
    for silence in (echo.drop_replies, echo.black_hole):
        silence()
        assert talk(echo, b"two", client) is None
        echo.heal()
        with pytest.raises(OSError):  # it has lost bytes
            talk(echo, b"three", client, 10)
        client = connect()
        assert talk(echo, b"four", client, 10) == b"four"
    echo.delay(3600)
    assert talk(echo, b"five", client) is None
    echo.heal()
    client.settimeout(10)
    assert client.recv(10) == b"five"
    echo.refuse()
    with pytest.raises(ConnectionRefusedError):
        connect()
    assert talk(echo, b"six", client, 10) == b"six"
    echo.heal()
    echo.cut()
    with pytest.raises(OSError):
        talk(echo, b"seven", client, 10)
    echo.cut_after_bytes(5)
    client = connect()
    assert talk(echo, b"12345", client, 10) == b"12345"
    with pytest.raises(OSError):
        talk(echo, b"6", client, 10)
    wait_until(lambda: not echo.links, "the links are gone")


@pytest.mark.short
@pytest.mark.parametrize("answered", [True, False])
def test_proxy_traps(echo, answered):
    called = threading.Event()
    sprung = (echo.lose_answer if answered else echo.lose_request)(b"COM+IT", called.set)
    assert talk(echo, b"BEGIN", timeout=10) == b"BEGIN"
    with pytest.raises(OSError):
        talk(echo, b"; COMMIT;", timeout=10)
    assert sprung.wait(10) and called.is_set()
    assert talk(echo, b"COMMIT", timeout=10) == b"COMMIT"  # once
