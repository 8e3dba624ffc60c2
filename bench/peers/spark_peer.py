#!/usr/bin/env python3
"""The main job in Spark Structured Streaming: a topic of JSON, 11 of its 12 fields, into nothing or into a table of Cassandra.

  spark_peer.py null KAFKA TOPIC RECORDS PASSES CORES       reads the topic so many times in one session
  spark_peer.py cassandra KAFKA TOPIC RECORDS CASSANDRA     once, in batches of 50,000 records; the first 100,000 rows are the warm-up

A line of JSON a pass. The CPU and memory are those of the JVM; this Python only waits.
"""
import json
import os
import pathlib
import sys
import tempfile
import time

from pyspark.sql import SparkSession

COLUMNS = "id first_name last_name gender address post_code email username registered_date phone picture".split()
SCHEMA = ", ".join(f"{name} STRING" for name in COLUMNS[:8] + ["dob"] + COLUMNS[8:])
JARS = pathlib.Path(__file__).resolve().parent.parent.parent / ".deps/peers/spark"
KEYSPACE = "millrace_bench_spark"
BATCH, WARM_UP = 50_000, 100_000


def session(cores, more):
    jars = ",".join(map(str, sorted(JARS.glob("*.jar"))))
    builder = SparkSession.builder.master(f"local[{cores}]").config("spark.jars", jars).config("spark.driver.memory", "2g")
    for name, value in {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": cores, "spark.ui.showConsoleProgress": "false", **more}.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def users(spark, kafka, topic, batch=None):
    reader = spark.readStream.format("kafka").option("kafka.bootstrap.servers", kafka).option("subscribe", topic).option("startingOffsets", "earliest")
    if batch:
        reader = reader.option("maxOffsetsPerTrigger", batch)
    return reader.load().selectExpr(f"from_json(CAST(value AS STRING), '{SCHEMA}') AS user").select(*[f"user.{name}" for name in COLUMNS])


class Java:
    """What the JVM has used so far."""

    def __init__(self, spark):
        self.process = spark._jvm.java.lang.ProcessHandle.current().pid()

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self):
        lines = pathlib.Path(f"/proc/{self.process}/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def say(case, records, begin, seconds, cpu, java):
    print(json.dumps({"case": case, "records": records, "begin": begin, "seconds": seconds, "cpu_seconds": cpu, "peak_mib": java.peak_mib()}),
          flush=True)


def run(writer, checkpoint):
    """Until all that is there has been read; how many records that was."""
    query = writer.option("checkpointLocation", checkpoint).trigger(availableNow=True).start()
    query.awaitTermination()
    return query


def null(kafka, topic, passes, cores, checkpoint):
    spark = session(cores, {})
    java = Java(spark)
    for number in range(1, passes + 1):
        begin, cpu = time.monotonic(), java.cpu()
        query = run(users(spark, kafka, topic).writeStream.format("noop"), f"{checkpoint}/{number}")
        say(f"pass {number}", sum(p["numInputRows"] for p in query.recentProgress), begin, time.monotonic() - begin, java.cpu() - cpu, java)
    spark.stop()


def cassandra(kafka, topic, address, checkpoint):
    host, port = address.split(":")
    spark = session(2, {"spark.cassandra.connection.host": host, "spark.cassandra.connection.port": port,
                        "spark.sql.streaming.numRecentProgressUpdates": 10_000})
    java = Java(spark)
    make_table(spark)
    out = users(spark, kafka, topic, BATCH).writeStream.format("org.apache.spark.sql.cassandra").options(keyspace=KEYSPACE, table="users")
    query = out.option("checkpointLocation", checkpoint).trigger(availableNow=True).start()
    while query.isActive and sum(p["numInputRows"] for p in query.recentProgress) < WARM_UP:
        time.sleep(0.01)
    warm, begin, cpu = sum(p["numInputRows"] for p in query.recentProgress), time.monotonic(), java.cpu()
    query.awaitTermination()
    rows = sum(p["numInputRows"] for p in query.recentProgress)
    say("cassandra", rows - warm, begin, time.monotonic() - begin, java.cpu() - cpu, java)
    drop_table(spark)
    spark.stop()


def in_cassandra(spark, *statements):
    """Statements through the connector's own connection."""
    gateway = spark.sparkContext._jvm.com.datastax.spark.connector.cql
    own = gateway.CassandraConnector.apply(spark.sparkContext._jsc.sc().getConf()).openSession()
    for statement in statements:
        own.execute(statement)
    own.close()


def make_table(spark):
    texts = ", ".join(f"{name} text" for name in COLUMNS[1:])
    in_cassandra(spark, f"DROP KEYSPACE IF EXISTS {KEYSPACE}",
                 f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
                 f"CREATE TABLE {KEYSPACE}.users (id uuid PRIMARY KEY, {texts})")


def drop_table(spark):
    in_cassandra(spark, f"DROP KEYSPACE {KEYSPACE}")


def main():
    kind, kafka, topic, _records, *rest = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="millrace-spark-") as checkpoint:
        if kind == "null":
            null(kafka, topic, int(rest[0]), int(rest[1]), checkpoint)
        else:
            cassandra(kafka, topic, rest[0], checkpoint)


if __name__ == "__main__":
    main()
