"""The benchmarks measure what they say, leave nothing behind, and still run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks import __main__ as command
from benchmarks import measuring
from benchmarks.measuring import Contender, StepFailedError, compare
from benchmarks.results import as_markdown, describe
from tests.unit.benchmarks import toy_subject

HERE = Path(__file__).parent
FOLDERS = "nsb-*"
OURS = Contender(toy_subject.ours)
QUICK = [subject for subject in command.SUBJECTS if subject not in ("orchestration", "table_at_size")]


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the runs find the toy, and their folders where nobody else's are."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folders = (*measuring.IMPORTED_FROM, HERE)
    monkeypatch.setattr(measuring, "IMPORTED_FROM", folders)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, folders)))
    return tmp_path


def test_contenders_take_turns_in_processes_of_their_own_and_are_judged(own_temporary_folder: Path) -> None:
    slow = Contender(toy_subject.slow, sizes=(10,), runs=1)
    told: list[str] = []
    result = compare(
        toy_subject.comparison(OURS, slow, at_10=2, at_1000=1), report=lambda _, what: told.append(what)
    )
    assert told == [
        "10: making the data",
        "10: ours, round 1",
        "10: slow, round 1",
        "10: ours, round 2",
        "1,000: making the data",
        "1,000: ours, round 1",
    ]
    rows: dict[Any, Any] = {(row["contender"], row["size"]): row for row in result["rows"]}
    assert [len(row["runs"]) for row in rows.values()] == [2, 1, 1]
    assert rows["ours", 1_000]["median"]["total"] == 499_500
    assert 1 <= rows["slow", 10]["median"]["wall_seconds"] < 60
    assert rows["slow", 10]["median"]["peak_mb"] > 150
    assert [target["met"] for target in result["targets"]] == [True, False, True, True]
    assert list(own_temporary_folder.iterdir()) == []

    page = as_markdown(result)
    assert "| `slow`, peak MB at 10 ≤ 20 |" in page
    assert "**not met**" in page
    assert "times the time for 100 times as many" in page
    assert "`ours`, total at 1,000 ≥ 2" in describe(result["targets"][3])


def test_a_contender_that_fails_is_told_with_what_it_printed(own_temporary_folder: Path) -> None:
    with pytest.raises(StepFailedError, match=r"broken at 10 failed:[\s\S]*no numbers today"):
        compare(toy_subject.comparison(Contender(toy_subject.broken), at_10=1), report=lambda *_: None)
    assert list(own_temporary_folder.iterdir()) == []


def test_a_contender_that_may_fail_is_shown_with_its_reason(own_temporary_folder: Path) -> None:
    broken = Contender(toy_subject.broken, may_fail=True)
    result = compare(toy_subject.comparison(broken, OURS, at_10=1), report=lambda *_: None)
    assert [row["contender"] for row in result["rows"]] == ["ours"]
    assert "- `broken` failed at 10: ValueError: no numbers today" in as_markdown(result)


def test_a_killed_run_leaves_neither_processes_nor_folders(own_temporary_folder: Path) -> None:
    code = (
        "from tests.unit.benchmarks import toy_subject;"
        "from pathlib import Path; from benchmarks import measuring;"
        f"measuring.IMPORTED_FROM += (Path({str(HERE)!r}),);"
        "from benchmarks.measuring import Contender, compare;"
        "compare(toy_subject.comparison(Contender(toy_subject.endless), at_10=1), report=lambda *_: None)"
    )
    path = os.pathsep.join([str(measuring.ROOT), str(HERE)])
    environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(own_temporary_folder)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as run:
        pids = _wait_for(lambda: list(own_temporary_folder.glob(f"{FOLDERS}/pids")))
        child = psutil.Process(int(_wait_for(pids[0].read_text)))
        run.kill()
    _wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    _wait_for(lambda: not list(own_temporary_folder.iterdir()))


def _wait_for(condition: Any) -> Any:
    deadline = time.monotonic() + 240
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("subject", command.SUBJECTS)
def test_every_subject_declares_what_its_results_are_read_by(subject: str) -> None:
    for comparison in import_module(f"benchmarks.{subject}").COMPARISONS:
        names = {contender.name for contender in comparison.contenders}
        assert {target.contender for target in comparison.targets} <= names
        assert {target.over for target in comparison.targets} - {None} <= names
        assert all(target.size in comparison.sizes for target in comparison.targets)
        assert all(contender.step.__doc__ for contender in comparison.contenders)


# The others take a stack, or too much time: theirs is seen when they are run.
@pytest.mark.slow
@pytest.mark.parametrize("subject", QUICK)
def test_every_subject_still_runs_at_a_small_size(
    subject: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = import_module(f"benchmarks.{subject}").COMPARISONS[0]
    assert comparison.quick_size
    data, service, scratch = (tmp_path / part for part in ("data", "service", "run"))
    for folder in (data, service, scratch):
        folder.mkdir()
    with comparison.service(service) if comparison.service else nullcontext({}) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        comparison.make(data, comparison.quick_size)
        monkeypatch.chdir(scratch)
        for contender in comparison.contenders:
            if contender.name in ("ours", "floor"):
                contender.step(data, comparison.quick_size)


def test_a_narrowed_run_prints_the_figures_and_keeps_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, own_temporary_folder: Path
) -> None:
    monkeypatch.setitem(sys.modules, "benchmarks.toy_subject", toy_subject)
    monkeypatch.setattr(toy_subject, "COMPARISONS", [toy_subject.comparison(OURS, at_10=3)], raising=False)
    monkeypatch.setattr(command, "SUBJECTS", ("toy_subject",))
    monkeypatch.setattr("benchmarks.results.FOLDER", own_temporary_folder)
    command.main(["toy_subject"], runs=1)
    assert "| 10 | `ours` | 1 |" in capsys.readouterr().out
    assert list(own_temporary_folder.iterdir()) == []


def test_a_whole_run_is_kept_and_shown_with_its_notes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, own_temporary_folder: Path
) -> None:
    monkeypatch.setitem(sys.modules, "benchmarks.toy_subject", toy_subject)
    monkeypatch.setattr(toy_subject, "COMPARISONS", [toy_subject.comparison(OURS, at_10=1)], raising=False)
    monkeypatch.setattr(command, "SUBJECTS", ("toy_subject",))
    monkeypatch.setattr("benchmarks.results.FOLDER", own_temporary_folder)
    (own_temporary_folder / "notes").mkdir()
    (own_temporary_folder / "notes" / "toy_subject.md").write_text("Most of the time goes into adding.")
    command.main(["toy_subject"])
    page = (own_temporary_folder / "RESULTS.md").read_text()
    assert page.index("## A toy") < page.index("Most of the time goes into adding.")
    assert "not measured" in page
