"""One wrong bit anywhere is found: `verify` names the file, and a server refuses what it would otherwise have to trust."""
import json
import os
import random
import shutil
import time

import pytest

from millrace import Server, run, wait_until

PIPELINE = """
name: sealed
topics:
  plain: { partitions: 2, schema: "id bigint, text text" }
  packed: { partitions: 1, compression: zstd, schema: "id bigint, text text" }
  copies: { partitions: 1, schema: "id bigint, text text" }
queries:
  rows: { into: t.rows, sql: "SELECT CAST(id AS bigint) AS id, text FROM plain" }
  more: { into: t.more, sql: "SELECT id, text FROM packed" }
  copied: { into: copies, sql: "SELECT id, text FROM packed" }
tables:
  t.rows: { partition_key: [id] }
  t.more: { partition_key: [id] }
dags:
  daily:
    schedule: null
    tasks:
      one: { sql: "SELECT 1" }
"""

# Nothing is computed from these; each has its reason.
FREE = {"LOCK": "the holder's pid, for people", "store/LOCK": "empty", "server.json": "made at each start", "token": "made at each start"}
FREE_PREFIXES = {"store/LOG": "RocksDB's words for people", "attempts/": "empty after a clean stop",
                 "dags/": "what tasks have said, for people"}
SEED = int(os.environ.get("VERIFY_SEED", time.time_ns() % 100_000))


def matters(name):
    return name not in FREE and not name.startswith(tuple(FREE_PREFIXES))


def names(data):
    return sorted(str(path.relative_to(data)) for path in data.rglob("*") if path.is_file())


def damage(data):
    """What `verify` finds, as {file: [damage]}; it exits 0 only without any."""
    done = run("verify", data, "-o", "json", check=False)
    report = json.loads(done.stdout)
    assert (done.returncode == 0) == report["sound"] == (not report["damage"]), done.stdout + done.stderr
    found = {}
    for one in report["damage"]:
        found.setdefault(os.path.relpath(one["file"], data), []).append(one)
    return found


def start(server, data):
    """`run` until it is ready ("ready") or has ended (its words)."""
    trial = Server(server.file.read_text(), data=data)
    trial.start(ready=False)
    try:
        wait_until(trial.is_ready, "it is ready or has ended")
        return "ready"
    except AssertionError:
        return trial.log()
    finally:
        trial.kill()
        trial.folder.cleanup()


