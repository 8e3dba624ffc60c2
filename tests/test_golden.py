"""Data directories that earlier versions left behind open and answer as they did; what a newer one wrote is refused and left as it is."""
import json
import pathlib
import shutil
import sqlite3
import struct
import sys

import pytest

from millrace import Server, run, wait_until

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"
sys.path.insert(0, str(GOLDEN))
import make  # noqa: E402

VERSIONS = sorted(path.parent.name for path in GOLDEN.glob("*/answers.json"))


@pytest.fixture(params=VERSIONS)
def golden(request, tmp_path):
    shutil.copytree(GOLDEN / request.param / "data", tmp_path / "data")
    return tmp_path / "data", json.loads((GOLDEN / request.param / "answers.json").read_text())


def contents(data):
    """All bytes but those of the lock, in which whoever looks writes its pid."""
    return {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file() and path.name != "LOCK"}


def known_part(now, then):
    """What stood there then: a later version may say more of a thing."""
    if isinstance(then, dict) and isinstance(now, dict):
        return {key: known_part(value, then[key]) for key, value in now.items() if key in then}
    if isinstance(then, list) and isinstance(now, list) and len(now) == len(then):
        return [known_part(a, b) for a, b in zip(now, then)]
    return now


def test_reading_gives_the_same_answers_and_changes_nothing(golden):
    data, answers = golden
    before = contents(data)
    assert run("verify", data).returncode == 0
    assert known_part(make.answers(data), answers) == answers
    assert contents(data) == before


def test_a_server_goes_on_with_it(golden):
    data, answers = golden
    server = Server((GOLDEN / "pipeline.yaml").read_text(), data=data)
    with server:
        for statement in make.STATEMENTS:
            assert server.sql(statement) == answers[statement]
        server.produce("as_is", ['{"id": 100, "name": "new"}'])
        wait_until(server.drained, "the queries have caught up")
        assert len(server.sql(make.STATEMENTS[0])) == len(answers[make.STATEMENTS[0]]) + 1
        assert server.json("dags", "runs", "daily") == answers["runs"]
        assert server.stop() == 0
        assert run("verify", data).returncode == 0


def crc32c(content):
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def newer_seal(data):
    body = (data / "seal").read_bytes().replace(b"millrace seal 1\n", b"millrace seal 2\n")[:-13]
    (data / "seal").write_bytes(body + f"crc {crc32c(body):08x}\n".encode())


def newer_store(data):
    (data / "store" / "FORMAT").write_text("2\n")


def newer_partition_state(data):
    path = data / "log" / "as_is-0" / "partition.state"
    content = path.read_bytes()
    path.write_bytes(content[:4] + struct.pack("<H", 2) + content[6:])


def newer_scheduler(data):
    with sqlite3.connect(data / "meta.db") as database:
        database.execute("PRAGMA user_version = 2")
    database.close()


@pytest.mark.parametrize("make_newer", [newer_seal, newer_store, newer_partition_state, newer_scheduler])
def test_a_newer_format_is_refused_untouched(make_newer, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(GOLDEN / VERSIONS[-1] / "data", data)
    make_newer(data)
    if make_newer is not newer_seal:
        (data / "seal").unlink()
    before = contents(data)
    for command in (["run", GOLDEN / "pipeline.yaml", "--data", data, "--for", "1s"], ["verify", data]):
        done = run(*command, check=False)
        said = (done.stdout + done.stderr).replace(str(data), "DATA")  # pytest names the folder after this test
        assert done.returncode == 1 and "format" in said and "newer" in said, said
    assert contents(data) == before


def test_an_index_is_made_again_whatever_its_format(tmp_path):
    data = tmp_path / "data"
    shutil.copytree(GOLDEN / VERSIONS[-1] / "data", data)
    (data / "seal").unlink()
    path = data / "log" / "as_is-0" / "00000000000000000000.index"
    content = path.read_bytes()
    path.write_bytes(content[:4] + struct.pack("<H", 2) + content[6:])
    with Server((GOLDEN / "pipeline.yaml").read_text(), data=data) as server:
        assert len(server.sql("SELECT * FROM as_is")) == 43
        assert server.stop() == 0
    assert run("verify", data).returncode == 0
