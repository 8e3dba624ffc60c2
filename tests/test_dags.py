"""The scheduler through the command line: tasks of every kind, retries, logs, restarts."""
import json

from millrace import Server, wait_until

PIPELINE = """
name: work
sources:
  people: { http: { url: "builtin:randomuser", records: "$.results[*]" }, every: 100ms, run: dag, into: users, key: "$.login.uuid" }
topics:
  users: { partitions: 1, schema: "login STRUCT(uuid uuid), email text" }
queries:
  q:
    into: t.users
    sql: |
      SELECT login.uuid AS id, email FROM users
tables:
  t.users: { partition_key: [id] }
dags:
  user_automation:
    schedule: null
    tasks:
      stream_data_from_api: { ingest: people, for: 500ms }
      settled: { wait_for: { query: q }, after: [stream_data_from_api] }
      quality: { check: "SELECT count(*) > 0 FROM t.users", after: [settled] }
      look: { sql: "SELECT count(*) AS people FROM t.users", after: [quality] }
      report: { exec: { argv: [sh, -c, "echo $GREETING {{ dag_run.conf.who }}"], env: { GREETING: hello } }, after: [look] }
  shaky:
    schedule: null
    tasks:
      once: { exec: [sh, -c, "test $MILLRACE_TRY_NUMBER -ge 2 || { echo broken; exit 3; }"], retries: 1, retry_delay: 10ms }
      never: { check: "SELECT false", after: [once] }
      after_never: { exec: ["true"], after: [never] }
  daily:
    schedule: "@daily"
    start_date: 2023-09-03T10:00:00Z
    catchup: false
    tasks:
      nothing: { exec: ["true"] }
"""


def finished(server, dag, run="latest"):
    runs = server.json("dags", "runs", dag)
    return runs and runs[0]["state"] in ("success", "failed") and runs[0]


def test_every_kind_of_task():
    with Server(PIPELINE) as server:
        run = server.json("dags", "trigger", "user_automation", "--conf", '{"who": "world"}')
        assert run["dag_id"] == "user_automation" and run["dag_run_id"].startswith("manual__")
        done = wait_until(lambda: finished(server, "user_automation"), "the run has ended")
        tasks = server.json("dags", "tasks", "user_automation", run["dag_run_id"])
        assert done["state"] == "success", tasks
        assert [task["task_id"] for task in tasks] == ["stream_data_from_api", "settled", "quality", "look", "report"]
        assert all(task["state"] == "success" and task["try_number"] == 1 for task in tasks)
        assert "hello world" in server.command("dags", "logs", "user_automation", "latest", "report").stdout
        assert server.sql("SELECT count(*) AS n FROM t.users")[0]["n"] > 0


def test_retries_failures_and_why():
    with Server(PIPELINE) as server:
        server.json("dags", "trigger", "shaky")
        done = wait_until(lambda: finished(server, "shaky"), "the run has ended")
        assert done["state"] == "failed"
        states = {task["task_id"]: (task["state"], task["try_number"]) for task in server.json("dags", "tasks", "shaky", "latest")}
        assert states == {"once": ("success", 2), "never": ("failed", 1), "after_never": ("upstream_failed", 0)}
        assert "broken" in server.command("dags", "logs", "shaky", "latest", "once", "--try", "1").stdout
        assert server.json("dags", "why", "shaky", "latest", "after_never")["why"]


def test_schedule_without_catchup_runs_the_latest_day_once():
    with Server(PIPELINE) as server:
        run = wait_until(lambda: finished(server, "daily"), "the scheduled run has ended")
        assert run["run_type"] == "scheduled" and run["dag_run_id"].endswith("T00:00:00+00:00")
        assert len(server.json("dags", "runs", "daily")) == 1
        assert len(server.json("dags", "next", "daily", "-n", "3")) == 3
        server.kill()
        server.start()
        assert len(server.json("dags", "runs", "daily")) == 1
        assert server.json("dags", "pause", "daily")["is_paused"] is True
        assert [dag["dag_id"] for dag in server.json("dags", "list") if dag["is_paused"]] == ["daily"]
