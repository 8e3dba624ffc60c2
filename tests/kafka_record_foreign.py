#!/usr/bin/env python3
"""Record batches against kafka-python: it reads ours, we read its, with every codec.

usage: kafka_record_foreign.py PATH_OF_kafka_record_tool
"""
import random
import subprocess
import sys

import kafka.codec
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatchBuilder

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


def word(field):
    return "-" if field is None else field.hex() or "."


def line(timestamp, key, value, headers):
    words = [str(timestamp), word(key), word(value)]
    for name, content in headers:
        words += [word(name.encode()), word(content)]
    return " ".join(words)


def tool(path, arguments, text):
    done = subprocess.run([path, *arguments], input=text, capture_output=True, text=True)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def sample(chance, count):
    """(timestamp, key, value, headers) of each record: null, empty, short and long fields."""
    def field():
        size = chance.choice([None, 0, 1, 63, 64, 500, 9000])
        return None if size is None else chance.randbytes(size // 2) + b"a" * (size - size // 2)

    return [(1_700_000_000_000 + chance.randrange(-10**6, 10**6), field(), field(),
             [(f"h{i}", field()) for i in range(chance.randrange(3))]) for _ in range(count)]


def ours_read_by_them(path, name, records):
    batch = bytes.fromhex(tool(path, ["encode", name], "".join(line(*record) + "\n" for record in records)))
    read = MemoryRecords(batch).next_batch()
    assert read.validate_crc(), "their CRC differs"
    assert read.compression_type == CODECS[name]
    seen = [(r.timestamp, r.key, r.value, list(r.headers)) for r in read]
    assert seen == records, f"{name}: kafka-python reads something else"


def theirs_read_by_us(path, name, records):
    builder = DefaultRecordBatchBuilder(magic=2, compression_type=CODECS[name], is_transactional=0, producer_id=-1,
                                        producer_epoch=-1, base_sequence=-1, batch_size=1 << 30)
    for offset, (timestamp, key, value, headers) in enumerate(records):
        assert builder.append(offset, timestamp, key, value, headers) is not None
    text = tool(path, ["decode"], bytes(builder.build()).hex())
    expected = [f"{offset} {line(*record)}" for offset, record in enumerate(records)]
    assert text.splitlines() == expected, f"{name}: we read something else"


def main():
    path = sys.argv[1]
    for name in CODECS:
        assert name == "none" or getattr(kafka.codec, f"has_{name}")(), f"the Python package of {name} is missing"
        for seed, count in enumerate([1, 2, 100, 1500]):
            records = sample(random.Random(seed), count)
            ours_read_by_them(path, name, records)
            theirs_read_by_us(path, name, records)
        print(f"{name}: both ways")


if __name__ == "__main__":
    main()
