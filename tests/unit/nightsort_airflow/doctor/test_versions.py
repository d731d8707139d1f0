"""Packages that are missing, too old, or known to break together are told before a night finds out."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from nightsort_airflow.doctor import versions
from nightsort_airflow.doctor.findings import State
from nightsort_airflow.doctor.run_checks import examine

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort_airflow.doctor.findings import Finding


def look() -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine(versions.version_checks())}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the front of the path: what is put there is what is installed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def install(folder: Path, name: str, version: str, *needs: str) -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    (info / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {need}" for need in needs), ""]))


def test_here_everything_is_as_nightsort_needs_it() -> None:
    found = look()
    assert {finding.state for finding in found.values()} == {State.OK}
    assert found["Python"].says == platform.python_version()


def test_what_is_needed_is_what_the_package_asks_for() -> None:
    asked = {need.name: need.specifier for need in map(Requirement, metadata.requires("nightsort") or [])}
    assert versions.NEEDED["apache-airflow-core"] == asked["apache-airflow"]
    for name in {*versions.NEEDED} & {*asked}:
        assert versions.NEEDED[name] == asked[name], name


def test_another_python_is_named_with_those_that_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "PYTHON", SpecifierSet(">=3.99"))
    python = look()["Python"]
    assert python.state is State.FAILED
    assert ">=3.99" in python.says


def test_a_package_that_is_missing_or_too_old_is_a_failed_line(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(installed, "pyarrow", "12.0.0")
    monkeypatch.setitem(versions.NEEDED, "nobody-has-this", SpecifierSet())
    found = look()
    assert found["pyarrow"].state is found["nobody-has-this"].state is State.FAILED
    assert found["pyarrow"].says == "12.0.0, but Nightsort needs >=20"
    assert found["nobody-has-this"].says == "not installed"
    assert "requirements.txt" in found["pyarrow"].remedy


def test_a_package_that_asks_for_another_version_of_another_is_named_with_both(installed: Path) -> None:
    install(installed, "aiobotocore", "3.10.0", "botocore<1.20", 's3fs<1; extra == "never"')
    together = look()["packages together"]
    assert together.state is State.FAILED
    assert together.says.startswith("aiobotocore 3.10.0 needs botocore<1.20, but 1.")


@pytest.mark.parametrize(
    ("celery", "executor", "state"),
    [
        ("5.7.0", "CeleryExecutor", State.FAILED),
        ("5.7.0", "LocalExecutor", State.WARNING),
        ("5.6.3", "CeleryExecutor", State.OK),
    ],
)
def test_the_celery_that_cannot_be_loaded_is_named(
    installed: Path, monkeypatch: pytest.MonkeyPatch, celery: str, executor: str, state: State
) -> None:
    install(installed, "celery", celery)
    install(installed, "apache-airflow-providers-celery", "3.26.0")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    together = look()["packages together"]
    assert together.state is state
    if state is not State.OK:
        assert "celery 5.7.0 with apache-airflow-providers-celery 3.26.0" in together.says
        assert "celery<5.7" in together.remedy
