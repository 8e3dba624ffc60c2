"""`make compare` with few records."""
import pytest

import people
from compare import LEGS, Bed

SHORT = {"kafka + cassandra", "kafka + postgres"}
_beds = {}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.short if name in SHORT else ()) for name in LEGS])
def test_rows_and_dead_letters_are_those_of_the_reference(name, request):
    leg, fixtures = LEGS[name], {"kafka": "kafka", "zk": "kafka_zk", "cassandra": "cassandra", "postgres": "postgres"}
    running = {part: request.getfixturevalue(fixtures[part]) for part in leg.values()}
    log = leg.get("log")
    if log not in _beds:  # the records are sent once a log
        _beds[log] = Bed(running, people.entries(3, 3000, tombstones=30))
    bed = _beds[log]
    bed.running |= running
    different, _ = bed.run(leg)
    assert not different, "\n".join(different[:20])
