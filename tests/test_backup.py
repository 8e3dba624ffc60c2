"""Backups while the server works, and what is made of them: exactly what was acknowledged, nothing twice, nothing half."""
import collections
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import threading

import pytest

from millrace import BINARY, Server, run, wait_until

PIPELINE = """
name: kept
topics:
  people: { partitions: 4, schema: "id bigint, name text" }
  copies: { partitions: 2, schema: "id bigint, name text" }
queries:
  into_table:
    into: t.people
    sql: |
      SELECT id, name, _partition AS part, _offset AS "offset" FROM people
  into_topic:
    into: copies
    sql: |
      SELECT id, name FROM people
  from_topic:
    into: t.copies
    sql: |
      SELECT id, name FROM copies
tables:
  t.people: { partition_key: [id] }
  t.copies: { partition_key: [id] }
dags:
  beat:
    schedule: "every 1s"
    catchup: false
    tasks:
      say: { exec: [echo, "beat {{ ds }}"] }
"""
QUERIES = 3


class Producer(threading.Thread):
    """Sends batches with ids of its own until it is told to stop."""

    def __init__(self, server, first_id):
        super().__init__(daemon=True)
        self.server, self.next_id = server, first_id
        self.acked, self.sent = set(), set()
        self.stopping = threading.Event()

    def run(self):
        size = 0
        while not self.stopping.is_set():
            size = size % 400 + 57
            ids = range(self.next_id, self.next_id + size)
            self.next_id = ids.stop
            self.sent.update(ids)
            body = "".join(json.dumps({"id": i, "name": f"n{i}"}) + "\n" for i in ids).encode()
            try:
                status, _ = self.server.http("POST", "/v1/topics/people/records", body, "application/x-ndjson")
            except (OSError, ValueError):
                return
            if status == 200:
                self.acked.update(ids)


class Load:
    """Producers beside what is done within it."""

    def __init__(self, server):
        self.producers = [Producer(server, 1 + k * 10**9) for k in range(3)]

    def acked(self):
        return set().union(*(set(p.acked) for p in self.producers))

    def sent(self):
        return set().union(*(set(p.sent) for p in self.producers))

    def __enter__(self):
        for producer in self.producers:
            producer.start()
        wait_until(lambda: len(self.acked()) > 5000, "records flow")
        return self

    def __exit__(self, *_):
        for producer in self.producers:
            producer.stopping.set()
        for producer in self.producers:
            producer.join()


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="millrace-backup-") as path:
        yield pathlib.Path(path)


def ids_of(server, relation):
    return collections.Counter(int(row["id"]) for row in server.sql(f"SELECT id FROM {relation}"))


def check_restored(data, acked, sent):
    """Runs what was restored: `acked` are there once, everywhere, and nothing that was never sent. The queries go on from there."""
    assert json.loads(run("verify", data, "-o", "json").stdout)["sound"]
    before = {query["query"]: query["balance"]["in"] - query["balance"]["in_flight"]
              for query in json.loads(run("query", "list", "-o", "json", "--data", data).stdout)}
    assert len(before) == QUERIES
    with Server(PIPELINE, data=data) as server:
        wait_until(server.drained, "the queries have caught up")
        topic = ids_of(server, "people")
        assert acked <= topic.keys(), f"{len(acked - topic.keys())} records are lost"
        assert topic.keys() <= sent
        assert set(topic.values()) <= {1}
        for relation in ("t.people", "copies", "t.copies"):
            assert ids_of(server, relation) == topic, relation
        for edge in server.json("status")["edges"]:
            assert edge["in"] == len(topic) == edge["out"], edge
        # Go on: what was processed before the backup is not read again.
        assert server.json("dags", "runs", "beat")
        server.produce("people", [json.dumps({"id": -k, "name": "new"}) for k in range(1, 101)])
        wait_until(server.drained, "the queries have caught up")
        assert ids_of(server, "t.copies") == topic + collections.Counter(range(-100, 0))
        assert server.stop() == 0
    assert json.loads(run("verify", data, "-o", "json").stdout)["sound"]
    return before


def digests(root):
    """Content of every file that is data; locks and RocksDB's own log are none."""
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*")) if path.is_file() and not path.name.startswith(("LOCK", "LOG"))}


