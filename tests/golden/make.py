#!/usr/bin/env python3
"""Makes the golden data directory of the current formats: tests/golden/make.py v1. Once for each release whose formats differ."""
import json
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from millrace import Server, run, wait_until  # noqa: E402

STATEMENTS = ["SELECT * FROM g.every_type ORDER BY id",
              *[f"SELECT _partition, _offset, _key, id, name FROM {topic} ORDER BY _partition, _offset"
                for topic in ("as_is", "with_gzip", "with_snappy", "with_lz4", "with_zstd", "copies")],
              'SELECT query, stage, code, message, topic, partition, "offset", value FROM dead_letters ORDER BY id']
# Who ran when, and what is made at each start, is nobody's data.
LEFT_OUT = shutil.ignore_patterns("LOCK", "LOG*", "server.json", "token", "ingest-tmp", "attempts")


def answers(data):
    """Everything that the directory says, by question."""
    said = {statement: json.loads(run("sql", statement, "-o", "json", data=data).stdout) for statement in STATEMENTS}
    said["balance"] = json.loads(run("status", "-o", "json", data=data, check=False).stdout)["edges"]
    said["runs"] = json.loads(run("dags", "runs", "daily", "-o", "json", data=data).stdout)
    return said


def produce(server):
    for topic in ("with_gzip", "with_snappy", "with_lz4", "with_zstd"):
        server.produce(topic, [json.dumps({"id": i, "name": f"name {i} " * 10}) for i in range(20)])
    server.produce("as_is", [f'k{i}:{{"id": {i}, "name": "Zoë {i}"}}' for i in range(40)], key_separator=":")
    server.produce("as_is", ["not json", '{"id": "x"}', '{"id": 300, "name": "too large for a tinyint"}'])


def to_text(said):
    """JSON with a line for each row."""
    blocks = [f"{json.dumps(question)}: [\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]"
              for question, rows in said.items()]
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def make(version):
    target = HERE / version
    with Server((HERE / "pipeline.yaml").read_text()) as server:
        produce(server)
        server.command("dags", "trigger", "daily")
        wait_until(lambda: any(one["state"] == "success" for one in server.json("dags", "runs", "daily")), "the run has ended")
        wait_until(server.drained, "the queries have caught up")
        assert server.stop() == 0
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(server.data, target / "data", ignore=LEFT_OUT)
        (target / "answers.json").write_text(to_text(answers(server.data)))


if __name__ == "__main__":
    make(sys.argv[1])
