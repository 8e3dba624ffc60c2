"""Files as a source: what is appended, rotated or cut is read without loss; a restart goes on where it was."""
import collections
import json

import duckdb
import pytest

from millrace import Server, run, wait_until

PIPELINE = """
name: files
sources:
  s: { file: FILE, every: 20ms, into: events, key: KEY }
topics:
  events: { partitions: 2, schema: "id bigint, name text" }
"""


def pipeline(file, key="$.id"):
    return PIPELINE.replace("FILE", file).replace("KEY", key)


def line(i):
    return json.dumps({"id": i, "name": f"n{i}"}) + "\n"


def append(path, begin, end, cut=0):
    """Lines of these ids; `cut` bytes of the last one are missing."""
    text = "".join(map(line, range(begin, end)))
    with open(path, "a", encoding="utf-8") as file:
        file.write(text[:len(text) - cut])


def counted(server):
    return collections.Counter(row["id"] for row in server.sql("SELECT id FROM events"))


def arrived(server, count):
    wait_until(lambda: server.sql("SELECT count(DISTINCT id) AS n FROM events")[0]["n"] == count, f"{count} records have arrived")


def source(server):
    return json.loads(server.http("GET", "/v1/status")[1])["sources"][0]


def test_lines_are_followed_through_growth_rotation_and_cuts():
    server = Server(pipeline("{ path: logs/*.jsonl }"))
    logs = server.file.parent / "logs"
    logs.mkdir()
    append(logs / "a.jsonl", 0, 100, cut=5)
    with server:
        arrived(server, 99)
        with open(logs / "a.jsonl", "a", encoding="utf-8") as file:
            file.write(line(99)[-5:])  # the rest of the line that was not whole
        append(logs / "b.jsonl", 100, 200)
        arrived(server, 200)
        append(logs / "a.jsonl", 200, 210)
        (logs / "a.jsonl").rename(logs / "a.jsonl.1")  # its last lines may not be read yet
        append(logs / "a.jsonl", 300, 310)
        append(logs / "a.jsonl.1", 210, 220)  # the writer has it open still
        arrived(server, 230)
        assert server.stop() == 0
        append(logs / "a.jsonl", 310, 320)
        append(logs / "b.jsonl", 220, 230)
        server.start()
        arrived(server, 250)
        (logs / "b.jsonl").write_text(line(400))  # shorter than what was read
        arrived(server, 251)
        assert set(counted(server).values()) == {1}, "a clean restart repeats nothing"
        keys = server.sql("SELECT _key AS key, id FROM events")
        assert all(row["key"] == str(row["id"]) for row in keys)
        assert "b.jsonl was cut or replaced" in server.log()


def test_a_kill_loses_nothing():
    server = Server(pipeline("{ path: in.jsonl }"))
    path = server.file.parent / "in.jsonl"
    append(path, 0, 1)
    with server:
        sent = 1
        for _ in range(4):
            append(path, sent, sent + 30_000)
            sent += 30_000
            wait_until(lambda: source(server)["out"] > 0, "records come in")
            server.kill()  # between records and position, now and then
            server.start()
        arrived(server, sent)
        assert counted(server).keys() == set(range(sent))


def test_csv_and_parquet_become_objects(tmp_path):
    (tmp_path / "in.csv").write_bytes(b'\xef\xbb\xbfid,name\r\n1,"a,""b""\nc"\r\n2,\r\n3,last')
    rows = duckdb.sql("SELECT range AS id, CASE WHEN range % 3 <> 0 THEN 'n' || range END AS name FROM range(25000)")
    rows.write_parquet(str(tmp_path / "in.parquet"))
    text = """
name: files
sources:
  cells: { file: { path: in.csv, format: csv, follow: false }, every: 20ms, into: of_csv, key: $.id }
  columns: { file: { path: "*.parquet", format: parquet }, every: 20ms, into: of_parquet, key: $.name }
topics:
  of_csv: { schema: "id bigint, name text" }
  of_parquet: { schema: "id bigint, name text" }
"""
    (tmp_path / "p.yaml").write_text(text)
    server = Server(text, data=tmp_path / "d")
    server.file = tmp_path / "p.yaml"
    with server:
        wait_until(lambda: server.sql("SELECT count(*) AS n FROM of_parquet")[0]["n"] == 25000, "the Parquet file is read")
        wait_until(lambda: server.sql("SELECT count(*) AS n FROM of_csv")[0]["n"] == 3, "the CSV file is read")
        assert server.sql("SELECT id, name, _key AS key FROM of_csv ORDER BY id") == [
            {"id": 1, "name": 'a,"b"\nc', "key": "1"}, {"id": 2, "name": None, "key": "2"}, {"id": 3, "name": "last", "key": "3"}]
        rows = server.sql("SELECT id, name, _key AS key FROM of_parquet ORDER BY id")
        assert [row["id"] for row in rows] == list(range(25000))
        assert all(row["name"] == row["key"] == (f"n{i}" if i % 3 else None) for i, row in enumerate(rows))
        assert server.stop() == 0
        server.start()
        polls = source(server)["polls"]
        wait_until(lambda: source(server)["polls"] > polls + 1, "there was another poll")
        assert server.sql("SELECT count(*) AS n FROM of_parquet")[0]["n"] == 25000


def test_without_follow_a_file_is_read_once_as_it_is(tmp_path):
    (tmp_path / "in.jsonl").write_text(line(1) + line(2).rstrip())  # the last line has no end
    (tmp_path / "p.yaml").write_text(pipeline("{ path: in.jsonl, follow: false }"))
    run("run", tmp_path / "p.yaml", "--data", tmp_path / "d", "--for", "300ms")
    append(tmp_path / "in.jsonl", 3, 5)
    run("run", tmp_path / "p.yaml", "--data", tmp_path / "d", "--for", "300ms")
    ids = json.loads(run("sql", "SELECT id FROM events", "-o", "json", "--data", tmp_path / "d").stdout)
    assert sorted(row["id"] for row in ids) == [1, 2]


@pytest.mark.parametrize("path, message", [("gone/*.jsonl", "gone"), ("gone.jsonl", "no such file")])
def test_what_is_missing_is_the_sources_last_error(path, message):
    with Server(pipeline(f'{{ path: "{path}" }}')) as server:
        failed = wait_until(lambda: source(server) if source(server)["failed_polls"] > 1 else None, "the source has failed")
        assert message in failed["last_error"]
        there = server.file.parent / path.replace("*", "a")
        there.parent.mkdir(exist_ok=True)
        append(there, 0, 10)
        arrived(server, 10)
        assert "source s answers again" in server.log()
