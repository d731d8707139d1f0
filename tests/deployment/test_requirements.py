"""Each package that is named has a pin with hashes and a reason, and each that is imported is named."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
FILES = sorted(path.stem for path in REPOSITORY.glob("requirements*.in"))
REASONS = (REPOSITORY / "docs" / "dependencies.md").read_text(encoding="utf-8")
# Which code needs which file.
CODE = {
    "requirements": ("include/nightsort/**/*.py", "plugins/**/*.py", "dags/*.py"),
    "requirements-celery": ("deployment/container/health.py", "deployment/container/initialise.py"),
    "requirements-local": ("nightsort_local/**/*.py", "deployment/container/local_setup.py"),
    "requirements-dev": ("deployment/*.py",),
}
PARENT = {"requirements-celery": "requirements", "requirements-local": "requirements"}
PARENT |= {"requirements-dev": "requirements-local"}
# What another package's interface is made of, and whose version is that package's business.
COMES_WITH = {
    "botocore": "boto3",
    "celery": "celery",
    "flask": "moto",
    "pydantic-core": "pydantic",
    "scipy": "scikit-learn",
    "sqlalchemy": "apache-airflow",
    "werkzeug": "moto",
}
PARENT = {"requirements-celery": "requirements", "requirements-local": "requirements"}
PARENT |= {"requirements-dev": "requirements-local"}

every_file = pytest.mark.parametrize("name", FILES)


def named(name: str) -> set[str]:
    """The packages that a file of requirements names itself."""
    lines = (REPOSITORY / f"{name}.in").read_text(encoding="utf-8").splitlines()
    wanted = [line.partition("#")[0].strip() for line in lines]
    return {
        canonicalize_name(Requirement(line).name) for line in wanted if line and not line.startswith("-r ")
    }


def named_with_parents(name: str) -> set[str]:
    return named(name) | (named_with_parents(PARENT[name]) if name in PARENT else set())


def explained(name: str) -> set[str]:
    """The packages in the first column of a file's table in docs/dependencies.md."""
    _, _, section = REASONS.partition(f"(`{name}.in`)")
    table = section.partition("\n## ")[0]
    cells = re.findall(r"^\| (.+?) \| .{10,} \|$", table, re.MULTILINE)
    found = [word for cell in cells for word in re.findall(r"[A-Za-z][\w.-]*(?:\[[^\]]*\])?", cell)]
    return {canonicalize_name(word.partition("[")[0]) for word in found}


class Imports(ast.NodeVisitor):
    """The top-level modules that a file imports when it runs."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.found |= {alias.name.partition(".")[0] for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.found.add(str(node.module).partition(".")[0])


def imported(pattern: str) -> set[str]:
    imports = Imports()
    for file in REPOSITORY.glob(pattern):
        imports.visit(ast.parse(file.read_text(encoding="utf-8")))
    # The local AWS's pytest plugin is loaded by pytest alone.
    return imports.found - sys.stdlib_module_names - {"pytest"}


@every_file
def test_each_package_has_its_reason_and_no_reason_is_about_another(name: str) -> None:
    assert explained(name) == named(name)


@every_file
def test_each_package_is_pinned_with_hashes_by_make_lock(name: str) -> None:
    lock = (REPOSITORY / f"{name}.txt").read_text(encoding="utf-8")
    assert "make lock" in lock.splitlines()[1]
    pins = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert not [pin for pin in pins if not re.match(r"\S+==\S+ .*--hash=sha256:", pin, re.DOTALL)]
    assert named(name) <= {canonicalize_name(pin.partition("==")[0].partition("[")[0]) for pin in pins}
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"call lock,{name}[,)]", makefile)


@pytest.mark.parametrize("name", ["requirements", "requirements-celery", "requirements-local"])
def test_no_lock_holds_another_version_than_the_tests_ran_with(name: str) -> None:
    def pins(of: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        lock = (REPOSITORY / f"{of}.txt").read_text(encoding="utf-8")
        for package, version in re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE):
            found.setdefault(package, set()).add(version)
        return found

    tested = pins("requirements-dev")
    shared = {package: versions for package, versions in pins(name).items() if package in tested}
    assert shared
    assert {package: tested[package] for package in shared} == shared


@pytest.mark.parametrize("name", sorted(CODE))
def test_what_the_code_imports_is_named_and_not_merely_brought_along(name: str) -> None:
    ours = {"include", "nightsort_airflow", "deployment"}
    # The first is not in the tests' environment, the second lies in many packages.
    distributions = packages_distributions() | {"celery": ["celery"], "airflow": ["apache-airflow"]}
    owners = {
        module: {canonicalize_name(owner) for owner in distributions.get(module, [module])}
        for pattern in CODE[name]
        for module in imported(pattern) - ours
    }
    assert owners
    missing = {
        module: packages
        for module, packages in owners.items()
        if not {COMES_WITH.get(package, package) for package in packages} & named_with_parents(name)
    }
    assert missing == {}
