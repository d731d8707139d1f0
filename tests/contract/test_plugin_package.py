"""What every module of the plugin owes to Airflow and to its readers."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from airflow._shared.module_loading import find_path_from_directory
from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger

from tests.contract.plugin_package import PACKAGE, PLUGINS, classes, module_files, module_name

ROOT = PLUGINS.parent
OPERATORS = list(classes(BaseOperator))
TRIGGERS = [cls for cls in classes(BaseTrigger) if "__init__" in vars(cls)]


def test_there_is_something_to_check() -> None:
    assert {cls.__name__ for cls in OPERATORS} >= {
        "ComprehendCreateDocumentClassifierOperator",
        "ComprehendStartDocumentClassificationJobOperator",
        "ComprehendDocumentClassifierTrainedSensor",
    }
    assert {cls.__name__ for cls in TRIGGERS} == {
        "ComprehendDocumentClassifierTrainedTrigger",
        "ComprehendDocumentClassificationJobTrigger",
        "ComprehendEndpointReadyTrigger",
        "ComprehendEndpointDeletedTrigger",
        "ComprehendQuotaTrigger",
        "TriggererCheckTrigger",
    }


@pytest.mark.parametrize("path", module_files(), ids=module_name)
def test_each_module_has_a_test_file(path: Path) -> None:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    folder = ROOT / "tests" / "unit" / "nightsort_airflow" / Path(*parts[:-1])
    expected = folder / f"test_{parts[-1]}.py"
    assert expected.is_file(), f"write {expected.relative_to(ROOT)}"


@pytest.mark.parametrize("path", module_files(), ids=module_name)
def test_each_module_stays_readable(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 400


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda cls: cls.__name__)
def test_template_fields_are_parameters_of_the_operator(operator: type[BaseOperator]) -> None:
    parameters = {
        name
        for cls in operator.__mro__
        if "__init__" in vars(cls)
        for name in inspect.signature(vars(cls)["__init__"]).parameters
    }
    assert set(operator.template_fields) <= parameters


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda cls: cls.__name__)
def test_template_fields_are_set_in_the_constructor_as_they_are_given(operator: type[BaseOperator]) -> None:
    """Airflow refuses an operator that computes a templated value before it is rendered; its own check does
    the rest."""
    for cls in operator.__mro__:
        if not cls.__module__.startswith("nightsort_airflow") or "__init__" not in vars(cls):
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(vars(cls)["__init__"])))
        given = {
            target.attr: ast.unparse(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Attribute) and target.attr in operator.template_fields
        }
        for field, value in given.items():
            assert value in {field, f"{field} or {{}}"}, f"{cls.__name__}.{field} is computed"


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda cls: cls.__name__)
def test_templated_parameters_are_documented_as_such(operator: type[BaseOperator]) -> None:
    docs = "".join(
        cls.__doc__ or "" for cls in operator.__mro__ if cls.__module__.startswith("nightsort_airflow")
    )
    own = [name for name in operator.template_fields if f":param {name}:" in docs]
    for name in own:
        text = docs.split(f":param {name}:")[1].split(":param ")[0]
        assert "(templated)" in text, f"{operator.__name__}.{name}"
    assert set(operator.template_fields) <= {*own, "aws_conn_id", "region_name", "verify"}


def arguments(trigger: type[BaseTrigger]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "waiter_delay": 7,
        "waiter_max_attempts": 9,
        "aws_conn_id": "aws_other",
        "region_name": "eu-west-1",
        "verify": False,
        "botocore_config": {"read_timeout": 5},
        "stop_training_on_kill": True,
        "delete_on_kill": True,
        "endpoint_arn": "arn:aws:comprehend:eu-west-1:1:document-classifier-endpoint/nightsort-c",
        "end_from_trigger": True,
        "others": "Trainings of 6,838 documents have taken 0.5 to 0.9 h on AWS.",
        "moment": "2026-11-20T02:00:00+00:00",
        "document_classifier_arn": "arn:aws:comprehend:eu-west-1:1:document-classifier/c/version/v1",
        "job_id": "0123456789abcdef0123456789abcdef",
        "aws_conn_ids": ["aws_default", "aws_other"],
    }
    parameters = {
        name
        for cls in trigger.__mro__
        if "__init__" in vars(cls)
        for name in inspect.signature(vars(cls)["__init__"]).parameters
    }
    return {name: value for name, value in values.items() if name in parameters}


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda cls: cls.__name__)
def test_each_trigger_survives_the_way_through_the_database(trigger: type[BaseTrigger]) -> None:
    sent = arguments(trigger)
    classpath, fields = trigger(**sent).serialize()
    assert fields == sent
    module, _, name = classpath.rpartition(".")
    rebuilt = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(fields)))
    assert rebuilt.serialize() == (classpath, fields)


def test_airflow_may_execute_one_file_of_the_plugins_folder_and_it_holds_the_plugin() -> None:
    """The scanner executes what is not ignored under its bare stem: a csv.py would replace the standard
    library's."""
    scanned = [
        Path(file)
        for folder in (PLUGINS, ROOT / "include")
        for file in find_path_from_directory(folder, ".airflowignore")
        if file.endswith(".py")
    ]
    with_plugin = [
        path
        for path in PLUGINS.rglob("*.py")
        if any(
            isinstance(node, ast.ClassDef)
            and any(ast.unparse(base) == "AirflowPlugin" for base in node.bases)
            for node in ast.walk(ast.parse(path.read_text()))
        )
    ]
    assert scanned == with_plugin == [PACKAGE / "airflow_plugin.py"]


def test_triggers_import_where_only_plugins_and_the_project_root_are_on_the_path() -> None:
    """The triggerer never sees the dags folder."""
    subprocess.run(
        [sys.executable, "-c", "import nightsort_airflow.triggers.comprehend"],
        check=True,
        cwd="/",
        env={**os.environ, "PYTHONPATH": f"{PLUGINS}:{ROOT / 'include'}"},
    )
