"""The whole night's contenders bring the same documents to the end, and a task's memory is found."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import pytest

from benchmarks import night, night_on_stack
from benchmarks.postgres_server import postgres

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 3_000
TASK = """
import sys
from setproctitle import setproctitle

block = bytearray(b"x" * 90_000_000)
setproctitle(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""


def test_ours_closes_the_run_and_all_contenders_account_for_every_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, service = tmp_path / "data", tmp_path / "service"
    for folder in (data, service):
        folder.mkdir()
    told: dict[str, Any] = {}
    with postgres(service) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        night.make(data, SIZE)
        for contender in night.COMPARISONS[0].contenders:
            scratch = tmp_path / contender.name
            scratch.mkdir()
            monkeypatch.chdir(scratch)
            told[contender.name] = contender.step(data, SIZE)
            if contender.name == "ours":
                with psycopg.connect() as conn:
                    found = conn.execute(
                        "SELECT state, documents_in, (SELECT count(*) FROM nightsort.predictions)"
                        " FROM nightsort.classification_runs"
                    ).fetchall()
    assert found == [("complete", SIZE, SIZE)]
    ours, floor, script = (told[name] for name in ("ours", "floor", "pandas_script"))
    assert 0 < ours["rejects"] == script["rejects"] < SIZE
    assert ours["documents"] == floor["documents"] == script["documents"] == SIZE - ours["rejects"]
    assert all(ours[f"{part}_seconds"] > 0 for part in ("prepare", "load", "reconcile"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("title", "is_task"),
    [
        ("airflow worker -- 01993d7a-0000-7000-8000-000000000000", True),
        ("airflow worker -- LocalExecutor: <idle>", False),
        ("airflow supervisor: a task", False),
    ],
)
def test_only_processes_of_tasks_count_for_their_memory(title: str, is_task: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TASK, title], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = night_on_stack.task_peak_mb(psutil.Process())
        process.communicate()
    assert (90 < found < 400) if is_task else found == 0
