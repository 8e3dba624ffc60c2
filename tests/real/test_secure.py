"""Encryption and logins: with the right ones all works, with wrong ones the person is told, without the secret."""
import pytest

import people
from clients import Millrace, Topics, cassandra_tables
from legs import Leg
from millrace import run
from servers.cassandra import PASSWORD as CASSANDRA_PASSWORD
from servers.cassandra import USER as CASSANDRA_USER
from servers.kafka import PASSWORD, USER


def kafka_options(kafka, password=PASSWORD):
    return {"security.protocol": "SASL_SSL", "ssl.ca.pem": "${file:%s}" % kafka.ca, "sasl.mechanism": "SCRAM-SHA-256", "sasl.username": USER,
            "sasl.password": password}


@pytest.mark.short
def test_kafka_with_tls_and_scram(kafka, place):
    leg = Leg("embedded", place, kafka)
    leg.send(1000)
    profile = people.profile(log=(kafka.secure, kafka_options(kafka)))
    with Millrace(people.pipeline(profile, place.name, place.topic, place.table)) as millrace:
        leg.check(millrace)
        assert PASSWORD not in millrace.log()


def test_kafka_with_a_wrong_password(kafka, place):
    Topics(kafka.address).create(place.topic, 3)
    profile = people.profile(log=(kafka.secure, kafka_options(kafka, "wrong-secret")))
    refused(people.pipeline(profile, place.name, place.topic, place.table), "wrong-secret", "authentication")


def test_cassandra_with_a_login(kafka, cassandra_login, place):
    leg = Leg("cassandra", place, kafka, cassandra_login)
    leg.send(1000)
    profile = people.profile(log=kafka.url, tables=(cassandra_login.url, {"user": CASSANDRA_USER, "password": CASSANDRA_PASSWORD}))
    with Millrace(people.pipeline(profile, place.name, place.topic, place.table)) as millrace:
        leg.check(millrace)
    read, _ = cassandra_tables(cassandra_login)
    assert len(read(place.table)) == len(people.expected_rows(leg.sent))


def test_cassandra_with_a_wrong_password(cassandra_login, place):
    profile = people.profile(tables=(cassandra_login.url, {"user": CASSANDRA_USER, "password": "wrong-secret"}))
    refused(people.pipeline(profile, place.name, place.topic, place.table), "wrong-secret", "password")


@pytest.mark.short
def test_postgres_with_a_wrong_password(postgres, place):
    profile = people.profile(tables=postgres.url.replace(":postgres@", ":wrong-secret@"))
    refused(people.pipeline(profile, place.name, place.topic, place.table), "wrong-secret", "password")


def refused(pipeline, secret, word):
    """The run ends with 1 or 3 and says why."""
    millrace = Millrace(pipeline)
    with millrace.folder:
        done = run("run", millrace.file, "--data", millrace.data, "--profile", "real", "--for", "60s", check=False)
        assert done.returncode in (1, 3), done.stderr
        assert word in done.stderr.lower() and secret not in done.stderr, done.stderr