def test_three_backups_under_load(folder):
    with Server(PIPELINE) as server:
        made = []
        with Load(server) as load:
            wait_until(lambda: server.json("dags", "runs", "beat"), "the dag has run")
            for k in range(3):
                acked = load.acked()
                point = server.json("backup", folder / f"b{k}")
                made.append((folder / f"b{k}", acked, point))
        sent = load.sent()
        assert sum(q["balance"]["in"] for q in server.json("query", "list")) > 0
        assert not (server.data / "backup.tmp").exists()
        assert server.stop() == 0
        assert json.loads(server.command("verify", "-o", "json").stdout)["sound"]
    ends = [sum(t["end_offset"] for t in point["topics"] if t["topic"] == "people") for _, _, point in made]
    assert ends[0] < ends[1] < ends[2]
    for backup, acked, point in made:
        report = json.loads(run("verify", backup, "-o", "json").stdout)
        assert report["sound"] and report["files"] == point["files"] and report["bytes"] == point["bytes"]
        assert not [path for path in backup.rglob("*") if path.name in ("seal", "token", "server.json", "LOCK") or path.suffix == ".pid"]
        restored = backup.with_suffix(".data")
        told = json.loads(run("restore", backup, restored, "-o", "json").stdout)
        assert told["topics"] == point["topics"] and told["queries"] == point["queries"]
        before = check_restored(restored, acked, sent)
        for query in point["queries"]:
            assert before[query["query"]] == sum(query["next_offsets"])
            ends_of = {t["partition"]: t["end_offset"] for t in point["topics"] if t["topic"] == query["topic"]}
            assert all(at <= ends_of[p] for p, at in enumerate(query["next_offsets"]))


def test_at_rest_and_after_a_kill(folder):
    """No server: the same, and nothing in the source changes; after kill -9 with what recovery would do to the copy."""
    with Server(PIPELINE) as server:
        with Load(server) as load:
            wait_until(lambda: server.json("dags", "runs", "beat"), "the dag has run")
            server.kill()
        acked, sent = load.acked(), load.sent()
        before = digests(server.data)
        server.command("backup", folder / "killed")
        assert digests(server.data) == before
        run("restore", folder / "killed", folder / "killed.data")
        server.start()
        assert server.stop() == 0
        before = digests(server.data)
        point = server.json("backup", folder / "rest")
        assert digests(server.data) == before
        run("restore", folder / "rest", folder / "rest.data")
        assert sum(t["end_offset"] for t in point["topics"] if t["topic"] == "people") >= len(acked)
    check_restored(folder / "killed.data", acked, sent)
    check_restored(folder / "rest.data", acked, sent)


def refused(*args, words=(), code=1, **kwargs):
    done = run(*args, check=False, **kwargs)
    assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
    for word in words:
        assert word in done.stderr, (word, done.stderr)
    return done


def check_incomplete(backup, folder):
    refused("restore", backup, folder / "never", words=["interrupted"])
    assert not (folder / "never").exists()
    refused("verify", backup, words=["interrupted"])
    refused("sql", "SELECT 1", "--data", backup, words=["is a backup"])


