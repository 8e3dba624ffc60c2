"""Pipeline files that err or attack: `check` ends soon with exit code 3, and every fault has its place."""
import json
import os

import pytest

from millrace import run

BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
DAG = "name: x\ndags:\n  d: {{ schedule: {}, timezone: {}, tasks: {{ a: {{ sql: SELECT 1 }} }} }}\n"
TOPIC = "name: x\ntopics: {{ {}: {{ schema: a int, {} }} }}\n"


def cron(text):
    return DAG.format(json.dumps(text), "UTC")


def zone(text):
    return DAG.format('"@daily"', json.dumps(text))


def topic(name):
    return TOPIC.format(json.dumps(name), "partitions: 1")


def setting(text):
    return TOPIC.format("t", text)


CASES = {
    "alias bomb": ("name: x\n" + BOMB, "too-big"), "cycle": ("name: x\na: &a [*a]\n", "yaml-alias"),
    "long alias": ('name: x\na: &a "' + "x" * 1_000_000 + '"\nb: [' + ",".join(["*a"] * 1000) + "]\n", "too-big"),
    "unknown alias": ("name: *a\n", "yaml-alias"), "deep list": ("name: " + "[" * 100_000, "too-deep"), "deep map": ("name: " + "{a: " * 100_000, "too-deep"),
    "deep dashes": ("name:\n" + "- " * 100_000, "too-deep"), "tag": ("name: !!python/object/apply:os.system [id]\n", "yaml-tag"),
    "binary": ("name: !!binary aGVsbG8=\n", "yaml-tag"), "twice": ("name: x\nname: y\n", "duplicate-key"), "tab": ("name: x\ntopics:\n\tt: {}\n", "tab-indent"),
    "NUL": ("name: x\0y\n", "bad-encoding"), "escaped NUL": ('name: "x\\0"\n', "bad-encoding"), "latin-1": ("name: x\n# \xe9\n".encode("latin-1"), "bad-encoding"),
    "UTF-16": ("name: x\n".encode("utf-16"), "bad-encoding"), "10 MB": ("name: x\n#" + "c" * 10_000_000, "too-big"),
    "braces": ("{" * 1_000_000, "too-deep"), "commas": ("name: [" + "," * 1_000_000, "too-big"), "unclosed": ('name: "' + "x" * 1_000_000, "bad-yaml"),
    "two documents": ("name: x\n---\nname: y\n", "several-documents"), "merge": ("name: x\n<<: {a: b}\n", "merge-key"),
    "huge integer": (setting("partitions: 99999999999999999999999"), "wrong-type"), "negative": (setting("partitions: -1"), "out-of-range"),
    "fraction": (setting("partitions: 1.5"), "wrong-type"), "hexadecimal": (setting("partitions: 0x10"), "wrong-type"),
    "long time": (setting("retention: { time: 99999999999999d }"), "bad-duration"), "negative time": (setting("retention: { time: -5s }"), "bad-duration"),
    "unknown unit": (setting("retention: { time: 5 parsecs }"), "bad-duration"), "huge size": (setting("retention: { size: 99999999TiB }"), "bad-size"),
    "cron range": (cron("0-99999999 * * * *"), "bad-cron"), "cron step 0": (cron("*/0 * * * *"), "bad-cron"), "cron long step": (cron("*/99999999999999999999 * * * *"), "bad-cron"),
    "31 February": (cron("0 0 31 2 *"), "bad-cron"), "cron name": (cron("0 0 * foo *"), "bad-cron"), "cron digits": (cron("\uff10 0 * * *"), "bad-cron"),
    "cron 10 kB": (cron("1," * 5000 + "1 * * * *"), "bad-cron"), "cron fields": (cron("* * * *"), "bad-cron"), "every 0": (cron("every 0s"), "bad-cron"),
    "every long": (cron("every 99999999999999d"), "bad-cron"), "preset": (cron("@sometimes"), "bad-cron"),
    "zone": (zone("Mars/Base"), "bad-timezone"), "zone path": (zone("../../etc/passwd"), "bad-timezone"), "zone folder": (zone("Europe"), "bad-timezone"),
    "zone 10 kB": (zone("a" * 10_000), "bad-timezone"), "zone look-alike": (zone("Europe\uff0fBerlin"), "bad-timezone"),
    "..": (topic(".."), "bad-name"), "slash": (topic("a/b"), "bad-name"), "300 characters": (topic("a" * 300), "bad-name"), "empty": (topic(""), "bad-name"),
    "look-alike": (topic("t\u043epic"), "bad-name"), "zero width": (topic("a\u200bb"), "bad-name"), "terminal": (topic("\x1b[2J"), "bad-name"),
    "reserved": (topic("dead_letters"), "bad-name"), "case": ("name: x\ntopics: { T: { schema: a int }, t: { schema: a int } }\n", "duplicate-name"),
    "table": ('name: x\ntables: { "k.../t": { columns: a int, partition_key: [a] } }\n', "bad-name"),
    "dag": ('name: x\ndags: { "a/b": { tasks: { a: { sql: SELECT 1 } } } }\n', "bad-name"),
    "query": ('name: x\ntopics: { t: { schema: a int } }\ntables: { k.t: { partition_key: [a] } }\nqueries: { "..": { into: k.t, sql: SELECT a FROM t } }\n', "bad-name"),
    "seed folder": ("name: x\ntables: { k.t: { columns: a int, partition_key: [a], seed: / } }\n", "unreadable-file"),
    "seed pipe": ("name: x\ntables: { k.t: { columns: a int, partition_key: [a], seed: pipe } }\n", "unreadable-file"),
    "SQL pipe": ("name: x\ntables: { k.t: { partition_key: [a] } }\nqueries: { q: { into: k.t, sql_file: pipe } }\n", "unreadable-file"),
    "secret device": ("name: ${file:/dev/zero}\n", "unreadable-file"), "secret pipe": ("name: ${file:pipe}\n", "unreadable-file"),
    "DAG cycle": ("name: x\ndags: { d: { tasks: { a: { sql: SELECT 1, after: [b] }, b: { sql: SELECT 1, after: [a] } } } }\n", "cycle"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("projects")
    os.mkfifo(path / "pipe")
    return path


@pytest.mark.parametrize("name", CASES)
def test_a_bad_file_is_refused_with_the_place(folder, name):
    text, code = CASES[name]
    file = folder / "p.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = run("check", file, "-o", "json", check=False, timeout=60)
    assert done.returncode == 3, done.stderr
    faults = [fault for fault in json.loads(done.stdout) if fault["severity"] == "error"]
    assert code in {fault["code"] for fault in faults}, faults
    assert all(fault["message"] and (fault["line"] >= 1 or code == "too-big") for fault in faults), faults
    words = run("check", file, check=False, timeout=60)
    assert words.returncode == 3 and not set("\x1b\x9b\x00") & set(words.stdout)
