"""Compare functions that do the same step: time, CPU and memory of each, in fresh processes that take turns.

A subject is a module of this package with ``COMPARISONS``; its name is in ``SUBJECTS`` of
``benchmarks/__main__.py``::

    def make(folder: Path, size: int) -> None:
        '''Write what the step reads into `folder`. Not timed; in a process of its own.'''

    def ours(folder: Path, size: int) -> dict[str, float]:
        '''Nightsort, as its operators call it.'''        # the first line is shown in RESULTS.md

    def pandas_script(folder: Path, size: int) -> dict[str, float]:
        '''What one would write with pandas.'''
        import pandas                                      # so that no other contender pays for it

    COMPARISONS = [
        Comparison(
            "load",
            "output.tar.gz to table",
            make=make,
            service=postgres,                              # a context manager, where one is needed
            contenders=[
                Contender(ours),
                Contender(floor),
                Contender(pandas_script, imports=("pandas",), sizes=(10_000, 1_000_000), runs=1),
            ],
            sizes={10_000: 3, 100_000: 3, 1_000_000: 3, 10_000_000: 1},      # size: rounds
            targets=[
                Target("ours", "<=", 1.3, over="floor", size=1_000_000),
                Target("pandas_script", ">=", 15, over="ours", size=1_000_000),
                Target("ours", "<=", 400, measure="peak_mb", size=1_000_000),
                Target("ours", "<=", 1.1, measure="peak_mb", size=10_000_000, over_size=1_000_000),
                Target("ours", "<=", 11, size=10_000_000, over_size=1_000_000),
            ],
        )
    ]

Every run is a new Python process that imports the subject and the contender's `imports`, and then calls the
function; only the call is timed. Its current folder is empty and is removed afterwards: output goes there,
and ``folder`` is only read. What the function returns, if it is a dict, are further figures of the run, shown
and judged like the measured ones: counts that prove that all do the same, accuracy, seconds of a part.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

ROOT = Path(__file__).parents[1]
IMPORTED_FROM = (ROOT / "include", ROOT, ROOT / "plugins")
"""The folders that the runs' processes import from."""

PEERS_PYTHON = Path(sys.prefix) / "bench" / "bin" / "python"
"""The interpreter with the packages of the group bench, which `make bench` installs."""

MEASURED = ("wall_seconds", "cpu_seconds", "peak_mb")
"""What is measured of every run: seconds of the call, CPU seconds of the process and its children, and the
process's peak resident memory, in 10^6 bytes, with its imports and its children."""

LIBRARIES = ("apache-airflow", "numpy", "pyarrow", "orjson", "psycopg", "scikit-learn")
_BETWEEN_SAMPLES = 0.2


@dataclass(frozen=True)
class Contender:
    """One way to do the step.

    :param step: a function of the subject's module; its name is the contender's.
    :param imports: what only this contender imports, in its body: loaded before the clock starts.
    :param peers: the packages of the group bench that it uses, for the versions in the results.
    :param sizes: where it takes part; everywhere if none are given.
    :param runs: at most so many rounds; those of the comparison if none is given.
    :param may_fail: a run that fails is a result, shown with its reason, and not the end of the benchmark.
    """

    step: Callable[[Path, int], object]
    imports: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    sizes: tuple[int, ...] | None = None
    runs: int | None = None
    may_fail: bool = False

    @property
    def name(self) -> str:
        """The function's name."""
        return self.step.__name__


@dataclass(frozen=True)
class Target:
    """What is to be reached: a figure, or its ratio to another contender's or to that at another size.

    :param contender: whose figure.
    :param sign: which side of `bound` is good.
    :param bound: in the measure's unit, or times the other figure.
    :param size: at which size.
    :param over: the contender with the other figure; the same one if `over_size` is given alone.
    :param over_size: the size of the other figure; the same one if `over` is given alone.
    :param measure: one of `MEASURED`, or a figure that the step returns.
    """

    contender: str
    sign: Literal["<=", ">="]
    bound: float
    over: str | None = None
    size: int = 1_000_000
    over_size: int | None = None
    measure: str = "wall_seconds"

    def value(self, rows: Sequence[Mapping[str, Any]]) -> float | None:
        """Return what was reached, from medians by contender and size; none if it was not measured."""
        found = {(row["contender"], row["size"]): row["median"].get(self.measure) for row in rows}
        value = found.get((self.contender, self.size))
        if value is None or (self.over is None and self.over_size is None):
            return value
        other = found.get((self.over or self.contender, self.over_size or self.size))
        return value / other if other else None

    def met(self, value: float) -> bool:
        """Say whether `value` is on the good side."""
        return value <= self.bound if self.sign == "<=" else value >= self.bound


