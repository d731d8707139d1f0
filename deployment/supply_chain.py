"""
``make audit``: hold the packages that are deployed against what a person has reviewed.

Licences by pip-licenses and the list of all parts (SBOM) by cyclonedx-py need no network. Vulnerabilities by
pip-audit need PyPI's service; where that is out of reach the answer is "not checked", which is no failure.
What was reviewed is in ``supply_chain.yaml``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final

import yaml
from packaging.utils import canonicalize_name
from pydantic import BaseModel, ConfigDict, StringConstraints

REPOSITORY: Final = Path(__file__).resolve().parents[1]
REVIEWED: Final = REPOSITORY / "deployment" / "supply_chain.yaml"

CANARY: Final = "jinja2==2.10"
"""Vulnerable since 2019 (CVE-2019-10906): a service that finds nothing here has not been reached. pip-audit
itself says "no known vulnerabilities" where its service knows no package."""
REVIEW_LASTS: Final = timedelta(days=180)

Reason = Annotated[str, StringConstraints(min_length=20)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LicenceException(_Entry):
    """A package whose licence is accepted for a reason of its own."""

    package: str
    licence: str
    reason: Reason
    reviewed: date


class IgnoredVulnerability(_Entry):
    """A vulnerability that does not concern Nightsort."""

    id: str
    package: str
    reason: Reason
    reviewed: date


class _Licences(_Entry):
    allowed: frozenset[str]
    exceptions: tuple[LicenceException, ...]


class _Vulnerabilities(_Entry):
    ignored: tuple[IgnoredVulnerability, ...]


class Reviewed(_Entry):
    """What ``supply_chain.yaml`` says."""

    licences: _Licences
    vulnerabilities: _Vulnerabilities


def read_reviewed(text: str) -> Reviewed:
    """
    Read ``supply_chain.yaml``.

    :raises pydantic.ValidationError: an entry lacks its reason or date, or has a key that there is not.
    """
    return Reviewed.model_validate(yaml.safe_load(text))


def licence_problems(installed: list[dict[str, str]], reviewed: Reviewed) -> list[str]:
    """
    Give the packages whose licence nobody accepted, and the exceptions that are about nothing any more.

    :param installed: pip-licenses' JSON: ``Name``, ``Version``, ``License``. Of several licences in one
        package's classifiers, parted by ``;``, one may be chosen.
    """
    unused = {canonicalize_name(entry.package): entry for entry in reviewed.licences.exceptions}
    problems = []
    for package in installed:
        exception = unused.pop(canonicalize_name(package["Name"]), None)
        licence = package["License"]
        accepted = exception is not None and exception.licence == licence
        if not accepted and reviewed.licences.allowed.isdisjoint(licence.split("; ")):
            problems.append(f"{package['Name']} {package['Version']}: nobody accepted its licence: {licence}")
    problems += [f"{name}: is not installed; take its exception out of {REVIEWED.name}" for name in unused]
    return problems


def vulnerability_problems(report: dict[str, Any], reviewed: Reviewed, today: date) -> list[str]:
    """
    Give the vulnerabilities that nobody has reviewed lately, and the packages that were not looked at.

    :param report: pip-audit's JSON.
    """
    ignored = {
        (canonicalize_name(entry.package), entry.id): entry for entry in reviewed.vulnerabilities.ignored
    }
    problems = []
    for package in report["dependencies"]:
        if "skip_reason" in package:
            problems.append(f"{package['name']}: not looked at: {package['skip_reason']}")
        for found in package.get("vulns", []):
            names = [found["id"], *found["aliases"]]
            entries = [ignored.get((canonicalize_name(package["name"]), name)) for name in names]
            entry = next((entry for entry in entries if entry is not None), None)
            if entry is not None and today - entry.reviewed <= REVIEW_LASTS:
                continue
            old = f" (ignored since {entry.reviewed}: review it again)" if entry is not None else ""
            remedy = ", ".join(found["fix_versions"]) or "none yet"
            problems.append(
                f"{package['name']} {package['version']}: {', '.join(names)}; mended in: {remedy}{old}"
            )
    return problems


class Tools:
    """
    The programs of the dependency group ``audit``.

    :param programs: the folder that they lie in.
    """

    def __init__(self, programs: Path) -> None:
        self.programs = programs

    def licences(self, python: Path) -> list[dict[str, str]]:
        """Return every package that a Python has, with its licence."""
        form = ("--from=mixed", "--with-system", "--format=json")
        done = self._run("pip-licenses", f"--python={python}", *form)
        done.check_returncode()
        packages: list[dict[str, str]] = json.loads(done.stdout)
        return packages

    def write_sbom(self, python: Path, file: Path) -> int:
        """
        Write the packages of an environment as CycloneDX JSON.

        :returns: how many there are.
        """
        form = ("--of=JSON", "--sv=1.6", "--output-reproducible", f"--output-file={file}")
        project = ("--pyproject", str(REPOSITORY / "pyproject.toml"), "--mc-type=application")
        file.parent.mkdir(parents=True, exist_ok=True)
        self._run("cyclonedx-py", "environment", *form, *project, str(python)).check_returncode()
        return len(json.loads(file.read_bytes())["components"])

    def vulnerabilities(self, *requirements: Path) -> dict[str, Any] | None:
        """Return pip-audit's report on requirement files; None where its service is out of reach."""
        files = [f"--requirement={file}" for file in requirements]
        done = self._run("pip-audit", "--disable-pip", "--no-deps", "--format=json", *files)
        # It ends with 1 both when it found something and when it broke down; then it prints no report.
        if not done.stdout.startswith("{"):
            return None
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # Our own programs and arguments.
        return subprocess.run(  # noqa: S603
            [str(self.programs / program), *arguments], capture_output=True, text=True, check=False
        )


