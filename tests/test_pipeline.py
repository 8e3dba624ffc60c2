"""The data path, seen from outside: what goes in comes out, and DuckDB over the same records agrees."""
import json
import random
import uuid

import duckdb

from millrace import ROOT, Server, run, wait_until

PEOPLE = """
name: people
topics:
  users_created:
    partitions: 4
    schema: |
      gender text, name STRUCT("first" text, "last" text),
      location STRUCT(street STRUCT(number int, name text), city text, country text, postcode text),
      login STRUCT(uuid uuid, username text), dob STRUCT(date timestamptz), tags text[], age int
queries:
  created_users:
    into: spark_streams.created_users
    sql: |
      SELECT login.uuid AS id, name.first AS first_name, upper(name.last) AS last_name, gender,
             concat_ws(', ', location.street.number, location.street.name, location.city) AS address,
             location.postcode AS post_code, dob.date AS born, tags, age + 1 AS next_age, uuid() AS made, random() AS chance, now() AS seen
      FROM users_created
      WHERE age >= 18
tables:
  spark_streams.created_users: { partition_key: [id] }
"""


def person(i, chance):
    return {"gender": chance.choice(["female", "male"]), "name": {"title": "Mx", "first": f"Zoë {i}", "last": "O'Ćosić\n\"x\""},
            "location": {"street": {"number": i, "name": "Rue Abel-Gance"}, "city": "Lyon", "country": "France",
                         "postcode": chance.choice([37010, "SW1A 1AA", 5.50])},
            "login": {"uuid": str(uuid.UUID(int=chance.getrandbits(128), version=4)), "username": f"u{i}"},
            "dob": {"date": "1968-10-04T12:30:01.500+02:00", "age": 57}, "tags": chance.choice([None, [], ["a"], ["b", None, "ü"]]), "age": i % 50}


def test_rows_agree_with_batch_duckdb(tmp_path):
    chance = random.Random(5)
    lines = [json.dumps(person(i, chance), ensure_ascii=False) for i in range(3000)]
    with Server(PEOPLE) as server:
        assert sum(batch["count"] for batch in server.produce("users_created", lines)) == 3000
        wait_until(server.drained, "the query has caught up")
        columns = "id, first_name, last_name, gender, address, post_code, born, tags, next_age"
        ours = server.sql(f"SELECT {columns} FROM spark_streams.created_users ORDER BY id")
    file = tmp_path / "lines.json"
    file.write_text("\n".join(lines))
    oracle = duckdb.connect()
    theirs = oracle.execute(f"""
        SELECT {columns} FROM (
          SELECT (j->>'$.login.uuid')::uuid AS id, j->>'$.name.first' AS first_name, upper(j->>'$.name.last') AS last_name, j->>'$.gender' AS gender,
                 concat_ws(', ', j->>'$.location.street.number', j->>'$.location.street.name', j->>'$.location.city') AS address,
                 j->>'$.location.postcode' AS post_code, j->>'$.dob.date' AS born, (j->'$.tags')::varchar[] AS tags,
                 (j->>'$.age')::int + 1 AS next_age, (j->>'$.age')::int AS age
          FROM read_json_objects('{file}', format = 'newline_delimited') AS t(j))
        WHERE age >= 18 ORDER BY id""").fetchall()
    assert len(ours) == len(theirs) == sum(json.loads(line)["age"] >= 18 for line in lines)
    for mine, other in zip(ours, theirs):
        expected = [str(other[0]), *other[1:5], other[5], "1968-10-04T10:30:01.500Z", other[7], other[8]]
        assert list(mine.values()) == expected


def test_a_replay_of_the_log_gives_the_same_rows():
    chance = random.Random(6)
    with Server(PEOPLE) as server:
        server.produce("users_created", [json.dumps(person(i + 18, chance)) for i in range(32)])
        wait_until(server.drained, "the query has caught up")
        statement = "SELECT * FROM spark_streams.created_users ORDER BY id"
        before = server.sql(statement)
        assert len(before) == 32
        assert len({row["made"] for row in before}) == 32 and len({row["chance"] for row in before}) == 32
        server.command("table", "truncate", "spark_streams.created_users")
        server.command("query", "reset", "created_users", "--from", "earliest")
        wait_until(server.drained, "the query has caught up again")
        assert server.sql(statement) == before


def test_balance_and_why_empty():
    with Server(PEOPLE) as server:
        chance = random.Random(7)
        children = [json.dumps({**person(i, chance), "age": 3}) for i in range(10)]
        server.produce("users_created", children)
        wait_until(server.drained, "the query has caught up")
        edge = server.json("status")["edges"][0]
        assert (edge["in"], edge["filtered"], edge["out"], edge["in_flight"]) == (10, 10, 0, 0)
        answer = server.json("query", "why-empty", "created_users")
        assert answer["empty"] and "WHERE is not true for 10 of 10 records" in answer["answer"]
        server.produce("users_created", ["rubbish"] * 5)
        wait_until(server.drained, "the query has caught up")
        edge = server.json("status")["edges"][0]
        assert edge["in"] == 15 == sum(edge[k] for k in ("out", "filtered", "absorbed", "dead", "skipped", "late", "expired", "in_flight"))
        assert edge["dead"] == 5


