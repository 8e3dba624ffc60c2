"""Looking at the servers and at Millrace from outside, with clients that are not ours."""
import contextlib

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from millrace import Server, wait_until


class Topics:
    """The topics of a broker. `options`: more of librdkafka's settings."""

    def __init__(self, address, **options):
        self.settings = {"bootstrap.servers": address, "log_level": 0, **options}
        self.admin = AdminClient(self.settings)

    def create(self, name, partitions=1, **config):
        """Waits out a deletion that is still under way."""
        def created():
            try:
                self.admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result(30)
            except KafkaException as error:
                if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS and not self.exists(name):
                    return False
                raise
            return True

        wait_until(created, f"topic {name} can be created")
        wait_until(lambda: self.exists(name), f"topic {name} is there")
        return name

    def exists(self, name, timeout=30):
        found = self.admin.list_topics(name, timeout=timeout).topics[name]
        return found.error is None and len(found.partitions) > 0 and not any(part.error for part in found.partitions.values())

    def delete(self, name):
        self.admin.delete_topics([name])[name].result(30)
        wait_until(lambda: not self.exists(name), f"topic {name} is gone")

    def configure(self, name, **config):
        resource = ConfigResource(ResourceType.TOPIC, name, set_config={key: str(value) for key, value in config.items()})
        self.admin.alter_configs([resource])[resource].result(30)

    def send(self, topic, records):
        """(partition, key, value, timestamp_ms) each, in their order; returns when all are acknowledged."""
        faults = []
        producer = Producer({**self.settings, "enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 120_000})
        for partition, key, value, timestamp in records:
            while True:
                try:
                    producer.produce(topic, value, key, partition, timestamp=timestamp, on_delivery=lambda error, _: error and faults.append(error))
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        assert producer.flush(120) == 0 and not faults, faults[:3]

    def send_people(self, topic, entries):
        self.send(topic, [(entry.partition, entry.key, entry.value, entry.timestamp_ms) for entry in entries])

    def bounds(self, topic, partition):
        """(first offset, end)"""
        def known():
            with contextlib.suppress(KafkaException), self.consumer() as consumer:  # a new partition has no leader for a moment
                return consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)

        return wait_until(known, f"the bounds of {topic}-{partition} are known")

    @contextlib.contextmanager
    def consumer(self, isolation="read_committed"):
        consumer = Consumer({**self.settings, "group.id": "outside", "enable.auto.commit": False, "isolation.level": isolation,
                             "enable.partition.eof": True})
        try:
            yield consumer
        finally:
            consumer.close()

    def read(self, topic, isolation="read_committed"):
        """Every record that is there now. A broker that has just started may not know the topic yet."""
        wait_until(lambda: self.exists(topic), f"topic {topic} is there")
        with self.consumer(isolation) as consumer:
            partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
            consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
            records, ended = [], set()
            while len(ended) < len(partitions):
                message = consumer.poll(60)
                assert message is not None, "the broker does not answer"
                if message.error() is None:
                    records.append(message)
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
                else:
                    raise KafkaException(message.error())
            return records


def cassandra_do(server, *statements):
    """The rows of the last statement, a dict each, with values as the driver gives them."""
    with server.cluster() as cluster:
        session = cluster.connect()
        for statement in statements:
            rows = session.execute(statement)
        return list(rows)


def postgres_rows(server, statement):
    with server.connect() as connection:
        cursor = connection.execute(statement)
        return [dict(zip((column.name for column in cursor.description), row)) for row in cursor]


def cassandra_tables(server):
    """(all rows of a table, drop a keyspace), as functions"""
    return (lambda table: cassandra_do(server, f"SELECT * FROM {table}"),
            lambda keyspace: cassandra_do(server, f"DROP KEYSPACE IF EXISTS {keyspace}"))


def postgres_tables(server):
    def drop(schema):
        with server.connect() as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
            connection.execute("DROP SCHEMA IF EXISTS millrace CASCADE")  # the numbers of committed epochs

    def read(table):  # `_version` is what keeps an old row from replacing a newer one
        return [{name: value for name, value in row.items() if name != "_version"} for row in postgres_rows(server, f"SELECT * FROM {table}")]

    return read, drop


class Millrace(Server):
    """`millrace run FILE --profile P`."""

    def __init__(self, pipeline, profile="real", **more):
        super().__init__(pipeline, args=("--profile", profile, *more.pop("args", ())), **more)
        self.profile = profile

    def produce_bytes(self, topic, entries):
        """Keyed values through the HTTP API, in their order."""
        for i in range(0, len(entries), 5000):
            body = b"".join(entry.key + b"\t" + (entry.value or b"") + b"\n" for entry in entries[i:i + 5000])
            status, answer = self.http("POST", f"/v1/topics/{topic}/records?key_separator=%09", body, "text/plain")
            assert status == 200, answer

    def balance(self, query):
        return next(one["balance"] for one in self.json("query", "list") if one["query"] == query)

    def processed(self, query, count):
        """Waits until the query has taken in so many records and is done with them."""
        def done():
            balance = self.balance(query)
            assert balance["in"] <= count, f"{balance['in']} records went in, and there are {count}"
            return balance["in"] == count and balance["in_flight"] == 0

        wait_until(done, f"{query} has processed {count} records", 300)

    def letters(self):
        """(partition, offset): (stage, code, key, value), the last two as text."""
        rows = self.sql('SELECT partition, "offset", stage, code, key, value FROM dead_letters')
        found = {(row["partition"], row["offset"]): (row["stage"], row["code"], row["key"], row["value"]) for row in rows}
        assert len(found) == len(rows), "a record is a dead letter twice"
        return found

