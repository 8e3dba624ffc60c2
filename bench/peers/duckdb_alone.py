#!/usr/bin/env python3
"""The main job for DuckDB alone on one thread: a file of JSON lines, 11 of its 12 fields, into nothing or into a table of a database file.

  duckdb_alone.py null|table|keyed FILE DIRECTORY      prints a line of JSON; `keyed` is a table with the primary key id
"""
import json
import pathlib
import resource
import sys
import time

import duckdb

TEXTS = "first_name last_name gender address post_code email username dob registered_date phone picture".split()
SELECTED = ["id"] + [name for name in TEXTS if name != "dob"]


def statements(case, file):
    columns = ", ".join(["id: 'UUID'"] + [f"{name}: 'VARCHAR'" for name in TEXTS])
    rows = f"read_json('{file}', format = 'newline_delimited', columns = {{{columns}}})"
    if case == "null":
        return [f"SELECT least({', '.join(f'count({name})' for name in SELECTED)}) FROM {rows}"]
    select = f"SELECT {', '.join(SELECTED)} FROM {rows}"
    if case == "table":
        return [f"CREATE TABLE users AS {select}", "CHECKPOINT", "SELECT count(*) FROM users"]
    types = ", ".join(["id UUID PRIMARY KEY"] + [f"{name} VARCHAR" for name in SELECTED[1:]])
    return [f"CREATE TABLE users ({types})", f"INSERT OR REPLACE INTO users {select}", "CHECKPOINT", "SELECT count(*) FROM users"]


def main():
    case, file, directory = sys.argv[1:]
    connection = duckdb.connect(str(pathlib.Path(directory) / f"duckdb-{case}.db"), config={"threads": 1})
    begin, cpu_begin = time.monotonic(), time.process_time()
    for statement in statements(case, file):
        result = connection.execute(statement)
    records = result.fetchone()[0]
    seconds, cpu = time.monotonic() - begin, time.process_time() - cpu_begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"case": case, "records": records, "begin": begin, "seconds": seconds, "cpu_seconds": cpu, "peak_mib": peak}))


if __name__ == "__main__":
    main()
