"""
``make try-airflow VERSION=…``: try Nightsort with another Airflow.

Runs in an environment that the Makefile made with that version; says which other packages had to move, runs
the type check and the tests there, and gives a verdict. Nothing of the project changes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[1]
PIN: Final = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;]+)", re.MULTILINE)
# Not the tests: they reach into Airflow's internals, whose types say nothing about Nightsort.
TYPED: Final = ("include", "plugins", "nightsort_local", "dags", "deployment", "docs/examples")


def moved(before: str, after: str) -> list[str]:
    """
    Give the packages that differ between two lock files: other versions, new ones.

    What is missing in the second says nothing: a lock for one Python has no packages for the others.

    :param before: the text of the project's own lock, which may pin a package for each of several Pythons.
    :param after: the text of the trial's.
    """
    pinned: dict[str, list[str]] = {}
    for name, version in PIN.findall(before):
        pinned.setdefault(name, []).append(version)
    return [
        f"{name} {' or '.join(pinned[name]) if name in pinned else 'new'} -> {version}"
        for name, version in PIN.findall(after)
        if version not in pinned.get(name, [])
    ]


def passes(step: str, *command: str) -> bool:
    """Run a step from the project's root, with its output; tell whether it ended well."""
    print(f"--- {step}", flush=True)
    began = time.monotonic()
    # Our own arguments.
    code = subprocess.run(command, cwd=REPOSITORY, check=False).returncode  # noqa: S603
    print(
        f"--- {step}: {'ok' if code == 0 else f'FAILED ({code})'}, {time.monotonic() - began:.0f} s",
        flush=True,
    )
    return code == 0


def main(arguments: list[str] | None = None) -> int:
    """Try the environment that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deployment.airflow_trial", description=__doc__)
    parser.add_argument("version")
    parser.add_argument("folder", type=Path, help="holds locked.txt, requirements.txt and the environment")
    parser.add_argument("tests", nargs="+", help="files and folders of tests")
    options = parser.parse_args(arguments)
    python = str(options.folder.absolute() / "environment" / "bin" / "python")
    before = (options.folder / "locked.txt").read_text(encoding="utf-8")
    after = (options.folder / "requirements.txt").read_text(encoding="utf-8")
    print(f"Airflow {options.version}; moved: {', '.join(moved(before, after)) or 'nothing'}")
    results = [
        passes("types", python, "-m", "mypy", *TYPED),
        passes("tests", python, "-m", "pytest", "--numprocesses", "2", "--dist", "loadfile", *options.tests),
    ]
    verdict = "works here" if all(results) else "does NOT work here: see the steps above"
    print(f"Nightsort with Airflow {options.version}: {verdict}.")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
