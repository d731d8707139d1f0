"""The installed packages: whether Nightsort supports their versions, and whether they fit together."""

from __future__ import annotations

import platform
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Final

from airflow.configuration import conf
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from nightsort_airflow.doctor.findings import Check, failed, ok, warning

if TYPE_CHECKING:
    from nightsort_airflow.doctor.findings import Outcome

GROUP: Final = "versions"

PYTHON: Final = SpecifierSet(">=3.10,<3.14")
NEEDED: Final = {
    # Retry policies, the task state store and CronDataIntervalTimetable in airflow.sdk came with 3.3.
    "apache-airflow-core": SpecifierSet(">=3.3,<4"),
    "apache-airflow-providers-amazon": SpecifierSet(">=9.34"),
    "apache-airflow-providers-postgres": SpecifierSet(">=7.0"),
    "apache-airflow-providers-standard": SpecifierSet(">=1.20"),
    "botocore": SpecifierSet(),
    "aiobotocore": SpecifierSet(),
    "s3fs": SpecifierSet(),
    "psycopg": SpecifierSet(">=3.2"),
    "pyarrow": SpecifierSet(">=20"),
    "pydantic": SpecifierSet(">=2.11"),
    "universal-pathlib": SpecifierSet(">=0.3"),
}
"""What ``pyproject.toml`` asks for where a version or a missing package is known to matter."""

EXTRAS: Final = ("", "aiobotocore", "s3fs")
INSTALL: Final = "install the packages of requirements.txt, in every Airflow process, the triggerer too"


def version_checks() -> list[Check]:
    """Return the checks of Python, of each package, and of packages that do not fit together."""
    return [
        Check(GROUP, "Python", _python),
        *(Check(GROUP, name, partial(_package, name)) for name in NEEDED),
        Check(GROUP, "packages together", _together),
    ]


def _python() -> Outcome:
    version = platform.python_version()
    if not PYTHON.contains(version, prereleases=True):
        return failed(f"{version}, but Nightsort runs on {PYTHON}", "run Airflow on such a Python")
    return ok(version)


def _package(name: str) -> Outcome:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return failed("not installed", INSTALL)
    wanted = NEEDED[name]
    if not wanted.contains(version, prereleases=True):
        return failed(f"{version}, but Nightsort needs {wanted}", INSTALL)
    return ok(version)


def _together() -> Outcome:
    """Check the requirements of each package, and combinations that are known to break."""
    clashes = [clash for name in NEEDED for clash in _clashes(name)]
    if clashes:
        return failed("; ".join(clashes), INSTALL)
    if (celery := known_bad_celery()) is not None:
        pin = 'install "celery<5.7"'
        if "celery" in conf.get("core", "executor").lower():
            return failed(f"{celery}: the executor cannot be loaded", pin)
        return warning(f"{celery}: the CeleryExecutor could not be loaded", pin)
    return ok("all requirements are met, and no combination is known to break")


def known_bad_celery() -> str | None:
    """Return Celery and its provider if Celery lacks a name that the provider imports; None if not."""
    try:
        celery = metadata.version("celery")
        provider = metadata.version("apache-airflow-providers-celery")
    except metadata.PackageNotFoundError:
        return None
    bad = SpecifierSet(">=5.7").contains(celery, prereleases=True) and provider in SpecifierSet("<=3.26.0")
    return f"celery {celery} with apache-airflow-providers-celery {provider}" if bad else None


def _clashes(name: str) -> list[str]:
    """Return the requirements of a package among :data:`NEEDED` that are not met."""
    try:
        version, needs = metadata.version(name), metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    clashes = []
    for need in map(Requirement, needs):
        if canonicalize_name(need.name) not in NEEDED or not _counts(need):
            continue
        try:
            found = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            continue
        if not need.specifier.contains(found, prereleases=True):
            clashes.append(f"{name} {version} needs {need.name}{need.specifier}, but {found} is installed")
    return clashes


def _counts(need: Requirement) -> bool:
    return need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in EXTRAS)