def spawn_backup(server, target, faults=None):
    environment = {**os.environ, **({"MILLRACE_FAULTS": faults} if faults else {})}
    return subprocess.Popen([str(BINARY), "backup", str(target), "--data", str(server.data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=environment, text=True)


def begun(target):
    return lambda: target.exists() and any(path.suffix == ".sst" for path in target.rglob("*"))


SLOW = "file.write=delay,ms=1000,path=/slow/"


def test_killed_server_leaves_no_backup(folder):
    target = folder / "slow" / "b"
    with Server(PIPELINE) as server:
        server.kill()
        server.start(faults=SLOW)
        with Load(server) as load:
            command = spawn_backup(server, target)
            wait_until(begun(target), "the backup has begun")
            server.kill()
            assert command.wait(60) != 0
            command.communicate()
        check_incomplete(target, folder)
        assert (server.data / "backup.tmp").exists()
        server.start()
        assert not (server.data / "backup.tmp").exists()
        refused("backup", target, "--data", server.data, words=["not empty"])
        acked = load.acked()
        server.command("backup", folder / "b2")
        run("restore", folder / "b2", folder / "data")
    check_restored(folder / "data", acked, load.sent())


def test_killed_command_leaves_no_backup(folder):
    target = folder / "slow" / "b"
    with Server(PIPELINE) as server:
        server.produce("people", ['{"id": 1, "name": "a"}'])
        assert server.stop() == 0
        command = spawn_backup(server, target, SLOW)
        wait_until(begun(target), "the backup has begun")
        command.kill()
        command.communicate()
        check_incomplete(target, folder)
        # All is there but the last step.
        late = refused("backup", folder / "late", data=server.data, env={"MILLRACE_FAULTS": "file.rename=exit,path=backup.unfinished"}, code=137)
        assert late.stdout == ""
        check_incomplete(folder / "late", folder)


def test_an_error_leaves_nothing(folder):
    target = folder / "bad" / "b"
    with Server(PIPELINE) as server:
        server.kill()
        server.start(faults="file.write=enospc,after=3,path=/bad/")
        server.produce("people", ['{"id": 1, "name": "a"}'])
        refused("backup", target, "--data", server.data, words=["no space"])
        assert not target.exists()
        assert not (server.data / "backup.tmp").exists()
        # Nothing is held any more.
        run("topic", "create", "other", "--data", server.data)
        run("topic", "delete", "other", "--data", server.data)
        wait_until(server.drained, "the queries go on")


def test_one_at_a_time_and_topics_stay_meanwhile(folder):
    target = folder / "slow" / "b"
    with Server(PIPELINE) as server:
        server.kill()
        server.start(faults=SLOW)
        run("topic", "create", "other", "--data", server.data)
        command = spawn_backup(server, target)
        wait_until(begun(target), "the backup has begun")
        status, body = server.http("POST", "/v1/backup", json.dumps({"target": str(folder / "b2")}).encode())
        assert status == 409 and str(target) in json.loads(body)["message"]
        assert not (folder / "b2").exists()
        state = json.loads(server.http("GET", "/v1/backup")[1])
        assert state["running"] and state["target"] == str(target)
        refused("topic", "delete", "other", "--data", server.data, words=["backup"])
        refused("topic", "truncate", "people", "--data", server.data, words=["backup"])
        # A stop does not wait for it.
        assert server.stop() == 0
        assert command.wait(60) != 0
        assert "given" in command.communicate()[1]
        assert not target.exists()


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_damage_is_refused_by_name(folder):
    backup, data = folder / "b", folder / "data"
    with Server(PIPELINE) as server:
        server.produce("people", [json.dumps({"id": i, "name": "x"}) for i in range(1000)])
        wait_until(server.drained, "the queries have caught up")
        server.command("backup", backup)
    whole = digests(backup)
    victims = [path for path in backup.rglob("*") if path.is_file() and path.stat().st_size > 0]
    assert {path.suffix for path in victims} >= {".sst", ".log", ".db", ".state", ".manifest"}
    for path in victims:
        content = path.read_bytes()
        flip(path)
        refused("restore", backup, data, words=[path.name])
        assert not data.exists() and not data.with_name("data.restoring").exists()
        done = refused("verify", backup)
        assert path.name in done.stdout + done.stderr
        path.write_bytes(content)
    for damage in (lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-1])):
        content = victims[0].read_bytes()
        damage(victims[0])
        refused("restore", backup, data, words=[victims[0].name])
        victims[0].write_bytes(content)
    assert digests(backup) == whole
    run("restore", backup, data)
    assert digests(backup) == whole


def test_places_that_are_refused(folder):
    with Server(PIPELINE) as server:
        (folder / "full").mkdir()
        (folder / "full" / "x").write_text("mine")
        for _ in range(2):  # running, then at rest
            refused("backup", folder / "full", "--data", server.data, words=["not empty"])
            refused("backup", folder / "full" / "x", "--data", server.data, words=["no directory"])
            refused("backup", server.data / "log" / "b", "--data", server.data, words=["within the data directory"])
            (folder / "link").unlink(missing_ok=True)
            (folder / "link").symlink_to(server.data)
            refused("backup", folder / "link" / "b", "--data", server.data, words=["within the data directory"])
            assert sorted(path.name for path in folder.iterdir()) == ["full", "link"]
            if server.process.poll() is None:
                status, _ = server.http("POST", "/v1/backup", b'{"target": "relative"}')
                assert status == 400
                assert server.stop() == 0
        refused("backup", folder / "b", "--data", folder / "nothing", words=["no data"])
        # A relative path is the command's own; an empty directory is as good as none.
        (folder / "b").mkdir()
        subprocess.run([str(BINARY), "backup", "b", "--data", str(server.data)], cwd=folder, check=True, capture_output=True)
        refused("restore", folder / "full", folder / "data", words=["no backup"])
        refused("restore", folder / "b", folder / "full", words=["not empty"])
        refused("restore", folder / "b", folder / "b" / "inside", words=["within the backup"])
        refused("restore", folder / "b", server.data, words=["not empty"])
        (folder / "data.restoring").mkdir()
        refused("restore", folder / "b", folder / "data", words=["data.restoring"])
        (folder / "data.restoring").rmdir()
        (folder / "data").mkdir()
        run("restore", folder / "b", str(folder / "data") + "/")
        assert (folder / "data" / "store" / "CURRENT").exists()
        assert (folder / "full" / "x").read_text() == "mine"


