"""Real servers on free ports in temporary folders: start, stop, kill, restart, pause. `scripts/setup-real` installs them."""
from .cassandra import Cassandra
from .kafka import Kafka
from .postgres import Postgres
from .registry import Registry

__all__ = ["Cassandra", "Kafka", "Postgres", "Registry"]
