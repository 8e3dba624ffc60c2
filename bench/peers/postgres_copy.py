#!/usr/bin/env python3
"""Rows into a table of PostgreSQL with a primary key, by one COPY of text that was made before.   postgres_copy.py URL LINES ROWS"""
import itertools
import json
import resource
import sys
import time

import psycopg

COLUMNS = "id first_name last_name gender address post_code email username registered_date phone picture".split()
CHUNK = 256 << 10
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def copied(line):
    user = json.loads(line)
    return ("\t".join(user[name].translate(ESCAPES) for name in COLUMNS) + "\n").encode()


def copy(connection, text):
    with connection.cursor() as cursor:
        texts = ", ".join(f"{name} text" for name in COLUMNS[1:])
        cursor.execute(f"DROP SCHEMA IF EXISTS millrace_bench_copy CASCADE; CREATE SCHEMA millrace_bench_copy; "
                       f"CREATE TABLE millrace_bench_copy.users (id uuid PRIMARY KEY, {texts})")
        connection.commit()
        begin, cpu = time.monotonic(), time.process_time()
        with cursor.copy("COPY millrace_bench_copy.users FROM STDIN") as out:
            for at in range(0, len(text), CHUNK):
                out.write(text[at:at + CHUNK])
        connection.commit()
        return begin, time.monotonic() - begin, time.process_time() - cpu


def main():
    url, lines, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with open(lines, "rb") as file:
        text = b"".join(map(copied, itertools.islice(file, rows)))
    with psycopg.connect(url) as connection:
        copy(connection, text)  # both passes of Millrace make the table anew too
        begin, seconds, cpu = copy(connection, text)
        connection.execute("DROP SCHEMA millrace_bench_copy CASCADE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"case": "copy", "records": rows, "begin": begin, "seconds": seconds, "cpu_seconds": cpu, "peak_mib": peak}))


if __name__ == "__main__":
    main()