def flip(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


@pytest.fixture(scope="module")
def server():
    """A server that has run, with files of every kind, and was stopped cleanly."""
    with Server(PIPELINE) as server:
        server.produce("packed", [json.dumps({"id": i, "text": f"text {i} " * 20}) for i in range(300)])
        server.produce("plain", [json.dumps({"id": i, "text": "x" * (i % 50)}) for i in range(25_000)])
        server.produce("plain", ["rubbish", '{"id": "x"}'])
        server.command("dags", "trigger", "daily")
        wait_until(lambda: any(r["state"] == "success" for r in server.json("dags", "runs", "daily")), "the run has ended")
        wait_until(server.drained, "the queries have caught up")
        assert server.sql("SELECT count(*) AS n FROM t.rows") == [{"n": 25_000}]
        assert server.stop() == 0
        yield server


@pytest.fixture
def copy(server, tmp_path):
    return shutil.copytree(server.data, tmp_path / "data")


def kind(name):
    folder, _, file = name.rpartition("/")
    if folder.startswith("log/"):
        return "log/*" + file[file.rfind("."):] if file != "partition.state" else "partition.state"
    if folder == "store" and file.endswith((".sst", ".log")):
        return "store/*" + file[-4:]
    return name.rstrip("0123456789")


def test_the_directory_has_files_of_every_kind(copy):
    kinds = {kind(name) for name in names(copy) if matters(name)}
    assert kinds == {"seal", "meta.db", "log/*.log", "log/*.index", "partition.state", "store/*.log", "store/*.sst", "store/CURRENT", "store/FORMAT",
                     "store/IDENTITY", "store/MANIFEST-", "store/OPTIONS-"}
    assert damage(copy) == {}


def test_every_flipped_bit_is_found(server, copy):
    print("seed", SEED)
    chance = random.Random(SEED)
    seen = set()
    for name in filter(matters, names(copy)):
        path, rest = copy / name, 0
        whole, size = path.read_bytes(), path.stat().st_size * 8
        few = 2 if kind(name) in seen else 12
        bits = {0, size - 1, *(chance.randrange(size) for _ in range(few))} if size else set()
        for bit in sorted(bits):
            flip(path, bit)
            assert name in damage(copy), f"seed {SEED}: bit {bit} of {name} is not found"
            path.write_bytes(whole)
        seen.add(kind(name))
    assert damage(copy) == {}


# A sorted file's and a segment's body is checked when it is read: until then the server may run, but never gives wrong rows.
SERVED = {"store/*.sst", "log/*.log", "log/*.index"}


def test_a_server_refuses_flipped_and_shortened_files(server, copy):
    chance = random.Random(SEED)
    tried = set()
    for name in filter(matters, names(copy)):
        if kind(name) in tried:
            continue
        path = copy / name
        whole = path.read_bytes()
        if not whole:
            continue
        tried.add(kind(name))
        changes = [whole[:-1]] if kind(name) in SERVED else [whole[:-1], None]
        for change in changes:
            if change is None:
                flip(path, chance.randrange(len(whole) * 8))
            else:
                path.write_bytes(change)
            before = contents(copy)
            assert name in damage(copy), f"{name} is shorter, and that is not found"
            words = start(server, copy)
            assert name in words, f"seed {SEED}: {name} was taken: {words}"
            assert contents(copy) == before, f"a start with a damaged {name} wrote"
            path.write_bytes(whole)


def contents(data):
    return {name: (data / name).read_bytes() for name in names(data) if matters(name)}


def test_a_missing_file_is_found_and_refused(server, copy):
    tried = set()
    for name in filter(matters, names(copy)):
        path = copy / name
        whole = path.read_bytes()
        path.unlink()
        if name == "seal":  # as after a crash
            assert damage(copy) == {}
        else:
            assert name in damage(copy)
            if kind(name) not in tried:
                assert name in start(server, copy)
        tried.add(kind(name))
        path.write_bytes(whole)
    assert start(server, copy) == "ready"


def test_wrong_rows_are_never_served(server, copy):
    chance = random.Random(SEED)
    ask = "SELECT count(*) AS n, sum(id) AS ids, sum(length(text)) AS letters FROM t.rows"
    right = json.loads(run("sql", ask, "-o", "json", data=copy).stdout)
    for name in names(copy):
        if not name.endswith(".sst"):
            continue
        whole = (copy / name).read_bytes()
        for _ in range(6):
            flip(copy / name, chance.randrange(len(whole) * 8))
            answer = run("sql", ask, "-o", "json", data=copy, check=False)
            assert answer.returncode != 0 or json.loads(answer.stdout) == right, f"seed {SEED}"
            (copy / name).write_bytes(whole)


def killed(tmp_path, lines=400):
    """A data directory as `kill -9` leaves it."""
    server = Server(PIPELINE, data=tmp_path / "data")
    server.start()
    server.command("dags", "trigger", "daily")
    wait_until(lambda: any(r["state"] == "success" for r in server.json("dags", "runs", "daily")), "the run has ended")
    for i in range(4):
        server.produce("plain", [json.dumps({"id": i * lines + k, "text": "y" * 90}) for k in range(lines)])
    wait_until(server.drained, "the queries have caught up")
    server.kill()
    return server


def test_after_a_kill_damage_in_the_middle_is_refused(tmp_path):
    server = killed(tmp_path)
    assert not (server.data / "seal").exists() and damage(server.data) == {}
    current = (server.data / "store" / "CURRENT").read_text().strip()
    logs = [name for name in names(server.data) if kind(name) == "store/*.log" and (server.data / name).stat().st_size]
    for name in [f"store/{current}", *logs, "store/CURRENT", "store/FORMAT"]:
        path = server.data / name
        whole = path.read_bytes()
        for part in (0.0, 0.3, 0.6):
            flip(path, int(len(whole) * part) * 8 + 2)
            assert name in json.dumps(damage(server.data))
            words = start(server, server.data)
            assert name in words, words
            path.write_bytes(whole)
    (server.data / "meta.db").rename(tmp_path / "meta.db")
    for rest in ("meta.db-wal", "meta.db-shm"):
        (server.data / rest).unlink(missing_ok=True)
    assert "meta.db" in damage(server.data)
    assert "meta.db is gone" in start(server, server.data)
    server.folder.cleanup()


def test_after_a_kill_a_torn_end_is_cut(tmp_path):
    server = killed(tmp_path)
    log = max((path for path in (server.data / "store").glob("*.log")), key=lambda path: path.stat().st_size)
    os.truncate(log, log.stat().st_size - 5)
    assert damage(server.data) == {}
    server.start()
    wait_until(server.drained, "the queries have caught up again")
    assert server.sql("SELECT count(*) AS n FROM t.rows") == [{"n": 1600}]
    assert server.stop() == 0
    assert damage(server.data) == {}
    server.folder.cleanup()
