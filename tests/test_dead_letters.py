"""Bad records are kept, shown, replayed; nothing else is lost with them."""
import json

from millrace import Server, wait_until

PIPELINE = """
name: bad
topics:
  events:
    partitions: 1
    schema: "id bigint, n text, email text"
    contract: { email_shape: "email LIKE '%_@_%'" }
queries:
  q:
    into: t.events
    ON_ERROR
    sql: |
      SELECT id, CAST(n AS integer) AS n, email FROM events
tables:
  t.events: { partition_key: [id] }
"""

GOOD = '{"id": %d, "n": "1", "email": "a@b"}'
BAD = ["not json", "[1]", '{"id": "x", "n": "1", "email": "a@b"}', '{"id": 7, "n": "seven", "email": "a@b"}', '{"id": 8, "n": "1", "email": "nobody"}',
       '{"n": "1", "email": "a@b"}', '{"id": 9, "n": "1"', "", '{"id": 10, "n": "1", "email": null}']


def test_each_fault_has_its_stage_and_code():
    with Server(PIPELINE.replace("ON_ERROR", "")) as server:
        lines = [GOOD % i for i in range(100, 200)]
        lines[10:10] = BAD
        server.produce("events", lines)
        wait_until(server.drained, "the query has caught up")
        assert server.sql("SELECT count(*) AS n FROM t.events") == [{"n": 100}]
        letters = server.json("dead-letters", "list")
        assert [(letter["stage"], letter["code"]) for letter in letters] == [
            ("decode", "not_json"), ("decode", "not_object"), ("decode", "type_mismatch"), ("sql", "expression_error"), ("contract", "email_shape"),
            ("sink", "bad_key"), ("decode", "not_json"), ("decode", "empty"), ("contract", "email_shape")]
        assert [letter["value"] for letter in letters] == BAD
        shown = server.json("dead-letters", "show", letters[3]["id"])
        assert "seven" in shown["message"]
        by_stage = server.sql('SELECT stage, count(*) AS n, min("offset") AS first FROM dead_letters GROUP BY stage ORDER BY stage')
        assert by_stage[0] == {"stage": "contract", "n": 2, "first": 14}


def test_replay_after_a_fix_keeps_the_version():
    with Server(PIPELINE.replace("ON_ERROR", "")) as server:
        server.produce("events", ['{"id": 1, "n": "one", "email": "a@b"}', '{"id": 2, "n": "two", "email": "a@b"}'])
        server.produce("events", ['{"id": 2, "n": "22", "email": "a@b"}'])
        wait_until(server.drained, "the query has caught up")
        assert len(server.json("dead-letters", "list")) == 2
        server.file.write_text(PIPELINE.replace("ON_ERROR", "").replace("CAST(n AS integer)", "coalesce(TRY_CAST(n AS integer), -1)"))
        assert server.json("apply", server.file)["applied"]
        report = server.json("dead-letters", "replay", "--where", "query = 'q' AND stage = 'sql'")
        assert report == {"matched": 2, "replayed": 2, "superseded": 1, "still_dead": 0}
        assert server.json("dead-letters", "list") == []
        assert server.sql("SELECT id, n FROM t.events ORDER BY id") == [{"id": 1, "n": -1}, {"id": 2, "n": 22}]
        edge = server.json("status")["edges"][0]
        assert edge["in"] == 3 == edge["out"] and edge["dead"] == 0 and edge["superseded"] == 1


def test_replay_leaves_out_queries_that_are_gone():
    text = PIPELINE.replace("ON_ERROR", "")
    second = "  gone:\n    into: t.others\n    sql: |\n      SELECT id, CAST(n AS integer) AS n FROM events\n"
    both = text.replace("tables:\n", second + "tables:\n") + "  t.others: { partition_key: [id] }\n"
    with Server(both) as server:
        server.produce("events", ['{"id": 1, "n": "one", "email": "a@b"}', '{"id": 2, "n": "two", "email": "a@b"}'])
        wait_until(server.drained, "both queries have caught up")
        assert len(server.json("dead-letters", "list")) == 4
        server.file.write_text(text.replace("CAST(n AS integer)", "coalesce(TRY_CAST(n AS integer), -1)"))
        assert server.json("apply", server.file)["applied"]
        report = server.json("dead-letters", "replay")
        assert report == {"matched": 4, "replayed": 2, "superseded": 0, "still_dead": 0, "query_gone": 2}
        assert [letter["query"] for letter in server.json("dead-letters", "list")] == ["gone", "gone"]


def test_reset_keeps_letters_that_are_not_read_again():
    with Server(PIPELINE.replace("ON_ERROR", "")) as server:
        server.produce("events", ["rubbish", GOOD % 1])
        wait_until(server.drained, "the query has caught up")
        server.command("query", "reset", "q", "--from", "latest")
        assert [letter["value"] for letter in server.json("dead-letters", "list")] == ["rubbish"]
        edge = server.json("status")["edges"][0]
        assert (edge["in"], edge["dead"], edge["out"]) == (1, 1, 0)
        assert server.json("dead-letters", "replay")["still_dead"] == 1
        edge = server.json("status")["edges"][0]
        assert (edge["in"], edge["dead"], edge["out"]) == (1, 1, 0)
        server.command("query", "reset", "q", "--from", "earliest")
        wait_until(server.drained, "the query has caught up again")
        assert len(server.json("dead-letters", "list")) == 1
        edge = server.json("status")["edges"][0]
        assert (edge["in"], edge["dead"], edge["out"]) == (2, 1, 1)


def test_on_error_skip_and_fail():
    with Server(PIPELINE.replace("ON_ERROR", "on_error: skip")) as server:
        server.produce("events", BAD + [GOOD % 1])
        wait_until(server.drained, "the query has caught up")
        edge = server.json("status")["edges"][0]
        assert edge["skipped"] == len(BAD) and edge["out"] == 1 and server.json("dead-letters", "list") == []
    with Server(PIPELINE.replace("ON_ERROR", "on_error: fail")) as server:
        server.produce("events", [GOOD % 1])
        server.produce("events", ["rubbish", GOOD % 2])
        query = wait_until(lambda: [q for q in server.json("query", "list") if q["state"] == "failed"], "the query has stopped")[0]
        assert "events-0@1" in query["reason"]
        status = server.command("status", "-o", "json", check=False)
        assert status.returncode == 1 and not json.loads(status.stdout)["ready"]


def test_a_poison_record_among_many():
    with Server(PIPELINE.replace("ON_ERROR", "")) as server:
        lines = [GOOD % i for i in range(20000)]
        lines[12345] = '{"id": 12345, "n": "poison", "email": "a@b"}'
        server.produce("events", lines)
        wait_until(server.drained, "the query has caught up")
        assert server.sql("SELECT count(*) AS n FROM t.events") == [{"n": 19999}]
        assert [letter["offset"] for letter in server.json("dead-letters", "list")] == [12345]
