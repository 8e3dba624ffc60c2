# What a person types. Everything builds into build/, everything fetched goes into .deps/; both can be deleted at any time.
PRESET ?= release
JOBS   ?= $(shell nproc)
TARGETS ?= millrace
ARGS   ?=

.PHONY: help setup build run test test-quick test-real compare image-check bench bench-peers bench-real fuzz soak format clean

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup:           ## install what the project needs (Debian 12; quick when done)
	@scripts/setup

build: setup     ## build ./millrace (TARGETS=all: with tests and benchmarks)
	@mkdir -p build && cmake --preset $(PRESET) > build/$(PRESET).log || { cat build/$(PRESET).log; exit 1; }
	@cmake --build --preset $(PRESET) -j $(JOBS) --target $(TARGETS)
	@ln -sfn build/$(PRESET)/src/cli/millrace millrace

run: build       ## run the main job: people arrive from the API, through a topic and a query, in a table
	@./millrace run examples/users.yaml

test: setup      ## everything CI checks: format, layers, tests, sanitizers, kill test, benchmarks' smoke run
	@scripts/ci

test-quick: TARGETS = all
test-quick: build ## the unit tests of the release build
	@ctest --test-dir build/$(PRESET) --output-on-failure -j $(JOBS)

test-real: build ## the long tests against real Kafka, Cassandra, PostgreSQL and a schema registry; fetches them into .deps/real
	@scripts/setup-real
	@.deps/real/venv/bin/python -m pytest -q tests/real $(ARGS)

compare: build   ## the same records embedded and on every mix of real parts, row by row (RECORDS=50000)
	@scripts/setup-real
	@tests/real/compare.py --records $${RECORDS:-50000} $(ARGS)

image-check: build ## the Dockerfile's steps without a container engine, and what they make started (root; ARGS=--full: also its build stage)
	@scripts/check-image $(ARGS)

bench: TARGETS = all
bench: build     ## benchmarks: a line a case, and JSON in bench/out
	@scripts/bench

bench-peers: TARGETS = millrace pipeline_bench
bench-peers: build ## the main job beside DuckDB alone, Kafka Streams and Bytewax (PEER_ROWS=2000000); fetches them into .deps/peers
	@scripts/setup-peers
	@.deps/venv/bin/python bench/peers/run.py

bench-real: TARGETS = millrace pipeline_bench real_bench
bench-real: build ## between real servers, beside Kafka Streams, Flink, gocql, COPY and, with PEERS=--spark (600 MB), Spark; groups' takeover
	@scripts/setup-real
	@scripts/setup-peers $${PEERS:---real}
	@.deps/real/venv/bin/python bench/peers/real.py
	@.deps/real/venv/bin/python bench/peers/takeover.py

fuzz: setup      ## every fuzzer for ten minutes (FUZZ_SECONDS)
	@scripts/fuzz $${FUZZ_SECONDS:-600}

soak: build      ## the kill test for hours (KILLS=5000, SECONDS_MIN=0, SEED); a failure keeps its data directory
	@.deps/venv/bin/python tests/kill_test.py --kills $${KILLS:-5000} --seconds $${SECONDS_MIN:-0} $${SEED:+--seed $$SEED}

format:          ## clang-format over the tree
	@git ls-files -co --exclude-standard '*.cc' '*.h' | xargs clang-format-19 -i

clean:           ## remove what was built (not what was fetched)
	@rm -rf build millrace bench/out