def flat(contender: str, *, size: int = 1_000_000, largest: int = 10_000_000) -> list[Target]:
    """Return the targets of a step whose memory is bounded, and whose time grows as its documents do."""
    return [
        Target(contender, "<=", 400, measure="peak_mb", size=size),
        Target(contender, "<=", 1.1, measure="peak_mb", size=largest, over_size=size),
        Target(contender, "<=", round(1.1 * largest / size, 2), size=largest, over_size=size),
    ]


def least(contender: str, *others: str, size: int = 1_000_000) -> list[Target]:
    """Return the targets of a step that takes no more CPU time and memory than others that do it whole."""
    measures = ("cpu_seconds", "peak_mb")
    return [
        Target(contender, "<=", 1, other, size, measure=measure) for measure in measures for other in others
    ]


@dataclass(frozen=True)
class Comparison:
    """Contenders for one step, and the data they work on.

    :param name: for the command line and the results, unique among all subjects.
    :param title: what is compared, for a heading.
    :param make: writes the data of one size into a folder.
    :param contenders: in the order of their turns.
    :param sizes: how many rounds at which size (documents, mostly), smallest first.
    :param targets: what is to be reached.
    :param service: what has to run around all runs; takes a folder (with a short path, for sockets), gives
        environment variables for the runs and for `make`.
    :param unit: what the sizes count.
    :param quick_size: the size of ``--quick``; none if even that takes long.
    """

    name: str
    title: str
    make: Callable[[Path, int], object]
    contenders: Sequence[Contender]
    sizes: Mapping[int, int]
    targets: Sequence[Target] = ()
    service: Callable[[Path], AbstractContextManager[Mapping[str, str]]] | None = None
    unit: str = "documents"
    quick_size: int | None = 1_000

    def turns(self) -> Iterator[tuple[int, int, Contender]]:
        """Return all runs in their order: size, round from 1 on, contender."""
        for size, rounds in self.sizes.items():
            for number in range(1, rounds + 1):
                for contender in self.contenders:
                    takes_part = contender.sizes is None or size in contender.sizes
                    if takes_part and number <= (contender.runs or rounds):
                        yield size, number, contender