def test_query_into_topic_and_a_query_behind_it():
    pipeline = """
name: chain
topics:
  numbers: { partitions: 2, schema: "n bigint, word text" }
queries:
  doubled:
    into: twice
    sql: |
      SELECT CAST(n AS text) AS _key, n * 2 AS n, word FROM numbers WHERE n % 2 = 0
  stored:
    into: t.numbers
    sql: |
      SELECT n, word, _key AS k FROM twice
tables:
  t.numbers: { partition_key: [n] }
"""
    with Server(pipeline) as server:
        server.produce("numbers", [json.dumps({"n": i, "word": f"w{i}"}) for i in range(100)])
        wait_until(lambda: len(server.sql("SELECT n FROM t.numbers")) == 50, "50 rows have come through both queries")
        rows = server.sql("SELECT n, word, k FROM t.numbers ORDER BY n LIMIT 2")
        assert rows == [{"n": 0, "word": "w0", "k": "0"}, {"n": 4, "word": "w2", "k": "2"}]
        refused = server.command("topic", "produce", "twice", input='{"n": 1}\n', check=False)
        assert refused.returncode == 1 and "doubled" in refused.stderr


def test_schema_is_inferred_and_frozen():
    pipeline = """
name: inferred
queries:
  q:
    into: t.things
    sql: |
      SELECT id, size, made FROM things
tables:
  t.things: { partition_key: [id] }
topics:
  things: { partitions: 1 }
"""
    with Server(pipeline) as server:
        server.produce("things", ['{"id": 1, "size": 2.5, "made": "2026-01-01T00:00:00Z"}'])
        wait_until(lambda: server.json("query", "list")[0]["state"] == "running" and server.drained(), "the query has started")
        assert server.sql("SELECT * FROM t.things") == [{"id": 1, "size": 2.5, "made": "2026-01-01T00:00:00Z"}]
        assert "TIMESTAMP WITH TIME ZONE" in server.json("topic", "describe", "things")["schema"]
        assert "inferred" in server.log()


def test_seed_ttl_and_delete_rule(tmp_path):
    (tmp_path / "countries.csv").write_text('country,region\n"FR",Europe\nJP,Asia\n')
    pipeline = f"""
name: rules
topics:
  changes: {{ partitions: 1, schema: "id bigint, op text, v text" }}
queries:
  q:
    into: t.state
    sql: |
      SELECT id, op, v FROM changes
tables:
  t.state: {{ partition_key: [id], delete_when: "op = 'd'" }}
  ref.countries: {{ columns: "country text, region text", partition_key: [country], seed: "{tmp_path}/countries.csv" }}
"""
    with Server(pipeline) as server:
        assert server.sql("SELECT * FROM ref.countries ORDER BY country") == [{"country": "FR", "region": "Europe"}, {"country": "JP", "region": "Asia"}]
        server.produce("changes", ['{"id": 1, "op": "u", "v": "a"}', '{"id": 2, "op": "u", "v": "b"}', '{"id": 1, "op": "d"}'])
        wait_until(server.drained, "the query has caught up")
        assert server.sql("SELECT id, v FROM t.state") == [{"id": 2, "v": "b"}]
        assert server.json("table", "get", "t.state", "2")["v"] == "b"
        gone = server.command("table", "get", "t.state", "1", check=False)
        assert gone.returncode == 1


def test_restart_goes_on_and_at_rest_it_can_be_read(tmp_path):
    data = tmp_path / "data"
    server = Server(PEOPLE, data=data)
    chance = random.Random(8)
    with server:
        server.produce("users_created", [json.dumps(person(i + 20, chance)) for i in range(20)])
        wait_until(server.drained, "the query has caught up")
        assert server.stop() == 0
        at_rest = server.sql("SELECT count(*) AS n FROM spark_streams.created_users")
        assert at_rest == [{"n": 20}]
        assert run("verify", data).returncode == 0
        assert server.command("status", check=False).returncode == 4
        assert server.command("topic", "create", "x", check=False).returncode == 4
        server.start()
        server.produce("users_created", [json.dumps(person(i + 20, chance)) for i in range(5)])
        wait_until(server.drained, "the query has caught up")
        assert server.sql("SELECT count(*) AS n FROM spark_streams.created_users") == [{"n": 25}]
        assert run("run", server.file, "--data", data, check=False).returncode == 5


def test_run_for_ends_by_itself(tmp_path):
    done = run("run", ROOT / "examples" / "users.yaml", "--data", tmp_path / "data", "--for", "3s")
    assert done.returncode == 0
    rows = json.loads(run("sql", "SELECT count(*) AS n FROM spark_streams.created_users", "-o", "json", "--data", tmp_path / "data").stdout)
    assert rows[0]["n"] >= 1
    edge = json.loads(run("status", "-o", "json", "--data", tmp_path / "data", check=False).stdout)["edges"][0]
    assert edge["in_flight"] == 0 and edge["dead"] == 0


def test_apply_changes_what_can_change_live():
    with Server(PEOPLE) as server:
        chance = random.Random(9)
        server.file.write_text(PEOPLE.replace("age >= 18", "age >= 40"))
        answer = server.json("apply", server.file)
        assert answer["applied"] and answer["changes"]
        server.produce("users_created", [json.dumps({**person(i, chance), "age": age}) for i, age in enumerate((20, 39, 40))])
        wait_until(server.drained, "the query has caught up")
        assert server.sql("SELECT next_age FROM spark_streams.created_users") == [{"next_age": 41}]
        server.file.write_text(PEOPLE.replace("partitions: 4", "partitions: 8"))
        refused = server.command("apply", server.file, check=False)
        assert refused.returncode == 1 and "partitions" in refused.stdout