def knows_the_canary(report: dict[str, Any] | None) -> bool:
    """Tell whether a report on the canary comes from a service that was reached."""
    return report is not None and any(package.get("vulns") for package in report["dependencies"])


def _check_licences(options: argparse.Namespace, reviewed: Reviewed) -> list[str]:
    installed = Tools(options.tools).licences(options.environment)
    problems = licence_problems(installed, reviewed)
    print(f"licences: {len(installed)} packages, {len(problems)} problems")
    return problems


def _write_sbom(options: argparse.Namespace, reviewed: Reviewed) -> list[str]:
    parts = Tools(options.tools).write_sbom(options.environment, options.sbom)
    print(f"SBOM: {parts} packages in {options.sbom}")
    return []


def _check_vulnerabilities(options: argparse.Namespace, reviewed: Reviewed) -> list[str]:
    tools = Tools(options.tools)
    with TemporaryDirectory() as folder:
        canary = Path(folder, "canary.txt")
        canary.write_text(f"{CANARY}\n", encoding="utf-8")
        reached = knows_the_canary(tools.vulnerabilities(canary))
    if not reached:
        print(
            f"vulnerabilities: NOT CHECKED: PyPI's vulnerability service is out of reach (it knows none of "
            f"{CANARY}, which has had one since 2019). Run `make audit` where it can be reached."
        )
        return []
    report = tools.vulnerabilities(*options.locked)
    if report is None:
        return ["vulnerabilities: pip-audit broke down; run it by hand to see why"]
    problems = vulnerability_problems(report, reviewed, date.today())
    print(f"vulnerabilities: {len(report['dependencies'])} packages, {len(problems)} problems")
    return problems


CHECKS: Final = {
    "licences": _check_licences,
    "sbom": _write_sbom,
    "vulnerabilities": _check_vulnerabilities,
}


def main(arguments: list[str] | None = None) -> int:
    """Make the checks that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deployment.supply_chain", description=__doc__)
    parser.add_argument("checks", nargs="+", choices=CHECKS)
    parser.add_argument("--tools", type=Path, required=True, help="folder of the tools' programs")
    parser.add_argument("--environment", type=Path, required=True, help="Python of what is deployed")
    parser.add_argument("--locked", type=Path, nargs="+", required=True, help="files with what is locked")
    parser.add_argument("--sbom", type=Path, required=True, help="file to write")
    options = parser.parse_args(arguments)
    reviewed = read_reviewed(REVIEWED.read_text(encoding="utf-8"))
    problems = [problem for name in options.checks for problem in CHECKS[name](options, reviewed)]
    for problem in problems:
        print(f"  {problem}", file=sys.stderr)
    if problems:
        print(f"What was accepted, and why, is in {REVIEWED.relative_to(REPOSITORY)}.", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