def test_a_restore_that_is_cut_short_shows_no_data(folder):
    with Server(PIPELINE) as server:
        server.produce("people", ['{"id": 1, "name": "a"}'])
        server.command("backup", folder / "b")
    refused("restore", folder / "b", folder / "data", env={"MILLRACE_FAULTS": "file.rename=exit,path=data.restoring"}, code=137)
    assert not (folder / "data").exists()
    refused("restore", folder / "b", folder / "data", words=["interrupted"])
    refused("restore", folder / "b", folder / "data2", env={"MILLRACE_FAULTS": "file.write=eio,after=2,path=data2"}, words=["input/output"])
    assert not (folder / "data2").exists() and not (folder / "data2.restoring").exists()


# ---- what is damaged in the data directory does not become a backup


def segments_of(data):
    """All of them with anything in them, oldest first within their partition."""
    return [path for path in sorted(data.glob("log/people-*/*.log")) if path.stat().st_size > 0]


def check_backup_names(server, folder, victim):
    refused("backup", folder / "b", "--data", server.data, words=[str(victim.relative_to(server.data))])
    assert not (folder / "b").exists()
    assert not (server.data / "backup.tmp").exists()


def unlink(path):
    path.unlink()


def halve(path):
    os.truncate(path, path.stat().st_size // 2)


def fill(server, first_id=0):
    server.produce("people", [json.dumps({"id": i, "name": f"n{i}"}) for i in range(first_id, first_id + 3000)])
    wait_until(server.drained, "the queries have caught up")


@pytest.mark.parametrize("damage", [flip, halve, unlink])
def test_a_segment_that_is_damaged_under_a_server_is_refused(folder, damage):
    with Server(PIPELINE) as server:
        fill(server)
        victim = segments_of(server.data)[0]
        damage(victim)
        check_backup_names(server, folder, victim)


def test_records_behind_a_cut_do_not_hide_it(folder):
    """The server goes on at the place where it was: the segment is as long as it should be, with a hole."""
    with Server(PIPELINE) as server:
        fill(server)
        victim = max(segments_of(server.data), key=lambda path: path.stat().st_size)
        size = victim.stat().st_size
        halve(victim)
        first_id = 10_000
        while victim.stat().st_size < size:
            server.produce("people", [json.dumps({"id": i, "name": "later"}) for i in range(first_id, first_id + 100)])
            first_id += 100
        check_backup_names(server, folder, victim)


def test_a_rolled_segment_that_is_damaged_at_rest_is_refused(folder):
    with Server(PIPELINE) as server:
        server.kill()
        server.start(faults="log.segment_full=eio")  # each append begins a segment
        for first_id in range(0, 24_000, 3000):
            fill(server, first_id)
        server.kill()
        victim = next(path for path in segments_of(server.data) if path.with_suffix(".index").exists())
        assert victim != max(victim.parent.glob("*.log"))
        whole = victim.read_bytes()
        flip(victim)
        check_backup_names(server, folder, victim)
        victim.write_bytes(whole)
        server.command("backup", folder / "b")
        run("restore", folder / "b", folder / "data")
    everything = set(range(24_000))
    check_restored(folder / "data", everything, everything)


def test_a_sorted_file_that_is_damaged_under_a_server_is_refused(folder):
    with Server(PIPELINE) as server:
        fill(server)
        assert server.stop() == 0  # what it holds is in sorted files then
        server.start()
        victim = max(server.data.glob("store/*.sst"), key=lambda path: path.stat().st_size)
        flip(victim)
        check_backup_names(server, folder, victim)


@pytest.mark.parametrize("end", [None, Server.kill])
def test_a_scheduler_that_is_gone_is_refused(folder, end):
    with Server(PIPELINE) as server:
        fill(server)
        if end:
            end(server)
        for path in server.data.glob("meta.db*"):
            path.unlink()
        check_backup_names(server, folder, server.data / "meta.db")


def test_a_scheduler_that_is_damaged_at_rest_is_refused(folder):
    with Server(PIPELINE) as server:
        fill(server)
        server.kill()
        (server.data / "meta.db-wal").unlink(missing_ok=True)
        (server.data / "meta.db").write_bytes(b"no database" * 1000)
        check_backup_names(server, folder, server.data / "meta.db")


def test_a_data_directory_holds_no_other(folder):
    with Server(PIPELINE) as server:
        server.command("backup", folder / "b")
        for target in (server.data / "sub", server.data / "sub" / "deep", server.data / "dags" / "new"):
            refused("restore", folder / "b", target, words=["within the data directory"])
            assert not target.exists() and not target.parent.joinpath("sub").exists()
        assert server.stop() == 0
        (server.data / "LOCK").unlink()
        refused("restore", folder / "b", server.data / "sub", words=["within the data directory"])
        run("restore", folder / "b", folder / "data")
