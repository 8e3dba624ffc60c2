"""The scheduler's state in PostgreSQL: it outlives the data directory, and an outage delays runs but loses none."""
import psycopg
import pytest

import people
from clients import Millrace
from millrace import run, wait_until
from outage import answers, endures


def pipeline(url, place, marks):
    return f"""
name: {place.name}
profiles:
{people.profile(metadata=url)}
dags:
  work:
    schedule: null
    tasks:
      mark: {{ exec: ["/bin/sh", "-c", "echo done >> {marks}"] }}
      judged: {{ check: "SELECT true", after: [mark] }}
"""


def runs(millrace, state):
    return [one["dag_run_id"] for one in millrace.json("dags", "runs", "work") if one["state"] == state]


def trigger(millrace, count):
    for _ in range(count):
        millrace.command("dags", "trigger", "work")


def stored(url):
    with psycopg.connect(url) as connection:
        return dict(connection.execute("SELECT state, count(*) FROM millrace.runs GROUP BY 1").fetchall())


@pytest.mark.short
def test_runs_outlive_the_data_directory(postgres, place, tmp_path):
    url, _ = postgres.database(place.name)
    text = pipeline(url, place, tmp_path / "marks")
    with Millrace(text) as millrace:
        trigger(millrace, 3)
        wait_until(lambda: len(runs(millrace, "success")) == 3, "three runs succeed")
        assert stored(url) == {"success": 3}
    with Millrace(text) as another:  # the one before was killed
        assert len(runs(another, "success")) == 3
        trigger(another, 1)
        wait_until(lambda: len(runs(another, "success")) == 4, "a fourth run succeeds")
        assert another.stop() == 0
    assert (tmp_path / "marks").read_text() == "done\n" * 4


def test_one_scheduler_at_a_time(postgres, place, tmp_path):
    url, _ = postgres.database(place.name)
    text = pipeline(url, place, tmp_path / "marks")
    with Millrace(text) as first:
        second = Millrace(text)
        with second.folder:
            done = run("run", second.file, "--data", second.data, "--profile", "real", "--for", "60s", check=False)
            assert done.returncode == 1 and "schedul" in done.stderr, done.stderr
        trigger(first, 1)
        wait_until(lambda: len(runs(first, "success")) == 1, "the first one schedules")


@pytest.mark.short
@pytest.mark.parametrize("fault", ["killed", "cut", "answer_lost"])
def test_an_outage_loses_no_run(postgres, place, tmp_path, fault):
    url, proxied = postgres.database(place.name)
    with Millrace(pipeline(proxied, place, tmp_path / "marks")) as millrace:
        trigger(millrace, 2)
        wait_until(lambda: len(runs(millrace, "success")) == 2, "two runs succeed")
        if fault == "killed":
            postgres.kill()
            endures(millrace, 3)
            postgres.start()
        elif fault == "cut":
            postgres.proxy.cut()
        else:
            sprung = postgres.proxy.lose_answer(b"COMMIT|millrace.runs")
            millrace.command("dags", "trigger", "work", check=False)
            assert sprung.wait(60)
        answers(millrace)
        wait_until(lambda: millrace.command("dags", "trigger", "work", check=False).returncode == 0, "a run can be triggered")
        wait_until(lambda: not runs(millrace, "running") and not runs(millrace, "queued"), "all runs end")
        assert set(stored(url)) == {"success"} and stored(url)["success"] >= 3
        assert millrace.stop() == 0
    assert (tmp_path / "marks").read_text() == "done\n" * stored(url)["success"]
