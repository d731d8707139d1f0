"""Each package that is named has a pin with hashes and a reason, and each that is imported is named."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
REASONS = (REPOSITORY / "docs" / "dependencies.md").read_text(encoding="utf-8")
LISTS: dict[str, list[str]] = {
    "dependencies": PROJECT["project"]["dependencies"],
    **PROJECT["project"]["optional-dependencies"],
    **PROJECT["dependency-groups"],
}
# Which code needs which list, and which other list is installed with it.
CODE = {
    "dependencies": ("include/nightsort/**/*.py",),
    "airflow": ("plugins/**/*.py", "dags/*.py", "include/nightsort/reports/*.py"),
    "celery": ("deployment/container/health.py", "deployment/container/initialise.py"),
    "local": ("nightsort_local/**/*.py", "deployment/container/local_setup.py"),
    "dev": ("deployment/*.py",),
}
PARENT = {"airflow": "dependencies", "celery": "airflow", "local": "airflow", "dev": "local"}
# What another package's interface is made of, and whose version is that package's business.
COMES_WITH = {
    "botocore": "boto3",
    "celery": "celery",
    "fastapi": "apache-airflow",
    "uvicorn": "apache-airflow",
    "flask": "moto",
    "jinja2": "apache-airflow",
    "markupsafe": "apache-airflow",
    # Imported only when Airflow's provider for it calls, which brings it along.
    "openlineage-python": "apache-airflow",
    "pydantic-core": "pydantic",
    "scipy": "scikit-learn",
    "sqlalchemy": "apache-airflow",
    "starlette": "apache-airflow",
    "werkzeug": "moto",
}
# What `make lock` exports, by file.
EXPORTS = dict(
    reversed(found) for found in re.findall(r"call export,([^,]+),(requirements\S*\.txt)\)", MAKEFILE)
)

every_list = pytest.mark.parametrize("name", sorted(LISTS))
every_export = pytest.mark.parametrize("file", sorted(EXPORTS))


def named(name: str) -> set[str]:
    """The packages that a list names itself."""
    wanted = [Requirement(line) for line in LISTS[name] if isinstance(line, str)]
    names: set[str] = {canonicalize_name(package.name) for package in wanted}
    return names - {"nightsort"}


def named_with_parents(name: str) -> set[str]:
    return named(name) | (named_with_parents(PARENT[name]) if name in PARENT else set())


def explained(name: str) -> set[str]:
    """The packages in the first column of a list's table in docs/dependencies.md."""
    _, _, section = REASONS.partition(f"(`{name}`)")
    table = section.partition("\n## ")[0]
    cells = re.findall(r"^\| (.+?) \| .{10,} \|$", table, re.MULTILINE)
    found = [word for cell in cells for word in re.findall(r"[A-Za-z][\w.-]*(?:\[[^\]]*\])?", cell)]
    return {canonicalize_name(word.partition("[")[0]) for word in found}


def uv(*arguments: str) -> str:
    """What uv prints, asked without a network and without the user's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    done = subprocess.run(
        [sys.executable, "-m", "uv", "--offline", "--no-config", *arguments],
        cwd=REPOSITORY,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def pins(text: str) -> list[str]:
    """The packages of a file of requirements, each with its version, marker and hashes."""
    return re.findall(r"^[\w.-]+==.*(?:\n +--hash.*)+", text, re.MULTILINE)


def versions(text: str) -> dict[str, list[str]]:
    """The versions of each package of a file of requirements; some have one for each of several Pythons."""
    found: dict[str, list[str]] = {}
    for package, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE):
        found.setdefault(package, []).append(version)
    return found


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


@every_list
def test_each_package_has_its_reason_and_no_reason_is_about_another(name: str) -> None:
    assert explained(name) == named(name)


def test_a_package_is_named_once() -> None:
    everywhere = [package for name in LISTS for package in named(name)]
    assert sorted(everywhere) == sorted({*everywhere})


def test_the_lock_holds_what_the_project_names() -> None:
    uv("lock", "--check", "--python", sys.executable)


def test_no_address_but_pypis_own_is_in_the_lock() -> None:
    lock = (REPOSITORY / "uv.lock").read_text(encoding="utf-8")
    assert {*re.findall(r"https?://([^/\"]+)", lock)} == {"pypi.org", "files.pythonhosted.org"}


@every_export
def test_what_hosts_and_images_install_is_what_is_locked(file: str) -> None:
    exported = uv("export", "--frozen", "--no-emit-project", "--no-annotate", *EXPORTS[file].split())
    held = (REPOSITORY / file).read_text(encoding="utf-8")
    assert pins(held) == pins(exported)
    # Nothing in it is without a hash.
    assert len(pins(held)) == len(re.findall(r"^\w", held, re.MULTILINE)) > 0


@pytest.mark.parametrize("file", ["requirements.txt", "requirements/celery.txt", "requirements/local.txt"])
def test_no_host_installs_another_version_than_the_tests_ran_with(file: str) -> None:
    options = ("--extra", "local", "--group", "dev", "--group", "celery")
    tested = versions(uv("export", "--frozen", "--no-emit-project", "--no-annotate", *options))
    held = versions((REPOSITORY / file).read_text(encoding="utf-8"))
    assert held
    assert held.items() <= tested.items()


@pytest.mark.parametrize("name", sorted(CODE))
def test_what_the_code_imports_is_named_and_not_merely_brought_along(name: str) -> None:
    ours = {"nightsort", "nightsort_airflow", "nightsort_local", "deployment"}
    if name == "dependencies":
        # The doctor looks at an Airflow that is there, and reports need the extra `airflow`.
        ours |= {"airflow", "pandas"}
    # The first is not in the tests' environment, the second lies in many packages.
    distributions = {**packages_distributions(), "celery": ["celery"], "airflow": ["apache-airflow"]}
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


def test_no_environment_has_the_client_of_docker() -> None:
    # With it, moto's services start containers for whoever reaches their port.
    lock = tomllib.loads((REPOSITORY / "uv.lock").read_text(encoding="utf-8"))
    assert not {package["name"] for package in lock["package"]} & {"docker", "docker-py", "podman"}
