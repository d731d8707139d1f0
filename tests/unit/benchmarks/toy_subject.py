"""A subject of the benchmarks' own tests: sums numbers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measuring import Comparison, Contender, Target

SLEEPER = [sys.executable, "-c", "import time; block = bytearray(b'x' * 150_000_000); time.sleep(1)"]


def make(folder: Path, size: int) -> None:
    """Write the numbers."""
    (folder / "numbers.json").write_text(json.dumps(list(range(size))))


def ours(folder: Path, size: int) -> dict[str, float]:
    """Sums them."""
    if list(Path.cwd().iterdir()):
        raise SystemExit("An earlier run left its output behind.")
    Path("output").write_text("written")
    return {"total": sum(json.loads((folder / "numbers.json").read_text()))}


def slow(folder: Path, size: int) -> None:
    """Takes 150 MB and a second, in another process."""
    subprocess.run(SLEEPER, check=True)


def broken(folder: Path, size: int) -> None:
    """Fails."""
    raise ValueError("no numbers today")


def endless(folder: Path, size: int) -> None:
    """Waits, in this process and in one that it started."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (folder.parents[1] / "pids").write_text(f"{child.pid}")
    time.sleep(600)


def comparison(*contenders: Contender, **sizes: int) -> Comparison:
    """Return a comparison of these."""
    return Comparison(
        "toy",
        "A toy",
        make=make,
        contenders=contenders,
        sizes={int(name.removeprefix("at_")): rounds for name, rounds in sizes.items()},
        targets=[
            Target("ours", "<=", 0.5, over="slow", size=10),
            Target("slow", "<=", 20, measure="peak_mb", size=10),
            Target("ours", ">=", 40, measure="total", size=10),
            Target("ours", ">=", 2, measure="total", size=1_000, over_size=10),
        ],
    )
