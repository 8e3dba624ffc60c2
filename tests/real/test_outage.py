"""Servers go away and come back, networks fail: Millrace lives on, and the counts at the end are exact."""
import threading

import pytest

from legs import sinks
from outage import answers, endures

SERVERS = ("cassandra", "postgres")
each_sink = sinks("leg")
each_server_sink = sinks("leg", of=SERVERS)


class Flowing:
    """Millrace at work while a thread sends; at the end everything must have come through."""

    def __init__(self, leg, through=(), rounds=20, count=200):
        self.leg, self.millrace = leg, leg.millrace(through)
        self.rounds, self.count = rounds, count

    def __enter__(self):
        self.millrace.start(ready=False)
        answers(self.millrace)
        self.leg.send(self.count)
        self.leg.processed_some(self.millrace, 1)
        self.sender = self.leg.sending(self.rounds, self.count)
        return self.millrace

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.sender.join()
                self.leg.send(self.count, seed=9999)
                self.leg.check(self.millrace)
                assert self.millrace.stop() == 0, self.millrace.log()
        finally:
            if kind:
                print(self.millrace.log()[-5000:])
            self.millrace.kill()
            self.millrace.folder.cleanup()


def broker_outage(leg, seconds):
    with Flowing(leg) as millrace:
        leg.kafka.stop()
        endures(millrace, seconds)
        leg.kafka.start()


@sinks("leg", "cassandra", "topic")
def test_broker_stopped_and_back(leg):
    broker_outage(leg, 5)


@each_sink
def test_broker_stopped_for_long_and_back(leg):
    broker_outage(leg, 30)


@each_sink
def test_broker_killed_and_back(leg):
    with Flowing(leg) as millrace:
        for _ in range(3):
            leg.kafka.kill()
            endures(millrace, 1)
            leg.kafka.start()


@each_sink
def test_broker_stands_still_for_a_while(leg):
    with Flowing(leg) as millrace:
        leg.kafka.pause()
        endures(millrace, 15)
        leg.kafka.resume()


@sinks("leg", *SERVERS, of=SERVERS)
def test_sink_killed_and_back(leg):
    with Flowing(leg) as millrace:
        leg.target.kill()
        endures(millrace, 5)
        leg.target.start()


@each_server_sink
def test_sink_stopped_for_long_and_back(leg):
    with Flowing(leg) as millrace:
        leg.target.stop()
        endures(millrace, 40)  # longer than the sink's own retries
        leg.target.start()


@each_server_sink
def test_sink_stands_still_for_a_while(leg):
    with Flowing(leg) as millrace:
        leg.target.pause()
        endures(millrace, 15)
        leg.target.resume()


FAULTS = {
    "delay": lambda proxy: proxy.delay(0.3),
    "cut": lambda proxy: proxy.cut(),
    "down": lambda proxy: proxy.down(),
    "drop_replies": lambda proxy: proxy.drop_replies(),
    "black_hole": lambda proxy: proxy.black_hole(),
    "cut_after_bytes": lambda proxy: proxy.cut_after_bytes(10_000),
}


def network_fault(leg, server, name, seconds):
    with Flowing(leg, through=(name,)) as millrace:
        for fault in FAULTS.values() if seconds is None else ():
            fault(server.proxy)
            endures(millrace, 3)
            server.proxy.heal()
        if seconds:
            fault_for(millrace, server.proxy, seconds)


def fault_for(millrace, proxy, seconds):
    """Cuts and swallows by turns, fast."""
    for _ in range(int(seconds)):
        proxy.cut()
        endures(millrace, 0.3)
        proxy.drop_replies()
        endures(millrace, 0.7)
        proxy.heal()


@sinks("leg", "topic")
def test_bad_network_to_kafka(leg):
    network_fault(leg, leg.kafka, "kafka", 3)


@sinks("leg", *SERVERS, of=SERVERS)
def test_bad_network_to_the_sink(leg):
    network_fault(leg, leg.target, leg.kind, 3)


@each_sink
def test_every_network_fault_to_kafka(leg):
    network_fault(leg, leg.kafka, "kafka", None)


@each_server_sink
def test_every_network_fault_to_the_sink(leg):
    network_fault(leg, leg.target, leg.kind, None)


@pytest.mark.short
@pytest.mark.parametrize("answered", [True, False], ids=["after", "before"])
@sinks("leg", of=["postgres"])
def test_postgres_killed_around_a_commit(leg, answered):
    with Flowing(leg, through=("postgres",)) as millrace:
        trap = leg.target.proxy.lose_answer if answered else leg.target.proxy.lose_request
        assert trap(b"COMMIT", leg.target.kill).wait(60), "Millrace says COMMIT"
        leg.target.start()
        endures(millrace, 1)


END_TXN = rb"^\x00\x00..\x00\x1a"  # a request's size, then the number of EndTxn in Kafka's protocol


@pytest.mark.parametrize("answered", [pytest.param(True, marks=pytest.mark.short), False], ids=["after", "before"])
@pytest.mark.parametrize("crash", [False, True], ids=["lives", "crashes"])
@sinks("leg", of=["topic"])
def test_kafka_transaction_whose_end_is_not_answered(leg, answered, crash):
    with Flowing(leg, through=("kafka",)) as millrace:
        trap = leg.kafka.proxy.lose_answer if answered else leg.kafka.proxy.lose_request
        killed = threading.Event()
        assert trap(END_TXN, lambda: crash and (millrace.kill(), killed.set())).wait(60), "Millrace ends a transaction"
        if crash:
            assert killed.is_set()
            millrace.start(ready=False)
        answers(millrace)
