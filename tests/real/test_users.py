"""The example as it stands, everything real: `run examples/users.yaml --profile prod`."""
import http.server
import json
import threading
import uuid

import psycopg
import pytest

import people
from clients import Millrace, Topics, cassandra_do
from millrace import ROOT, wait_until

pytestmark = pytest.mark.short
PEOPLE, PAGE = 300, 100
TABLE = "spark_streams.created_users"


def user(i):
    """One of randomuser.me's people."""
    return {"gender": "female", "name": {"title": "Ms", "first": f"Zoë {i}", "last": "O'Ćosić"}, "nat": "FR",
            "location": {"street": {"number": i, "name": "Rue Abel-Gance"}, "city": "Lyon", "state": "Rhône", "country": "France",
                         "postcode": 69000 + i if i % 2 else f"SW{i} 1AA"},
            "email": f"zoe.{i}@example.com" if i % 50 else "nobody", "login": {"uuid": str(uuid.UUID(int=i, version=4)), "username": f"swan{i}"},
            "dob": {"date": f"1968-10-04T12:30:{i % 60:02}.500Z"}, "registered": {"date": "2012-02-29T23:59:59.999Z"}, "phone": f"0{i}",
            "picture": {"medium": f"https://example.com/{i}.jpg"}}


@pytest.fixture
def api():
    """Gives each person once, a page a request, then nobody."""
    class Handler(http.server.BaseHTTPRequestHandler):
        pages = iter(range(0, PEOPLE, PAGE))

        def do_GET(self):
            first = next(Handler.pages, None)
            found = [] if first is None else [user(i) for i in range(first, first + PAGE)]
            body = json.dumps({"results": found}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Handler, f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()


def run_example(api, profile, env, look):
    """What `look(millrace)` sees when the people have come through."""
    handler, url = api
    handler.pages = iter(range(0, PEOPLE, PAGE))
    millrace = Millrace("", profile, env={"RANDOM_USER_API": url, **env})
    millrace.file = ROOT / "examples" / "users.yaml"
    with millrace:
        millrace.processed("created_users", PEOPLE)
        found = look(millrace)
        assert millrace.stop() == 0, millrace.log()
    return found


def text(row):
    """Instants and ids in one way, whoever read them."""
    return {name: people.instant(value) if name in ("dob", "registered_date") else str(value) for name, value in row.items()}


def test_prod_gives_the_rows_of_dev(api, kafka, cassandra, postgres, registry, place):
    def seen(millrace):
        return millrace.sql(f"SELECT * FROM {TABLE}"), millrace.sql("SELECT code, key, value FROM dead_letters ORDER BY key")

    rows, letters = run_example(api, "dev", {}, seen)
    assert len(rows) == PEOPLE - PEOPLE // 50 and len(letters) == PEOPLE // 50
    env = {"KAFKA": kafka.address, "CASSANDRA": cassandra.url.removeprefix("cassandra://"), "PG": postgres.database(place.name)[0].removeprefix("postgresql://"),
           "REGISTRY": registry.url.removeprefix("http://")}

    def outside(millrace):
        wait_until(lambda: millrace.json("dags", "list"), "the dag is there")
        return cassandra_do(cassandra, f"SELECT * FROM {TABLE}"), seen(millrace)

    real, (through_us, real_letters) = run_example(api, "prod", env, outside)

    def ordered(them):
        return sorted((text(row) for row in them), key=lambda row: row["id"])

    assert ordered(real) == ordered(rows)
    assert ordered(through_us) == ordered(rows)
    assert real_letters == letters
    assert sum(high - low for low, high in (Topics(kafka.address).bounds("users_created", p) for p in range(4))) == PEOPLE
    with psycopg.connect(f"postgresql://{env['PG']}") as connection:
        assert connection.execute("SELECT dag_id FROM millrace.dags").fetchall() == [("user_automation",)]
