"""Millrace dies again and again while records flow: the rows and copies at the end are exactly those that must be."""
import pytest

from legs import KINDS, sinks
from outage import answers, ended, kill_at_random

each_sink = sinks("leg", *KINDS)


def flow_and_kill(leg, kills, rounds, count, seed):
    millrace = leg.millrace()
    with millrace.folder:
        sender = leg.sending(rounds, count, seed)
        try:
            kill_at_random(millrace, kills, seed)
            sender.join()
            leg.check(millrace)
            assert millrace.stop() == 0, millrace.log()
        finally:
            millrace.kill()


@each_sink
def test_killed_at_random_times(leg):
    flow_and_kill(leg, kills=5, rounds=20, count=500, seed=11)


@sinks("leg")
@pytest.mark.parametrize("seed", [21, 22, 23])
def test_killed_at_random_times_for_long(leg, seed):
    flow_and_kill(leg, kills=30, rounds=200, count=500, seed=seed)


@each_sink
def test_ended_at_every_step_of_a_commit(leg):
    points = ["between_output_and_commit", "before_commit", "after_commit"] + ["after_intent"] * (leg.kind in ("postgres", "topic"))
    millrace = leg.millrace()
    with millrace.folder:
        try:
            for n, (point, epochs) in enumerate([(point, epochs) for epochs in (0, 0, 1, 4) for point in points]):
                millrace.start(faults=f"stream.{point}=exit,after={epochs}", ready=False)
                for batch in range(1000):
                    if millrace.process.poll() is not None:
                        break
                    leg.send(50, seed=1000 * n + batch)
                ended(millrace, 137)
            millrace.start(ready=False)
            answers(millrace)
            leg.check(millrace)
            assert millrace.stop() == 0, millrace.log()
        finally:
            millrace.kill()
