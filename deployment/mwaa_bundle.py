"""
Write what an Amazon MWAA environment takes: ``dags/``, ``plugins.zip`` and ``requirements.txt``.

MWAA locks ``PYTHONPATH`` and unzips ``plugins.zip`` into Airflow's plugins folder, which is on ``sys.path``
in every Airflow process. So what ``include/`` holds travels in that archive, beside the plugin's package.
https://docs.aws.amazon.com/mwaa/latest/userguide/configuring-dag-import-plugins.html
"""

from __future__ import annotations

import argparse
import shutil
import sys
from importlib.metadata import requires
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REPOSITORY: Final = Path(__file__).resolve().parents[1]

AIRFLOW: Final = "3.3.1"
"""The newest Airflow that MWAA offers (aws/amazon-mwaa-docker-images, 2026-08); it runs on Python 3.12."""
CONSTRAINTS: Final = (
    f"https://raw.githubusercontent.com/apache/airflow/constraints-{AIRFLOW}/constraints-3.12.txt"
)

PLUGIN_FOLDERS: Final = ("plugins/nightsort_airflow", "include/nightsort", "include/classifiers")
# Of a file's age nothing follows; a fixed one gives the same archive from the same tree, and MWAA is updated
# (20 minutes and more) only when the archive changed. It is the earliest time that the format knows.
TIME: Final = (1980, 1, 1, 0, 0, 0)


def bundle_requirements(requirements: Iterable[str]) -> str:
    """
    Give MWAA's ``requirements.txt``: our run-time packages under Airflow's constraints.

    MWAA wants a constraints line and refuses another version of Airflow, so it alone decides the versions.

    :param requirements: what ``nightsort`` requires, with and without extras.
    """
    wanted = [
        package
        for package in map(Requirement, requirements)
        if package.marker is None or package.marker.evaluate({"extra": "airflow"})
    ]
    names = [
        f"{package.name}[{','.join(sorted(package.extras))}]" if package.extras else package.name
        for package in wanted
        if package.name != "apache-airflow"
    ]
    return "\n".join([f'--constraint "{CONSTRAINTS}"', *names, ""])


def write_bundle(target: Path) -> None:
    """
    Write the bundle, in place of one that is there.

    :param target: the folder; ``dist/mwaa`` by the Makefile.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name, file in _files("dags", "dags"):
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    requirements = bundle_requirements(requires("nightsort") or ())
    (target / "requirements.txt").write_text(requirements, encoding="utf-8")
    with ZipFile(target / "plugins.zip", "w") as archive:
        for name, file in _plugin_files():
            entry = ZipInfo(name, TIME)
            entry.compress_type = ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())


def _plugin_files() -> Iterator[tuple[str, Path]]:
    """Return every member of ``plugins.zip``: its name there, and the file."""
    for folder in PLUGIN_FOLDERS:
        yield from _files(folder, folder.partition("/")[2])


def _files(folder: str, name: str) -> Iterator[tuple[str, Path]]:
    """Return the files of a folder of the repository, sorted, without caches."""
    root = REPOSITORY / folder
    for file in sorted(root.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield f"{name}/{file.relative_to(root).as_posix()}", file


def main(arguments: list[str] | None = None) -> int:
    """Write the bundle where the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deployment.mwaa_bundle", description=__doc__)
    parser.add_argument("target", type=Path, help="folder to write; what is in it is replaced")
    target: Path = parser.parse_args(arguments).target
    write_bundle(target)
    print(
        f"{target} is ready for Amazon MWAA with Airflow {AIRFLOW}: copy dags/, plugins.zip and "
        "requirements.txt to the environment's bucket (docs/deployment.md)."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
