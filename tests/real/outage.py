"""Faults that last a while, and what Millrace owes meanwhile: that it lives."""
import random
import time

from millrace import wait_until


def endures(millrace, seconds):
    """The process lives for so long: the length of an outage."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert millrace.process.poll() is None, f"millrace ended with {millrace.process.returncode}:\n{millrace.log()[-3000:]}"
        time.sleep(0.02)


def kill_at_random(millrace, times, seed, lives_s=(0.05, 1.5)):
    """SIGKILL and a new start, again and again, at moments that the seed knows; it runs at the end."""
    chance = random.Random(seed)
    for _ in range(times):
        millrace.start(ready=False)
        endures(millrace, chance.uniform(*lives_s))
        millrace.kill()
    millrace.start(ready=False)
    answers(millrace)


def answers(millrace):
    """Its own API answers, whatever the real servers do."""
    def livez():
        if millrace.process.poll() is not None:
            raise AssertionError(f"millrace ended with {millrace.process.returncode}:\n{millrace.log()[-3000:]}")
        try:
            return millrace.http("GET", "/livez")[0] == 200
        except (OSError, ValueError, KeyError):
            return False

    wait_until(livez, "millrace answers")


def ended(millrace, code):
    wait_until(lambda: millrace.process.poll() is not None, "millrace ends itself")
    assert millrace.process.returncode == code, f"{millrace.process.returncode}\n{millrace.log()[-3000:]}"


def failed_query(millrace, query="keep"):
    """Waits until the query has stopped for good; the reason."""
    def stopped():
        found = next(one for one in millrace.json("query", "list") if one["query"] == query)
        return found if found["state"] == "failed" else None

    return wait_until(stopped, f"query {query} stops")["reason"]
