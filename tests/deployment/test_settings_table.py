"""The one table of settings, in docs/deployment.md: it has all that the code reads, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk.configuration import conf

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.comprehend.limits import POOL
from nightsort_local.local_aws.comprehend.behaviour import Behaviour

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "deployment.md").read_text(encoding="utf-8")
CELLS = re.findall(r"^\| (.+?) \|", PAGE.partition("## Settings")[2].partition("\n## ")[0], re.MULTILINE)
NAMED = {name for cell in CELLS for name in re.findall(r"`([^`]+)`", cell)}
VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
REFERENCE = re.compile(r"\$\{(\w+)")
COMPOSE_TEXT = (REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
HELM: dict[str, Any] = yaml.safe_load(
    (REPOSITORY / "deployment" / "helm" / "values.yaml").read_text(encoding="utf-8")
)
CODE = "\n".join(
    file.read_text(encoding="utf-8")
    for folder in ("include", "plugins", "dags", "deployment", "nightsort_local")
    for file in sorted((REPOSITORY / folder).rglob("*.py"))
)


class Asked(dict[str, str]):
    """An empty environment that keeps the names that it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return default


def from_os_environ() -> set[str]:
    """The variables that the code reads from ``os.environ`` by a literal name."""
    return set(re.findall(r'os\.environ(?:\.\w+\(|\[)\s*"(\w+)"(?!\] =)', CODE))


def of_our_own() -> set[str]:
    """The variables with Nightsort's prefix that the code names, whoever hands them to it."""
    asked = Asked()
    Behaviour.from_environment(asked)
    named = set(re.findall(r'"(NIGHTSORT_[A-Z_]*[A-Z])"', CODE))
    return named | {name for name in asked.names if name.startswith("NIGHTSORT_")}


def of_compose() -> set[str]:
    """The variables that the compose file takes from ``.env`` or from a shell."""
    passed_on = {
        name
        for service in COMPOSE["services"].values()
        for name, value in service.get("environment", {}).items()
        if value is None
    }
    return set(REFERENCE.findall(COMPOSE_TEXT)) | passed_on


def set_by_compose() -> set[str]:
    """The variables that the compose file gives its containers, so that nobody else has to."""
    return {
        name
        for service in COMPOSE["services"].values()
        for name, value in service.get("environment", {}).items()
        if value is not None
    }


def of_the_image() -> set[str]:
    return set(
        re.findall(r"^ARG (\w+)", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    )


def options_in_code() -> set[str]:
    """The options of Airflow's configuration that the code asks for."""
    found = re.findall(r'\bconf\.get\w*\(\s*"(\w+)", "(\w+)"', CODE)
    return {f"[{section}] {key}" for section, key in found}


def options_named() -> set[str]:
    return {name for name in NAMED if name.startswith("[")}


def test_every_environment_variable_is_in_the_table_and_no_other() -> None:
    # Three that a host or Airflow itself sets, and that somebody who deploys has to know.
    known = {"PYTHONPATH", "AIRFLOW_CONN_AWS_DEFAULT", "AIRFLOW_CONN_NIGHTSORT_DB"}
    read = (from_os_environ() - set_by_compose()) | of_our_own() | of_compose() | of_the_image()
    assert len(read) > 20
    assert {name for name in NAMED if VARIABLE.fullmatch(name)} == read | known


def test_every_option_of_airflow_that_the_code_asks_for_is_in_the_table() -> None:
    assert options_in_code()
    assert options_in_code() <= options_named()


@pytest.mark.parametrize("option", sorted(options_named()))
def test_every_option_in_the_table_is_one_of_airflows(option: str) -> None:
    section, _, key = option.partition("] ")
    if section == "[celery":
        assert f"AIRFLOW__CELERY__{key.upper()}" in COMPOSE["x-airflow"]["environment"], (
            "its provider is not here"
        )
    else:
        assert conf.has_option(section[1:], key)


def test_connections_pool_and_keys_of_a_spec_are_those_of_the_code() -> None:
    rest = {name for name in NAMED if not VARIABLE.fullmatch(name)} - options_named()
    fields = ClassifierSpec.model_fields
    connections = {fields["aws_conn_id"].default, fields["db_conn_id"].default}
    assert rest == connections | {POOL, "conn_id", "notifiers"}
    assert "notifiers" in fields


def test_nightsort_reads_no_airflow_variable_as_the_table_says() -> None:
    assert not re.findall(r"import .*\bVariable\b|\{\{[^}\n]*\bvar\.", CODE)


def test_helm_and_compose_set_the_same() -> None:
    ours = COMPOSE["x-airflow"]["environment"]
    for section, options in HELM["config"].items():
        for key, value in options.items():
            name = f"AIRFLOW__{section}__{key}".upper()
            assert ours[name] == str(value), name
    assert HELM["executor"] == ours["AIRFLOW__CORE__EXECUTOR"]
    assert HELM["triggerer"]["enabled"], "deferred tasks wait there"
    named = [entry.get("name", entry.get("envName")) for entry in [*HELM["env"], *HELM["secret"]]]
    assert set(named) <= NAMED
    workers = COMPOSE["services"]["worker-1"]["environment"]
    assert {entry["name"]: entry["value"] for entry in HELM["workers"]["env"]}.items() <= workers.items()


@pytest.mark.parametrize(
    ("component", "service"),
    [
        ("workers", "worker-1"),
        ("triggerer", "triggerer"),
        ("scheduler", "scheduler"),
        ("dagProcessor", "dag-processor"),
    ],
)
def test_helms_components_have_the_limits_of_the_compose_files_services(component: str, service: str) -> None:
    limits, found = HELM[component]["resources"]["limits"], COMPOSE["services"][service]
    assert (limits["memory"].lower(), float(limits["cpu"])) == (f"{found['mem_limit']}i", found["cpus"])


def test_helms_airflow_is_that_of_the_requirements_and_both_who_call_aws_have_the_role() -> None:
    lock = (REPOSITORY / "requirements" / "celery.txt").read_text(encoding="utf-8")
    assert f"\napache-airflow=={HELM['airflowVersion']} " in lock
    roles = [HELM[component]["serviceAccount"]["annotations"] for component in ("workers", "triggerer")]
    assert roles[0] == roles[1] != {}