class StepFailedError(Exception):
    """A process of a benchmark failed; the message has the end of what it printed.

    :param message: for a person.
    :param reason: the error in one line, or the signal that ended the process.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def compare(comparison: Comparison, *, report: Callable[[int, str], object]) -> dict[str, Any]:
    """Run all contenders by turns and return the comparison's results, ready for JSON.

    :param comparison: what to run.
    :param report: is told how many runs are done, and what comes next.
    :raises StepFailedError: a contender or `make` failed.
    """
    runs: dict[tuple[str, int], list[dict[str, float]]] = {}
    failures: list[dict[str, Any]] = []
    load = os.getloadavg()[0]
    with _own_folder() as folder:
        for part in ("service", "data"):
            (folder / part).mkdir()
        with comparison.service(folder / "service") if comparison.service else nullcontext({}) as variables:
            made = None
            for done, (size, number, contender) in enumerate(comparison.turns()):
                data = folder / "data" / str(size)
                if size != made:
                    shutil.rmtree(folder / "data")
                    data.mkdir(parents=True)
                    report(done, f"{size:,}: making the data")
                    _in_new_process(comparison.make, (), data, size, variables)
                    made = size
                report(done, f"{size:,}: {contender.name}, round {number}")
                try:
                    run = _in_new_process(contender.step, contender.imports, data, size, variables)
                except StepFailedError as error:
                    if not contender.may_fail:
                        raise
                    failures.append({"contender": contender.name, "size": size, "reason": error.reason})
                else:
                    runs.setdefault((contender.name, size), []).append(run)
    rows = [
        {"contender": name, "size": size, "runs": found, "median": _median(found)}
        for (name, size), found in runs.items()
    ]
    return {
        "name": comparison.name,
        "title": comparison.title,
        "unit": comparison.unit,
        "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "load_at_start": round(load, 1),
        "machine": _machine(),
        "versions": _versions(comparison),
        "contenders": [
            {"name": contender.name, "what": (contender.step.__doc__ or "").strip().split("\n")[0]}
            for contender in comparison.contenders
        ],
        "rows": rows,
        "failures": failures,
        "targets": [_judged(target, rows) for target in comparison.targets],
    }


@contextmanager
def _own_folder() -> Iterator[Path]:
    # The other process ends and removes all there is, even when this one is killed.
    folder = Path(tempfile.mkdtemp(prefix="nsb-"))
    command = [sys.executable, "-m", "benchmarks.clean_end", str(folder)]
    cleaner = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, cwd=ROOT)
    try:
        yield folder
    finally:
        cleaner.communicate()


def _in_new_process(
    step: Callable[[Path, int], object],
    imports: tuple[str, ...],
    data: Path,
    size: int,
    variables: Mapping[str, str],
) -> dict[str, float]:
    scratch = data.parents[1] / "run"
    scratch.mkdir()
    result, printed = (data.parents[1] / name for name in ("result.json", "printed.txt"))
    environment = {
        **os.environ,
        **variables,
        "PYTHONPATH": os.pathsep.join(map(str, IMPORTED_FROM)),
        "TMPDIR": str(scratch),
    }
    command = [
        *(sys.executable, "-m", "benchmarks.measured_step"),
        *(step.__module__, step.__name__, str(data), str(size), str(result), *imports),
    ]
    # What the run before wrote shall not be written to disk in this one's time.
    os.sync()
    with printed.open("wb") as log:
        process = psutil.Popen(command, cwd=scratch, env=environment, stdout=log, stderr=log)
        peak = _peak_with_children(process)
    shutil.rmtree(scratch)
    if process.returncode:
        tail = printed.read_text(errors="replace")[-3_000:]
        message = f"{step.__module__}.{step.__name__} at {size:,} failed:\n{tail}"
        raise StepFailedError(message, _reason(tail, process.returncode))
    figures: dict[str, float] = json.loads(result.read_text())
    return {**figures, "peak_mb": max(figures["peak_mb"], peak / 1e6)}


def _reason(printed: str, code: int) -> str:
    """Return the error's line of a traceback, the last one without an indent; or how the process ended."""
    traceback = printed.rpartition("Traceback (most recent call last)")[2].splitlines()[1:]
    line = next((line for line in traceback if not line.startswith(" ")), "")
    return line or f"it ended with {code}"


def _peak_with_children(process: psutil.Popen) -> int:
    # The process knows its own peak; only its children have to be looked at from outside.
    peak = 0
    while not _ended(process):
        if children := process.children(recursive=True):
            peak = max(peak, sum(map(_resident, [process, *children])))
    return peak


def _ended(process: psutil.Popen) -> bool:
    with suppress(psutil.TimeoutExpired):
        process.wait(_BETWEEN_SAMPLES)
        return True
    return False


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _median(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def _judged(target: Target, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    value = target.value(rows)
    return {**vars(target), "value": value, "met": None if value is None else target.met(value)}


def _machine() -> dict[str, Any]:
    return {
        "cores": len(psutil.Process().cpu_affinity()) if sys.platform == "linux" else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "cpu": _cpu_model(),
        "system": platform.system(),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.machine()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def _versions(comparison: Comparison) -> dict[str, str]:
    distributions = packages_distributions()
    imported = {name.partition(".")[0] for contender in comparison.contenders for name in contender.imports}
    peers = {distributions[name][0] for name in imported if name in distributions}
    elsewhere = sorted({name for contender in comparison.contenders for name in contender.peers})
    here = {name: version(name) for name in (*LIBRARIES, *sorted(peers))}
    return {"Python": platform.python_version(), **here, **_versions_elsewhere(elsewhere)}


def _versions_elsewhere(names: Sequence[str]) -> dict[str, str]:
    if not names:
        return {}
    ask = "import json, sys; from importlib.metadata import version; "
    code = f"{ask} print(json.dumps([version(name) for name in sys.argv[1:]]))"
    told = subprocess.run([PEERS_PYTHON, "-c", code, *names], check=True, stdout=subprocess.PIPE, text=True)
    return dict(zip(names, json.loads(told.stdout), strict=True))
